package engine_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/ops/training"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// gradientModel is y = sin(h)·x with h = x·w, and a Gradient of it.
func gradientModel(gradientFirst bool, ins, outs []string, attrs ...*onnxpb.AttributeProto) *onnx.Model {
	g := &onnxpb.GraphProto{Name: new("g")}
	for _, name := range []string{"x", "w", "other"} {
		g.Input = append(g.Input, onnx.ValueInfo(name, tensor.Float32, 2))
	}
	g.Node = []*onnxpb.NodeProto{
		onnx.NewNode("Mul", "mul", []string{"x", "w"}, []string{"h"}),
		onnx.NewNode("Sin", "sin", []string{"h"}, []string{"s"}),
		onnx.NewNode("Mul", "last", []string{"s", "x"}, []string{"y"}),
	}
	n := onnx.NewNode("Gradient", "gradient", ins, outs, attrs...)
	n.Domain = new(training.Domain)
	if gradientFirst {
		g.Node = append([]*onnxpb.NodeProto{n}, g.Node...)
	} else {
		g.Node = append(g.Node, n)
	}
	for _, name := range outs {
		if name != "" {
			g.Output = append(g.Output, onnx.ValueInfo(name, tensor.Float32, 2))
		}
	}
	m := onnx.NewModel(g, 17)
	m.Proto.OpsetImport = append(m.Proto.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: new(training.Domain), Version: new(int64(1))})
	return m
}

// TestGradientOperator: a Gradient in a file is the gradient by hand, at the named tensors and at others, of inputs and of what lies
// between, and of a Gradient.
func TestGradientOperator(t *testing.T) {
	x, w, o := []float32{.5, -1.5}, []float32{2, .75}, []float32{-.25, 1}
	sin, cos := math.Sin, math.Cos
	byX := func(x, w float64) float64 { return sin(x*w) + x*w*cos(x*w) }
	byW := func(x, w float64) float64 { return x * x * cos(x*w) }
	xs, zs := func(s ...string) *onnxpb.AttributeProto { return onnx.AttrStrings("xs", s...) },
		func(s ...string) *onnxpb.AttributeProto { return onnx.AttrStrings("zs", s...) }
	y := onnx.AttrString("y", "y")
	for _, c := range []struct {
		name  string
		first bool
		ins   []string
		outs  []string
		attrs []*onnxpb.AttributeProto
		want  []func(x, w, o float64) float64
	}{
		{"by both", false, []string{"x", "w"}, []string{"dx", "dw"}, []*onnxpb.AttributeProto{xs("x", "w"), y},
			[]func(x, w, o float64) float64{func(x, w, _ float64) float64 { return byX(x, w) },
				func(x, w, _ float64) float64 { return byW(x, w) }}},
		{"before what it is of", true, []string{"x", "w"}, []string{"dx"}, []*onnxpb.AttributeProto{xs("x"), zs("w"), y},
			[]func(x, w, o float64) float64{func(x, w, _ float64) float64 { return byX(x, w) }}},
		{"one alone", false, []string{"x", "w"}, []string{"", "dw"}, []*onnxpb.AttributeProto{xs("x", "w"), y},
			[]func(x, w, o float64) float64{func(x, w, _ float64) float64 { return byW(x, w) }}},
		{"elsewhere", false, []string{"other", "w"}, []string{"dx"}, []*onnxpb.AttributeProto{xs("x"), zs("w"), y},
			[]func(x, w, o float64) float64{func(_, w, o float64) float64 { return byX(o, w) }}},
		{"by what lies between", false, []string{"h", "x"}, []string{"dh", "dx"}, []*onnxpb.AttributeProto{xs("h", "x"), y},
			[]func(x, w, o float64) float64{func(x, w, _ float64) float64 { return x * cos(x*w) },
				func(x, w, _ float64) float64 { return sin(x * w) }}},
		{"between, elsewhere", false, []string{"other", "x"}, []string{"dh"}, []*onnxpb.AttributeProto{xs("h", "x"), y},
			[]func(x, w, o float64) float64{func(x, _, o float64) float64 { return x * cos(o) }}},
		{"of what does not matter", false, []string{"x", "other"}, []string{"dx", "do"}, []*onnxpb.AttributeProto{xs("x", "other"), y},
			[]func(x, w, o float64) float64{func(x, w, _ float64) float64 { return byX(x, w) }, func(_, _, _ float64) float64 { return 0 }}},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := runGradient(t, gradientModel(c.first, c.ins, c.outs, c.attrs...), x, w, o)
			k := 0
			for _, name := range c.outs {
				if name == "" {
					continue
				}
				for i, v := range res.Value(name).F32() {
					want := c.want[k](float64(x[i]), float64(w[i]), float64(o[i]))
					if math.Abs(float64(v)-want) > 1e-6 {
						t.Errorf("%s[%d] is %v, want %v", name, i, v, want)
					}
				}
				k++
			}
		})
	}

	second := gradientModel(false, []string{"x", "w"}, []string{"dx"}, xs("x"), zs("w"), y)
	n := onnx.NewNode("Gradient", "again", []string{"x", "w"}, []string{"dxx", "dxw"}, xs("x", "w"), onnx.AttrString("y", "dx"))
	n.Domain = new(training.Domain)
	g := second.Proto.Graph
	g.Node = append(g.Node, n)
	g.Output = append(g.Output, onnx.ValueInfo("dxx", tensor.Float32, 2), onnx.ValueInfo("dxw", tensor.Float32, 2))
	res := runGradient(t, second, x, w, o)
	for i := range x {
		a, b := float64(x[i]), float64(w[i])
		for name, want := range map[string]float64{
			"dxx": 2*b*cos(a*b) - a*b*b*sin(a*b),
			"dxw": 2*a*cos(a*b) - a*a*b*sin(a*b),
		} {
			if v := float64(res.Value(name).F32()[i]); math.Abs(v-want) > 1e-5 {
				t.Errorf("%s[%d] is %v, want %v", name, i, v, want)
			}
		}
	}

	for _, c := range []struct {
		want  string
		ins   []string
		attrs []*onnxpb.AttributeProto
	}{
		{"no tensor nothing", []string{"x"}, []*onnxpb.AttributeProto{xs("nothing"), y}},
		{"does not depend", []string{"other"}, []*onnxpb.AttributeProto{xs("other"), y}},
		{"2 inputs", []string{"x", "w"}, []*onnxpb.AttributeProto{xs("x"), y}},
	} {
		_, err := engine.Load(gradientModel(false, c.ins, []string{"dx"}, c.attrs...))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
}

func runGradient(t *testing.T, file *onnx.Model, x, w, o []float32) *engine.Result {
	t.Helper()
	m, err := engine.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Session(engine.Query{})
	if err != nil {
		t.Fatal(err)
	}
	feeds := map[string]*tensor.Tensor{}
	for name, v := range map[string][]float32{"x": x, "w": w, "other": o} {
		feeds[name] = tensor.From(v, 2)
	}
	for name := range feeds {
		if !strings.Contains(strings.Join(s.Feeds(), " "), name) {
			delete(feeds, name)
		}
	}
	res, err := s.Run(context.Background(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	return res
}
