package models

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/onnx"
)

func init() {
	builders.Register("llama", Builder{[]string{"vocabulary", "context", "width", "heads", "layers", "hidden"}, llama},
		"causal language model on tokens [N,T] with rotary positions, RMS norms and gated layers; default bytes (256), context 256, width 256, "+
			"4 heads, 4 layers",
		"https://arxiv.org/abs/2302.13971")
}

// llama is the language model of Touvron et al. 2023: RMS norms before each branch, rotary positions (Su et al. 2021, base 10000, the
// halves of a head turned against each other as in transformers), SwiGLU of width 8/3 rounded up to a multiple of 64, no biases, a matrix
// of its own for the scores. Weights are normal of deviation 0.02. Matrices are [in,out]; names are those of transformers.
func llama(o Options) (*onnx.Model, error) {
	b, err := newDecoder("llama", o)
	if err != nil {
		return nil, err
	}
	d, hidden := b.width, or(o.Hidden, (8*b.width/3+63)/64*64)
	head := d / b.heads
	if head%2 != 0 {
		return nil, fmt.Errorf("models: llama: width %d and %d heads make heads of %d numbers; rotary positions turn them in pairs", d, b.heads,
			head)
	}
	if err := b.fits("llama", 2*b.vocabulary*d+2*b.context*head+b.layers*d*(4*d+3*hidden)); err != nil {
		return nil, err
	}
	small := b.normal(0.02)
	two, last := b.param("rms.power", constant(2)), b.ints("rms.axis", -1)
	epsilon := b.param("rms.epsilon", constant(1e-5))
	norm := func(x, name string) string {
		mean := b.node("ReduceMean", []string{b.node("Pow", []string{x, two}), last})
		root := b.node("Sqrt", []string{b.node("Add", []string{mean, epsilon})})
		return b.named("Mul", name, []string{b.node("Div", []string{x, root}), b.param(name+".weight", constant(1), d)})
	}
	cos, sin := b.rows(b.angles("rotary.cos", head, math.Cos)), b.rows(b.angles("rotary.sin", head, math.Sin))
	rotate := func(x, name string) string {
		halves := []string{name + ".first", name + ".second"}
		b.g.Node = append(b.g.Node, onnx.NewNode("Split", name+".halves", []string{x}, halves, onnx.AttrInt("axis", -1),
			onnx.AttrInt("num_outputs", 2)))
		turned := b.node("Concat", []string{b.node("Neg", halves[1:]), halves[0]}, onnx.AttrInt("axis", -1))
		return b.named("Add", name+".rotary", []string{b.node("Mul", []string{x, cos}), b.node("Mul", []string{turned, sin})})
	}
	x := b.named("Gather", "embed_tokens", []string{b.param("embed_tokens.weight", small, b.vocabulary, d), b.ids}, onnx.AttrInt("axis", 0))
	for i := range b.layers {
		name := fmt.Sprintf("layers.%d", i)
		y := norm(x, name+".input_layernorm")
		project := func(which string) string { return b.split(b.product(y, name+".self_attn."+which, d, d, small)) }
		q, k, v := rotate(project("q_proj"), name+".self_attn.q"), rotate(project("k_proj"), name+".self_attn.k"), project("v_proj")
		z := b.attend(name+".self_attn", q, k, v)
		x = b.named("Add", name+".add1", []string{x, b.product(z, name+".self_attn.o_proj", d, d, small)})
		y = norm(x, name+".post_attention_layernorm")
		gate := b.product(y, name+".mlp.gate_proj", d, hidden, small)
		gate = b.node("Mul", []string{gate, b.node("Sigmoid", []string{gate})})
		z = b.node("Mul", []string{gate, b.product(y, name+".mlp.up_proj", d, hidden, small)})
		x = b.named("Add", name+".add2", []string{x, b.product(z, name+".mlp.down_proj", hidden, d, small)})
	}
	return b.scores(b.product(norm(x, "norm"), "lm_head", d, b.vocabulary, small)), nil
}

// angles is a table of f of the angles by which each position of the context turns each pair of a head, for both halves.
func (d *decoder) angles(name string, head int, f func(float64) float64) string {
	i := 0
	return d.param(name, func() float32 {
		position, pair := i/head, i%head%(head/2)
		i++
		return float32(f(float64(position) * math.Pow(10000, -2*float64(pair)/float64(head))))
	}, d.context, head)
}
