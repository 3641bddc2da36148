package train

import (
	"context"
	"errors"
	"fmt"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/tensor"
)

// statistics are the running mean and variance of one BatchNormalization, and what was seen of them.
type statistics struct {
	mean, variance *tensor.Tensor // parameters
	keep           float64        // share of the old statistics that a batch leaves
	first, second  []float64      // weighted sums of the means, and of the mean squares
}

// EstimateBatchNorm replaces the running statistics of m by those of the data set as the weights are now: mean and variance over all
// examples of what comes to each BatchNormalization, when those before it normalise by their batch. Pictures come without random changes,
// in an order drawn from seed. An error leaves the model's statistics as they were.
//
// Source: Wu and Johnson 2021, "Rethinking 'Batch' in BatchNorm" (arXiv 2105.07576), section 3, equation 3.
func EstimateBatchNorm(ctx context.Context, m *engine.Model, ds data.Dataset, plan *feed.Plan, batch int, pre *data.Preprocess,
	seed uint64) (err error) {
	m.Thaw()
	list, err := statisticsOf(m)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return errors.New("train: the model has no batch normalisation whose statistics could be estimated")
	}
	fixed := m.Batch()
	if batch = min(max(2, batch), ds.Len()); fixed > 0 {
		batch = fixed
	}
	if batch < 2 {
		return errors.New("train: statistics of batch normalisation cannot be estimated from one example at a time")
	}
	was := make([]tensor.Named, 0, 2*len(list))
	for _, s := range list {
		was = append(was, tensor.Named{Tensor: s.mean.Clone()}, tensor.Named{Tensor: s.variance.Clone()})
	}
	defer func() {
		if err != nil {
			for i, s := range list {
				copy(s.mean.Bytes(), was[2*i].Tensor.Bytes())
				copy(s.variance.Bytes(), was[2*i+1].Tensor.Bytes())
			}
		}
		m.Changed()
	}()
	session, err := m.Session(engine.Query{BN: engine.BNTrain})
	if err != nil {
		return err
	}
	examples := 0
	o := data.BatchOptions{Preprocess: pre, Seed: seed, MergeLone: fixed == 0}
	for b, err := range data.Batches(ctx, ds, data.Shuffled(ds.Len(), seed), batch, o) {
		if err != nil {
			return err
		}
		if b.Len() < fixed { // none may be made up
			continue
		}
		for _, s := range list { // a run leaves 1 - keep of what it sees
			clear(s.mean.Bytes())
			clear(s.variance.Bytes())
		}
		if err := plan.Run(ctx, session, b, feed.Rows{}, func(feed.Part) error { return nil }); err != nil {
			return err
		}
		for _, s := range list {
			s.see(float64(b.Len()))
		}
		examples += b.Len()
	}
	if examples == 0 {
		return fmt.Errorf("train: the model takes %d examples at a time, and the data have %d: no statistics can be estimated", fixed,
			ds.Len())
	}
	for _, s := range list {
		if err := s.set(float64(examples)); err != nil {
			return err
		}
	}
	return nil
}

// statisticsOf are those of the main graph of m.
func statisticsOf(m *engine.Model) ([]*statistics, error) {
	g := m.Graph()
	var list []*statistics
	seen := map[string]bool{}
	for _, n := range g.Nodes {
		if n.Op.Name != ops.BatchNormalization.Name || n.Op.Domain != ops.BatchNormalization.Domain || len(n.In) < 5 {
			continue
		}
		s := &statistics{keep: 0.9}
		if k, ok := graph.EncodeAttrs(n.Attrs)["momentum"].(float32); ok {
			s.keep = float64(k)
		}
		if !(s.keep < 1) {
			return nil, fmt.Errorf("train: %s keeps its statistics (momentum %v), which cannot be estimated", n.Label(), s.keep)
		}
		name := g.Info(n.In[3]).Name
		if seen[name] {
			return nil, fmt.Errorf("train: %s shares its statistics %q with another node, and they cannot be estimated for both", n.Label(), name)
		}
		seen[name] = true
		for i, into := range []**tensor.Tensor{&s.mean, &s.variance} {
			p, err := m.Param(g.Info(n.In[3+i]).Name)
			if err != nil {
				return nil, fmt.Errorf("train: the statistics of %s are computed: %w", n.Label(), err)
			}
			*into = p.Value
		}
		s.first, s.second = make([]float64, s.mean.Len()), make([]float64, s.mean.Len())
		list = append(list, s)
	}
	return list, nil
}

// see adds what a batch of so many examples has left in the statistics, which were zero before it.
func (s *statistics) see(weight float64) {
	mean, variance := s.mean.Float64s(), s.variance.Float64s()
	for i := range s.first {
		mu, v := mean[i]/(1-s.keep), variance[i]/(1-s.keep)
		s.first[i] += weight * mu
		s.second[i] += weight * (v + mu*mu)
	}
}

// set stores mean and variance over all examples.
func (s *statistics) set(examples float64) error {
	mean, variance := make([]float64, len(s.first)), make([]float64, len(s.first))
	for i := range mean {
		mean[i] = s.first[i] / examples
		variance[i] = max(0, s.second[i]/examples-mean[i]*mean[i])
	}
	for _, x := range []struct {
		into *tensor.Tensor
		from []float64
	}{{s.mean, mean}, {s.variance, variance}} {
		t, err := tensor.From(x.from, len(x.from)).Convert(x.into.DType())
		if err != nil {
			return err
		}
		copy(x.into.Bytes(), t.Bytes())
	}
	return nil
}
