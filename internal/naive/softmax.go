package naive

import (
	"math"
	"slices"
)

func init() {
	register(map[string]operator{
		"Softmax": soft(func(x []float64) []float64 {
			l := logSumExp(x)
			return mapped(x, func(v float64) float64 { return math.Exp(v - l) })
		}),
		"LogSoftmax": soft(logSoftmax),
		"Hardmax": soft(func(x []float64) []float64 {
			y := make([]float64, len(x))
			best := 0
			for i, v := range x {
				if v > x[best] {
					best = i
				}
			}
			y[best] = 1
			return y
		}),
		"NegativeLogLikelihoodLoss": func(c *call) []*value { return one(nll(c, c.in[0])) },
		"SoftmaxCrossEntropyLoss": func(c *call) []*value {
			lp := along(c.in[0], 1, logSoftmax)
			return []*value{nll(c, lp), lp}
		},
	})
}

func mapped(x []float64, f func(float64) float64) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = f(v)
	}
	return y
}

func logSoftmax(x []float64) []float64 {
	l := logSumExp(x)
	return mapped(x, func(v float64) float64 { return v - l })
}

// along applies f to every line of x along an axis.
func along(x *value, axis int, f func([]float64) []float64) *value {
	y := zeros(x.d, x.shape...)
	lines(x.shape, axis, func(start, step int) {
		l := make([]float64, x.shape[axis])
		for i := range l {
			l[i] = x.f[start+i*step]
		}
		for i, v := range f(l) {
			y.f[start+i*step] = v
		}
	})
	return y
}

// soft works along one axis since version 13; before, on the matrix that Flatten at the axis gives.
func soft(f func([]float64) []float64) operator {
	return func(c *call) []*value {
		x := c.in[0]
		if c.opset >= 13 {
			return one(along(x, axisOf(c.int("axis", -1), len(x.shape)), f))
		}
		a := axisOf(c.int("axis", 1), len(x.shape))
		return one(along(x.with(size(x.shape[:a]), size(x.shape[a:])), 1, f).with(x.shape...))
	}
}

// nll is the loss of lp [N,C,...] by target [N,...] and weight [C].
func nll(c *call, lp *value) *value {
	target := c.in[1]
	ignore, ignores := c.int("ignore_index", 0), c.hasAttr("ignore_index")
	loss := zeros(lp.d, target.shape...)
	sum, weights := 0.0, 0.0
	each(target.shape, func(idx []int, p int) {
		t := int(target.i[p])
		if ignores && t == ignore {
			return
		}
		w := 1.0
		if c.has(2) {
			w = c.in[2].f[t]
		}
		loss.f[p] = -w * lp.f[pos(lp.shape, slices.Concat(idx[:1], []int{t}, idx[1:]))]
		sum += loss.f[p]
		weights += w
	})
	switch r := c.str("reduction", "mean"); r {
	case "none":
		return loss
	case "sum":
		return &value{d: lp.d, f: []float64{sum}}
	case "mean":
		return &value{d: lp.d, f: []float64{sum / weights}}
	default:
		fail("reduction %q", r)
	}
	return nil
}
