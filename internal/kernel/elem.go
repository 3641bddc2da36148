package kernel

import "github.com/gtk-onnx/gtk/internal/parallel"

// elemChunk is the number of elements of one piece of an elementwise loop. It is fixed, because partial sums
// are combined per piece.
const elemChunk = 16 << 10

// Float lists the floating-point element types that Go can compute with.
type Float interface{ ~float32 | ~float64 }

// Integer lists the integer element types.
type Integer interface {
	~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64
}

// Number lists the numeric element types.
type Number interface{ Integer | Float }

const errShort = "kernel: slice too short"

// atLeast panics when a slice of length have cannot hold want elements.
func atLeast(want int, have ...int) {
	for _, h := range have {
		if h < want {
			panic(errShort)
		}
	}
}

type (
	vec1  = func(out, a []float32)
	vec2  = func(out, a, b []float32)
	vec1s = func(out, a []float32, s float32)
	vec2s = func(out, a, b []float32, s float32)
)

// vectors are the loops on float32 slices of one instruction set. The first slice gives the length n.
// Sums are accumulated in float64.
type vectors struct {
	add, sub, mul, div, max, min                             vec2
	adds, rsubs, muls, divs, rdivs, maxs, mins               vec1s
	relu, abs, neg, sqrt                                     vec1
	exp, sigmoid, tanh, erf, silu, gelu, geluTanh, hardSwish vec1
	reluGrad, sigmoidGrad, tanhGrad                          vec2
	geluGrad, geluTanhGrad                                   vec2
	leaky                                                    vec1s
	leakyGrad                                                vec2s
	clip                                                     func(out, a []float32, lo, hi float32)
	clipGrad                                                 func(out, x, dy []float32, lo, hi float32)
	affine, affineRelu                                       func(out, a []float32, s, b float32)       // s*a + b
	axpy                                                     vec2s                                      // s*x + y
	lin2                                                     func(out, x, y []float32, s, t, b float32) // s*x + t*y + b
	// the same, x counts where m > 0
	lin2Mask func(out, x, y, m []float32, s, t, b float32)
	// dy where s*x + b is from lo to hi, else 0
	within func(out, x, dy []float32, s, b, lo, hi float32)
	// that times q, + u*x + v
	lin2Within   func(out, x, dy []float32, s, b, lo, hi, q, u, v float32)
	normRow      func(out, x, w, b []float32, s, t float32)     // (s*x + t)*w + b
	normGradRow  func(out, dy, w, x []float32, s, t, b float32) // s*dy*w + t*x + b
	normParam    func(dw, db, dy, x []float32, s, t float32)    // dw += dy*(s*x + t), db += dy
	momentum     func(buf, u []float32, mu, in, nag, own float32)
	lstm         func(c, h, i, o, f, g []float32) // the step of LSTMF32
	gru          func(h, z, r, n, q []float32)    // the step of GRUF32
	lstmGradOut  func(dc, zo, dh, o, cell []float32)
	lstmGradIn   func(dc, zi, zf, zg, i, f, g, old []float32)
	adam         func(u, m, v []float32, b1, n1, b2, n2, c1, c2, eps float32)
	diffGrad     func(u, m, v, prev []float32, b1, n1, b2, n2, c1, c2, eps float32)
	sum, absSum  func(a []float32) float64
	dot          func(a, b []float32) float64
	sumDot       func(a, b []float32) (s, t float64)       // Σa, Σab
	sumDotMask   func(a, b, m []float32) (s, t float64)    // the same, a counts where m > 0
	sumDot3      func(a, b, c []float32) (s, t float64)    // Σab, Σabc
	maxOf, minOf func(a []float32) float32                 // n ≥ lanes; NaN when there is one
	expSum       func(out, a []float32, m float32) float64 // out = e^(a-m), and the sum
	acc          func(acc []float64, x []float32)          // acc += x, n a multiple of lanes
	lanes        int
}

// vec are the loops in use.
var vec = genericVectors

// use makes v the loops.
func use(v vectors) { vec, rows32 = v, rowsOf(v) }

// each1 is f over pieces of out and a.
func each1(p *parallel.Pool, out, a []float32, f vec1) {
	n := len(out)
	atLeast(n, len(a))
	if n <= elemChunk {
		f(out, a)
		return
	}
	p.For(n, elemChunk, func(lo, hi int) { f(out[lo:hi], a[lo:hi]) })
}

