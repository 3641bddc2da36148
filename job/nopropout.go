package job

import (
	"context"
	"fmt"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/report"
	"github.com/gtk-onnx/gtk/train"
)

// joined reports whether the model that is written has another one before the blocks that are trained.
func (t *trainee) joined() bool { return t.denoising != nil && t.denoising.site != nil }

// verifyJoined reads the written model back and compares what it gives for a few examples with what the blocks give for their features.
func (t *trainee) verifyJoined(ctx context.Context, path string, threads int) (*ReadBack, error) {
	file, err := ReadModel(path)
	if err != nil {
		return nil, fmt.Errorf("reading the written model back: %w", err)
	}
	again, err := engine.Load(file, engine.WithThreads(threads))
	if err != nil {
		return nil, fmt.Errorf("loading the written model: %w", err)
	}
	plan, err := t.denoising.before.plan.With(again)
	if err != nil {
		return nil, fmt.Errorf("the written model: %w", err)
	}
	v := &ReadBack{N: min(8, t.train.Len())}
	var was, is [][]float64
	for b, err := range data.Batches(ctx, t.train, data.Sequential(v.N), v.N, data.BatchOptions{}) {
		if err != nil {
			return nil, err
		}
		if was, err = outputsOf(ctx, t.plan, b); err != nil {
			return nil, err
		}
	}
	o := data.BatchOptions{Preprocess: t.denoising.before.pre}
	for b, err := range data.Batches(ctx, t.denoising.train, data.Sequential(v.N), v.N, o) {
		if err != nil {
			return nil, err
		}
		parts, err := outputsOf(ctx, plan, b)
		if err != nil {
			return nil, err
		}
		is = [][]float64{nil}
		for _, x := range parts { // of a model that takes its own number of examples; the last ones may be padding
			is[0] = append(is[0], x...)
		}
	}
	if len(is) == 1 && len(was) == 1 && len(is[0]) > len(was[0]) {
		is[0] = is[0][:len(was[0])]
	}
	most := 0.0
	for _, x := range was {
		most = max(most, mergedSlack(t.output(t.task.Head.Output).DType)*largest(x))
	}
	d := distance(was, is)
	v.MaxAbs, v.Pass = Number(d), d <= most
	return v, nil
}

// page adds a table of how the blocks compare.
func (denoised) page(f *finetuning, p *report.Report, _ *train.Result) bool {
	r := f.denoising.report
	if r.NoProp == nil {
		return false
	}
	t := report.Table{Head: []string{"The chain trained", "Accuracy", "Loss", "Seconds"}, Numeric: []int{1, 2, 3}}
	row := func(name string, a *NoPropArm) {
		t.Rows = append(t.Rows, []report.Cell{report.C(name), report.C(MetricText("accuracy", float64(a.Val.Accuracy))),
			report.C(fmt.Sprintf("%.4g", float64(a.Val.Loss))), report.C(fmt.Sprintf("%.1f", a.Seconds))})
	}
	row("block by block", r.NoProp)
	t.Rows = append(t.Rows, []report.Cell{report.C(fmt.Sprintf("block by block, begun at noise (%d draws)", len(r.Sampled))),
		report.C(MetricText("accuracy", float64(r.Mean))), report.C(""), report.C("")})
	if r.Backprop != nil {
		row("by backpropagation, from the same weights", r.Backprop)
	}
	p.Section("NoProp", fmt.Sprintf("%s with %d blocks and a chain of %d steps, on the validation data.", r.Variant, r.Blocks, r.Steps)).Add(t)
	return false
}
