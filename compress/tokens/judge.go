package tokens

import (
	"context"
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/compress"
	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// judge tells how good a schedule is on examples: by the loss of the task, or without labels by how far the outputs are from those of the
// model as it was.
type judge struct {
	t       *ViT
	s       *compress.Subject
	threads int
	batches []*data.Batch
	before  []map[string]*tensor.Tensor // outputs of the model as it was, of each batch; nil where the loss is that of the task
	tried   map[string]float64
}

// newJudge reads n examples.
func newJudge(ctx context.Context, t *ViT, s *compress.Subject, n, threads int) (*judge, error) {
	j := &judge{t: t, s: s, threads: threads, tried: map[string]float64{}}
	if err := s.Examples(ctx, n, func(b *data.Batch) error {
		j.batches = append(j.batches, b)
		return nil
	}); err != nil {
		return nil, err
	}
	if len(j.batches) == 0 {
		return nil, fmt.Errorf("tokens: the data set has no examples")
	}
	if s.Task != nil {
		return j, nil
	}
	return j, j.run(ctx, s.Model, engine.Query{}, func(_ int, b *data.Batch, got map[string]*tensor.Tensor, _ float64) {
		j.before = append(j.before, got)
	})
}

// run runs q over the batches; got gets the outputs, or the loss.
func (j *judge) run(ctx context.Context, m *engine.Model, q engine.Query, got func(k int, b *data.Batch, out map[string]*tensor.Tensor,
	loss float64)) error {
	plan, err := j.s.Feed.With(m)
	if err != nil {
		return err
	}
	run, err := m.Session(q)
	if err != nil {
		return err
	}
	for k, b := range j.batches {
		if err := ctx.Err(); err != nil {
			return err
		}
		var rows feed.Rows
		if q.Loss != nil {
			truth, err := j.s.Task.Truth(b)
			if err != nil {
				return err
			}
			rows = truth.Rows(truth.Mean())
		}
		out, loss := map[string]*tensor.Tensor{}, 0.0
		if err := plan.Run(ctx, run, b, rows, func(p feed.Part) error {
			if q.Loss != nil {
				loss += p.Loss().Float64s()[0]
				return nil
			}
			for _, o := range m.Outputs() {
				x, err := feed.Gather(out[o.Name], o.Name, p.Value(o.Name), p, b.Len())
				if err != nil {
					return err
				}
				out[o.Name] = x
			}
			return nil
		}); err != nil {
			return err
		}
		got(k, b, out, loss)
	}
	return nil
}

// loss is how bad a model is: the mean loss, or the mean squared distance of the outputs relative to their mean square.
func (j *judge) loss(ctx context.Context, file *onnx.Model) (float64, error) {
	m, err := engine.Load(file, engine.WithThreads(j.threads))
	if err != nil {
		return 0, err
	}
	defer m.Close()
	sum, n, scale := 0.0, 0.0, 0.0
	q := engine.Query{}
	if j.before == nil {
		q.Loss = j.s.Task.Total()
	}
	err = j.run(ctx, m, q, func(k int, b *data.Batch, out map[string]*tensor.Tensor, loss float64) {
		if j.before == nil {
			sum, n = sum+loss*float64(b.Len()), n+float64(b.Len())
			return
		}
		for name, x := range out {
			a, z := j.before[k][name].Float64s(), x.Float64s()
			for i := range z {
				sum += (z[i] - a[i]) * (z[i] - a[i])
				scale += a[i] * a[i]
			}
		}
	})
	if err != nil {
		return 0, err
	}
	if j.before != nil {
		return sum / max(scale, math.SmallestNonzeroFloat64), nil
	}
	return sum / n, nil
}

// of is the loss with a schedule.
func (j *judge) of(ctx context.Context, s Schedule) (float64, error) {
	key := s.String()
	if l, ok := j.tried[key]; ok {
		return l, nil
	}
	file, err := j.t.Rewrite(s, ByRank, false)
	if err != nil {
		return 0, err
	}
	l, err := j.loss(ctx, file)
	if math.IsNaN(l) {
		l = math.Inf(1)
	}
	j.tried[key] = l
	return l, err
}
