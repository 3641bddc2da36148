package models

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	builders.Register("bert", Builder{[]string{"classes", "vocabulary", "context", "width", "heads", "layers", "hidden"}, bert},
		"encoder of tokens and their mask [N,T] with a classifier on the first token; default 2 classes, vocabulary 30522, context 512, width "+
			"256, 4 heads, 4 layers (BERT-Mini); the base one: width 768, 12 heads, 12 layers",
		"https://arxiv.org/abs/1810.04805")
}

// bert is the encoder of Devlin et al. 2019 in the size that Turc et al. 2019 (arXiv 1908.08962) call mini: blocks that end with their
// norms, learned positions, GELU, and a dense layer with tanh on the first token before the classifier. Tokens whose attention_mask is 0
// are seen by none. Weights are normal of deviation 0.02, biases 0; names are those of transformers. Deviation: there is one segment, so
// that the embedding of segments is part of that of positions.
func bert(o Options) (*onnx.Model, error) {
	b, err := newTransformer("bert", o, Options{Vocabulary: 30522, Context: 512})
	if err != nil {
		return nil, err
	}
	d, hidden, k := b.width, or(o.Hidden, 4*b.width), or(o.Classes, 2)
	if err := b.fits("bert", (b.vocabulary+b.context)*d+b.layers*d*(4*d+2*hidden)); err != nil {
		return nil, err
	}
	const epsilon = 1e-12
	small := b.normal(0.02)
	seen := b.node("Cast", []string{b.tokens("attention_mask")}, onnx.AttrInt("to", 9)) // 9 is bool
	number := func(v float32) string { return b.node("Constant", nil, onnx.AttrTensor("value", tensor.Scalar(v))) }
	hide := b.node("Where", []string{seen, number(0), number(-math.MaxFloat32)})
	b.mask = b.node("Unsqueeze", []string{hide, b.ints("mask.axes", 1, 2)}) // [N,1,1,T]

	x := b.named("Gather", "embeddings.word_embeddings", []string{b.param("embeddings.word_embeddings.weight", small, b.vocabulary, d), b.ids},
		onnx.AttrInt("axis", 0))
	x = b.named("Add", "embeddings.position_embeddings",
		[]string{x, b.rows(b.param("embeddings.position_embeddings.weight", small, b.context, d))})
	x = b.layerNorm(x, "embeddings.LayerNorm", epsilon)
	for i := range b.layers {
		name := fmt.Sprintf("encoder.layer.%d", i)
		proj := func(which string) string { return b.split(b.dense(x, name+".attention.self."+which, d, d, small)) }
		z := b.attend(name+".attention.self", proj("query"), proj("key"), proj("value"))
		z = b.node("Add", []string{x, b.dense(z, name+".attention.output.dense", d, d, small)})
		x = b.layerNorm(z, name+".attention.output.LayerNorm", epsilon)
		z = b.node("Gelu", []string{b.dense(x, name+".intermediate.dense", d, hidden, small)})
		z = b.node("Add", []string{x, b.dense(z, name+".output.dense", hidden, d, small)})
		x = b.layerNorm(z, name+".output.LayerNorm", epsilon)
	}
	x = b.node("Gather", []string{x, b.scalar("pooler.token", 0)}, onnx.AttrInt("axis", 1)) // [N,d]
	x = b.named("Tanh", "pooler", []string{b.dense(x, "pooler.dense", d, d, small)})
	return b.finish(b.dense(x, "classifier", d, k, small), "logits", "N", k), nil
}
