package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
	"github.com/gtk-onnx/gtk/train"
)

// NoPropMethod is the FinetuneConfig.Method that trains blocks, each by itself, to take noise off an embedding of the label (train.NoProp).
const NoPropMethod = "noprop"

// NoProp says what blocks are trained on what.
type NoProp struct {
	train.NoProp
	// Features is the value of the model that the blocks read: an input, for blocks on the data as the model is fed; "" means what its last
	// layer reads.
	Features string
	// Compare trains the same chain by backpropagation too, from the same weights, in the same number of steps, and reports both. It needs
	// validation data; it is left out without.
	Compare bool
}

// NoPropReport says what blocks were trained, and how they compare.
type NoPropReport struct {
	Variant   string       `json:"variant"`
	Steps     int          `json:"steps"`  // of the chain that is written
	Blocks    int          `json:"blocks"` // that were trained
	Eta       float64      `json:"eta"`
	Cap       Number       `json:"snr_cap"`
	Schedule  string       `json:"schedule"`
	Embedding string       `json:"label_embedding"`
	Dimension int          `json:"dimension"` // of the embedding
	Hidden    int          `json:"hidden"`
	Features  string       `json:"features"` // value that the blocks read
	Width     int          `json:"width"`    // numbers of an example there
	Weights   []float64    `json:"weights"`  // of the squared errors of the blocks of dt
	NoProp    *NoPropArm   `json:"noprop"`
	Backprop  *NoPropArm   `json:"backprop"` // the same chain trained by backpropagation; null where that was left out
	Sampled   []NoPropDraw `json:"sampled"`  // begun at noise, as in the paper; the chain that is written begins at 0
	Mean      Number       `json:"sampled_mean"`
	Deviation Number       `json:"sampled_deviation"`
}

// NoPropArm is what one way of training the chain gave.
type NoPropArm struct {
	Val       *Quality `json:"val"` // null without validation data
	TrainLoss Number   `json:"train_loss"`
	Steps     int      `json:"steps"`
	Seconds   float64  `json:"seconds"`
}

// NoPropDraw is the accuracy on the validation data where the noise is drawn from a seed.
type NoPropDraw struct {
	Seed     uint64 `json:"seed"`
	Accuracy Number `json:"accuracy"`
}

// noPropDraws is how many times noise is drawn.
const noPropDraws = 3

// denoised is the method of NoProp.
type denoised struct{ backprop }

// denoising is a chain that is trained.
type denoising struct {
	NoProp
	net    *train.NoPropNet
	site   *train.GBNNSite // of the model whose features are read, nil where the blocks read the data
	before *use            // the model as it was, with the data
	train  data.Dataset    // likewise
	report NoPropReport
}

func (denoised) about() (doc, source string) {
	return "blocks that are trained each by itself to take noise off a label, on frozen features or on the data",
		"https://arxiv.org/abs/2503.24322"
}

func (p *NoProp) usual() NoProp {
	if p == nil {
		p = &NoProp{Compare: true}
	}
	u := *p
	u.NoProp = u.NoProp.Filled()
	return u
}