// each2 is f over pieces of out, a and b.
func each2(p *parallel.Pool, out, a, b []float32, f vec2) {
	n := len(out)
	atLeast(n, len(a), len(b))
	if n <= elemChunk {
		f(out, a, b)
		return
	}
	p.For(n, elemChunk, func(lo, hi int) { f(out[lo:hi], a[lo:hi], b[lo:hi]) })
}

// eachSum adds up f over pieces of 0..n-1, in order.
func eachSum(p *parallel.Pool, n int, f func(lo, hi int) float64) float64 {
	if n <= elemChunk {
		return f(0, n)
	}
	part := make([]float64, (n+elemChunk-1)/elemChunk)
	p.For(n, elemChunk, func(lo, hi int) { part[lo/elemChunk] = f(lo, hi) })
	s := 0.0
	for _, x := range part {
		s += x
	}
	return s
}

// AddF32 is out[i] = a[i] + b[i].
func AddF32(p *parallel.Pool, out, a, b []float32) { each2(p, out, a, b, vec.add) }

// SubF32 is out[i] = a[i] - b[i].
func SubF32(p *parallel.Pool, out, a, b []float32) { each2(p, out, a, b, vec.sub) }

// MulF32 is out[i] = a[i] * b[i].
func MulF32(p *parallel.Pool, out, a, b []float32) { each2(p, out, a, b, vec.mul) }

// with is f with its scalar.
func with(f vec1s, s float32) vec1 { return func(out, a []float32) { f(out, a, s) } }

// MulScalarF32 is out[i] = a[i] * s.
func MulScalarF32(p *parallel.Pool, out, a []float32, s float32) { each1(p, out, a, with(vec.muls, s)) }

// DivScalarF32 is out[i] = a[i] / s.
func DivScalarF32(p *parallel.Pool, out, a []float32, s float32) { each1(p, out, a, with(vec.divs, s)) }

// RDivScalarF32 is out[i] = s / a[i]; with s = 1 the reciprocal.
func RDivScalarF32(p *parallel.Pool, out, a []float32, s float32) {
	each1(p, out, a, with(vec.rdivs, s))
}

// AffineF32 is out[i] = s*a[i] + b.
func AffineF32(p *parallel.Pool, out, a []float32, s, b float32) {
	f := vec.affine
	each1(p, out, a, func(out, a []float32) { f(out, a, s, b) })
}

// AxpyF32 is y[i] += s*x[i].
func AxpyF32(p *parallel.Pool, y, x []float32, s float32) { ScaleAddF32(p, y, x, y, s) }

// ScaleAddF32 is out[i] = s*x[i] + y[i].
func ScaleAddF32(p *parallel.Pool, out, x, y []float32, s float32) {
	f := vec.axpy
	if n := len(out); n <= elemChunk {
		atLeast(n, len(x), len(y))
		f(out, x, y, s)
		return
	}
	each2(p, out, x, y, func(out, x, y []float32) { f(out, x, y, s) })
}

// SumF32 is Σ a[i], accumulated in float64.
func SumF32(p *parallel.Pool, a []float32) float64 {
	f := vec.sum
	if len(a) <= elemChunk {
		return f(a)
	}
	return eachSum(p, len(a), func(lo, hi int) float64 { return f(a[lo:hi]) })
}

// DotF32 is Σ a[i]*b[i], accumulated in float64.
func DotF32(a, b []float32) float64 {
	atLeast(len(a), len(b))
	return vec.dot(a, b)
}

// AccumulateF32 is acc[i] += float64(x[i]) for the elements of x.
func AccumulateF32(acc []float64, x []float32) {
	atLeast(len(x), len(acc))
	vec.accumulate(acc, x)
}

// largest is the largest element of a, NaN when there is one, -Inf of nothing.
func (v *vectors) largest(a []float32) float32 {
	if len(a) >= v.lanes {
		return v.maxOf(a)
	}
	return extremeOf(a, true)
}

func (v *vectors) smallest(a []float32) float32 {
	if len(a) >= v.lanes {
		return v.minOf(a)
	}
	return extremeOf(a, false)
}

// accumulate is acc[i] += float64(x[i]).
func (v *vectors) accumulate(acc []float64, x []float32) {
	n := len(x) / v.lanes * v.lanes
	v.acc(acc[:n], x[:n])
	for i := n; i < len(x); i++ {
		acc[i] += float64(x[i])
	}
}
