package job_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// built is a file with a model of the nodes.
func built(t *testing.T, in, out []*onnxpb.ValueInfoProto, weights map[string]*tensor.Tensor, nodes ...*onnxpb.NodeProto) string {
	t.Helper()
	name := "test"
	g := &onnxpb.GraphProto{Name: &name, Input: in, Output: out, Node: nodes}
	for n, w := range weights {
		g.Initializer = append(g.Initializer, onnx.TensorToProto(n, w))
	}
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := onnx.NewModel(g, 17).WriteFile(path, onnx.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	return path
}

func info(name string, d tensor.DType, dims ...any) *onnxpb.ValueInfoProto {
	return onnx.ValueInfo(name, d, dims...)
}

func infos(v ...*onnxpb.ValueInfoProto) []*onnxpb.ValueInfoProto { return v }

func TestMeaning(t *testing.T) {
	node := onnx.NewNode
	w := func(d tensor.DType, shape ...int) map[string]*tensor.Tensor {
		x := tensor.New(tensor.Float32, shape...)
		for i := range x.F32() {
			x.F32()[i] = float32(i%7)/7 - 0.4
		}
		x, err := x.Convert(d)
		if err != nil {
			t.Fatal(err)
		}
		return map[string]*tensor.Tensor{"w": x}
	}
	const f, h = tensor.Float32, tensor.Float16
	for name, c := range map[string]struct {
		model   string
		kind    task.Kind
		classes int
		batch   job.BatchReport
		why     string
		tasks   int
	}{
		"sigmoid": {built(t, infos(info("x", f, "N", 4)), infos(info("y", f, "N", 1)), w(f, 4, 1),
			node("MatMul", "m", []string{"x", "w"}, []string{"z"}), node("Sigmoid", "s", []string{"z"}, []string{"y"})),
			task.Binary, 2, job.BatchReport{}, "behind Sigmoid", 0},
		"half precision": {built(t, infos(info("x", h, "N", 4)), infos(info("y", h, "N", 3)), w(h, 4, 3),
			node("MatMul", "m", []string{"x", "w"}, []string{"y"})),
			task.Multiclass, 3, job.BatchReport{}, "without an activation", 0},
		"exported for one": {built(t, infos(info("x", f, 1, 4)), infos(info("y", f, 1, 3)), w(f, 4, 3),
			node("MatMul", "m", []string{"x", "w"}, []string{"y"})),
			task.Multiclass, 3, job.BatchReport{Declared: 1, Proven: true}, "", 0},
		"examples mix": {built(t, infos(info("x", f, 2, 4)), infos(info("y", f, 2, 3)), w(f, 4, 3),
			node("MatMul", "m", []string{"x", "w"}, []string{"z"}), node("CumSum", "c", []string{"z", "axis"}, []string{"y"}),
			node("Constant", "a", nil, []string{"axis"}, onnx.AttrInt("value_int", 0))),
			task.Multiclass, 3, job.BatchReport{Takes: 2, Declared: 2}, "", 0},
		"two outputs": {built(t, infos(info("x", f, "N", 4)), infos(info("y", f, "N", 3), info("x2", f, "N", 4)), w(f, 4, 3),
			node("MatMul", "m", []string{"x", "w"}, []string{"y"}), node("Tanh", "t", []string{"x"}, []string{"x2"})),
			"", 0, job.BatchReport{}, "--output NAME", 2},
	} {
		r, err := job.Inspect(job.InspectConfig{Model: c.model, Threads: 1})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		sum := 0
		for _, l := range r.Layers {
			sum += l.Parameters
		}
		if r.Task == nil || r.Task.Kind != c.kind || r.Task.Classes != c.classes || len(r.Tasks) != c.tasks ||
			!strings.Contains(strings.Join(r.Task.Why, "\n"), c.why) {
			t.Errorf("%s: task %+v, of outputs %v", name, r.Task, r.Tasks)
		}
		if r.Batch == nil || *r.Batch != c.batch || !r.Trains || sum != r.Parameters || sum == 0 {
			t.Errorf("%s: batch %+v, trains %v %s, %d of %d parameters", name, r.Batch, r.Trains, r.Why, sum, r.Parameters)
		}
	}
}

// TestFixedNumbers lists what is stored and not trained.
func TestFixedNumbers(t *testing.T) {
	path := built(t, infos(info("x", tensor.Float32, "N", 4)), infos(info("y", tensor.Float32, "N", 4)), map[string]*tensor.Tensor{
		"w": tensor.From([]float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, 4, 4), "low": tensor.Scalar(float32(-1)),
	}, onnx.NewNode("MatMul", "m", []string{"x", "w"}, []string{"z"}), onnx.NewNode("Clip", "c", []string{"z", "low"}, []string{"y"}))
	r, err := job.Inspect(job.InspectConfig{Model: path, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.NotTrained) != 1 || r.NotTrained[0].Name != "low" || r.NotTrained[0].Why == "" || r.NotTrained[0].State ||
		r.Parameters != 16 {
		t.Errorf("%+v, %d parameters", r.NotTrained, r.Parameters)
	}
}

// TestAllThatIsMissing names operators behind other missing ones, and counts as the table of operators does.
func TestAllThatIsMissing(t *testing.T) {
	path := built(t, infos(info("x", tensor.Float32, "N", 4)), infos(info("y", tensor.Float32, "N", 4)), nil,
		onnx.NewNode("NoSuch", "a", []string{"x"}, []string{"b"}), onnx.NewNode("NoSuch", "c", []string{"b"}, []string{"d"}),
		onnx.NewNode("Relu", "r", []string{"d"}, []string{"e"}), onnx.NewNode("NorThis", "f", []string{"e"}, []string{"y"}))
	_, err := job.Import(job.ImportConfig{Model: path})
	if err == nil || !strings.Contains(err.Error(), "NoSuch") || !strings.Contains(err.Error(), "2 in all") ||
		!strings.Contains(err.Error(), "NorThis") || strings.Contains(err.Error(), "Relu") {
		t.Error(err)
	}
}

// TestOneCountOfOperators has the doctor and the table agree.
func TestOneCountOfOperators(t *testing.T) {
	r, err := job.Operators(job.OperatorsConfig{})
	if err != nil {
		t.Fatal(err)
	}
	all, gradient := r.Names()
	if d := job.Doctor("test", 1); d.Operators != all || gradient >= all || gradient < 100 {
		t.Errorf("the doctor counts %d operators, the table %d, %d with a gradient", d.Operators, all, gradient)
	}
}
