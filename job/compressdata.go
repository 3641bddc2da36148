package job

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/gtk-onnx/gtk/compress"
	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// open opens the data and makes the subject of the method. Where the task is not understood quality is not measured, unless it was asked
// for or the method needs it.
func (x *compression) open(ctx context.Context) error {
	c, l := x.c, x.before
	x.s = &compress.Subject{Model: l.Model, MACs: c.MACs, Keep: c.Keep, Batch: max(0, c.BatchSize), Epochs: c.Epochs, Seed: c.Seed,
		Tell: telling{x}}
	spec := c.Data
	if spec == "" {
		spec = c.Val
	}
	if spec == "" {
		x.note("there are no data to measure on: quality before and after is not known; give --val or --data")
		return nil
	}
	u, err := openUse(l, spec, c.DataOptions, c.UseOptions)
	if err != nil {
		return err
	}
	u.labelled()
	x.u = u
	train, val := u.ds, u.ds
	switch {
	case c.Val != "" && c.Data != "":
		classes, read := l.Labels, c.UseOptions.remembered(l)
		if classes == nil {
			classes = u.ds.Classes()
		}
		if val, err = data.Open(c.Val, readOptions(u.named(c.DataOptions), classes, read, u.pre)); err != nil {
			return fmt.Errorf("--val: %w", err)
		}
		val = data.Labelled(val)
	case c.ValSplit > 0:
		if train, val, err = data.Split(u.ds, c.ValSplit, c.Seed); err != nil {
			return err
		}
	}
	if x.r.Measured = c.Val; c.Val == "" {
		x.r.Measured = c.Data
	}
	loss, err := c.loss(u.classNames(u.ds))
	if err != nil {
		return err
	}
	var unknown *task.UnknownError
	need := x.method.Needs()
	switch err := u.understand(ctx, c.UseOptions, loss); {
	case err == nil:
		x.val = val
		x.r.Task, x.r.Why = string(u.task.Kind), u.task.Why
		x.rep.Say(u.task.String())
	case !errors.As(err, &unknown) || need.Labels || c.Epochs > 0 || c.Val != "" || c.UseOptions.Task != "":
		return err
	default:
		x.note("quality before and after is not known: %v", err)
	}
	for _, n := range u.notes {
		x.note("%s", n)
	}
	if x.val != nil && c.Data != "" && c.Val == "" && c.ValSplit == 0 {
		x.note("quality is measured on the data that the method sees: give --val, or --val-split 0.2, for examples that it does not")
	}
	x.s.Feed, x.s.Task, x.s.Pre = u.plan, u.task, u.pre
	if c.Data != "" {
		x.s.Data = train
	}
	return nil
}

// understood is the use of another model with the same inputs and outputs, its task decided for it as for the first.
func (x *compression) understood(ctx context.Context, m *engine.Model) (*use, error) {
	v, err := x.u.with(m)
	if err != nil {
		return nil, err
	}
	loss, err := x.c.loss(v.classNames(v.ds))
	if err != nil {
		return nil, err
	}
	o := x.c.UseOptions
	if o.Output == "" {
		o.Output = x.u.task.Head.Output
	}
	if err := v.understand(ctx, o, loss); err != nil {
		return nil, fmt.Errorf("the smaller model: %w", err)
	}
	return v, nil
}

// costs are the operations of m on one example, and the numbers that its file stores, in any precision.
func costs(m *engine.Model) (macs int64, parameters int, err error) {
	in, err := m.Inspect(m.Sizes(1))
	if err != nil {
		return 0, 0, badInput(fmt.Errorf("how many operations the model does cannot be told: %w", err))
	}
	for t := range m.File().Tensors() {
		if d := tensor.DType(t.Proto.GetDataType()); d == tensor.Int64 || d == tensor.Bool || d == tensor.String { // shapes, places, words
			continue
		}
		n := 1
		for _, d := range t.Proto.GetDims() {
			n *= int(d)
		}
		parameters += n
	}
	return in.MACs, parameters, nil
}

// counter counts what is written.
type counter int64

func (n *counter) Write(p []byte) (int, error) { *n += counter(len(p)); return len(p), nil }

// fileSizes are the bytes of a model with its weights inside, and those that gzip makes of them.
func fileSizes(m *onnx.Model) (bytes, zipped int64, err error) {
	var all, small counter
	z := gzip.NewWriter(&small)
	if _, err = m.WriteTo(both{&all, z}); err != nil {
		return 0, 0, err
	}
	return int64(all), int64(small), z.Close()
}

// both writes to two.
type both struct {
	n *counter
	z *gzip.Writer
}

func (b both) Write(p []byte) (int, error) {
	_, _ = b.n.Write(p)
	return b.z.Write(p)
}

