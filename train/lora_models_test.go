package train

import (
	"errors"
	"io/fs"
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

// Today's exporters' graphs, also as ONNX Runtime's optimiser leaves them, take adapters, and compute the same with them merged.
func TestLoRAExported(t *testing.T) {
	// Merged weights and adapters beside them round otherwise, and quantised values are a step apart where the two are near its edge: it is
	// the sums that are compared.
	engine.SetExact(true)
	defer engine.SetExact(false)
	dir := testkit.SharedFile(t, "data", "modern")
	for name, many := range map[string]int{"gpt2": 8, "llama": 15, "vit_hf": 14, "bert": 14, "timm_test_efficientnet": 18,
		"unet": 3, "timm_test_resnet": 16,
		"scan": 1, "lstm2": 1} {
		for _, file := range []string{"model", "ort_extended", "fp16", "int8_qdq", "int8_dynamic"} {
			t.Run(name+"/"+file, func(t *testing.T) {
				base, err := onnx.ReadFile(filepath.Join(dir, name, file+".onnx"))
				if errors.Is(err, fs.ErrNotExist) && file != "model" {
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				m := load(t, base)
				with, a, err := (LoRA{Rank: 1, Alpha: 1, Seed: 3}).Add(m)
				if err != nil {
					t.Fatal(err)
				}
				if len(a.List) != many && file == "model" {
					t.Errorf("%d adapters, want %d; left out %v", len(a.List), many, a.Skipped)
				}
				if strings.HasPrefix(file, "int8") && len(a.Quantised()) != len(a.List) {
					t.Errorf("%d of %d weights are quantised", len(a.Quantised()), len(a.List))
				}
				io, err := tensor.ReadFile(filepath.Join(dir, name, "io.npz"))
				if err != nil {
					t.Fatal(err)
				}
				feeds := map[string]*tensor.Tensor{}
				for _, in := range m.Inputs() {
					for _, x := range io {
						if x.Name == "in_"+in.Name {
							feeds[in.Name] = as(t, in.DType, x.Tensor)
						}
					}
				}
				run := func(f *onnx.Model) *tensor.Tensor {
					t.Helper()
					em := load(t, f)
					s, err := em.Session(engine.Query{})
					if err != nil {
						t.Fatal(err)
					}
					r, err := s.Run(t.Context(), feeds)
					if err != nil {
						t.Fatal(err)
					}
					return r.Value(em.Outputs()[0].Name).Clone()
				}
				before := run(base)
				trained := with.Clone()
				for i, x := range a.List {
					_, sb := x.shapes()
					b := testkit.RandN(uint64(i), sb...)
					for k := range b.F32() {
						b.F32()[k] *= 0.3
					}
					if err := trained.SetInitializer(x.B, as(t, x.dtype, b)); err != nil {
						t.Fatal(err)
					}
				}
				apart := func(x, y *tensor.Tensor) float64 {
					most, large := 0.0, 0.0
					for i, v := range y.Float64s() {
						most, large = max(most, math.Abs(x.Float64s()[i]-v)), max(large, math.Abs(v))
					}
					return most / large
				}
				after := run(trained)
				if d := apart(after, before); d < 0.01 {
					t.Errorf("the adapters change the output by %.3g only", d)
				}
				if len(a.Integers()) > 0 {
					if _, err := a.Merge(trained, true); err == nil {
						t.Error("layers of integers were made such of real numbers")
					}
					return
				}
				merged, err := a.Merge(trained, strings.HasPrefix(file, "int8"))
				if err != nil {
					t.Fatal(err)
				}
				tol := 1e-5
				switch {
				case file == "fp16":
					tol = 1e-2
				case file == "int8_qdq" && kernel.CurrentISA() == kernel.Generic:
					// The layers with adapters are computed in real numbers, those without in integers; without fused multiply-add
					// the two round a few numbers apart, and the last quantisation has 127 steps to its largest number.
					tol = 1.001 / 127
				}
				if d := apart(run(with), before); !(d <= tol) {
					t.Errorf("at the start %.3g from the model without", d)
				}
				if d := apart(run(merged), after); !(d <= tol) {
					t.Errorf("merged %.3g from beside", d)
				}
			})
		}
	}
}
