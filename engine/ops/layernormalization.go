package ops

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// LayerNormalization is Y = (X - mean)/√(variance + epsilon)·Scale + B, mean and variance over axis and all that follow. The other
// outputs are the mean and the inverse deviation.
//
// Source: https://onnx.ai/onnx/operators/onnx__LayerNormalization.html. Deviation: the statistics are always computed in float64 and
// kept in the type of X (stash_type 1, the default, is float32).
var LayerNormalization = new(graph.Spec)

// LayerNormGrad is the gradient of LayerNormalization and, with rms, of RMSNormalization: inputs X, Scale, mean (none with rms), inverse
// deviation, dY, and B for its shape; outputs dX, dScale and dB.
var LayerNormGrad = new(graph.Spec)

type layerNormAttrs struct {
	Axis    int     `onnx:"axis,default=-1"`
	Epsilon float32 `onnx:"epsilon,default=1e-5"`
	Stash   int     `onnx:"stash_type,default=1"`
}

type layerNormGradAttrs struct {
	Axis    int     `onnx:"axis,default=-1"`
	Epsilon float32 `onnx:"epsilon,default=1e-5"`
	RMS     bool    `onnx:"rms,default=0"`
}

func init() {
	define(LayerNormalization, graph.Def[layerNormAttrs]{
		Name: "LayerNormalization", Role: graph.Normalisation, Since: []int{17},
		Doc: "https://onnx.ai/onnx/operators/onnx__LayerNormalization.html",
		In: []graph.Formal{
			{Name: "X", Types: floats}, {Name: "Scale", Types: floats, Weight: true},
			{Name: "B", Types: floats, Optional: true, Weight: true},
		},
		Out:     []graph.Formal{{Name: "Y"}, {Name: "Mean", Optional: true}, {Name: "InvStdDev", Optional: true}},
		InPlace: [][2]int{{0, 0}}, Types: sameOperands[layerNormAttrs],
		Infer: func(a *layerNormAttrs, c *graph.InferCtx) error { return inferLayerNorm(c, a.Axis) },
		Run: func(a *layerNormAttrs, c *graph.RunCtx) error {
			return runLayerNorm(c, a.Axis, a.Epsilon, false)
		},
		Grad: func(a *layerNormAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			mean, inv := b.ExtraOutput(n, 1), b.ExtraOutput(n, 2)
			dx := make([]graph.Value, n.NumIn)
			if dy[0] != 0 {
				k := &layerNormGradAttrs{Axis: a.Axis, Epsilon: a.Epsilon}
				in := []graph.Value{n.In[0], n.In[1], mean, inv, dy[0], input(n, 2)}
				g := b.AddNode("", LayerNormGrad, k, in, []bool{need[0], need[1], len(need) > 2 && need[2]})
				if g == nil {
					return nil, b.Err()
				}
				copy(dx, g.Out)
			}
			if need[0] {
				for i, d := range dy[1:] {
					if d != 0 {
						dx[0] = add(b, dx[0], gradStatistic(a, b, n.In[0], mean, inv, d, i == 1))
					}
				}
			}
			return dx, nil
		},
		PerExample: func(_ *layerNormAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, in int) (graph.PerExample, error) {
			switch in {
			case 1:
				xhat := mul(b, sub(b, n.In[0], b.ExtraOutput(n, 1)), b.ExtraOutput(n, 2))
				return perExampleBroadcast(b, mul(b, dy[0], xhat), n.In[1]), nil
			case 2:
				return perExampleBroadcast(b, dy[0], n.In[2]), nil
			}
			return graph.PerExample{}, graph.ErrNoGradient
		},
	})
	define(LayerNormGrad, graph.Def[layerNormGradAttrs]{
		Domain: Private, Name: "LayerNormGrad", Since: []int{1}, Doc: "gradient of LayerNormalization",
		In: []graph.Formal{
			{Name: "X", Types: floats}, {Name: "Scale", Types: floats}, {Name: "mean", Types: floats, Optional: true, NoGrad: true},
			{Name: "inv_std", Types: floats, NoGrad: true}, {Name: "dY", Types: floats}, {Name: "B", Optional: true, NoGrad: true, Shape: true},
		},
		Out: []graph.Formal{{Name: "dX", Optional: true}, {Name: "dScale", Optional: true}, {Name: "dB", Optional: true}},
		Infer: func(_ *layerNormGradAttrs, c *graph.InferCtx) error {
			c.Out(0, c.Shape(0)...)
			c.Out(1, c.Shape(1)...)
			if c.Has(5) {
				c.Out(2, c.Shape(5)...)
			}
			return nil
		},
		Run: func(a *layerNormGradAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				return layerNormGrad[float64](a, c)
			}
			return layerNormGrad[float32](a, c)
		},
		Lower: lowerLayerNormGrad,
	})
}

