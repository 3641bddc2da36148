package cli

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/tensor"
	"github.com/gtk-onnx/gtk/train"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register(command(&ucli.Command{
		Name: "bench", Usage: "time a model: inference, training steps or per-example gradient norms", ArgsUsage: "MODEL.onnx",
		Description: "infer  the outputs\n" +
			"train  forward, backward and a step of SGD with momentum, on made-up labels (cross-entropy for [N,K] outputs) or targets (mean squared error)\n" +
			"grand  the exact norm of the gradient of each example of a batch\n\n" +
			"gflops counts two operations for each multiply-accumulate of the layers, three times that with a backward pass, over the median time.",
		Flags: []ucli.Flag{
			&ucli.StringFlag{Name: "mode", Value: "infer", Usage: "infer, train or grand"},
			&ucli.StringSliceFlag{Name: "input", Usage: "`NAME=SHAPE[:dtype]` such as input=8x3x224x224, or NAME=FILE"},
			&ucli.IntFlag{Name: "batch", Value: 1, Usage: "batch size, where the model leaves it open"},
			&ucli.IntFlag{Name: "n", Value: 20, Usage: "timed runs"},
			&ucli.IntFlag{Name: "warmup", Value: 3, Usage: "runs before those"},
			&ucli.StringFlag{Name: "bn", Value: "frozen", Usage: "batch normalisation in training: frozen or train"},
			&ucli.StringFlag{Name: "loss", Value: "auto", Usage: "cross-entropy, mse, or auto: by the output"},
			&ucli.BoolFlag{Name: "profile", Usage: "show where the time goes, by operator"},
			&ucli.BoolFlag{Name: "list", Usage: "list the losses"},
			&ucli.BoolFlag{Name: "dry-run", Usage: "show the plan and the work, run nothing"},
		},
	}, benchCommand))
}

type benchReport struct {
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
	LoadMs     number           `json:"load_ms"`
	MedianMs   number           `json:"median_ms"`
	BestMs     number           `json:"best_ms"`
	P90Ms      number           `json:"p90_ms"`
	PerSecond  number           `json:"examples_per_second"`
	MACs       int64            `json:"macs"`
	GFLOPS     number           `json:"gflops"`
	ArenaMiB   number           `json:"arena_mib"`
	PeakRSSMiB number           `json:"peak_rss_mib"`
	DryRun     bool             `json:"dry_run,omitempty"`
	Profile    []profileRow     `json:"profile,omitempty"`
}

type profileRow struct {
	Op      string  `json:"op"`
	Calls   int     `json:"calls"`
	Ms      float64 `json:"ms"` // in one run
	Percent float64 `json:"percent"`
}

// bencher is a model prepared for being timed.
type bencher struct {
	l       *loaded
	s       *engine.Session
	feeds   map[string]*tensor.Tensor
	names   []string // parameters that are differentiated by
	params  []*optim.Param
	opt     *optim.Optimizer
	steps   int
	profile map[string]*profileRow
	r       *benchReport
}

func benchCommand(ctx context.Context, e *env, c *ucli.Context) error {
	if c.Bool("list") {
		return e.list(listOf(train.Losses().Entries()))
	}
	path, err := oneArg(c, "MODEL.onnx")
	if err != nil {
		return err
	}
	r := &benchReport{Schema: "gtk.bench/1", Model: path, Mode: c.String("mode"), Batch: c.Int("batch"), N: c.Int("n"), ISA: kernel.CurrentISA().String(), DryRun: c.Bool("dry-run")}
	if modes := []string{"infer", "train", "grand"}; !slices.Contains(modes, r.Mode) {
		return usagef("--mode %q: want infer, train or grand%s", r.Mode, suggestion(r.Mode, modes))
	}
	if r.N < 1 || c.Int("warmup") < 0 {
		return usagef("--n must be at least 1 and --warmup at least 0")
	}
	l, err := e.loadModel(c, path)
	if err != nil {
		return err
	}
	b := &bencher{l: l, r: r}
	if err := b.prepare(e, c); err != nil {
		return chosenSizes(l.Model, c, err)
	}
	if !r.DryRun {
		if err := b.measure(ctx, e, c); err != nil {
			return chosenSizes(l.Model, c, err)
		}
	}
	r.print(e)
	return e.emit(r)
}