func (denoised) check(c FinetuneConfig) error {
	p := c.NoProp.usual()
	if err := p.NoProp.Check(); err != nil {
		return usagef("--method %s: %v", NoPropMethod, err)
	}
	if c.Model == "" && p.Features != "" {
		return usagef("--noprop-features %s: there is no model whose value it could be", p.Features)
	}
	if a, err := data.ParseAugment(c.Augment); err == nil {
		if mixes, _ := a.Mixes(); mixes {
			return usagef("--augment %s: there is no embedding of a mixture of labels: leave out what mixes examples", c.Augment)
		}
	}
	if name, does := c.evaluates(); does {
		return usagef("--method %s: each block has a loss of its own, and %s asks for that of the whole model: choose an optimiser that goes by "+
			"gradients, such as adamw, without --sam", NoPropMethod, name)
	}
	ce := c.Loss == "" || c.Loss == "auto" || c.Loss == "cross-entropy" || c.Loss == "ce"
	for _, x := range []struct {
		flag string
		on   bool
	}{
		{"loss", !ce}, {"class-weights", c.ClassWeights != ""}, {"label-smoothing", c.LabelSmoothing != 0},
		{"bn", c.BN != "" && c.BN != "frozen"}, {"freeze", c.Freeze != nil}, {"trainable", c.Trainable != nil}, {"last-layer", c.LastLayer},
		{"dropout", c.Dropout}, {"tract", c.TrAct != nil}, {"lora", c.LoRA != nil}, {"distill", c.Distill != nil},
		{"unfreeze-every", c.UnfreezeEvery > 0}, {"bn-reestimate", c.BNEstimate}, {"standardise-targets", c.StandardiseTargets},
		{"micro-batch", c.MicroBatch > 0}, {"batch-adapt", c.Growth != nil}, {"memory-limit", c.MemoryLimit != 0},
	} {
		if x.on {
			return usagef("--%s belongs to --method %s: %s trains new blocks by losses of their own, and leaves the model before them as it is",
				x.flag, Backprop, NoPropMethod)
		}
	}
	return nil
}

func (denoised) begins(c FinetuneConfig) (*Model, error) { return boosted{}.begins(c) }

func (denoised) ownHead() bool { return true }

// ready puts a chain of blocks in the place of what follows the features.
func (denoised) ready(ctx context.Context, t *trainee, c FinetuneConfig, rep Reporter) error {
	p := c.NoProp.usual()
	p.Seed = c.Seed
	classes, err := t.denoisedClasses(c)
	if err != nil {
		return err
	}
	x := &denoising{NoProp: p, before: t.use, train: t.train}
	if c.Model == "" {
		p.Features = t.plan.Main().Name
	}
	file := t.File()
	if v := file.Opset(""); v < train.NoPropLeastOpset {
		if file, _, err = converted(file, train.NoPropOpset, c.Threads); err != nil {
			return badInput(fmt.Errorf("the model is of operator set %d, and the blocks need %d: %w", v, train.NoPropLeastOpset, err))
		}
		t.notes = append(t.notes, fmt.Sprintf("the model is of operator set %d, and what is written of %d", v, train.NoPropOpset))
	}
	site, err := train.FindGBNNSite(file, c.UseOptions.Output, p.Features)
	if err != nil {
		what := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "train: gbnn: "), "train: ")
		if p.Features != "" {
			return usagef("--noprop-features: %s", what)
		}
		return badInput(fmt.Errorf("--method %s: %s. Name the value that the blocks are to read: --noprop-features VALUE, such as its input",
			NoPropMethod, what))
	}
	in := train.NoPropInput{Name: site.Features, Classes: classes, Taken: site.Taken()}
	if head, err := t.Head(site.Output); err == nil && head.Activation == "" {
		in.Output = site.Output // logits too
	}
	if site.Input() {
		err = t.denoisedInput(ctx, site, &in)
	} else {
		x.site = site
		if c.Augment != "" {
			return usagef("--augment %s: the features of the model are taken once, of the examples as they are: leave it out, or train on the "+
				"data with --noprop-features %s", c.Augment, shownInput(t.plan))
		}
		err = t.denoisedFeatures(ctx, c, site, &in, rep)
	}
	if err != nil {
		return err
	}
	if x.net, err = p.NoProp.Net(in); err != nil {
		return badInput(err)
	}
	m, err := x.net.Load(engine.WithThreads(c.Threads))
	if err != nil {
		return err
	}
	if site.Input() {
		if t.use, err = t.with(m); err != nil {
			return badInput(err)
		}
	} else if err := t.onFeatures(m); err != nil {
		return err
	}
	t.denoising = x
	r := &x.report
	*r = NoPropReport{Variant: p.Variant, Steps: p.Steps, Blocks: p.Blocks(), Eta: p.Eta, Cap: Number(p.Cap), Schedule: p.Schedule,
		Embedding: p.Embedding(), Dimension: x.net.Dim(), Hidden: p.Hidden, Features: site.Features, Width: in.Shape.Len(),
		Weights: x.net.Weights(), Sampled: []NoPropDraw{}, Mean: Number(math.NaN()), Deviation: Number(math.NaN())}
	rep.Say(fmt.Sprintf("noprop %s: %s on %s of %q, a chain of %s, labels %s", p.Variant, units.Plural(p.Blocks(), "block"),
		units.Plural(in.Shape.Len(), "number"), site.Features, units.Plural(p.Steps, "step"), p.Embedding()))
	return nil
}

