package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/task"
)

// EvalConfig says how a model is evaluated.
type EvalConfig struct {
	Task       *task.Task       // nil: what task.Of finds, with Loss
	Feed       *feed.Plan       // nil: inputs by the names of the data's arrays
	Loss       string           // of task.Losses; used without a Task
	BatchSize  int              // 0: 64
	Preprocess *data.Preprocess // nil: pictures as they are
	GroupBy    []string         // group columns of the data
	Progress   func(done, total int)
	// Each is shown every decision, with the index of its example. It may be nil.
	Each func(index int, d *task.Decision)
}

// Evaluation is the quality of a model on a data set.
type Evaluation struct {
	N         int            // examples
	Decisions int            // as many, or the positions that have a class
	Loss      float64        // mean of the loss of the task, as it is trained with
	Metrics   []task.Measure // the usual ones of the task, the first being the one to compare by
	Accuracy  float64        // of the metrics; NaN where it is not one
	Top5      float64        // likewise
	PerClass  []ClassScore   //
	Groups    []GroupScore   // by the values of the columns of GroupBy, sorted
	Confusion [][]int        // [label][prediction], nil without classes or with more than 2048
	Sample    []Sampled      // of a regression: what it says and what is true, of examples all over the data

	Reliability *task.Reliability // of a class of several for each example, nil for others
	Labels      *task.LabelScores // nil without classes and labels
	Mistakes    []Case            // the worst, the worst first
	Cases       []Case            // a few from all over the data
}

// Sampled is one value of an example: what is true and what the model says.
type Sampled struct {
	Output        int // which of the values of an example
	Target, Value float64
}

// Of a regression with many values or examples this much is kept to be shown.
const (
	sampledOutputs  = 8
	sampledExamples = 500
)

// sample keeps values of example index, which is one of n.
func (e *Evaluation) sample(index, n int, d *task.Decision) {
	if every := (n + sampledExamples - 1) / sampledExamples; index%every != 0 || d.Target == nil {
		return
	}
	k := min(len(d.Z), sampledOutputs)
	for j := range k {
		o := j * len(d.Z) / k
		e.Sample = append(e.Sample, Sampled{o, d.Target[o], d.Z[o]})
	}
}

// Metric is the value of a metric, NaN when it was not measured.
func (e *Evaluation) Metric(name string) float64 {
	for _, m := range e.Metrics {
		if m.Name == name {
			return m.Value
		}
	}
	return math.NaN()
}

// ClassScore is the accuracy on the examples, or positions, of one class.
type ClassScore struct {
	Class    string
	N        int
	Accuracy float64
}

// GroupScore is the quality on the examples of one group; the interval is Wilson's of 95 %.
type GroupScore struct {
	Column   string
	Group    string
	N        int
	Loss     float64
	Accuracy float64 // NaN without classes, as are Low and High
	Low      float64
	High     float64
}

// errNotFinite is what a model gives that cannot be evaluated.
var errNotFinite = errors.New("NaN or infinity")

// mostConfused bounds the classes of a confusion matrix.
const mostConfused = 2048

// Evaluate runs m over ds and compares its outputs with the labels or targets. A trained model is evaluated as it stands.
func Evaluate(ctx context.Context, m *engine.Model, ds data.Dataset, c EvalConfig) (*Evaluation, error) {
	ev, err := NewEvaluator(ctx, m, ds, c)
	if err != nil {
		return nil, err
	}
	return ev.Run(ctx)
}

// Evaluator is an evaluation that can be repeated, as training does after each epoch.
type Evaluator struct {
	ds data.Dataset
	c  EvalConfig
	s  *engine.Session
}

// NewEvaluator prepares an evaluation of m on ds.
func NewEvaluator(ctx context.Context, m *engine.Model, ds data.Dataset, c EvalConfig) (*Evaluator, error) {
	if ds.Len() == 0 {
		return nil, fmt.Errorf("train: eval: the data set is empty")
	}
	if c.BatchSize == 0 {
		c.BatchSize = 64
	}
	var err error
	if c.Task, c.Feed, err = understand(ctx, m, ds, c.Task, c.Feed, task.Options{Loss: c.Loss, Preprocess: c.Preprocess}); err != nil {
		return nil, err
	}
	s, err := m.Session(engine.Query{Fetch: []string{c.Task.Fetch()}, Loss: c.Task.Each()})
	if err != nil {
		return nil, err
	}
	return &Evaluator{ds, c, s}, nil
}

// understand fills in how the inputs are fed and what the outputs mean, where it is not given.
func understand(ctx context.Context, m *engine.Model, ds data.Dataset, t *task.Task, p *feed.Plan, o task.Options) (*task.Task,
	*feed.Plan, error) {
	var err error
	if p == nil {
		if p, err = feed.For(m, ds, feed.Options{}); err != nil {
			return nil, nil, err
		}
	}
	if t == nil {
		if t, err = task.Of(ctx, p, ds, o); err != nil {
			return nil, nil, err
		}
	}
	return t, p, nil
}

// tally counts decisions and hits, and sums the loss over its terms.
type tally struct {
	n, hit int
	loss   float64
	terms  float64
}

