package train

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/tensor"
)

// chainSampler runs the blocks one after the other.
type chainSampler struct {
	*denoiser
	runs []*engine.Session // of the blocks
	a, b []float64
}

// newSampler takes the weights of a chain as they are.
func (n *NoPropNet) newSampler(chain *engine.Model) (*chainSampler, error) {
	d, err := newDenoiser(n, chain)
	if err != nil {
		return nil, err
	}
	s := &chainSampler{denoiser: d, a: n.plan.a, b: n.plan.b}
	for _, c := range d.blocks {
		for _, p := range c.pairs {
			copy(p.own.Bytes(), p.chain.Bytes())
		}
		q := engine.Query{Fetch: []string{blockNear}}
		if c.out {
			q.Fetch[0] = blockOut
		}
		r, err := c.m.Session(q)
		if err != nil {
			return nil, fmt.Errorf("train: noprop: %w", err)
		}
		s.runs = append(s.runs, r)
	}
	if d.gamma == nil {
		return s, nil
	}
	s.a, s.b = nil, nil
	for _, t := range n.plan.times {
		pull, keep := flow(d.gamma.at(t))
		s.a, s.b = append(s.a, pull/float64(n.Steps)), append(s.b, 1-pull*keep/float64(n.Steps))
	}
	return s, nil
}

// run goes from z [N,D] through the chain, which is changed, and gives the class of each example. eps draws the noise that the steps of dt
// but for the last add, nil for none.
func (s *chainSampler) run(ctx context.Context, x, z *tensor.Tensor, eps func() float64) ([]int, error) {
	rows, v := z.Dim(0), z.F32()
	for t := range s.Steps {
		k := min(t, s.Blocks()-1)
		in := map[string]*tensor.Tensor{blockX: x, blockZ: z}
		if s.plan.times != nil {
			time := tensor.New(tensor.Float32, rows, timeWidth)
			for i := range rows {
				sinusoids(s.plan.times[t], time.F32()[i*timeWidth:])
			}
			in[blockTime] = time
		}
		if s.blocks[k].near {
			in[blockLeft] = tensor.New(tensor.Float32, rows, 1)
		}
		r, err := s.runs[k].Run(ctx, in)
		if err != nil {
			return nil, err
		}
		for j, u := range r.Value(blockOut).F32() {
			v[j] = float32(s.a[t])*u + float32(s.b[t])*v[j]
			if eps != nil && s.plan.c != nil && t < s.Steps-1 {
				v[j] += float32(math.Sqrt(s.plan.c[t]) * eps())
			}
		}
	}
	score, width := s.nearest(z), s.In.Classes
	if s.Variant != NoPropFM {
		r, err := s.runs[len(s.runs)-1].Run(ctx, map[string]*tensor.Tensor{blockZ: z})
		if err != nil {
			return nil, err
		}
		score = r.Value(blockNear).F32()
	}
	classes := make([]int, rows)
	for i := range rows {
		for k, p := range score[i*width : (i+1)*width] {
			if p > score[i*width+classes[i]] {
				classes[i] = k
			}
		}
	}
	return classes, nil
}

// nearest is u·z − ‖u‖²/2 of each example and class.
func (s *chainSampler) nearest(z *tensor.Tensor) []float32 {
	rows, w, u := z.Dim(0), s.dim(), s.table.F32()
	score := make([]float32, rows*s.In.Classes)
	for i := range score {
		from, to := z.F32()[i/s.In.Classes*w:], u[i%s.In.Classes*w:]
		for j := range w {
			score[i] += to[j] * (from[j] - to[j]/2)
		}
	}
	return score
}

// SampledAccuracy is the share of ds that the blocks with the weights of chain get right where the way begins at normal noise, as in the
// paper, which seed draws, and the steps of dt add the noise that they may; the chain that is written begins at 0 and adds none.
func (n *NoPropNet) SampledAccuracy(ctx context.Context, chain *engine.Model, ds data.Dataset, c EvalConfig, seed uint64) (float64, error) {
	s, err := n.newSampler(chain)
	if err != nil {
		return 0, err
	}
	if c.Feed == nil {
		if c.Feed, err = feed.For(chain, ds, feed.Options{}); err != nil {
			return 0, err
		}
	}
	const name = 0x73616d70 // "samp"
	r := rand.New(rand.NewPCG(seed, name))
	hit, size := 0, c.BatchSize
	if size == 0 {
		size = 64
	}
	for b, err := range data.Batches(ctx, ds, data.Sequential(ds.Len()), size, data.BatchOptions{Preprocess: c.Preprocess}) {
		if err != nil {
			return 0, err
		}
		feeds, err := c.Feed.Feeds(b)
		if err != nil {
			return 0, err
		}
		z := tensor.New(tensor.Float32, b.Len(), n.dim())
		for j := range z.F32() {
			z.F32()[j] = float32(r.NormFloat64())
		}
		classes, err := s.run(ctx, feeds[n.In.Name], z, r.NormFloat64)
		if err != nil {
			return 0, err
		}
		for i, k := range classes {
			hit += b2i(int64(k) == b.Labels[i])
		}
	}
	return float64(hit) / float64(ds.Len()), nil
}
