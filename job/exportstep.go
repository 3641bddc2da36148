package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
	"github.com/gtk-onnx/gtk/train"
)

// StepOptions say which training step Export writes in the place of the model: its loss, what is trained and the optimiser. Of
// TrainOptions those count that say how a step is taken, not how data are gone through.
type StepOptions struct {
	TrainOptions
	Task    string // one of task.KindNames; "" by the outputs
	Output  string // name of the output that is meant; "" the one that fits
	Initial string // file for a model that gives what the first step begins with; "" makes those the defaults of inputs
}

// exportStep writes a training step, reads it back and takes one on made-up examples, against the engine and the optimiser.
func exportStep(ctx context.Context, c ExportConfig) (*ExportReport, error) {
	if c.ExternalData || c.Inline {
		return nil, usagef("--external-data and --inline are for a model, not for its training step, whose weights are inside")
	}
	r := &ExportReport{Schema: "gtk.export/1", From: c.From, Out: c.Out, DryRun: c.DryRun, Initial: c.Step.Initial}
	path, err := modelOfRun(c.From)
	release, cerr := claim(reads(path, ModelOptions{}), output{flag: "--out", path: r.Out, force: c.Force},
		output{flag: "--initial", path: r.Initial, force: c.Force})
	if err = cmp.Or(cerr, err); err != nil {
		return nil, err
	}
	defer release()
	r.Path = path
	s, err := openStep(c, path)
	if err != nil {
		return nil, err
	}
	step, err := train.StepModel(s.m.Model, s.t, s.c)
	if err != nil {
		return nil, badInput(err)
	}
	if c.Opset != 0 {
		if step, _, err = converted(step, c.Opset, c.Threads); err != nil {
			return nil, err
		}
	}
	r.Opset = step.Opset("")
	var initial *onnx.Model
	if r.Initial != "" {
		if step, initial, err = train.SplitInitial(step); err != nil {
			return nil, err
		}
	}
	if !r.DryRun {
		for _, f := range []struct {
			path string
			m    **onnx.Model
		}{{r.Initial, &initial}, {r.Out, &step}} {
			if f.path == "" {
				continue
			}
			n := r.Bytes
			if *f.m, r.Bytes, err = writtenAndRead(f.path, *f.m, c.Force); err != nil {
				return nil, err
			}
			r.Bytes += n
		}
	}
	x, err := train.NewStepper(step, initial, engine.WithThreads(c.Threads))
	if err != nil {
		return nil, fmt.Errorf("the training step that was written: %w", err)
	}
	r.Step = &x.Info
	if r.Verify, err = s.verify(ctx, x, c.Seed); err != nil {
		return nil, err
	}
	if !r.Verify.Pass && r.Verify.Note == "" {
		return r, &NoError{"the step differs from that of the engine"}
	}
	return r, nil
}

// writtenAndRead writes m and gives what is in the file then, and its size.
func writtenAndRead(path string, m *onnx.Model, force bool) (*onnx.Model, int64, error) {
	if err := m.WriteFile(path, onnx.WriteOptions{Force: force}); err != nil {
		return nil, 0, err
	}
	st, err := os.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	m, err = onnx.ReadFile(path)
	return m, st.Size(), err
}

// stepExport is a model whose training step is written.
type stepExport struct {
	m *Model
	t *task.Task
	c train.StepConfig
}

func openStep(c ExportConfig, path string) (*stepExport, error) {
	o := c.Step
	m, err := OpenModel(path, ModelOptions{Threads: c.Threads}, engine.WithTrainable(o.Trainable...))
	if err != nil {
		return nil, err
	}
	spec, err := o.loss(m.Labels)
	if err != nil {
		return nil, err
	}
	if spec == "auto" {
		spec = ""
	}
	if name, does := o.evaluates(); does {
		return nil, usagef("%s: its step is several runs of the model, which no graph of one step can be; take sgd", name)
	}
	cfg, lr, err := o.config(m.Model, "frozen", c.Seed)
	if err != nil {
		return nil, err
	}
	t, err := task.OfModel(m.Model, task.Options{Kind: o.Task, Output: o.Output, Loss: spec, Classes: m.Labels})
	if err != nil {
		return nil, badInput(fmt.Errorf("a training step compares an output with the truth: %w", err))
	}
	return &stepExport{m, t, train.StepConfig{
		Params: cfg.Params, Optimizer: cfg.Optimizer, Rule: cmp.Or(o.Optimizer, "adam"), LR: lr, BN: cfg.BN, NoDecay1D: cfg.NoDecay1D,
	}}, nil
}

