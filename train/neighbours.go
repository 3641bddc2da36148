package train

import (
	"context"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// voteTemperature sharpens the votes of neighbours.
const voteTemperature = 0.07

// queries is how many rows are compared with the bank at a time.
const queries = 256

// vote has the classes of the nearest neighbours in the bank say those of val, and notes in r how often they are right.
func (e *FeatureEvaluator) vote(ctx context.Context, bank, val *table, r *Evaluation) error {
	m, err := cosinesWith(bank, e.m.Pool().Threads())
	if err != nil {
		return err
	}
	defer m.Close()
	s, err := m.Session(engine.Query{})
	if err != nil {
		return err
	}
	k, n := max(bank.classes(), val.classes()), len(bank.labels)
	if k <= mostConfused {
		r.Confusion = make([][]int, k)
		for i := range r.Confusion {
			r.Confusion[i] = make([]int, k)
		}
	}
	byClass := make([]tally, k)
	hits := 0
	for lo := 0; lo < len(val.labels); lo += queries {
		hi := min(lo+queries, len(val.labels))
		q := tensor.New(tensor.Float32, hi-lo, val.width())
		for i := lo; i < hi; i++ {
			copy(q.F32()[(i-lo)*val.width():], direction(val.row(i)))
		}
		res, err := s.Run(ctx, map[string]*tensor.Tensor{"q": q})
		if err != nil {
			return err
		}
		sims, said := res.Value("cosines").F32(), make([]int, hi-lo)
		e.m.Pool().For(hi-lo, 1, func(from, to int) {
			for i := from; i < to; i++ {
				said[i] = elect(sims[i*n:(i+1)*n], bank.labels, k, e.neighbours)
			}
		})
		for i, y := range said {
			is := val.labels[lo+i]
			r.Decisions++
			byClass[is].n++
			if y == is {
				hits++
				byClass[is].hit++
			}
			if r.Confusion != nil {
				r.Confusion[is][y]++
			}
		}
	}
	for y := range byClass {
		if c := &byClass[y]; c.n > 0 {
			r.PerClass = append(r.PerClass, ClassScore{e.c.Task.ClassName(y), c.n, c.accuracy()})
		}
	}
	r.Metrics = append(r.Metrics, task.Measure{Name: "knn", Value: float64(hits) / float64(max(1, r.Decisions))})
	return nil
}

// elect is the class with most votes of the nearest rows, the lower one of equal ones; of equally near rows the first ones vote.
func elect(sims []float32, labels []int, classes, nearest int) int {
	best := make([]int, 0, nearest+1) // rows, the nearest first
	for i, s := range sims {
		if len(best) == nearest && !(s > sims[best[nearest-1]]) {
			continue
		}
		at := len(best)
		for at > 0 && s > sims[best[at-1]] {
			at--
		}
		if best = slices.Insert(best, at, i); len(best) > nearest {
			best = best[:nearest]
		}
	}
	votes := make([]float64, classes)
	for _, i := range best {
		votes[labels[i]] += math.Exp(float64(sims[i]) / voteTemperature)
	}
	y := 0
	for c, v := range votes {
		if v > votes[y] {
			y = c
		}
	}
	return y
}

// direction is x brought to length one; zeros stay zeros.
func direction(x []float32) []float32 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	out := make([]float32, len(x))
	if sum == 0 {
		return out
	}
	f := 1 / math.Sqrt(sum)
	for i, v := range x {
		out[i] = float32(float64(v) * f)
	}
	return out
}

// cosinesWith is a model of q [Q,F], directions, that gives their cosines with the rows of the bank, [Q,N].
func cosinesWith(bank *table, threads int) (*engine.Model, error) {
	n, f := len(bank.labels), bank.width()
	w, err := tensor.Make("the directions of features", tensor.Float32, f, n)
	if err != nil {
		return nil, err
	}
	for i := range n {
		for j, v := range direction(bank.row(i)) {
			w.F32()[j*n+i] = v
		}
	}
	g := &onnxpb.GraphProto{Name: new("neighbours"), Input: []*onnxpb.ValueInfoProto{onnx.ValueInfo("q", tensor.Float32, "Q", f)},
		Output:      []*onnxpb.ValueInfoProto{onnx.ValueInfo("cosines", tensor.Float32, "Q", n)},
		Initializer: []*onnxpb.TensorProto{onnx.TensorToProto("bank", w)},
		Node:        []*onnxpb.NodeProto{onnx.NewNode("MatMul", "", []string{"q", "bank"}, []string{"cosines"})}}
	return engine.Load(onnx.NewModel(g, 13), engine.WithThreads(threads))
}
