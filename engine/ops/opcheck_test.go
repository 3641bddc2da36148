package ops_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/naive"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// The operator check takes small problems (cases_*_test.go) and asks of every operator:
//   - the planned engine computes what the oracle computes, in float32 and float64, with shapes known before the run and not,
//     twice in the same memory, with one thread and two;
//   - Lower computes the same as Run;
//   - the gradient agrees with differences of the oracle's float64 outputs in a random direction, input by input;
//   - the gradient of the gradient does too;
//   - per-example gradients are those of batches of one.
//
// Every operator with a gradient must be reached, private ones through second order.

// arg is one input of a case. The zero arg is an absent input.
type arg struct {
	shape []int
	gen   func(r *rng, n int) []float64 // of a floating-point input
	fixed *tensor.Tensor                // content of any other input
	batch bool                          // axis 0 is the batch
	stop  bool                          // not differentiable
}

// opCase is one problem.
type opCase struct {
	op     string
	name   string // what is special
	domain string
	opset  int // 0: the newest
	attrs  graph.Attrs
	in     []arg
	outs   int     // outputs that are asked for and, where floating-point, differentiated; 0 means 1
	tol    float64 // relative, for float32; 0 means 2e-4
	whole  bool    // examples are not independent: no per-example check
	values bool    // forward only
}

func (c opCase) String() string {
	s := c.op
	if c.opset > 0 {
		s += fmt.Sprintf("-%d", c.opset)
	}
	if c.name != "" {
		s += "/" + c.name
	}
	return strings.ReplaceAll(s, " ", "_")
}

// The kinds of inputs.

func normal(r *rng, n int) []float64 {
	return draw(n, func(int) float64 { return r.NormFloat64() })
}

// kinkless is away from 0 by at least 0.1.
func kinkless(r *rng, n int) []float64 {
	return draw(n, func(int) float64 {
		x := 0.1 + 1.4*r.Float64()
		if r.IntN(2) == 0 {
			x = -x
		}
		return x
	})
}

// nonzero is away from 0 by at least 0.5.
func nonzero(r *rng, n int) []float64 {
	return draw(n, func(int) float64 { return (0.5 + r.Float64()) * float64(2*r.IntN(2)-1) })
}

func positive(r *rng, n int) []float64 {
	return draw(n, func(int) float64 { return 0.3 + 1.5*r.Float64() })
}

// inside is in (-0.9, 0.9).
func inside(r *rng, n int) []float64 {
	return draw(n, func(int) float64 { return 1.8*r.Float64() - 0.9 })
}

// distinct numbers differ by at least 0.02, so that a small step changes no order.
func distinct(r *rng, n int) []float64 {
	p := r.Perm(n)
	return draw(n, func(i int) float64 {
		return (float64(p[i]) - float64(n)/2 + 0.3 + 0.2*r.Float64()) * max(0.05, 2/float64(n))
	})
}

func draw(n int, f func(i int) float64) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = float64(float32(f(i)))
	}
	return x
}

type rng = rand.Rand

type generator = func(r *rng, n int) []float64

// x is an input with the batch on axis 0, w one without a batch: a weight.
func x(shape ...int) arg               { return arg{shape: shape, gen: normal, batch: true} }
func w(shape ...int) arg               { return arg{shape: shape, gen: normal} }
func xg(g generator, shape ...int) arg { return arg{shape: shape, gen: g, batch: true} }
func wg(g generator, shape ...int) arg { return arg{shape: shape, gen: g} }
func given(t *tensor.Tensor) arg       { return arg{fixed: t} }
func ids(v ...int64) arg               { return given(tensor.From(v, len(v))) }
func scalarID(v int64) arg             { return given(tensor.Scalar(v)) }
func floatsOf(v ...float32) arg        { return given(tensor.From(v, len(v))) }

// asFloat is an integer input as float32.
func (a arg) asFloat() arg {
	t, err := a.fixed.Convert(tensor.Float32)
	if err != nil {
		panic(err)
	}
	return given(t)
}

