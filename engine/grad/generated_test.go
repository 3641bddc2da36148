package grad_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/graphgen"
	"github.com/gtk-onnx/gtk/internal/naive"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/tensor"
)

// checked is a generated program whose parameters are fed, so that the oracle can move them.
type checked struct {
	*graphgen.Program
	plain *graph.Graph // before any gradient
	wrt   []graph.Value
	feeds map[string]*tensor.Tensor // float64
	sum   graph.Value               // of the losses of all examples
}

func generate(t *testing.T, seed uint64, n int, o graphgen.Options) *checked {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 91))
	c := &checked{Program: graphgen.New(r, o), feeds: map[string]*tensor.Tensor{}}
	for name, x := range c.Named(c.Feeds(r, n)) {
		c.feeds[name] = x
	}
	g := c.G
	for _, v := range c.Params {
		in := g.Info(v)
		c.feeds[in.Name] = in.Data
		in.Kind, in.Data = graph.Input, nil
		g.Inputs = append(g.Inputs, v)
	}
	for name, x := range c.feeds {
		if x.DType() != tensor.Float32 {
			continue
		}
		d, err := x.Convert(tensor.Float64)
		if err != nil {
			t.Fatal(err)
		}
		c.feeds[name] = d
	}
	b := graph.NewBuilder(g)
	c.sum = b.Add(ops.ReduceSum, nil, c.Loss)
	g.Outputs = []graph.Value{c.sum}
	g.Prune(nil)
	c.plain = g.Clone()
	c.wrt = append(slices.Clone(c.Params), g.Inputs[:2]...)
	return c
}

// loss is the sum of the losses by the oracle.
func (c *checked) loss(feeds map[string]*tensor.Tensor) (float64, error) {
	m, err := naive.Run(c.plain, feeds)
	if err != nil {
		return 0, err
	}
	return m[c.plain.Info(c.plain.Outputs[0]).Name].Float64s()[0], nil
}

// run computes fetch with the engine.
func (c *checked) run(t *testing.T, fetch []graph.Value, more map[string]*tensor.Tensor) []*tensor.Tensor {
	t.Helper()
	g := c.G.Clone()
	g.Outputs = nil
	g.Prune(fetch)
	p, err := exec.Compile(g, fetch, nil)
	if err != nil {
		t.Fatal(err)
	}
	var in []*tensor.Tensor
	for _, v := range g.Inputs {
		x := c.feeds[g.Info(v).Name]
		if y := more[g.Info(v).Name]; y != nil {
			x = y
		}
		if x.DType() != g.Info(v).DType {
			if x, err = x.Convert(g.Info(v).DType); err != nil {
				t.Fatal(err)
			}
		}
		in = append(in, x)
	}
	out, err := p.Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	for i := range out {
		out[i] = out[i].Clone()
	}
	return out
}

// direction is a random direction in the space of what is differentiated by.
func (c *checked) direction(r *rand.Rand) map[string]*tensor.Tensor {
	u := map[string]*tensor.Tensor{}
	for _, v := range c.wrt {
		name := c.G.Info(v).Name
		x := tensor.New(tensor.Float64, c.feeds[name].Shape()...)
		for i := range x.Len() {
			tensor.Data[float64](x)[i] = r.NormFloat64()
		}
		u[name] = x
	}
	return u
}

// inner is Σ got·u over all values, and the sum of the absolute terms.
func (c *checked) inner(got []*tensor.Tensor, of []graph.Value, u map[string]*tensor.Tensor) (sum, scale float64) {
	k := 0
	for i, v := range of {
		if v == 0 {
			continue
		}
		x, y := testkit.Inner(got[k], u[c.G.Info(c.wrt[i]).Name])
		sum, scale, k = sum+x, scale+y, k+1
	}
	return sum, scale
}

func present(vs []graph.Value) []graph.Value {
	return slices.DeleteFunc(slices.Clone(vs), func(v graph.Value) bool { return v == 0 })
}