// shownInput is the name of the main input.
func shownInput(p *feed.Plan) string { return units.Quote(p.Main().Name) }

// denoisedClasses is how many classes are learned.
func (t *trainee) denoisedClasses(c FinetuneConfig) (int, error) {
	e, err := t.ds.Example(0)
	if err != nil {
		return 0, err
	}
	need, err := classesNeeded(t.ds, false)
	if err != nil {
		return 0, err
	}
	if need == 0 || t.ds.Label(0) < 0 || e.Y != nil {
		return 0, usagef("--method %s: the blocks learn which class an example is of, and the data do not have one class for each", NoPropMethod)
	}
	if c.Task != "" && c.Task != "multiclass" {
		return 0, usagef("--method %s: the blocks learn which class an example is of, and --task is %s", NoPropMethod, c.Task)
	}
	if c.NumClasses == "" || c.NumClasses == "auto" {
		return max(need, 2), nil
	}
	switch n, err := strconv.Atoi(c.NumClasses); {
	case err != nil || n < 2:
		return 0, usagef("--num-classes %q: want auto or a number of at least 2", c.NumClasses)
	case n < need:
		return 0, usagef("--num-classes %d: the data has %d classes", n, need)
	default:
		return n, nil
	}
}

// denoisedInput says what blocks get that read the data as the model is fed.
func (t *trainee) denoisedInput(ctx context.Context, site *train.GBNNSite, in *train.NoPropInput) error {
	ins := t.Inputs()
	i := slices.IndexFunc(ins, func(x engine.IO) bool { return x.Name == site.Features })
	if i < 0 || len(ins) > 1 {
		return usagef("--noprop-features %s: the model has %d inputs, and blocks read one value: name one that the model makes of them",
			site.Features, len(ins))
	}
	for b, err := range data.Batches(ctx, t.ds, data.Sequential(1), 1, data.BatchOptions{Preprocess: t.pre}) {
		if err != nil {
			return err
		}
		feeds, err := t.plan.Feeds(b)
		if err != nil {
			return badInput(err)
		}
		x := feeds[site.Features]
		in.DType, in.Shape = x.DType(), slices.Clone(x.Shape()[1:])
	}
	in.Last = t.pre != nil && t.pre.Layout == "nhwc"
	return nil
}

// featureSet is a data set whose examples are what a model made of those of another one.
type featureSet struct {
	data.Dataset
	rows *tensor.Tensor // [N,…]
}

// Example is the features with the label of the example.
func (s *featureSet) Example(i int) (data.Example, error) {
	x := tensor.New(tensor.Float32, s.rows.Shape()[1:]...)
	tensor.CopyRows(x.Reshape(append([]int{1}, x.Shape()...)...), 0, s.rows, i, i+1, s.Len())
	return data.Example{ID: s.ID(i), X: x, Label: s.Label(i)}, nil
}

