package train

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// Merge is a copy of the model before its adapters were added, with W + scale·B·A in the place of W, and with all else that trained, a
// model of Add with other numbers, has changed. The graph stays as it was. Quantised weights cannot hold the sum: that is an error, unless
// they may become real numbers in a graph that has those in their place.
func (a *Adapters) Merge(trained *onnx.Model, dequantise bool) (*onnx.Model, error) {
	q := a.Quantised()
	if len(q) > 0 && !dequantise {
		return nil, fmt.Errorf("train: LoRA: the weight %q (of %d) is quantised and cannot take its adapter in", q[0], len(q))
	}
	if k := a.Integers(); len(k) > 0 {
		return nil, fmt.Errorf("train: LoRA: the layer of the weight %q (of %d) multiplies integers: with real numbers it would compute "+
			"something else", k[0], len(k))
	}
	out := a.base.Clone()
	if err := a.carry(trained, out); err != nil {
		return nil, err
	}
	flat := newFinder(out.Clone()) // as find has it
	if err := flat.inlineAll(); err != nil {
		return nil, fmt.Errorf("train: LoRA: %w", err)
	}
	flat.unfuseAll()
	values := map[string]*tensor.Tensor{}
	for _, n := range flat.m.Proto.GetGraph().GetNode() {
		for i := range min(2, len(n.GetInput())) {
			o := flat.operand(n, i)
			if o == nil || o.stored == "" || values[o.stored] != nil {
				continue
			}
			x := a.of(o.stored)
			if x == nil || !slices.Contains(x.Nodes, nodeName(n)) || !o.value.Shape().Equal(x.shape) {
				continue
			}
			w, err := a.merged(flat, trained, x, o)
			if err != nil {
				return nil, fmt.Errorf("train: LoRA: weight %q: %w", x.Weight, err)
			}
			values[o.stored] = w
		}
	}
	for _, x := range a.List {
		if values[x.Weight] == nil && !x.Quantised {
			return nil, fmt.Errorf("train: LoRA: weight %q is not found again", x.Weight)
		}
	}
	if err := out.SetWeights(values); err != nil {
		return nil, fmt.Errorf("train: LoRA: %w", err)
	}
	if len(q) > 0 {
		return out, a.dequantise(out, trained)
	}
	return out, nil
}

// carry brings weights that were trained as they are, and running statistics, from trained to out.
func (a *Adapters) carry(trained, out *onnx.Model) error {
	old := map[string]*tensor.Tensor{}
	for _, w := range out.Weights() {
		t, err := out.WeightTensor(w)
		if err != nil {
			return fmt.Errorf("train: LoRA: %w", err)
		}
		old[w.Name] = t
	}
	own := in(a.Params())
	values := map[string]*tensor.Tensor{}
	for _, w := range trained.Weights() {
		if own(w.Name) {
			continue
		}
		t, err := trained.WeightTensor(w)
		if err != nil {
			return fmt.Errorf("train: LoRA: %w", err)
		}
		name, known := a.names[w.Name]
		if !known {
			if _, is := old[w.Name]; is || !makes(out, w.Name) {
				continue // a factor of an adapter
			}
			if err := out.ReplaceNodeByInitializer(w.Name, t); err != nil { // a copy of a weight that was trained by itself
				return fmt.Errorf("train: LoRA: %w", err)
			}
			continue
		}
		was, is := old[name]
		if !is || t.DType() == was.DType() && t.Shape().Equal(was.Shape()) && bytes.Equal(t.Bytes(), was.Bytes()) {
			continue
		}
		if v := values[name]; v != nil && !bytes.Equal(v.Bytes(), t.Bytes()) {
			return fmt.Errorf("train: LoRA: the weight %q of a function was trained to different numbers in two calls, which one cannot hold",
				name)
		}
		values[name] = t
	}
	if err := out.SetWeights(values); err != nil {
		return fmt.Errorf("train: LoRA: %w", err)
	}
	return nil
}

