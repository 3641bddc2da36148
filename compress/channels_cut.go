package compress

import (
	"maps"
	"slices"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// cut is a copy of the model with only the places of each axis that kept names, by their numbers along it. The model that was followed
// stays as it is.
func (a *axes) cut(kept func([]int32) []int) (*onnx.Model, error) {
	old := a.net
	nodes := map[*onnxpb.NodeProto]*onnxpb.NodeProto{} // as they were, to be put back
	for _, x := range old.g.Node {
		c := onnx.NewNode(x.GetOpType(), x.GetName(), slices.Clone(x.Input), slices.Clone(x.Output))
		for _, p := range x.Attribute {
			q := p
			if p.I != nil {
				q = onnx.AttrInt(p.GetName(), p.GetI())
			}
			c.Attribute = append(c.Attribute, q)
		}
		nodes[x] = c
	}
	inits, known, taken, stored := slices.Clone(old.g.Initializer), maps.Clone(old.known), maps.Clone(old.taken), maps.Clone(old.inits)
	back := func() {
		for x, c := range nodes {
			x.Input, x.Output, x.Attribute = c.Input, c.Output, c.Attribute
		}
		old.g.Initializer, old.known, old.taken, old.inits = inits, known, taken, stored
	}
	defer back()
	for _, f := range a.fixes {
		f(kept)
	}
	names := slices.Sorted(maps.Keys(a.weight))
	for _, name := range names {
		t, changed := a.constant(name), false
		for k, es := range a.of[name] {
			if es == nil {
				continue
			}
			at := kept(es)
			if len(at) == len(es) {
				continue
			}
			t, changed = chosen(t, k, at), true
		}
		if !changed {
			continue
		}
		now := a.store(name, t)
		for _, x := range old.g.Node {
			for i, v := range x.Input {
				if v == name {
					x.Input[i] = now
				}
			}
		}
	}
	out := old.m.Clone()
	n := &net{m: out, g: out.Proto.GetGraph(), known: map[string]*tensor.Tensor{}}
	n.g.ValueInfo = nil // extents changed
	n.sweep()
	return out, nil
}

// chosen are the places at of axis k of t, in that order.
func chosen(t *tensor.Tensor, k int, at []int) *tensor.Tensor {
	shape := slices.Clone(t.Shape())
	inner := t.DType().Bits() / 8
	for _, d := range shape[k+1:] {
		inner *= d
	}
	outer := 1
	for _, d := range shape[:k] {
		outer *= d
	}
	was := shape[k]
	shape[k] = len(at)
	out := tensor.New(t.DType(), shape...)
	x, y := t.Bytes(), out.Bytes()
	for o := range outer {
		for i, j := range at {
			copy(y[(o*len(at)+i)*inner:][:inner], x[(o*was+j)*inner:][:inner])
		}
	}
	return out
}