// gradStatistic is the gradient by X through the mean or the inverse deviation inv, of which d is the gradient: d/n, or -d·inv³·(X -
// mean)/n, with n elements in a row.
func gradStatistic(a *layerNormAttrs, b *graph.Builder, x, mean, inv, d graph.Value, deviation bool) graph.Value {
	flat := func(v graph.Value) graph.Value { return b.Add(Flatten, &flattenAttrs{Axis: a.Axis}, v) }
	rows := flat(x)
	spread := func(v graph.Value) graph.Value {
		return b.Add(ReduceBack, &reduceBackAttrs{Axes: []int{1}, KeepDims: true, Mean: true}, flat(v), rows)
	}
	if !deviation {
		return b.Add(ReshapeLike, nil, spread(d), x)
	}
	g := spread(mul(b, d, mul(b, inv, square(b, inv))))
	return neg(b, b.Add(ReshapeLike, nil, mul(b, g, sub(b, rows, flat(mean))), x))
}

// inferLayerNorm is the shape rule of both normalisations; the statistics, outputs 1 and 2, have 1 for the normalised axes.
func inferLayerNorm(c *graph.InferCtx, at int) error {
	s := c.Shape(0)
	k, err := axis(at, len(s))
	if err != nil {
		return err
	}
	for i := 1; i < 3; i++ {
		if !c.Has(i) {
			continue
		}
		if t, err := broadcast(s, c.Shape(i)); err != nil || !t.Equal(s) {
			return fmt.Errorf("input %d of shape %v does not broadcast to X of shape %v", i, c.Shape(i), s)
		}
	}
	c.Out(0, s...)
	stat := slices.Clone(s)
	for i := k; i < len(stat); i++ {
		stat[i] = 1
	}
	c.Out(1, stat...)
	c.Out(2, stat...)
	return nil
}

func runLayerNorm(c *graph.RunCtx, at int, eps float32, rms bool) error {
	if c.In[0].DType() == tensor.Float64 {
		return layerNorm[float64](c, at, eps, rms)
	}
	return layerNorm[float32](c, at, eps, rms)
}

// spans reports whether w is absent or has one number for each of the n elements that are normalised together, s being X's shape
// and k the axis.
func spans(w *tensor.Tensor, s tensor.Shape, k int) bool {
	if w == nil {
		return true
	}
	t, want := w.Shape(), s[k:]
	return w.Len() == product(want) && (len(t) <= len(want) || product(t[:len(t)-len(want)]) == 1)
}

// normWeights are the n numbers of w, one number standing for all; nil for none.
func normWeights[T floatElem](w *tensor.Tensor, n int) []T {
	if w == nil {
		return nil
	}
	t := tensor.Data[T](w)
	if len(t) == 1 {
		return slices.Repeat(t, n)
	}
	return t
}

