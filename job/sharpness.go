package job

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/internal/registry"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/probe"
	"github.com/gtk-onnx/gtk/tensor"
	"github.com/gtk-onnx/gtk/train"
)

// SharpnessConfig says of what the directional sharpness is measured.
type SharpnessConfig struct {
	Model string // file, or builtin:NAME; required
	ModelOptions
	Data               string       // data set, FORMAT:PATH[#SPLIT]; required
	DataOptions        data.Options // of reading
	UseOptions                      // what inputs and outputs mean
	NumClasses         string       // as in FinetuneConfig, as are the next two
	Standardise        bool         //
	StandardiseTargets bool         //
	TrainOptions                    // of the trajectory; Schedule and Warmup are not used
	Along              []string     // directions, NAME:OPTION=VALUE… of probe.Rules; nil means DefaultAlong
	Warm               []int        // steps of the trajectory after which is measured, rising; nil means 20
	Batches            int          // that the loss is the mean over; 0 means 4
	Hessian            string       // exact, differences or auto; "" means auto
	Lanczos            int          // most products for the largest curvature; 0 means 40, negative leaves it out
	Out                string       // folder for report.html and curves.csv, or FILE.html; "" for none
	Replay             []byte       // content of the run.yaml that is written into the folder; nil for none
	Force              bool         // write over what is there
	Seed               uint64       // of everything random
}

// DefaultAlong are the directions that are measured when none are named.
var DefaultAlong = []string{"sgd", "clip:0.1", "sign", "adam", "adam-clip:0.5"}

// SharpnessReport is the loss around the weights, at the last point; Points has all.
type SharpnessReport struct {
	Schema    string  `json:"schema"`
	Model     string  `json:"model"`
	Data      string  `json:"data"`
	Task      string  `json:"task"`
	LossName  string  `json:"loss_name"`
	Optimizer string  `json:"optimizer"` // of the trajectory
	LR        float64 `json:"lr"`        // likewise
	BatchSize int     `json:"batch_size"`
	Batches   int     `json:"batches"`               // that the loss is the mean over
	N         int     `json:"n"`                     // examples in them
	Params    int     `json:"params"`                // numbers that are trained
	Hessian   string  `json:"hessian"`               // exact, or differences
	Why       string  `json:"hessian_why,omitempty"` // it is not exact
	SharpnessPoint
	Points  []SharpnessPoint `json:"points"`
	Out     string           `json:"out,omitempty"`
	Report  string           `json:"report,omitempty"`
	Seconds float64          `json:"seconds"`
	Notes   []string         `json:"notes,omitempty"`
}

// SharpnessPoint is what is measured after a number of steps.
type SharpnessPoint struct {
	Step          int                  `json:"step"`
	Loss          float64              `json:"loss"`
	GradientNorm  float64              `json:"gradient_norm"`
	WeightNorm    float64              `json:"weight_norm"`
	LambdaMax     Number               `json:"lambda_max"` // the largest eigenvalue of the Hessian; null where it was left out
	LambdaMaxRes  Number               `json:"lambda_max_residual"`
	LambdaMin     Number               `json:"lambda_min"`
	LambdaMinRes  Number               `json:"lambda_min_residual"`
	LanczosSteps  int                  `json:"lanczos_products"`
	LanczosEnough bool                 `json:"lanczos_converged"`
	Limit         Number               `json:"limit"` // 2/lr, from which curvature on plain gradient descent at that rate diverges
	Above         bool                 `json:"above"` // LambdaMax is above it
	Directions    []SharpnessDirection `json:"directions"`
}

// SharpnessDirection is the loss along the next step of an optimiser. Numbers that do not exist are null.
type SharpnessDirection struct {
	Name      string           `json:"name"`
	Sharpness float64          `json:"sharpness"` // vᵀHv/‖v‖²
	Slope     float64          `json:"slope"`     // ⟨∇f,v⟩/‖v‖
	BestStep  Number           `json:"best_step"` // −slope/sharpness, as a distance
	BestRate  Number           `json:"best_rate"` // the learning rate that goes so far
	Predicted Number           `json:"predicted_decrease"`
	Measured  Number           `json:"measured_decrease"`
	Norm      float64          `json:"norm"`   // ‖v‖
	Cosine    float64          `json:"cosine"` // with the steepest descent
	Top1      float64          `json:"top1_share"`
	Top10     float64          `json:"top10_share"`
	Curve     []SharpnessCurve `json:"curve"`
}

// SharpnessCurve is the loss at a distance along a direction, as it is and by slope and curvature alone.
type SharpnessCurve struct {
	Distance  float64 `json:"distance"`
	Loss      Number  `json:"loss"`
	Quadratic Number  `json:"quadratic"`
}

