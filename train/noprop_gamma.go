package train

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// gammaNet is the learned schedule of ct: γ(t) = e₀ + (e₁ − e₀)·(G(t) − G(0))/(G(1) − G(0)) with a rising
//
//	G(t) = Σ A·σ(B·t + c) + Λ·t,  A, B, Λ the softplus of what is learned.
type gammaNet struct {
	a, b, c, line, ends []float32 // of the chain
	grads               map[string]*tensor.Tensor
	prefix              string
}

// gammaWidth is how many sigmoids a learned schedule has.
const gammaWidth = 8

// gammaParams are the names of its parameters, behind the prefix.
var gammaParams = []string{"gamma.a", "gamma.b", "gamma.c", "gamma.line", "gamma.ends"}

func newGammaNet(n *NoPropNet, chain *engine.Model) (*gammaNet, error) {
	g := &gammaNet{grads: map[string]*tensor.Tensor{}, prefix: n.prefix}
	for i, into := range []*[]float32{&g.a, &g.b, &g.c, &g.line, &g.ends} {
		p, err := chain.Param(n.prefix + gammaParams[i])
		if err != nil {
			return nil, fmt.Errorf("train: noprop: %w", err)
		}
		*into = p.Value.F32()
		g.grads[n.prefix+gammaParams[i]] = tensor.New(tensor.Float32, p.Value.Shape()...)
	}
	return g, nil
}

func softplus(x float64) float64 { return math.Log1p(math.Exp(-math.Abs(x))) + max(x, 0) }

// rise is G(t) and G'(t).
func (g *gammaNet) rise(t float64) (v, slope float64) {
	line := softplus(float64(g.line[0]))
	v, slope = line*t, line
	for j := range g.a {
		A, B := softplus(float64(g.a[j])), softplus(float64(g.b[j]))
		s := sigmoid(B*t + float64(g.c[j]))
		v, slope = v+A*s, slope+A*B*s*(1-s)
	}
	return v, slope
}

// at is γ(t) and its slope.
func (g *gammaNet) at(t float64) (gamma, slope float64) {
	g0, _ := g.rise(0)
	g1, _ := g.rise(1)
	v, d := g.rise(t)
	span := float64(g.ends[1]) - float64(g.ends[0])
	return float64(g.ends[0]) + span*(v-g0)/(g1-g0), span * d / (g1 - g0)
}

// gammaPull is how a loss depends on γ and its slope at a time.
type gammaPull struct{ t, gamma, slope float64 }

// learn makes the gradients of the parameters from those by γ and its slope.
func (g *gammaNet) learn(list []gammaPull) {
	sums := map[string][]float64{}
	for name, t := range g.grads {
		sums[name] = make([]float64, t.Len())
	}
	at := func(i int) []float64 { return sums[g.prefix+gammaParams[i]] }
	back := func(t, dv, dslope float64) { // by G(t) and G'(t)
		line := sigmoid(float64(g.line[0]))
		at(3)[0] += (dv*t + dslope) * line
		for j := range g.a {
			A, B := softplus(float64(g.a[j])), softplus(float64(g.b[j]))
			s := sigmoid(B*t + float64(g.c[j]))
			d1 := s * (1 - s)
			d2 := d1 * (1 - 2*s)
			at(0)[j] += (dv*s + dslope*B*d1) * sigmoid(float64(g.a[j]))
			at(1)[j] += (dv*A*t*d1 + dslope*(A*d1+A*B*d2*t)) * sigmoid(float64(g.b[j]))
			at(2)[j] += dv*A*d1 + dslope*A*B*d2
		}
	}
	g0, _ := g.rise(0)
	g1, _ := g.rise(1)
	R, span := g1-g0, float64(g.ends[1])-float64(g.ends[0])
	for _, p := range list {
		v, d := g.rise(p.t)
		q := (v - g0) / R
		at(4)[0] += p.gamma*(1-q) - p.slope*d/R
		at(4)[1] += p.gamma*q + p.slope*d/R
		width := -span * (p.gamma*q + p.slope*d/R) / R // by R
		back(p.t, p.gamma*span/R, p.slope*span/R)
		back(0, -p.gamma*span/R-width, 0)
		back(1, width, 0)
	}
	for name, s := range sums {
		for i, v := range s {
			g.grads[name].F32()[i] = float32(v)
		}
	}
}