// floatsOf0 is a scalar.
func floatsOf0(v float32) arg { return given(tensor.Scalar(v)) }
func (a arg) noGrad() arg     { a.stop = true; return a }
func ints(v ...int64) []int64 { return v }
func is(kv ...any) graph.Attrs {
	a := graph.Attrs{}
	for i := 0; i < len(kv); i += 2 {
		switch v := kv[i+1].(type) {
		case int:
			a[kv[i].(string)] = int64(v)
		case float64:
			a[kv[i].(string)] = float32(v)
		default:
			a[kv[i].(string)] = v
		}
	}
	return a
}

var cases []opCase

func register(cs ...opCase) { cases = append(cases, cs...) }

// problem is a case made concrete in one element type.
type problem struct {
	c     opCase
	d     tensor.DType
	g     *graph.Graph
	plain *graph.Graph // g before any gradient
	node  *graph.Node
	vals  []graph.Value // by input of the node, 0 where absent
	diff  []int         // inputs that are differentiated
	outs  []graph.Value // floating-point outputs
	dys   []graph.Value
	us    []graph.Value             // directions, by diff; nil before second
	feeds map[string]*tensor.Tensor // float64
}

func seedOf(s string) uint64 {
	h := uint64(1469598103934665603)
	for _, b := range []byte(s) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return h
}

// build makes the problem; loose feeds the integer inputs at run time instead of making them constants.
func (c opCase) build(d tensor.DType, loose bool) (*problem, error) {
	spec, err := c.spec()
	if err != nil {
		return nil, err
	}
	attrs, err := spec.DecodeAttrs(c.attrs)
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(seedOf(c.String()), 7))
	p := &problem{c: c, d: d, g: graph.New(c.String()), feeds: map[string]*tensor.Tensor{}}
	for i, a := range c.in {
		name := fmt.Sprintf("in%d", i)
		switch {
		case a.gen != nil:
			v := p.g.AddInput(name, d, dims(a.shape))
			p.feeds[name] = tensor.From(a.gen(r, tensor.Shape(a.shape).Len()), a.shape...)
			p.vals = append(p.vals, v)
			if f := spec.FormalIn(i); !a.stop && f != nil && !f.NoGrad {
				p.diff = append(p.diff, i)
			}
		case a.fixed == nil:
			p.vals = append(p.vals, 0)
		default:
			t := a.fixed
			if t.DType() == tensor.Float32 {
				if t, err = t.Convert(d); err != nil {
					return nil, err
				}
			}
			if loose {
				p.vals = append(p.vals, p.g.AddInput(name, t.DType(), nil))
				p.feeds[name] = t
			} else {
				p.vals = append(p.vals, p.g.AddConst(name, t))
			}
		}
	}
	b := graph.NewBuilder(p.g)
	want := slices.Repeat([]bool{true}, max(1, c.outs))
	p.node = b.AddNode("op", spec, attrs, p.vals, want)
	if err := b.Err(); err != nil {
		return nil, err
	}
	p.node.Opset = c.opset
	for _, v := range p.node.Out {
		if f := p.g.Info(v).DType; f == tensor.Float32 || f == tensor.Float64 {
			p.outs = append(p.outs, v)
		}
	}
	p.g.Outputs = slices.Clone(p.node.Out)
	p.plain = p.g.Clone()
	return p, nil
}

func dims(shape []int) []graph.Dim {
	ds := []graph.Dim{}
	for _, n := range shape {
		ds = append(ds, graph.Dim{Size: n})
	}
	return ds
}

func (c opCase) spec() (*graph.Spec, error) {
	opset := c.opset
	if opset == 0 {
		for _, s := range ops.Standard.All() {
			if s.Domain == c.domain && s.Name == c.op {
				opset = max(opset, s.Since[len(s.Since)-1])
			}
		}
	}
	s, _ := ops.Standard.Find(c.domain, c.op, opset)
	if s == nil {
		return nil, fmt.Errorf("no operator %s in operator set %d: %w", c.op, opset, errMissing)
	}
	return s, nil
}

