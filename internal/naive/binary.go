package naive

import (
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	register(map[string]operator{
		"Add": arithmetic(func(a, b float64) float64 { return a + b }, func(a, b int64) int64 { return a + b }),
		"Sub": arithmetic(func(a, b float64) float64 { return a - b }, func(a, b int64) int64 { return a - b }),
		"Mul": arithmetic(func(a, b float64) float64 { return a * b }, func(a, b int64) int64 { return a * b }),
		"Div": func(c *call) []*value {
			u := c.in[0].d == tensor.Uint64
			return arithmetic(func(a, b float64) float64 { return a / b }, func(a, b int64) int64 {
				if u {
					return int64(uint64(a) / uint64(b))
				}
				return a / b
			})(c)
		},
		"Pow": pow,
		"Mod": mod,
		"PRelu": func(c *call) []*value {
			x, slope := c.in[0], c.in[1]
			if c.opset < 7 && slope.len() > 1 { // one for each channel
				slope = slope.with(append([]int{slope.len()}, ones(nil, len(x.shape)-2)...)...)
			}
			return one(zip(x.d, x, slope, leaky))
		},

		"Equal":          equal,
		"Greater":        compare(func(a, b float64) bool { return a > b }),
		"GreaterOrEqual": compare(func(a, b float64) bool { return a >= b }),
		"Less":           compare(func(a, b float64) bool { return a < b }),
		"LessOrEqual":    compare(func(a, b float64) bool { return a <= b }),
		"And":            compare(func(a, b float64) bool { return a != 0 && b != 0 }),
		"Or":             compare(func(a, b float64) bool { return a != 0 || b != 0 }),
		"Xor":            compare(func(a, b float64) bool { return a != b }),
		"BitwiseAnd":     arithmetic(nil, func(a, b int64) int64 { return a & b }),
		"BitwiseOr":      arithmetic(nil, func(a, b int64) int64 { return a | b }),
		"BitwiseXor":     arithmetic(nil, func(a, b int64) int64 { return a ^ b }),
		"BitwiseNot":     func(c *call) []*value { return one(mapInt(c.in[0], func(x int64) int64 { return ^x })) },

		"Max": variadic(func(a, b float64) float64 { return max(a, b) }),
		"Min": variadic(func(a, b float64) float64 { return min(a, b) }),
		"Sum": variadic(func(a, b float64) float64 { return a + b }),
		"Mean": func(c *call) []*value {
			s := variadic(func(a, b float64) float64 { return a + b })(c)[0]
			return one(mapFloat(s, func(x float64) float64 { return x / float64(len(c.in)) }))
		},
		"Where": where,
	})
}

// broadcastShape follows https://onnx.ai/onnx/repo-docs/Broadcasting.html (multidirectional).
func broadcastShape(shapes ...[]int) []int {
	r := 0
	for _, s := range shapes {
		r = max(r, len(s))
	}
	out := make([]int, r)
	for i := range out {
		out[i] = 1
		for _, s := range shapes {
			k := i - (r - len(s))
			if k < 0 || s[k] == 1 {
				continue
			}
			if out[i] != 1 && out[i] != s[k] {
				fail("shapes %v do not broadcast", shapes)
			}
			out[i] = s[k]
		}
	}
	return out
}

// from is the position in an operand of shape s of element idx of the shape that it is broadcast to.
func from(s, idx []int) int {
	p := 0
	for k, d := range s {
		i := idx[len(idx)-len(s)+k]
		if d == 1 {
			i = 0
		}
		p = p*d + i
	}
	return p
}

// align gives B the trailing axes that the attributes broadcast and axis of versions before 7 mean.
func align(c *call) (a, b *value) {
	a, b = c.in[0], c.in[1]
	if c.opset >= 7 || c.int("broadcast", 0) == 0 {
		return a, b
	}
	at := c.int("axis", len(a.shape)-len(b.shape))
	if at < 0 {
		at += len(a.shape)
	}
	shape := slices.Clone(b.shape)
	for len(shape) < len(a.shape)-at {
		shape = append(shape, 1)
	}
	return a, b.with(shape...)
}

func zip(d tensor.DType, a, b *value, f func(x, y float64) float64) *value {
	out := zeros(d, broadcastShape(a.shape, b.shape)...)
	each(out.shape, func(idx []int, p int) {
		out.set(p, f(a.at(from(a.shape, idx)), b.at(from(b.shape, idx))))
	})
	return out
}

func arithmetic(f func(a, b float64) float64, g func(a, b int64) int64) operator {
	return func(c *call) []*value {
		a, b := align(c)
		if a.isFloat() {
			return one(zip(a.d, a, b, f))
		}
		out := zeros(a.d, broadcastShape(a.shape, b.shape)...)
		each(out.shape, func(idx []int, p int) {
			out.i[p] = wrap(a.d, g(a.i[from(a.shape, idx)], b.i[from(b.shape, idx)]))
		})
		return one(out)
	}
}

func compare(f func(a, b float64) bool) operator {
	return func(c *call) []*value {
		a, b := align(c)
		return one(zip(tensor.Bool, a, b, func(x, y float64) float64 { return float64(b2i(f(x, y))) }))
	}
}

func equal(c *call) []*value {
	a, b := align(c)
	out := zeros(tensor.Bool, broadcastShape(a.shape, b.shape)...)
	each(out.shape, func(idx []int, p int) {
		i, j := from(a.shape, idx), from(b.shape, idx)
		switch {
		case a.s != nil:
			out.i[p] = b2i(a.s[i] == b.s[j])
		case a.f != nil:
			out.i[p] = b2i(a.f[i] == b.f[j])
		default:
			out.i[p] = b2i(a.i[i] == b.i[j])
		}
	})
	return one(out)
}

func pow(c *call) []*value {
	a, b := align(c)
	if a.isFloat() || b.isFloat() {
		return one(zip(a.d, a, b, math.Pow))
	}
	return one(zip(a.d, a, b, func(x, y float64) float64 {
		r := int64(1)
		for range int(y) {
			r *= int64(x)
		}
		return float64(r)
	}))
}

// mod has the sign of the divisor, or with fmod that of the dividend.
func mod(c *call) []*value {
	fmod := c.int("fmod", 0) != 0
	return arithmetic(func(a, b float64) float64 {
		m := math.Mod(a, b)
		if !fmod && m != 0 && (m < 0) != (b < 0) {
			m += b
		}
		return m
	}, func(a, b int64) int64 {
		m := a % b
		if !fmod && m != 0 && (m < 0) != (b < 0) {
			m += b
		}
		return m
	})(c)
}

func variadic(f func(a, b float64) float64) operator {
	return func(c *call) []*value {
		acc := c.in[0]
		for _, v := range c.in[1:] {
			acc = zip(acc.d, acc, v, f)
		}
		return one(acc)
	}
}

func where(c *call) []*value {
	k, x, y := c.in[0], c.in[1], c.in[2]
	out := zeros(x.d, broadcastShape(k.shape, x.shape, y.shape)...)
	each(out.shape, func(idx []int, p int) {
		if k.i[from(k.shape, idx)] != 0 {
			out.copy(p, x, from(x.shape, idx))
		} else {
			out.copy(p, y, from(y.shape, idx))
		}
	})
	return one(out)
}
