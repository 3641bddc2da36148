package rewrite_test

import (
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/engine/rewrite"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestRecompute computes the gradient of a chain of normalisations and dense layers in less memory, to the same bits.
func TestRecompute(t *testing.T) {
	g := graph.New("chain")
	b := graph.NewBuilder(g)
	x := g.AddInput("x", tensor.Float32, nil)
	y := x
	var weights []graph.Value
	for i := range 6 {
		scale, w1, w2 := g.AddParam("scale", testkit.RandN(uint64(i), 8)), g.AddParam("w1", testkit.RandN(uint64(i+10), 8, 8)),
			g.AddParam("w2", testkit.RandN(uint64(i+20), 8, 8))
		weights = append(weights, scale, w1, w2)
		h := b.Add(ops.Transpose, ops.Perm(1, 0, 2), b.Add(ops.LayerNormalization, ops.LayerNorm(-1, 1e-5), y, scale))
		h = b.Add(ops.MatMul, nil, b.Add(ops.Gelu, nil, b.Add(ops.MatMul, nil, h, w1)), w2)
		y = b.Add(ops.Add, nil, y, b.Add(ops.Transpose, ops.Perm(1, 0, 2), h))
	}
	loss := b.Add(ops.ReduceSum, ops.KeepDims(false), b.Add(ops.Mul, nil, y, y))
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	ds, err := grad.Reverse(g, []grad.Seed{grad.Ones(g, loss)}, weights, grad.Options{})
	if err != nil {
		t.Fatal(err)
	}
	fetch := append(slices.Clone(ds), loss)
	rewrite.Dead(g, fetch)
	again := g.Clone()
	rewrite.Recompute(again, fetch)
	if n := len(again.Nodes) - len(g.Nodes); n != 6*2 {
		t.Errorf("%d nodes are computed again, want a normalisation and its transposition of each of 6 layers", n)
	}
	var arenas []int
	var outs [][]*tensor.Tensor
	for _, g := range []*graph.Graph{g, again} {
		p, err := exec.Compile(g, fetch, nil)
		if err != nil {
			t.Fatal(err)
		}
		out, err := p.Run(t.Context(), []*tensor.Tensor{testkit.RandN(5, 4, 16, 8)})
		if err != nil {
			t.Fatal(err)
		}
		arenas, outs = append(arenas, p.ArenaBytes()), append(outs, out)
	}
	if err := differ(pass{exact: true}, outs[1], outs[0]); err != nil {
		t.Error(err)
	}
	if arenas[1]*10 > arenas[0]*9 {
		t.Errorf("takes %d bytes, and %d where nothing is computed again", arenas[1], arenas[0])
	}
	kept := g.Clone()
	var all []graph.Value
	for _, n := range kept.Nodes {
		all = append(all, n.Out...)
	}
	rewrite.Recompute(kept, all)
	if len(kept.Nodes) != len(g.Nodes) {
		t.Error("what is kept is computed again")
	}
}
