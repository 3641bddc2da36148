package job

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
	"github.com/gtk-onnx/gtk/train"
)

// GBNNMethod is the FinetuneConfig.Method that trains a hidden layer before the output a few units at a time, by gradient boosting
// (package gbnn).
const GBNNMethod = "gbnn"

// GBNN says how units are boosted. The zero value is that of the paper's program.
type GBNN struct {
	Units     int     // of the hidden layer in all; 0 means 200
	Step      int     // units that are trained together; 0 means 1
	Eta       float64 // shrinks each step; 0 means 1
	Subsample float64 // share of the examples that a step sees; 0 means 0.5
	Iters     int     // of L-BFGS in a step; 0 means 200
	Alpha     float64 // of the penalty on weights in a step; 0 means 1e-4, negative none
	Features  string  // value of the model that units read; "" means what its last layer reads
}

func (g *GBNN) usual() GBNN {
	if g == nil {
		g = &GBNN{}
	}
	u := *g
	u.Units, u.Step, u.Eta, u.Subsample = cmp.Or(g.Units, 200), cmp.Or(g.Step, 1), cmp.Or(g.Eta, 1), cmp.Or(g.Subsample, 0.5)
	u.Iters, u.Alpha = cmp.Or(g.Iters, 200), max(0, cmp.Or(g.Alpha, 1e-4))
	return u
}

// GBNNReport says what units a model has.
type GBNNReport struct {
	Units     int         `json:"units"` // of the model that is written
	Step      int         `json:"step"`
	Eta       float64     `json:"eta"`
	Subsample float64     `json:"subsample"`
	Iters     int         `json:"iters"`
	Alpha     float64     `json:"alpha"`
	Features  string      `json:"features"` // value that they read
	Width     int         `json:"width"`    // numbers of an example there
	Curve     []GBNNPoint `json:"curve"`    // with the first 0, step, 2·step … units
}

// GBNNPoint is the quality with the first so many units.
type GBNNPoint struct {
	Units         int      `json:"units"`
	TrainLoss     Number   `json:"train_loss"`
	TrainAccuracy Number   `json:"train_accuracy"`
	Val           *Quality `json:"val"`
}

// boosted is the method of GBNN.
type boosted struct{}

// boosting is a model with units that are to be boosted.
type boosting struct {
	GBNN
	site   *train.GBNN
	start  train.EpochReport
	points []train.EpochReport
	finish func(*onnx.Model) error // of a saved model
}

func (boosted) about() (doc, source string) {
	return "a hidden layer of sigmoid units before the output, a few at a time by gradient boosting, on frozen features or on the data alone",
		"https://arxiv.org/abs/1909.12098"
}

func (boosted) check(c FinetuneConfig) error {
	g := c.GBNN.usual()
	switch {
	case g.Units < 1 || g.Step < 1 || g.Units%g.Step != 0:
		return usagef("--gbnn-units %d --gbnn-step %d: want a number of units that is a multiple of the step", g.Units, g.Step)
	case !(g.Eta > 0 && g.Eta < 2):
		return usagef("--gbnn-eta %v: want a number above 0 and below 2, as 1, the step of Newton's method, or less: twice that step lowers "+
			"nothing", g.Eta)
	case !(g.Subsample > 0 && g.Subsample <= 1):
		return usagef("--gbnn-subsample %v: want a share above 0, at most 1", g.Subsample)
	case g.Iters < 1:
		return usagef("--gbnn-iters %d: want at least 1", g.Iters)
	case g.Alpha-g.Alpha != 0:
		return usagef("--gbnn-alpha %v: want a number of at least 0", g.Alpha)
	case c.Model == "" && g.Features != "":
		return usagef("--gbnn-features %s: there is no model whose value it could be", g.Features)
	}
	for _, x := range []struct {
		flag string
		on   bool
	}{
		{"loss", c.Loss != "" && c.Loss != "auto"}, {"class-weights", c.ClassWeights != ""}, {"label-smoothing", c.LabelSmoothing != 0},
		{"sampler", c.Sampler != ""}, {"augment", c.Augment != ""}, {"bn", c.BN != "" && c.BN != "frozen"}, {"freeze", c.Freeze != nil},
		{"trainable", c.Trainable != nil}, {"last-layer", c.LastLayer}, {"dropout", c.Dropout}, {"tract", c.TrAct != nil},
		{"lora", c.LoRA != nil}, {"distill", c.Distill != nil}, {"unfreeze-every", c.UnfreezeEvery > 0}, {"bn-reestimate", c.BNEstimate},
		{"optimizer", c.Optimizer != "" && c.Optimizer != "adam"}, {"lr", c.LR != 0}, {"schedule", c.Schedule != ""},
		{"warmup", c.Warmup != ""}, {"no-decay-1d", c.NoDecay1D}, {"batch-size", c.BatchSize != 0}, {"shuffle", c.KeepOrder},
		{"batch-adapt", c.Growth != nil}, {"micro-batch", c.MicroBatch != 0},
		{"memory-limit", c.MemoryLimit != 0},
	} {
		if x.on {
			return usagef("--%s belongs to --method %s: %s trains units on features that it takes once, by a loss and steps of its own", x.flag,
				Backprop, GBNNMethod)
		}
	}
	for name := range c.Rule {
		return usagef("--%s belongs to --method %s: %s finds its steps by L-BFGS of its own", name, Backprop, GBNNMethod)
	}
	return nil
}

