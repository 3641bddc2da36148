package optim

import "fmt"

// Averages reports whether the weights to measure and to keep are others than those at which gradients are taken: an average that a rule
// keeps. See [Optimizer.Swap].
func (o *Optimizer) Averages() bool { return o.average >= 0 }

// Swap exchanges the weights of ps and the average that a rule keeps of them; once more, and all is as it was, bit for bit. Between the two
// there must be no step. It does nothing for a chain without such a rule, and for parameters that have taken no step.
func (o *Optimizer) Swap(ps []*Param) error {
	return o.eachAverage(ps, func(w, average []byte) {
		for i := range w {
			w[i], average[i] = average[i], w[i]
		}
	})
}

// Settle sets the weights of ps to the average that a rule keeps of them, when the training is over. It does nothing where Swap does not.
func (o *Optimizer) Settle(ps []*Param) error {
	return o.eachAverage(ps, func(w, average []byte) { copy(w, average) })
}

// eachAverage calls f with the bytes of the weights and of their average.
func (o *Optimizer) eachAverage(ps []*Param, f func(w, average []byte)) error {
	if o.average < 0 {
		return nil
	}
	for _, p := range ps {
		st := o.state[p.Name]
		if st == nil || st.t == 0 {
			continue
		}
		if st.dtype != p.W.DType() || !st.shape.Equal(p.W.Shape()) {
			return fmt.Errorf("optim: parameter %q is %v, its state is %v%v", p.Name, p.W, st.dtype, st.shape)
		}
		f(p.W.Bytes(), st.slots[o.average].Bytes())
	}
	return nil
}
