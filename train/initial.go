package train

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// SplitInitial takes the defaults of the inputs of a training step out of it, into a model without inputs that gives them: outputs of the
// name of each input. That is for runtimes that take no other values for inputs with defaults, as ONNX Runtime in JavaScript.
func SplitInitial(om *onnx.Model) (step, initial *onnx.Model, err error) {
	step = om.Clone()
	g := step.Proto.GetGraph()
	in := map[string]bool{}
	for _, v := range g.GetInput() {
		in[v.GetName()] = true
	}
	out := &onnxpb.GraphProto{Name: new("initial")}
	g.Initializer = slices.DeleteFunc(g.Initializer, func(t *onnxpb.TensorProto) bool {
		name := t.GetName()
		if !in[name] || err != nil {
			return false
		}
		v, e := om.Tensor(t)
		if e != nil {
			err = fmt.Errorf("train: initial value of %q: %w", name, e)
			return false
		}
		dims := make([]any, v.Rank())
		for i, d := range v.Shape() {
			dims[i] = d
		}
		out.Initializer = append(out.Initializer, onnx.TensorToProto(name+":initial", v))
		out.Node = append(out.Node, onnx.NewNode("Identity", "", []string{name + ":initial"}, []string{name}))
		out.Output = append(out.Output, onnx.ValueInfo(name, v.DType(), dims...))
		return true
	})
	if err != nil {
		return nil, nil, err
	}
	return step, onnx.NewModel(out, om.Opset("")), nil
}

// initialValues are what a model of SplitInitial gives.
func initialValues(initial *onnx.Model) (map[string]*tensor.Tensor, error) {
	of := map[string]*tensor.Tensor{}
	g := initial.Proto.GetGraph()
	for _, n := range g.GetNode() {
		t := initial.Initializer(n.GetInput()[0])
		if t == nil || n.GetOpType() != "Identity" {
			return nil, fmt.Errorf("train: node %s of the initial values is no Identity of an initializer", n.GetOpType())
		}
		v, err := initial.Tensor(t)
		if err != nil {
			return nil, err
		}
		of[n.GetOutput()[0]] = v.Clone()
	}
	return of, nil
}
