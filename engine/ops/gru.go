package ops

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// GRU runs a gated recurrent unit over X [T,N,I] (layout 1: [N,T,I]):
//
//	z = f(X·Wzᵀ + H·Rzᵀ + b)   r = f(X·Wrᵀ + H·Rrᵀ + b)   H' = (1-z)⊙c + z⊙H
//	c = g(X·Whᵀ + (r⊙H)·Rhᵀ + Wbh + Rbh), or with linear_before_reset g(X·Whᵀ + r⊙(H·Rhᵀ + Rbh) + Wbh)
//
// Weights stand in the order z, r, h. Steps beyond the length of a sequence give 0 and keep its state. clip bounds the input of
// every activation.
//
// Source: https://onnx.ai/onnx/operators/onnx__GRU.html. Deviation: activations that fall (negative alpha) are refused.
var GRU = new(graph.Spec)

// GRUGrad is the gradient of GRU. Inputs X, W, R, sequence_lens, initial_h, Y, gates, linear, dY, dY_h, B; outputs dX, dW, dR,
// dB, dinitial_h. linear is H·Rhᵀ + Rbh of each step, for linear_before_reset. Its own gradient is that of its lowering, which Y, gates and
// linear follow from.
var GRUGrad = new(graph.Spec)

func init() {
	define(GRU, graph.Def[recurrentAttrs]{
		Name: "GRU", Role: graph.Recurrent, Since: []int{1, 3, 7, 14, 22}, Doc: "https://onnx.ai/onnx/operators/onnx__GRU.html",
		In: recurrentInputs(),
		Out: []graph.Formal{
			{Name: "Y", Optional: true}, {Name: "Y_h", Optional: true},
			{Name: "gates", Optional: true, NoGrad: true, Private: true}, {Name: "linear", Optional: true, NoGrad: true, Private: true},
		},
		Infer: func(a *recurrentAttrs, c *graph.InferCtx) error {
			l, err := recurrentDims(a, 3, c.Shape(0), c.Shape(1), c.Shape(2))
			if err != nil {
				return err
			}
			if err := l.check(c, 3, 3, 1); err != nil {
				return err
			}
			if _, err := gatesOf[float32](a, l.d, "Sigmoid", "Tanh"); err != nil {
				return err
			}
			c.Out(0, l.yShape()...)
			c.Out(1, l.stateShape()...)
			c.Out(2, l.d, l.t, l.n, 3*l.h)
			c.Out(3, l.d, l.t, l.n, l.h)
			n := l.layoutScratch() + l.n*l.h
			if !c.WantOut(2) {
				n += 3 * l.t * l.n * l.h
			}
			c.Scratch(c.DType(0).Size(n))
			return nil
		},
		Run: func(a *recurrentAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				return runGRU[float64](a, c)
			}
			return runGRU[float32](a, c)
		},
		Lower: lowerGRU,
		Grad: func(a *recurrentAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			return gradOutputs(b, GRUGrad, a, n, gruGradInputs(a, b, n, dy), recurrentGradAt, need)
		},
		PerExample: func(a *recurrentAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, in int) (graph.PerExample, error) {
			if in < 1 || in > 3 {
				return graph.PerExample{}, graph.ErrNoGradient
			}
			return recurrentPerExample(b, GRUGrad, a, gruGradInputs(a, b, n, dy), 5, in-1, 3)
		},
	})
	define(GRUGrad, graph.Def[recurrentAttrs]{
		Domain: Private, Name: "GRUGrad", Since: []int{1}, Doc: "gradient of GRU",
		In:  slices.Concat(recurrentGradInputs(), recurrentKept("gates", "linear"), recurrentOptional("dY", "dY_h", "B")),
		Out: recurrentGradOutputs(),
		Infer: func(a *recurrentAttrs, c *graph.InferCtx) error {
			l, err := inferRecurrentGrad(a, 3, c)
			c.Scratch(c.DType(0).Size(6*l.t*l.n*l.h + 2*l.layoutScratch()))
			return err
		},
		Run: func(a *recurrentAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				return runGRUGrad[float64](a, c)
			}
			return runGRUGrad[float32](a, c)
		},
		Lower: func(a *recurrentAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			in := []graph.Value{n.In[0], n.In[1], n.In[2], input(n, 10), input(n, 3), input(n, 4)}
			return lowerRecurrentGrad(GRU, a, b, n, in, []graph.Value{input(n, 8), input(n, 9)}, recurrentGradAt)
		},
	})
}