func (boosted) ownHead() bool { return true }

// rawPath is how a model is called that is made for the data.
const rawPath = "the data alone"

// begins makes a linear model of the data's own numbers, in whose place the units come.
func (boosted) begins(c FinetuneConfig) (*Model, error) {
	ds, err := data.Open(c.Data, readOptions(c.DataOptions, nil, c.UseOptions, nil))
	if err != nil {
		return nil, err
	}
	if ds.Len() == 0 {
		return nil, badInput(fmt.Errorf("data set %s is empty", c.Data))
	}
	e, err := ds.Example(0)
	switch {
	case err != nil:
		return nil, err
	case e.X == nil:
		return nil, usagef("%s has arrays by name, and without a model there is nothing that says which of them are features: give a model, "+
			"or data with one array x", c.Data)
	case e.X.DType() == tensor.String || e.X.DType().IsContainer():
		return nil, usagef("%s has text, which is no features: give a model that reads it", c.Data)
	}
	dims := []any{"N"}
	for _, n := range e.X.Shape() {
		dims = append(dims, n)
	}
	width, name := e.X.Len(), "features"
	if width == 0 {
		return nil, badInput(fmt.Errorf("the examples of %s have no features", c.Data))
	}
	g := &onnxpb.GraphProto{Name: &name, Input: []*onnxpb.ValueInfoProto{onnx.ValueInfo("input", tensor.Float32, dims...)},
		Output:      []*onnxpb.ValueInfoProto{onnx.ValueInfo("output", tensor.Float32, "N", 1)},
		Initializer: []*onnxpb.TensorProto{onnx.TensorToProto("weight", tensor.New(tensor.Float32, width, 1))}}
	x := "input"
	if len(dims) != 2 {
		x = "flat"
		g.Node = append(g.Node, onnx.NewNode("Flatten", x, []string{"input"}, []string{x}, onnx.AttrInt("axis", 1)))
	}
	g.Node = append(g.Node, onnx.NewNode("Gemm", "output", []string{x, "weight"}, []string{"output"}))
	l := &Model{Path: rawPath}
	file := onnx.NewModel(g, 17)
	if l.Labels, err = modelLabels(c.Labels, file); err != nil {
		return nil, err
	}
	if l.Pre, err = modelPreprocess(c.Preprocess, file); err != nil {
		return nil, err
	}
	l.Model, err = engine.Load(file, engine.WithThreads(c.Threads))
	return l, err
}

// ready puts the units in the place of the last layer.
func (boosted) ready(ctx context.Context, t *trainee, c FinetuneConfig, rep Reporter) error {
	g := c.GBNN.usual()
	u := train.GBNNUnits{Units: g.Units, Step: g.Step}
	output, err := t.boostedOutput(ctx, c, &u)
	if err != nil {
		return err
	}
	site, err := train.FindGBNNSite(t.File(), output, g.Features)
	if err != nil {
		if g.Features != "" {
			return usagef("--gbnn-features: %s", strings.TrimPrefix(err.Error(), "train: gbnn: "))
		}
		return badInput(fmt.Errorf("--method %s: %w. Name the value that the units are to read: --gbnn-features VALUE", GBNNMethod, err))
	}
	if err := t.featureShape(ctx, c, site, &u); err != nil {
		return err
	}
	file, where, err := site.Put(u)
	if err != nil {
		return badInput(err)
	}
	m, err := loadAgain(file, c.Threads)
	if err != nil {
		return err
	}
	if t.use, err = t.with(m); err != nil {
		return badInput(err)
	}
	t.boosting = &boosting{GBNN: g, site: where}
	if p := site.Positions(u.Shape); p != "" {
		t.notes = append(t.notes, p)
	}
	rep.Say(fmt.Sprintf("gbnn: %s on %s of %q, %s", units.Plural(g.Units, "unit"), units.Plural(where.Width, "feature"), site.Features,
		units.Plural(u.Outputs, "output")))
	return nil
}

