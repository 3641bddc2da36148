package rewrite_test

import (
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// example is a small network and what is left of it.
type example struct {
	name  string
	nodes string // separated by bars
	keep  string // values to keep beside the outputs
	plain bool   // parameters stay parameters
	want  string // operators that are left, in order
}

// numbers are the scalars that the examples use.
var numbers = map[string]float32{"eps": 1e-5, "0": 0, "1": 1, "2": 2, "3": 3, "half": 0.5, "minushalf": -0.5, "root2": math.Sqrt2,
	"invroot2": math.Sqrt2 / 2, "root2pi": 0.7978845608028654, "cubic": 0.044715}

// network is the graph of e: inputs x [N,2,4,4] and r [N,4], weights of every kind that the examples use, outputs y and, if there is one,
// z.
func (e example) network(t *testing.T) (g *graph.Graph, keep []graph.Value, feeds []*tensor.Tensor) {
	t.Helper()
	text := testkit.Text{In: []string{"x[N,2,4,4]", "r[N,4]"}, Out: []string{"y"}, Init: map[string]*tensor.Tensor{}}
	for name, shape := range map[string][]int{"w": {2, 2, 3, 3}, "wt": {2, 2, 2, 2}, "b": {2}, "s": {2}, "o": {2}, "m": {2},
		"c":   {2, 1, 1},
		"one": {1}, "k": {3},
		"wide": {1, 2, 4, 4}, "g": {4, 3}, "gb": {3}, "u": {4}, "square": {4, 4}, "row": {1, 3}} {
		text.Init[name] = testkit.RandN(uint64(len(name)+shape[0]), shape...)
		text.Order = append(text.Order, name)
	}
	slices.Sort(text.Order)
	text.Init["v"] = tensor.From([]float32{0.5, 1.5}, 2)
	text.Init["lo"], text.Init["hi"] = tensor.Scalar(float32(0)), tensor.Scalar(float32(6))
	text.Init["zero"] = tensor.New(tensor.Float32, 1)
	text.Order = append(text.Order, "v", "lo", "hi", "zero")
	for _, name := range slices.Sorted(maps.Keys(numbers)) {
		text.Init[name] = tensor.Scalar(numbers[name])
		text.Order = append(text.Order, name)
	}
	for _, n := range strings.Split(e.nodes, " | ") {
		text.Nodes = append(text.Nodes, n)
		if strings.HasPrefix(n, "z =") {
			text.Out = append(text.Out, "z")
		}
	}
	m, err := engine.Load(&onnx.Model{Proto: text.Model(t)}, engine.WithThreads(1))
	if err != nil {
		t.Fatal(err)
	}
	g = m.Graph().Clone()
	keep = slices.Clone(g.Outputs)
	for _, k := range strings.Fields(e.keep) {
		keep = append(keep, g.Lookup(k))
	}
	feeds = []*tensor.Tensor{testkit.RandN(1, 3, 2, 4, 4), testkit.RandN(2, 3, 4)}
	return g, keep, feeds
}

// check applies rewrite to e and compares what is left, and what it computes.
func (e example) check(t *testing.T, rewrite func(t *testing.T, g *graph.Graph, keep []graph.Value)) {
	t.Run(e.name, func(t *testing.T) {
		g, keep, feeds := e.network(t)
		want, err := run(g, keep, feeds)
		if err != nil {
			t.Fatal(err)
		}
		rewrite(t, g, keep)
		var left []string
		for _, n := range g.Nodes {
			left = append(left, n.Op.Name)
		}
		if got := strings.Join(left, " "); got != e.want {
			t.Errorf("%s is left, want %s", got, e.want)
		}
		got, err := run(g, keep, feeds)
		if err == nil {
			err = differ(pass{}, got, want)
		}
		if err != nil {
			t.Error(err)
		}
	})
}
