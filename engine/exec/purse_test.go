package exec

import (
	"context"
	"math"
	"testing"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/memory"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestLimit asks how much memory runs on inputs of several sizes may have.
func TestLimit(t *testing.T) {
	limit := func(d tensor.DType, n, given int, made bool) int {
		g := graph.New("g")
		g.Given = given
		x := g.AddInput("x", d, nil)
		b := graph.NewBuilder(g)
		p, err := Compile(g, []graph.Value{b.Add(ops.Identity, ops.Identity.NewAttrs(), x)}, parallel.New(1))
		if err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		if made {
			ctx = MadeUp(ctx)
		}
		return p.limit(ctx, []tensor.Shape{{n}})
	}
	small := limit(tensor.Float32, 1, 1, false)
	if small < MinRunBytes || small > MinRunBytes+1<<20 {
		t.Errorf("for nothing: %d", small)
	}
	if n := limit(tensor.Float32, 1, 5<<20, false); n < MinRunBytes+20<<20 || n > 400<<20 {
		t.Errorf("for 5 MiB of weights: %d MiB", n>>20)
	}
	if n := limit(tensor.Float32, 3*224*224, 1, false); n < 500<<20 || n > 1<<30 {
		t.Errorf("for a picture: %d MiB", n>>20)
	}
	if n := limit(tensor.Int64, 2048, 1, false); n < MinRunBytes+100<<20 {
		t.Errorf("for 2048 indices: %d MiB", n>>20)
	}
	if n := limit(tensor.Float32, min(1<<40, math.MaxInt>>23), 1, false); n != MaxValueBytes {
		t.Errorf("for more than there is: %d MiB", n>>20)
	}
	if n := limit(tensor.Float32, 1<<24, 1, true); n > 1<<30 {
		t.Errorf("for what was made up: %d MiB", n>>20)
	}
	memory.SetBudget(123 << 20)
	defer memory.SetBudget(0)
	if n := limit(tensor.Float32, 1<<24, 1, true); n != 123<<20 {
		t.Errorf("as the user set it: %d", n)
	}
}
