package ops_test

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/naive"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/tensor"
)

// reached are the operators whose gradients some case has checked.
var reached = map[*graph.Spec]bool{}

func (p *problem) reverse(seeds []grad.Seed, wrt []graph.Value) ([]graph.Value, error) {
	if !p.node.Op.HasRun() { // it is lowered
		reached[p.node.Op] = true
	}
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
		want, err := testkit.Difference(func(h float64) (float64, error) { return p.dot(testkit.Moved(p.feeds, one, h), "dy") }, step1)
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
			sum, scale = testkit.Inner(got[k], u[name])
			k++
		}
		if !(math.Abs(sum-want) <= tol*(scale+math.Abs(want))+1e-7) {
			what := "captured"
			if i < p.node.NumIn {
				what = p.node.Op.FormalIn(i).Name
			}
			t.Errorf("gradient by input %d (%s): %.9g, want %.9g", i, what, sum, want)
		}
	}
	if t.Failed() {
		return
	}
	if len(p.diff) > 0 && len(seeds) > 0 {
		passed(p.node.Op, "first")
		if strings.HasPrefix(c.name, "generated ") {
			passedGenerated(p.node.Op, d)
		}
		for op := range private(p.g) {
			if op != p.node.Op {
				passed(op, "first")
			}
		}
	}
	if c.once {
		return
	}
	p.second(t, r, dx, wrt, u, tol)
}

// private are the private operators that g uses.
func private(g *graph.Graph) map[*graph.Spec]bool {
	used := map[*graph.Spec]bool{}
	for _, n := range g.Nodes {
		if n.Op.Domain == ops.Private {
			used[n.Op] = true
		}
		for _, b := range n.Bodies {
			maps.Copy(used, private(b.G))
		}
	}
	return used
}

// noLower says which private operators cannot be written in ONNX's, always or for some attributes.
var noLower = map[string]string{}

// loweredGradient writes the gradient in ONNX's operators, as an exported model has it, for the oracle to compute.
func (p *problem) loweredGradient(t *testing.T, fetch []graph.Value, want []*tensor.Tensor, tol float64) {
	if len(fetch) == 0 {
		return
	}
	g := p.g.Clone()
	g.Outputs = slices.Clone(fetch)
	lowered := map[*graph.Spec]bool{p.node.Op: true}
	if why := lowerAll(g, lowered); why != nil {
		var none *noLowering
		if !errors.As(why, &none) {
			t.Errorf("lowering the gradient: %v", why)
			return
		}
		noLower[none.op] = none.why
		return
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
	if !t.Failed() {
		for op := range lowered {
			passed(op, "exported")
		}
	}
}

// noLowering is a private operator that cannot be written in ONNX's.
type noLowering struct{ op, why string }

func (e *noLowering) Error() string { return e.op + ": " + e.why }

// lowerAll writes g, bodies included, in ONNX's operators, and drops the outputs that nothing reads. It notes in lowered what it wrote so.
func lowerAll(g *graph.Graph, lowered map[*graph.Spec]bool) error {
	for {
		i := slices.IndexFunc(g.Nodes, func(n *graph.Node) bool { return n.Op.Domain == ops.Private })
		if i < 0 {
			break
		}
		n := g.Nodes[i]
		if !n.Op.HasLower() {
			return &noLowering{n.Op.Name, "always"}
		}
		b := grad.NewBuilder(g, grad.Options{})
		out, err := n.Op.Lower(b, n)
		if err == nil {
			err = b.Err()
		}
		if err != nil {
			return &noLowering{n.Op.Name, err.Error()}
		}
		lowered[n.Op] = true
		for k, v := range n.Out {
			if v != 0 {
				g.Replace(v, out[k])
			}
		}
		g.Nodes = slices.DeleteFunc(g.Nodes, func(m *graph.Node) bool { return m == n })
		if err := g.Sort(); err != nil {
			return err
		}
	}
	read := g.Read()
	for _, n := range g.Nodes {
		for k, v := range n.Out {
			if k > 0 && !read[v] {
				n.Out[k] = 0
			}
		}
		for _, b := range n.Bodies {
			if err := lowerAll(b.G, lowered); err != nil {
				return err
			}
		}
	}
	return nil
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
	clear(reached)
	hu, err := p.reverse(seeds, all)
	through := reached // private operators that the second sweep went through
	reached = maps.Clone(before)
	maps.Copy(reached, through)
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
		want, err := testkit.Difference(func(h float64) (float64, error) { return p.dot(testkit.Moved(only, u, h), "dy") }, step1)
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
		want, err := testkit.Difference(func(h float64) (float64, error) {
			return testkit.Difference(func(k float64) (float64, error) {
				return p.dot(testkit.Moved(testkit.Moved(p.feeds, u, h), one, k), "dy")
			}, step2)
		}, step2)
		if err != nil {
			t.Fatal(err)
		}
		p.compareSecond(t, at[hu[j]], dir, want, tol, name)
	}
	if t.Failed() || len(seeds) == 0 {
		return
	}
	passed(p.node.Op, "second")
	for op := range through {
		if op.Domain == ops.Private && op != p.node.Op {
			passed(op, "second")
		}
	}
}

func (p *problem) compareSecond(t *testing.T, got, dir *tensor.Tensor, want, tol float64, name string) {
	sum, scale := 0.0, 0.0
	if got != nil {
		if !got.Shape().Equal(dir.Shape()) {
			t.Errorf("second order by %s has shape %v, want %v", name, got.Shape(), dir.Shape())
			return
		}
		sum, scale = testkit.Inner(got, dir)
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
		p, err := c.build(d, slices.ContainsFunc(c.in, func(a arg) bool { return a.batch && a.fixed != nil }))
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
		compared := false
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
				return
			}
			compared = true
		}
		check(pe.Grad, "gradient", func(k int) []float64 { return want[k] })
		check(pe.Norm2, "norm", func(k int) []float64 {
			s := 0.0
			for _, g := range want[k] {
				s += g * g
			}
			return []float64{s}
		})
		if !compared {
			continue
		}
		passed(spec, "example")
		for op := range private(p.g) {
			passed(op, "example")
		}
	}
}

// batchesOfOne are the gradients by input i of each example alone.
func (c opCase) batchesOfOne(d tensor.DType, i int, feeds map[string]*tensor.Tensor) ([][]float64, error) {
	n := 0
	single := c
	single.in = slices.Clone(c.in)
	for k, a := range single.in {
		switch {
		case a.batch && a.fixed != nil:
			n = a.fixed.Dim(0)
		case a.batch:
			n = a.shape[0]
			single.in[k].shape = slices.Concat([]int{1}, a.shape[1:])
		}
	}
	if n == 0 {
		return nil, fmt.Errorf("no input has a batch")
	}
	var out [][]float64
	for e := range n {
		for k, a := range c.in {
			if a.batch && a.fixed != nil {
				size := a.fixed.Len() / n
				single.in[k].fixed = tensor.From(a.fixed.I64()[e*size:(e+1)*size], slices.Concat([]int{1}, a.fixed.Shape()[1:])...)
			}
		}
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
