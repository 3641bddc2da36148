package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

var elemSizes = []int{0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 100, 127, 1000, elemChunk + 5}

var inf, nan = math.Inf(1), math.NaN()

// randF32 is n normal numbers at an odd offset of their array.
func randF32(r *rand.Rand, n int) []float32 {
	x := make([]float32, n+3)[3:]
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// specialF32 is randF32 with special values among them.
func specialF32(r *rand.Rand, n int) []float32 {
	special := []float64{0, math.Copysign(0, -1), inf, -inf, nan, 1e-40, -1e-42, 1, -1, 0.625, 88.7, -88, -103.5, 89.5, 1e30, -1e30, 3, 6,
		4, 3.9, -3.9}
	x := randF32(r, n)
	for i := range x {
		switch r.IntN(6) {
		case 0:
			x[i] = float32(special[r.IntN(len(special))])
		case 1:
			x[i] *= 20
		}
	}
	return x
}

// near reports whether got is want within ulps units in the last place of float32 and abs.
func near(got float32, want, ulps, abs float64) bool {
	w := float32(want)
	if math.IsNaN(want) || math.IsNaN(float64(got)) {
		return math.IsNaN(want) && math.IsNaN(float64(got))
	}
	if got == w {
		return true
	}
	if math.IsInf(float64(got), 0) || math.IsInf(float64(w), 0) {
		return false
	}
	m := float32(math.Abs(float64(w)))
	ulp := float64(math.Nextafter32(m, math.MaxFloat32) - m)
	return math.Abs(float64(got)-want) <= ulps*ulp+abs
}

// pools are the pools that must give the same bits.
func pools(t *testing.T) []*parallel.Pool {
	l := []*parallel.Pool{nil, parallel.New(2), parallel.New(4)}
	t.Cleanup(func() {
		for _, p := range l {
			p.Close()
		}
	})
	return l
}

func sameBits(a, b []float32) bool {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return false
		}
	}
	return len(a) == len(b)
}

func ref1(f func(float64) float64) func(...float64) float64 {
	return func(x ...float64) float64 { return f(x[0]) }
}

func refMax(a, b float64) float64 {
	if a != a || b != b {
		return nan
	}
	return max(a, b)
}

func refMin(a, b float64) float64 { return -refMax(-a, -b) }

func refSigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func when(c bool, x float64) float64 {
	if c {
		return x
	}
	return 0
}