// gruGradInputs are the inputs of the gradient of the GRU n.
func gruGradInputs(a *recurrentAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value) []graph.Value {
	var linear graph.Value
	if a.LinearBeforeReset {
		linear = b.ExtraOutput(n, 3)
	}
	gates, y := b.ExtraOutput(n, 2), b.ExtraOutput(n, 0)
	in := []graph.Value{n.In[0], n.In[1], n.In[2], input(n, 4), input(n, 5), y, gates, linear, 0, 0, input(n, 3)}
	copy(in[8:], dy[:min(len(dy), 2)])
	return in
}

// recurrentInputs are the inputs of RNN and GRU.
func recurrentInputs() []graph.Formal {
	return []graph.Formal{
		{Name: "X", Types: floats}, {Name: "W", Types: floats, Weight: true}, {Name: "R", Types: floats, Weight: true},
		{Name: "B", Types: floats, Optional: true, Weight: true}, {Name: "sequence_lens", Types: indexes, Optional: true, NoGrad: true},
		{Name: "initial_h", Types: floats, Optional: true},
	}
}

// recurrentGradInputs are the first inputs of the gradients of RNN and GRU: X, W, R, sequence_lens, initial_h and Y.
func recurrentGradInputs() []graph.Formal {
	return []graph.Formal{
		{Name: "X", Types: floats}, {Name: "W", Types: floats}, {Name: "R", Types: floats},
		{Name: "sequence_lens", Types: indexes, Optional: true, NoGrad: true},
		{Name: "initial_h", Types: floats, Optional: true}, {Name: "Y", Types: floats, NoGrad: true},
	}
}

// recurrentOptional are optional inputs or outputs.
func recurrentOptional(names ...string) (f []graph.Formal) {
	for _, name := range names {
		f = append(f, graph.Formal{Name: name, Types: floats, Optional: true})
	}
	return f
}

// recurrentKept are inputs of a gradient that the layer gave and that follow from the others.
func recurrentKept(names ...string) []graph.Formal {
	f := recurrentOptional(names...)
	for i := range f {
		f[i].NoGrad = true
	}
	return f
}

// recurrentGradAt says which output of the gradient is that by an input of RNN or GRU.
var recurrentGradAt = []int{0, 1, 2, 3, -1, 4}

// recurrentGradOutputs are dX, dW, dR, dB and dinitial_h, and those of each example.
func recurrentGradOutputs() []graph.Formal {
	return append([]graph.Formal{
		{Name: "dX", Optional: true}, {Name: "dW", Optional: true}, {Name: "dR", Optional: true}, {Name: "dB", Optional: true},
		{Name: "dinitial_h", Optional: true},
	}, recurrentExamples()...)
}

func inferRecurrentGrad(a *recurrentAttrs, m int, c *graph.InferCtx) (recurrent, error) {
	l, err := recurrentDims(a, m, c.Shape(0), c.Shape(1), c.Shape(2))
	c.Out(0, c.Shape(0)...)
	c.Out(1, c.Shape(1)...)
	c.Out(2, c.Shape(2)...)
	c.Out(3, l.d, 2*m*l.h)
	c.Out(4, l.stateShape()...)
	l.inferExamples(c, 5, m)
	return l, err
}

