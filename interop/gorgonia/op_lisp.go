package gorgonia

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/gtk-onnx/gtk/tensor"
)

var _ G.ADOp = (*call)(nil)

// DoDiff adds the gradients to those that the arguments have: gorgonia's LispMachine calls it after a run.
func (c *call) DoDiff(_ G.ExecutionContext, inputs G.Nodes, output *G.Node) error {
	dy, err := output.Grad()
	if err != nil {
		return fmt.Errorf("gorgonia: gradient by output %q: %w", c.output, err)
	}
	vs := make([]G.Value, len(inputs), len(inputs)+2)
	for i, n := range inputs {
		vs[i] = n.Value()
	}
	if c.lisp == nil {
		if c.lisp, err = c.backward(); err != nil {
			return err
		}
	}
	if err := c.lisp.compute(append(vs, output.Value(), dy)); err != nil {
		return err
	}
	for i, g := range c.lisp.grads {
		d, err := inputs[i].Grad()
		if g == nil || err != nil {
			continue // nothing goes there, or nobody asks for it
		}
		into, err := view(d)
		if err != nil {
			return fmt.Errorf("gorgonia: gradient by %q: %w", c.names[i], err)
		}
		if into.DType() != g.DType() || into.Len() != g.Len() {
			return fmt.Errorf("gorgonia: gradient by %q: %v does not go into %v", c.names[i], g, into)
		}
		if g.DType() == tensor.Float64 {
			add(tensor.Data[float64](into), tensor.Data[float64](g))
		} else {
			add(into.F32(), g.F32())
		}
	}
	return nil
}

func add[F float32 | float64](into, x []F) {
	for i, v := range x {
		into[i] += v
	}
}
