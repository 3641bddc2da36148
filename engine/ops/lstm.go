package ops

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// LSTM runs a long short-term memory over X [T,N,I] (layout 1: [N,T,I]):
//
//	i = f(X·Wiᵀ + H·Riᵀ + Pi⊙C + b)   f likewise with Pf   c = g(X·Wcᵀ + H·Rcᵀ + b)
//	C' = f⊙C + i⊙c   o = f(X·Woᵀ + H·Roᵀ + Po⊙C' + b)   H' = o⊙h(C')
//
// Weights stand in the order i, o, f, c; peepholes i, o, f. Steps beyond the length of a sequence give 0 and keep its state. clip bounds
// the input of f and g, not that of h, which is what onnxruntime makes of ONNX's text. With input_forget, f = 1 - i.
//
// Source: https://onnx.ai/onnx/operators/onnx__LSTM.html. Deviation: activations that fall (negative alpha) are refused.
var LSTM = new(graph.Spec)

// LSTMGrad is the gradient of LSTM. Inputs X, W, R, sequence_lens, initial_h, initial_c, P, Y, gates, cells, dY, dY_h, dY_c, B; outputs
// dX, dW, dR, dB, dinitial_h, dinitial_c, dP. Its own gradient is that of its lowering, which Y, gates and cells follow from.
var LSTMGrad = new(graph.Spec)

func init() {
	define(LSTM, graph.Def[recurrentAttrs]{
		Name: "LSTM", Role: graph.Recurrent, Since: []int{1, 7, 14, 22}, Doc: "https://onnx.ai/onnx/operators/onnx__LSTM.html",
		In: []graph.Formal{
			{Name: "X", Types: floats}, {Name: "W", Types: floats, Weight: true}, {Name: "R", Types: floats, Weight: true},
			{Name: "B", Types: floats, Optional: true, Weight: true},
			{Name: "sequence_lens", Types: indexes, Optional: true, NoGrad: true},
			{Name: "initial_h", Types: floats, Optional: true}, {Name: "initial_c", Types: floats, Optional: true},
			{Name: "P", Types: floats, Optional: true, Weight: true},
		},
		Out: []graph.Formal{
			{Name: "Y", Optional: true}, {Name: "Y_h", Optional: true}, {Name: "Y_c", Optional: true},
			{Name: "gates", Optional: true, NoGrad: true, Private: true}, {Name: "cells", Optional: true, NoGrad: true, Private: true},
		},
		Infer: inferLSTM,
		Run: func(a *recurrentAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				return runLSTM[float64](a, c)
			}
			return runLSTM[float32](a, c)
		},
		Lower: lowerLSTM,
		Grad: func(a *recurrentAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			return gradOutputs(b, LSTMGrad, a, n, lstmGradInputs(b, n, dy), lstmGradOutputs, need)
		},
		PerExample: func(a *recurrentAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, in int) (graph.PerExample, error) {
			switch in {
			case 1, 2, 3:
				return recurrentPerExample(b, LSTMGrad, a, lstmGradInputs(b, n, dy), 7, in-1, 4)
			case 7:
				return recurrentPerExample(b, LSTMGrad, a, lstmGradInputs(b, n, dy), 7, 3, 4)
			}
			return graph.PerExample{}, graph.ErrNoGradient
		},
	})
	in := []graph.Formal{{Name: "X", Types: floats}, {Name: "W", Types: floats}, {Name: "R", Types: floats},
		{Name: "sequence_lens", Types: indexes, Optional: true, NoGrad: true}}
	define(LSTMGrad, graph.Def[recurrentAttrs]{
		Domain: Private, Name: "LSTMGrad", Since: []int{1}, Doc: "gradient of LSTM",
		In: slices.Concat(in, recurrentOptional("initial_h", "initial_c", "P"), recurrentKept("Y", "gates", "cells"),
			recurrentOptional("dY", "dY_h", "dY_c", "B")),
		Out: append(recurrentOptional("dX", "dW", "dR", "dB", "dinitial_h", "dinitial_c", "dP"), recurrentExamples("eP")...),
		Infer: func(a *recurrentAttrs, c *graph.InferCtx) error {
			l, err := recurrentDims(a, 4, c.Shape(0), c.Shape(1), c.Shape(2))
			if err != nil {
				return err
			}
			c.Out(0, c.Shape(0)...)
			c.Out(1, c.Shape(1)...)
			c.Out(2, c.Shape(2)...)
			c.Out(3, l.d, 8*l.h)
			c.Out(4, l.stateShape()...)
			c.Out(5, l.stateShape()...)
			c.Out(6, l.d, 3*l.h)
			l.inferExamples(c, 7, 4, 3*l.h)
			c.Scratch(c.DType(0).Size(5*l.t*l.n*l.h + 2*l.layoutScratch()))
			return nil
		},
		Run: func(a *recurrentAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				return runLSTMGrad[float64](a, c)
			}
			return runLSTMGrad[float32](a, c)
		},
		Lower: func(a *recurrentAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			in := []graph.Value{n.In[0], n.In[1], n.In[2], input(n, 13), input(n, 3), input(n, 4), input(n, 5), input(n, 6)}
			return lowerRecurrentGrad(LSTM, a, b, n, in, []graph.Value{input(n, 10), input(n, 11), input(n, 12)}, lstmGradOutputs)
		},
	})
}