func runGRU[T real](a *recurrentAttrs, c *graph.RunCtx) error {
	l, err := recurrentDims(a, 3, c.In[0].Shape(), c.In[1].Shape(), c.In[2].Shape())
	if err != nil {
		return err
	}
	lens, err := l.lengthsIn(c, 4)
	if err != nil {
		return err
	}
	acts, err := gatesOf[T](a, l.d, "Sigmoid", "Tanh")
	if err != nil {
		return err
	}
	h, h3, size := l.h, 3*l.h, l.n*l.h
	b, h0 := inOf[T](c, 3), inOf[T](c, 5)
	y, saved, linear := outOf[T](c, 0), outOf[T](c, 2), outOf[T](c, 3)
	work := workingOf[T](c)
	x := timeMajor(&l, reals[T](c.In[0]), work.take(l.layoutScratch()))
	q := work.take(size) // H·Rhᵀ + Rbh, or r⊙H
	var g []T
	if saved == nil {
		g = work.take(l.t * l.n * h3)
	}
	for dir := range l.d {
		if saved != nil {
			g = part(saved, l.d, dir)
		}
		f, gg := acts[dir][0], acts[dir][1]
		fused := a.LinearBeforeReset && f.is("sigmoid") && gg.is("tanh")
		timesRzr, done := stepWeights[T](c, &l, 2, dir, 0, 2*h, true)
		defer done()
		timesRh, done := stepWeights[T](c, &l, 2, dir, 2*h, h, true)
		defer done()
		var rbh []T
		if b != nil {
			rbh = part(b, l.d, dir)[5*h:]
		}
		inputGates(c, &l, 3, dir, x, bias(&l, b, 3, dir, a.LinearBeforeReset), g)
		hs := initial(&l, h0, dir)
		for i := range l.t {
			t := l.step(dir, i)
			gt := g[t*l.n*h3:][:l.n*h3]
			timesRzr(l.n, hs, h, 1, gt, h3)
			if a.LinearBeforeReset {
				if linear != nil {
					q = part(linear, l.d, dir)[t*size:][:size]
				}
				for n := range l.n {
					clear(q[n*h : (n+1)*h])
					copy(q[n*h:(n+1)*h], rbh)
				}
				timesRh(l.n, hs, h, 1, q, h)
			}
			for n := range l.n {
				row := gt[n*h3:][:h3]
				if fused {
					if t < lens[n] {
						kernel.GRUF32(singles(row), singles(hs[n*h:][:h]), singles(q[n*h:][:h]))
					}
					continue
				}
				f.apply(row[:2*h])
				for j := range h {
					if a.LinearBeforeReset {
						row[2*h+j] += row[h+j] * q[n*h+j]
					} else {
						q[n*h+j] = row[h+j] * hs[n*h+j]
					}
				}
			}
			if !a.LinearBeforeReset && l.n > 0 && h > 0 {
				timesRh(l.n, q, h, 1, gt[2*h:], h3)
			}
			for n := range l.n {
				row, hr := gt[n*h3:][:h3], hs[n*h:][:h]
				if t < lens[n] && !fused {
					gg.apply(row[2*h:])
					for j := range hr {
						hr[j] = (1-row[j])*row[2*h+j] + row[j]*hr[j]
					}
				}
				if y != nil {
					out := y[l.yAt(t, dir, n):][:h]
					clear(out)
					if t < lens[n] {
						copy(out, hr)
					}
				}
			}
		}
		putState(&l, outOf[T](c, 1), hs, dir)
	}
	return nil
}

