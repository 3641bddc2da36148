package models

import (
	"math"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// Language models have the sizes asked for, valid ONNX, and weights of the deviations that the papers give.
func TestDecoders(t *testing.T) {
	o := Options{Vocabulary: 300, Context: 40, Width: 96, Heads: 6, Layers: 3, Hidden: 128, Seed: 1}
	for name, want := range map[string]map[string]struct {
		sigma float64
		shape []int
	}{
		"gpt2": {"wte.weight": {0.02, []int{300, 96}}, "wpe.weight": {0.01, []int{40, 96}}, "h.2.attn.c_attn.weight": {0.02, []int{96, 288}},
			"h.1.attn.c_proj.weight": {0.02 / math.Sqrt(6), []int{96, 96}}, "h.0.mlp.c_proj.weight": {0.02 / math.Sqrt(6), []int{128, 96}}},
		"llama": {"embed_tokens.weight": {0.02, []int{300, 96}}, "layers.2.mlp.down_proj.weight": {0.02, []int{128, 96}},
			"lm_head.weight": {0.02, []int{96, 300}}, "rotary.cos": {0, []int{40, 16}}},
	} {
		m, err := New(name, o)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for weight, want := range want {
			x := initializer(t, m, weight)
			if !x.Shape().Equal(tensor.Shape(want.shape)) {
				t.Errorf("%s: %s is %v, want %v", name, weight, x.Shape(), want.shape)
			}
			sum := 0.0
			for _, v := range x.F32() {
				sum += float64(v) * float64(v)
			}
			if got := math.Sqrt(sum / float64(x.Len())); want.sigma > 0 && math.Abs(got/want.sigma-1) > 0.04 {
				t.Errorf("%s: %s has deviation %.4f, want %.4f", name, weight, got, want.sigma)
			}
		}
	}
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"gpt2", Options{Width: 100, Heads: 3}, "width 100 is not a multiple of 3 heads"},
		{"llama", Options{Width: 12, Heads: 4}, "heads of 3 numbers"},
		{"gpt2", Options{Classes: 10}, "takes no option classes, but vocabulary, context, width"},
		{"gpt2", Options{Vocabulary: 1 << 20, Width: 1 << 13}, "do not fit into a file of 2 GB"},
		{"llama", Options{Layers: 1 << 16, Width: 1 << 14, Hidden: 1 << 16}, "do not fit into a file of 2 GB"},
		{"gpt2", Options{Context: 1 << 17}, "option context is 131072"},
		{"digits-trained", Options{Width: 3}, "takes no option width, nor any other"},
	} {
		if _, err := New(c.name, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %+v: %v, want %q", c.name, c.o, err, c.want)
		}
	}
}

func initializer(t *testing.T, m *onnx.Model, name string) *tensor.Tensor {
	t.Helper()
	x, err := m.Tensor(m.Initializer(name))
	if err != nil {
		t.Fatal(name, err)
	}
	return x
}