var errMissing = errors.New("not registered")

// values of p's outputs by the oracle: naive where it knows the operator, else the engine in float64.
func (p *problem) oracle(feeds map[string]*tensor.Tensor) ([]*tensor.Tensor, error) {
	if !naive.Has(p.c.domain, p.c.op) {
		q, err := p.c.build(tensor.Float64, false)
		if err != nil {
			return nil, err
		}
		return q.run(nil, feeds, q.node.Out)
	}
	m, err := naive.Run(p.plain, feeds)
	if err != nil {
		return nil, err
	}
	var out []*tensor.Tensor
	for _, v := range p.plain.Outputs {
		out = append(out, m[p.plain.Info(v).Name])
	}
	return out, nil
}

// run computes fetch with the engine, twice in the same memory, and returns copies.
func (p *problem) run(pool *parallel.Pool, feeds map[string]*tensor.Tensor, fetch []graph.Value) ([]*tensor.Tensor, error) {
	prog, err := exec.Compile(p.g, fetch, pool)
	if err != nil {
		return nil, err
	}
	var in []*tensor.Tensor
	for _, v := range p.g.Inputs {
		info := p.g.Info(v)
		t := feeds[info.Name]
		if t == nil {
			return nil, fmt.Errorf("no feed for %s", info.Name)
		}
		if t.DType() != info.DType {
			if t, err = t.Convert(info.DType); err != nil {
				return nil, err
			}
		}
		in = append(in, t)
	}
	var first []*tensor.Tensor
	for range 2 {
		copies := make([]*tensor.Tensor, len(in))
		for i, t := range in {
			copies[i] = t.Clone()
		}
		out, err := prog.Run(context.Background(), copies)
		if err != nil {
			return nil, err
		}
		for i, t := range copies {
			if string(t.Bytes()) != string(in[i].Bytes()) {
				return nil, fmt.Errorf("the run changed its input %d", i)
			}
		}
		if first != nil {
			for i, t := range out {
				if string(t.Bytes()) != string(first[i].Bytes()) {
					return nil, fmt.Errorf("value %q differs between two runs: %v", p.g.Info(fetch[i]).Name, difference(t, first[i]))
				}
			}
			continue
		}
		for _, t := range out {
			first = append(first, t.Clone())
		}
	}
	return first, nil
}

func difference(a, b *tensor.Tensor) string {
	_, r := tensor.AllClose(a, b, 0, 0)
	return fmt.Sprint(r)
}

// close compares a result of the engine with one of the oracle, float64.
func compare(got, want *tensor.Tensor, rtol, atol float64) error {
	if got.DType().IsFloat() {
		var err error
		if got, err = got.Convert(tensor.Float64); err != nil {
			return err
		}
	}
	if got.DType() != want.DType() {
		return fmt.Errorf("type %v, want %v", got.DType(), want.DType())
	}
	if ok, report := tensor.AllClose(got, want, rtol, atol); !ok {
		return fmt.Errorf("%v", report)
	}
	return nil
}

var pool2 = sync.OnceValue(func() *parallel.Pool { return parallel.New(2) })

// forward checks the outputs.
func (c opCase) forward(t *testing.T, d tensor.DType, tol float64) {
	for _, loose := range []bool{false, true} {
		p, err := c.build(d, loose)
		if err != nil {
			t.Fatal(err)
		}
		want, err := p.oracle(p.feeds)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.run(nil, p.feeds, p.node.Out)
		if err != nil {
			t.Fatalf("constants fed %v: %v", loose, err)
		}
		for i := range want {
			if err := compare(got[i], want[i], tol, tol/10); err != nil {
				t.Errorf("output %d, constants fed %v: %v", i, loose, err)
			}
		}
		if loose || p.node.Op.Random {
			continue
		}
		two, err := p.run(pool2(), p.feeds, p.node.Out)
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			if string(two[i].Bytes()) != string(got[i].Bytes()) {
				t.Errorf("output %d differs with two threads: %v", i, difference(two[i], got[i]))
			}
		}
		c.lowered(t, d, want, tol)
	}
}

