package prune

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/task"
)

// GraNd is the norm of the gradient of one example's loss, that of the task, by all weights, normalisation included, with running
// statistics in batch normalisation. It is exact: computed for a whole batch from layer inputs and output gradients where
// every layer has a per-example rule, and one example at a time where one has none, or where the first example of the first batch has
// another norm alone.
//
// Source: Paul, Ganguli, Dziugaite 2021 (arXiv 2107.07075), definition 2.1. At initialisation it says little more than the norm of
// the input: Kirsch 2023 (arXiv 2303.14753).
type GraNd struct {
	// Each forces the computation of one example at a time.
	Each bool
}

func init() {
	scorers.Register("grand", GraNd{}, "exact norm of each example's gradient by all weights", "https://arxiv.org/abs/2107.07075")
}

// Prepare compiles the per-example norms.
func (g GraNd) Prepare(t *task.Task, p *feed.Plan) (Scoring, error) {
	m := p.Model()
	var params []string
	for q := range m.Params() {
		if q.Trainable {
			params = append(params, q.Name)
		}
	}
	if len(params) == 0 {
		return nil, errors.New("prune: grand: the model has no trainable parameter")
	}
	if !g.Each {
		s, err := m.Session(engine.Query{Loss: t.PerTerm(), PerExample: params})
		if err == nil {
			return &grand{s: s, p: p, alone: func() (*grand, error) { return eachAlone(t, p, params) }}, nil
		}
		if !lacksRule(err) {
			return nil, err
		}
	}
	return eachAlone(t, p, params)
}

// lacksRule reports whether err says that per-example gradients do not exist for a layer, or for its shapes.
func lacksRule(err error) bool {
	return errors.Is(err, graph.ErrNoGradient) || errors.Is(err, errors.ErrUnsupported)
}

// eachAlone compiles the gradients, for examples that are taken one at a time.
func eachAlone(t *task.Task, p *feed.Plan, params []string) (*grand, error) {
	s, err := p.Model().Session(engine.Query{Loss: t.Total(), Grad: params, Fixed: true})
	if err != nil {
		return nil, err
	}
	return &grand{s: s, p: p, each: params}, nil
}

type grand struct {
	s     *engine.Session
	p     *feed.Plan
	each  []string               // parameters, when examples are taken one at a time
	alone func() (*grand, error) // makes that, until it is known not to be needed
}

// agreement is how far the norm of an example in a batch may be from that alone, relative to it.
const agreement = 1e-3

func (g *grand) Score(ctx context.Context, b *data.Batch, truth *task.Truth, out []float64) error {
	if g.each != nil {
		return g.scoreEach(ctx, b, truth, out, b.Len())
	}
	own := truth.Own()
	err := g.p.Run(ctx, g.s, b, truth.Rows(own), func(p feed.Part) error {
		n := p.TotalNorm2().Float64s()
		if len(n) != p.Size {
			return fmt.Errorf("%d norms for a batch of %d: %w", len(n), p.Size, graph.ErrNoGradient)
		}
		for i := range p.Hi - p.Lo {
			out[p.Lo+i] = math.Sqrt(n[i])
		}
		return nil
	})
	switch {
	case g.alone == nil, err != nil && !lacksRule(err):
		return err
	case err == nil && b.Len() < 2: // nothing to compare with
		return nil
	}
	alone, failed := g.alone()
	if failed != nil {
		return failed
	}
	g.alone = nil
	if err == nil {
		first := []float64{0}
		if err := alone.scoreEach(ctx, b, truth, first, 1); err != nil {
			return err
		}
		if math.Abs(first[0]-out[0]) <= agreement*max(first[0], out[0])+1e-7 {
			return nil
		}
	}
	*g = *alone
	return g.scoreEach(ctx, b, truth, out, b.Len())
}

// scoreEach scores the first n examples of b one at a time.
func (g *grand) scoreEach(ctx context.Context, b *data.Batch, truth *task.Truth, out []float64, n int) error {
	own := truth.Own()
	for i := range n {
		err := g.p.Run(ctx, g.s, b.Slice(i, i+1), truth.Rows(own).Slice(i, i+1), func(p feed.Part) error {
			out[i] = g.norm(p.Result)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// norm is that of all gradients of r.
func (g *grand) norm(r *engine.Result) float64 {
	s := 0.0
	for _, p := range g.each {
		if d := r.Grad(p); d != nil {
			for _, v := range d.Float64s() {
				s += v * v
			}
		}
	}
	return math.Sqrt(s)
}
