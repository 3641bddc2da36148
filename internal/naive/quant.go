package naive

import (
	"math"

	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	register(map[string]operator{
		"QuantizeLinear": func(c *call) []*value {
			d := tensor.DType(c.int("output_dtype", int(tensor.Uint8)))
			var zero *value
			if c.has(2) {
				zero, d = c.in[2], c.in[2].d
			}
			return one(c.quantize(c.in[0], c.in[1], zero, d))
		},
		"DequantizeLinear": func(c *call) []*value {
			var zero *value
			if c.has(2) {
				zero = c.in[2]
			}
			return one(c.steps(c.in[0], c.in[1], zero))
		},
		"gtk.QuantisedAdd": func(c *call) []*value { return one(c.pairs(func(a, b float64) float64 { return a + b })) },
		"gtk.QuantisedMul": func(c *call) []*value { return one(c.pairs(func(a, b float64) float64 { return a * b })) },
		"gtk.QuantisedSoftmax": func(c *call) []*value {
			sub := *c
			sub.opset, sub.in = 13, []*value{c.steps(c.in[0], c.in[1], c.in[2])}
			y := operators["Softmax"](&sub)[0]
			for k := range y.f {
				y.f[k] *= math.Floor(1 / c.in[3].f[0])
			}
			return one(c.quantize(y, &value{d: tensor.Float32, shape: []int{}, f: []float64{1}}, c.in[4], c.in[0].d))
		},
		"gtk.FakeQuantize": func(c *call) []*value {
			var zero *value
			if c.has(2) {
				zero = c.in[2]
			}
			return one(c.steps(c.quantize(c.in[0], c.in[1], zero, tensor.DType(c.int("to", 0))), c.in[1], zero))
		},
		"gtk.FakeQuantizeGrad": func(c *call) []*value {
			d := tensor.DType(c.int("to", 0))
			out := zeros(tensor.Float32, c.in[0].shape...)
			var zero *value
			if c.has(2) {
				zero = c.in[2]
			}
			kept := c.quantize(c.in[0], c.in[1], zero, d)
			each(out.shape, func(idx []int, p int) {
				k, z := c.grid(c.in[0], c.in[1], idx), 0.0
				if zero != nil {
					z = zero.at(k)
				}
				q := c.in[0].at(p)/c.in[1].at(k) + z
				// Saturation takes off more than rounding does.
				step := 0.5
				if d.IsFloat() {
					step = math.Abs(q) / 16
				}
				if math.Abs(q-kept.at(p)) <= step {
					out.f[p] = c.in[3].at(p)
				}
			})
			return one(out)
		},
		"DynamicQuantizeLinear": func(c *call) []*value {
			lo, hi := 0.0, 0.0
			for _, x := range c.in[0].f {
				lo, hi = math.Min(lo, x), math.Max(hi, x)
			}
			scale := &value{d: tensor.Float32, shape: []int{}, f: []float64{(hi - lo) / 255}}
			zero := &value{d: tensor.Uint8, shape: []int{}, i: []int64{int64(math.RoundToEven(-lo / scale.f[0]))}}
			return []*value{c.quantize(c.in[0], scale, zero, tensor.Uint8), scale, zero}
		},
		"MatMulInteger": func(c *call) []*value {
			return one(integers(matMul(c.levels(0, 2, -2), c.levels(1, 3, -1))))
		},
		"ConvInteger": func(c *call) []*value {
			sub := *c
			sub.in = []*value{c.levels(0, 2, 1), c.levels(1, 3, 0)}
			return one(integers(conv(&sub)[0]))
		},
		"QLinearMatMul": func(c *call) []*value {
			y := matMul(scaledBy(c.levels(0, 2, -2), c.in[1], -2), scaledBy(c.levels(3, 5, -1), c.in[4], -1))
			return one(c.quantize(y, c.in[6], c.in[7], c.in[7].d))
		},
		"QLinearConv": func(c *call) []*value {
			sub := *c
			sub.in = []*value{scaledBy(c.levels(0, 2, 1), c.in[1], 1), scaledBy(c.levels(3, 5, 0), c.in[4], 0)}
			if c.has(8) {
				bias := zeros(tensor.Float64, c.in[8].shape...)
				for k := range bias.f {
					bias.f[k] = c.in[8].at(k) * c.in[1].at(0) * c.in[4].at(min(k, c.in[4].len()-1))
				}
				sub.in = append(sub.in, bias)
			}
			return one(c.quantize(conv(&sub)[0], c.in[6], c.in[7], c.in[7].d))
		},
	})
}