// elemCases are all elementwise kernels with the ulps that they may be off and their meaning.
var elemCases = []struct {
	name string
	ulps float64
	abs  float64 // absolute error allowed besides: the rounding of intermediate results for inputs up to 32
	run  func(p *parallel.Pool, out, a, b, c []float32)
	want func(x ...float64) float64
}{
	{"Add", 0.5, 0, func(p *parallel.Pool, o, a, b, _ []float32) { AddF32(p, o, a, b) }, func(x ...float64) float64 {
		return x[0] + x[1]
	}},
	{"Sub", 0.5, 0, func(p *parallel.Pool, o, a, b, _ []float32) { SubF32(p, o, a, b) }, func(x ...float64) float64 {
		return x[0] - x[1]
	}},
	{"Mul", 0.5, 0, func(p *parallel.Pool, o, a, b, _ []float32) { MulF32(p, o, a, b) }, func(x ...float64) float64 {
		return x[0] * x[1]
	}},
	{"Div", 0.5, 0, func(p *parallel.Pool, o, a, b, _ []float32) { each2(p, o, a, b, vec.div) }, func(x ...float64) float64 {
		return x[0] / x[1]
	}},
	{"Max", 0, 0, func(p *parallel.Pool, o, a, b, _ []float32) { each2(p, o, a, b, vec.max) }, func(x ...float64) float64 {
		return refMax(x[0], x[1])
	}},
	{"Min", 0, 0, func(p *parallel.Pool, o, a, b, _ []float32) { each2(p, o, a, b, vec.min) }, func(x ...float64) float64 {
		return refMin(x[0], x[1])
	}},
	{"AddScalar", 0.5, 0, func(p *parallel.Pool, o, a, _, _ []float32) { each1(p, o, a, with(vec.adds, 1.5)) },
		func(x ...float64) float64 { return x[0] + 1.5 }},
	{"RSubScalar", 0.5, 0, func(p *parallel.Pool, o, a, _, _ []float32) { each1(p, o, a, with(vec.rsubs, 1.5)) },
		func(x ...float64) float64 { return 1.5 - x[0] }},
	{"MulScalar", 0.5, 0, func(p *parallel.Pool, o, a, _, _ []float32) { MulScalarF32(p, o, a, 1.5) }, func(x ...float64) float64 {
		return 1.5 * x[0]
	}},
	{"DivScalar", 0.5, 0, func(p *parallel.Pool, o, a, _, _ []float32) { DivScalarF32(p, o, a, 1.5) }, func(x ...float64) float64 {
		return x[0] / 1.5
	}},
	{"RDivScalar", 0.5, 0, func(p *parallel.Pool, o, a, _, _ []float32) { RDivScalarF32(p, o, a, 1.5) }, func(x ...float64) float64 {
		return 1.5 / x[0]
	}},
	{"MaxScalar", 0, 0, func(p *parallel.Pool, o, a, _, _ []float32) { each1(p, o, a, with(vec.maxs, 0.5)) }, func(x ...float64) float64 {
		return refMax(x[0], 0.5)
	}},
	{"MinScalar", 0, 0, func(p *parallel.Pool, o, a, _, _ []float32) { each1(p, o, a, with(vec.mins, 0.5)) }, func(x ...float64) float64 {
		return refMin(x[0], 0.5)
	}},
	{"Relu", 0, 0, func(p *parallel.Pool, o, a, _, _ []float32) { ReluF32(p, o, a) }, func(x ...float64) float64 {
		return refMax(x[0], 0)
	}},
	{"Abs", 0, 0, func(p *parallel.Pool, o, a, _, _ []float32) { AbsF32(p, o, a) }, ref1(math.Abs)},
	{"Neg", 0, 0, func(p *parallel.Pool, o, a, _, _ []float32) { NegF32(p, o, a) }, func(x ...float64) float64 { return -x[0] }},
	{"Sqrt", 0.5, 0, func(p *parallel.Pool, o, a, _, _ []float32) { SqrtF32(p, o, a) }, ref1(math.Sqrt)},
	{"Exp", 1.5, 0, func(p *parallel.Pool, o, a, _, _ []float32) { ExpF32(p, o, a) }, ref1(math.Exp)},
	{"Sigmoid", 2.5, 0, func(p *parallel.Pool, o, a, _, _ []float32) { SigmoidF32(p, o, a) }, ref1(refSigmoid)},
	// p(x²)·x is below the normal numbers when x is
	{"Tanh", 5, 1.5e-43, func(p *parallel.Pool, o, a, _, _ []float32) { TanhF32(p, o, a) }, ref1(math.Tanh)},
	{"Erf", 2, 0, func(p *parallel.Pool, o, a, _, _ []float32) { ErfF32(p, o, a) }, ref1(math.Erf)},
	{"Silu", 3.5, 8e-44, func(p *parallel.Pool, o, a, _, _ []float32) { SiluF32(p, o, a) }, func(x ...float64) float64 {
		return x[0] * refSigmoid(x[0])
	}},
	{"Gelu", 4, 3e-7, func(p *parallel.Pool, o, a, _, _ []float32) { GeluF32(p, o, a) }, func(x ...float64) float64 {
		return x[0] * 0.5 * (1 + math.Erf(x[0]/math.Sqrt2))
	}},
	// The tolerance of GeluTanh is x/2 times the error of tanh near -1.
	{"GeluTanh", 4, 6e-7, func(p *parallel.Pool, o, a, _, _ []float32) { GeluTanhF32(p, o, a) }, func(x ...float64) float64 {
		return x[0] * 0.5 * (1 + math.Tanh(geluScale*(x[0]+0.044715*x[0]*x[0]*x[0])))
	}},
	{"HardSwish", 4, 1e-7, func(p *parallel.Pool, o, a, _, _ []float32) { HardSwishF32(p, o, a) }, func(x ...float64) float64 {
		return x[0] * refMin(1, refMax(0, x[0]/6+0.5))
	}},
	{"HardSigmoid", 2, 1e-7, func(p *parallel.Pool, o, a, _, _ []float32) { HardSigmoidF32(p, o, a, 0.2, 0.5) },
		func(x ...float64) float64 {
			return refMin(1, refMax(0, 0.2*x[0]+0.5))
		}},
	{"LeakyRelu", 0.5, 0, func(p *parallel.Pool, o, a, _, _ []float32) { LeakyReluF32(p, o, a, 0.25) }, func(x ...float64) float64 {
		return when(x[0] >= 0 || x[0] != x[0], x[0]) + when(x[0] < 0, x[0]*0.25)
	}},
	{"Clip", 0, 0, func(p *parallel.Pool, o, a, _, _ []float32) { ClipF32(p, o, a, -0.5, 0.75) }, func(x ...float64) float64 {
		return refMin(refMax(x[0], -0.5), 0.75)
	}},
	{"ReluGrad", 0, 0, func(p *parallel.Pool, o, a, b, _ []float32) { ReluGradF32(p, o, a, b) }, func(x ...float64) float64 {
		return when(x[0] > 0, x[1])
	}},
	{"LeakyReluGrad", 0.5, 0, func(p *parallel.Pool, o, a, b, _ []float32) { LeakyReluGradF32(p, o, a, b, 0.25) },
		func(x ...float64) float64 {
			return when(x[0] > 0, x[1]) + when(!(x[0] > 0), x[1]*0.25)
		}},
	{"ClipGrad", 0, 0, func(p *parallel.Pool, o, a, b, _ []float32) { ClipGradF32(p, o, a, b, -0.5, 1) }, func(x ...float64) float64 {
		return when(-0.5 <= x[0] && x[0] <= 1, x[1])
	}},
	{"SigmoidGrad", 2, 1e-6, func(p *parallel.Pool, o, a, b, _ []float32) { SigmoidGradF32(p, o, a, b) }, nil},
	{"GeluGrad", 8, 1e-6, func(p *parallel.Pool, o, a, b, _ []float32) { GeluGradF32(p, o, a, b) }, nil},
	{"GeluTanhGrad", 8, 2e-6, func(p *parallel.Pool, o, a, b, _ []float32) { GeluTanhGradF32(p, o, a, b) }, nil},
	{"TanhGrad", 2, 1e-6, func(p *parallel.Pool, o, a, b, _ []float32) { TanhGradF32(p, o, a, b) }, nil},
	{"Affine", 1, 2e-6, func(p *parallel.Pool, o, a, _, _ []float32) { AffineF32(p, o, a, 1.25, -2) }, func(x ...float64) float64 {
		return 1.25*x[0] - 2
	}},
	{"ScaleAdd", 1, 2e-6, func(p *parallel.Pool, o, a, b, _ []float32) { ScaleAddF32(p, o, a, b, 1.25) }, func(x ...float64) float64 {
		return 1.25*x[0] + x[1]
	}},
	{"Lin2", 1, 4e-6, func(p *parallel.Pool, o, a, b, _ []float32) {
		each2(p, o, a, b, func(o, a, b []float32) { vec.lin2(o, a, b, 1.25, 0.5, 3) })
	}, func(x ...float64) float64 { return 1.25*x[0] + 0.5*x[1] + 3 }},
}

