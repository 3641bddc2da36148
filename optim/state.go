package optim

import (
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/gtk-onnx/gtk/tensor"
)

// State yields all that the optimiser remembers, in a fixed order: "rule.name", a float64 for each number of all parameters together
// (see Remembering); for each parameter "name/t", the int64 number of steps it has taken, and "name/rule.slot" for every slot, of the type
// of the parameter and, but for Whole rules, of its shape.
// The tensors are the optimiser's own; clone what must not change with the next step.
//
// Of a Descender it is what the rule says, as "rule.name", and "rule.x", the float64 numbers that the weights are the rounding of.
func (o *Optimizer) State() iter.Seq2[string, *tensor.Tensor] {
	if d, ok := o.evaluate.(Descender); ok {
		return o.descenderState(d)
	}
	return func(yield func(string, *tensor.Tensor) bool) {
		for key, v := range o.numbers() {
			if !yield(key, tensor.Scalar(*v)) {
				return
			}
		}
		for _, name := range o.order {
			st := o.state[name]
			if !yield(name+"/t", tensor.Scalar(int64(st.t))) {
				return
			}
			for i, s := range o.slots {
				if !yield(name+"/"+s.name, st.slots[i]) {
					return
				}
			}
		}
	}
}

// Restore replaces the state of the optimiser by a copy of what State yielded for the same chain and the
// parameters ps. It reports every slot that is missing, unknown or of another type or shape, and changes
// nothing then. The gradients of ps are not looked at.
func (o *Optimizer) Restore(ps []*Param, state iter.Seq2[string, *tensor.Tensor]) error {
	have := map[string]*tensor.Tensor{}
	var keys []string
	var errs []error
	for k, t := range state {
		if _, twice := have[k]; twice {
			errs = append(errs, fmt.Errorf("%q occurs twice", k))
			continue
		}
		have[k] = t
		keys = append(keys, k)
	}
	if d, ok := o.evaluate.(Descender); ok && errs == nil {
		n := 0
		for _, p := range ps {
			n += p.W.Len()
		}
		if errs = o.recallDescender(d, n, have); errs == nil {
			return nil
		}
		return fmt.Errorf("optim: cannot restore the optimiser: %w", errors.Join(errs...))
	}
	take := func(key string, d tensor.DType, shape tensor.Shape) *tensor.Tensor {
		t, ok := have[key]
		delete(have, key)
		switch {
		case !ok || t == nil:
			errs = append(errs, fmt.Errorf("%q is missing", key))
		case t.DType() != d || !t.Shape().Equal(shape):
			errs = append(errs, fmt.Errorf("%q is %v, want %v%v", key, t, d, shape))
		default:
			return t.Clone()
		}
		return nil
	}
	set := map[*float64]float64{}
	for key, v := range o.numbers() {
		if t := take(key, tensor.Float64, nil); t != nil {
			set[v] = tensor.Data[float64](t)[0]
		}
	}
	next, order := map[string]*paramState{}, []string{}
	for i, p := range ps {
		if p == nil || p.W == nil || p.Name == "" {
			errs = append(errs, fmt.Errorf("parameter %d has no name or no weights", i))
			continue
		}
		if next[p.Name] != nil {
			errs = append(errs, fmt.Errorf("parameter %q occurs twice", p.Name))
			continue
		}
		st := &paramState{shape: append(tensor.Shape{}, p.W.Shape()...), dtype: p.W.DType()}
		if t := take(p.Name+"/t", tensor.Int64, nil); t != nil {
			n := t.I64()[0]
			if n < 0 || n > math.MaxInt32 {
				errs = append(errs, fmt.Errorf("%q is %d", p.Name+"/t", n))
			}
			st.t = int(n)
		}
		for _, s := range o.slots {
			st.slots = append(st.slots, take(p.Name+"/"+s.name, st.dtype, s.of(st.shape)))
		}
		next[p.Name] = st
		order = append(order, p.Name)
	}
	for _, k := range keys {
		if _, left := have[k]; left {
			errs = append(errs, fmt.Errorf("%q belongs to no parameter and rule here", k))
		}
	}
	if len(errs) > 0 {
		return fmt.Errorf("optim: cannot restore the optimiser: %w", errors.Join(errs...))
	}
	o.state, o.order, o.bound = next, order, o.bound[:0]
	for v, x := range set {
		*v = x
	}
	return nil
}

// numbers yields what rules remember of all parameters together.
func (o *Optimizer) numbers() iter.Seq2[string, *float64] {
	return func(yield func(string, *float64) bool) {
		for _, r := range o.rules {
			if m, ok := r.(Remembering); ok {
				for _, n := range m.Memory() {
					if !yield(r.Name()+"."+n.Name, n.Value) {
						return
					}
				}
			}
		}
	}
}
