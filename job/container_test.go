package job_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// declared is a value of type d in the interface of a model.
func declared(name string, d tensor.DType) *onnxpb.ValueInfoProto {
	return &onnxpb.ValueInfoProto{Name: &name, Type: onnx.TypeOf(d)}
}

// save writes a model of nodes from inputs to outputs into a folder of the test.
func save(t *testing.T, name string, in, out []*onnxpb.ValueInfoProto, nodes ...*onnxpb.NodeProto) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	m := onnx.NewModel(&onnxpb.GraphProto{Name: &name, Node: nodes, Input: in, Output: out,
		Initializer: []*onnxpb.TensorProto{onnx.TensorToProto("zero", tensor.Scalar(int64(0)))}}, 18)
	if err := m.WriteFile(path, onnx.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	return path
}

func node(op string, in, out string, attrs ...*onnxpb.AttributeProto) *onnxpb.NodeProto {
	return onnx.NewNode(op, "", strings.Fields(in), strings.Fields(out), attrs...)
}

func npz(t *testing.T, arrays ...tensor.Named) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "in.npz")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := tensor.WriteNPZ(f, arrays); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRunContainers feeds sequences and optionals from files, and writes what a model gives.
func TestRunContainers(t *testing.T) {
	half := tensor.SequenceOf(tensor.Float16)
	grow := save(t, "grow.onnx", []*onnxpb.ValueInfoProto{declared("xs", half)}, []*onnxpb.ValueInfoProto{declared("ys", half)},
		node("SequenceAt", "xs zero", "a"), node("Add", "a a", "b"), node("SequenceInsert", "xs b", "ys"))
	one, err := tensor.From([]float32{1, 2}, 2).Convert(tensor.Float16)
	if err != nil {
		t.Fatal(err)
	}
	file := npz(t, tensor.Named{Name: "a", Tensor: one}, tensor.Named{Name: "b", Tensor: tensor.From([]float32{7}, 1)})
	out := filepath.Join(t.TempDir(), "out")
	r, err := job.Run(context.Background(), job.RunConfig{Model: grow, Files: []string{"xs=" + file}, Out: out}, nil)
	if err != nil {
		t.Fatal(err)
	}
	items := r.Values[0].Tensor.Items()
	if len(items) != 3 || items[2].DType() != tensor.Float16 || items[2].Float64s()[1] != 4 || len(r.Outputs[0].Items) != 3 {
		t.Errorf("%v, %+v", r.Values[0].Tensor, r.Outputs)
	}
	if r, err = job.Run(context.Background(), job.RunConfig{Model: grow, Files: []string{r.Outputs[0].Path, file}}, nil); err != nil {
		t.Fatal(err)
	}
	if n := len(r.Values[0].Tensor.Items()); n != 3+2+1 {
		t.Errorf("%d elements of two files", n)
	}

	opt := tensor.OptionalOf(tensor.Float32)
	has := save(t, "has.onnx", []*onnxpb.ValueInfoProto{declared("o", opt)}, []*onnxpb.ValueInfoProto{declared("h", tensor.Bool)},
		node("OptionalHasElement", "o", "h"))
	for word, want := range map[string]bool{"none": false, file: true} {
		if word == file {
			word = npz(t, tensor.Named{Name: "o", Tensor: tensor.From([]float32{7}, 1)})
		}
		r, err := job.Run(context.Background(), job.RunConfig{Model: has, Files: []string{"o=" + word}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := tensor.Data[bool](r.Values[0].Tensor)[0]; got != want {
			t.Errorf("%s: %v", word, got)
		}
	}

	for _, c := range []struct {
		do   func() error
		want string
	}{
		{func() error {
			_, err := job.Run(context.Background(), job.RunConfig{Model: grow, Files: []string{grow}}, nil)
			return err
		}, "is read from a .pb file, or as its elements"},
		{func() error {
			_, err := job.Run(context.Background(), job.RunConfig{Model: grow, Files: []string{npz(t, tensor.Named{Name: "a",
				Tensor: tensor.From([]int64{1}, 1)})}}, nil)
			return err
		}, "has type int64, want float16"},
		{func() error {
			_, err := job.Bench(context.Background(), job.BenchConfig{Model: grow}, nil)
			return err
		}, "cannot be made up"},
		{func() error {
			_, err := job.Evaluate(context.Background(), job.EvaluateConfig{Model: grow, Data: "digits"}, nil)
			return err
		}, "is no tensor"},
	} {
		if err := c.do(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}