// grid is the position, among scales of a shape, of the scale of the element idx.
func (c *call) grid(x, scale *value, idx []int) int {
	if scale.len() == 1 {
		return 0
	}
	a := axisOf(c.int("axis", 1), len(x.shape))
	if len(scale.shape) == 1 && c.int("block_size", 0) == 0 {
		return idx[a]
	}
	at := append([]int{}, idx...)
	at[a] /= c.int("block_size", 0)
	return pos(scale.shape, at)
}

// quantize is x / scale + zero, rounded to the type d.
func (c *call) quantize(x, scale, zero *value, d tensor.DType) *value {
	out := zeros(d, x.shape...)
	each(x.shape, func(idx []int, p int) {
		k := c.grid(x, scale, idx)
		z := 0.0
		if zero != nil {
			z = zero.at(k)
		}
		q := float64(float32(x.at(p)) / float32(scale.at(k))) // the type of the scale is that of the division
		if d.IsFloat() {
			r := cast(&value{d: tensor.Float64, shape: []int{}, f: []float64{q + z}}, d, c.int("saturate", 1) != 0)
			out.f[p] = r.f[0]
			return
		}
		n := uint(d.Bits())
		lo, hi := 0.0, float64(int64(1)<<n-1)
		switch d {
		case tensor.Int8, tensor.Int16, tensor.Int4, tensor.Int2:
			lo, hi = -float64(int64(1)<<(n-1)), float64(int64(1)<<(n-1)-1)
		}
		out.set(p, math.Min(math.Max(math.RoundToEven(q)+z, lo), hi))
	})
	return out
}

// steps is (x − zero)·scale.
func (c *call) steps(x, scale, zero *value) *value {
	out := zeros(tensor.Float32, x.shape...)
	each(x.shape, func(idx []int, p int) {
		k := c.grid(x, scale, idx)
		z := 0.0
		if zero != nil {
			z = zero.at(k)
		}
		out.f[p] = (x.at(p) - z) * scale.at(k)
	})
	return out
}

// levels is input i, its zero points in input z taken off: one, or one for each place along the axis, which may count from the end.
func (c *call) levels(i, z, axis int) *value {
	x := c.in[i]
	out := zeros(tensor.Float64, x.shape...)
	each(x.shape, func(idx []int, p int) {
		out.f[p] = x.at(p)
		if c.has(z) {
			out.f[p] -= lineOf(c.in[z], x.shape, idx, axis)
		}
	})
	return out
}

// scaledBy is x times the scale, or that of each place along the axis.
func scaledBy(x, scale *value, axis int) *value {
	out := zeros(tensor.Float64, x.shape...)
	each(x.shape, func(idx []int, p int) { out.f[p] = x.f[p] * lineOf(scale, x.shape, idx, axis) })
	return out
}

// lineOf is the number of v for the element idx: one for all, one for each place along the axis, or, of the rank of the tensor, also for
// each of its matrices.
func lineOf(v *value, shape, idx []int, axis int) float64 {
	if v.len() == 1 {
		return v.at(0)
	}
	a := axis
	if a < 0 {
		a += len(shape)
	}
	if len(v.shape) == 1 {
		return v.at(idx[a])
	}
	at := append([]int{}, idx...)
	at[2*len(shape)-3-a] = 0 // the other axis of the matrix
	return v.at(pos(v.shape, at))
}

// integers is v in int32, which wraps around.
func integers(v *value) *value {
	out := zeros(tensor.Int32, v.shape...)
	for k, x := range v.f {
		out.i[k] = int64(int32(int64(x)))
	}
	return out
}

// pairs is f of the numbers that inputs 0 and 3 stand for, the zero point of the result added before it is rounded.
func (c *call) pairs(f func(a, b float64) float64) *value {
	x, y := c.steps(c.in[0], c.in[1], c.in[2]), c.steps(c.in[3], c.in[4], c.in[5])
	out := zeros(c.in[0].d, broadcastShape(x.shape, y.shape)...)
	lo, hi := 0.0, 255.0
	if out.d == tensor.Int8 {
		lo, hi = -128, 127
	}
	each(out.shape, func(idx []int, p int) {
		v := f(x.at(from(x.shape, idx)), y.at(from(y.shape, idx)))/c.in[6].f[0] + c.in[7].at(0)
		out.set(p, math.Min(math.Max(math.RoundToEven(v), lo), hi))
	})
	return out
}
