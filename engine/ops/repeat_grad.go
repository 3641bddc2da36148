package ops

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// backward is the gradient of a repeat under construction: a Scan that goes through the trips from the last to the first. A trip computes
// the body again, from what the node keeps of the states at its beginning, and goes back through it. The gradients by the states, and the
// sums of those by captured values, are the states of the Scan.
type backward struct {
	r       *repeat
	b       *graph.Builder
	c       *closure
	formals []graph.Value // of the body, as the repeat has them
	held    []graph.Value // inputs of the body that hold captured values
	outs    []graph.Value // of the body, as the repeat has them
	dx      []graph.Value // by input of the node

	states, initial []graph.Value // inputs of the body that are states of the Scan, and what they begin with
	scanned         []scanned
	results         []result
	attrs           scanAttrs
}

// scanned is a formal input of the body that the Scan reads for each trip.
type scanned struct {
	in, of          graph.Value // of the body, of the enclosing graph
	axis, direction int
}

// result is a value of the body that the Scan gives out, and what is done with it then.
type result struct {
	v    graph.Value
	take func(out graph.Value)
}

// grad adds the backward Scan.
func (r *repeat) grad(b *graph.Builder, dy []graph.Value, need []bool) ([]graph.Value, error) {
	c, err := closureOf(r.n, r.k)
	if err != nil {
		return nil, err
	}
	w := &backward{
		r: r, b: b, c: c, dx: make([]graph.Value, len(r.n.In)), outs: c.G.Outputs[r.lead:],
		formals: slices.Clone(c.G.Inputs[:c.Formals]), held: slices.Clone(c.G.Inputs[c.Formals:]),
	}
	if err := w.trip(dy, need); err != nil || len(w.results) == 0 {
		return w.dx, err
	}
	w.read()
	m := b.AddControl("", Scan, &w.attrs, w.feeds(), allOf(len(w.results)), []*graph.Body{c.Body}, c.captured)
	if m == nil {
		return nil, b.Err()
	}
	m.Prune()
	for k, res := range w.results {
		res.take(m.Out[k])
	}
	return w.dx, nil
}

// input adds an input of the body for the gradient by v, whose shape is known to be dims or not known.
func (w *backward) input(v graph.Value, dims []graph.Dim) graph.Value {
	in := w.c.G.Info(v)
	return w.c.G.AddInput("d:"+in.Name, in.DType, dims)
}

// state adds a state of the Scan that begins as initial.
func (w *backward) state(in, initial graph.Value) {
	w.states, w.initial = append(w.states, in), append(w.initial, initial)
}

// trip goes back through the body.
func (w *backward) trip(dy []graph.Value, need []bool) error {
	r, n := w.r, w.r.n
	var ys, dys, wrt, states []graph.Value
	var at []int // states that are active
	for s, on := range r.active(dy, need) {
		if !on {
			continue
		}
		d, initial := w.input(w.outs[s], w.c.G.Info(w.formals[r.first+s]).Dims), graph.Value(0)
		if s < len(dy) {
			initial = dy[s]
		}
		if initial == 0 {
			initial = Fill(w.b, r.output(w.b, s), 0)
		}
		w.state(d, initial)
		ys, dys, wrt = append(ys, w.outs[s]), append(dys, d), append(wrt, w.formals[r.first+s])
		at, states = append(at, s), append(states, d)
	}
	for o := r.states; o < len(dy); o++ {
		if dy[o] == 0 {
			continue
		}
		d, m := w.input(w.outs[o], nil), o-r.states
		w.scanned = append(w.scanned, scanned{d, dy[o], nth(r.scan.OutAxes, m), 1 - nth(r.scan.OutDirections, m)})
		ys, dys = append(ys, w.outs[o]), append(dys, d)
	}
	var parts []int // inputs that are scanned and need a gradient
	for i := r.first + r.states; i < len(w.formals); i++ {
		if need[i] {
			parts, wrt = append(parts, i), append(wrt, w.formals[i])
		}
	}
	values := wanted(n, need)
	for _, v := range values {
		wrt = append(wrt, w.c.holders(v)...)
	}
	ds, err := w.b.Reverse(w.c.G, ys, dys, wrt)
	if err != nil {
		return err
	}
	in := graph.NewBuilder(w.c.G)
	for k, s := range at {
		d := ds[k]
		if d == 0 {
			d = Fill(in, states[k], 0)
		}
		w.give(d, w.c.G.Info(states[k]).Dims, func(out graph.Value) { w.dx[r.first+s] = out })
	}
	ds = ds[len(at):]
	ofParts, ds := ds[:len(parts)], ds[len(parts):]
	first := firsts(n, need)
	for _, v := range values {
		var d graph.Value
		for range w.c.holders(v) {
			d, ds = add(in, d, ds[0]), ds[1:]
		}
		if d == 0 {
			continue
		}
		dims := dimsOf(w.b.G.Info(v))
		sum := w.input(w.c.holders(v)[0], dims)
		w.state(sum, Fill(w.b, v, 0))
		w.give(add(in, sum, d), dims, func(out graph.Value) { w.dx[first[v]] = out })
	}
	for k, i := range parts {
		if ofParts[k] == 0 {
			continue
		}
		w.give(ofParts[k], w.c.G.Info(w.formals[i]).Dims, func(out graph.Value) {
			w.dx[i] = w.b.Add(ReshapeLike, nil, out, n.In[i]) // without a trip nothing tells the Scan the shape
		})
		m := i - r.first - r.states
		w.attrs.OutAxes = append(w.attrs.OutAxes, nth(r.scan.InAxes, m))
		w.attrs.OutDirections = append(w.attrs.OutDirections, 1-nth(r.scan.InDirections, m))
	}
	return in.Err()
}

