package compress

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// point is a value that is quantised.
type point struct {
	value  string
	seen   *observed // shared with the values that it only moves to or from
	steps  steps
	moved  bool   // it is made of quantised numbers by moving them
	from   string // value that is quantised: value, or what comes before a Relu that the saturation does
	q, dq  string // names of the integers and of what they stand for
	reader bool   // something reads dq
}

// movers are operators that take, join or repeat numbers as they are, and do so with integers of 8 bits too.
var movers = []string{"MaxPool", "Concat", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Slice", "DepthToSpace",
	"SpaceToDepth", "Pad"}

// static quantises activations by scales that examples tell.
func (q *int8Net) static(ctx context.Context, r *Int8Report) error {
	ps := q.points()
	if err := q.calibrate(ctx, ps, r); err != nil {
		return err
	}
	before := q.net.m.Clone()
	q.write(ps)
	r.Activations, r.Calibration = len(ps), q.m.Calibration
	return q.compare(ctx, before, ps, r)
}

// points are the values that are quantised: what layers read, what convolutions give, and what lies between that sums or moves numbers.
func (q *int8Net) points() map[string]*point {
	ps := map[string]*point{}
	var todo []string
	want := func(v string) *point {
		if p := ps[v]; p != nil {
			return p
		}
		p := &point{value: v, seen: &observed{}, from: v}
		ps[v] = p
		todo = append(todo, v)
		return p
	}
	for _, l := range q.layers {
		if !l.static {
			continue
		}
		want(in(l.x, 0))
		if end := q.end(l.x); l.x.GetOpType() == "Conv" && !q.outputs[end] {
			want(end)
		}
	}
	for len(todo) > 0 {
		v := todo[0]
		todo = todo[1:]
		p, x := ps[v], q.maker[v]
		if before := q.before(x); before != "" {
			x = q.maker[before]
		}
		switch {
		case x == nil:
		case is(x, "Add") && x.GetOutput()[0] == v || is(x, "Add") && q.before(q.maker[v]) != "":
			if q.constant(in(x, 0)) == nil && q.constant(in(x, 1)) == nil {
				want(in(x, 0))
				want(in(x, 1))
			}
		case is(x, "GlobalAveragePool", "AveragePool"):
			want(in(x, 0))
		case q.maker[v] == x && q.moves(x):
			p.moved = true
			for i, from := range x.GetInput() {
				if i > 0 && !is(x, "Concat") {
					break
				}
				o := want(from)
				q.same(ps, p, o)
			}
		}
	}
	return ps
}

// same gives two values one scale.
func (q *int8Net) same(ps map[string]*point, a, b *point) {
	if a.seen == b.seen {
		return
	}
	old := b.seen
	for _, p := range ps {
		if p.seen == old {
			p.seen = a.seen
		}
	}
}

// end is what a layer gives behind a Relu or Clip that alone reads it.
func (q *int8Net) end(x *onnxpb.NodeProto) string {
	out := x.GetOutput()[0]
	if r := q.alone(out); is(r, "Relu", "Clip") && in(r, 0) == out {
		return r.GetOutput()[0]
	}
	return out
}

// before is what the Relu or Clip x reads, where nothing else does; "" for other nodes.
func (q *int8Net) before(x *onnxpb.NodeProto) string {
	if v := ""; is(x, "Relu", "Clip") {
		if v = in(x, 0); q.alone(v) == x && q.maker[v] != nil {
			return v
		}
	}
	return ""
}

// moves reports whether x moves integers as it moves real numbers.
func (q *int8Net) moves(x *onnxpb.NodeProto) bool {
	if !is(x, movers...) || q.extra(x) {
		return false
	}
	switch x.GetOpType() {
	case "Concat":
		return !slices.ContainsFunc(x.GetInput(), func(v string) bool { return q.constant(v) != nil })
	case "Pad":
		if a := attribute(x, "mode"); a != nil && string(a.GetS()) != "constant" {
			return true
		}
		if in(x, 2) == "" {
			return true
		}
		t := q.constant(in(x, 2))
		return t != nil && t.Len() == 1 && t.Float64s()[0] == 0
	}
	return q.constant(in(x, 0)) == nil
}

