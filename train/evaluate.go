package train

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/tensor"
)

// EvalConfig says how a model is evaluated.
type EvalConfig struct {
	Loss       string           // of Losses; "" is cross-entropy for data with classes, else mse
	BatchSize  int              // 0: 64
	Preprocess *data.Preprocess // nil: pictures as they are
	GroupBy    []string         // group columns of the data
	Progress   func(done, total int)
}

// Evaluation is the quality of a model on a data set.
type Evaluation struct {
	N         int
	Accuracy  float64      // fraction whose largest output is the label; NaN without classes
	Top5      float64      // fraction whose label is among the five largest
	Loss      float64      // mean
	PerClass  []ClassScore //
	Groups    []GroupScore // by the values of the columns of GroupBy, sorted
	Confusion [][]int      // [label][prediction]
	Predicted map[int]int  // index of the example to predicted class
}

// ClassScore is the accuracy on the examples of one class.
type ClassScore struct {
	Class    string
	N        int
	Accuracy float64
}

// GroupScore is the accuracy on the examples of one group, with its 95 % Wilson interval.
type GroupScore struct {
	Column   string
	Group    string
	N        int
	Accuracy float64
	Low      float64
	High     float64
}

// Evaluate runs m over ds and compares its outputs with the labels or targets. A trained model is evaluated as it stands.
func Evaluate(ctx context.Context, m *engine.Model, ds data.Dataset, c EvalConfig) (*Evaluation, error) {
	ev, err := NewEvaluator(m, ds, c)
	if err != nil {
		return nil, err
	}
	return ev.Run(ctx)
}

// Evaluator is an evaluation that can be repeated, as training does after each epoch.
type Evaluator struct {
	m    *engine.Model
	ds   data.Dataset
	c    EvalConfig
	s    *engine.Session
	head engine.Head
	in   engine.IO
	kind LossKind
}

// NewEvaluator prepares an evaluation of m on ds.
func NewEvaluator(m *engine.Model, ds data.Dataset, c EvalConfig) (*Evaluator, error) {
	if ds.Len() == 0 {
		return nil, fmt.Errorf("train: eval: the data set is empty")
	}
	if c.BatchSize == 0 {
		c.BatchSize = 64
	}
	head, err := m.Head("")
	if err != nil {
		return nil, err
	}
	in, err := dataInput(m)
	if err != nil {
		return nil, err
	}
	kind, err := lossFor(c.Loss, ds)
	if err != nil {
		return nil, err
	}
	s, err := m.Session(engine.Query{Fetch: []string{head.Logits, head.Output}})
	if err != nil {
		return nil, err
	}
	return &Evaluator{m, ds, c, s, head, in, kind}, nil
}

// dataInput is the one input that a data set feeds.
func dataInput(m *engine.Model) (engine.IO, error) {
	ins := m.Inputs()
	if len(ins) != 1 {
		names := ""
		for i, io := range ins {
			if i > 0 {
				names += ", "
			}
			names += io.Name
		}
		return engine.IO{}, fmt.Errorf("train: the model has %d inputs (%s); a data set feeds exactly one", len(ins), names)
	}
	return ins[0], nil
}

// lossFor resolves the name of a loss, "" by what the data set has.
func lossFor(name string, ds data.Dataset) (LossKind, error) {
	if name == "" || name == "auto" {
		name = "mse"
		if ds.Len() > 0 && ds.Label(0) >= 0 {
			name = "cross-entropy"
		}
	}
	return losses.Lookup(name)
}

