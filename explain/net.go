package explain

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/tensor"
)

// net runs a model: forward, or forward and backward, in batches that it admits.
type net struct {
	batching
	src       source
	goal      goal
	layers    []place
	wantInput bool

	forward, back *engine.Session // back has the way back too; nil until one is needed
}

// place is a tensor that maps are made at.
type place struct {
	label string // as asked for
	name  string
	view  View
}

// rowsValue is the name under which the number of each row is fetched in a forward pass.
const rowsValue = "explain.rows~"

// number adds the number of each row.
func (n *net) number(b *engine.Build) (graph.Value, error) {
	v := n.goal.add(&build{b})
	return v, b.Err()
}

// session is the compiled query of a backward pass.
func (n *net) session() (*engine.Session, error) {
	if n.back != nil {
		return n.back, nil
	}
	q := engine.Query{Fetch: n.goal.scores(), Loss: n.number}
	for _, l := range n.layers {
		q.Fetch, q.Grad = once(q.Fetch, l.name), once(q.Grad, l.name)
	}
	if n.wantInput {
		q.Grad = once(q.Grad, n.at())
	}
	var err error
	if n.back, err = n.m.Session(q); err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	return n.back, nil
}

// once is list with name in it.
func once(list []string, name string) []string {
	if slices.Contains(list, name) {
		return list
	}
	return append(list, name)
}

// at is the name of the tensor that maps at the input are made at.
func (n *net) at() string { return n.m.Graph().Info(n.src.at).Name }

// Pass is what one forward and backward pass gave. The tensors are float32.
type Pass struct {
	Scores    []float64        // by row: the number that is explained
	Act, Grad []*tensor.Tensor // by layer, [N,C,h,w]
	InputGrad *tensor.Tensor   // [N,C,H,W], of tokens [N,C,1,T] by their embedding; nil unless a method asked for it

	readings []reading
}

// scores makes a forward pass of the rows of feeds with the given choices.
func (n *net) scores(ctx context.Context, feeds map[string]*tensor.Tensor, choices []int) (*Pass, error) {
	if n.forward == nil {
		var err error
		if n.forward, err = n.m.Session(engine.Query{Fetch: n.goal.scores(), Derive: func(b *engine.Build) (engine.Outputs, error) {
			v, err := n.number(b)
			return engine.Outputs{rowsValue: v}, err
		}}); err != nil {
			return nil, fmt.Errorf("explain: %w", err)
		}
	}
	p := &Pass{}
	return p, n.each(ctx, n.forward, p, feeds, choices, nil)
}

// backward makes a forward and backward pass of the rows of feeds with the given choices.
func (n *net) backward(ctx context.Context, feeds map[string]*tensor.Tensor, choices []int) (*Pass, error) {
	s, err := n.session()
	if err != nil {
		return nil, err
	}
	p := &Pass{Act: make([]*tensor.Tensor, len(n.layers)), Grad: make([]*tensor.Tensor, len(n.layers))}
	rows := len(choices)
	return p, n.each(ctx, s, p, feeds, choices, func(part feed.Part) error {
		for l, at := range n.layers {
			if err := gather(&p.Act[l], part.Value(at.name), at, part, rows); err != nil {
				return err
			}
			g := part.Grad(at.name)
			if g == nil {
				return fmt.Errorf("explain: the class score does not depend on layer %q", at.name)
			}
			if err := gather(&p.Grad[l], g, at, part, rows); err != nil {
				return err
			}
		}
		if !n.wantInput {
			return nil
		}
		g := part.Grad(n.at())
		if g == nil {
			return fmt.Errorf("explain: the class score does not depend on the input %q", n.src.io.Name)
		}
		return gather(&p.InputGrad, g, place{name: n.at(), view: n.src.shown}, part, rows)
	})
}

// each runs s over the rows of feeds, collects the numbers and what the scores say, and calls got, if any, with each result.
func (n *net) each(ctx context.Context, s *engine.Session, p *Pass, feeds map[string]*tensor.Tensor, choices []int,
	got func(feed.Part) error) error {
	rows := len(choices)
	ks := make([]int64, rows)
	for i, k := range choices {
		ks[i] = int64(k)
	}
	extra, err := n.goal.feeds(feeds, rows)
	if err != nil {
		return err
	}
	more := feed.Rows{Same: map[string]*tensor.Tensor{choiceInput: tensor.From(ks, rows)}}
	maps.Copy(more.Same, extra)
	maps.DeleteFunc(more.Same, func(name string, _ *tensor.Tensor) bool { return !slices.Contains(s.Feeds(), name) })
	return n.plan.RunFeeds(ctx, s, feeds, rows, more, func(part feed.Part) error {
		lo, hi := part.Lo, part.Hi
		f := fetched{scores: map[string]*tensor.Tensor{}, feeds: more.Slice(lo, hi).Same}
		for _, name := range n.goal.scores() {
			f.scores[name] = part.Value(name)
		}
		v := part.Loss()
		if v == nil {
			v = part.Value(rowsValue)
		}
		if v.Len() < hi-lo {
			return fmt.Errorf("explain: %d numbers to explain for %d examples; the model mixes them", v.Len(), hi-lo)
		}
		f.rows = v.Float64s()[:hi-lo]
		readings, err := n.goal.read(f, hi-lo)
		if err != nil {
			return err
		}
		p.Scores, p.readings = append(p.Scores, f.rows...), append(p.readings, readings...)
		if got == nil {
			return nil
		}
		return got(part)
	})
}

// gather puts the examples of a part of the view of t to those of other parts, of so many rows in all.
func gather(into **tensor.Tensor, t *tensor.Tensor, at place, part feed.Part, rows int) error {
	t, err := at.view.Forward(t)
	if err != nil {
		return fmt.Errorf("explain: %q %w", at.name, err)
	}
	if err := check4D(fmt.Sprintf("%q", at.name), t); err != nil {
		return err
	}
	if *into, err = feed.Gather(*into, at.name, t, part, rows); err != nil {
		return fmt.Errorf("explain: %w", err)
	}
	return nil
}

// real32 is t as float32.
func real32(t *tensor.Tensor) (*tensor.Tensor, error) {
	if t.DType() == tensor.Float32 {
		return t, nil
	}
	return t.Convert(tensor.Float32)
}