// calibrate finds the scales.
func (q *int8Net) calibrate(ctx context.Context, ps map[string]*point, r *Int8Report) error {
	var names []string
	for _, v := range slices.Sorted(maps.Keys(ps)) {
		if !ps[v].moved {
			names = append(names, v)
		}
	}
	m, err := engine.Load(q.net.m.Clone(), engine.WithPool(q.s.Model.Pool()))
	if err != nil {
		return err
	}
	s, err := m.Session(engine.Query{Fetch: names})
	if err != nil {
		return err
	}
	plan, err := q.s.Feed.With(m)
	if err != nil {
		return err
	}
	sub := *q.s
	sub.Feed = plan
	r.Samples = min(q.m.Samples, q.s.Data.Len())
	pass := func(what string, see func(p *point, x []float32) bool) error {
		return sub.Run(ctx, what, s, q.m.Samples, func(_ *data.Batch, part feed.Part) error {
			for _, v := range names {
				t := part.Value(v)
				if t.DType() != tensor.Float32 {
					return fmt.Errorf("compress: int8: value %q is %v, not float32: keep the layers that read it in float with --keep-float", v, t.DType())
				}
				x := t.F32()
				if k := part.Hi - part.Lo; part.Size > k && t.Rank() > 0 && t.Dim(0) == part.Size { // rows that fill the batch up
					x = x[:len(x)/part.Size*k]
				}
				if !see(ps[v], x) {
					return fmt.Errorf("compress: int8: value %q is NaN or infinite for the examples: it has no scale", v)
				}
			}
			return nil
		})
	}
	if err := pass("calibration", func(p *point, x []float32) bool { return p.seen.widen(x) }); err != nil {
		return err
	}
	if q.m.Calibration != "minmax" {
		if err := pass("calibration, histograms", func(p *point, x []float32) bool { p.seen.count(x); return true }); err != nil {
			return err
		}
	}
	for _, p := range ps {
		p.steps = q.stepsOf(p.seen)
	}
	return nil
}

// stepsOf are the steps for what was seen.
func (q *int8Net) stepsOf(o *observed) steps {
	lo, hi := o.lo, o.hi
	if o.bins != nil && o.hi > o.lo {
		switch q.m.Calibration {
		case "entropy":
			lo, hi = o.entropy(256)
		case "percentile":
			lo, hi = o.percentile(q.m.Percentile)
		case "mse":
			lo, hi = o.mse(256)
		}
	}
	return stepsFor(lo, hi, q.m.dtype(), q.m.Symmetric)
}

// write puts the quantisation into the graph.
func (q *int8Net) write(ps map[string]*point) {
	drop := map[*onnxpb.NodeProto]bool{}
	for _, v := range slices.Sorted(maps.Keys(ps)) {
		p, x := ps[v], q.maker[v]
		p.q, p.dq = q.free(v+"_quantized"), q.free(v+"_dequantized")
		if from := q.before(x); from != "" && !q.outputs[v] && q.saturates(x, p.steps) {
			p.from = from
			drop[x] = true
		}
	}
	rewire := map[*onnxpb.NodeProto][]string{}
	for _, x := range q.g.Node {
		rewire[x] = slices.Clone(x.GetInput())
		for i, v := range x.GetInput() {
			p := ps[v]
			switch {
			case p == nil:
			case q.readsIntegers(x, ps):
				if i == 0 || is(x, "Concat") {
					rewire[x][i] = p.q
				}
			case drop[x]:
			case q.fused(p) || q.of[x] != nil && i == 0 || is(x, "Add", "GlobalAveragePool", "AveragePool"):
				rewire[x][i], p.reader = p.dq, true
			}
		}
	}
	var nodes []*onnxpb.NodeProto
	quantise := func(v string) {
		p := ps[v]
		if p == nil {
			return
		}
		scale, zero := q.store(v+"_scale", tensor.Scalar(p.steps.scale)), q.store(v+"_zero_point", p.steps.zeroTensor())
		if !p.moved {
			nodes = append(nodes, onnx.NewNode("QuantizeLinear", v+"_QuantizeLinear", []string{p.from, scale, zero}, []string{p.q}))
		} else if q.outputs[v] {
			p.dq, p.reader = v, true
		}
		if p.reader {
			nodes = append(nodes, onnx.NewNode("DequantizeLinear", v+"_DequantizeLinear", []string{p.q, scale, zero}, []string{p.dq}))
		}
	}
	for _, v := range q.g.Input {
		quantise(v.GetName())
	}
	for _, x := range q.g.Node {
		x.Input = rewire[x]
		if l := q.of[x]; l != nil {
			input := ps[q.valueOf(ps, in(x, 0))]
			nodes = append(nodes, q.stored(l, input)...)
		}
		if q.isMoved(x, ps) {
			p := ps[x.GetOutput()[0]]
			if is(x, "Pad") && len(x.Input) > 1 && (attribute(x, "mode") == nil || string(attribute(x, "mode").GetS()) == "constant") {
				for len(x.Input) < 3 {
					x.Input = append(x.Input, "")
				}
				x.Input[2] = q.store(x.GetOutput()[0]+"_pad", p.steps.zeroTensor())
			}
			v := x.GetOutput()[0]
			x.Output = []string{p.q}
			nodes = append(nodes, x)
			quantise(v)
			continue
		}
		if !drop[x] {
			nodes = append(nodes, x)
		}
		for _, v := range x.GetOutput() {
			quantise(v)
		}
	}
	q.g.Node = nodes
	q.sweep()
}