// keepZero sets parameters to zero where they are to stay so.
func keepZero(m *engine.Model, zero map[string][]bool) error {
	for name, z := range zero {
		p, err := m.Param(name)
		if err != nil {
			return err
		}
		compress.Clear(p.Value, z)
	}
	return nil
}

// sample are inputs of m: those of the first n examples of the data, or made-up ones.
func (x *compression) sample(ctx context.Context, m *engine.Model, n int) (*feed.Plan, map[string]*tensor.Tensor, context.Context, error) {
	if x.u == nil {
		ins, err := synthetic(m, nil, n)
		if err != nil {
			return nil, nil, ctx, err
		}
		feeds, err := fill(ins, x.c.Seed)
		return feed.Direct(m), feeds, graph.FewTrips(exec.MadeUp(ctx)), err
	}
	plan, err := x.u.plan.With(m)
	if err != nil {
		return nil, nil, ctx, err
	}
	o := data.BatchOptions{Preprocess: x.u.pre}
	rows := data.SamplerFunc(func(int) []int { // of few examples, over again
		order := make([]int, n)
		for i := range order {
			order[i] = i % x.u.ds.Len()
		}
		return order
	})
	for b, err := range data.Batches(ctx, x.u.ds, rows, n, o) {
		if err != nil {
			return nil, nil, ctx, err
		}
		feeds, err := plan.Feeds(b.Clone())
		return plan, feeds, ctx, err
	}
	return nil, nil, ctx, badInput(errors.New("the data set is empty"))
}

// outputs are the outputs of m on a sample of n.
func (x *compression) outputs(ctx context.Context, m *engine.Model, n int) (out [][]float64, err error) {
	plan, feeds, ctx, err := x.sample(ctx, m, n)
	if err != nil {
		return nil, err
	}
	s, err := m.Session(engine.Query{})
	if err != nil {
		return nil, err
	}
	err = plan.RunFeeds(ctx, s, feeds, n, feed.Rows{}, func(p feed.Part) error {
		for _, o := range m.Outputs() {
			for _, t := range tensorsOf(p.Value(o.Name), "") {
				out = append(out, slices.Clone(t.Tensor.Float64s()))
			}
		}
		return nil
	})
	return out, err
}

// readBack compares the written file with the model that was written.
func (x *compression) readBack(ctx context.Context, small *engine.Model) (*ReadBack, error) {
	file, err := ReadModel(x.c.Out)
	if err != nil {
		return nil, fmt.Errorf("reading the written model back: %w", err)
	}
	again, err := loadAgain(file, x.c.Threads)
	if err != nil {
		return nil, fmt.Errorf("the written model: %w", err)
	}
	v := &ReadBack{N: 1}
	if x.u != nil {
		v.N = min(8, x.u.ds.Len())
	}
	was, err := x.outputs(ctx, small, v.N)
	if err != nil {
		return nil, err
	}
	is, err := x.outputs(ctx, again, v.N)
	if err != nil {
		return nil, fmt.Errorf("the written model does not run: %w", err)
	}
	d := distance(was, is)
	v.MaxAbs, v.Pass = Number(d), d == 0
	return v, nil
}

// time times both models on the same inputs, one run of each in turn, so that what else the machine does falls on both.
func (x *compression) time(ctx context.Context, small *engine.Model) error {
	n, runs := x.c.batch(), x.c.LatencyRuns
	if runs == 0 {
		runs = 30
	}
	var run [2]func() error
	for i, m := range []*engine.Model{x.before.Model, small} {
		plan, feeds, ctx, err := x.sample(ctx, m, n)
		if err != nil {
			return err
		}
		s, err := m.Session(engine.Query{})
		if err != nil {
			return err
		}
		run[i] = func() error {
			return plan.RunFeeds(ctx, s, feeds, n, feed.Rows{}, func(feed.Part) error { return nil })
		}
	}
	bar := x.rep.Stage("latency", runs)
	defer bar.End()
	var ms [2][]float64
	for k := range runs + 3 { // the first are for warming up
		for i := range run {
			start := time.Now()
			if err := run[i](); err != nil {
				return err
			}
			if k >= 3 {
				ms[i] = append(ms[i], units.Ms(time.Since(start)))
			}
		}
		bar.Set(max(0, k-2), "")
	}
	var median [2]float64
	for i := range ms {
		slices.Sort(ms[i])
		median[i] = (ms[i][(runs-1)/2] + ms[i][runs/2]) / 2
	}
	r := x.r
	r.LatencyBefore, r.LatencyAfter = Number(median[0]), Number(median[1])
	r.Latency = &LatencyReport{Batch: n, Threads: small.Pool().Threads(), Runs: runs, BestBefore: Number(ms[0][0]),
		BestAfter: Number(ms[1][0]),
		Ratio:     Number(median[0] / median[1])}
	return nil
}

// missing is a number that is not known.
func missing() Number { return Number(math.NaN()) }
