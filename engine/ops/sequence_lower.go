package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Private operators of containers in ONNX's: what is done to each element of a sequence is the body of a SequenceMap.

// eachItem adds the sequence of what body makes of each element of seqs, which are equally long.
func eachItem(b *graph.Builder, body func(in *graph.Builder, x []graph.Value) graph.Value, seqs ...graph.Value) graph.Value {
	g := graph.New("each")
	var x []graph.Value
	for _, s := range seqs {
		d := b.DType(s)
		if d.IsContainer() {
			d = d.Inner()
		}
		x = append(x, g.AddInput("element", d, nil))
	}
	in := graph.NewBuilder(g)
	g.Outputs = []graph.Value{body(in, x)}
	if err := in.Err(); err != nil {
		b.Fail(err)
		return 0
	}
	n := b.AddControl("", SequenceMap, nil, seqs, []bool{true}, []*graph.Body{{Attr: "body", G: g, Formals: len(x)}}, nil)
	if n == nil {
		return 0
	}
	return n.Out[0]
}

// onItems adds f of tensors x, and of what is in containers x of one type, which become such a container; optionals have a value.
func onItems(b *graph.Builder, f func(in *graph.Builder, x []graph.Value) graph.Value, x ...graph.Value) graph.Value {
	switch d := b.DType(x[0]); d.Kind() {
	case tensor.Plain:
		return f(b, x)
	case tensor.Sequence:
		if d.Inner().IsContainer() {
			b.Fail(fmt.Errorf("ONNX has no operator on the elements of a %v", d))
			return 0
		}
		return eachItem(b, f, x...)
	case tensor.Optional:
		values := make([]graph.Value, len(x))
		for i := range x {
			values[i] = b.Add(OptionalGetElement, nil, x[i])
		}
		return b.Add(Optional, nil, onItems(b, f, values...))
	default:
		b.Fail(fmt.Errorf("ONNX has no operator on the values of a %v", d))
		return 0
	}
}

// zeroItem adds zeros in the type and shape of x.
func zeroItem(in *graph.Builder, x []graph.Value) graph.Value { return Fill(in, x[0], 0) }

func lowerSequenceAtGrad(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	zeros, at := eachItem(b, zeroItem, n.In[0]), placeOf(b, n, n.In[0], 1)
	return []graph.Value{b.Add(SequenceInsert, nil, b.Add(SequenceErase, nil, zeros, at), n.In[2], at)}, b.Err()
}

func lowerSequenceEraseGrad(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	zero := Fill(b, b.Add(SequenceAt, nil, n.In[0], n.In[1]), 0)
	return []graph.Value{b.Add(SequenceInsert, nil, n.In[2], zero, placeOf(b, n, n.In[0], 1))}, b.Err()
}

func lowerSplitLikeSequence(a *concatFromSequenceAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	if a.NewAxis {
		return []graph.Value{b.Add(SplitToSequence, &splitToSequenceAttrs{Axis: a.Axis}, n.In[1])}, b.Err()
	}
	extents := eachItem(b, func(in *graph.Builder, x []graph.Value) graph.Value {
		return in.Add(Gather, nil, in.Add(Shape, nil, x[0]), in.Ints(a.Axis))
	}, n.In[0])
	all := b.Add(ConcatFromSequence, &concatFromSequenceAttrs{}, extents)
	return []graph.Value{b.Add(SplitToSequence, &splitToSequenceAttrs{Axis: a.Axis, KeepDims: true}, n.In[1], all)}, b.Err()
}

func lowerAddItems(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	sum := func(in *graph.Builder, x []graph.Value) graph.Value { return in.Add(Add, nil, x[0], x[1]) }
	return []graph.Value{onItems(b, sum, n.In[0], n.In[1])}, b.Err()
}

func lowerCastItems(a *castItemsAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	to := func(in *graph.Builder, x []graph.Value) graph.Value { return in.Add(Cast, CastTo(a.To), x[0]) }
	return []graph.Value{onItems(b, to, n.In[0])}, b.Err()
}

// lowerSumItems adds along a new axis, with zeros among the items so that an empty sequence has a sum.
func lowerSumItems(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	items := b.Add(SequenceInsert, nil, n.In[0], Fill(b, n.In[1], 0))
	all := b.Add(ConcatFromSequence, &concatFromSequenceAttrs{NewAxis: true}, items)
	return []graph.Value{b.Add(ReduceSum, &reduceAttrs{}, all, b.Ints(0))}, b.Err()
}

func lowerRepeatItems(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	one := func(in *graph.Builder, x []graph.Value) graph.Value { return in.Add(Identity, nil, x[1]) }
	return []graph.Value{eachItem(b, one, n.In[0], n.In[1])}, b.Err()
}