// lstmGradOutputs says which output of the gradient is that by an input of LSTM.
var lstmGradOutputs = []int{0, 1, 2, 3, -1, 4, 5, 6}

// lstmGradInputs are the inputs of the gradient of the LSTM n.
func lstmGradInputs(b *graph.Builder, n *graph.Node, dy []graph.Value) []graph.Value {
	gates, cells, y := b.ExtraOutput(n, 3), b.ExtraOutput(n, 4), b.ExtraOutput(n, 0)
	in := []graph.Value{n.In[0], n.In[1], n.In[2], input(n, 4), input(n, 5), input(n, 6), input(n, 7), y, gates, cells, 0, 0, 0,
		input(n, 3)}
	copy(in[10:], dy[:min(len(dy), 3)])
	return in
}

func inferLSTM(a *recurrentAttrs, c *graph.InferCtx) error {
	l, err := recurrentDims(a, 4, c.Shape(0), c.Shape(1), c.Shape(2))
	if err != nil {
		return err
	}
	if err := l.check(c, 4, 3, 2); err != nil {
		return err
	}
	if c.Has(7) && !c.Shape(7).Equal(tensor.Shape{l.d, 3 * l.h}) {
		return fmt.Errorf("input P has shape %v, want [%d,%d]", c.Shape(7), l.d, 3*l.h)
	}
	if _, err := gatesOf[float32](a, l.d, "Sigmoid", "Tanh", "Tanh"); err != nil {
		return err
	}
	c.Out(0, l.yShape()...)
	c.Out(1, l.stateShape()...)
	c.Out(2, l.stateShape()...)
	c.Out(3, l.d, l.t, l.n, 4*l.h)
	c.Out(4, l.d, l.t, l.n, l.h)
	n := l.layoutScratch()
	if !c.WantOut(3) {
		n += 4 * l.t * l.n * l.h
	}
	c.Scratch(c.DType(0).Size(n))
	return nil
}

// outOf is the content of output i, nil when nobody wants it.
func outOf[T real](c *graph.RunCtx, i int) []T {
	if i < len(c.Out) {
		return reals[T](c.Out[i])
	}
	return nil
}

// inOf is the content of input i, nil when it is absent.
func inOf[T real](c *graph.RunCtx, i int) []T {
	if i < c.Node.NumIn {
		return reals[T](c.In[i])
	}
	return nil
}

// lengthsIn are the sequence lengths of input i.
func (l *recurrent) lengthsIn(c *graph.RunCtx, i int) ([]int, error) {
	if i < c.Node.NumIn {
		return l.lengths(c.In[i])
	}
	return l.lengths(nil)
}

func runLSTM[T real](a *recurrentAttrs, c *graph.RunCtx) error {
	l, err := recurrentDims(a, 4, c.In[0].Shape(), c.In[1].Shape(), c.In[2].Shape())
	if err != nil {
		return err
	}
	lens, err := l.lengthsIn(c, 4)
	if err != nil {
		return err
	}
	acts, err := gatesOf[T](a, l.d, "Sigmoid", "Tanh", "Tanh")
	if err != nil {
		return err
	}
	h, h4 := l.h, 4*l.h
	b := inOf[T](c, 3)
	h0, c0, peep := inOf[T](c, 5), inOf[T](c, 6), inOf[T](c, 7)
	y, saved, cells := outOf[T](c, 0), outOf[T](c, 3), outOf[T](c, 4)
	work := workingOf[T](c)
	x := timeMajor(&l, reals[T](c.In[0]), work.take(l.layoutScratch()))
	var g []T
	if saved == nil {
		g = work.take(l.t * l.n * h4)
	}
	for dir := range l.d {
		if saved != nil {
			g = part(saved, l.d, dir)
		}
		timesR, done := stepWeights[T](c, &l, 2, dir, 0, h4, true)
		defer done()
		p, cell := part(peep, l.d, dir), part(cells, l.d, dir)
		f, gg, hh := acts[dir][0], acts[dir][1], acts[dir][2].unclipped()
		fused := lstmFused(p, f, gg, hh, a.InputForget)
		inputGates(c, &l, 4, dir, x, bias(&l, b, 4, dir, false), g)
		hs, cs := initial(&l, h0, dir), initial(&l, c0, dir)
		for i := range l.t {
			t := l.step(dir, i)
			gt := g[t*l.n*h4:][:l.n*h4]
			timesR(l.n, hs, h, 1, gt, h4)
			c.Pool.For(l.n, rowGrain(h4), func(lo, hi int) {
				for n := lo; n < hi; n++ {
					row, hr, cr := gt[n*h4:][:h4], hs[n*h:][:h], cs[n*h:][:h]
					if t < lens[n] {
						if fused {
							kernel.LSTMF32(singles(row), singles(cr), singles(hr))
						} else {
							lstmStep(row, hr, cr, p, f, gg, hh, a.InputForget)
						}
					}
					if cell != nil {
						copy(cell[(t*l.n+n)*h:], cr)
					}
					if y != nil {
						out := y[l.yAt(t, dir, n):][:h]
						clear(out)
						if t < lens[n] {
							copy(out, hr)
						}
					}
				}
			})
		}
		putState(&l, outOf[T](c, 1), hs, dir)
		putState(&l, outOf[T](c, 2), cs, dir)
	}
	return nil
}