// check refuses what cannot be meant, and fills in what is usual.
func (c *SharpnessConfig) check() error {
	if c.Along == nil {
		c.Along = DefaultAlong
	}
	if c.Warm == nil {
		c.Warm = []int{20}
	}
	c.Batches, c.Schedule, c.Warmup = cmp.Or(c.Batches, 4), "constant", ""
	switch {
	case c.Data == "":
		return usagef("gtk probe sharpness: --data is missing; see gtk data --list")
	case c.Batches < 1:
		return usagef("--batches %d: want at least 1", c.Batches)
	case len(c.Along) == 0 || slices.Contains(c.Along, ""):
		return usagef("--along %q: want names of directions with commas between; see gtk probe sharpness --list", strings.Join(c.Along, ","))
	case !slices.Contains([]string{"", "auto", "exact", "differences"}, c.Hessian):
		return usagef("--hessian %q: want auto, exact or differences%s", c.Hessian, registry.Hint(c.Hessian, []string{"auto", "exact",
			"differences"}))
	}
	if name, does := c.evaluates(); does {
		return usagef("%s: directions follow the true gradients of batches, and it evaluates the loss itself: take a rule that is handed "+
			"them", name)
	}
	for i, n := range c.Warm {
		if n < 0 || i > 0 && n <= c.Warm[i-1] {
			return usagef("--warm %v: want numbers of steps, each larger than the one before", c.Warm)
		}
	}
	if err := probe.Check(c.Along...); err != nil {
		return usagef("--along: %v; see gtk probe sharpness --list", err)
	}
	for i, a := range c.Along {
		if slices.Contains(c.Along[:i], a) {
			return usagef("--along: %s is named twice", a)
		}
	}
	return nil
}

// sharpness is a measurement in progress.
type sharpness struct {
	*finetuning
	c       SharpnessConfig
	l       *probe.Landscape
	shadows *probe.Shadows
	r       *SharpnessReport
	rep     Reporter
}

// Sharpness measures how the loss curves along the steps that optimisers would take next (probe.Landscape.Measure), each warmed on the
// gradients of one training of a copy of the model in memory. Examples, batches and weights are the same for all.
func Sharpness(ctx context.Context, c SharpnessConfig, rep Reporter) (*SharpnessReport, error) {
	rep = orQuiet(rep)
	if err := c.check(); err != nil {
		return nil, err
	}
	out := output{flag: "--out", path: c.Out, folder: !c.page(), force: c.Force}
	release, err := claim(reads(c.Model, c.ModelOptions, c.Data), out)
	if err != nil {
		return nil, err
	}
	defer release()
	start := time.Now()
	f, err := FinetuneConfig{
		Model: c.Model, ModelOptions: c.ModelOptions, Data: c.Data, DataOptions: c.DataOptions, UseOptions: c.UseOptions,
		NumClasses:  c.NumClasses,
		Standardise: c.Standardise, StandardiseTargets: c.StandardiseTargets, TrainOptions: c.TrainOptions, Seed: c.Seed,
	}.prepare(ctx, rep)
	if err != nil {
		return nil, err
	}
	s := &sharpness{finetuning: f, c: c, rep: rep}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	rep.Say(f.task.String())
	rep.Say(fmt.Sprintf("%d examples in %d batches, %d parameters; the directions follow %s at lr %g", s.r.N, s.r.Batches, s.r.Params,
		s.r.Optimizer, s.r.LR))
	if err := s.follow(ctx); err != nil {
		return nil, err
	}
	s.r.Seconds = time.Since(start).Seconds()
	return s.r, s.write()
}

// begin makes the landscape and the directions.
func (s *sharpness) begin(ctx context.Context) error {
	f, c := s.finetuning, s.c
	var sampler data.Sampler = data.Sequential(f.train.Len())
	if f.cfg.Shuffle { // data that are sorted begin with one class
		sampler = data.Shuffled(f.train.Len(), c.Seed)
	}
	size := f.cfg.Batch(f.train.Len())
	var batches []*data.Batch
	o := data.BatchOptions{Preprocess: f.pre, Masks: f.task.Masks()}
	for b, err := range data.Batches(ctx, f.train, sampler, size, o) {
		if err != nil {
			return err
		}
		if batches = append(batches, b.Clone()); len(batches) == c.Batches {
			break
		}
	}
	if n := len(batches); n < c.Batches {
		s.tell("the data have %d batches of %d, so the loss is the mean over all examples", n, size)
	}
	var err error
	s.l, err = probe.New(f.Model.Model, probe.Config{Params: f.cfg.Params, Task: f.task, Feed: f.plan, Batches: batches,
		Hessian: probe.Hessian(c.Hessian)})
	if err != nil {
		return err
	}
	if s.shadows, err = probe.Follow(s.l.Space, c.Along...); err != nil {
		return err
	}
	how, why := s.l.Products()
	if why != "" {
		s.tell("products with the Hessian are differences of gradients, to a few digits: %s", why)
	}
	s.r = &SharpnessReport{
		Schema: "gtk.probe-sharpness/1", Model: f.Path, Data: c.Data, Task: string(f.task.Kind), LossName: f.task.Name, LR: f.lr,
		Optimizer: f.optimizer(), BatchSize: size, Batches: len(batches), N: s.l.Examples(), Params: s.l.Len(), Hessian: string(how), Why: why,
		Out: c.Out,
	}
	return nil
}

