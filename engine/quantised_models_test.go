package engine_test

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestQuantisedByONNXRuntime: the graphs of today's exporters that ONNX Runtime's tools quantised give its outputs.
func TestQuantisedByONNXRuntime(t *testing.T) {
	var files []string
	for _, kind := range []string{"int8_*.onnx", "fp16.onnx"} {
		found, err := filepath.Glob(filepath.Join(testkit.SharedFile(t, "data", "modern"), "*", kind))
		if err != nil || len(found) == 0 {
			t.Fatalf("no models %s: %v", kind, err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		dir, base := filepath.Dir(file), strings.TrimSuffix(filepath.Base(file), ".onnx")
		t.Run(filepath.Base(dir)+"/"+base, func(t *testing.T) {
			named := func(name string) map[string]*tensor.Tensor {
				ts, err := tensor.ReadFile(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				m := map[string]*tensor.Tensor{}
				for _, x := range ts {
					m[x.Name] = x.Tensor
				}
				return m
			}
			io, want := named("io.npz"), named(base+".npz")
			read, err := onnx.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			m, err := engine.Load(read)
			if err != nil {
				t.Fatal(err)
			}
			s, err := m.Session(engine.Query{})
			if err != nil {
				t.Fatal(err)
			}
			feeds := map[string]*tensor.Tensor{}
			for _, in := range m.Inputs() {
				feeds[in.Name] = io["in_"+in.Name]
			}
			r, err := s.Run(t.Context(), feeds)
			if err != nil {
				t.Fatal(err)
			}
			for i, out := range m.Outputs() {
				y := want[fmt.Sprintf("out_%d", i)]
				tol := 2e-5 + lastStep(t, read, out.Name)
				if base == "fp16" && kernel.CurrentISA() == kernel.Generic {
					// Sums in another order than ONNX Runtime's and the assembly's: a number between two of half precision falls to the other.
					for _, v := range y.Float64s() {
						tol = max(tol, math.Abs(v)/(1<<11))
					}
				}
				if ok, report := tensor.AllClose(r.Value(out.Name), y, 0, tol); !ok {
					t.Errorf("%s: %v", out.Name, report)
				}
			}
		})
	}
}

// lastStep is the scale of the DequantizeLinear that makes the output, 0 when another operator does.
func lastStep(t *testing.T, m *onnx.Model, output string) float64 {
	for _, n := range m.Proto.GetGraph().GetNode() {
		if n.GetOutput()[0] != output || n.GetOpType() != "DequantizeLinear" {
			continue
		}
		for _, p := range m.Proto.GetGraph().GetInitializer() {
			if p.GetName() == n.GetInput()[1] {
				s, err := m.Tensor(p)
				if err != nil {
					t.Fatal(err)
				}
				return s.Float64s()[0]
			}
		}
	}
	return 0
}