// lstmFused reports whether the steps are those of kernel.LSTMF32.
func lstmFused[T real](p []T, f, g, hh *gate[T], couple bool) bool {
	return p == nil && !couple && f.is("sigmoid") && g.is("tanh") && hh.is("tanh")
}

// lstmStep turns the row of gates i, o, f, c before activation into those after it, and the states h and c into the next ones. p is nil
// or the peepholes.
func lstmStep[T real](row, h, c, p []T, f, g, hh *gate[T], couple bool) {
	k := len(h)
	gi, gf, gc := row[:k], row[2*k:3*k], row[3*k:]
	o := row[k : 2*k]
	if p == nil {
		f.apply(row[:3*k])
	} else {
		for j, v := range c {
			gi[j] += p[j] * v
			gf[j] += p[2*k+j] * v
		}
		f.apply(gi)
		f.apply(gf)
	}
	if couple {
		for j, v := range gi {
			gf[j] = 1 - v
		}
	}
	g.apply(gc)
	for j := range c {
		c[j] = gf[j]*c[j] + gi[j]*gc[j]
	}
	if p != nil {
		for j, v := range c {
			o[j] += p[k+j] * v
		}
		f.apply(o)
	}
	copy(h, c)
	hh.apply(h)
	for j := range h {
		h[j] *= o[j]
	}
}

