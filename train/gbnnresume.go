package train

import (
	"context"
	"errors"

	"github.com/gtk-onnx/gtk/gbnn"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// biasesName is the tensor of a checkpoint that has the biases after each step.
const biasesName = methodPrefix + "gbnn.biases"

// restore goes on from the checkpoint: its units are added up again, in their order.
func (b *boosting) restore(ctx context.Context) error {
	f := b.f
	if err := f.restore(f.c.Resume); err != nil {
		return err
	}
	f.res.Resumed = f.step
	found := false
	for _, n := range f.c.Resume.Tensors {
		if n.Name == biasesName && n.Tensor.DType() == tensor.Float64 && n.Tensor.Shape().Equal(b.biases.Shape()) {
			copy(b.biases.Bytes(), n.Tensor.Bytes())
			found = true
		}
	}
	if !found {
		return implausible("%q is missing, or of another shape", biasesName)
	}
	j, width, p := b.o.Step, b.g.Width, f.changed
	v, c, w := p[0].Value.Float64s(), p[1].Value.Float64s(), p[2].Value.Float64s()
	for s := range f.step {
		l := &gbnn.Learner{V: v[s*j*width : (s+1)*j*width], C: c[s*j : (s+1)*j], W: make([]float64, b.d*j), D: make([]float64, b.d)}
		for u := range j {
			for k := range b.d {
				l.W[k*j+u] = b.back(func(o int) float64 { return w[o*b.g.Units+s*j+u] }, k)
			}
		}
		b.advance(s, l, nil)
	}
	rows := tensor.Data[float64](b.biases)
	for k := range b.d {
		b.bias[k] = b.back(func(o int) float64 { return rows[f.step*f.c.Task.K+o] }, k)
	}
	b.refresh()
	if f.eval != nil {
		var err error
		if f.res.After, err = f.validate(ctx); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// back is value k of boosting by the outputs z: outputs is exactly undone, as it multiplies by ±1 and 2.
func (b *boosting) back(z func(o int) float64, k int) float64 {
	o := len(b.out) - 1
	if b.d > 1 {
		o = k
	}
	return z(o) / b.out[o][k]
}

// finish leaves the units that were trained in a saved model, and says in its metadata where they are.
func (b *boosting) finish(m *onnx.Model) error {
	g := *b.g
	ts, err := g.tensors(m)
	if err != nil {
		return err
	}
	c, v := ts[1].Float64s(), ts[0].Float64s()
	n := 0 // a unit that was trained has weights, and one on constant features alone a bias
	for u := range g.Units {
		trained := c[u] != 0
		for _, x := range v[u*g.Width : (u+1)*g.Width] {
			trained = trained || x != 0
		}
		if trained {
			n = u + 1
		}
	}
	n = (n + g.Step - 1) / g.Step * g.Step
	if n == 0 {
		return errors.New("train: gbnn: no unit was trained")
	}
	k := b.f.c.Task.K
	var rows [][]float64
	for s := range n/g.Step + 1 {
		rows = append(rows, tensor.Data[float64](b.biases)[s*k:(s+1)*k])
	}
	return g.cut(m, n, rows)
}

// methodState is what a checkpoint has beside the parameters.
func (b *boosting) methodState() []tensor.Named {
	return []tensor.Named{{Name: biasesName, Tensor: b.biases}}
}
