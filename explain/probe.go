package explain

import (
	"context"
	"fmt"

	"github.com/gtk-onnx/gtk/tensor"
)

// Probe is what a method sees: a batch of rows, each an image with the class to explain, and the passes it can make.
type Probe struct {
	net  *net
	pool interface {
		For(n, grain int, body func(lo, hi int))
	}
	x       *tensor.Tensor // float32 [N,C,H,W]
	classes []int          // by row
	logits  [][]float32    // by row, of the clean input
	like    seedLike
	score   Score
	batch   int
	seed    uint64
	noise   *tensor.Tensor
	layers  []string // as asked for
	clean   map[string]*Pass
}

// Input is the preprocessed input, float32 [N,C,H,W]; it must not be changed.
func (p *Probe) Input() *tensor.Tensor { return p.x }

// Rows is N.
func (p *Probe) Rows() int { return p.x.Dim(0) }

// Class is the class that row r is explained for.
func (p *Probe) Class(r int) int { return p.classes[r] }

// Layers are the names of the layers.
func (p *Probe) Layers() []string { return p.layers }

// Batch is how many rows to give to one pass.
func (p *Probe) Batch() int { return p.batch }

// Seed is what random numbers are to depend on.
func (p *Probe) Seed() uint64 { return p.seed }

// Noise is recorded noise for the input, float32 [n,C,H,W], to use instead of random numbers; nil when there is none.
func (p *Probe) Noise() *tensor.Tensor { return p.noise }

// Clean is the plain pass of the rows themselves, made once for all methods. It must not be changed.
func (p *Probe) Clean(ctx context.Context) (*Pass, error) { return p.CleanUnder(ctx, Plain) }

// CleanUnder is Clean under another policy.
func (p *Probe) CleanUnder(ctx context.Context, policy Policy) (*Pass, error) {
	if pass, ok := p.clean[policy.Name]; ok {
		return pass, nil
	}
	from := make([]int, p.Rows())
	for i := range from {
		from[i] = i
	}
	pass, err := p.run(ctx, policy, p.x, from, p.logits)
	if err == nil {
		p.clean[policy.Name] = pass
	}
	return pass, err
}

// Pass runs other inputs x [n,C,H,W], element i with the class of row from[i].
func (p *Probe) Pass(ctx context.Context, policy Policy, x *tensor.Tensor, from []int) (*Pass, error) {
	var z [][]float32
	if p.score != Logit { // the derivative depends on the logits
		var err error
		if z, _, err = p.net.logits(ctx, x); err != nil {
			return nil, err
		}
	}
	return p.run(ctx, policy, x, from, z)
}

// Scores are the scores of other inputs x [n,C,H,W], element i for the class of row from[i].
func (p *Probe) Scores(ctx context.Context, x *tensor.Tensor, from []int) ([]float64, error) {
	z, _, err := p.net.logits(ctx, x)
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(z))
	for i := range out {
		out[i] = p.score.value(z[i], p.classes[from[i]], p.sigmoid())
	}
	return out, nil
}

func (p *Probe) sigmoid() bool { return p.net.end.Activation == "Sigmoid" }

func (p *Probe) run(ctx context.Context, policy Policy, x *tensor.Tensor, from []int, z [][]float32) (*Pass, error) {
	if x.Dim(0) != len(from) {
		return nil, fmt.Errorf("explain: %d inputs for %d rows", x.Dim(0), len(from))
	}
	seeds := make([][]float64, len(from))
	for i, r := range from {
		seeds[i] = make([]float64, p.like.head.classes)
		var zi []float32
		if p.score != Logit {
			zi = z[i]
		}
		p.score.seedRow(seeds[i], zi, p.classes[r], p.sigmoid())
	}
	return p.net.backward(ctx, policy, x, p.like.make(seeds))
}

// each calls f for 0 to n-1, on all threads.
func (p *Probe) each(n int, f func(i int)) {
	p.pool.For(n, 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			f(i)
		}
	})
}