// give returns v, of shape dims where that is known, from the body.
func (w *backward) give(v graph.Value, dims []graph.Dim, take func(out graph.Value)) {
	if in := w.c.G.Info(v); in.Dims == nil {
		in.Dims = dims // an exported Scan must say the rank of what its body returns
	}
	w.results = append(w.results, result{v, take})
}

// dimsOf is the declared shape of a value, or that of its content; nil when neither is known.
func dimsOf(in *graph.Info) []graph.Dim {
	if in.Data == nil {
		return in.Dims
	}
	dims := []graph.Dim{}
	for _, n := range in.Data.Shape() {
		dims = append(dims, graph.Dim{Size: n})
	}
	return dims
}

// read finds out what the trip reads of what the body was given, and lets it scan that. The first entry that every repeat has, the number
// of the trip in a Loop and the first scanned input in a Scan, is read in any case: it tells how many trips there are.
func (w *backward) read() {
	r, g := w.r, w.c.G
	g.Outputs = nil
	for _, res := range w.results {
		g.Outputs = append(g.Outputs, res.v)
	}
	g.Prune(nil)
	read := g.Read()
	w.scanned = slices.DeleteFunc(w.scanned, func(s scanned) bool { return !read[s.in] })
	for i, v := range w.formals {
		counts := i == r.first+r.states
		if r.loops() {
			counts = i == 0
		}
		switch m := i - r.first - r.states; {
		case !read[v] && !counts:
		case m >= 0:
			w.scanned = append(w.scanned, scanned{v, r.n.In[i], nth(r.scan.InAxes, m), 1 - nth(r.scan.InDirections, m)})
		case r.loops() && i == 1: // the body runs while the condition holds
			*g.Info(v) = graph.Info{Name: g.Info(v).Name, DType: tensor.Bool, Kind: graph.Constant, Data: tensor.Scalar(true)}
		default:
			w.scanned = append(w.scanned, scanned{v, r.keep(w.b, v), 0, 1})
		}
	}
	g.Inputs = slices.Clone(w.states)
	for _, s := range w.scanned {
		g.Inputs = append(g.Inputs, s.in)
		w.attrs.InAxes, w.attrs.InDirections = append(w.attrs.InAxes, s.axis), append(w.attrs.InDirections, s.direction)
	}
	w.attrs.NumScanInputs = len(w.scanned)
	w.c.Attr, w.c.Formals = "body", len(g.Inputs)
	g.Inputs = append(g.Inputs, w.held...)
}

// feeds are the inputs of the Scan.
func (w *backward) feeds() []graph.Value {
	feeds := slices.Clone(w.initial)
	for _, s := range w.scanned {
		feeds = append(feeds, s.of)
	}
	return feeds
}
