package explain

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// Coordinates and explanations go through any node that can be loaded: none of them panics, whatever its inputs are.
func TestArityExplained(t *testing.T) {
	for _, spec := range ops.Standard.All() {
		if spec.Domain == ops.Private {
			continue
		}
		since := spec.Since[len(spec.Since)-1]
		c := testkit.Call{Domain: spec.Domain, Op: spec.Name, Opset: int64(since), In: len(spec.In), Out: 1, Bodies: spec.Bodies,
			Layer: true}
		if spec.Name == "Loop" || spec.Name == "Scan" {
			c.BodyFormals = c.In
		}
		failed := map[string]bool{}
		for what, p := range c.Calls() {
			if err := explained(p); err != nil && !failed[err.Error()] {
				failed[err.Error()] = true
				t.Errorf("%s-%d, %s: %v", spec.Name, since, what, err)
			}
		}
	}
}

// explained explains p where that can be done; only panics are errors.
func explained(p *onnxpb.ModelProto) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	m, err := engine.Load(&onnx.Model{Proto: p}, engine.WithThreads(1))
	if err != nil {
		return nil
	}
	feeds := map[string]*tensor.Tensor{}
	for i, shape := range m.Sizes(2) {
		in := m.Inputs()[i]
		feeds[in.Name] = tensor.New(in.DType, shape...)
	}
	for _, spec := range []string{"gradcam", "gradient", "normgrad"} {
		r, err := ParseRequest(spec)
		if err != nil {
			return err
		}
		e, err := New(m, Config{Requests: []Request{r}})
		if err == nil {
			_, err = e.Explain(context.Background(), feeds)
		}
		if e, ok := errors.AsType[*exec.PanicError](err); ok {
			return fmt.Errorf("%w\n%s", err, e.Stack)
		}
	}
	return nil
}