// prepare makes the session and what it is fed.
func (b *bencher) prepare(e *env, c *ucli.Context) error {
	r, l := b.r, b.l
	ins, err := synthetic(l.Model, c.StringSlice("input"), r.Batch)
	if err != nil {
		return err
	}
	var sizes shapes
	r.Inputs = map[string][]int{}
	for _, in := range ins {
		sizes = append(sizes, in.shape)
		r.Inputs[in.in.Name] = append([]int{}, in.shape...)
	}
	if len(sizes) > 0 && len(sizes[0]) > 0 && c.IsSet("input") {
		r.Batch = sizes[0][0]
	}
	in, err := l.Inspect(sizes)
	if err != nil {
		return badInput(fmt.Errorf("%s: inputs of these sizes do not fit; give them with --input NAME=SHAPE: %w", l.Path, err))
	}
	r.MACs, r.Threads = in.MACs, l.Pool().Threads()
	if b.feeds, err = fill(ins, e.Seed); err != nil {
		return err
	}
	start := time.Now()
	q, err := b.query(c)
	if err != nil {
		return err
	}
	if b.s, err = l.Session(q); err != nil {
		return badInput(fmt.Errorf("%s: mode %s: %w", l.Path, r.Mode, err))
	}
	r.LoadMs = number(ms(l.Read + l.Prepare + time.Since(start)))
	return nil
}