// denoisedFeatures takes the features of all examples once, and puts them in the place of the data.
func (t *trainee) denoisedFeatures(ctx context.Context, c FinetuneConfig, site *train.GBNNSite, in *train.NoPropInput, rep Reporter) error {
	s, plan, err := t.reading(site, "noprop-features", c.Threads)
	if err != nil {
		return err
	}
	total := t.train.Len()
	if t.val != nil {
		total += t.val.Len()
	}
	stage, done := rep.Stage("features", total), 0
	defer stage.End()
	take := func(ds data.Dataset) (data.Dataset, error) {
		var rows *tensor.Tensor
		first := 0
		for b, err := range data.Batches(ctx, ds, data.Sequential(ds.Len()), 64, data.BatchOptions{Preprocess: t.pre}) {
			if err != nil {
				return nil, err
			}
			err = plan.Run(ctx, s, b, feed.Rows{}, func(p feed.Part) error {
				v := p.Value(site.Features)
				if v.Rank() < 2 || v.Dim(0) != p.Size || v.Len() == 0 || !v.DType().IsFloat() {
					return badInput(fmt.Errorf("--noprop-features: %q is %v for %d examples: want a row of real numbers for each", site.Features, v,
						p.Size))
				}
				if rows == nil {
					var err error
					if rows, err = tensor.Make(fmt.Sprintf("the features of %d examples", ds.Len()), tensor.Float32,
						append([]int{ds.Len()}, v.Shape()[1:]...)...); err != nil {
						return err
					}
				}
				if !slices.Equal(v.Shape()[1:], rows.Shape()[1:]) {
					return badInput(fmt.Errorf("--noprop-features: %q is %v after %v: examples differ in their size", site.Features, v.Shape()[1:],
						rows.Shape()[1:]))
				}
				real, err := v.Convert(tensor.Float32)
				if err != nil {
					return err
				}
				if i := slices.IndexFunc(real.F32(), func(x float32) bool { return x-x != 0 }); i >= 0 {
					return badInput(fmt.Errorf("--noprop-features: %q is not finite for example %s", site.Features,
						b.IDs[min(p.Lo+i/max(1, v.Len()/p.Size), b.Len()-1)]))
				}
				tensor.CopyRows(rows, first+p.Lo, real, 0, p.Hi-p.Lo, p.Size)
				return nil
			})
			if err != nil {
				return nil, err
			}
			first += b.Len()
			done += b.Len()
			stage.Set(done, "")
		}
		return &featureSet{ds, rows}, nil
	}
	if t.train, err = take(t.train); err != nil {
		return err
	}
	rows := t.train.(*featureSet).rows
	in.Name, in.DType, in.Shape = "features", tensor.Float32, slices.Clone(rows.Shape()[1:])
	if t.val == nil {
		return nil
	}
	if t.val, err = take(t.val); err == nil && !slices.Equal(t.val.(*featureSet).rows.Shape()[1:], in.Shape) {
		err = badInput(fmt.Errorf("--noprop-features: %q has another size on the validation data", site.Features))
	}
	return err
}

// onFeatures makes m, which reads features, the model that is trained, and the features the data.
func (t *trainee) onFeatures(m *engine.Model) error {
	first, err := t.train.Example(0)
	if err != nil {
		return err
	}
	v, l := *t.use, *t.use.Model
	l.Model, l.Pre = m, nil
	v.Model, v.ds, v.pre, v.task = &l, t.train, nil, nil
	if v.plan, err = feed.New(m, first, feed.Options{}); err != nil {
		return err
	}
	t.use = &v
	return nil
}

func (denoised) set(f *finetuning) error {
	n := f.denoising.net
	f.cfg.NoProp, f.cfg.Params, f.cfg.BN = n, n.Params, n.BatchNorm()
	return nil
}

// fit trains the blocks, and then the same chain by backpropagation. Where that is interrupted, the blocks are saved.
func (d denoised) fit(ctx context.Context, f *finetuning, cfg train.Config, rep Reporter) (*train.Result, error) {
	save := cfg.Save
	if save == nil { // tried out only
		return train.Fit(ctx, f.Model.Model, f.train, cfg)
	}
	var last *train.Checkpoint
	cfg.Save = func(k *train.Checkpoint) error {
		last = k
		return save(k)
	}
	res, err := train.Fit(ctx, f.Model.Model, f.train, cfg)
	if err != nil || f.val == nil {
		return res, err
	}
	if err = d.compare(ctx, f, res, rep); err != nil && ctx.Err() != nil && last != nil {
		err = errors.Join(err, save(last))
	}
	return res, err
}

