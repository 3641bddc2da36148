package job

import (
	"context"
	"fmt"
	"math"
	"path/filepath"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/report"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
	"github.com/gtk-onnx/gtk/train"
)

func (d *demo) exportStep(ctx context.Context, s *DemoStep) error {
	t, err := task.OfModel(d.digits.Model, task.Options{})
	if err != nil {
		return err
	}
	names, err := train.Select(d.digits.Model, nil, false)
	if err != nil {
		return err
	}
	loss := t.Mean()
	file, err := d.digits.Export(engine.Query{Loss: loss, Grad: names})
	if err != nil {
		return err
	}
	path := filepath.Join(d.dir, "digits-gradients.onnx")
	if err := file.WriteFile(path, onnx.WriteOptions{Force: true}); err != nil {
		return err
	}
	off, err := d.compareExport(ctx, path, engine.Query{Loss: loss, Grad: names}, names)
	if err != nil {
		return err
	}
	nodes := len(file.Proto.GetGraph().GetNode())
	s.Command = "gtk export digits.onnx -o out.onnx"
	s.Says = fmt.Sprintf("digits.onnx, and its loss with all gradients as one ONNX graph of %d nodes that any runtime can run (checked: "+
		"largest difference %.2g)", nodes, off)
	s.Values["nodes"], s.Values["max_abs"] = nodes, off
	d.page.Section("Export", "What was trained is an ordinary ONNX file, digits.onnx. Its training step is one too: the graph of the "+
		"loss and of the gradients by every weight, in ONNX's own operators.").Add(
		report.Facts{{Label: "Nodes", Value: fmt.Sprint(nodes), Detail: "digits-gradients.onnx"},
			{Label: "Largest difference", Value: fmt.Sprintf("%.2g", off), Detail: "of a gradient, read back and run as a plain model",
				Tone: report.Good}})
	return nil
}

// compareExport runs the exported graph of q as a plain model and returns how far its loss and gradients are from those of q.
func (d *demo) compareExport(ctx context.Context, path string, q engine.Query, names []string) (float64, error) {
	file, err := ReadModel(path)
	if err != nil {
		return 0, err
	}
	plain, err := engine.Load(file, engine.WithThreads(d.c.Threads))
	if err != nil {
		return 0, err
	}
	ds, err := data.Open("digits#test", data.Options{})
	if err != nil {
		return 0, err
	}
	a, err := d.digits.Session(q)
	if err != nil {
		return 0, err
	}
	b, err := plain.Session(engine.Query{})
	if err != nil {
		return 0, err
	}
	most := 0.0
	for batch, err := range data.Batches(ctx, ds, data.Sequential(16), 16, data.BatchOptions{Preprocess: d.digits.Pre}) {
		if err != nil {
			return 0, err
		}
		feeds := map[string]*tensor.Tensor{d.digits.Inputs()[0].Name: batch.X,
			task.LabelInput: tensor.From(batch.Labels, len(batch.Labels))}
		ra, err := a.Run(ctx, feeds)
		if err != nil {
			return 0, err
		}
		rb, err := b.Run(ctx, feeds)
		if err != nil {
			return 0, err
		}
		most = max(most, math.Abs(ra.Loss().Float64s()[0]-rb.Value("loss").Float64s()[0]))
		for _, n := range names {
			u, v := ra.Grad(n).Float64s(), rb.Value("grad:"+n).Float64s()
			for i := range u {
				most = max(most, math.Abs(u[i]-v[i]))
			}
		}
	}
	return most, nil
}
