package runtimes

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/gtk-onnx/gtk/cli"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// recorded writes a model and a case of what the engine makes of it, off by the given number.
func recorded(t *testing.T, name string, off float32) (model, golden string) {
	t.Helper()
	m, err := models.New(name, models.Options{Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	model = filepath.Join(dir, "m.onnx")
	if err := m.WriteFile(model, onnx.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	feeds, want := reference(t, m)
	write := func(file string, vs map[string]*tensor.Tensor) {
		for name, v := range vs { // one input, one output
			p := onnx.TensorToProto(name, v)
			b, err := proto.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, file), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, v := range want {
		v.F32()[0] += off
	}
	write("input_0.pb", feeds)
	write("output_0.pb", want)
	return model, dir
}

func TestVerify(t *testing.T) {
	lenet, golden := recorded(t, "lenet", 0)
	_, off := recorded(t, "lenet", 0.1)
	lstm, lstmGolden := recorded(t, "lstm", 0)
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{lenet + " --golden " + golden + " --runtime onnx-go", 0, "onnx-go: the output agrees"},
		{lenet + " --golden " + golden + " --runtime gorgonia", 0, "gorgonia: the output agrees"},
		{lenet + " --golden " + golden + " --runtime gtk", 0, "the output agrees"},
		{lenet + " --golden " + off + " --runtime onnx-go", 1, "onnx-go: the output differs"},
		{lenet + " --golden " + off + " --runtime gorgonia", 1, "gorgonia: the output differs"},
		{lstm + " --golden " + lstmGolden + " --runtime onnx-go", 3, "LSTM not implemented"},
		{lstm + " --golden " + lstmGolden + " --runtime gorgonia", 3, "operator LSTM is missing"},
		{lenet + " --golden " + golden + " --runtime gorgon", 2, `unknown runtime "gorgon"`},
		{lenet + " " + lenet + " --runtime gorgonia", 2, "--golden"},
	} {
		var out, errs bytes.Buffer
		code := cli.Main(append([]string{"gtk", "verify"}, strings.Fields(c.args)...), strings.NewReader(""), &out, &errs)
		if said := out.String() + errs.String(); code != c.code || !strings.Contains(said, c.says) {
			t.Errorf("gtk verify %s: exit code %d, want %d; says, without %q:\n%s", c.args, code, c.code, c.says, said)
		}
	}
}

type broken struct{ wait bool }

func (b broken) Run(ctx context.Context, _ map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
	if b.wait {
		select {}
	}
	panic("no such thing")
}

// TestGuard has a runtime that panics, and one that never ends.
func TestGuard(t *testing.T) {
	lenet, golden := recorded(t, "lenet", 0)
	for name, wait := range map[string]bool{"test-panics": false, "test-waits": true} {
		job.Runtimes.Register(name, func(*onnx.Model) (job.Runner, error) { return broken{wait}, nil }, "for a test", "")
	}
	cfg := job.VerifyConfig{Model: lenet, Golden: golden, Runtime: "test-panics"}
	if _, err := job.Verify(t.Context(), cfg, nil); err == nil || !strings.Contains(err.Error(), "test-panics panics: no such thing") {
		t.Error(err)
	}
	ctx, stop := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	stop(enough)
	cfg.Runtime = "test-waits"
	if _, err := job.Verify(ctx, cfg, nil); !errors.Is(err, enough) {
		t.Error(err)
	}
}

// TestReductions compares what gorgonia makes of reductions over several axes, which it has wrong, with the engine.
func TestReductions(t *testing.T) {
	for _, op := range []string{"ReduceSum", "ReduceMean", "ReduceMax"} {
		n := onnx.NewNode(op, op, []string{"x"}, []string{"y"}, onnx.AttrInts("axes", 2, 3), onnx.AttrInt("keepdims", 0))
		m := single(n, 11, 2, 3, 4, 5)
		feeds, want := reference(t, m)
		if why := fails(t.Context(), newGorgonia, m, feeds, want, 1e-5, 1e-6); why != "" {
			t.Errorf("%s: %s", op, why)
		}
	}
}

// TestOnnxGoAgain runs a model twice: the first run must not change the second, as in a graph of gorgonnx it does.
func TestOnnxGoAgain(t *testing.T) {
	m, err := models.New("lenet", models.Options{Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	r, err := newOnnxGo(m)
	if err != nil {
		t.Fatal(err)
	}
	feeds := map[string]*tensor.Tensor{m.Inputs()[0].GetName(): testkit.RandN(1, 1, 1, 28, 28)}
	a, err := r.Run(t.Context(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	b, err := r.Run(t.Context(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	for name := range a {
		if ok, rep := tensor.AllClose(a[name], b[name], 0, 0); !ok {
			t.Error(rep)
		}
	}
}

// single is a model of one node from x, of the given shape, to y.
func single(n *onnxpb.NodeProto, opset int64, shape ...any) *onnx.Model {
	out := onnx.ValueInfo("y", tensor.Float32)
	out.GetType().GetTensorType().Shape = nil
	return onnx.NewModel(&onnxpb.GraphProto{Name: new("single"), Node: []*onnxpb.NodeProto{n},
		Input: []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", tensor.Float32, shape...)}, Output: []*onnxpb.ValueInfoProto{out}}, opset)
}
