package kernel

import (
	"math"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// BinaryOp is an elementwise operation of two arguments as three loops over out: vector with vector, vector with
// scalar, scalar with vector.
type BinaryOp[T, U any] struct {
	VV func(out []U, a, b []T)
	VS func(out []U, a []T, b T)
	SV func(out []U, a T, b []T)
}

// BinaryFunc is the operation f.
func BinaryFunc[T, U any](f func(a, b T) U) BinaryOp[T, U] {
	return BinaryOp[T, U]{
		func(out []U, a, b []T) {
			a, b = a[:len(out)], b[:len(out)]
			for i := range out {
				out[i] = f(a[i], b[i])
			}
		},
		func(out []U, a []T, b T) {
			a = a[:len(out)]
			for i := range out {
				out[i] = f(a[i], b)
			}
		},
		func(out []U, a T, b []T) {
			b = b[:len(out)]
			for i := range out {
				out[i] = f(a, b[i])
			}
		},
	}
}

// Binary is out[i] = a[i] op b[i] with numpy's broadcasting of a and b to the shape of out.
// Out may be a or b itself where the shapes are equal.
func Binary[T, U any](p *parallel.Pool, op BinaryOp[T, U], out []U, shape []int, a []T, aShape []int, b []T, bShape []int) {
	atLeast(size(shape), len(out))
	atLeast(size(aShape), len(a))
	atLeast(size(bShape), len(b))
	w := newWalk(shape, BroadcastStrides(shape, aShape), BroadcastStrides(shape, bShape))
	w.run(p, func(o, n int, off [3]int) {
		switch out, i, j := out[o:o+n], off[0], off[1]; {
		case w.step[0] != 0 && w.step[1] != 0:
			op.VV(out, a[i:i+n], b[j:j+n])
		case w.step[0] != 0:
			op.VS(out, a[i:i+n], b[j])
		case w.step[1] != 0:
			op.SV(out, a[i], b[j:j+n])
		default:
			for k := range out {
				op.VS(out[k:k+1], a[i:i+1], b[j])
			}
		}
	})
}

// Map is out[i] = f(a[i]).
func Map[T, U any](p *parallel.Pool, out []U, a []T, f func(T) U) {
	atLeast(len(out), len(a))
	p.For(len(out), elemChunk, func(lo, hi int) {
		a, out := a[lo:hi], out[lo:hi]
		for i := range out {
			out[i] = f(a[i])
		}
	})
}

// Map2 is out[i] = f(a[i], b[i]).
func Map2[T, U any](p *parallel.Pool, out []U, a, b []T, f func(a, b T) U) {
	atLeast(len(out), len(a), len(b))
	p.For(len(out), elemChunk, func(lo, hi int) {
		a, b, out := a[lo:hi], b[lo:hi], out[lo:hi]
		for i := range out {
			out[i] = f(a[i], b[i])
		}
	})
}

// Where is out[i] = a[i] where cond[i], else b[i], with numpy's broadcasting of all three to the shape of out.
func Where[T any](p *parallel.Pool, out []T, shape []int, cond []bool, cShape []int, a []T, aShape []int, b []T, bShape []int) {
	atLeast(size(shape), len(out))
	atLeast(size(cShape), len(cond))
	atLeast(size(aShape), len(a))
	atLeast(size(bShape), len(b))
	w := newWalk(shape, BroadcastStrides(shape, cShape), BroadcastStrides(shape, aShape), BroadcastStrides(shape, bShape))
	w.run(p, func(o, n int, off [3]int) {
		c, i, j := off[0], off[1], off[2]
		sc, sa, sb := w.step[0], w.step[1], w.step[2]
		out := out[o : o+n]
		for k := range out {
			if cond[c] {
				out[k] = a[i]
			} else {
				out[k] = b[j]
			}
			c, i, j = c+sc, i+sa, j+sb
		}
	})
}

// fastF32 is fast where T is float32, else op.
func fastF32[T Number](fast BinaryOp[float32, float32], op BinaryOp[T, T]) BinaryOp[T, T] {
	if f, ok := any(fast).(BinaryOp[T, T]); ok {
		return f
	}
	return op
}

func swapF32(f vec1s) func(out []float32, a float32, b []float32) {
	return func(out []float32, a float32, b []float32) { f(out, b, a) }
}

// AddOp is a + b.
func AddOp[T Number]() BinaryOp[T, T] {
	return fastF32(BinaryOp[float32, float32]{vec.add, vec.adds, swapF32(vec.adds)}, BinaryOp[T, T]{
		func(out, a, b []T) {
			a, b = a[:len(out)], b[:len(out)]
			for i := range out {
				out[i] = a[i] + b[i]
			}
		},
		func(out, a []T, b T) {
			for i := range out {
				out[i] = a[i] + b
			}
		},
		func(out []T, a T, b []T) {
			for i := range out {
				out[i] = a + b[i]
			}
		},
	})
}

// SubOp is a - b.
func SubOp[T Number]() BinaryOp[T, T] {
	subs := func(out, a []float32, b float32) { vec.adds(out, a, -b) }
	return fastF32(BinaryOp[float32, float32]{vec.sub, subs, swapF32(vec.rsubs)}, BinaryOp[T, T]{
		func(out, a, b []T) {
			a, b = a[:len(out)], b[:len(out)]
			for i := range out {
				out[i] = a[i] - b[i]
			}
		},
		func(out, a []T, b T) {
			for i := range out {
				out[i] = a[i] - b
			}
		},
		func(out []T, a T, b []T) {
			for i := range out {
				out[i] = a - b[i]
			}
		},
	})
}

// MulOp is a * b.
func MulOp[T Number]() BinaryOp[T, T] {
	return fastF32(BinaryOp[float32, float32]{vec.mul, vec.muls, swapF32(vec.muls)}, BinaryOp[T, T]{
		func(out, a, b []T) {
			a, b = a[:len(out)], b[:len(out)]
			for i := range out {
				out[i] = a[i] * b[i]
			}
		},
		func(out, a []T, b T) {
			for i := range out {
				out[i] = a[i] * b
			}
		},
		func(out []T, a T, b []T) {
			for i := range out {
				out[i] = a * b[i]
			}
		},
	})
}

// DivOp is a / b; of integers it truncates, and division by 0 gives 0.
func DivOp[T Number]() BinaryOp[T, T] {
	half := 0.5
	if T(half) == 0 {
		return BinaryFunc(func(a, b T) T {
			if b == 0 {
				return 0
			}
			return a / b
		})
	}
	return fastF32(BinaryOp[float32, float32]{vec.div, vec.divs, swapF32(vec.rdivs)},
		BinaryFunc(func(a, b T) T { return a / b }))
}

// MaxOp is the larger one, NaN when either is.
func MaxOp[T Number]() BinaryOp[T, T] {
	maxs := func(out, a []float32, b float32) {
		if b != b {
			fill(out, b)
			return
		}
		vec.maxs(out, a, b)
	}
	return fastF32(BinaryOp[float32, float32]{vec.max, maxs, swapF32(maxs)}, BinaryFunc(nanMax[T]))
}

// MinOp is the smaller one, NaN when either is.
func MinOp[T Number]() BinaryOp[T, T] {
	mins := func(out, a []float32, b float32) {
		if b != b {
			fill(out, b)
			return
		}
		vec.mins(out, a, b)
	}
	return fastF32(BinaryOp[float32, float32]{vec.min, mins, swapF32(mins)}, BinaryFunc(nanMin[T]))
}

func fill[T any](out []T, x T) {
	for i := range out {
		out[i] = x
	}
}

// ModOp is the remainder with the sign of b, as ONNX Mod with fmod=0 has it; mod 0 of integers is 0.
func ModOp[T Number]() BinaryOp[T, T] {
	return BinaryFunc(func(a, b T) T {
		r := remainder(a, b)
		if r != 0 && (r < 0) != (b < 0) {
			r += b
		}
		return r
	})
}

// FModOp is the remainder with the sign of a, as C's fmod and ONNX Mod with fmod=1 have it; mod 0 of integers is 0.
func FModOp[T Number]() BinaryOp[T, T] { return BinaryFunc(remainder[T]) }

func remainder[T Number](a, b T) T {
	half := 0.5
	if T(half) != 0 {
		return T(math.Mod(float64(a), float64(b)))
	}
	if b == 0 {
		return 0
	}
	return a - a/b*b
}

// PowOp is a to the power b. Of integers it wraps around; a negative power is truncated to an integer.
func PowOp[T Number]() BinaryOp[T, T] {
	half := 0.5
	if T(half) == 0 {
		return BinaryFunc(powInt[T])
	}
	op := BinaryFunc(func(a, b T) T { return T(math.Pow(float64(a), float64(b))) })
	power := op.VS
	mul := MulOp[T]()
	op.VS = func(out, a []T, b T) {
		switch b {
		case 1:
			copy(out, a)
		case 2:
			mul.VV(out, a[:len(out)], a[:len(out)])
		case 3:
			for i := range out {
				out[i] = a[i] * a[i] * a[i]
			}
		default:
			power(out, a, b)
		}
	}
	return op
}

func powInt[T Number](a, b T) T {
	if b < 0 {
		switch {
		case a == 1:
			return 1
		case a+1 == 0:
			if remainder(b, 2) == 0 {
				return 1
			}
			return a
		}
		return 0
	}
	r := T(1)
	for n := uint64(b); n > 0; n >>= 1 {
		if n&1 != 0 {
			r *= a
		}
		a *= a
	}
	return r
}

// EqualOp is a == b.
func EqualOp[T comparable]() BinaryOp[T, bool] {
	return BinaryOp[T, bool]{
		func(out []bool, a, b []T) {
			a, b = a[:len(out)], b[:len(out)]
			for i := range out {
				out[i] = a[i] == b[i]
			}
		},
		func(out []bool, a []T, b T) {
			for i := range out {
				out[i] = a[i] == b
			}
		},
		func(out []bool, a T, b []T) {
			for i := range out {
				out[i] = a == b[i]
			}
		},
	}
}

// LessOp is a < b.
func LessOp[T Number]() BinaryOp[T, bool] {
	return BinaryOp[T, bool]{
		func(out []bool, a, b []T) {
			a, b = a[:len(out)], b[:len(out)]
			for i := range out {
				out[i] = a[i] < b[i]
			}
		},
		func(out []bool, a []T, b T) {
			for i := range out {
				out[i] = a[i] < b
			}
		},
		func(out []bool, a T, b []T) {
			for i := range out {
				out[i] = a < b[i]
			}
		},
	}
}

// LessEqOp is a <= b.
func LessEqOp[T Number]() BinaryOp[T, bool] {
	return BinaryFunc(func(a, b T) bool { return a <= b })
}

// GreaterOp is a > b.
func GreaterOp[T Number]() BinaryOp[T, bool] { return swapped(LessOp[T]()) }

// GreaterEqOp is a >= b.
func GreaterEqOp[T Number]() BinaryOp[T, bool] { return swapped(LessEqOp[T]()) }

// swapped is b op a.
func swapped[T, U any](op BinaryOp[T, U]) BinaryOp[T, U] {
	return BinaryOp[T, U]{
		func(out []U, a, b []T) { op.VV(out, b, a) },
		func(out []U, a []T, b T) { op.SV(out, b, a) },
		func(out []U, a T, b []T) { op.VS(out, b, a) },
	}
}

// AndOp is a && b.
func AndOp() BinaryOp[bool, bool] { return BinaryFunc(func(a, b bool) bool { return a && b }) }

// OrOp is a || b.
func OrOp() BinaryOp[bool, bool] { return BinaryFunc(func(a, b bool) bool { return a || b }) }

// XorOp is a != b.
func XorOp() BinaryOp[bool, bool] { return EqualNotOp[bool]() }

// EqualNotOp is a != b.
func EqualNotOp[T comparable]() BinaryOp[T, bool] {
	return BinaryFunc(func(a, b T) bool { return a != b })
}