func (c *tally) add(o tally) {
	c.n, c.hit, c.loss, c.terms = c.n+o.n, c.hit+o.hit, c.loss+o.loss, c.terms+o.terms
}

// mean is the loss per term.
func (c *tally) mean() float64 { return c.loss / max(c.terms, 1) }

func (c *tally) accuracy() float64 {
	if c.n == 0 {
		return math.NaN()
	}
	return float64(c.hit) / float64(c.n)
}

// Run evaluates the model once.
func (e *Evaluator) Run(ctx context.Context) (*Evaluation, error) {
	t := e.c.Task
	r := &Evaluation{}
	k := t.NumClasses()
	if k > 0 && k <= mostConfused {
		r.Confusion = make([][]int, k)
		for i := range r.Confusion {
			r.Confusion[i] = make([]int, k)
		}
	}
	meters, byClass, byGroup := t.NewMeters(), make([]tally, k), map[[2]string]*tally{}
	var all tally
	seen := newCases(t, r, e.ds.Len())
	o := data.BatchOptions{Preprocess: e.c.Preprocess, Masks: t.Masks()}
	for b, err := range data.Batches(ctx, e.ds, data.Sequential(e.ds.Len()), e.c.BatchSize, o) {
		if err != nil {
			return nil, err
		}
		truth, err := t.Truth(b)
		if err != nil {
			return nil, fmt.Errorf("train: eval: %w", err)
		}
		err = e.c.Feed.Run(ctx, e.s, b, truth.Rows(nil), func(p feed.Part) error {
			part, losses := truth.Slice(p.Lo, p.Hi), p.Loss().Float64s()
			for i := range part.N {
				all.loss, all.terms = all.loss+losses[i], all.terms+part.Terms[i]
				for _, column := range e.c.GroupBy {
					g := at(byGroup, [2]string{column, data.GroupOf(e.ds, b.Index[p.Lo+i], column)})
					g.loss, g.terms = g.loss+losses[i], g.terms+part.Terms[i]
				}
			}
			bad := -1
			err := t.Decisions(p.Value(t.Fetch()), part.N, part, func(i int, d *task.Decision) {
				at, hit := b.Index[p.Lo+i], false
				if !d.Finite() && bad < 0 {
					bad = p.Lo + i
				}
				meters.Add(d)
				r.Decisions++
				if t.Kind == task.Regression {
					r.sample(at, e.ds.Len(), d)
				}
				seen.add(at, d)
				if d.Label >= 0 {
					hit = d.Right()
					byClass[d.Label].n++
					byClass[d.Label].hit += b2i(hit)
					if r.Confusion != nil {
						r.Confusion[d.Label][d.Best()]++
					}
				}
				e.group(byGroup, at, hit)
				if e.c.Each != nil {
					e.c.Each(at, d)
				}
			})
			if err == nil && bad >= 0 {
				err = fmt.Errorf("train: eval: the model gives %w for example %q", errNotFinite, b.IDs[bad])
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		r.N += b.Len()
		if e.c.Progress != nil {
			e.c.Progress(r.N, e.ds.Len())
		}
	}
	if all.terms == 0 {
		return nil, fmt.Errorf("train: eval: no example of the data has a label")
	}
	seen.end()
	r.Loss = all.loss / all.terms
	r.Metrics = meters.Values()
	r.Accuracy, r.Top5 = r.Metric("accuracy"), r.Metric("top5")
	for y := range byClass {
		if c := &byClass[y]; c.n > 0 {
			r.PerClass = append(r.PerClass, ClassScore{t.ClassName(y), c.n, c.accuracy()})
		}
	}
	for g, c := range byGroup {
		s := GroupScore{Column: g[0], Group: g[1], N: c.n, Accuracy: math.NaN(), Low: math.NaN(), High: math.NaN(),
			Loss: c.loss / max(c.terms, math.SmallestNonzeroFloat64)}
		if t.HasClasses() {
			s.Accuracy = c.accuracy()
			s.Low, s.High = wilson(c.hit, c.n)
		}
		r.Groups = append(r.Groups, s)
	}
	slices.SortFunc(r.Groups, func(a, b GroupScore) int {
		return cmp.Or(cmp.Compare(slices.Index(e.c.GroupBy, a.Column), slices.Index(e.c.GroupBy, b.Column)), cmp.Compare(a.Group, b.Group))
	})
	return r, nil
}

// group counts a decision in the groups of its example.
func (e *Evaluator) group(byGroup map[[2]string]*tally, index int, hit bool) {
	for _, column := range e.c.GroupBy {
		g := at(byGroup, [2]string{column, data.GroupOf(e.ds, index, column)})
		g.n++
		g.hit += b2i(hit)
	}
}

// at is m[k], made when it is not there.
func at[K comparable, V any](m map[K]*V, k K) *V {
	v := m[k]
	if v == nil {
		v = new(V)
		m[k] = v
	}
	return v
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// wilson is the 95 % Wilson score interval of a proportion.
func wilson(hit, n int) (lo, hi float64) {
	const z = 1.959963984540054
	p, m := float64(hit)/float64(n), float64(n)
	mid := p + z*z/(2*m)
	half := z * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return (mid - half) / (1 + z*z/m), (mid + half) / (1 + z*z/m)
}
