package explain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// Policy is a way to propagate the gradient: the plain one, or one with rules of its own for some nodes, such as guided backpropagation.
type Policy struct {
	Name     string // distinguishes policies
	Override func(n *graph.Node) grad.Rule
}

// Plain is the gradient itself.
var Plain = Policy{}

// seedInput is the name under which the derivative of the score by the logits is fed. It ends in a tilde, so that no model is
// likely to have it.
const seedInput = "explain.seed~"

// net runs a classifier of pictures: forward, or forward and backward, in batches that the model admits.
type net struct {
	m         *engine.Model
	end       engine.Head
	input     engine.IO
	gradInput string // the value to differentiate by for the input: itself, or the real numbers it is cast to
	shape     inputShape
	layers    []string // tensor names
	wantInput bool

	forward  *engine.Session
	sessions map[string]*engine.Session // backward, by policy
	fixed    int                        // the only batch size that the model admits; 0 when it takes any
}

// inputShape says how the model's input is seen as [N,C,H,W].
type inputShape struct {
	rank int
	nhwc bool
}

// view is the shape [N,C,H,W] of an input of shape s: grey pictures [N,H,W] and rows of numbers [N,D] become [N,1,H,W] and [N,1,1,D].
func (v inputShape) view(s tensor.Shape) tensor.Shape {
	switch {
	case len(s) == 2:
		return tensor.Shape{s[0], 1, 1, s[1]}
	case len(s) == 3:
		return tensor.Shape{s[0], 1, s[1], s[2]}
	case v.nhwc:
		return tensor.Shape{s[0], s[3], s[1], s[2]}
	}
	return s
}

// toNCHW is x as float32 [N,C,H,W].
func (v inputShape) toNCHW(x *tensor.Tensor) (*tensor.Tensor, error) {
	x, err := real32(x)
	if err != nil {
		return nil, err
	}
	s := v.view(x.Shape())
	if !v.nhwc {
		return x.Reshape(s...), nil
	}
	return permute(x, s, false), nil
}

// fromNCHW is the inverse of toNCHW, for an input of element type d.
func (v inputShape) fromNCHW(x *tensor.Tensor, d tensor.DType) (*tensor.Tensor, error) {
	s := x.Shape()
	switch {
	case v.rank == 2:
		x = x.Reshape(s[0], s[3])
	case v.rank == 3:
		x = x.Reshape(s[0], s[2], s[3])
	case v.nhwc:
		x = permute(x, tensor.Shape{s[0], s[2], s[3], s[1]}, true)
	}
	if d == tensor.Float32 {
		return x, nil
	}
	return x.Convert(d)
}

// permute moves the channel axis of x from the end to axis 1, or back; to is the shape of the result.
func permute(x *tensor.Tensor, to tensor.Shape, back bool) *tensor.Tensor {
	out := tensor.New(tensor.Float32, to...)
	src, dst := x.F32(), out.F32()
	n, c, p := to[0], to[1], to[2]*to[3]
	if back {
		c, p = to[3], to[1]*to[2]
	}
	for i := range n {
		for k := range c {
			for u := range p {
				a, b := (i*c+k)*p+u, (i*p+u)*c+k // NCHW, NHWC
				if back {
					a, b = b, a
				}
				dst[a] = src[b]
			}
		}
	}
	return out
}

// real32 is t as float32.
func real32(t *tensor.Tensor) (*tensor.Tensor, error) {
	if t.DType() == tensor.Float32 {
		return t, nil
	}
	return t.Convert(tensor.Float32)
}

// oneInput fails unless m has exactly one input.
func oneInput(m *engine.Model) error {
	ins := m.Inputs()
	if len(ins) == 1 {
		return nil
	}
	var names []string
	for _, io := range ins {
		names = append(names, io.String())
	}
	return fmt.Errorf("explain: the model has %d inputs (%s); models with one can be explained", len(ins), strings.Join(names, "; "))
}

// newNet checks that m has one input that can be explained.
func newNet(m *engine.Model) (*net, error) {
	if err := oneInput(m); err != nil {
		return nil, err
	}
	ins := m.Inputs()
	end, err := m.Head("")
	if err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	n := &net{m: m, end: end, input: ins[0], gradInput: ins[0].Name, sessions: map[string]*engine.Session{}}
	if d := n.input.DType; d != tensor.Float32 && d != tensor.Float64 {
		g := m.Graph()
		in := g.Lookup(n.input.Name)
		n.gradInput = ""
		for _, node := range g.Nodes {
			if node.Op.Name == "Cast" && node.Op.Domain == "" && node.In[0] == in {
				n.gradInput = g.Info(node.Out[0]).Name
				break
			}
		}
	}
	return n, nil
}

