package models

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/onnx"
)

func init() {
	builders.Register("gpt2", Builder{[]string{"vocabulary", "context", "width", "heads", "layers", "hidden"}, gpt2},
		"causal language model on tokens [N,T]; default bytes (256), context 256, width 256, 4 heads, 4 layers; the paper's small one: "+
			"vocabulary 50257, context 1024, width 768, 12 heads, 12 layers",
		"https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf")
}

// gpt2 is the language model of Radford et al. 2019: blocks that begin with their norm, learned positions, and one matrix for the
// embedding and the scores. Weights are normal of deviation 0.02, those that end a residual branch divided by the root of the number of
// branches (section 2.3), positions 0.01 as in the authors' code. Matrices are [in,out]; names are those of transformers.
func gpt2(o Options) (*onnx.Model, error) {
	b, err := newDecoder("gpt2", o)
	if err != nil {
		return nil, err
	}
	d, hidden := b.width, or(o.Hidden, 4*b.width)
	if err := b.fits("gpt2", (b.vocabulary+b.context)*d+b.layers*d*(4*d+2*hidden)); err != nil {
		return nil, err
	}
	small, last := b.normal(0.02), b.normal(0.02/math.Sqrt(float64(2*b.layers)))
	norm := func(x, name string) string { return b.layerNorm(x, name, 1e-5) }
	embedding := b.param("wte.weight", small, b.vocabulary, d)
	x := b.named("Gather", "wte", []string{embedding, b.ids}, onnx.AttrInt("axis", 0))
	x = b.named("Add", "wpe", []string{x, b.rows(b.param("wpe.weight", b.normal(0.01), b.context, d))})
	for i := range b.layers {
		name := fmt.Sprintf("h.%d", i)
		qkv := b.dense(norm(x, name+".ln_1"), name+".attn.c_attn", d, 3*d, small)
		parts := []string{name + ".attn.q", name + ".attn.k", name + ".attn.v"}
		b.g.Node = append(b.g.Node, onnx.NewNode("Split", name+".attn.split", []string{qkv}, parts, onnx.AttrInt("axis", -1),
			onnx.AttrInt("num_outputs", 3)))
		z := b.attend(name+".attn", b.split(parts[0]), b.split(parts[1]), b.split(parts[2]))
		x = b.named("Add", name+".add1", []string{x, b.dense(z, name+".attn.c_proj", d, d, last)})
		z = b.dense(norm(x, name+".ln_2"), name+".mlp.c_fc", d, hidden, small)
		z = b.named("Gelu", name+".mlp.act", []string{z}, onnx.AttrString("approximate", "tanh"))
		x = b.named("Add", name+".add2", []string{x, b.dense(z, name+".mlp.c_proj", hidden, d, last)})
	}
	head := b.node("Transpose", []string{embedding}, onnx.AttrInts("perm", 1, 0))
	return b.scores(b.named("MatMul", "lm_head", []string{norm(x, "ln_f"), head})), nil
}
