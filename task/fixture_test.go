package task_test

import (
	"context"
	"slices"
	"strconv"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// set is a data set in memory: rows of x, and either class numbers or rows of y.
type set struct {
	x, y   *tensor.Tensor
	labels []int
	masks  *tensor.Tensor
}

func (s set) Len() int          { return s.x.Dim(0) }
func (s set) ID(i int) string   { return strconv.Itoa(i) }
func (s set) Classes() []string { return nil }
func (s set) Label(i int) int {
	if s.labels == nil {
		return -1
	}
	return s.labels[i]
}

func (s set) Example(i int) (data.Example, error) {
	cut := func(t *tensor.Tensor) *tensor.Tensor {
		if t == nil {
			return nil
		}
		n := len(t.Bytes()) / t.Dim(0)
		out, _ := tensor.FromBytes(t.DType(), t.Shape()[1:], slices.Clone(t.Bytes()[i*n:(i+1)*n]))
		return out
	}
	return data.Example{ID: s.ID(i), X: cut(s.x), Y: cut(s.y), Mask: cut(s.masks), Label: s.Label(i)}, nil
}

// out is an output of a test model: name, activation behind the logits ("" for none), dimensions, and the node that makes it from x.
type out struct {
	name, act string
	dims      []any
	op        string
	attrs     []*onnxpb.AttributeProto
}

// net is a model of x (of type d) whose outputs are made from x by single nodes.
func net(t testing.TB, d tensor.DType, in []any, outs ...out) *engine.Model {
	t.Helper()
	name := "test"
	g := &onnxpb.GraphProto{Name: &name, Input: []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", d, in...)}}
	for _, o := range outs {
		if o.op == "" {
			o.op = "Identity"
		}
		z := o.name
		if o.act != "" {
			z += ".logits"
			g.Node = append(g.Node, onnx.NewNode(o.act, "act."+o.name, []string{z}, []string{o.name}, onnx.AttrInt("axis", axisOf(o))))
		}
		g.Node = append([]*onnxpb.NodeProto{onnx.NewNode(o.op, "make."+o.name, []string{"x"}, []string{z}, o.attrs...)}, g.Node...)
		g.Output = append(g.Output, onnx.ValueInfo(o.name, d, o.dims...))
	}
	for _, n := range g.Node {
		if n.GetOpType() == "Sigmoid" {
			n.Attribute = nil
		}
	}
	return load(t, g)
}

func load(t testing.TB, g *onnxpb.GraphProto) *engine.Model {
	t.Helper()
	m, err := engine.Load(onnx.NewModel(g, 13), engine.WithThreads(1))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func axisOf(o out) int64 {
	if len(o.dims) == 3 {
		return 2
	}
	return 1
}

// of decides the task of m on s.
func of(t testing.TB, m *engine.Model, s data.Dataset, o task.Options) (*task.Task, *feed.Plan, error) {
	t.Helper()
	p, err := feed.For(m, s, feed.Options{})
	if err != nil {
		return nil, nil, err
	}
	k, err := task.Of(context.Background(), p, s, o)
	return k, p, err
}
