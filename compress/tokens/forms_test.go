package tokens

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"path"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// forms are the models of testdata/forms.zip by name.
func forms(t *testing.T) map[string]*onnx.Model {
	t.Helper()
	z, err := zip.OpenReader("testdata/forms.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	out := map[string]*onnx.Model{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		m, err := onnx.Read(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimSuffix(path.Base(f.Name), ".onnx")] = m
	}
	return out
}

// outputs are those of a model for random inputs, and for what else is fed.
func outputs(t *testing.T, m *onnx.Model, like *onnx.Model, more map[string]*tensor.Tensor) map[string][]float64 {
	t.Helper()
	load := func(m *onnx.Model) *engine.Model {
		e, err := engine.Load(m, engine.WithThreads(1))
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	e, l := load(m), load(like)
	defer e.Close()
	defer l.Close()
	feeds := randomInputs(l, 2, 5)
	for name, x := range more {
		feeds[name] = x
	}
	s, err := e.Session(engine.Query{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Run(context.Background(), wanted(s, feeds))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]float64{}
	for _, o := range e.Outputs() {
		out[o.Name] = r.Value(o.Name).Clone().Float64s()
	}
	return out
}

// apart is the largest difference.
func apart(a, b map[string][]float64) float64 {
	d := 0.0
	for name := range a {
		if len(a[name]) != len(b[name]) {
			return math.Inf(1)
		}
		for i := range a[name] {
			if x := math.Abs(a[name][i] - b[name][i]); !(x <= d) {
				d = x
			}
		}
	}
	return d
}

// steps is a schedule in which every layer, the first one too, leaves one token out and merges one.
func steps(v *ViT) Schedule {
	v.first = 0
	s, have := All(v.Layers, v.Tokens), v.Tokens
	for i := range s {
		s[i] = Kept{have - 1, have - 2}
		have -= 2
	}
	return v.settled(s)
}

// fewer checks that a model is rewritten: with all tokens it is what it was, with fewer what the soft model says, whose shapes stay.
func fewer(t *testing.T, m *onnx.Model, v *ViT, bound float64, soft bool) {
	t.Helper()
	want := outputs(t, m, m, nil)
	same, err := v.Rewrite(All(v.Layers, v.Tokens), ByRank, true)
	if err != nil {
		t.Fatal(err)
	}
	if d := apart(want, outputs(t, same, m, nil)); d > bound {
		t.Errorf("with all tokens outputs differ by %g", d)
	}
	s := steps(v)
	hard, err := v.Rewrite(s, ByRank, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := hard.Check(); err != nil {
		t.Error(err)
	}
	got := outputs(t, hard, m, nil)
	if d := apart(want, got); d == 0 || math.IsInf(d, 0) || math.IsNaN(d) {
		t.Errorf("with tokens %v outputs differ by %g", s, d)
	}
	pairs, err := v.Rewrite(s, ByPairs, false)
	if err != nil {
		t.Fatal(err)
	}
	if d := apart(want, outputs(t, pairs, m, nil)); d == 0 || math.IsInf(d, 0) || math.IsNaN(d) {
		t.Errorf("with pairs merged outputs differ by %g", d)
	}
	if !soft {
		return
	}
	file, err := v.Soft()
	if err != nil {
		t.Fatal(err)
	}
	masks := map[string]*tensor.Tensor{}
	v.softFeeds(s, masks)
	if d := apart(got, outputs(t, file, m, masks)); d > bound {
		t.Errorf("the soft model differs by %g from the one with fewer tokens", d)
	}
}

func TestForms(t *testing.T) {
	ms := forms(t)
	for _, c := range []struct {
		name   string
		prefix int
		rows   int
	}{
		{"chunk", 1, 1}, {"einsum", 1, 1}, {"hf", 1, 1}, {"tanh", 1, 1}, {"rawln", 1, 1}, {"ls", 1, 1}, {"distil", 2, 2}, {"reg", 5, 1},
		{"regmean", 4, 0}, {"mean", 0, 0}, {"meannorm", 1, 0}, {"meanall", 1, 0}, {"sumdiv", 1, 0}, {"aap", 0, 0}, {"clsmean", 1, 0},
		{"max", 1, 0}, {"attnpool", 0, 0}, {"post", 1, 1}, {"te_post", 1, 1}, {"te_seq", 1, 1}, {"mha", 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := ms[c.name]
			v, err := Find(m, 1)
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			if v.Tokens != 16+c.prefix || v.Prefix != c.prefix || len(v.Rows) != c.rows || v.Layers != 3 || v.Width != 12 {
				t.Errorf("%d tokens of %d numbers, %d in front, rows %v, %d layers", v.Tokens, v.Width, v.Prefix, v.Rows, v.Layers)
			}
			fewer(t, m, v, 2e-6, c.name != "max")
		})
	}
}

func TestRefused(t *testing.T) {
	for name, want := range map[string]string{
		"X_par": "side by side", "X_rel": "differ from token to token", "X_swin": "windows", "X_hidden": "a row for each token",
		"X_patch": "token 5 of 17",
	} {
		_, err := Find(forms(t)[name], 1)
		var r *RefusedError
		if !errors.As(err, &r) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want a refusal with %q", name, err, want)
		}
	}
	m, err := models.New("resnet8", models.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Find(m, 1); err == nil || !strings.Contains(err.Error(), "no attention") {
		t.Errorf("resnet8: %v", err)
	}
}

func TestSharedModels(t *testing.T) {
	for _, c := range []struct {
		name                   string
		tokens, prefix, layers int
		bound                  float64
		soft                   bool
	}{
		{"vit_hf/model", 65, 1, 2, 1e-6, true}, {"timm_test_vit/model", 17, 1, 6, 1e-6, true}, {"timm_test_vit4/model", 17, 1, 9, 1e-6, true},
		{"enc23/model", 9, 0, 2, 1e-6, true}, {"vit_hf/ort_extended", 65, 1, 2, 1e-6, true}, {"timm_test_vit/ort_extended", 17, 1, 6, 1e-6, true},
		{"vit_hf/fp16", 65, 1, 2, 2e-3, false}, {"timm_test_vit/fp16", 17, 1, 6, 2e-3, false}, {"timm_test_vit/int8_qdq", 17, 1, 6, 2e-2, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := onnx.ReadFile(testkit.SharedFile(t, "data", "modern", c.name+".onnx"))
			if err != nil {
				t.Fatal(err)
			}
			v, err := Find(m, 1)
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			if v.Tokens != c.tokens || v.Prefix != c.prefix || v.Layers != c.layers {
				t.Errorf("%d tokens, %d in front, %d layers", v.Tokens, v.Prefix, v.Layers)
			}
			fewer(t, m, v, c.bound, c.soft)
		})
	}
	for name, want := range map[string]string{"segformer": "divides", "bert": "mask", "whisper_enc": "a row for each token",
		"gpt2": "", "llama": "", "convnextv2_hf": "no attention"} {
		m, err := onnx.ReadFile(testkit.SharedFile(t, "data", "modern", name, "model.onnx"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Find(m, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want a refusal with %q", name, err, want)
		} else {
			t.Log(err)
		}
	}
}