func runGRUGrad[T real](a *recurrentAttrs, c *graph.RunCtx) error {
	l, err := recurrentDims(a, 3, c.In[0].Shape(), c.In[1].Shape(), c.In[2].Shape())
	if err != nil {
		return err
	}
	lens, err := l.lengthsIn(c, 3)
	if err != nil {
		return err
	}
	acts, err := gatesOf[T](a, l.d, "Sigmoid", "Tanh")
	if err != nil {
		return err
	}
	gemm, h, h3, steps, size := gemmOf[T](), l.h, 3*l.h, l.t*l.n, l.n*l.h
	h0, y := inOf[T](c, 4), inOf[T](c, 5)
	gates, linear, dy, dyh := inOf[T](c, 6), inOf[T](c, 7), inOf[T](c, 8), inOf[T](c, 9)
	work := workingOf[T](c)
	x := timeMajor(&l, reals[T](c.In[0]), work.take(l.layoutScratch()))
	dx := outOf[T](c, 0)
	if dx != nil && l.layout == 1 {
		dx = work.take(l.layoutScratch())
	}
	// dz: gradients of the gates before activation. rec: what multiplies the recurrent weights of h transposed. With linear_before_reset
	// that is the gradient of H·Rhᵀ, else that of (r⊙H)·Rhᵀ, which is dz's own. in: what they are applied to, H or r⊙H.
	dz, prev, rec, in := work.take(steps*h3), work.take(steps*h), work.take(steps*h), work.take(steps*h)
	ds := make([]T, size)
	eW, eR := examplesOf[T](c, &l, 5, 8, h3, l.k), examplesOf[T](c, &l, 6, 9, h3, h)
	eB := examplesOf[T](c, &l, 7, -1, 2*h3, 1)
	for dir := range l.d {
		gd, f, g := part(gates, l.d, dir), acts[dir][0], acts[dir][1]
		timesRzr, done := stepWeights[T](c, &l, 2, dir, 0, 2*h, false)
		defer done()
		timesRh, done := stepWeights[T](c, &l, 2, dir, 2*h, h, false)
		defer done()
		previous(&l, y, initial(&l, h0, dir), lens, dir, prev)
		dh := initial(&l, dyh, dir)
		for i := range l.t {
			t := l.step(dir, l.t-1-i)
			zt, rt := dz[t*l.n*h3:][:l.n*h3], rec[t*size:][:size]
			for n := range l.n {
				z, rc := zt[n*h3:][:h3], rt[n*h:][:h]
				if t >= lens[n] {
					clear(z)
					clear(rc)
					clear(in[(t*l.n+n)*h:][:h])
					continue
				}
				hr, row, old := dh[n*h:][:h], gd[(t*l.n+n)*h3:][:h3], prev[(t*l.n+n)*h:][:h]
				if dy != nil {
					for j, v := range dy[l.yAt(t, dir, n):][:h] {
						hr[j] += v
					}
				}
				for j, v := range hr {
					z[j] = v * (old[j] - row[2*h+j])
					z[2*h+j] = v * (1 - row[j])
					hr[j] = v * row[j]
				}
				g.derive(z[2*h:], row[2*h:])
				if a.LinearBeforeReset {
					q := part(linear, l.d, dir)[(t*l.n+n)*h:][:h]
					for j := range rc {
						z[h+j] = z[2*h+j] * q[j]
						rc[j] = z[2*h+j] * row[h+j]
					}
					copy(in[(t*l.n+n)*h:], old)
				} else {
					copy(rc, z[2*h:])
					for j, v := range old {
						in[(t*l.n+n)*h+j] = row[h+j] * v
					}
				}
			}
			timesRh(l.n, rt, h, 0, ds, h)
			for n := range l.n {
				if t >= lens[n] {
					continue
				}
				z, hr, s := zt[n*h3:][:h3], dh[n*h:][:h], ds[n*h:][:h]
				row, old := gd[(t*l.n+n)*h3:][:h3], prev[(t*l.n+n)*h:][:h]
				for j, v := range s {
					if a.LinearBeforeReset {
						hr[j] += v
					} else {
						z[h+j] = v * old[j]
						hr[j] += v * row[h+j]
					}
				}
				f.derive(z[:2*h], row[:2*h])
			}
			timesRzr(l.n, zt, h3, 1, dh, h)
		}
		putState(&l, outOf[T](c, 4), dh, dir)
		weightGrads(c, &l, 3, dir, dz, x, dx, part(outOf[T](c, 1), l.d, dir))
		eW.outer(c, dir, dz, h3, 0, h3, x)
		eR.outer(c, dir, dz, h3, 0, 2*h, prev)
		eR.outer(c, dir, rec, h, 2*h, h, in)
		eB.sums(dir, dz, h3, 0, h3)
		eB.sums(dir, dz, h3, h3, 2*h)
		eB.sums(dir, rec, h, h3+2*h, h)
		if dr := part(outOf[T](c, 2), l.d, dir); dr != nil {
			gemm(c.Pool, true, false, 2*h, h, steps, 1, dz, h3, prev, h, 0, dr, h)
			gemm(c.Pool, true, false, h, h, steps, 1, rec, h, in, h, 0, dr[2*h*h:], h)
		}
		if db := part(outOf[T](c, 3), l.d, dir); db != nil {
			columnSums(dz, db[:h3])
			copy(db[h3:], db[:2*h])
			columnSums(rec, db[h3+2*h:])
		}
	}
	if out := outOf[T](c, 0); out != nil && l.layout == 1 {
		fromTimeMajor(&l, out, dx)
	}
	return nil
}
