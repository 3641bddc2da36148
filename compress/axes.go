package compress

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// axes are the places along the axes of all values and weights of a model, with what can only be taken away together: places that an
// operator matches with each other are tied. A place that cannot be taken away, such as a class of the output, is pinned, with the reason.
//
// The places of an axis are numbers, 1 and up, in order; one that stands for several, as a channel does behind Flatten, is there several
// times. An axis without places, nil, is one from which nothing is taken: of the batch, of the picture.
type axes struct {
	*net
	parent []int32
	why    []string             // of places that are pinned, at their roots
	of     map[string][][]int32 // by value or stored weight, by axis
	shapes map[string][]int     // as far as they are known: -1 for an extent, no entry for the number of axes
	weight map[string]bool      // of of: the content is stored, and is cut
	makes  []maker              // weights whose places along an axis are what a layer gives
	fixes  []func(kept func([]int32) []int)
}

// maker is a weight of a layer whose places along an axis are the channels that it gives.
type maker struct {
	layer  *onnxpb.NodeProto
	weight string
	axis   int
	norm   *onnxpb.NodeProto // the batch normalisation that alone reads what the layer gives, nil for none
}

// follow ties and pins the places of all values.
func follow(n *net) (*axes, error) {
	types, err := engine.Types(n.m)
	if err != nil {
		return nil, fmt.Errorf("compress: channels: the shapes of the model are not known: %w", err)
	}
	a := &axes{net: n, parent: []int32{0}, why: []string{""}, of: map[string][][]int32{}, shapes: map[string][]int{},
		weight: map[string]bool{}}
	declare := func(name string, t *onnxpb.TypeProto) {
		s := t.GetTensorType().GetShape()
		if s == nil {
			return
		}
		d := make([]int, len(s.GetDim()))
		for i, x := range s.GetDim() {
			d[i] = -1
			if v, ok := x.GetValue().(*onnxpb.TensorShapeProto_Dimension_DimValue); ok {
				d[i] = int(v.DimValue)
			}
		}
		a.shapes[name] = d
	}
	for name, t := range types {
		declare(name, t)
	}
	for _, v := range n.g.Input {
		declare(v.GetName(), v.GetType())
	}
	for _, x := range n.g.Node {
		if len(x.GetOutput()) == 1 && n.constant(x.GetOutput()[0]) != nil {
			continue // it is stored, or follows from what is
		}
		rule, known := axisRules[x.GetOpType()]
		if !known || !is(x, x.GetOpType()) {
			a.pinAll(x, fmt.Sprintf("%s (%s) reads it, through which channels are not followed", label(x), x.GetOpType()))
			continue
		}
		rule(a, x)
		bodies(x, func(name string) {
			a.pinValue(name, fmt.Sprintf("%s (%s) reads it in its body", label(x), x.GetOpType()))
		}, func(string) {})
	}
	for name := range n.outputs {
		a.pinValue(name, fmt.Sprintf("it is the output %s", name))
	}
	return a, nil
}

// fresh makes places.
func (a *axes) fresh(n int) []int32 {
	e := make([]int32, n)
	for i := range e {
		e[i] = int32(len(a.parent))
		a.parent, a.why = append(a.parent, e[i]), append(a.why, "")
	}
	return e
}

// root stands for all places that are tied to e.
func (a *axes) root(e int32) int32 {
	for a.parent[e] != e {
		a.parent[e] = a.parent[a.parent[e]]
		e = a.parent[e]
	}
	return e
}

// join ties two places.
func (a *axes) join(x, y int32) {
	x, y = a.root(x), a.root(y)
	if x == y {
		return
	}
	a.parent[y] = x
	if a.why[x] == "" {
		a.why[x] = a.why[y]
	}
}

// pin keeps places from being taken away.
func (a *axes) pin(es []int32, why string) {
	for _, e := range es {
		if r := a.root(e); a.why[r] == "" {
			a.why[r] = why
		}
	}
}