// lowered checks Lower against the oracle.
func (c opCase) lowered(t *testing.T, d tensor.DType, want []*tensor.Tensor, tol float64) {
	p, err := c.build(d, false)
	if err != nil {
		t.Fatal(err)
	}
	if !p.node.Op.HasLower() {
		return
	}
	p.g.Nodes = nil
	b := graph.NewBuilder(p.g)
	out, err := p.node.Op.Lower(b, p.node)
	if err == nil {
		err = b.Err()
	}
	if err != nil {
		noLower[c.op] = err.Error()
		return
	}
	for i, v := range out {
		if v == 0 || i >= len(want) {
			continue
		}
		got, err := p.run(nil, p.feeds, []graph.Value{v})
		if err != nil {
			t.Errorf("lowering: %v", err)
			continue
		}
		if err := compare(got[0], want[i], tol, tol/10); err != nil {
			t.Errorf("lowering, output %d: %v", i, err)
		}
	}
}

// ran counts the cases that ran.
var ran int

// reached are the operators whose gradients some case has checked.
var reached = map[*graph.Spec]bool{}

func (p *problem) reverse(seeds []grad.Seed, wrt []graph.Value) ([]graph.Value, error) {
	return grad.Reverse(p.g, seeds, wrt, grad.Options{Override: func(n *graph.Node) grad.Rule {
		reached[n.Op] = true
		return nil
	}})
}

// addFeed adds an input with random content shaped like t.
func (p *problem) addFeed(r *rand.Rand, name string, like *tensor.Tensor) graph.Value {
	p.feeds[name] = tensor.From(normal(r, like.Len()), like.Shape()...)
	return p.g.AddInput(name, p.d, nil)
}

// seeds adds one upstream gradient for each floating-point output.
func (p *problem) seeds(r *rand.Rand) ([]grad.Seed, error) {
	out, err := p.oracle(p.feeds)
	if err != nil {
		return nil, err
	}
	var seeds []grad.Seed
	for i, v := range p.node.Out {
		if !slices.Contains(p.outs, v) {
			continue
		}
		if f := p.node.Op.FormalOut(i); f != nil && (f.NoGrad || f.State) {
			p.outs = slices.DeleteFunc(p.outs, func(o graph.Value) bool { return o == v })
			continue
		}
		dy := p.addFeed(r, fmt.Sprintf("dy%d", i), out[i])
		p.dys = append(p.dys, dy)
		seeds = append(seeds, grad.Seed{Y: v, DY: dy})
	}
	return seeds, nil
}

// dot is the inner product of the oracle's outputs with the feeds called prefix+output.
func (p *problem) dot(feeds map[string]*tensor.Tensor, prefix string) (float64, error) {
	out, err := p.oracle(feeds)
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for i, t := range out {
		dy := p.feeds[fmt.Sprintf("%s%d", prefix, i)]
		if dy == nil {
			continue
		}
		for k, v := range tensor.Data[float64](t) {
			sum += v * tensor.Data[float64](dy)[k]
		}
	}
	return sum, nil
}

// moved is feeds with h·u[name] added to each named input.
func moved(feeds map[string]*tensor.Tensor, h float64, u map[string]*tensor.Tensor) map[string]*tensor.Tensor {
	m := maps.Clone(feeds)
	for name, dir := range u {
		t := m[name].Clone()
		x := tensor.Data[float64](t)
		for k, v := range tensor.Data[float64](dir) {
			x[k] += h * v
		}
		m[name] = t
	}
	return m
}

