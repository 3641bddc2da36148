// Package runtimes makes other libraries that run ONNX models runtimes of job, to check models with (`gtk verify --runtime`): importing it
// registers them.
//
//   - onnx-go: onnx-go's decoder and gorgonnx, the backend that comes with it, which computes with gorgonia's operators and its own;
//   - gorgonia: gtk's reader, and gorgonia's operators.
package runtimes

import (
	"context"
	"fmt"

	onnxgo "github.com/owulveryck/onnx-go"
	"github.com/owulveryck/onnx-go/backend/x/gorgonnx"
	_ "go4.org/unsafe/assume-no-moving-gc" // keeps the version that go.mod requires: gorgonia's own choice panics on start with a new Go

	"github.com/gtk-onnx/gtk/interop/internal/dense"
	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	job.Runtimes.Register("onnx-go", newOnnxGo, "onnx-go v0.5.0 with its backend gorgonnx", "https://github.com/owulveryck/onnx-go")
}

// onnxGo runs a model as a program that uses onnx-go does, but for two of its faults. It decodes anew for each run, because the second run
// of a graph of gorgonnx computes with weights that the first has overwritten; and it gives inputs by name, because Model.SetInput counts
// nodes where it should count inputs.
type onnxGo struct {
	file    []byte
	outputs []string
}

func newOnnxGo(m *onnx.Model) (job.Runner, error) {
	file, err := m.Bytes()
	if err != nil {
		return nil, err
	}
	r := &onnxGo{file: file}
	for _, o := range m.Proto.GetGraph().GetOutput() {
		r.outputs = append(r.outputs, o.GetName())
	}
	return r, nil
}

// decode is the model in a new graph.
func (r *onnxGo) decode() (*gorgonnx.Graph, *onnxgo.Model, error) {
	g := gorgonnx.NewGraph()
	m := onnxgo.NewModel(g)
	if err := m.UnmarshalBinary(r.file); err != nil {
		return nil, nil, fmt.Errorf("decoder: %w", err)
	}
	return g, m, nil
}

// Run is as job.Runner says. Neither library can be stopped, so ctx is looked at before.
func (r *onnxGo) Run(ctx context.Context, feeds map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	g, m, err := r.decode()
	if err != nil {
		return nil, err
	}
	for name, x := range feeds {
		t, err := dense.To(x)
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", name, err)
		}
		n, ok := m.GetNodeByName(name)
		if !ok {
			return nil, fmt.Errorf("the decoder has lost input %q", name)
		}
		if err := n.(onnxgo.DataCarrier).SetTensor(t); err != nil {
			return nil, fmt.Errorf("input %q: %w", name, err)
		}
	}
	if err := g.Run(); err != nil {
		return nil, err
	}
	out := map[string]*tensor.Tensor{}
	for _, name := range r.outputs {
		n, ok := m.GetNodeByName(name)
		if !ok || g.To(n.ID()).Len() > 0 {
			continue // gorgonnx gives what no operator reads; other nodes keep what was in them
		}
		t, err := dense.From(n.(onnxgo.DataCarrier).GetTensor())
		if err != nil {
			return nil, fmt.Errorf("output %q: %w", name, err)
		}
		out[name] = t.Clone()
	}
	return out, nil
}
