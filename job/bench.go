package job

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/internal/registry"
	"github.com/gtk-onnx/gtk/internal/regular"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
	"github.com/gtk-onnx/gtk/train"
)

// BenchConfig says what is timed.
type BenchConfig struct {
	Model string // file, or builtin:NAME; required
	ModelOptions
	Mode    string   // infer, train or grand; "" means infer
	Inputs  []string // NAME=SHAPE[:dtype] such as input=8x3x224x224, or NAME=FILE; all others are made up
	Batch   int      // batch size where the model leaves it open; 0 means 1
	N       int      // timed runs; 0 means 20
	Warmup  *int     // runs before those; nil means 3
	BN      string   // batch normalisation in training: frozen or train; "" means frozen
	Loss    string   // name of a loss; "" or auto go by the output
	Profile bool     // note where the time goes, by operator and by node
	Flame   string   // SVG file to write the profile to as a flame chart
	Force   bool     // replace Flame if it is there
	Memory  int64    // bytes that a training step may plan for values, by recomputing; 0 means any
	Scaling []int    // numbers of threads to predict the time for, from traces of one thread
	DryRun  bool     // make the plan, run nothing
	Seed    uint64   // of the inputs and labels that are made up
}

// BenchReport is how long a model takes.
type BenchReport struct {
	Schema     string           `json:"schema"`
	Model      string           `json:"model"`
	Mode       string           `json:"mode"`
	Batch      int              `json:"batch"`
	Inputs     map[string][]int `json:"inputs"`
	Loss       string           `json:"loss,omitempty"`
	BN         string           `json:"bn,omitempty"`
	Threads    int              `json:"threads"`
	ISA        string           `json:"isa"`
	N          int              `json:"n"`
	LoadMs     Number           `json:"load_ms"`
	MedianMs   Number           `json:"median_ms"`
	BestMs     Number           `json:"best_ms"`
	P90Ms      Number           `json:"p90_ms"`
	PerSecond  Number           `json:"examples_per_second"`
	MACs       int64            `json:"macs"`
	GFLOPS     Number           `json:"gflops"`
	ArenaMiB   Number           `json:"arena_mib"`
	LimitMiB   Number           `json:"memory_limit_mib,omitempty"`
	PeakRSSMiB Number           `json:"peak_rss_mib"`
	DryRun     bool             `json:"dry_run,omitempty"`
	Flame      string           `json:"flame,omitempty"`
	Scaling    *Scaling         `json:"scaling,omitempty"`
	Limit      Number           `json:"limit_gflops,omitempty"` // of all threads, by multiply-adds; with a profile, where it is known
	Profile    []ProfileRow     `json:"profile,omitempty"`
	Nodes      []NodeRow        `json:"nodes,omitempty"` // in the order in which they run
}

// maxScaling is the most threads that a time is predicted for.
const maxScaling = 1024

// bencher is a model prepared for being timed.
type bencher struct {
	l       *Model
	s       *engine.Session
	feeds   map[string]*tensor.Tensor
	names   []string // parameters that are differentiated by
	params  []*optim.Param
	opt     *optim.Optimizer
	steps   int
	profile *profiler // nil without a profile
	r       *BenchReport
}