// query is what is timed; it adds labels or targets to the feeds.
func (b *bencher) query(c *ucli.Context) (engine.Query, error) {
	r, l := b.r, b.l
	if r.Mode == "infer" {
		return engine.Query{}, nil
	}
	bn := engine.BNFrozen
	switch r.BN = c.String("bn"); r.BN {
	case "frozen":
	case "train":
		bn = engine.BNTrain
		if r.Mode == "grand" {
			return engine.Query{}, usagef("--mode grand needs --bn frozen: with the statistics of the batch, no example has a gradient of its own")
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
	head, err := l.Head("")
	if err != nil {
		return engine.Query{}, err
	}
	out, err := b.outputShape(head)
	if err != nil {
		return engine.Query{}, err
	}
	if r.Loss = c.String("loss"); r.Loss == "auto" {
		r.Loss = "mse"
		if classesOf(out) > 0 && head.Activation != "Sigmoid" {
			r.Loss = "cross-entropy"
		}
	}
	kind, err := train.Losses().Lookup(r.Loss)
	if err != nil {
		return engine.Query{}, usagef("--loss: %v", err)
	}
	rnd := rand.New(rand.NewPCG(c.Uint64("seed"), 0x6c6162656c))
	if kind.Labels {
		k := classesOf(out)
		if k == 0 {
			return engine.Query{}, usagef("--loss %s needs an output [N,K]; %q has shape %v; use --loss mse", r.Loss, head.Output, out)
		}
		labels := make([]int64, out[0])
		for i := range labels {
			labels[i] = int64(rnd.IntN(k))
		}
		b.feeds[train.LabelInput] = tensor.From(labels, len(labels))
	} else {
		t := tensor.New(tensor.Float32, out...)
		for i := range t.F32() {
			t.F32()[i] = float32(rnd.NormFloat64())
		}
		b.feeds[train.TargetInput] = t
	}
	if r.Mode == "grand" {
		return engine.Query{Loss: kind.Make(head, train.Sum), PerExample: b.names}, nil
	}
	momentum := 0.9
	if b.opt, err = optim.New("sgd", optim.Config{Momentum: &momentum}); err != nil {
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
	return engine.Query{Loss: kind.Make(head, train.Mean), Grad: b.names, BN: bn}, nil
}

// outputShape is the shape of the output that the loss is of, for the shapes that are fed.
func (b *bencher) outputShape(head engine.Head) (tensor.Shape, error) {
	s, err := b.l.Session(engine.Query{Fetch: []string{head.Output}})
	if err != nil {
		return nil, badInput(err)
	}
	res, err := s.Run(context.Background(), b.feeds)
	if err != nil {
		return nil, err
	}
	return slices.Clone(res.Value(head.Output).Shape()), nil
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
	return b.opt.Step(b.l.Pool(), optim.Step{N: b.steps, LR: 1e-6}, ps)
}

func (b *bencher) measure(ctx context.Context, e *env, c *ucli.Context) error {
	r := b.r
	for range c.Int("warmup") {
		if err := b.run(ctx); err != nil {
			return err
		}
	}
	if c.Bool("profile") {
		b.profile = map[string]*profileRow{}
		b.s.Trace = func(n *graph.Node, d time.Duration) {
			op := opName(n.Op.Domain, n.Op.Name)
			p := b.profile[op]
			if p == nil {
				p = &profileRow{Op: op}
				b.profile[op] = p
			}
			p.Calls++
			p.Ms += ms(d)
		}
	}
	runtime.GC()
	bar := e.newProgress("bench", r.N)
	times := make([]float64, r.N)
	for i := range times {
		start := time.Now()
		if err := b.run(ctx); err != nil {
			bar.end()
			return err
		}
		times[i] = ms(time.Since(start))
		bar.set(i+1, "")
	}
	bar.end()
	slices.Sort(times)
	median := (times[(r.N-1)/2] + times[r.N/2]) / 2
	r.MedianMs, r.BestMs, r.P90Ms = number(median), number(times[0]), number(times[int(math.Ceil(0.9*float64(r.N)))-1])
	r.PerSecond = number(float64(r.Batch) / median * 1000)
	work := 2 * float64(r.MACs)
	if r.Mode != "infer" {
		work *= 3
	}
	r.GFLOPS = number(work / median / 1e6)
	r.ArenaMiB = number(float64(b.s.ArenaBytes()) / (1 << 20))
	r.PeakRSSMiB = number(peakRSS() / (1 << 20))
	total := 0.0
	for _, p := range b.profile {
		total += p.Ms
	}
	for p := range maps.Values(b.profile) {
		r.Profile = append(r.Profile, profileRow{p.Op, p.Calls / r.N, p.Ms / float64(r.N), 100 * p.Ms / total})
	}
	slices.SortFunc(r.Profile, func(a, b profileRow) int { return cmp.Compare(b.Ms, a.Ms) })
	return nil
}

func (r *benchReport) print(e *env) {
	e.printf("%s: %s, batch %d, threads %d, %s\n", r.Model, r.Mode, r.Batch, r.Threads, r.ISA)
	t := e.newTable()
	for _, name := range slices.Sorted(maps.Keys(r.Inputs)) {
		t.row("input "+name, tensor.Shape(r.Inputs[name]))
	}
	if r.Loss != "" {
		t.row("loss", fmt.Sprintf("%s, batch normalisation %s", r.Loss, r.BN))
	}
	t.row("work", count(r.MACs)+" MACs forward")
	t.row("load", significant(float64(r.LoadMs))+" ms")
	if r.DryRun {
		t.row("timed runs", fmt.Sprintf("%d, not run (--dry-run)", r.N))
	} else {
		t.row("median", significant(float64(r.MedianMs))+" ms")
		t.row("best, p90", significant(float64(r.BestMs))+" ms, "+significant(float64(r.P90Ms))+" ms")
		t.row("speed", fmt.Sprintf("%s examples/s, %s GFLOPS", significant(float64(r.PerSecond)), significant(float64(r.GFLOPS))))
		t.row("memory", fmt.Sprintf("%s MiB planned for values, %s MiB peak of the process", significant(float64(r.ArenaMiB)), significant(float64(r.PeakRSSMiB))))
	}
	_ = t.flush() // to the terminal
	if len(r.Profile) == 0 {
		return
	}
	e.printf("\noperators\n")
	t = e.newTable(1, 2, 3)
	t.row("", "calls", "ms", "%")
	for _, p := range r.Profile {
		t.row(p.Op, p.Calls, fmt.Sprintf("%.3f", p.Ms), fmt.Sprintf("%.1f", p.Percent))
	}
	_ = t.flush()
}

// peakRSS is the most memory that the process had, in bytes: VmHWM where the system tells it, else what the Go runtime took.
func peakRSS() float64 {
	if b, err := os.ReadFile("/proc/self/status"); err == nil {
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