// prepare takes the shape of the inputs that will come.
func (n *net) prepare(s tensor.Shape) error {
	if len(s) < 2 || len(s) > 4 {
		return fmt.Errorf("explain: input %q has shape %v; pictures [N,C,H,W] can be explained, and [N,H,W] and [N,D]", n.input.Name, s)
	}
	channels := func(k int) bool { return k == 1 || k == 3 || k == 4 }
	n.shape = inputShape{rank: len(s), nhwc: len(s) == 4 && !channels(s[1]) && channels(s[3])}
	return nil
}

// loss is the scalar that is differentiated: the sum over rows and classes of seed times logits.
func (n *net) loss(b *engine.Build) (graph.Value, error) {
	z, err := b.Value(n.end.Logits)
	if err != nil {
		return 0, err
	}
	return b.Add(ops.Mul, nil, z, b.Input(seedInput, b.DType(z), nil)), nil
}

// session is the compiled query of a backward pass under a policy.
func (n *net) session(p Policy) (*engine.Session, error) {
	if s, ok := n.sessions[p.Name]; ok {
		return s, nil
	}
	q := engine.Query{Fetch: append([]string{n.end.Logits}, n.layers...), Loss: n.loss, Grad: slices.Clone(n.layers), Override: p.Override}
	if n.wantInput {
		if n.gradInput == "" {
			return nil, fmt.Errorf("explain: input %q is %v, which has no gradient; choose a method that explains at a layer", n.input.Name, n.input.DType)
		}
		q.Grad = append(q.Grad, n.gradInput)
	}
	s, err := n.m.Session(q)
	if err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	n.sessions[p.Name] = s
	return s, nil
}

// mostFixed is the largest batch that a model may insist on.
const mostFixed = 1024

// run feeds x, in the model's own layout, with further feeds that have as many rows, and calls got with each result and the rows
// lo to hi of x that its first hi-lo rows belong to. A model that insists on a batch size gets batches of that size, the last one
// filled up with copies.
func (n *net) run(ctx context.Context, s *engine.Session, x, seed *tensor.Tensor, got func(r *engine.Result, lo, hi int) error) error {
	rows := x.Dim(0)
	size := rows
	if n.fixed > 0 {
		size = n.fixed
	}
	for lo := 0; lo < rows; lo += size {
		hi := min(lo+size, rows)
		feeds := map[string]*tensor.Tensor{n.input.Name: slab(x, lo, hi, size)}
		if seed != nil {
			feeds[seedInput] = slab(seed, lo, hi, size)
		}
		r, err := s.Run(ctx, feeds)
		if err != nil {
			if d := n.input.Dims; n.fixed == 0 && errors.Is(err, engine.ErrShape) && len(d) == x.Rank() && d[0].Size > 0 && d[0].Size <= mostFixed && d[0].Size != rows {
				n.fixed = d[0].Size
				return n.run(ctx, s, x, seed, got)
			}
			return fmt.Errorf("explain: %w", err)
		}
		if err := got(r, lo, hi); err != nil {
			return err
		}
	}
	return nil
}

// slab is rows lo to hi of t, filled up to size with copies of its first row.
func slab(t *tensor.Tensor, lo, hi, size int) *tensor.Tensor {
	if lo == 0 && hi == t.Dim(0) && size == hi {
		return t
	}
	shape := slices.Clone(t.Shape())
	row := len(t.Bytes()) / shape[0]
	shape[0] = size
	out := tensor.New(t.DType(), shape...)
	copy(out.Bytes(), t.Bytes()[lo*row:hi*row])
	for i := hi - lo; i < size; i++ {
		copy(out.Bytes()[i*row:], t.Bytes()[:row])
	}
	return out
}