// gradRefs are the gradients that only make sense on finite inputs.
var gradRefs = map[string]func(x ...float64) float64{
	"SigmoidGrad": func(x ...float64) float64 { return x[1] * x[0] * (1 - x[0]) },
	"TanhGrad":    func(x ...float64) float64 { return x[1] * (1 - x[0]*x[0]) },
	"GeluGrad": func(x ...float64) float64 {
		return x[1] * (0.5*(1+math.Erf(x[0]/math.Sqrt2)) + x[0]*math.Exp(-x[0]*x[0]/2)/math.Sqrt(2*math.Pi))
	},
	"GeluTanhGrad": func(x ...float64) float64 {
		f := func(v float64) float64 { return 0.5 * v * (1 + math.Tanh(geluScale*(v+0.044715*v*v*v))) }
		const h = 1e-5
		return x[1] * (f(x[0]+h) - f(x[0]-h)) / (2 * h)
	},
}

func TestElementwise(t *testing.T) {
	ps := pools(t)
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		for _, c := range elemCases {
			want, make1 := c.want, specialF32
			if want == nil {
				want, make1 = gradRefs[c.name], randF32
			} else if c.abs > 1e-9 {
				// Sums and products are compared with an absolute error, which large numbers make meaningless.
				make1 = func(r *rand.Rand, n int) []float32 {
					x := specialF32(r, n)
					for i := range x {
						if math.Abs(float64(x[i])) > 32 {
							x[i] = float32(nan)
						}
					}
					return x
				}
			}
			for _, n := range elemSizes {
				a, b, d := make1(r, n), make1(r, n), make1(r, n)
				out := make([]float32, n+1)
				out[n] = 42
				c.run(nil, out[:n], a, b, d)
				for i := range n {
					w := want(float64(a[i]), float64(b[i]), float64(d[i]))
					if !near(out[i], w, c.ulps+1e-6, c.abs) {
						t.Fatalf("%s n=%d: f(%g, %g, %g) = %g, want %g", c.name, n, a[i], b[i], d[i], out[i], w)
					}
				}
				if out[n] != 42 {
					t.Fatalf("%s n=%d writes past the end", c.name, n)
				}
				for _, p := range ps[1:] {
					again := make([]float32, n)
					c.run(p, again, a, b, d)
					if !sameBits(again, out[:n]) {
						t.Fatalf("%s n=%d depends on the threads", c.name, n)
					}
				}
				in := append([]float32(nil), a...)
				c.run(nil, in, in, b, d)
				if !sameBits(in, out[:n]) {
					t.Fatalf("%s n=%d differs in place", c.name, n)
				}
			}
		}
	})
}