// valueOf is the value whose dequantised name is given, "" for none.
func (q *int8Net) valueOf(ps map[string]*point, dq string) string {
	for v, p := range ps {
		if p.dq == dq {
			return v
		}
	}
	return ""
}

// isMoved reports whether x moves integers in the model that is written.
func (q *int8Net) isMoved(x *onnxpb.NodeProto, ps map[string]*point) bool {
	return len(x.GetOutput()) > 0 && ps[x.GetOutput()[0]] != nil && ps[x.GetOutput()[0]].moved
}

// readsIntegers is isMoved.
func (q *int8Net) readsIntegers(x *onnxpb.NodeProto, ps map[string]*point) bool {
	return q.isMoved(x, ps)
}

// fused reports whether what makes the value is computed in integers where nothing but its quantisation reads it.
func (q *int8Net) fused(p *point) bool {
	x := q.maker[p.value]
	if b := q.before(x); b != "" {
		x = q.maker[b]
	}
	return p.moved || p.from != p.value || x != nil && (q.of[x] != nil || is(x, "Add", "GlobalAveragePool", "AveragePool"))
}

// saturates reports whether cutting numbers off at the ends of the steps does what x, a Relu or Clip, does.
func (q *int8Net) saturates(x *onnxpb.NodeProto, s steps) bool {
	if !s.lowest() {
		return false
	}
	if is(x, "Relu") {
		return true
	}
	bound := func(i int, attr string, without float64) float64 {
		if a := attribute(x, attr); a != nil {
			return float64(a.GetF())
		}
		if in(x, i) == "" {
			return without
		}
		if t := q.constant(in(x, i)); t != nil && t.Len() == 1 {
			return t.Float64s()[0]
		}
		return math.NaN()
	}
	return bound(1, "min", math.Inf(-1)) == 0 && bound(2, "max", math.Inf(1)) >= s.top()*(1-1e-6)
}

// stored puts the weights of l in int8 and its bias in int32 into the file, and gives the nodes that make real numbers of them; input is
// what it reads, nil where that stays real.
func (q *int8Net) stored(l *int8Layer, input *point) []*onnxpb.NodeProto {
	var least []float64
	if input != nil && l.bias != nil {
		least = leastScales(l.bias, input.steps.scale)
		if l.axis < 0 {
			least = []float64{slices.Max(least)}
		}
	}
	name := in(l.x, 1)
	w := quantiseWeights(l.w, l.axis, q.m.most(), least)
	nodes := []*onnxpb.NodeProto{q.dequantise(name, w.q, w.scale, w.axis)}
	l.x.Input[1] = nodes[0].GetOutput()[0]
	corrected := l.correct(w)
	if corrected && len(l.x.Input) < 3 {
		l.x.Input = append(l.x.Input, name+"_bias")
	}
	if l.x.GetOpType() == "Gemm" {
		l.x.Attribute = slices.DeleteFunc(l.x.Attribute, func(a *onnxpb.AttributeProto) bool {
			return a.GetName() == "alpha" ||
				a.GetName() == "beta"
		})
	}
	switch {
	case l.bias == nil:
	case input != nil:
		b, each := quantiseBias(l.bias, input.steps.scale, w.scale)
		x := q.dequantise(in(l.x, 2), tensor.From(b, len(b)), each, 0)
		nodes = append(nodes, x)
		l.x.Input[2] = x.GetOutput()[0]
	case beta(l.x) != 1 || corrected:
		l.x.Input[2] = q.store(in(l.x, 2), tensor.From(slices.Clone(l.bias), len(l.bias)))
	}
	return nodes
}

