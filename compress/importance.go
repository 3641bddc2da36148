package compress

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
)

// score says what each unit counts: the mean over the layers that make it, of a norm that has the mean 1 in each layer; of taylor the sum.
func (p *pruning) score(ctx context.Context) error {
	if p.m.Importance == "taylor" {
		return p.taylor(ctx)
	}
	made := map[*unit]int{}
	for _, k := range p.makes {
		es := p.places(k)
		x, err := p.norms(k)
		if err != nil {
			return err
		}
		if x == nil {
			continue
		}
		mean := 0.0
		for _, v := range x {
			mean += v / float64(len(x))
		}
		for i, e := range es {
			if u := p.of[p.root(e)]; u != nil && mean > 0 {
				u.score += x[i] / mean
				made[u]++
			}
		}
	}
	for u, n := range made {
		u.score /= float64(n)
	}
	if p.m.Importance == "bn" && len(made) == 0 {
		return Ask("importance=bn goes by the scales of batch normalisation, and no layer that can lose channels has one behind it: take l2, " +
			"l1 or taylor")
	}
	return nil
}

// norms are those of the weights of each channel of a layer, as the batch normalisation behind it scales them; nil where importance=bn has
// none.
func (p *pruning) norms(k maker) ([]float64, error) {
	w := p.constant(k.weight)
	n := w.Dim(k.axis)
	out := make([]float64, n)
	inner := 1
	for _, d := range w.Shape()[k.axis+1:] {
		inner *= d
	}
	for i, v := range w.Float64s() {
		c := i / inner % n
		if p.m.Importance == "l1" {
			out[c] += math.Abs(v)
		} else {
			out[c] += v * v
		}
	}
	if p.m.Importance == "l2" {
		for c := range out {
			out[c] = math.Sqrt(out[c])
		}
	}
	var scale []float64
	if bn := k.norm; bn != nil {
		g, v := p.constant(in(bn, 1)), p.constant(in(bn, 4))
		if g != nil && v != nil && g.Len() == n && v.Len() == n {
			eps := float64(float(bn, "epsilon", 1e-5))
			scale = g.Float64s()
			for c, x := range v.Float64s() {
				if p.m.Importance == "bn" {
					scale[c] = math.Abs(scale[c])
				} else {
					scale[c] = math.Abs(scale[c]) / math.Sqrt(x+eps)
				}
			}
		}
	}
	if p.m.Importance == "bn" {
		return scale, nil
	}
	for c := range scale {
		out[c] *= scale[c]
	}
	return out, nil
}

// taylor scores by the square of the sum of gradient times weight over the weights of a channel, the change of the loss without them to
// first order, summed over batches.
//
// Source: Molchanov et al. 2019, "Importance Estimation for Neural Network Pruning", https://arxiv.org/abs/1906.10771, equation 8.
func (p *pruning) taylor(ctx context.Context) error {
	m, err := engine.Load(p.net.m.Clone(), engine.WithPool(p.s.Model.Pool()))
	if err != nil {
		return err
	}
	var names []string
	var of []maker
	for _, k := range p.makes {
		if q, err := m.Param(k.weight); err != nil || !q.Trainable {
			continue
		}
		of = append(of, k)
		if !slices.Contains(names, k.weight) {
			names = append(names, k.weight)
		}
	}
	if len(names) == 0 {
		return fmt.Errorf("compress: channels: importance=taylor: no weight of a layer that can lose channels is trained; take importance=l2")
	}
	plan, err := p.s.Feed.With(m)
	if err != nil {
		return err
	}
	s, err := m.Session(engine.Query{Loss: p.s.Task.Total(), Grad: names, Fixed: true})
	if err != nil {
		return err
	}
	n := min(p.m.Samples, p.s.Data.Len())
	set, end := p.s.Stage("importance", n)
	defer end()
	done := 0
	return p.s.Examples(ctx, n, func(b *data.Batch) error {
		truth, err := p.s.Task.Truth(b)
		if err != nil {
			return err
		}
		w := make([]float64, b.Len())
		for i := range w {
			w[i] = 1 / max(truth.Total(), 1)
		}
		feeds, err := plan.Feeds(b)
		if err != nil {
			return err
		}
		sum := map[string][]float64{}
		err = plan.RunFeeds(ctx, s, feeds, b.Len(), truth.Rows(w), func(part feed.Part) error {
			for _, name := range names {
				g := part.Grad(name)
				if g == nil {
					continue
				}
				if sum[name] == nil {
					sum[name] = make([]float64, g.Len())
				}
				for i, v := range g.Float64s() {
					sum[name][i] += v
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, k := range of {
			g := sum[k.weight]
			if g == nil {
				continue
			}
			t := p.constant(k.weight)
			inner := 1
			for _, d := range t.Shape()[k.axis+1:] {
				inner *= d
			}
			c := make([]float64, t.Dim(k.axis))
			for i, v := range t.Float64s() {
				c[i/inner%len(c)] += v * g[i]
			}
			for i, e := range p.places(k) {
				if u := p.of[p.root(e)]; u != nil {
					u.score += c[i] * c[i]
				}
			}
		}
		done += b.Len()
		set(done, "")
		return nil
	})
}