// makes reports whether a node of the main graph of m has the output name.
func makes(m *onnx.Model, name string) bool {
	for _, n := range m.Proto.GetGraph().GetNode() {
		if len(n.GetOutput()) == 1 && n.GetOutput()[0] == name {
			return true
		}
	}
	return false
}

// merged is the weight o with the adapter x of trained in it, as it is stored.
func (a *Adapters) merged(f *finder, trained *onnx.Model, x *Adapter, o *operand) (*tensor.Tensor, error) {
	d, err := x.delta(trained, a.Scale)
	if err != nil {
		return nil, err
	}
	root := f.rootTensor(o)
	if d, err = f.unview(o, d); err != nil {
		return nil, err
	}
	if root == nil || !root.Shape().Equal(d.Shape()) {
		return nil, fmt.Errorf("its views cannot be undone")
	}
	return summed(root, d)
}

// summed is t + d in the type of t.
func summed(t, d *tensor.Tensor) (*tensor.Tensor, error) {
	sum := make([]float64, t.Len())
	was, more := t.Float64s(), d.Float64s()
	for i := range sum {
		sum[i] = was[i] + more[i]
	}
	return tensor.From(sum, t.Shape()...).Convert(t.DType())
}

// delta is scale·B·A as the layers read it, in float64.
func (x *Adapter) delta(trained *onnx.Model, scale float64) (*tensor.Tensor, error) {
	var parts [2][]float64
	sa, sb := x.shapes()
	for i, name := range []string{x.A, x.B} {
		p := trained.Initializer(name)
		if p == nil {
			return nil, fmt.Errorf("the model has no %q", name)
		}
		t, err := trained.Tensor(p)
		if err != nil {
			return nil, err
		}
		if want := []tensor.Shape{sa, sb}[i]; !t.Shape().Equal(want) {
			return nil, fmt.Errorf("%q has shape %v, want %v", name, t.Shape(), want)
		}
		parts[i] = t.Float64s()
	}
	first, second := parts[1], parts[0] // B·A
	rows, cols, count := x.rowsCols()
	switch x.form {
	case loraRight:
		first, second = parts[0], parts[1] // [K,r]·[r,N]
	case loraTransB:
		first, second = parts[0], parts[1]
		rows, cols = cols, rows // [K,r]·[r,N], which is transposed
	}
	out := make([]float64, count*rows*cols)
	r := x.Rank
	for e := range count {
		for i := range rows {
			y := out[(e*rows+i)*cols:][:cols]
			for l := range r {
				c := scale * first[(e*rows+i)*r+l]
				for j, v := range second[(e*r+l)*cols:][:cols] {
					y[j] += c * v
				}
			}
		}
	}
	if x.form == loraTransB {
		return transposed(tensor.From(out, rows, cols), []int{1, 0}), nil
	}
	return tensor.From(out, x.shape...), nil
}

func (x *Adapter) rowsCols() (rows, cols, count int) {
	return (&loraWeight{shape: x.shape, form: x.form}).matrix()
}

// unview is d, which has the shape that o is read in, as it is stored.
func (f *finder) unview(o *operand, d *tensor.Tensor) (*tensor.Tensor, error) {
	for _, n := range o.chain {
		switch {
		case f.is(n, ops.Identity), f.is(n, ops.Cast), f.is(n, ops.Dropout):
		case f.is(n, ops.Transpose):
			perm := permOf(n, d.Rank())
			inverse := make([]int, len(perm))
			for i, p := range perm {
				inverse[p] = i
			}
			if d = transposed(d, inverse); d == nil {
				return nil, fmt.Errorf("%s cannot be undone", label(n))
			}
		default:
			before := &operand{}
			if !f.resolve(before, n.GetInput()[0], 0) || before.value.Len() != d.Len() {
				return nil, fmt.Errorf("%s cannot be undone", label(n))
			}
			d = d.Reshape(before.value.Shape()...)
		}
	}
	return d, nil
}