// directional is the difference quotient of f in direction u: fourth order in h.
func directional(f func(h float64) (float64, error), h float64) (float64, error) {
	var v [4]float64
	for i, k := range []float64{-2, -1, 1, 2} {
		x, err := f(k * h)
		if err != nil {
			return 0, err
		}
		v[i] = x
	}
	return (v[0] - 8*v[1] + 8*v[2] - v[3]) / (12 * h), nil
}

// inner is the inner product of got with u, and the sum of the absolute terms: the scale of its rounding errors.
func inner(got, u *tensor.Tensor) (sum, scale float64) {
	g, d := got.Float64s(), u.Float64s()
	for i := range g {
		sum += g[i] * d[i]
		scale += math.Abs(g[i] * d[i])
	}
	return sum, scale
}

const (
	step1 = 1e-4 // of first differences
	step2 = 5e-4 // of second differences
)

// backward checks first and second order.
func (c opCase) backward(t *testing.T, d tensor.DType, tol float64) {
	p, err := c.build(d, false)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(seedOf(c.String()), 11))
	seeds, err := p.seeds(r)
	if err != nil {
		t.Fatal(err)
	}
	var wrt []graph.Value
	for _, i := range p.diff {
		wrt = append(wrt, p.vals[i])
	}
	dx, err := p.reverse(seeds, wrt)
	if err != nil {
		t.Fatal(err)
	}
	fetch := slices.DeleteFunc(slices.Clone(dx), func(v graph.Value) bool { return v == 0 })
	got, err := p.run(nil, p.feeds, fetch)
	if err != nil {
		t.Fatalf("gradient: %v", err)
	}
	two, err := p.run(pool2(), p.feeds, fetch)
	if err != nil {
		t.Fatalf("gradient: %v", err)
	}
	for i := range got {
		if string(got[i].Bytes()) != string(two[i].Bytes()) {
			t.Errorf("gradient by input %d differs with two threads: %v", p.diff[i], difference(two[i], got[i]))
		}
	}
	p.loweredGradient(t, fetch, got, tol)
	u := map[string]*tensor.Tensor{}
	k := 0
	for j, i := range p.diff {
		name := fmt.Sprintf("in%d", i)
		u[name] = tensor.From(normal(r, p.feeds[name].Len()), p.feeds[name].Shape()...)
		one := map[string]*tensor.Tensor{name: u[name]}
		want, err := directional(func(h float64) (float64, error) { return p.dot(moved(p.feeds, h, one), "dy") }, step1)
		if err != nil {
			t.Fatal(err)
		}
		sum, scale := 0.0, 0.0
		if dx[j] != 0 {
			if !got[k].Shape().Equal(p.feeds[name].Shape()) {
				t.Errorf("gradient by input %d has shape %v, want %v", i, got[k].Shape(), p.feeds[name].Shape())
				k++
				continue
			}
			sum, scale = inner(got[k], u[name])
			k++
		}
		if !(math.Abs(sum-want) <= tol*(scale+math.Abs(want))+1e-7) {
			t.Errorf("gradient by input %d (%s): %.9g, want %.9g", i, p.node.Op.FormalIn(i).Name, sum, want)
		}
	}
	if t.Failed() {
		return
	}
	p.second(t, r, dx, wrt, u, tol)
}

// noLower says which private operators cannot be written in ONNX's, always or for some attributes.
var noLower = map[string]string{}