// madeUp are examples and a truth for them.
func (s *stepExport) madeUp(ctx context.Context, seed uint64) (map[string]*tensor.Tensor, error) {
	ins, err := synthetic(s.m.Model, nil, 2)
	if err != nil {
		return nil, err
	}
	feeds, err := fill(ins, seed)
	if err != nil {
		return nil, err
	}
	session, err := s.m.Session(engine.Query{Fetch: []string{s.t.Fetch()}})
	if err != nil {
		return nil, err
	}
	out, err := session.Run(graph.FewTrips(exec.MadeUp(ctx)), feeds)
	if err != nil {
		return nil, err
	}
	z := out.Value(s.t.Fetch())
	if z.Rank() == 0 || z.Dim(0) == 0 {
		return nil, fmt.Errorf("output %s of shape %v has no examples", s.t.Fetch(), z.Shape())
	}
	n, k := z.Dim(0), max(1, s.t.K)
	places := 1
	if s.t.Positions() {
		places = z.Len() / n / k
	}
	r := rand.New(rand.NewPCG(seed, 0x7472757468))
	if s.t.Loss.Classes() {
		y := make([]int64, n*places)
		for i := range y {
			y[i] = int64(r.IntN(max(1, s.t.NumClasses())))
		}
		shape := []int{n}
		if s.t.Positions() {
			shape = append(shape, places)
		}
		feeds[task.LabelInput] = tensor.From(y, shape...)
	} else {
		y := make([]float64, z.Len())
		for i := range y {
			y[i] = float64(r.IntN(2))
		}
		d := tensor.Float32
		if z.DType() == tensor.Float64 {
			d = tensor.Float64
		}
		if feeds[task.TargetInput], err = tensor.From(y, n, z.Len()/n).Convert(d); err != nil {
			return nil, err
		}
	}
	if s.t.Uneven() {
		w := make([]float32, n)
		for i := range w {
			w[i] = 1 / float32(n*places)
		}
		feeds[task.WeightInput] = tensor.From(w, n)
		if z.DType() == tensor.Float64 {
			if feeds[task.WeightInput], err = feeds[task.WeightInput].Convert(tensor.Float64); err != nil {
				return nil, err
			}
		}
	}
	return feeds, nil
}

// verify compares a step of x with the engine's loss and gradients, and with what the optimiser makes of the gradients that x gave.
func (s *stepExport) verify(ctx context.Context, x *train.Stepper, seed uint64) (*ExportVerify, error) {
	feeds, err := s.madeUp(ctx, seed)
	var usage *UsageError
	if errors.As(err, &usage) {
		return &ExportVerify{Note: err.Error()}, nil
	}
	if err != nil {
		return nil, err
	}
	loss := s.t.Mean()
	if s.t.Uneven() {
		loss = s.t.Total()
	}
	session, err := s.m.Session(engine.Query{Loss: loss, Grad: s.c.Params, BN: s.c.BN, Fixed: true})
	if err != nil {
		return nil, err
	}
	was := map[string]*tensor.Tensor{}
	for name := range x.Info.Grads {
		was[name] = x.State[name].Clone()
	}
	got, err := x.Step(graph.FewTrips(exec.MadeUp(ctx)), feeds)
	if err != nil {
		return nil, fmt.Errorf("the training step that was written does not run: %w", err)
	}
	want, err := session.Run(graph.FewTrips(exec.MadeUp(ctx)), feeds)
	if err != nil {
		return nil, err
	}
	v := &ExportVerify{Pass: true}
	top := 0.0
	for name := range x.Info.Grads {
		for _, g := range want.Grad(name).Float64s() {
			top = max(top, g, -g)
		}
	}
	check := func(a, b *tensor.Tensor, rel, abs float64) {
		ok, rep := tensor.AllClose(a, b, rel, abs)
		v.Pass, v.MaxAbs = v.Pass && ok, max(v.MaxAbs, Number(rep.MaxAbs))
	}
	check(got.Value(x.Info.Loss), want.Loss(), 1e-4, 1e-6)
	var ps []*optim.Param
	for _, name := range slices.Sorted(maps.Keys(x.Info.Grads)) {
		g := got.Value(x.Info.Grads[name])
		check(g, want.Grad(name), 1e-3, 1e-4*top)
		ps = append(ps, &optim.Param{Name: name, W: was[name], G: g.Clone(), Decay: !s.c.NoDecay1D || g.Rank() > 1})
	}
	if err := s.c.Optimizer.Step(s.m.Pool(), optim.Step{N: 1, LR: s.c.LR}, ps); err != nil {
		return &ExportVerify{Note: "on made-up examples " + err.Error()}, nil
	}
	for _, p := range ps {
		check(x.State[p.Name], p.W, 1e-5, 1e-6)
	}
	return v, nil
}