func TestShortSlicePanics(t *testing.T) {
	for _, f := range []func(){
		func() { AddF32(nil, make([]float32, 3), make([]float32, 3), make([]float32, 2)) },
		func() { ReluF32(nil, make([]float32, 3), make([]float32, 2)) },
		func() { AxpyF32(nil, make([]float32, 3), make([]float32, 2), 1) },
	} {
		func() {
			defer func() {
				if v := recover(); v != errShort {
					t.Errorf("recovered %v", v)
				}
			}()
			f()
		}()
	}
}

func TestSums(t *testing.T) {
	ps := pools(t)
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 4))
		for _, n := range append(elemSizes, 3*elemChunk+1) {
			a, b, m := randF32(r, n), randF32(r, n), randF32(r, n)
			var s, abs, dot, sumM, dotM, s3, d3 float64
			lo, hi := inf, -inf
			for i := range a {
				x, y, z := float64(a[i]), float64(b[i]), float64(m[i])
				s, abs, dot = s+x, abs+math.Abs(x), dot+x*y
				s3, d3 = s3+x*y, d3+x*y*z
				if z > 0 {
					sumM, dotM = sumM+x, dotM+x*y
				}
				lo, hi = min(lo, x), max(hi, x)
			}
			check := func(name string, got, want float64) {
				t.Helper()
				if !(math.Abs(got-want) <= 1e-12*(1+abs)) && got != want {
					t.Errorf("%s n=%d: %g, want %g", name, n, got, want)
				}
			}
			check("Sum", SumF32(nil, a), s)
			check("absSum", vec.absSum(a), abs)
			check("dot", vec.dot(a, b), dot)
			check("largest", float64(vec.largest(a)), hi)
			check("smallest", float64(vec.smallest(a)), lo)
			x, y := vec.sumDot(a, b)
			check("sumDot", x, s)
			check("sumDot", y, dot)
			x, y = vec.sumDotMask(a, b, m)
			check("sumDotMask", x, sumM)
			check("sumDotMask", y, dotM)
			x, y = vec.sumDot3(a, b, m)
			check("sumDot3", x, s3)
			check("sumDot3", y, d3)
			for _, p := range ps {
				if SumF32(p, a) != SumF32(nil, a) {
					t.Errorf("n=%d: sums depend on the threads", n)
				}
			}
			if n > 0 {
				a[r.IntN(n)] = float32(nan)
				if m := vec.largest(a); m == m {
					t.Errorf("n=%d: largest loses a NaN: %g", n, m)
				}
				if m := vec.smallest(a); m == m {
					t.Errorf("n=%d: smallest loses a NaN: %g", n, m)
				}
			}
			acc := make([]float64, n)
			vec.accumulate(acc, b)
			vec.accumulate(acc, b)
			for i := range acc {
				if acc[i] != 2*float64(b[i]) {
					t.Fatalf("accumulate n=%d: [%d] = %g", n, i, acc[i])
				}
			}
		}
	})
}

// TestExpAll walks over all of the range of exp in small steps.
func TestExpAll(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		x, y := make([]float32, 4096), make([]float32, 4096)
		worst := 0.0
		for lo := -110.0; lo < 92; lo += 4096 * 1e-3 {
			for i := range x {
				x[i] = float32(lo + float64(i)*1e-3)
			}
			ExpF32(nil, y, x)
			for i, v := range x {
				w := math.Exp(float64(v))
				if !near(y[i], w, 1.5, 0) {
					t.Fatalf("exp(%g) = %g, want %g", v, y[i], w)
				}
				if w > 1e-37 && w < 1e38 {
					worst = max(worst, math.Abs(float64(y[i])/w-1))
				}
			}
		}
		if worst > 1.2e-7 {
			t.Errorf("worst relative error %g", worst)
		}
	})
}

func BenchmarkElementwise(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	const n = elemChunk
	x, y, z, out := randF32(r, n), randF32(r, n), randF32(r, n), make([]float32, n)
	for _, c := range elemCases {
		for _, i := range ISAs() {
			restore, _ := ForceISA(i)
			b.Run(fmt.Sprintf("%s/%v", c.name, i), func(b *testing.B) {
				b.SetBytes(8 * n)
				for b.Loop() {
					c.run(nil, out, x, y, z)
				}
			})
			restore()
		}
	}
}
