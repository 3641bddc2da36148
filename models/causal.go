package models

import (
	"math"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// decoder is a causal language model under construction: tokens [N,T] in, scores [N,T,V] of the token behind each out. A position sees
// those before it and itself.
type decoder struct{ *transformer }

// newDecoder is a decoder with the sizes asked for, by default one of bytes that a processor trains in minutes.
func newDecoder(name string, o Options) (*decoder, error) {
	t, err := newTransformer(name, o, Options{Vocabulary: 256, Context: 256})
	if err != nil {
		return nil, err
	}
	square := t.node("ConstantOfShape", []string{t.node("Concat", []string{t.length, t.length}, onnx.AttrInt("axis", 0))},
		onnx.AttrTensor("value", tensor.From([]float32{-math.MaxFloat32}, 1)))
	t.mask = t.node("Trilu", []string{square, t.scalar("mask.diagonal", 1)}, onnx.AttrInt("upper", 1))
	return &decoder{t}, nil
}

// scores names the output.
func (d *decoder) scores(x string) *onnx.Model { return d.finish(x, "logits", "N", "T", d.vocabulary) }
