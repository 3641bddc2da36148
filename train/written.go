package train

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Maker and Constant are how a finder tells ops.Written what values are made of.

// Maker is the operator of the node that makes a value, and its inputs.
func (f *finder) Maker(name string) (*graph.Spec, []string) {
	if n := f.makers[name]; n != nil {
		return f.spec(n), n.GetInput()
	}
	return nil, nil
}

// Constant is the constant that a value is, as it is read. Several real numbers in an initializer are none: they may be learned.
func (f *finder) Constant(name string) *tensor.Tensor {
	o := &operand{}
	if name == "" || !f.resolve(o, name, 0) || o.stored != "" && o.value.Len() > 1 && f.inits[o.root] != nil {
		return nil
	}
	return o.value
}