// loweredGradient writes the gradient in ONNX's operators, as an exported model has it, for the oracle to compute.
func (p *problem) loweredGradient(t *testing.T, fetch []graph.Value, want []*tensor.Tensor, tol float64) {
	g := p.g.Clone()
	g.Outputs = slices.Clone(fetch)
	for {
		i := slices.IndexFunc(g.Nodes, func(n *graph.Node) bool { return n.Op.Domain == ops.Private })
		if i < 0 {
			break
		}
		n := g.Nodes[i]
		if !n.Op.HasLower() {
			noLower[n.Op.Name] = "always"
			return
		}
		b := graph.NewBuilder(g)
		out, err := n.Op.Lower(b, n)
		if err == nil {
			err = b.Err()
		}
		if err != nil {
			noLower[n.Op.Name] = err.Error()
			return
		}
		for k, v := range n.Out {
			if v != 0 {
				g.Replace(v, out[k])
			}
		}
		g.Nodes = slices.DeleteFunc(g.Nodes, func(m *graph.Node) bool { return m == n })
		if err := g.Sort(); err != nil {
			t.Errorf("lowering the gradient: %v", err)
			return
		}
	}
	uses := g.Uses()
	for _, n := range g.Nodes {
		for k, v := range n.Out {
			if k > 0 && uses[v] == nil && !slices.Contains(g.Outputs, v) {
				n.Out[k] = 0
			}
		}
	}
	got, err := naive.Fetch(g, p.feeds, g.Outputs)
	if err != nil {
		t.Errorf("lowered gradient: %v", err)
		return
	}
	for i, v := range g.Outputs {
		if err := compare(want[i], got[g.Info(v).Name], max(tol, 1e-6), max(tol, 1e-6)); err != nil {
			t.Errorf("lowered gradient, result %d: %v", i, err)
		}
	}
}

// second differentiates <dx, u> by the inputs and by dy.
func (p *problem) second(t *testing.T, r *rand.Rand, dx, wrt []graph.Value, u map[string]*tensor.Tensor, tol float64) {
	var seeds []grad.Seed
	for j, i := range p.diff {
		if dx[j] == 0 {
			continue
		}
		name := fmt.Sprintf("u%d", i)
		p.feeds[name] = u[fmt.Sprintf("in%d", i)]
		seeds = append(seeds, grad.Seed{Y: dx[j], DY: p.g.AddInput(name, p.d, nil)})
	}
	all := slices.Concat(wrt, p.dys)
	before := maps.Clone(reached)
	hu, err := p.reverse(seeds, all)
	if errors.Is(err, graph.ErrNoGradient) {
		reached = before
		t.Logf("second order: %v", err)
		noSecond[p.c.op] = err.Error()
		return
	}
	if err != nil {
		t.Fatalf("second order: %v", err)
	}
	var fetch []graph.Value
	for _, v := range hu {
		if v != 0 {
			fetch = append(fetch, v)
		}
	}
	got, err := p.run(nil, p.feeds, fetch)
	if err != nil {
		t.Fatalf("second order: %v", err)
	}
	at := map[graph.Value]*tensor.Tensor{}
	for i, v := range fetch {
		at[v] = got[i]
	}
	// By dy: <dx, u> is linear in dy, with the derivative of the outputs in direction u as its gradient.
	for i := range p.node.Out {
		name := fmt.Sprintf("dy%d", i)
		if p.feeds[name] == nil {
			continue
		}
		dir := tensor.From(normal(r, p.feeds[name].Len()), p.feeds[name].Shape()...)
		saved := p.feeds
		only := maps.Clone(saved)
		for k := range p.node.Out {
			delete(only, fmt.Sprintf("dy%d", k))
		}
		only[name] = dir
		p.feeds = only
		want, err := directional(func(h float64) (float64, error) { return p.dot(moved(only, h, u), "dy") }, step1)
		p.feeds = saved
		if err != nil {
			t.Fatal(err)
		}
		var v graph.Value
		for k, dv := range p.dys {
			if p.g.Info(dv).Name == name {
				v = hu[len(wrt)+k]
			}
		}
		p.compareSecond(t, at[v], dir, want, tol, name)
	}
	for j, i := range p.diff {
		name := fmt.Sprintf("in%d", i)
		dir := tensor.From(normal(r, p.feeds[name].Len()), p.feeds[name].Shape()...)
		one := map[string]*tensor.Tensor{name: dir}
		want, err := directional(func(h float64) (float64, error) {
			return directional(func(k float64) (float64, error) { return p.dot(moved(moved(p.feeds, h, u), k, one), "dy") }, step2)
		}, step2)
		if err != nil {
			t.Fatal(err)
		}
		p.compareSecond(t, at[hu[j]], dir, want, tol, name)
	}
}

