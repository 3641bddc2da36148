package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"

	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestArity calls every operator of the registry, in every version, wrongly: too few and too many inputs and outputs, some left out,
// bodies and attributes missing, any rank and type. Whatever is done with such a model gives results or an error that is no panic.
func TestArity(t *testing.T) {
	defer func(a, b int) { exec.MaxValueBytes, exec.MinRunBytes = a, b }(exec.MaxValueBytes, exec.MinRunBytes)
	exec.MaxValueBytes, exec.MinRunBytes = 1<<22, 1<<22
	for _, spec := range ops.Standard.All() {
		if spec.Domain == ops.Private {
			continue
		}
		for i, since := range spec.Since {
			if testing.Short() && i > 0 {
				break
			}
			t.Run(fmt.Sprintf("%s-%d", spec.Name, since), func(t *testing.T) {
				failed := map[string]bool{}
				c := callOf(spec, since)
				c.Layer = i == len(spec.Since)-1
				for what, m := range c.Calls() {
					if err := attempt(m); err != nil && !failed[firstOwn(err)] {
						failed[firstOwn(err)] = true
						t.Errorf("%s: %s", what, firstOwn(err))
					}
				}
			})
		}
	}
}

// callOf describes spec with values for all of its attributes.
func callOf(spec *graph.Spec, since int) testkit.Call {
	public := func(fs []graph.Formal) int {
		if i := slices.IndexFunc(fs, func(f graph.Formal) bool { return f.Private }); i >= 0 {
			return i
		}
		return len(fs)
	}
	c := testkit.Call{Domain: spec.Domain, Op: spec.Name, Opset: int64(since), In: public(spec.In), Out: public(spec.Out),
		Bodies: spec.Bodies}
	if spec.Name == "Loop" || spec.Name == "Scan" {
		c.BodyFormals = c.In
	}
	typ := reflect.TypeOf(spec.NewAttrs()).Elem()
	for i := range typ.NumField() {
		tag, ok := typ.Field(i).Tag.Lookup("onnx")
		if !ok || !strings.Contains(tag, ",required") {
			continue
		}
		name, _, _ := strings.Cut(tag, ",")
		a := &onnxpb.AttributeProto{Name: &name}
		switch typ.Field(i).Type.Kind() {
		case reflect.Slice:
			a.Type, a.Ints = onnxpb.AttributeProto_INTS.Enum(), []int64{1, 1}
		case reflect.String:
			a.Type, a.S = onnxpb.AttributeProto_STRING.Enum(), []byte("FLOAT")
		case reflect.Float32:
			a.Type, a.F = onnxpb.AttributeProto_FLOAT.Enum(), new(float32(1))
		default:
			a.Type, a.I = onnxpb.AttributeProto_INT.Enum(), new(int64(1))
		}
		c.Attrs = append(c.Attrs, a)
	}
	return c
}

// firstOwn is the message of err with the first lines of the engine in its stack.
func firstOwn(err error) string {
	out, rest, _ := strings.Cut(err.Error(), "\n")
	k := 0
	for line := range strings.SplitSeq(rest, "\n") {
		line = strings.TrimSpace(line)
		if strings.Contains(line, ".go:") && strings.Contains(line, "/engine/") && !strings.Contains(line, "_test.go") {
			if k++; k > 4 {
				break
			}
			out += "\n      " + line[strings.LastIndex(line[:strings.LastIndex(line, "/")], "/")+1:]
		}
	}
	return out
}