// follow trains, and measures on the way.
func (s *sharpness) follow(ctx context.Context) error {
	last := s.c.Warm[len(s.c.Warm)-1]
	if s.c.Warm[0] == 0 {
		if err := s.measure(ctx, 0); err != nil {
			return err
		}
	}
	if last == 0 {
		return nil
	}
	stage := s.rep.Stage("trajectory", last)
	defer stage.End()
	cfg := s.cfg
	cfg.Val, cfg.MaxSteps, cfg.Epochs, cfg.Note = nil, last, last, s.rep.Note
	cfg.Reduce = func(_ context.Context, ps []*optim.Param) error {
		g := map[string]*tensor.Tensor{}
		for _, p := range ps {
			g[p.Name] = p.G
		}
		s.shadows.See(func(name string) *tensor.Tensor { return g[name] })
		return nil
	}
	cfg.Step = func(p train.Progress) error {
		stage.Step(p)
		if !slices.Contains(s.c.Warm, p.Step) {
			return nil
		}
		return s.measure(ctx, p.Step)
	}
	_, err := train.Fit(ctx, s.Model.Model, s.train, cfg)
	return err
}

// measure measures after a step.
func (s *sharpness) measure(ctx context.Context, step int) error {
	stage := s.rep.Stage(fmt.Sprintf("sharpness at step %d", step), len(s.c.Along)+1)
	defer stage.End()
	done := 0
	p, err := s.l.Measure(ctx, s.shadows, probe.Options{Flat: s.c.Lanczos < 0,
		Lanczos: probe.LanczosOptions{Most: max(0, s.c.Lanczos), Seed: s.c.Seed},
		Stage: func(what string) {
			stage.Set(done, what)
			done++
		}})
	if err != nil {
		return badInput(fmt.Errorf("at step %d: %w", step, err))
	}
	x := SharpnessPoint{Step: step, Loss: p.Loss, GradientNorm: p.Gradient, WeightNorm: p.Weights, Limit: Number(2 / s.lr)}
	nan := Number(math.NaN())
	x.LambdaMax, x.LambdaMaxRes, x.LambdaMin, x.LambdaMinRes = nan, nan, nan, nan
	if e := p.Spectrum; e != nil {
		x.LambdaMax, x.LambdaMaxRes, x.LambdaMin, x.LambdaMinRes = Number(e.Max.Value), Number(e.Max.Residual), Number(e.Min.Value),
			Number(e.Min.Residual)
		x.LanczosSteps, x.LanczosEnough, x.Above = e.Products, e.Converged, e.Max.Value > 2/s.lr
		if !e.Converged {
			s.tell("at step %d: the largest curvature is known to ±%.2g only after %d products; --lanczos takes more", step, e.Max.Residual,
				e.Products)
		}
	}
	var uphill, open []string
	for _, m := range p.Directions {
		d := SharpnessDirection{Name: m.Name, Sharpness: m.Sharpness, Slope: m.Slope, BestStep: Number(m.BestStep),
			BestRate: Number(m.BestRate), Predicted: Number(m.Predicted), Measured: Number(m.Measured), Norm: m.Norm, Cosine: m.Cosine,
			Top1: m.Top1, Top10: m.Top10}
		for _, k := range m.Curve {
			d.Curve = append(d.Curve, SharpnessCurve{k.Distance, Number(k.Loss), Number(k.Quadratic)})
		}
		x.Directions = append(x.Directions, d)
		switch {
		case m.Slope >= 0:
			uphill = append(uphill, m.Name)
		case m.Sharpness <= 0:
			open = append(open, m.Name)
		}
		if m.Note != "" && step == s.c.Warm[len(s.c.Warm)-1] {
			s.tell("%s: %s", m.Name, m.Note)
		}
	}
	if step < s.c.Warm[len(s.c.Warm)-1] {
		uphill, open = nil, nil // the tables show it
	}
	if len(uphill) > 0 {
		s.tell("at step %d the steps of %s lead uphill: what they remember of the trajectory points against the gradient", step,
			strings.Join(uphill, ", "))
	}
	if len(open) > 0 {
		s.tell("at step %d the loss does not curve upwards along %s: the quadratic model has no best step there", step,
			strings.Join(open, ", "))
	}
	s.r.SharpnessPoint = x
	s.r.Points = append(s.r.Points, x)
	return nil
}

// tell notes what is worth knowing.
func (s *sharpness) tell(format string, args ...any) {
	n := fmt.Sprintf(format, args...)
	s.notes = append(s.notes, n)
	s.rep.Note(n)
}
