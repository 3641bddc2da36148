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
	// Weighted multiplies the gradient of each example by 1/(N·p_i), and that of each step by the probability of its path when all paths are
	// alike over that by the law: the mean gradient is then that of all examples and all paths alike, whatever the laws are. Nothing is clipped.
	Weighted bool
}

// Variance estimates how the gradient of a step varies at the weights as they are, from steps that are drawn and not taken: with gradients
// g_1…g_M, each with zeros for the weights that are not on its path,
//
//	(Σ‖g_m‖² − M·‖ḡ‖²)/(M−1)
//
// It is without bias for the trace of their covariance. Each step draws a path and a batch, with replacement; gradients are not clipped. The
// laws are those that the scores of the training give now. Draws of the same seed have common random numbers.
func (t *Trainer) Variance(ctx context.Context, d Draw, draws int, seed uint64) (Spread, error) {
	p, law := make([]float64, t.ds.Len()), NewPathLaw(len(t.n.Ops)).Law(0)
	alike := law
	for i := range p {
		p[i] = 1 / float64(len(p))
	}
	if d.Data {
		p = t.data.Law(d.Tau)
	}
	if d.Path {
		law = t.path.Law(d.Tau)
	}
	tree, r := data.NewSumTree(p), rand.New(rand.NewPCG(t.c.Seed^keyLook<<16, seed))
	paths := rand.New(rand.NewPCG(t.c.Seed^keyLook<<16, seed+1<<32))
	order := make([]int, draws*t.c.BatchSize)
	for i := range order {
		order[i] = tree.Draw(r.Float64())
	}
	var weights []float64
	if d.Weighted {
		weights = Weights(p, 0)
	}
	mean := map[string][]float64{}
	for _, name := range t.n.names {
		mean[name] = make([]float64, t.n.weight[name].Len())
	}
	total := 0.0
	sampler := data.SamplerFunc(func(int) []int { return order })
	for b, err := range data.Batches(ctx, t.ds, sampler, t.c.BatchSize, data.BatchOptions{Preprocess: t.c.Preprocess}) {
		if err != nil {
			return Spread{}, err
		}
		arch := one(t.n.Layout, law, paths)[0]
		net, err := t.nets.get(arch)
		if err != nil {
			return Spread{}, err
		}
		var w []float64
		factor := 1.0
		if d.Weighted {
			for _, i := range b.Index {
				w = append(w, weights[i])
			}
			factor = t.n.probability(arch, alike) / t.n.probability(arch, law)
		}
		if _, err = net.run(ctx, t.c.Task, b, w, nil, func(s shared, g *tensor.Tensor) {
			sum := mean[s.name]
			for i, v := range g.F32() {
				x := factor * float64(v)
				total += x * x
				sum[i] += x / float64(draws)
			}
		}); err != nil {
			return Spread{}, err
		}
	}
	square := 0.0
	for _, name := range t.n.names { // in one order, so that rounding is the same each time
		for _, v := range mean[name] {
			square += v * v
		}
	}
	m := float64(draws)
	return Spread{Variance: (total - m*square) / (m - 1), Mean: math.Sqrt(square), Draws: draws}, nil
}
