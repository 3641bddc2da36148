package ops

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// RNN runs H' = f(X·Wᵀ + H·Rᵀ + b) over X [T,N,I] (layout 1: [N,T,I]). Steps beyond the length of a sequence give 0 and keep its
// state. clip bounds the input of the activation.
//
// Source: https://onnx.ai/onnx/operators/onnx__RNN.html. Deviation: activations that fall (negative alpha) are refused.
var RNN = new(graph.Spec)

// RNNGrad is the gradient of RNN. Inputs X, W, R, sequence_lens, initial_h, Y, dY, dY_h, B; outputs dX, dW, dR, dB,
// dinitial_h. Its own gradient is that of its lowering, which Y follows from.
var RNNGrad = new(graph.Spec)

func init() {
	define(RNN, graph.Def[recurrentAttrs]{
		Name: "RNN", Role: graph.Recurrent, Since: []int{1, 7, 14, 22}, Doc: "https://onnx.ai/onnx/operators/onnx__RNN.html",
		In:  recurrentInputs(),
		Out: []graph.Formal{{Name: "Y", Optional: true}, {Name: "Y_h", Optional: true}},
		Infer: func(a *recurrentAttrs, c *graph.InferCtx) error {
			l, err := recurrentDims(a, 1, c.Shape(0), c.Shape(1), c.Shape(2))
			if err != nil {
				return err
			}
			if err := l.check(c, 1, 3, 1); err != nil {
				return err
			}
			if _, err := gatesOf[float32](a, l.d, "Tanh"); err != nil {
				return err
			}
			c.Out(0, l.yShape()...)
			c.Out(1, l.stateShape()...)
			c.Scratch(c.DType(0).Size(l.layoutScratch() + l.t*l.n*l.h))
			return nil
		},
		Run: func(a *recurrentAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				return runRNN[float64](a, c)
			}
			return runRNN[float32](a, c)
		},
		Lower: lowerRNN,
		Grad: func(a *recurrentAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			return gradOutputs(b, RNNGrad, a, n, rnnGradInputs(b, n, dy), recurrentGradAt, need)
		},
		PerExample: func(a *recurrentAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, in int) (graph.PerExample, error) {
			if in < 1 || in > 3 {
				return graph.PerExample{}, graph.ErrNoGradient
			}
			return recurrentPerExample(b, RNNGrad, a, rnnGradInputs(b, n, dy), 5, in-1, 3)
		},
	})
	define(RNNGrad, graph.Def[recurrentAttrs]{
		Domain: Private, Name: "RNNGrad", Since: []int{1}, Doc: "gradient of RNN",
		In: slices.Concat(recurrentGradInputs(), recurrentOptional("dY", "dY_h", "B")), Out: recurrentGradOutputs(),
		Infer: func(a *recurrentAttrs, c *graph.InferCtx) error {
			l, err := inferRecurrentGrad(a, 1, c)
			c.Scratch(c.DType(0).Size(2*l.t*l.n*l.h + 2*l.layoutScratch()))
			return err
		},
		Run: func(a *recurrentAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				return runRNNGrad[float64](a, c)
			}
			return runRNNGrad[float32](a, c)
		},
		Lower: func(a *recurrentAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			in := []graph.Value{n.In[0], n.In[1], n.In[2], input(n, 8), input(n, 3), input(n, 4)}
			return lowerRecurrentGrad(RNN, a, b, n, in, []graph.Value{input(n, 6), input(n, 7)}, recurrentGradAt)
		},
	})
}

// rnnGradInputs are the inputs of the gradient of the RNN n.
func rnnGradInputs(b *graph.Builder, n *graph.Node, dy []graph.Value) []graph.Value {
	in := []graph.Value{n.In[0], n.In[1], n.In[2], input(n, 4), input(n, 5), b.ExtraOutput(n, 0), 0, 0, input(n, 3)}
	copy(in[6:], dy[:min(len(dy), 2)])
	return in
}