// attempt does with a model what can be done with one. Only panics and what takes too long are errors.
func attempt(p *onnxpb.ModelProto) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	start := time.Now()
	check := func(what string, err error) error {
		if e, ok := errors.AsType[*exec.PanicError](err); ok {
			return fmt.Errorf("%s: %w\n%s", what, err, e.Stack)
		}
		if d := time.Since(start); d > 2*time.Second {
			return fmt.Errorf("%s after %v", what, d)
		}
		return nil
	}
	file := &onnx.Model{Proto: p}
	_ = file.Check()
	m, err := engine.Load(file, engine.WithThreads(1))
	if err != nil {
		return check("load", err)
	}
	if _, err := m.Inspect(nil); err != nil {
		if err := check("inspect", err); err != nil {
			return err
		}
	}
	m.Batch()
	feeds := map[string]*tensor.Tensor{}
	var wrt, params []string
	for i, shape := range m.Sizes(1) {
		in := m.Inputs()[i]
		if n, err := shape.CheckedLen(in.DType); err != nil || n > 1<<16 {
			return nil
		}
		feeds[in.Name] = tensor.New(in.DType, shape...)
		if graph.Differentiable(in.DType) {
			wrt = append(wrt, in.Name)
		}
	}
	for p := range m.Params() {
		if p.Trainable {
			wrt, params = append(wrt, p.Name), append(params, p.Name)
		}
	}
	var first string
	for _, out := range m.Outputs() {
		m.BatchAxis(out.Name)
		if _, err := m.Head(out.Name); err != nil {
			continue
		}
		_, _, _ = m.Range(out.Name)
		if first == "" && graph.Differentiable(out.DType) {
			first = out.Name
		}
	}
	ctx, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	run := func(what string, q engine.Query) error {
		s, err := m.Session(q)
		if err == nil {
			_, err = s.Run(ctx, feeds)
		}
		return check(what, err)
	}
	if err := run("run", engine.Query{}); err != nil || first == "" {
		return err
	}
	total := func(b *engine.Build) (graph.Value, error) {
		v, err := b.Value(first)
		if err != nil {
			return 0, err
		}
		return b.Add(ops.ReduceSum, ops.KeepDims(false), v), nil
	}
	if err := run("gradient", engine.Query{Loss: total, Grad: wrt, Dropout: true, BN: engine.BNTrain}); err != nil {
		return err
	}
	if err := run("per example", engine.Query{Loss: total, PerExample: params}); err != nil {
		return err
	}
	if _, err := m.Export(engine.Query{Loss: total, Grad: wrt}); err != nil {
		return check("export", err)
	}
	out, err := m.Save()
	if err == nil {
		_, err = out.WriteTo(io.Discard)
	}
	return check("save", err)
}

// A part of a Split that has no name counts all the same, at the end too.
func TestUnnamedPart(t *testing.T) {
	g := &onnxpb.GraphProto{
		Node:   []*onnxpb.NodeProto{onnx.NewNode("Split", "n", []string{"x"}, []string{"y", "", ""})},
		Input:  []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", tensor.Float32, 6)},
		Output: []*onnxpb.ValueInfoProto{onnx.ValueInfo("y", tensor.Float32, 2)},
	}
	m, err := engine.Load(onnx.NewModel(g, 13))
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Session(engine.Query{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Run(t.Context(), map[string]*tensor.Tensor{"x": tensor.From([]float32{1, 2, 3, 4, 5, 6}, 6)})
	if err != nil {
		t.Fatal(err)
	}
	if y := r.Value("y"); !slices.Equal(y.F32(), []float32{1, 2}) {
		t.Errorf("got %v", tensor.Format(y))
	}
}

// What is wrong with a node is said by node, operator, what it has and what it takes.
func TestArityMessages(t *testing.T) {
	for _, c := range []struct {
		op      string
		in, out []string
		want    string
	}{
		{"Sum", nil, []string{"y"}, `node "n" (Sum): has no inputs; Sum takes at least 1 input (data_0 …)`},
		{"Conv", []string{"x"}, []string{"y"}, `has no input 1 (W); Conv takes 2 or 3 inputs (X, W, optional B)`},
		{"Conv", []string{"x", "x", "x", "x"}, []string{"y"}, `has 4 inputs; Conv takes 2 or 3 inputs`},
		{"MaxPool", []string{"x"}, []string{"y", "i", "z"}, `has 3 outputs; MaxPool takes 1 or 2 outputs (Y, optional Indices)`},
		{"Relu", []string{"x"}, nil, `has no outputs; Relu takes 1 output (Y)`},
		{"TopK", []string{"x", "x"}, []string{"", "y"}, `has no output 0 (Values); TopK takes 2 outputs (Values, Indices)`},
		{"If", []string{"x"}, []string{"y"}, `has no graph in attribute then_branch; If takes graphs in then_branch and else_branch`},
		{"Constant", []string{"x"}, []string{"y"}, `has 1 inputs; Constant takes none`},
	} {
		g := &onnxpb.GraphProto{
			Node:  []*onnxpb.NodeProto{onnx.NewNode(c.op, "n", c.in, c.out)},
			Input: []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", tensor.Float32, 6)},
		}
		_, err := engine.Load(onnx.NewModel(g, 13))
		if e, ok := errors.AsType[*onnx.FormatError](err); !ok || !strings.Contains(e.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.op, err, c.want)
		}
	}
}
