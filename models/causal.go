package models

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// decoder is a causal language model under construction: tokens [N,T] in, scores [N,T,V] of the token behind each out. T may be any
// number up to the context; a position sees those before it and itself.
type decoder struct {
	*net
	vocabulary, context, width, heads, layers int

	ids    string // int64 [N,T]
	length string // int64 [1]: T
	mask   string // [T,T]: 0 where a position sees another, else the least number
}

// newDecoder is a decoder with the sizes asked for, by default one of bytes that a processor trains in minutes.
func newDecoder(name string, o Options) (*decoder, error) {
	d := &decoder{vocabulary: or(o.Vocabulary, 256), context: or(o.Context, 256), width: or(o.Width, 256), heads: or(o.Heads, 4),
		layers: or(o.Layers, 4)}
	if d.width%d.heads != 0 {
		return nil, fmt.Errorf("models: %s: width %d is not a multiple of %d heads", name, d.width, d.heads)
	}
	d.net = newNet(name, 20, o.Seed)
	d.ids = d.tokens("input_ids")
	d.length = d.node("Shape", []string{d.ids}, onnx.AttrInt("start", 1), onnx.AttrInt("end", 2))
	square := d.node("ConstantOfShape", []string{d.node("Concat", []string{d.length, d.length}, onnx.AttrInt("axis", 0))},
		onnx.AttrTensor("value", tensor.From([]float32{-math.MaxFloat32}, 1)))
	d.mask = d.node("Trilu", []string{square, d.scalar("mask.diagonal", 1)}, onnx.AttrInt("upper", 1))
	d.ints("heads.split", 0, 0, int64(d.heads), int64(d.width/d.heads))
	d.ints("heads.merge", 0, 0, int64(d.width))
	d.param("attention.scale", constant(float32(1/math.Sqrt(float64(d.width/d.heads)))))
	d.ints("first", 0)
	return d, nil
}

// fits refuses what one file of ONNX cannot hold: n weights of 4 bytes.
func (d *decoder) fits(name string, n int) error {
	if n > 500_000_000 {
		return fmt.Errorf("models: %s: %d million weights do not fit into a file of 2 GB; take a smaller width, vocabulary or fewer layers", name,
			n/1_000_000)
	}
	return nil
}

// rows is the first T rows of a table with one row for each position of the context.
func (d *decoder) rows(table string) string {
	return d.node("Slice", []string{table, "first", d.length, "first"})
}

// split makes [N,heads,T,width/heads] of x [N,T,width].
func (d *decoder) split(x string) string {
	return d.node("Transpose", []string{d.node("Reshape", []string{x, "heads.split"})}, onnx.AttrInts("perm", 0, 2, 1, 3))
}

// attend is causal attention of queries, keys and values [N,heads,T,width/heads] (Vaswani et al. 2017, section 3.2), as [N,T,width].
func (d *decoder) attend(name, q, k, v string) string {
	scores := d.node("MatMul", []string{d.node("Mul", []string{q, "attention.scale"}),
		d.node("Transpose", []string{k}, onnx.AttrInts("perm", 0, 1, 3, 2))})
	p := d.named("Softmax", name+".softmax", []string{d.node("Add", []string{scores, d.mask})}, onnx.AttrInt("axis", -1))
	z := d.node("Transpose", []string{d.node("MatMul", []string{p, v})}, onnx.AttrInts("perm", 0, 2, 1, 3))
	return d.node("Reshape", []string{z, "heads.merge"})
}

// scores names the output.
func (d *decoder) scores(x string) *onnx.Model { return d.finish(x, "logits", "N", "T", d.vocabulary) }
