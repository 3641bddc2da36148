package convert_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/convert"
	"github.com/gtk-onnx/gtk/tensor"
)

// outputs runs a model on recorded inputs, or random ones of its own sizes.
func outputs(m *onnx.Model, seed uint64, recorded map[string]*tensor.Tensor) ([]*tensor.Tensor, error) {
	em, err := engine.Load(m, engine.WithThreads(1))
	if err != nil {
		return nil, err
	}
	defer em.Close()
	s, err := em.Session(engine.Query{})
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(seed, 1))
	feeds := map[string]*tensor.Tensor{}
	for i, shape := range em.Sizes(2) {
		in := em.Inputs()[i]
		v := make([]float64, tensor.Shape(shape).Len())
		for j := range v {
			if v[j] = r.NormFloat64(); !in.DType.IsFloat() {
				v[j] = float64(r.IntN(2))
			}
		}
		if feeds[in.Name] = recorded[in.Name]; feeds[in.Name] != nil {
			continue
		}
		if feeds[in.Name], err = tensor.From(v, shape...).Convert(in.DType); err != nil {
			return nil, err
		}
	}
	res, err := s.Run(exec.MadeUp(context.Background()), feeds)
	if err != nil {
		return nil, err
	}
	var out []*tensor.Tensor
	for _, o := range em.Outputs() {
		out = append(out, res.Value(o.Name).Clone())
	}
	return out, nil
}

// same fails where two models of the same inputs give different outputs.
func same(a, b *onnx.Model, recorded map[string]*tensor.Tensor, rtol, atol float64) error {
	want, err := outputs(a, 7, recorded)
	if err != nil {
		return fmt.Errorf("before: %w", err)
	}
	got, err := outputs(b, 7, recorded)
	if err != nil {
		return fmt.Errorf("converted: %w", err)
	}
	for i := range want {
		if ok, rep := tensor.AllClose(got[i], want[i], rtol, atol); !ok {
			return fmt.Errorf("output %d: %v", i, rep)
		}
	}
	return nil
}

// TestSharedModels converts the models of the shared folder, up and down: the results are the same, or it is refused for the reason that
// stands here.
func TestSharedModels(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	refused := map[string]string{
		"timm_test_vit4/model 13": "antialias", "timm_test_vit4/model 17": "antialias",
	} // "model opset": part of the reason
	var files []string
	for _, pattern := range []string{"models/*.onnx", "modern/*/*.onnx"} {
		f, _ := filepath.Glob(filepath.Join(testkit.Shared(t), "data", pattern))
		files = append(files, f...)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".onnx")
		if strings.Contains(f, "modern") {
			name = filepath.Base(filepath.Dir(f)) + "/" + name
		}
		m, err := onnx.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		recorded := inputsOf(t, f, m)
		atol := 1e-6
		if strings.Contains(name, "fp16") {
			atol = 5e-4 // one rounding of a number near one to the file's own precision more or less
		}
		for _, to := range []int64{13, 17, 21} {
			t.Run(fmt.Sprintf("%s/%d", name, to), func(t *testing.T) {
				out, _, err := convert.To(m, to, convert.Options{})
				if err != nil {
					if why := refused[fmt.Sprintf("%s %d", name, to)]; why == "" || !strings.Contains(err.Error(), why) {
						t.Error(err)
					}
					return
				}
				if err := out.Check(); err != nil {
					t.Fatal(err)
				}
				if out.Opset("") != to {
					t.Errorf("operator set %d", out.Opset(""))
				}
				err = same(m, out, recorded, 1e-5, atol)
				if _, missing := errors.AsType[*engine.UnsupportedError](err); missing && strings.HasPrefix(err.Error(), "before") {
					t.Skip(err)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// inputsOf are the recorded inputs beside a model, nil if there are none.
func inputsOf(t *testing.T, path string, m *onnx.Model) map[string]*tensor.Tensor {
	in := map[string]*tensor.Tensor{}
	if b, err := os.ReadFile(filepath.Join(filepath.Dir(path), "io.npz")); err == nil {
		z, err := tensor.ReadNPZ(bytes.NewReader(b), int64(len(b)), tensor.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range z {
			if name, ok := strings.CutPrefix(n.Name, "in_"); ok {
				in[name] = n.Tensor
			}
		}
		return in
	}
	name := strings.TrimSuffix(filepath.Base(path), ".onnx")
	for k, v := range m.Inputs() {
		files, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "golden", name, "*", fmt.Sprintf("input_%d.pb", k)))
		if len(files) > 0 {
			_, x, err := onnx.ReadTensorFile(files[0])
			if err != nil {
				t.Fatal(err)
			}
			in[v.GetName()] = x
		}
	}
	return in
}