func (p *problem) compareSecond(t *testing.T, got, dir *tensor.Tensor, want, tol float64, name string) {
	sum, scale := 0.0, 0.0
	if got != nil {
		if !got.Shape().Equal(dir.Shape()) {
			t.Errorf("second order by %s has shape %v, want %v", name, got.Shape(), dir.Shape())
			return
		}
		sum, scale = inner(got, dir)
	}
	if !(math.Abs(sum-want) <= max(4*tol, 1e-6)*(scale+math.Abs(want))+2e-6) {
		t.Errorf("second order by %s: %.9g, want %.9g", name, sum, want)
	}
}

// noSecond says, by operator, what has no second derivative.
var noSecond = map[string]string{}

// perExample checks the per-example rule of every input without a batch.
func (c opCase) perExample(t *testing.T, d tensor.DType, tol float64) {
	spec, err := c.spec()
	if err != nil || !spec.HasPerExample() || c.whole || !slices.ContainsFunc(c.in, func(a arg) bool { return a.batch }) {
		return
	}
	for i, a := range c.in {
		if a.gen == nil || a.batch || a.stop {
			continue
		}
		p, err := c.build(d, false)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(p.diff, i) {
			continue
		}
		r := rand.New(rand.NewPCG(seedOf(c.String()), 13))
		if _, err := p.seeds(r); err != nil {
			t.Fatal(err)
		}
		dy := make([]graph.Value, len(p.node.Out))
		for k, v := range p.outs {
			dy[slices.Index(p.node.Out, v)] = p.dys[k]
		}
		b := graph.NewBuilder(p.g)
		pe, err := spec.PerExample(b, p.node, dy, i)
		if err != nil || b.Err() != nil {
			t.Logf("no per-example gradient by input %d: %v", i, errors.Join(err, b.Err()))
			continue
		}
		want, err := c.batchesOfOne(d, i, p.feeds)
		if err != nil {
			t.Fatalf("batch of one: %v", err)
		}
		check := func(v graph.Value, what string, f func(k int) []float64) {
			if v == 0 {
				return
			}
			got, err := p.run(nil, p.feeds, []graph.Value{v})
			if errors.Is(err, graph.ErrNoGradient) {
				t.Logf("no per-example %s by input %d for these shapes: %v", what, i, err)
				return
			}
			if err != nil {
				t.Errorf("per-example %s by input %d: %v", what, i, err)
				return
			}
			var all []float64
			for k := range want {
				all = append(all, f(k)...)
			}
			if got[0].Len() != len(all) {
				t.Errorf("per-example %s by input %d has shape %v, want %d numbers", what, i, got[0].Shape(), len(all))
				return
			}
			if err := compare(got[0], tensor.From(all, got[0].Shape()...), tol, tol); err != nil {
				t.Errorf("per-example %s by input %d: %v", what, i, err)
			}
		}
		check(pe.Grad, "gradient", func(k int) []float64 { return want[k] })
		check(pe.Norm2, "norm", func(k int) []float64 {
			s := 0.0
			for _, g := range want[k] {
				s += g * g
			}
			return []float64{s}
		})
	}
}