func runLSTMGrad[T real](a *recurrentAttrs, c *graph.RunCtx) error {
	l, err := recurrentDims(a, 4, c.In[0].Shape(), c.In[1].Shape(), c.In[2].Shape())
	if err != nil {
		return err
	}
	lens, err := l.lengthsIn(c, 3)
	if err != nil {
		return err
	}
	acts, err := gatesOf[T](a, l.d, "Sigmoid", "Tanh", "Tanh")
	if err != nil {
		return err
	}
	gemm, h, h4, steps := gemmOf[T](), l.h, 4*l.h, l.t*l.n
	h0, c0, peep, y := inOf[T](c, 4), inOf[T](c, 5), inOf[T](c, 6), inOf[T](c, 7)
	gates, cells := inOf[T](c, 8), inOf[T](c, 9)
	dy, dyh, dyc := inOf[T](c, 10), inOf[T](c, 11), inOf[T](c, 12)
	work := workingOf[T](c)
	x := timeMajor(&l, reals[T](c.In[0]), work.take(l.layoutScratch()))
	dx := outOf[T](c, 0)
	if dx != nil && l.layout == 1 {
		dx = work.take(l.layoutScratch())
	}
	dz, prev := work.take(steps*h4), work.take(steps*h)
	eW, eR := examplesOf[T](c, &l, 7, 11, h4, l.k), examplesOf[T](c, &l, 8, 12, h4, h)
	eB, eP := examplesOf[T](c, &l, 9, -1, 2*h4, 1), examplesOf[T](c, &l, 10, -1, 3*h, 1)
	for dir := range l.d {
		timesR, done := stepWeights[T](c, &l, 2, dir, 0, h4, false)
		defer done()
		p := part(peep, l.d, dir)
		gd, cd := part(gates, l.d, dir), part(cells, l.d, dir)
		f, g, hh := acts[dir][0], acts[dir][1], acts[dir][2].unclipped()
		fused := lstmFused(p, f, g, hh, a.InputForget)
		first := initial(&l, c0, dir)
		dh, dc := initial(&l, dyh, dir), initial(&l, dyc, dir)
		before := func(t, n int) []T { // the cells before step t
			if at := l.before(dir, t, lens[n]); at >= 0 {
				return cd[(at*l.n+n)*h:][:h]
			}
			return first[n*h:][:h]
		}
		for i := range l.t {
			t := l.step(dir, l.t-1-i)
			zt := dz[t*l.n*h4:][:l.n*h4]
			c.Pool.For(l.n, rowGrain(h4), func(lo, hi int) {
				tmp := make([]T, h)
				for n := lo; n < hi; n++ {
					z := zt[n*h4:][:h4]
					if t >= lens[n] {
						clear(z)
						continue
					}
					hr := dh[n*h:][:h]
					if dy != nil {
						for j, v := range dy[l.yAt(t, dir, n):][:h] {
							hr[j] += v
						}
					}
					at := t*l.n + n
					row, cell, old, dcr := gd[at*h4:][:h4], cd[at*h:][:h], before(t, n), dc[n*h:][:h]
					if fused {
						kernel.LSTMGradF32(singles(z), singles(dcr), singles(hr), singles(row), singles(cell), singles(old))
					} else {
						lstmStepBack(row, cell, old, z, hr, dcr, p, tmp, f, g, hh, a.InputForget)
					}
					clear(hr)
				}
			})
			timesR(l.n, zt, h4, 1, dh, h)
		}
		putState(&l, outOf[T](c, 4), dh, dir)
		putState(&l, outOf[T](c, 5), dc, dir)
		weightGrads(c, &l, 4, dir, dz, x, dx, part(outOf[T](c, 1), l.d, dir))
		dr := part(outOf[T](c, 2), l.d, dir)
		if dr != nil || eR.wanted() {
			previous(&l, y, initial(&l, h0, dir), lens, dir, prev)
		}
		eW.outer(c, dir, dz, h4, 0, h4, x)
		eR.outer(c, dir, dz, h4, 0, h4, prev)
		eB.sums(dir, dz, h4, 0, h4)
		eB.sums(dir, dz, h4, h4, h4)
		if dr != nil {
			gemm(c.Pool, true, false, h4, h, steps, 1, dz, h4, prev, h, 0, dr, h)
		}
		if db := part(outOf[T](c, 3), l.d, dir); db != nil {
			columnSums(dz, db[:h4])
			copy(db[h4:], db[:h4])
		}
		if dp := part(outOf[T](c, 6), l.d, dir); dp != nil || eP.wanted() {
			sum := make([]float64, 3*h)
			for n := range l.n {
				own := make([]float64, 3*h)
				for t := range lens[n] {
					at := t*l.n + n
					z, cell, old := dz[at*h4:][:h4], cd[at*h:][:h], before(t, n)
					for j := range h {
						own[j] += float64(z[j]) * float64(old[j])
						own[h+j] += float64(z[h+j]) * float64(cell[j])
						own[2*h+j] += float64(z[2*h+j]) * float64(old[j])
					}
				}
				for j, v := range own {
					sum[j] += v
					if eP.wanted() {
						eP.grad[(n*l.d+dir)*3*h+j] = T(v)
					}
				}
			}
			for j := range dp {
				dp[j] = T(sum[j])
			}
		}
	}
	if out := outOf[T](c, 0); out != nil && l.layout == 1 {
		fromTimeMajor(&l, out, dx)
	}
	return nil
}

// lstmStepBack computes z, the gradients of the gates before activation, from the gradients dh and dc by the state after a step; dc
// becomes that by the cell before it. row are the gates after activation, cell and old the cells after and before the step.
func lstmStepBack[T real](row, cell, old, z, dh, dc, p, tmp []T, f, g, hh *gate[T], couple bool) {
	k := len(dh)
	gi, o, gf, gc := row[:k], row[k:2*k], row[2*k:3*k], row[3*k:]
	zi, zo, zf, zc := z[:k], z[k:2*k], z[2*k:3*k], z[3*k:]
	copy(tmp, cell)
	hh.apply(tmp)
	for j, v := range dh {
		zo[j] = v * tmp[j]
		zc[j] = v * o[j]
	}
	hh.derive(zc, tmp)
	f.derive(zo, o)
	for j := range dc {
		dc[j] += zc[j]
		if p != nil {
			dc[j] += zo[j] * p[k+j]
		}
		zi[j], zf[j], zc[j] = dc[j]*gc[j], dc[j]*old[j], dc[j]*gi[j]
	}
	if couple {
		for j := range zi {
			zi[j] -= zf[j]
		}
		clear(zf)
	} else {
		f.derive(zf, gf)
	}
	f.derive(zi, gi)
	g.derive(zc, gc)
	for j := range dc {
		dc[j] *= gf[j]
		if p != nil {
			dc[j] += zi[j]*p[j] + zf[j]*p[2*k+j]
		}
	}
}
