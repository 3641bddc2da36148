package explain

import (
	"context"
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/tensor"
)

// Probe is what a method sees: a batch of rows, each an example with what of its scores is to be explained, and the passes it can make.
type Probe struct {
	net  *net
	pool interface {
		For(n, grain int, body func(lo, hi int))
	}
	feeds    map[string]*tensor.Tensor // of the rows
	x        *tensor.Tensor            // float32 [N,C,H,W], nil for tokens
	choices  []int                     // by row; own until a pass was made
	readings []reading                 // by row, of the clean input; nil until a pass was made
	scores   []float64                 // likewise
	resolve  func([]reading) error     // told of the readings
	batch    int
	seed     uint64
	noise    *tensor.Tensor
	clean    *Pass
}

// Input is the preprocessed input, float32 [N,C,H,W]; it must not be changed. nil for tokens, whose numbers cannot be changed a little.
func (p *Probe) Input() *tensor.Tensor { return p.x }

// Kind is what the input is.
func (p *Probe) Kind() Kind { return p.net.src.kind }

// Rows is N.
func (p *Probe) Rows() int { return len(p.choices) }

// Layers are the names of the layers, as asked for.
func (p *Probe) Layers() []string {
	var out []string
	for _, l := range p.net.layers {
		out = append(out, l.label)
	}
	return out
}

// Batch is how many rows to give to one pass.
func (p *Probe) Batch() int { return p.batch }

// Seed is what random numbers are to depend on.
func (p *Probe) Seed() uint64 { return p.seed }

// Noise is recorded noise for the input, float32 [n,C,H,W], to use instead of random numbers; nil when there is none.
func (p *Probe) Noise() *tensor.Tensor { return p.noise }

// Clean is the pass of the rows themselves, made once for all methods. It must not be changed.
func (p *Probe) Clean(ctx context.Context) (*Pass, error) {
	if p.clean != nil {
		return p.clean, nil
	}
	pass, err := p.net.backward(ctx, p.feeds, p.choices)
	if err != nil {
		return nil, err
	}
	if err := p.settle(pass); err != nil {
		return nil, err
	}
	p.clean = pass
	return pass, nil
}

// settle takes the readings of the first pass of the rows themselves, and with them what of each row is explained in all that follow.
func (p *Probe) settle(pass *Pass) error {
	if p.readings != nil {
		return nil
	}
	p.readings, p.scores = pass.readings, pass.Scores
	return p.resolve(pass.readings)
}

// settled makes sure that what of each row is explained is known.
func (p *Probe) settled(ctx context.Context) error {
	if !slices.Contains(p.choices, own) {
		return nil
	}
	pass, err := p.net.scores(ctx, p.feeds, p.choices)
	if err != nil {
		return err
	}
	return p.settle(pass)
}

// with is the feeds of other inputs x [n,C,H,W], element i a variant of row from[i], and what of each is explained.
func (p *Probe) with(x *tensor.Tensor, from []int) (map[string]*tensor.Tensor, []int, error) {
	if x.Dim(0) != len(from) {
		return nil, nil, fmt.Errorf("explain: %d inputs for %d rows", x.Dim(0), len(from))
	}
	src := p.net.src
	if src.kind == KindTokens {
		return nil, nil, fmt.Errorf("explain: input %q is numbers of tokens, of which there are no variants", src.io.Name)
	}
	feeds := p.net.takes(p.feeds, from)
	fed, err := src.fed.Inverse(x)
	if d := p.feeds[src.io.Name].DType(); err == nil && d != tensor.Float32 {
		fed, err = fed.Convert(d)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("explain: input: %w", err)
	}
	feeds[src.io.Name] = fed
	choices := make([]int, len(from))
	for i, r := range from {
		choices[i] = p.choices[r]
	}
	return feeds, choices, nil
}

// Pass runs other inputs x [n,C,H,W], element i for what is explained of row from[i].
func (p *Probe) Pass(ctx context.Context, x *tensor.Tensor, from []int) (*Pass, error) {
	if err := p.settled(ctx); err != nil {
		return nil, err
	}
	feeds, choices, err := p.with(x, from)
	if err != nil {
		return nil, err
	}
	return p.net.backward(ctx, feeds, choices)
}

// each calls f for 0 to n-1, on all threads.
func (p *Probe) each(n int, f func(i int)) {
	p.pool.For(n, 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			f(i)
		}
	})
}
