package naive

import (
	"math"

	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	register(map[string]operator{
		"Identity": func(c *call) []*value { return one(c.in[0]) },
		"Not":      func(c *call) []*value { return one(mapInt(c.in[0], func(x int64) int64 { return 1 - x })) },
		"Abs": unary(func(*call) func(float64) float64 { return math.Abs }, func(x int64) int64 {
			if x < 0 {
				return -x
			}
			return x
		}),
		"Neg": unary(func(*call) func(float64) float64 { return func(x float64) float64 { return -x } }, func(x int64) int64 {
			return -x
		}),
		"Relu": unary(func(*call) func(float64) float64 { return relu }, func(x int64) int64 { return max(x, 0) }),
		"Sign": unary(func(*call) func(float64) float64 { return sign }, func(x int64) int64 { return int64(sign(float64(x))) }),

		"Exp": plain(math.Exp), "Log": plain(math.Log), "Sqrt": plain(math.Sqrt),
		"Erf": unary(func(*call) func(float64) float64 { return math.Erf }, func(x int64) int64 { return int64(math.Erf(float64(x))) }),
		"Sin": plain(math.Sin), "Cos": plain(math.Cos), "Tan": plain(math.Tan),
		"Asin": plain(math.Asin), "Acos": plain(math.Acos), "Atan": plain(math.Atan),
		"Sinh": plain(math.Sinh), "Cosh": plain(math.Cosh), "Tanh": plain(math.Tanh),
		"Asinh": plain(math.Asinh), "Acosh": plain(math.Acosh), "Atanh": plain(math.Atanh),
		"Floor": plain(math.Floor), "Ceil": plain(math.Ceil), "Round": plain(math.RoundToEven),
		"Reciprocal": plain(func(x float64) float64 { return 1 / x }),
		"Sigmoid":    plain(sigmoid), "Softplus": plain(softplus),
		"Softsign":  plain(func(x float64) float64 { return x / (1 + math.Abs(x)) }),
		"Mish":      plain(func(x float64) float64 { return x * math.Tanh(softplus(x)) }),
		"HardSwish": plain(func(x float64) float64 { return x * hardSigmoid(x, 1.0/6, 0.5) }),

		"LeakyRelu": unary(func(c *call) func(float64) float64 {
			a := c.float("alpha", f32(0.01))
			return func(x float64) float64 { return leaky(x, a) }
		}, nil),
		"Elu": unary(func(c *call) func(float64) float64 {
			a := c.float("alpha", 1)
			return func(x float64) float64 { return elu(x, a) }
		}, nil),
		"Celu": unary(func(c *call) func(float64) float64 {
			a := c.float("alpha", 1)
			return func(x float64) float64 { return max(0, x) + min(0, a*math.Expm1(x/a)) }
		}, nil),
		"Selu": unary(func(c *call) func(float64) float64 {
			a, g := c.float("alpha", 1.67326319217681884765625), c.float("gamma", 1.05070102214813232421875)
			if c.opset < 6 {
				a, g = c.float("alpha", f32(1.6732)), c.float("gamma", f32(1.0507))
			}
			return func(x float64) float64 { return g * elu(x, a) }
		}, nil),
		"HardSigmoid": unary(func(c *call) func(float64) float64 {
			a, b := c.float("alpha", f32(0.2)), c.float("beta", 0.5)
			return func(x float64) float64 { return hardSigmoid(x, a, b) }
		}, nil),
		"ThresholdedRelu": unary(func(c *call) func(float64) float64 {
			a := c.float("alpha", 1)
			return func(x float64) float64 {
				if x > a {
					return x
				}
				return 0
			}
		}, nil),
		"Shrink": shrink,
		"Swish": unary(func(c *call) func(float64) float64 {
			a := c.float("alpha", 1)
			return func(x float64) float64 { return x * sigmoid(a*x) }
		}, nil),
		"Gelu": unary(func(c *call) func(float64) float64 {
			if c.str("approximate", "none") == "tanh" {
				return func(x float64) float64 {
					return 0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
				}
			}
			return func(x float64) float64 { return 0.5 * x * (1 + math.Erf(x/math.Sqrt2)) }
		}, nil),

		"IsNaN": func(c *call) []*value {
			return one(test(c.in[0], math.IsNaN))
		},
		"IsInf": func(c *call) []*value {
			neg, pos := c.int("detect_negative", 1) != 0, c.int("detect_positive", 1) != 0
			return one(test(c.in[0], func(x float64) bool { return pos && math.IsInf(x, 1) || neg && math.IsInf(x, -1) }))
		},
		"Clip":    clip,
		"Dropout": dropout,
		"Cast": func(c *call) []*value {
			return one(cast(c.in[0], castTo(c), c.int("saturate", 1) != 0))
		},
		"CastLike": func(c *call) []*value { return one(cast(c.in[0], c.in[1].d, c.int("saturate", 1) != 0)) },
	})
}