// arm is what a training gave.
func (f *finetuning) arm(res *train.Result) *NoPropArm {
	v := res.After
	if b := res.Best; f.c.Best && b != nil {
		v = b.Val
	}
	return &NoPropArm{Val: qualityOf(v), TrainLoss: Number(res.TrainLoss), Steps: res.Steps, Seconds: res.Seconds}
}

// compare measures the chain begun at noise, and trains it by backpropagation.
func (denoised) compare(ctx context.Context, f *finetuning, res *train.Result, rep Reporter) error {
	x := f.denoising
	r := &x.report
	if b := res.Best; f.c.Best && b != nil {
		if err := b.Restore(f.Model.Model); err != nil {
			return err
		}
	}
	r.Sampled = []NoPropDraw{}
	sum, squares := 0.0, 0.0
	for k := range uint64(noPropDraws) {
		a, err := x.net.SampledAccuracy(ctx, f.Model.Model, f.val, train.EvalConfig{Feed: f.plan, Preprocess: f.pre}, f.c.Seed+k)
		if err != nil {
			return err
		}
		r.Sampled = append(r.Sampled, NoPropDraw{f.c.Seed + k, Number(a)})
		sum, squares = sum+a, squares+a*a
	}
	mean := sum / noPropDraws
	r.Mean, r.Deviation = Number(mean), Number(math.Sqrt(max(0, squares/noPropDraws-mean*mean)*noPropDraws/(noPropDraws-1)))
	r.NoProp = f.arm(res)
	said := fmt.Sprintf("noprop: accuracy %s in %.1f s; begun at noise %s ± %s over %d draws", MetricText("accuracy",
		float64(r.NoProp.Val.Accuracy)), res.Seconds, MetricText("accuracy", mean), MetricText("accuracy", float64(r.Deviation)), noPropDraws)
	if !x.Compare {
		rep.Say(said)
		return nil
	}
	other, err := f.backpropagated(ctx, rep)
	if err != nil {
		return fmt.Errorf("training the same chain by backpropagation, to compare with: %w", err)
	}
	r.Backprop = other
	rep.Say(fmt.Sprintf("%s. The same chain trained by backpropagation: %s in %.1f s", said, MetricText("accuracy",
		float64(other.Val.Accuracy)), other.Seconds))
	return nil
}

// backpropagated trains the chain anew as a whole, from the weights and in the batches that the blocks had.
func (f *finetuning) backpropagated(ctx context.Context, rep Reporter) (*NoPropArm, error) {
	n := f.denoising.net
	m, err := n.Load(engine.WithThreads(f.c.Threads))
	if err != nil {
		return nil, err
	}
	defer m.Close()
	cfg := f.cfg
	if cfg.Optimizer, cfg.Schedule, _, err = f.c.TrainOptions.optimizer(); err != nil {
		return nil, err
	}
	if cfg.Feed, err = f.plan.With(m); err != nil {
		return nil, err
	}
	if cfg.Task, err = task.Of(ctx, cfg.Feed, f.train, task.Options{Kind: string(f.task.Kind), Classes: f.Labels,
		Preprocess: f.pre}); err != nil {
		return nil, err
	}
	cfg.NoProp, cfg.Resume, cfg.Save, cfg.Epoch, cfg.Note = nil, nil, nil, nil, nil
	start := time.Now()
	res, err := fitStage(ctx, m, f.train, cfg, "backprop", rep)
	if err != nil {
		return nil, err
	}
	a := f.arm(res)
	a.Seconds = cmp.Or(a.Seconds, time.Since(start).Seconds())
	return a, nil
}

func (denoised) how(f *finetuning) string {
	return fmt.Sprintf("%s lr %g, each block by itself", f.optimizer(), f.lr)
}

func (denoised) report(f *finetuning, r *FinetuneReport, _ *train.Result) {
	x := f.denoising.report
	if x.NoProp == nil { // without validation data
		x.NoProp = &NoPropArm{TrainLoss: r.TrainLoss, Steps: r.Steps, Seconds: r.Seconds}
	}
	r.NoProp = &x
}
