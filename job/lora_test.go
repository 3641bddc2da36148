package job_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// quantisedClassifier writes a classifier of 12 numbers whose one weight is stored in 8 bits, and rows for it.
func quantisedClassifier(t *testing.T, dir string) (model, rows string) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	q := make([]int8, 12*4)
	for i := range q {
		q[i] = int8(r.IntN(200) - 100)
	}
	g := &onnxpb.GraphProto{Name: new("quantised"), Node: []*onnxpb.NodeProto{
		onnx.NewNode("DequantizeLinear", "dq", []string{"w_q", "w_s", "w_z"}, []string{"w"}),
		onnx.NewNode("MatMul", "layer", []string{"x", "w"}, []string{"y"}),
	}, Input: []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", tensor.Float32, "N", 12)},
		Output: []*onnxpb.ValueInfoProto{onnx.ValueInfo("y", tensor.Float32, "N", 4)}}
	for name, x := range map[string]*tensor.Tensor{"w_q": tensor.From(q, 12, 4), "w_s": tensor.Scalar(float32(0.01)),
		"w_z": tensor.Scalar(int8(3))} {
		g.Initializer = append(g.Initializer, onnx.TensorToProto(name, x))
	}
	model, rows = filepath.Join(dir, "q.onnx"), filepath.Join(dir, "rows.csv")
	if err := onnx.NewModel(g, 17).WriteFile(model, onnx.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for k := range 12 {
		fmt.Fprintf(&b, "f%d,", k)
	}
	b.WriteString("label\n")
	for i := range 200 {
		for k := range 12 {
			v := r.NormFloat64()
			if k == i%4 {
				v += 3
			}
			fmt.Fprintf(&b, "%.4f,", v)
		}
		fmt.Fprintf(&b, "c%d\n", i%4)
	}
	if err := os.WriteFile(rows, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return model, rows
}

// A quantised weight gets an adapter beside it, alone, or becomes real numbers; merged it is refused before the work, with the way out.
func TestFinetuneLoRAQuantised(t *testing.T) {
	dir := t.TempDir()
	model, rows := quantisedClassifier(t, dir)
	at := func(name string) string { return filepath.Join(dir, name) }
	c := job.FinetuneConfig{Model: model, Data: rows, ValSplit: 0.25, Epochs: 8, Out: at("merged.onnx"),
		TrainOptions: job.TrainOptions{LR: 0.05}, LoRA: &job.LoRA{Rank: 2}}
	_, err := job.Finetune(t.Context(), c, nil)
	if job.KindOf(err) != job.KindOf(&job.UsageError{}) || !strings.Contains(err.Error(), `"w_q" (of 1) is quantised`) ||
		!strings.Contains(err.Error(), "--lora-form beside") {
		t.Errorf("merged: %v", err)
	}
	for _, form := range []string{"beside", "dequantised"} {
		c.LoRA = &job.LoRA{Rank: 2, Form: form, Out: []string{at(form + ".onnx_adapter"), at(form + ".patch.onnx")}}
		c.Out = at(form + ".onnx")
		r, err := job.Finetune(t.Context(), c, nil)
		if err != nil {
			t.Fatal(form, err)
		}
		if r.Params != 32 || r.LoRA.Parameters != 32 || r.LoRA.Of != 48 || len(r.LoRA.Files) != 3 || !r.Verify.Pass {
			t.Errorf("%s: %d parameters, %+v, %+v", form, r.Params, r.LoRA, r.Verify)
		}
		if !(r.After.Accuracy > r.Before.Accuracy && r.After.Accuracy > 0.7) {
			t.Errorf("%s: accuracy %v after %v", form, r.After.Accuracy, r.Before.Accuracy)
		}
		for i, file := range c.LoRA.Out {
			x := job.ExportConfig{From: model, Out: at(fmt.Sprintf("%s.%d.onnx", form, i)),
				Adapter: &job.AdapterOptions{File: file, Form: form}}
			e, err := job.Export(t.Context(), x)
			if err != nil {
				t.Fatal(form, file, err)
			}
			v, err := job.Verify(t.Context(), job.VerifyConfig{Model: x.Out, Other: c.Out, Rtol: 1e-4, Atol: 1e-4}, nil)
			if err != nil || e.Adapter.Parameters != 32 {
				t.Errorf("%s, %s: %v, %v", form, file, v, err)
			}
			x.Out, x.Adapter = at("x.onnx"), &job.AdapterOptions{File: file}
			var usage *job.UsageError
			if _, err := job.Export(t.Context(), x); !errors.As(err, &usage) || !strings.Contains(err.Error(), "--adapter-form beside") {
				t.Errorf("%s merged: %v", file, err)
			}
		}
	}
}
