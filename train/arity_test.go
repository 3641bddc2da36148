package train

import (
	"fmt"
	"runtime/debug"
	"testing"

	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/convert"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// Heads are looked for in files as they are: nodes may have any number of inputs, outputs and attributes. What changes files sees the same.
func TestArityOfFiles(t *testing.T) {
	for _, spec := range ops.Standard.All() {
		if spec.Domain == ops.Private {
			continue
		}
		since := spec.Since[len(spec.Since)-1]
		c := testkit.Call{Domain: spec.Domain, Op: spec.Name, Opset: int64(since), In: len(spec.In), Out: len(spec.Out),
			Bodies: spec.Bodies, Layer: true}
		failed := map[string]bool{}
		for what, p := range c.Calls() {
			if err := change(&onnx.Model{Proto: p}); err != nil && !failed[err.Error()] {
				failed[err.Error()] = true
				t.Errorf("%s-%d, %s: %v", spec.Name, since, what, err)
			}
		}
	}
}

// change does with m what changes files; only panics are errors.
func change(m *onnx.Model) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	_ = m.Check()
	_, _ = FindHead(m, "")
	_, _, _ = ReplaceHead(m, 3, 1)
	_, _, _ = NewHead{Classes: 1, Activation: "Sigmoid"}.Replace(m)
	_, _ = Reinit(m, 1)
	m.Weights()
	_ = m.Warnings()
	out := m.Clone()
	_, _, _ = convert.To(m, onnx.LatestOpset, convert.Options{})
	_ = out.AppendAffine("y0", tensor.Scalar(float32(2)), tensor.Scalar(float32(1)))
	onnx.CompareModels(m, out)
	m.Walk(func(_ *onnxpb.GraphProto, n *onnxpb.NodeProto) { _ = out.Inline(n) })
	return nil
}