// boostedOutput decides which output the units make, how many numbers it is and what is behind: those of the model, or of the data where
// there is no model, or --num-classes or --task regression asks for them.
func (t *trainee) boostedOutput(ctx context.Context, c FinetuneConfig, u *train.GBNNUnits) (string, error) {
	raw := c.Model == ""
	if c.NumClasses == "" && c.Task != "regression" && !raw {
		if err := t.understand(ctx, c.UseOptions, ""); err != nil {
			return "", err
		}
		switch t.task.Kind {
		case task.Binary, task.Multiclass, task.Regression:
		default:
			return "", usagef("--method %s: boosting has losses for the class of an example and for values, and this is a %s task", GBNNMethod,
				t.task.Kind)
		}
		u.Outputs, u.Activation = t.task.K, t.task.Head.Activation
		if t.task.Kind == task.Regression {
			u.Activation = ""
		}
		u.Activation = exclusive(u.Activation, t.task.Kind == task.Multiclass)
		t.notes = nil // of a head that is replaced
		return t.task.Head.Output, nil
	}
	output := c.UseOptions.Output
	if output == "" {
		if outs := t.Outputs(); len(outs) > 0 {
			output = outs[0].Name
		}
	}
	head, err := t.Head(output)
	if err != nil {
		return "", useError(err)
	}
	need, values := 0, 0
	if c.Task != "regression" {
		if need, err = classesNeeded(t.ds, false); err != nil {
			return "", err
		}
	}
	e, err := t.ds.Example(0)
	if err != nil {
		return "", err
	}
	if e.Y != nil {
		values = e.Y.Len()
	}
	switch {
	case need > 0 && values < 2:
		n, err := strconv.Atoi(cmp.Or(c.NumClasses, "auto"))
		switch {
		case c.NumClasses == "" || c.NumClasses == "auto":
			n = max(need, 2)
		case err != nil || n < 2:
			return "", usagef("--num-classes %q: want auto or a number of at least 2", c.NumClasses)
		case n < need:
			return "", usagef("--num-classes %d: the data has %d classes", n, need)
		}
		u.Outputs, u.Activation = n, exclusive(head.Activation, true)
	case c.NumClasses != "":
		return "", usagef("--num-classes: the data set has no class for each example")
	case values > 0:
		u.Outputs = values
	case c.Task == "regression" && t.ds.Label(0) >= 0:
		u.Outputs = 1
	default:
		return "", badInput(fmt.Errorf("the data have neither classes nor values to learn; name their column, --label-column, or give " +
			"an array y"))
	}
	return output, nil
}

// exclusive is the activation for classes that exclude each other.
func exclusive(activation string, several bool) string {
	if several && activation == "Sigmoid" {
		return "Softmax"
	}
	return activation
}

// reading runs the model up to the features of site; flag is the one that names them.
func (t *trainee) reading(site *train.GBNNSite, flag string, threads int) (*engine.Session, *feed.Plan, error) {
	m, err := loadAgain(site.Model, threads)
	if err != nil {
		return nil, nil, err
	}
	plan, err := t.plan.With(m)
	if err != nil {
		return nil, nil, badInput(err)
	}
	s, err := m.Session(engine.Query{Fetch: []string{site.Features}})
	if err != nil {
		return nil, nil, usagef("--%s %s: %v", flag, site.Features, err)
	}
	return s, plan, nil
}