// logits are the class scores of each row of x [N,C,H,W], and the shape of one batch of the score tensor.
func (n *net) logits(ctx context.Context, x *tensor.Tensor) (rows [][]float32, like seedLike, err error) {
	if n.forward == nil {
		if n.forward, err = n.m.Session(engine.Query{Fetch: []string{n.end.Logits}}); err != nil {
			return nil, like, fmt.Errorf("explain: %w", err)
		}
	}
	feed, err := n.shape.fromNCHW(x, n.input.DType)
	if err != nil {
		return nil, like, fmt.Errorf("explain: input: %w", err)
	}
	err = n.run(ctx, n.forward, feed, nil, func(r *engine.Result, lo, hi int) error {
		t := r.Value(n.end.Logits)
		batch := t.Dim(0)
		if n.fixed == 0 {
			batch = hi - lo
		}
		h, err := headOf(t, batch)
		if err != nil {
			return err
		}
		rows = append(rows, h.rows(t, batch)[:hi-lo]...)
		like = seedLike{h, t.DType(), slices.Clone(t.Shape())}
		return nil
	})
	return rows, like, err
}

// seedLike is the form of the score tensor, for making seeds.
type seedLike struct {
	head  head
	dtype tensor.DType
	shape tensor.Shape
}

// make is the seed of the given rows.
func (l seedLike) make(rows [][]float64) *tensor.Tensor {
	shape := slices.Clone(l.shape)
	if len(shape) > 1 || l.head.classes == 1 {
		shape[0] = len(rows)
	}
	return l.head.seed(l.dtype, shape, rows)
}

// Pass is what one forward and backward pass gave. The tensors are float32.
type Pass struct {
	Logits    [][]float32      // by row and class
	Act, Grad []*tensor.Tensor // by layer, [N,C,h,w]
	InputGrad *tensor.Tensor   // [N,C,H,W]; nil unless a method asked for it
}

// backward runs x [N,C,H,W] with the seeds of its rows.
func (n *net) backward(ctx context.Context, p Policy, x, seed *tensor.Tensor) (*Pass, error) {
	s, err := n.session(p)
	if err != nil {
		return nil, err
	}
	feed, err := n.shape.fromNCHW(x, n.input.DType)
	if err != nil {
		return nil, fmt.Errorf("explain: input: %w", err)
	}
	out := &Pass{Act: make([]*tensor.Tensor, len(n.layers)), Grad: make([]*tensor.Tensor, len(n.layers))}
	rows := x.Dim(0)
	err = n.run(ctx, s, feed, seed, func(r *engine.Result, lo, hi int) error {
		t := r.Value(n.end.Logits)
		batch := t.Dim(0)
		if n.fixed == 0 {
			batch = hi - lo
		}
		h, err := headOf(t, batch)
		if err != nil {
			return err
		}
		out.Logits = append(out.Logits, h.rows(t, batch)[:hi-lo]...)
		for l, name := range n.layers {
			if err := gather(&out.Act[l], r.Value(name), name, lo, hi, rows); err != nil {
				return err
			}
			g := r.Grad(name)
			if g == nil {
				return fmt.Errorf("explain: the class score does not depend on layer %q", name)
			}
			if err := gather(&out.Grad[l], g, name, lo, hi, rows); err != nil {
				return err
			}
		}
		if !n.wantInput {
			return nil
		}
		g := r.Grad(n.gradInput)
		if g == nil {
			return fmt.Errorf("explain: the class score does not depend on the input %q", n.input.Name)
		}
		if g, err = n.shape.toNCHW(g); err != nil {
			return err
		}
		return gather(&out.InputGrad, g, n.input.Name, lo, hi, rows)
	})
	return out, err
}

// gather copies the first hi-lo rows of t to rows lo to hi of *into, which it makes with the given number of rows when nil.
func gather(into **tensor.Tensor, t *tensor.Tensor, name string, lo, hi, rows int) error {
	t, err := real32(t)
	if err != nil {
		return fmt.Errorf("explain: %q: %w", name, err)
	}
	if err := check4D(fmt.Sprintf("%q", name), t); err != nil {
		return err
	}
	if t.Dim(0) < hi-lo {
		return fmt.Errorf("explain: %q is %v for a batch of %d images; the model mixes them", name, t, hi-lo)
	}
	if *into == nil {
		*into = tensor.New(tensor.Float32, rows, t.Dim(1), t.Dim(2), t.Dim(3))
	}
	row := len(t.Bytes()) / t.Dim(0)
	if lo*row+(hi-lo)*row > len((*into).Bytes()) {
		return fmt.Errorf("explain: %q changes its shape between batches", name)
	}
	copy((*into).Bytes()[lo*row:], t.Bytes()[:(hi-lo)*row])
	return nil
}