// Bench times the inference, the training step or the gradient norms of a model.
func Bench(ctx context.Context, c BenchConfig, rep Reporter) (*BenchReport, error) {
	rep = orQuiet(rep)
	c.Mode, c.Batch, c.N, c.BN, c.Loss = cmp.Or(c.Mode, "infer"), cmp.Or(c.Batch, 1), cmp.Or(c.N, 20), cmp.Or(c.BN, "frozen"),
		cmp.Or(c.Loss, "auto")
	if c.Warmup == nil {
		c.Warmup = new(3)
	}
	r := &BenchReport{Schema: "gtk.bench/1", Model: c.Model, Mode: c.Mode, Batch: c.Batch, N: c.N, ISA: kernel.CurrentISA().String(),
		DryRun: c.DryRun}
	if modes := []string{"infer", "train", "grand"}; !slices.Contains(modes, r.Mode) {
		return nil, usagef("--mode %q: want infer, train or grand%s", r.Mode, registry.Hint(r.Mode, modes))
	}
	if r.N < 1 || *c.Warmup < 0 {
		return nil, usagef("--n must be at least 1 and --warmup at least 0")
	}
	if c.Flame != "" && c.DryRun {
		return nil, usagef("--flame %s: nothing is timed with --dry-run", units.Quote(c.Flame))
	}
	if i := slices.IndexFunc(c.Scaling, func(n int) bool { return n < 1 || n > maxScaling }); i >= 0 {
		return nil, usagef("--scaling %d: want numbers of threads from 1 to %d", c.Scaling[i], maxScaling)
	}
	if c.Memory > 0 && r.Mode != "train" {
		return nil, usagef("--memory-limit is for --mode train: what is computed again is what gradients need")
	}
	if len(c.Scaling) > 0 && c.DryRun {
		return nil, usagef("--scaling: nothing is timed with --dry-run")
	}
	c.Profile = c.Profile || c.Flame != ""
	release, err := claim(reads(c.Model, c.ModelOptions), output{flag: "--flame", path: c.Flame, force: c.Force})
	if err != nil {
		return nil, err
	}
	defer release()
	l, err := openModel(c.Model, c.ModelOptions, rep)
	if err != nil {
		return nil, err
	}
	if len(c.Inputs) == 0 && c.Batch == 1 {
		ctx = exec.MadeUp(ctx)
	}
	b := &bencher{l: l, r: r}
	if err := b.prepare(ctx, c); err != nil {
		return nil, chosenSizes(l.Model, c.Inputs, c.Batch, err)
	}
	if !r.DryRun {
		if err := b.measure(ctx, c, rep); err != nil {
			return nil, chosenSizes(l.Model, c.Inputs, c.Batch, err)
		}
	}
	if len(c.Scaling) > 0 {
		if r.Scaling, err = scaling(ctx, c, rep); err != nil {
			return nil, err
		}
	}
	if c.Flame != "" {
		r.Flame = c.Flame
		if err := WriteFile(c.Flame, func(f io.Writer) error { return writeFlame(f, r) }); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// prepare makes the session and what it is fed.
func (b *bencher) prepare(ctx context.Context, c BenchConfig) error {
	r, l := b.r, b.l
	ins, err := synthetic(l.Model, c.Inputs, r.Batch)
	if err != nil {
		return err
	}
	var sizes shapes
	r.Inputs = map[string][]int{}
	for _, in := range ins {
		sizes = append(sizes, in.shape)
		r.Inputs[in.in.Name] = append([]int{}, in.shape...)
	}
	if len(sizes) > 0 && len(sizes[0]) > 0 && len(c.Inputs) > 0 {
		r.Batch = sizes[0][0]
	}
	in, err := l.Inspect(sizes)
	if err != nil {
		return badInput(fmt.Errorf("%s: inputs of these sizes do not fit; give them with --input NAME=SHAPE: %w", l.Path, err))
	}
	r.MACs, r.Threads = in.MACs, l.Pool().Threads()
	if b.feeds, err = fill(ins, c.Seed); err != nil {
		return err
	}
	start := time.Now()
	q, err := b.query(ctx, c)
	if err != nil {
		return err
	}
	if b.s, err = l.Session(q); err != nil {
		return badInput(fmt.Errorf("%s: mode %s: %w", l.Path, r.Mode, err))
	}
	r.LoadMs = Number(units.Ms(l.Read + l.Prepare + time.Since(start)))
	return nil
}

// query is what is timed; it adds labels or targets to the feeds.
func (b *bencher) query(ctx context.Context, c BenchConfig) (engine.Query, error) {
	r, l := b.r, b.l
	if r.Mode == "infer" {
		return engine.Query{}, nil
	}
	bn := engine.BNFrozen
	switch r.BN = c.BN; r.BN {
	case "frozen":
	case "train":
		bn = engine.BNTrain
		if r.Mode == "grand" {
			return engine.Query{}, usagef("--mode grand needs --bn frozen: with the statistics of the batch, no example has a gradient " +
				"of its own")
		}
	default:
		return engine.Query{}, usagef("--bn %q: want frozen or train", r.BN)
	}
	var err error
	if b.names, err = train.Select(l.Model, nil, false); err != nil {
		return engine.Query{}, err
	}
	if len(b.names) == 0 {
		return engine.Query{}, badInput(fmt.Errorf("%s has no weights to train", l.Path))
	}
	t, err := b.taskOf(c.Loss)
	if err != nil {
		return engine.Query{}, err
	}
	r.Loss = t.Name
	size, err := b.size(ctx, t.Fetch())
	if err != nil {
		return engine.Query{}, err
	}
	truth, err := t.Synthetic(rand.New(rand.NewPCG(c.Seed, 0x6c6162656c)), size, r.Batch)
	if err != nil {
		return engine.Query{}, badInput(err)
	}
	weights, loss := truth.Mean(), t.Total()
	if r.Mode == "grand" {
		weights, loss = truth.Own(), t.PerTerm()
	}
	rows := truth.Rows(weights)
	maps.Copy(b.feeds, rows.Same)
	maps.Copy(b.feeds, rows.Weight)
	if r.Mode == "grand" {
		return engine.Query{Loss: loss, PerExample: b.names}, nil
	}
	momentum := 0.9
	if b.opt, err = optim.New("sgd", optim.Config{Options: optim.Values{"momentum": momentum}}); err != nil {
		return engine.Query{}, err
	}
	l.Thaw()
	for _, n := range b.names {
		p, err := l.Param(n)
		if err != nil {
			return engine.Query{}, err
		}
		b.params = append(b.params, &optim.Param{Name: n, W: p.Value})
	}
	r.LimitMiB = Number(float64(c.Memory) / (1 << 20))
	return engine.Query{Loss: loss, Grad: b.names, BN: bn, Memory: int(c.Memory)}, nil
}

// taskOf is what the outputs mean for the shapes that are fed; numbers to be hit where they tell nothing.
func (b *bencher) taskOf(loss string) (*task.Task, error) {
	o := task.Options{Sizes: b.fed(), Loss: loss}
	t, err := task.OfModel(b.l.Model, o)
	var unknown *task.UnknownError
	if errors.As(err, &unknown) && (loss == "auto" || loss == "mse") {
		o.Kind, o.Output = "regression", b.l.Outputs()[0].Name
		t, err = task.OfModel(b.l.Model, o)
	}
	return t, useError(err)
}

// size is how many numbers the named value has for what is fed; the model is run where its shapes do not tell.
func (b *bencher) size(ctx context.Context, name string) (int, error) {
	known, err := b.l.Shapes(b.fed(), name)
	if err != nil {
		return 0, badInput(err)
	}
	if known[0] != nil {
		return known[0].Len(), nil
	}
	s, err := b.l.Session(engine.Query{Fetch: []string{name}})
	if err != nil {
		return 0, badInput(err)
	}
	res, err := s.Run(exec.MadeUp(ctx), b.feeds)
	if err != nil {
		return 0, err
	}
	return res.Value(name).Len(), nil
}

// fed are the shapes of what is fed, in the order of the inputs.
func (b *bencher) fed() []tensor.Shape {
	var sizes []tensor.Shape
	for _, in := range b.l.Inputs() {
		sizes = append(sizes, b.feeds[in.Name].Shape())
	}
	return sizes
}

// run does what is timed once.
func (b *bencher) run(ctx context.Context) error {
	res, err := b.s.Run(ctx, b.feeds)
	if err != nil {
		return err
	}
	if b.opt == nil {
		return nil
	}
	ps := b.params[:0:0]
	for _, p := range b.params {
		if p.G = res.Grad(p.Name); p.G != nil {
			ps = append(ps, p)
		}
	}
	b.steps++
	if b.profile != nil {
		defer b.profile.step(time.Now())
	}
	return b.opt.Step(b.l.Pool(), optim.Step{N: b.steps, LR: 1e-6}, ps)
}

func (b *bencher) measure(ctx context.Context, c BenchConfig, rep Reporter) error {
	r := b.r
	for range *c.Warmup {
		if err := b.run(ctx); err != nil {
			return err
		}
	}
	if c.Profile {
		b.profile = newProfiler(b.s, r.Threads)
	}
	debug.FreeOSMemory() // what was garbage of the preparation
	bar := rep.Stage("bench", r.N)
	defer bar.End()
	times := make([]float64, r.N)
	for i := range times {
		start := time.Now()
		if err := b.run(ctx); err != nil {
			return err
		}
		times[i] = units.Ms(time.Since(start))
		bar.Set(i+1, "")
	}
	slices.Sort(times)
	median := (times[(r.N-1)/2] + times[r.N/2]) / 2
	r.MedianMs, r.BestMs, r.P90Ms = Number(median), Number(times[0]), Number(times[int(math.Ceil(0.9*float64(r.N)))-1])
	r.PerSecond = Number(float64(r.Batch) / median * 1000)
	work := 2 * float64(r.MACs)
	if r.Mode != "infer" {
		work *= 3
	}
	r.GFLOPS = Number(work / median / 1e6)
	r.ArenaMiB = Number(float64(b.s.ArenaBytes()) / (1 << 20))
	r.PeakRSSMiB = Number(peakRSS() / (1 << 20))
	if b.profile != nil {
		b.profile.report(r)
	}
	return nil
}

// peakRSS is the most memory that the process had, in bytes: VmHWM where the system tells it, else what the Go runtime took.
func peakRSS() float64 {
	if b, err := regular.Read("/proc/self/status", 1<<20); err == nil {
		for line := range bytes.Lines(b) {
			if f := bytes.Fields(line); len(f) >= 2 && string(f[0]) == "VmHWM:" {
				if kib, err := strconv.ParseFloat(string(f[1]), 64); err == nil {
					return kib * 1024
				}
			}
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.Sys)
}
