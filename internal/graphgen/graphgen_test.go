package graphgen

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/internal/naive"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestPrograms runs programs of every kind on the engine and on the oracle: they must be legal, of the shapes that the generator believes,
// finite, the same for the same seed, and use every operator that it has steps for.
func TestPrograms(t *testing.T) {
	used := map[string]bool{}
	for _, c := range []struct {
		name string
		o    Options
	}{
		{"plain", Options{}},
		{"smooth", Options{Smooth: true, Apart: true}},
		{"bodies", Options{Bodies: 2}},
		{"dynamic", Options{Dynamic: true}},
		{"memory", Options{Memory: true}},
		{"all", Options{Bodies: 1, Dynamic: true, Nodes: 40}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(16) {
				p := New(rand.New(rand.NewPCG(seed, 1)), c.o)
				for _, op := range Operators(p.G) {
					used[op] = true
				}
				if again := New(rand.New(rand.NewPCG(seed, 1)), c.o); !slices.Equal(Operators(p.G), Operators(again.G)) ||
					p.G.NumValues() != again.G.NumValues() {
					t.Fatalf("seed %d: another program", seed)
				}
				feeds := p.Feeds(rand.New(rand.NewPCG(seed, 2)), 2+int(seed%3))
				prog, err := exec.Compile(p.G, p.G.Outputs, nil)
				if err != nil {
					t.Fatal(err)
				}
				got, err := prog.Run(t.Context(), feeds)
				if err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				want, err := naive.Run(p.G, p.Named(feeds))
				if err != nil {
					t.Fatalf("seed %d: the oracle: %v", seed, err)
				}
				for i, v := range p.G.Outputs {
					w := want[p.G.Info(v).Name]
					g, err := got[i].Convert(tensor.Float64)
					if err != nil {
						t.Fatal(err)
					}
					if ok, rep := tensor.AllClose(g, w, 1e-3, 1e-4); !ok {
						t.Errorf("seed %d: output %d: %v", seed, i, rep)
					}
					for _, x := range got[i].F32() {
						if math.IsNaN(float64(x)) || math.Abs(float64(x)) > 1e6 {
							t.Fatalf("seed %d: output %d has %v", seed, i, x)
						}
					}
				}
			}
		})
	}
	for _, op := range []string{"Conv", "BatchNormalization", "MaxPool", "Gemm", "MatMul", "If", "Loop", "Split", "Concat", "Reshape",
		"Flatten", "Squeeze",
		"Transpose", "Slice", "Softmax", "LayerNormalization", "Where", "ReduceL2", "Relu", "Max", "LSTM", "GRU"} {
		if !used[op] {
			t.Errorf("no program has %s", op)
		}
	}
}