// Run evaluates the model once.
func (e *Evaluator) Run(ctx context.Context) (*Evaluation, error) {
	r := &Evaluation{Predicted: map[int]int{}}
	type count struct{ n, hit int }
	byClass, byGroup := map[int]*count{}, map[[2]string]*count{}
	hits, top5 := 0, 0
	loss := 0.0
	o := data.BatchOptions{Preprocess: e.c.Preprocess}
	for b, err := range data.Batches(ctx, e.ds, data.Sequential(e.ds.Len()), e.c.BatchSize, o) {
		if err != nil {
			return nil, err
		}
		x, err := e.in.Adapt(b.X)
		if err != nil {
			return nil, err
		}
		res, err := e.s.Run(ctx, map[string]*tensor.Tensor{e.in.Name: x})
		if err != nil {
			return nil, err
		}
		n := len(b.Labels)
		if !e.kind.Labels {
			l, err := squaredError(res.Value(e.head.Output), b)
			if err != nil {
				return nil, err
			}
			loss += l
			r.N += n
			continue
		}
		z := res.Value(e.head.Logits).Float64s()
		if len(z)%max(n, 1) != 0 || res.Value(e.head.Logits).Dim(0) != n {
			return nil, fmt.Errorf("train: eval: the model gives %v for a batch of %d", res.Value(e.head.Logits), n)
		}
		k := len(z) / n
		if r.Confusion == nil {
			r.Confusion = make([][]int, k)
			for i := range r.Confusion {
				r.Confusion[i] = make([]int, k)
			}
		}
		for i, label := range b.Labels {
			y := int(label)
			if y < 0 || y >= k {
				return nil, fmt.Errorf("train: eval: example %q has label %d, the model has %d classes", b.IDs[i], y, k)
			}
			row := z[i*k : (i+1)*k]
			best, rank := 0, 0
			for j, v := range row {
				if v > row[best] {
					best = j
				}
				if v > row[y] || (v == row[y] && j < y) {
					rank++
				}
			}
			if math.IsNaN(row[y]) {
				return nil, fmt.Errorf("train: eval: the model gives NaN for example %q", b.IDs[i])
			}
			loss += logSumExp(row) - row[y]
			r.Confusion[y][best]++
			r.Predicted[b.Index[i]] = best
			c := at(byClass, y)
			c.n++
			hit := best == y
			if hit {
				hits++
				c.hit++
			}
			if rank < 5 {
				top5++
			}
			for _, column := range e.c.GroupBy {
				g := at(byGroup, [2]string{column, data.GroupOf(e.ds, b.Index[i], column)})
				g.n++
				if hit {
					g.hit++
				}
			}
		}
		r.N += n
		if e.c.Progress != nil {
			e.c.Progress(r.N, e.ds.Len())
		}
	}
	r.Loss = loss / float64(max(r.N, 1))
	r.Accuracy, r.Top5 = math.NaN(), math.NaN()
	if !e.kind.Labels {
		return r, nil
	}
	r.Accuracy, r.Top5 = float64(hits)/float64(r.N), float64(top5)/float64(r.N)
	names := e.ds.Classes()
	for y := range r.Confusion {
		c := byClass[y]
		if c == nil {
			continue
		}
		name := fmt.Sprint(y)
		if y < len(names) {
			name = names[y]
		}
		r.PerClass = append(r.PerClass, ClassScore{name, c.n, float64(c.hit) / float64(c.n)})
	}
	for g, c := range byGroup {
		lo, hi := wilson(c.hit, c.n)
		r.Groups = append(r.Groups, GroupScore{g[0], g[1], c.n, float64(c.hit) / float64(c.n), lo, hi})
	}
	slices.SortFunc(r.Groups, func(a, b GroupScore) int {
		return cmp.Or(cmp.Compare(slices.Index(e.c.GroupBy, a.Column), slices.Index(e.c.GroupBy, b.Column)), cmp.Compare(a.Group, b.Group))
	})
	return r, nil
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

func logSumExp(x []float64) float64 {
	m := math.Inf(-1)
	for _, v := range x {
		m = max(m, v)
	}
	s := 0.0
	for _, v := range x {
		s += math.Exp(v - m)
	}
	return m + math.Log(s)
}

// squaredError is the sum over the batch of the mean squared error of each example.
func squaredError(y *tensor.Tensor, b *data.Batch) (float64, error) {
	if b.Y == nil {
		return 0, fmt.Errorf("train: the data set has no targets for a regression")
	}
	a, t := y.Float64s(), b.Y.Float64s()
	if len(a) != len(t) {
		return 0, fmt.Errorf("train: the model gives %v, the targets are %v", y, b.Y)
	}
	s := 0.0
	for i := range a {
		s += (a[i] - t[i]) * (a[i] - t[i])
	}
	return s / float64(max(len(a)/max(len(b.IDs), 1), 1)), nil
}

// wilson is the 95 % Wilson score interval of a proportion.
func wilson(hit, n int) (lo, hi float64) {
	const z = 1.959963984540054
	p, m := float64(hit)/float64(n), float64(n)
	mid := p + z*z/(2*m)
	half := z * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return (mid - half) / (1 + z*z/m), (mid + half) / (1 + z*z/m)
}