func runRNN[T real](a *recurrentAttrs, c *graph.RunCtx) error {
	l, err := recurrentDims(a, 1, c.In[0].Shape(), c.In[1].Shape(), c.In[2].Shape())
	if err != nil {
		return err
	}
	lens, err := l.lengthsIn(c, 4)
	if err != nil {
		return err
	}
	acts, err := gatesOf[T](a, l.d, "Tanh")
	if err != nil {
		return err
	}
	h, size := l.h, l.n*l.h
	b, h0, y := inOf[T](c, 3), inOf[T](c, 5), outOf[T](c, 0)
	work := workingOf[T](c)
	x := timeMajor(&l, reals[T](c.In[0]), work.take(l.layoutScratch()))
	g := work.take(l.t * size)
	for dir := range l.d {
		timesR, done := stepWeights[T](c, &l, 2, dir, 0, h, true)
		defer done()
		inputGates(c, &l, 1, dir, x, bias(&l, b, 1, dir, false), g)
		hs := initial(&l, h0, dir)
		for i := range l.t {
			t := l.step(dir, i)
			gt := g[t*size:][:size]
			timesR(l.n, hs, h, 1, gt, h)
			acts[dir][0].apply(gt)
			for n := range l.n {
				if t < lens[n] {
					copy(hs[n*h:(n+1)*h], gt[n*h:])
				}
				if y != nil {
					out := y[l.yAt(t, dir, n):][:h]
					clear(out)
					if t < lens[n] {
						copy(out, hs[n*h:])
					}
				}
			}
		}
		putState(&l, outOf[T](c, 1), hs, dir)
	}
	return nil
}

func runRNNGrad[T real](a *recurrentAttrs, c *graph.RunCtx) error {
	l, err := recurrentDims(a, 1, c.In[0].Shape(), c.In[1].Shape(), c.In[2].Shape())
	if err != nil {
		return err
	}
	lens, err := l.lengthsIn(c, 3)
	if err != nil {
		return err
	}
	acts, err := gatesOf[T](a, l.d, "Tanh")
	if err != nil {
		return err
	}
	gemm, h, steps := gemmOf[T](), l.h, l.t*l.n
	h0, y := inOf[T](c, 4), inOf[T](c, 5)
	dy, dyh := inOf[T](c, 6), inOf[T](c, 7)
	work := workingOf[T](c)
	x := timeMajor(&l, reals[T](c.In[0]), work.take(l.layoutScratch()))
	dx := outOf[T](c, 0)
	if dx != nil && l.layout == 1 {
		dx = work.take(l.layoutScratch())
	}
	dz, prev := work.take(steps*h), work.take(steps*h)
	eW, eR := examplesOf[T](c, &l, 5, 8, h, l.k), examplesOf[T](c, &l, 6, 9, h, h)
	eB := examplesOf[T](c, &l, 7, -1, 2*h, 1)
	for dir := range l.d {
		timesR, done := stepWeights[T](c, &l, 2, dir, 0, h, false)
		defer done()
		dh := initial(&l, dyh, dir)
		for i := range l.t {
			t := l.step(dir, l.t-1-i)
			zt := dz[t*l.n*h:][:l.n*h]
			for n := range l.n {
				z, hr := zt[n*h:][:h], dh[n*h:][:h]
				if t >= lens[n] {
					clear(z)
					continue
				}
				copy(z, hr)
				clear(hr)
				if dy != nil {
					for j, v := range dy[l.yAt(t, dir, n):][:h] {
						z[j] += v
					}
				}
				acts[dir][0].derive(z, y[l.yAt(t, dir, n):][:h])
			}
			timesR(l.n, zt, h, 1, dh, h)
		}
		putState(&l, outOf[T](c, 4), dh, dir)
		weightGrads(c, &l, 1, dir, dz, x, dx, part(outOf[T](c, 1), l.d, dir))
		dr := part(outOf[T](c, 2), l.d, dir)
		if dr != nil || eR.wanted() {
			previous(&l, y, initial(&l, h0, dir), lens, dir, prev)
		}
		eW.outer(c, dir, dz, h, 0, h, x)
		eR.outer(c, dir, dz, h, 0, h, prev)
		eB.sums(dir, dz, h, 0, h)
		eB.sums(dir, dz, h, h, h)
		if dr != nil {
			gemm(c.Pool, true, false, h, h, steps, 1, dz, h, prev, h, 0, dr, h)
		}
		if db := part(outOf[T](c, 3), l.d, dir); db != nil {
			columnSums(dz, db[:h])
			copy(db[h:], db[:h])
		}
	}
	if out := outOf[T](c, 0); out != nil && l.layout == 1 {
		fromTimeMajor(&l, out, dx)
	}
	return nil
}