// batchesOfOne are the gradients by input i of each example alone.
func (c opCase) batchesOfOne(d tensor.DType, i int, feeds map[string]*tensor.Tensor) ([][]float64, error) {
	n := 0
	single := c
	single.in = slices.Clone(c.in)
	for k, a := range single.in {
		if a.batch {
			n = a.shape[0]
			single.in[k].shape = slices.Concat([]int{1}, a.shape[1:])
		}
	}
	if n == 0 {
		return nil, fmt.Errorf("no input has a batch")
	}
	var out [][]float64
	for e := range n {
		p, err := single.build(d, false)
		if err != nil {
			return nil, err
		}
		var seeds []grad.Seed
		row := func(name string) *tensor.Tensor {
			t := feeds[name]
			size := t.Len() / n
			return tensor.From(tensor.Data[float64](t)[e*size:(e+1)*size], slices.Concat([]int{1}, t.Shape()[1:])...)
		}
		for k, a := range c.in {
			name := fmt.Sprintf("in%d", k)
			if a.gen == nil {
				continue
			}
			p.feeds[name] = feeds[name]
			if a.batch {
				p.feeds[name] = row(name)
			}
		}
		for k, v := range p.node.Out {
			name := fmt.Sprintf("dy%d", k)
			if feeds[name] != nil {
				p.feeds[name] = row(name)
				seeds = append(seeds, grad.Seed{Y: v, DY: p.g.AddInput(name, d, nil)})
			}
		}
		dw, err := grad.Reverse(p.g, seeds, []graph.Value{p.vals[i]}, grad.Options{})
		if err != nil {
			return nil, err
		}
		got, err := p.run(nil, p.feeds, dw)
		if err != nil {
			return nil, err
		}
		out = append(out, got[0].Float64s())
	}
	return out, nil
}

// TestOperators checks every case.
func TestOperators(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range cases {
		if seen[c.domain+c.String()] {
			t.Errorf("case %v is there twice", c)
		}
		seen[c.domain+c.String()] = true
		t.Run(c.String(), func(t *testing.T) {
			ran++
			spec, err := c.spec()
			if errors.Is(err, errMissing) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range []tensor.DType{tensor.Float32, tensor.Float64} {
				tol := c.tol
				if tol == 0 {
					tol = 2e-4
				}
				if d == tensor.Float64 {
					tol = 1e-7
					if !accepts(spec, c, d) {
						continue
					}
				}
				t.Run(d.String(), func(t *testing.T) {
					c.forward(t, d, tol)
					if c.values || !spec.HasGrad() || t.Failed() {
						return
					}
					c.backward(t, d, tol)
					c.perExample(t, d, 5*tol)
				})
			}
		})
	}
	for op, why := range noLower {
		t.Logf("no lowering: %s: %s", op, why)
	}
	for op, why := range noSecond {
		t.Logf("no second order: %s: %s", op, why)
	}
}

// accepts reports whether every floating-point input of the case may have type d.
func accepts(spec *graph.Spec, c opCase, d tensor.DType) bool {
	for i, a := range c.in {
		float := a.gen != nil || a.fixed != nil && a.fixed.DType() == tensor.Float32
		if f := spec.FormalIn(i); float && f != nil && f.Types != nil && !slices.Contains(f.Types, d) {
			return false
		}
	}
	return true
}

// TestEveryGradientHasACase runs after TestOperators.
func TestEveryGradientHasACase(t *testing.T) {
	if ran < len(cases) {
		t.Skip("needs all of TestOperators to run before")
	}
	for _, s := range ops.Standard.All() {
		smooth := slices.ContainsFunc(s.In, func(f graph.Formal) bool { return !f.NoGrad })
		if s.HasGrad() && smooth && !reached[s] {
			t.Errorf("no case reaches the gradient of %s.%s (since %v)", s.Domain, s.Name, s.Since)
		}
	}
}

// TestEveryOperatorHasACase lists the operators of ONNX without even a forward case.
func TestEveryOperatorHasACase(t *testing.T) {
	have := map[*graph.Spec]bool{}
	for _, c := range cases {
		if s, err := c.spec(); err == nil {
			have[s] = true
		}
	}
	for _, s := range ops.Standard.All() {
		if s.Domain == "" && s.HasRun() && s.HasGrad() && !have[s] && len(s.In) > 0 {
			t.Errorf("no case for %s (since %v)", s.Name, s.Since)
		}
	}
}
