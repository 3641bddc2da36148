package nas

import (
	"context"
	"math"
	"math/rand/v2"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/tensor"
)

// Spread is how much the gradient of a step varies from step to step at the same weights.
type Spread struct {
	Variance float64 // the trace of the covariance of the gradient of a step over all weights of the supernet
	Mean     float64 // norm of the mean gradient
	Draws    int     // steps that it was estimated from
}

// Relative is the variance as a share of the squared norm of the mean gradient.
func (s Spread) Relative() float64 { return s.Variance / (s.Mean * s.Mean) }

// Draw says by which laws the steps are drawn whose gradients are compared.
type Draw struct {
	Data, Path bool // by the laws of the training so far, at Tau; else all alike
	Tau        float64
	// Weighted multiplies the gradient of each example by 1/(N·p_i), and that of each step by the probability of its path when all paths
	// are alike over that by the law: the mean gradient is then that of all examples and all paths alike, whatever the laws are. Nothing is
	// clipped.
	Weighted bool
}

// Variance estimates how the gradient of a step varies at the weights as they are, from steps that are drawn and not taken: with gradients
// g_1…g_M, each with zeros for the weights that are not on its path,
//
//	(Σ‖g_m‖² − M·‖ḡ‖²)/(M−1)
//
// It is without bias for the trace of their covariance. Each step draws a path and a batch, with replacement; gradients are not clipped.
// The laws are those that the scores of the training give now. Draws of the same seed have common random numbers.
//
// A law of paths draws some of them so rarely that their weighted gradients, which are then very large, would hardly be seen. Where
// Weighted and Path are set, the paths are therefore drawn alike, and the second moment is that by the law q, u being the uniform one:
// E_q[(u/q)²‖g‖²] = E_u[(u/q)‖g‖²]. It is infinite where the law never draws what is drawn.
func (t *Trainer) Variance(ctx context.Context, d Draw, draws int, seed uint64) (Spread, error) {
	p, alike := make([]float64, t.ds.Len()), NewPathLaw(len(t.n.Ops)).Law(0)
	for i := range p {
		p[i] = 1 / float64(len(p))
	}
	if d.Data {
		p = t.data.Law(d.Tau)
	}
	law := alike
	if d.Path {
		law = t.path.Law(d.Tau)
	}
	from := law // that paths are drawn from
	if d.Weighted {
		from = alike
	}
	var weights []float64
	if d.Weighted {
		weights = Weights(p, 0)
	}
	paths := rand.New(rand.NewPCG(t.c.Seed^keyLook<<16, seed+1<<32))
	order := t.drawn(p, draws*t.c.BatchSize, seed^keyLook<<16)
	mean := map[string][]float64{}
	for _, name := range t.n.names {
		mean[name] = make([]float64, t.n.weight[name].Len())
	}
	total, moment := 0.0, 0.0 // Σ‖g‖², and weighted Σ(u/q)‖g‖²
	sampler := data.SamplerFunc(func(int) []int { return order })
	for b, err := range data.Batches(ctx, t.ds, sampler, t.c.BatchSize, data.BatchOptions{Preprocess: t.c.Preprocess}) {
		if err != nil {
			return Spread{}, err
		}
		arch := one(t.n.Layout, from, paths)[0]
		net, err := t.nets.get(arch)
		if err != nil {
			return Spread{}, err
		}
		var w []float64
		for _, i := range b.Index {
			if weights != nil {
				w = append(w, weights[i])
			}
		}
		square := 0.0
		if _, err = net.run(ctx, t.c.Task, b, w, nil, func(s shared, g *tensor.Tensor) {
			sum := mean[s.name]
			for i, v := range g.F32() {
				square += float64(v) * float64(v)
				sum[i] += float64(v) / float64(draws)
			}
		}); err != nil {
			return Spread{}, err
		}
		total += square
		if square > 0 {
			moment += square * t.n.probability(arch, from) / t.n.probability(arch, law)
		}
	}
	square := 0.0
	for _, name := range t.n.names { // in one order, so that rounding is the same each time
		for _, v := range mean[name] {
			square += v * v
		}
	}
	m := float64(draws)
	variance := (total - m*square) / (m - 1)
	return Spread{Variance: variance + (moment-total)/m, Mean: math.Sqrt(square), Draws: draws}, nil
}
