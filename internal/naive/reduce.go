package naive

import (
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	sum := func(x []float64) float64 {
		s := 0.0
		for _, v := range x {
			s += v
		}
		return s
	}
	each := func(f func(float64) float64) func(x []float64) float64 {
		return func(x []float64) float64 {
			s := 0.0
			for _, v := range x {
				s += f(v)
			}
			return s
		}
	}
	square := each(func(v float64) float64 { return v * v })
	register(map[string]operator{
		"ReduceSum":       reduce(sum),
		"ReduceMean":      reduce(func(x []float64) float64 { return sum(x) / float64(len(x)) }),
		"ReduceL1":        reduce(each(math.Abs)),
		"ReduceL2":        reduce(func(x []float64) float64 { return math.Sqrt(square(x)) }),
		"ReduceSumSquare": reduce(square),
		"ReduceLogSum":    reduce(func(x []float64) float64 { return math.Log(sum(x)) }),
		"ReduceLogSumExp": reduce(logSumExp),
		"ReduceProd": reduce(func(x []float64) float64 {
			p := 1.0
			for _, v := range x {
				p *= v
			}
			return p
		}),
		"ReduceMax": reduce(func(x []float64) float64 {
			m := -inf
			for _, v := range x {
				m = max(m, v)
			}
			return m
		}),
		"ReduceMin": reduce(func(x []float64) float64 {
			m := inf
			for _, v := range x {
				m = min(m, v)
			}
			return m
		}),
		"ArgMax": arg(func(a, best float64) bool { return a > best }),
		"ArgMin": arg(func(a, best float64) bool { return a < best }),
	})
}

func logSumExp(x []float64) float64 {
	m := -inf
	for _, v := range x {
		m = max(m, v)
	}
	if math.IsInf(m, 0) {
		return m
	}
	s := 0.0
	for _, v := range x {
		s += math.Exp(v - m)
	}
	return m + math.Log(s)
}

// reduce applies f to the elements that each output element is reduced from.
func reduce(f func(x []float64) float64) operator {
	return func(c *call) []*value {
		x := c.in[0]
		axes := axesOf(c.intsOf("axes", 1), len(x.shape))
		if len(axes) == 0 {
			if c.int("noop_with_empty_axes", 0) != 0 {
				return one(mapAll(x, func(v float64) float64 { return f([]float64{v}) }))
			}
			axes = nil
			for i := range x.shape {
				axes = append(axes, i)
			}
		}
		kept := slices.Clone(x.shape)
		var dropped []int
		for i, d := range x.shape {
			if slices.Contains(axes, i) {
				kept[i] = 1
			} else {
				dropped = append(dropped, d)
			}
		}
		groups := make([][]float64, size(kept))
		eachIndex(x.shape, func(idx []int, p int) {
			g := from(kept, idx)
			groups[g] = append(groups[g], x.at(p))
		})
		out := zeros(x.d, kept...)
		for g, v := range groups {
			y := f(v)
			if !x.isFloat() && math.IsInf(y, 0) {
				y = 0
			}
			out.set(g, y)
		}
		if c.int("keepdims", 1) == 0 {
			out = out.with(dropped...)
		}
		return one(out)
	}
}

func eachIndex(shape []int, f func(idx []int, p int)) { each(shape, f) }

func mapAll(x *value, f func(float64) float64) *value {
	out := zeros(x.d, x.shape...)
	for k := range x.len() {
		out.set(k, f(x.at(k)))
	}
	return out
}

func arg(better func(a, best float64) bool) operator {
	return func(c *call) []*value {
		x := c.in[0]
		a := axisOf(c.int("axis", 0), len(x.shape))
		last := c.int("select_last_index", 0) != 0
		shape := slices.Clone(x.shape)
		shape[a] = 1
		out := zeros(tensor.Int64, shape...)
		k := 0
		lines(x.shape, a, func(start, step int) {
			best := 0
			for i := range x.shape[a] {
				v, b := x.at(start+i*step), x.at(start+best*step)
				if better(v, b) || last && v == b {
					best = i
				}
			}
			out.i[k] = int64(best)
			k++
		})
		if c.int("keepdims", 1) == 0 {
			out = out.with(slices.Delete(shape, a, a+1)...)
		}
		return one(out)
	}
}