func layerNorm[T floatElem](c *graph.RunCtx, at int, eps float32, rms bool) error {
	s := c.In[0].Shape()
	k, err := axis(at, len(s))
	if err != nil {
		return err
	}
	rows, n := product(s[:k]), product(s[k:])
	w, b := c.In[1], operand(c, 2)
	stat := func(i int) []T {
		if i < len(c.Out) && c.Want(i) {
			return tensor.Data[T](c.Out[i])
		}
		return nil
	}
	y, x := tensor.Data[T](c.Out[0]), tensor.Data[T](c.In[0])
	mean, inv := stat(1), stat(2)
	if rms {
		mean, inv = nil, stat(1)
	}
	if (w.Rank() == 0 || spans(w, s, k)) && spans(b, s, k) {
		kernel.LayerNorm(c.Pool, y, mean, inv, x, normWeights[T](w, n), normWeights[T](b, n), rows, n, float64(eps), rms)
		return nil
	}
	kernel.LayerNorm(c.Pool, y, mean, inv, x, nil, nil, rows, n, float64(eps), rms)
	if err := binaryInto(kindMul, c, c.Out[0], c.Out[0], s, w, w.Shape()); err != nil || b == nil {
		return err
	}
	return binaryInto(kindAdd, c, c.Out[0], c.Out[0], s, b, b.Shape())
}

func layerNormGrad[T floatElem](a *layerNormGradAttrs, c *graph.RunCtx) error {
	xt, wt, dyt := c.In[0], c.In[1], c.In[4]
	s := xt.Shape()
	k, err := axis(a.Axis, len(s))
	if err != nil {
		return err
	}
	rows, n := product(s[:k]), product(s[k:])
	out := func(i int) []T {
		if c.Want(i) {
			return tensor.Data[T](c.Out[i])
		}
		return nil
	}
	var mean []T
	if c.Has(2) {
		mean = tensor.Data[T](c.In[2])
	}
	inv := tensor.Data[T](c.In[3])
	x, dy := tensor.Data[T](xt), tensor.Data[T](dyt)
	if (spans(wt, s, k) || wt.Rank() == 0 && !c.Want(1)) && (!c.Want(2) || spans(c.Out[2], s, k)) {
		kernel.LayerNormGrad(c.Pool, out(0), out(1), out(2), x, dy, normWeights[T](wt, n), mean, inv, rows, n, a.RMS)
		return nil
	}
	// Scale or B broadcasts: dX from dY·Scale, the others by summing over what they were broadcast along.
	tmp := tensor.New(xt.DType(), s...)
	if c.Want(0) {
		if err := binaryInto(kindMul, c, tmp, dyt, s, wt, wt.Shape()); err != nil {
			return err
		}
		kernel.LayerNormGrad(c.Pool, out(0), nil, nil, x, tensor.Data[T](tmp), nil, mean, inv, rows, n, a.RMS)
	}
	if c.Want(1) {
		t := tensor.Data[T](tmp)
		for i := range t {
			m := T(0)
			if mean != nil {
				m = mean[i/n]
			}
			t[i] = dy[i] * (x[i] - m) * inv[i/n]
		}
		if err := sumInto(c, c.Out[1], tmp); err != nil {
			return err
		}
	}
	if c.Want(2) {
		return sumInto(c, c.Out[2], dyt)
	}
	return nil
}

// lowerLayerNormGrad works on X as a matrix, whose rows are normalised.
func lowerLayerNormGrad(a *layerNormGradAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	x, w, dy := n.In[0], n.In[1], n.In[4]
	flat := func(v graph.Value) graph.Value { return b.Add(Flatten, &flattenAttrs{Axis: a.Axis}, v) }
	back := func(v graph.Value) graph.Value { return b.Add(ReshapeLike, nil, v, x) }
	mean := func(v graph.Value) graph.Value { return b.Add(ReduceMean, KeepDims(true), v, b.Ints(1)) }
	centred := flat(x)
	if !a.RMS {
		centred = sub(b, centred, mean(centred))
	}
	variance := mean(square(b, centred))
	inv := b.Add(Reciprocal, nil, b.Add(Sqrt, nil, add(b, variance, b.Scalar(b.DType(x), float64(a.Epsilon)))))
	xhat := mul(b, centred, inv)
	g := flat(mul(b, dy, w))
	inner := sub(b, g, mul(b, xhat, mean(mul(b, g, xhat))))
	if !a.RMS {
		inner = sub(b, inner, mean(g))
	}
	out := make([]graph.Value, 3)
	out[0] = back(mul(b, inner, inv))
	out[1] = sumLike(b, mul(b, dy, back(xhat)), w)
	if bias := input(n, 5); bias != 0 {
		out[2] = sumLike(b, dy, bias)
	}
	return out, nil
}