// learned is what the loss of a step depends on γ by: u are the embeddings, losses come as they stand in the loss that is reported.
func (d *denoiser) learned(given []*noised, u []float32, rows int) (list []gammaPull) {
	w := d.dim()
	for k, c := range d.blocks {
		x, dz := given[k], c.r.Grad(blockZ).F32()
		for i := range rows {
			p := gammaPull{t: 1}
			if x.at != nil {
				p.t = x.at[i]
			}
			keep, lost := x.keep[i], x.lost[i]
			err := 0.0
			for j := i * w; j < (i+1)*w; j++ {
				p.gamma += float64(dz[j]) * (-keep*lost*lost/2*float64(u[j]) + keep*keep*lost/2*float64(x.eps[j]))
				if c.out {
					e := float64(c.r.Value(blockOut).F32()[j] - x.want.F32()[j])
					err += e * e
				}
			}
			if c.out {
				g, slope := d.gamma.at(p.t)
				if ratio, rate := signal(g, slope); rate < d.Cap {
					p.gamma -= err * d.Eta / 2 * rate / float64(rows)
					p.slope = -err * d.Eta / 2 * ratio / float64(rows)
				}
			}
			list = append(list, p)
		}
	}
	g, _ := d.gamma.at(0)
	bar := sigmoid(-g)
	for i := range rows {
		norm2 := 0.0
		for _, v := range u[i*w : (i+1)*w] {
			norm2 += float64(v) * float64(v)
		}
		dbar := .5 * (norm2 - float64(w) + float64(w)/(1-bar)) / float64(rows)
		list = append(list, gammaPull{t: 0, gamma: -dbar * bar * (1 - bar)})
	}
	return list
}

// schedule adds what steps are made with where the schedule is learned: γ and its slope at all times, and from them a and b of each.
func (c *chainGraph) schedule() (a, b func(t int) string) {
	S := c.n.Steps
	from := func(name string, v func(j int) float64, n int) string {
		j := -1
		return c.drawn(name, func() float32 { j++; return float32(v(j)) }, 1, n)
	}
	one := func(op, name string, in ...string) string { return c.node(op, "gamma."+name, in) }
	row := func(x string, i, axis int) string {
		at := c.store(fmt.Sprintf("at%d", i), func() *tensor.Tensor { return tensor.From([]int64{int64(i)}, 1) })
		return c.node("Gather", fmt.Sprintf("%s.%d", x[len(c.n.prefix):], i), []string{x, at}, onnx.AttrInt("axis", int64(axis)))
	}
	times := c.store("gamma.times", func() *tensor.Tensor {
		t := tensor.New(tensor.Float32, S+2, 1)
		for i, v := range c.n.plan.times {
			t.F32()[i] = float32(v)
		}
		t.F32()[S+1] = 1
		return t
	})
	A := one("Softplus", "A", from("gamma.a", func(int) float64 { return -3 }, gammaWidth))
	B := one("Softplus", "B", from("gamma.b", func(int) float64 { return 8 }, gammaWidth))
	shift := from("gamma.c", func(j int) float64 { return -8 * (float64(j) + .5) / gammaWidth }, gammaWidth)
	line := one("Softplus", "L", from("gamma.line", func(int) float64 { return .5 }, 1))
	ends := from("gamma.ends", func(j int) float64 { return []float64{gammaEdge, -gammaEdge}[j] }, 2)
	unit := c.number("one", 1)
	column := c.node("Transpose", "gamma.AT", []string{A}, onnx.AttrInts("perm", 1, 0))
	h := one("Sigmoid", "h", one("Add", "shifted", one("MatMul", "scaled", times, B), shift))
	G := one("Add", "G", one("MatMul", "sum", h, column), one("Mul", "straight", times, line))
	dh := one("Mul", "dh", one("Mul", "h1", h, one("Sub", "rest", unit, h)), B)
	slope := one("Add", "dG", one("MatMul", "dsum", dh, column), line)
	low := row(G, S, 0)
	R := one("Sub", "R", row(G, S+1, 0), low)
	first := row(ends, 0, 1)
	span := one("Sub", "span", row(ends, 1, 1), first)
	gamma := one("Add", "gamma", first, one("Mul", "moved", span, one("Div", "q", one("Sub", "risen", G, low), R)))
	keep := one("Sqrt", "keep", one("Sigmoid", "bar", one("Neg", "neg", gamma)))
	steep := one("Div", "slope", one("Mul", "steep", span, slope), R)
	pull := one("Mul", "pull", one("Mul", "slow", steep, keep), c.number("euler", -1/float64(2*S)))
	stay := one("Sub", "stay", unit, one("Mul", "pulled", pull, keep))
	return func(t int) string { return row(pull, t, 0) }, func(t int) string { return row(stay, t, 0) }
}
