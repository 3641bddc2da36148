package models

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/onnx"
)

// transformer is a network on tokens [N,T] under construction. T may be any number up to the context.
type transformer struct {
	*net
	vocabulary, context, width, heads, layers int

	ids    string // int64 [N,T]
	length string // int64 [1]: T
	mask   string // for [N,heads,T,T]: 0 where a position sees another, else the least number
}

// newTransformer has the sizes asked for, by default those of size, but for the mask.
func newTransformer(name string, o, size Options) (*transformer, error) {
	d := &transformer{vocabulary: or(o.Vocabulary, size.Vocabulary), context: or(o.Context, size.Context), width: or(o.Width, 256),
		heads: or(o.Heads, 4), layers: or(o.Layers, 4)}
	if d.width%d.heads != 0 {
		return nil, fmt.Errorf("models: %s: width %d is not a multiple of %d heads", name, d.width, d.heads)
	}
	d.net = newNet(name, 20, o.Seed)
	d.ids = d.tokens("input_ids")
	d.length = d.node("Shape", []string{d.ids}, onnx.AttrInt("start", 1), onnx.AttrInt("end", 2))
	d.ints("heads.split", 0, 0, int64(d.heads), int64(d.width/d.heads))
	d.ints("heads.merge", 0, 0, int64(d.width))
	d.param("attention.scale", constant(float32(1/math.Sqrt(float64(d.width/d.heads)))))
	d.ints("first", 0)
	return d, nil
}

// fits refuses what one file of ONNX cannot hold: n weights of 4 bytes.
func (d *transformer) fits(name string, n int) error {
	if n > 500_000_000 {
		return fmt.Errorf("models: %s: %d million weights do not fit into a file of 2 GB; take a smaller width, vocabulary or fewer layers", name,
			n/1_000_000)
	}
	return nil
}

// rows is the first T rows of a table with one row for each position of the context.
func (d *transformer) rows(table string) string {
	return d.node("Slice", []string{table, "first", d.length, "first"})
}

// layerNorm is a LayerNormalization over the width with weights of its own.
func (d *transformer) layerNorm(x, name string, epsilon float32) string {
	return d.named("LayerNormalization", name,
		[]string{x, d.param(name+".weight", constant(1), d.width), d.param(name+".bias", constant(0), d.width)},
		onnx.AttrInt("axis", -1), onnx.AttrFloat("epsilon", epsilon))
}

// split makes [N,heads,T,width/heads] of x [N,T,width].
func (d *transformer) split(x string) string {
	return d.node("Transpose", []string{d.node("Reshape", []string{x, "heads.split"})}, onnx.AttrInts("perm", 0, 2, 1, 3))
}

// attend is masked attention of queries, keys and values [N,heads,T,width/heads] (Vaswani et al. 2017, section 3.2), as [N,T,width].
func (d *transformer) attend(name, q, k, v string) string {
	scores := d.node("MatMul", []string{d.node("Mul", []string{q, "attention.scale"}),
		d.node("Transpose", []string{k}, onnx.AttrInts("perm", 0, 1, 3, 2))})
	p := d.named("Softmax", name+".softmax", []string{d.node("Add", []string{scores, d.mask})}, onnx.AttrInt("axis", -1))
	z := d.node("Transpose", []string{d.node("MatMul", []string{p, v})}, onnx.AttrInts("perm", 0, 2, 1, 3))
	return d.node("Reshape", []string{z, "heads.merge"})
}