// TestReverseOfGenerated compares the gradients of generated programs, by all parameters and inputs at once, with differences of the
// oracle.
func TestReverseOfGenerated(t *testing.T) {
	for seed := range uint64(40) {
		c := generate(t, seed, 2, graphgen.Options{Smooth: true, Bodies: int(seed % 3), Memory: seed%2 == 0, Dynamic: seed%4 == 1})
		ds, err := grad.Reverse(c.G, []grad.Seed{grad.Ones(c.G, c.sum)}, c.wrt, grad.Options{})
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
			continue
		}
		got := c.run(t, present(ds), nil)
		k := 0
		for i, d := range ds {
			if d == 0 {
				continue
			}
			if name := c.G.Info(c.wrt[i]).Name; !got[k].Shape().Equal(c.feeds[name].Shape()) {
				t.Errorf("seed %d: the gradient by %s has shape %v, want %v", seed, name, got[k].Shape(), c.feeds[name].Shape())
			}
			k++
		}
		if t.Failed() {
			t.FailNow()
		}
		r := rand.New(rand.NewPCG(seed, 92))
		for range 2 {
			u := c.direction(r)
			want, err := testkit.Difference(func(h float64) (float64, error) { return c.loss(testkit.Moved(c.feeds, u, h)) }, 1e-4)
			if err != nil {
				t.Fatal(err)
			}
			if sum, scale := c.inner(got, ds, u); math.Abs(sum-want) > 2e-4*(scale+math.Abs(want)) {
				t.Errorf("seed %d: derivative %.8g, want %.8g", seed, sum, want)
			}
		}
		// One parameter at a time: a gradient that is zero must be so.
		for i, d := range ds {
			name := c.G.Info(c.wrt[i]).Name
			u := map[string]*tensor.Tensor{name: c.direction(r)[name]}
			want, err := testkit.Difference(func(h float64) (float64, error) { return c.loss(testkit.Moved(c.feeds, u, h)) }, 1e-3)
			if err != nil {
				t.Fatal(err)
			}
			if d == 0 && math.Abs(want) > 1e-7 {
				t.Errorf("seed %d: no gradient by %s, and the loss changes by %g", seed, name, want)
			}
		}
	}
}

// TestHVPOfGenerated compares products with the Hessian with second differences, and checks that the Hessian is symmetric.
func TestHVPOfGenerated(t *testing.T) {
	for seed := range uint64(24) {
		c := generate(t, seed, 2, graphgen.Options{Smooth: true, Bodies: int(seed % 2), Nodes: 10})
		r := rand.New(rand.NewPCG(seed, 93))
		u, w := c.direction(r), c.direction(r)
		var vs []graph.Value
		for _, v := range c.wrt {
			vs = append(vs, c.G.AddInput("along "+c.G.Info(v).Name, tensor.Float32, nil))
		}
		hv, err := grad.HVP(c.G, c.sum, c.wrt, vs, grad.Options{})
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
			continue
		}
		product := func(v map[string]*tensor.Tensor) []*tensor.Tensor {
			more := map[string]*tensor.Tensor{}
			for name, x := range v {
				more["along "+name] = x
			}
			return c.run(t, present(hv), more)
		}
		a, scaleA := c.inner(product(u), hv, w)
		b, scaleB := c.inner(product(w), hv, u)
		want, err := testkit.Difference(func(h float64) (float64, error) {
			return testkit.Difference(func(k float64) (float64, error) { return c.loss(testkit.Moved(testkit.Moved(c.feeds, u, h), w, k)) }, 2e-3)
		}, 2e-3)
		if err != nil {
			t.Fatal(err)
		}
		tol := 2e-3 * (1e-2 + max(scaleA, scaleB))
		if math.Abs(a-b) > tol {
			t.Errorf("seed %d: wᵀHu is %.8g, uᵀHw %.8g", seed, a, b)
		}
		if math.Abs(a-want) > tol {
			t.Errorf("seed %d: wᵀHu is %.8g, by differences %.8g", seed, a, want)
		}
	}
}

// TestPerExampleOfGenerated compares the squared gradient norm of each example with that of the example alone.
func TestPerExampleOfGenerated(t *testing.T) {
	norms, refused := 0, map[string]int{}
	for seed := range uint64(60) {
		const n = 3
		c := generate(t, seed, n, graphgen.Options{Apart: true, Nodes: 12})
		for _, p := range c.Params {
			h := c.G
			c.G = h.Clone()
			ns, err := grad.PerExample(c.G, []grad.Seed{grad.Ones(c.G, c.sum)}, []graph.Value{p}, grad.Options{})
			if err != nil {
				if !errors.Is(err, graph.ErrNoGradient) && !errors.Is(err, errors.ErrUnsupported) {
					t.Errorf("seed %d: %v", seed, err)
				}
				refused[fmt.Sprint(err)]++
				c.G = h
				continue
			}
			if ns[0] == 0 {
				c.G = h
				continue
			}
			got := c.run(t, ns, nil)[0].Float64s()
			c.G = h.Clone()
			d, err := grad.Reverse(c.G, []grad.Seed{grad.Ones(c.G, c.sum)}, []graph.Value{p}, grad.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for e := range n {
				alone := map[string]*tensor.Tensor{}
				for _, name := range []string{"x", "r"} {
					x := c.feeds[name]
					size := x.Len() / n
					alone[name] = tensor.From(tensor.Data[float64](x)[e*size:(e+1)*size], append([]int{1}, x.Shape()[1:]...)...)
				}
				want := 0.0
				for _, v := range c.run(t, d, alone)[0].Float64s() {
					want += v * v
				}
				if math.Abs(got[e]-want) > 1e-3*want+1e-9 {
					t.Errorf("seed %d: example %d by %s: %.8g, want %.8g", seed, e, c.G.Info(p).Name, got[e], want)
				}
				norms++
			}
			c.G = h
		}
	}
	t.Logf("%d norms, and %d reasons for none", norms, len(refused))
	if norms < 500 {
		t.Errorf("only %d norms were compared; the others were refused: %v", norms, refused)
	}
}