// f32 is the float32 nearest to x, as an attribute's default is one.
func f32(x float64) float64 { return float64(float32(x)) }

func relu(x float64) float64 {
	if x < 0 {
		return 0
	}
	return x
}

func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

func leaky(x, a float64) float64 {
	if x < 0 {
		return a * x
	}
	return x
}

func elu(x, a float64) float64 {
	if x < 0 {
		return a * math.Expm1(x)
	}
	return x
}

func hardSigmoid(x, a, b float64) float64 { return max(0, min(1, a*x+b)) }

func mapFloat(v *value, f func(float64) float64) *value {
	out := zeros(v.d, v.shape...)
	for k, x := range v.f {
		out.f[k] = f(x)
	}
	return out
}

func mapInt(v *value, f func(int64) int64) *value {
	out := zeros(v.d, v.shape...)
	for k, x := range v.i {
		out.i[k] = wrap(v.d, f(x))
	}
	return out
}

// unary is an operator of one input; ints is nil where integers have none.
func unary(f func(*call) func(float64) float64, ints func(int64) int64) operator {
	return func(c *call) []*value {
		x := c.in[0]
		if x.isFloat() {
			return one(mapFloat(x, f(c)))
		}
		if ints == nil {
			fail("no meaning for %v", x.d)
		}
		return one(mapInt(x, ints))
	}
}

// shrink is for all numbers.
func shrink(c *call) []*value {
	x, b, l := c.in[0], c.float("bias", 0), c.float("lambd", 0.5)
	y := zeros(x.d, x.shape...)
	for k := range x.len() {
		switch v := x.at(k); {
		case v < -l:
			y.set(k, v+b)
		case v > l:
			y.set(k, v-b)
		}
	}
	return one(y)
}

func plain(f func(float64) float64) operator {
	return unary(func(*call) func(float64) float64 { return f }, nil)
}

func test(v *value, f func(float64) bool) *value {
	out := zeros(tensor.Bool, v.shape...)
	for k, x := range v.f {
		out.i[k] = b2i(f(x))
	}
	return out
}

// clip has its limits as attributes before version 11 and as inputs after. Where min > max, max wins.
func clip(c *call) []*value {
	x := c.in[0]
	out := zeros(x.d, x.shape...)
	if x.isFloat() {
		lo, hi := c.float("min", -inf), c.float("max", inf)
		lo, hi = c.scalar(1, lo), c.scalar(2, hi)
		for k, v := range x.f {
			out.f[k] = min(max(v, lo), hi)
		}
		return one(out)
	}
	for k, v := range x.i {
		less := func(a, b int64) bool {
			if x.d == tensor.Uint64 {
				return uint64(a) < uint64(b)
			}
			return a < b
		}
		if c.has(1) && less(v, c.in[1].i[0]) {
			v = c.in[1].i[0]
		}
		if c.has(2) && less(c.in[2].i[0], v) {
			v = c.in[2].i[0]
		}
		out.i[k] = v
	}
	return one(out)
}

// dropout is the identity unless it trains with a ratio above 0, which no oracle can predict.
func dropout(c *call) []*value {
	train := c.has(2) && c.in[2].i[0] != 0
	if c.opset < 7 {
		train = c.int("is_test", 0) == 0
	}
	ratio := c.scalar(1, c.float("ratio", 0.5))
	if train && ratio > 0 {
		fail("random")
	}
	d := tensor.Bool
	if c.opset < 10 {
		d = c.in[0].d
	}
	mask := zeros(d, c.in[0].shape...)
	for k := range mask.len() {
		mask.set(k, 1)
	}
	return []*value{c.in[0], mask}
}

// castTo is the attribute to, which was a name in version 1.
func castTo(c *call) tensor.DType {
	names := map[string]tensor.DType{"FLOAT": tensor.Float32, "DOUBLE": tensor.Float64, "INT32": tensor.Int32, "INT64": tensor.Int64,
		"BOOL": tensor.Bool}
	if d, ok := names[c.str("to", "")]; ok {
		return d
	}
	return tensor.DType(c.int("to", 0))
}

// cast rounds to 16-bit and smaller floats and leaves the rest as float64.
func cast(v *value, d tensor.DType, saturate bool) *value {
	out := &value{d: d, shape: v.shape}
	switch {
	case v.d == tensor.Float64 && d == tensor.Float32, v.isFloat() && d == tensor.Float64, v.isFloat() && d == tensor.Float32:
		out.f = v.f
		return out
	case v.isFloat() && d.IsInt():
		out.i = make([]int64, len(v.f))
		for k, x := range v.f {
			out.i[k] = wrap(d, int64(math.Trunc(x)))
		}
		return out
	}
	t := v.tensor()
	if v.isFloat() && v.d != tensor.Float64 {
		var err error
		if t, err = t.Convert(tensor.Float32); err != nil {
			fail("%v", err)
		}
	}
	t, err := t.ConvertSaturate(d, saturate)
	if err != nil {
		fail("%v", err)
	}
	return fromTensor(t)
}
