package ml_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/engine/ops/ml"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// goldenTensor is a tensor of testdata/ort.json; numbers that are not finite are strings.
type goldenTensor struct {
	Type string
	Dims []int
	Data []any
}

// goldenAttr is an attribute, of which one field is there.
type goldenAttr struct {
	I  *int64
	F  any
	S  *string
	Is []int64 `json:"is_"`
	Fs []float32
	Ss []string
	T  []json.RawMessage // type, dims, data
}

type golden struct {
	Name, Op  string
	Version   int
	Attrs     map[string]goldenAttr
	Ins, Outs []goldenTensor
}

func number(x any) float64 {
	switch x := x.(type) {
	case float64:
		return x
	case string:
		switch x {
		case "nan":
			return math.NaN()
		case "inf":
			return math.Inf(1)
		case "-inf":
			return math.Inf(-1)
		}
	}
	panic(fmt.Sprint("no number: ", x))
}

func (g goldenTensor) tensor(t *testing.T) *tensor.Tensor {
	t.Helper()
	if g.Type == "string" {
		var s []string
		for _, x := range g.Data {
			s = append(s, x.(string))
		}
		return tensor.FromStrings(s, g.Dims...)
	}
	var x []float64
	for _, v := range g.Data {
		x = append(x, number(v))
	}
	d := map[string]tensor.DType{"float32": tensor.Float32, "float64": tensor.Float64, "int64": tensor.Int64, "int32": tensor.Int32,
		"int16": tensor.Int16}[g.Type]
	y, err := tensor.From(x, g.Dims...).Convert(d)
	if err != nil || d == tensor.Undefined {
		t.Fatal(g.Type, err)
	}
	return y
}

func (a goldenAttr) value(t *testing.T) any {
	switch {
	case a.I != nil:
		return *a.I
	case a.F != nil:
		return float32(number(a.F))
	case a.S != nil:
		return *a.S
	case a.Is != nil:
		return a.Is
	case a.Fs != nil:
		return a.Fs
	case a.Ss != nil:
		return a.Ss
	}
	var g goldenTensor
	for i, to := range []any{&g.Type, &g.Dims, &g.Data} {
		if err := json.Unmarshal(a.T[i], to); err != nil {
			t.Fatal(err)
		}
	}
	return g.tensor(t)
}

func goldens(t *testing.T) []golden {
	b, err := os.ReadFile("testdata/ort.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []golden
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// node makes a graph of one node of the operator, in the version of that operator set, whose inputs have the types of ins.
func node(op string, version int, attrs graph.Attrs, outs int, ins ...*tensor.Tensor) (*graph.Graph, *graph.Node, error) {
	spec, _ := ops.Standard.Find(ml.Domain, op, version)
	if spec == nil {
		return nil, nil, fmt.Errorf("no operator %s in version %d", op, version)
	}
	a, err := spec.DecodeAttrs(attrs)
	if err != nil {
		return nil, nil, err
	}
	g := graph.New("test")
	var in []graph.Value
	for i, x := range ins {
		in = append(in, g.AddInput(fmt.Sprint("x", i), x.DType(), nil))
	}
	b := graph.NewBuilder(g)
	n := b.AddNode("node", spec, a, in, slices.Repeat([]bool{true}, outs))
	if b.Err() != nil {
		return nil, nil, b.Err()
	}
	g.Outputs = n.Out
	return g, n, nil
}

// compute runs g, with a pool of that many threads.
func compute(g *graph.Graph, threads int, fetch []graph.Value, ins ...*tensor.Tensor) ([]*tensor.Tensor, error) {
	pool := parallel.New(threads)
	defer pool.Close()
	p, err := exec.Compile(g, fetch, pool)
	if err != nil {
		return nil, err
	}
	out, err := p.Run(context.Background(), ins)
	var copies []*tensor.Tensor
	for _, y := range out {
		copies = append(copies, y.Clone())
	}
	return copies, err
}

// TestGoldens compares every operator with ONNX Runtime 1.30 (testdata/gen/ort.py): trees to the bit, the rest to 1e-5, with one thread
// and two, and what an operator is lowered to with what it computes.
func TestGoldens(t *testing.T) {
	seen := map[*graph.Spec]int{}
	for _, c := range goldens(t) {
		t.Run(c.Name, func(t *testing.T) {
			attrs := graph.Attrs{}
			for k, a := range c.Attrs {
				attrs[k] = a.value(t)
			}
			var ins []*tensor.Tensor
			for _, x := range c.Ins {
				ins = append(ins, x.tensor(t))
			}
			g, n, err := node(c.Op, c.Version, attrs, len(c.Outs), ins...)
			if err != nil {
				t.Fatal(err)
			}
			seen[n.Op]++
			tol := 1e-5
			if post := attrs["post_transform"]; n.Op == ml.TreeEnsembleRegressor && (post == nil || post == "NONE") {
				tol = 0
			}
			for _, threads := range []int{1, 2} {
				out, err := compute(g, threads, n.Out, ins...)
				if err != nil {
					t.Fatal(err)
				}
				for i, y := range out {
					if want := c.Outs[i].tensor(t); !same(y, want, tol) {
						t.Errorf("%d threads, output %d is\n%v, ONNX Runtime has\n%v", threads, i, shown(y), shown(want))
					}
				}
			}
			if n.Op.HasLower() {
				low := g.Clone()
				low.Nodes = nil
				b := graph.NewBuilder(low)
				outs, err := n.Op.Lower(b, n)
				if err == nil {
					err = b.Err()
				}
				if slices.Contains([]string{"impute/int64", "svr/one class"}, c.Name) {
					if err == nil {
						t.Error("lowered, though it has no gradient")
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				low.Outputs = outs
				out, err := compute(low, 1, outs, ins...)
				if err != nil {
					t.Fatal(err)
				}
				for i, y := range out {
					if want := c.Outs[i].tensor(t); !same(y, want, 2e-5) {
						t.Errorf("lowered, output %d is\n%v, want\n%v", i, shown(y), shown(want))
					}
				}
			}
		})
	}
	for _, s := range ops.Standard.All() {
		without := slices.Contains([]string{"CastMap", "DictVectorizer", "TreeEnsemble", "ZipMap"}, s.Name) // not in that runtime's reach
		if s.Domain == ml.Domain && seen[s] == 0 && !without {
			t.Errorf("no golden of %s (since %v)", s.Name, s.Since)
		}
	}
}

// same reports that two tensors agree, to tol of their size; NaN equals NaN.
func same(y, want *tensor.Tensor, tol float64) bool {
	if y.DType() != want.DType() || !y.Shape().Equal(want.Shape()) {
		return false
	}
	if y.DType() == tensor.String {
		return slices.Equal(y.Strings(), want.Strings())
	}
	return slices.EqualFunc(y.Float64s(), want.Float64s(), func(a, b float64) bool {
		return a == b || a != a && b != b || math.Abs(a-b) <= tol*max(1, math.Abs(b))
	})
}

func shown(y *tensor.Tensor) string {
	if y.DType() == tensor.String {
		return fmt.Sprint(y, y.Strings())
	}
	return fmt.Sprint(y, y.Float64s())
}