// tie ties the places of axes that are matched with each other; x is why they are pinned where one has none.
func (a *axes) tie(x *onnxpb.NodeProto, all ...[]int32) []int32 {
	var first []int32
	odd := false
	for _, e := range all {
		switch {
		case e == nil:
			odd = true
		case first == nil:
			first = e
		case len(e) != len(first):
			odd = true
		}
	}
	if first == nil {
		return nil
	}
	if odd {
		for _, e := range all {
			a.pin(e, fmt.Sprintf("%s (%s) meets it with something that keeps its size", label(x), x.GetOpType()))
		}
		return nil
	}
	for _, e := range all {
		for i := range e {
			a.join(first[i], e[i])
		}
	}
	return first
}

// at are the places of the axes of a value, or of a stored weight, which get them when they are first read. n is the number of axes, -1
// where it is not known.
func (a *axes) at(name string) (es [][]int32, n int) {
	if es, ok := a.of[name]; ok {
		return es, len(es)
	}
	if t := a.constant(name); t != nil {
		es = make([][]int32, t.Rank())
		for k, d := range t.Shape() {
			if d > 1 && t.DType().IsFloat() {
				es[k] = a.fresh(d)
			}
		}
		a.of[name], a.weight[name] = es, true
		return es, t.Rank()
	}
	if s, ok := a.shapes[name]; ok {
		return make([][]int32, len(s)), len(s)
	}
	return nil, -1
}

// extent is the extent of an axis, -1 where it is not known.
func (a *axes) extent(name string, k int) int {
	if t := a.constant(name); t != nil {
		return t.Dim(k)
	}
	if s := a.shapes[name]; k < len(s) {
		return s[k]
	}
	return -1
}

// dims are the extents of a value, nil where their number is not known.
func (a *axes) dims(name string) []int {
	if t := a.constant(name); t != nil {
		return t.Shape()
	}
	return a.shapes[name]
}

// pinValue pins all places of a value.
func (a *axes) pinValue(name, why string) {
	es, _ := a.at(name)
	for _, e := range es {
		a.pin(e, why)
	}
}

// pinAll pins what x reads; what it gives has no places.
func (a *axes) pinAll(x *onnxpb.NodeProto, why string) {
	for _, name := range x.GetInput() {
		if name != "" {
			a.pinValue(name, why)
		}
	}
	bodies(x, func(name string) { a.pinValue(name, why) }, func(string) {})
}

// stuck is pinAll for a form of an operator through which channels are not followed.
func (a *axes) stuck(x *onnxpb.NodeProto, what string) {
	a.pinAll(x, fmt.Sprintf("%s (%s) %s", label(x), x.GetOpType(), what))
}

// give sets the places of what x gives.
func (a *axes) give(x *onnxpb.NodeProto, es [][]int32) { a.of[x.GetOutput()[0]] = es }

// ints are the whole numbers of a stored value or an attribute of x, nil where neither is there.
func (a *axes) ints(x *onnxpb.NodeProto, i int, attr string) []int64 {
	if t := a.constant(in(x, i)); in(x, i) != "" && t != nil && t.DType().IsInt() {
		if w, err := t.Convert(tensor.Int64); err == nil {
			return slices.Clone(tensor.Data[int64](w))
		}
	}
	if p := attribute(x, attr); p != nil && in(x, i) == "" {
		return slices.Clone(p.GetInts())
	}
	return nil
}

// axis is k counted from the front among n, -1 where there is none.
func axis(k int64, n int) int {
	if k < 0 {
		k += int64(n)
	}
	if k < 0 || k >= int64(n) {
		return -1
	}
	return int(k)
}

// renew gives input i of x other whole numbers, of the kind that it has, in a value of its own.
func (a *axes) renew(x *onnxpb.NodeProto, i int, v []int64) {
	shape := tensor.Shape{len(v)}
	name := "sizes"
	if old := a.constant(in(x, i)); in(x, i) != "" && old != nil {
		if old.Len() == len(v) {
			shape = old.Shape()
		}
		name = in(x, i)
	}
	for len(x.Input) <= i {
		x.Input = append(x.Input, "")
	}
	x.Input[i] = a.store(name, tensor.From(slices.Clone(v), shape...))
}
