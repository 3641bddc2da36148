//go:build invariants

package exec

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestInvariants breaks each rule that a watched run checks: the error says which, and names the node.
func TestInvariants(t *testing.T) {
	feed := func() *tensor.Tensor { return tensor.From([]float32{1, 2, 3, 4}, 4) }
	for _, c := range []struct {
		name string
		run  func(c *graph.RunCtx) error
		want string
	}{
		{"overwrites its input", func(c *graph.RunCtx) error { c.In[0].F32()[1] = 9; return nil },
			`node "bad" (test.Bad) with inputs float32[4], float32[4], float32[4]: invariant: the node changed byte `},
		{"overwrites what it was fed", func(c *graph.RunCtx) error { c.In[1].F32()[0] = 9; return nil },
			`invariant: the run changed its input "x"`},
		{"overwrites a constant", func(c *graph.RunCtx) error { c.In[2].F32()[0]++; return nil },
			`invariant: the run changed a constant or parameter`},
		{"nothing", func(c *graph.RunCtx) error { return nil }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			type none struct{}
			bad := graph.Def[none]{Domain: "test", Name: "Bad", Since: []int{1}, In: []graph.Formal{{Name: "A"}, {Name: "B"}, {Name: "C"}},
				Out:   []graph.Formal{{Name: "Y"}},
				Infer: func(_ *none, c *graph.InferCtx) error { return sameShape(c) },
				Run:   func(_ *none, rc *graph.RunCtx) error { clear(rc.Out[0].F32()); return c.run(rc) },
			}.Spec()
			g := graph.New("")
			b := graph.NewBuilder(g)
			x := g.AddInput("x", tensor.Float32, nil)
			y := b.Add(ops.Neg, nil, x)
			z := named(b, "bad", bad, y, x, b.Const(feed()))
			prog := compile(t, g, []graph.Value{z, y})
			_, err := prog.Run(context.Background(), []*tensor.Tensor{feed()})
			switch {
			case c.name == "overwrites its input" && err != nil && !strings.Contains(err.Error(), `where "Neg" is`):
				t.Errorf("the error %v does not say whose memory that is", err)
			case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// TestPoison reads memory that nothing was written to: what comes out are NaN, in the first run and after it.
func TestPoison(t *testing.T) {
	unset := made("Unset", sameShape, noRun)
	partly := made("Partly", sameShape, func(c *graph.RunCtx) error { copy(c.Out[0].F32()[1:], c.In[0].F32()[1:]); return nil })
	works := made("Works", func(c *graph.InferCtx) error { c.ScratchF32(4); return sameShape(c) },
		func(c *graph.RunCtx) error {
			copy(c.Out[0].F32(), c.ScratchF32())
			copy(c.ScratchF32(), c.In[0].F32())
			return nil
		})
	for _, op := range []*graph.Spec{unset, partly, works} {
		g := graph.New("")
		b := graph.NewBuilder(g)
		x := g.AddInput("x", tensor.Float32, nil)
		prog := compile(t, g, []graph.Value{named(b, "odd", op, b.Add(ops.Neg, nil, x))})
		for run := range 2 {
			out := runs(t, prog, []*tensor.Tensor{tensor.From([]float32{1, 2, 3, 4}, 4)})
			if v := out[0].F32()[0]; !math.IsNaN(float64(v)) {
				t.Errorf("%s, run %d: memory that nothing was written to is %v, want NaN", op.Name, run, v)
			}
		}
	}
}

// TestPoisonOfTheDead keeps the tensor of a value beyond the step that needs it last.
func TestPoisonOfTheDead(t *testing.T) {
	var kept *tensor.Tensor
	keep := made("Keep", sameShape, func(c *graph.RunCtx) error { kept = c.In[0]; copy(c.Out[0].F32(), c.In[0].F32()); return nil })
	late := made("Late", sameShape, func(c *graph.RunCtx) error { copy(c.Out[0].F32(), kept.F32()); return nil })
	g := graph.New("")
	b := graph.NewBuilder(g)
	x := g.AddInput("x", tensor.Float32, nil)
	y := named(b, "keep", keep, b.Add(ops.Neg, nil, x))
	prog := compile(t, g, []graph.Value{y, named(b, "late", late, y)})
	if out := runs(t, prog, []*tensor.Tensor{tensor.From([]float32{1, 2}, 2)}); !math.IsNaN(float64(out[1].F32()[0])) {
		t.Errorf("a value that is not needed any more is %v, want NaN", out[1].F32()[0])
	}
}

// TestOwnResultsFed feeds a program what it gave back, which lies where the run writes.
func TestOwnResultsFed(t *testing.T) {
	g := graph.New("")
	b := graph.NewBuilder(g)
	prog := compile(t, g, []graph.Value{b.Add(ops.Neg, nil, g.AddInput("x", tensor.Float32, nil))})
	out, err := prog.Run(context.Background(), []*tensor.Tensor{tensor.From([]float32{1, 2}, 2)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := prog.Run(context.Background(), out); err == nil ||
		!strings.Contains(err.Error(), `input "x" lies in the arena of the run`) {
		t.Errorf("error %v", err)
	}
}