// dequantise stores integers with their scales under names like name, and gives the node that makes real numbers of them.
func (q *int8Net) dequantise(name string, t *tensor.Tensor, scale []float32, axis int) *onnxpb.NodeProto {
	s, zero := tensor.Scalar(scale[0]), tensor.New(t.DType())
	var attrs []*onnxpb.AttributeProto
	if axis >= 0 {
		s, zero = tensor.From(slices.Clone(scale), len(scale)), tensor.New(t.DType(), len(scale))
		attrs = append(attrs, onnx.AttrInt("axis", int64(axis)))
	}
	ins := []string{q.store(name+"_quantized", t), q.store(name+"_scale", s), q.store(name+"_zero_point", zero)}
	return onnx.NewNode("DequantizeLinear", name+"_DequantizeLinear", ins, []string{q.free(name + "_dequantized")}, attrs...)
}

// compare measures how much of each layer's output is left.
func (q *int8Net) compare(ctx context.Context, before *onnx.Model, ps map[string]*point, r *Int8Report) error {
	const examples = 32
	now, then := map[int]string{}, map[int]string{}
	names := [2][]string{}
	for i, l := range q.layers {
		v := l.x.GetOutput()[0]
		if p := ps[v]; p == nil {
			if x := q.readers[v]; len(x) == 1 && is(x[0], "QuantizeLinear") { // a Relu that is gone, or no more than its end
				for _, o := range ps {
					if o.from == v {
						v = o.value
					}
				}
			}
		}
		is := v
		if p := ps[v]; p != nil && p.reader {
			is = p.dq
		}
		if q.maker[is] == nil {
			continue
		}
		now[i], then[i] = is, v
		names[0], names[1] = append(names[0], v), append(names[1], is)
	}
	var plans [2]*feed.Plan
	var runs [2]*engine.Session
	for k, file := range []*onnx.Model{before, q.net.m.Clone()} {
		m, err := engine.Load(file, engine.WithPool(q.s.Model.Pool()))
		if err != nil {
			return err
		}
		if plans[k], err = q.s.Feed.With(m); err != nil {
			return err
		}
		if runs[k], err = m.Session(engine.Query{Fetch: names[k]}); err != nil {
			return err
		}
	}
	signal, change := make([]float64, len(q.layers)), make([]float64, len(q.layers))
	err := q.s.Examples(ctx, examples, func(b *data.Batch) error {
		was := map[int][][]float32{}
		if err := plans[0].Run(ctx, runs[0], b, feed.Rows{}, func(p feed.Part) error {
			for i, v := range then {
				was[i] = append(was[i], slices.Clone(p.Value(v).F32()))
			}
			return nil
		}); err != nil {
			return err
		}
		part := 0
		return plans[1].Run(ctx, runs[1], b, feed.Rows{}, func(p feed.Part) error {
			for i, v := range now {
				for k, x := range p.Value(v).F32() {
					a := float64(was[i][part][k])
					signal[i] += a * a
					change[i] += (a - float64(x)) * (a - float64(x))
				}
			}
			part++
			return nil
		})
	})
	if err != nil {
		return err
	}
	for i := range now {
		if signal[i] > 0 && change[i] > 0 {
			r.Layers[i].SQNR = new(10 * math.Log10(signal[i]/change[i]))
		}
	}
	return nil
}
