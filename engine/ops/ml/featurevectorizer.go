package ml

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// FeatureVectorizer puts its inputs [N,Cᵢ], or [Cᵢ] for one row, side by side: Y [N,ΣDᵢ]. Where inputdimensions has other Dᵢ than Cᵢ, an
// input is cut or filled with zeros, as in ONNX Runtime.
//
// Source: https://onnx.ai/onnx/operators/onnx_aionnxml_FeatureVectorizer.html
var FeatureVectorizer = new(graph.Spec)

type featureVectorizerAttrs struct {
	Dimensions []int `onnx:"inputdimensions"`
}

func init() {
	define(FeatureVectorizer, graph.Def[featureVectorizerAttrs]{
		Name: "FeatureVectorizer", Since: []int{1},
		In: []graph.Formal{{Name: "X", Variadic: true, Types: numbers}}, Out: []graph.Formal{{Name: "Y"}},
		Types: outType[featureVectorizerAttrs](tensor.Float32),
		Check: func(a *featureVectorizerAttrs, n *graph.Node) error {
			if d := len(a.Dimensions); d != 0 && d != n.NumIn {
				return fmt.Errorf("attribute inputdimensions has %d elements, there are %d inputs", d, n.NumIn)
			}
			for _, d := range a.Dimensions {
				if d < 0 || d >= finite {
					return fmt.Errorf("attribute inputdimensions has %d", d)
				}
			}
			return nil
		},
		Infer: func(a *featureVectorizerAttrs, c *graph.InferCtx) error {
			rows, total := 0, 0
			for i := range c.In {
				n, columns, err := table(c.Shape(i))
				if err != nil {
					return err
				}
				if len(a.Dimensions) > 0 {
					columns = a.Dimensions[i]
				}
				if i > 0 && n != rows {
					return fmt.Errorf("inputs of %d and %d rows", rows, n)
				}
				rows, total = n, total+columns
			}
			c.Out(0, rows, total)
			return nil
		},
		Run: func(a *featureVectorizerAttrs, c *graph.RunCtx) error {
			y := c.Out[0].F32()
			clear(y)
			total, at := c.Out[0].Dim(1), 0
			for i, in := range c.In {
				rows, columns, err := table(in.Shape())
				if err != nil {
					return err
				}
				x, err := numbersOf[float32](in)
				if err != nil {
					return err
				}
				wide := columns
				if len(a.Dimensions) > 0 {
					wide = a.Dimensions[i]
				}
				n := min(columns, wide)
				for r := range rows {
					copy(y[r*total+at:r*total+at+n], x[r*columns:])
				}
				at += wide
			}
			return nil
		},
		Lower: func(a *featureVectorizerAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			var parts []graph.Value
			for i, x := range n.In {
				x = cast(b, x, tensor.Float32)
				x = b.Add(ops.Reshape, nil, x, rowsBy(b, x))
				if len(a.Dimensions) > 0 {
					wide := a.Dimensions[i]
					x = b.Add(ops.Slice, nil, x, b.Ints(0), b.Ints(wide), b.Ints(1))
					x = b.Add(ops.Pad, nil, x, missing(b, x, wide))
				}
				parts = append(parts, x)
			}
			return []graph.Value{with(b, ops.Concat, graph.Attrs{"axis": int64(1)}, parts...)}, nil
		},
	})
}

// rowsBy is the shape of x as a table: that of [N,C], of [C] [1,C].
func rowsBy(b *graph.Builder, x graph.Value) graph.Value {
	s := b.Add(ops.Shape, nil, x)
	return rank2(b, x, b.Add(ops.Sub, nil, b.Add(ops.Size, nil, s), b.Ints(1)))
}

// missing are the pads that bring the table x to that many columns.
func missing(b *graph.Builder, x graph.Value, wide int) graph.Value {
	columns := b.Add(ops.Slice, nil, b.Add(ops.Shape, nil, x), b.Ints(1), b.Ints(2), b.Ints(0))
	after := b.Add(ops.Sub, nil, b.Ints(wide), columns)
	return with(b, ops.Concat, graph.Attrs{"axis": int64(0)}, b.Ints(0, 0, 0), after)
}