// featureShape runs the model on an example or two to see what the units will read.
func (t *trainee) featureShape(ctx context.Context, c FinetuneConfig, site *train.GBNNSite, u *train.GBNNUnits) error {
	s, plan, err := t.reading(site, "gbnn-features", c.Threads)
	if err != nil {
		return err
	}
	n := min(2, t.ds.Len())
	for b, err := range data.Batches(ctx, t.ds, data.Sequential(n), n, data.BatchOptions{Preprocess: t.pre}) {
		if err != nil {
			return err
		}
		err = plan.Run(ctx, s, b, feed.Rows{}, func(p feed.Part) error {
			v := p.Value(site.Features)
			if v.Rank() < 2 || v.Dim(0) != p.Size || v.Len() == 0 {
				return badInput(fmt.Errorf("--gbnn-features: %q is %v for %d examples: want a row for each", site.Features, v, p.Size))
			}
			u.Shape, u.DType = append(tensor.Shape{}, v.Shape()[1:]...), v.DType()
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (boosted) set(f *finetuning) error {
	g := f.boosting
	f.cfg.Epochs, f.cfg.BatchSize, f.cfg.Params, f.cfg.Shuffle = g.Units/g.Step, All, g.site.Params(), false
	f.lr = g.Eta
	return nil
}

func (boosted) fit(ctx context.Context, f *finetuning, cfg train.Config, rep Reporter) (*train.Result, error) {
	g := f.boosting
	total := f.train.Len()
	if cfg.Val != nil {
		total += cfg.Val.Len()
	}
	stage, done := rep.Stage("features", total), 0
	ended := false
	end := func() {
		if !ended {
			stage.End()
		}
		ended = true
	}
	defer end()
	res, err := train.Boost(ctx, f.Model.Model, f.train, cfg, train.BoostConfig{
		GBNN: g.site, Eta: g.Eta, Share: g.Subsample, Iters: g.Iters, Alpha: g.Alpha,
		Progress: func(n int) {
			done += n
			stage.Set(done, "")
			if done == total {
				end()
			}
		},
	})
	if res == nil {
		return nil, err
	}
	g.start, g.points, g.finish = res.Start, res.History, res.Finish
	return &res.Result, err
}

func (boosted) how(f *finetuning) string {
	g := f.boosting
	return fmt.Sprintf("boosting %s %d at a time, eta %g", units.Plural(g.Units, "unit"), g.Step, g.Eta)
}

func (boosted) calmer() string { return "--gbnn-eta may help" }

func (boosted) traits(f *finetuning) []train.Trait {
	g := f.boosting
	real := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	return []train.Trait{{Name: "method", Value: GBNNMethod}, {Name: "optimizer", Value: "L-BFGS"}, {Name: "lr", Value: real(g.Eta)},
		{Name: "gbnn-units", Value: strconv.Itoa(g.Units)}, {Name: "gbnn-step", Value: strconv.Itoa(g.Step)},
		{Name: "gbnn-eta", Value: real(g.Eta)}, {Name: "gbnn-subsample", Value: real(g.Subsample)},
		{Name: "gbnn-iters", Value: strconv.Itoa(g.Iters)}, {Name: "gbnn-alpha", Value: real(g.Alpha)},
		{Name: "gbnn-features", Value: g.Features}, {Name: "num-classes", Value: f.c.NumClasses},
		{Name: "val-split", Value: real(f.c.ValSplit)}, {Name: "standardise", Value: strconv.FormatBool(f.c.Standardise)},
		{Name: "standardise-targets", Value: strconv.FormatBool(f.c.StandardiseTargets)}}
}

// epoch tells of a step in twenty.
func (boosted) epoch(f *finetuning, r train.EpochReport, rep Reporter) {
	g := f.boosting
	all := g.Units / g.Step
	if every := (all + 19) / 20; r.Epoch%every != 0 && r.Epoch != all {
		return
	}
	s := fmt.Sprintf("%s: loss %.4g", units.Plural(r.Epoch*g.Step, "unit"), r.TrainLoss)
	if r.TrainAcc == r.TrainAcc {
		s += fmt.Sprintf(", accuracy %.1f %%", 100*r.TrainAcc)
	}
	if r.Val != nil {
		name, _ := f.task.Primary()
		s += fmt.Sprintf("; validation loss %.4g, %s %s", r.Val.Loss, MetricName(name), MetricText(name, r.Val.Metric(name)))
	}
	rep.Say(s)
}

func (boosted) epochs() string { return "step" }

func (boosted) beside() bool { return true }

// points are the start and what follows, by units.
func (g *boosting) all() []train.EpochReport {
	return append([]train.EpochReport{g.start}, g.points...)
}

func (boosted) report(f *finetuning, r *FinetuneReport, res *train.Result) {
	g := f.boosting
	r.Optimizer = "l-bfgs"
	r.GBNN = &GBNNReport{Units: len(g.points) * g.Step, Step: g.Step, Eta: g.Eta, Subsample: g.Subsample, Iters: g.Iters, Alpha: g.Alpha,
		Features: g.site.Features, Width: g.site.Width, Curve: []GBNNPoint{}}
	if f.c.Best && res.Best != nil {
		r.GBNN.Units = res.Best.Step * g.Step
	}
	for _, p := range g.all() {
		r.GBNN.Curve = append(r.GBNN.Curve, GBNNPoint{p.Epoch * g.Step, Number(p.TrainLoss), Number(p.TrainAcc), qualityOf(p.Val)})
	}
}
