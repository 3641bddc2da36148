package kernel

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

func TestOptim(t *testing.T) {
	const n, steps = elemChunk + 37, 3
	a := Adam{Beta1: 0.9, Beta2: 0.99, Eps: 1e-3, LR: 0.1, Coupled: 0.01, Decoupled: 0.05}
	s := SGD{LR: 0.1, Momentum: 0.9, Dampening: 0.25, Decay: 0.01}
	adam := func(g, m, v float64, t int) (u, m2, v2 float64) {
		m = a.Beta1*m + (1-a.Beta1)*g
		v = a.Beta2*v + (1-a.Beta2)*g*g
		return m / (1 - math.Pow(a.Beta1, float64(t))) / (math.Sqrt(v/(1-math.Pow(a.Beta2, float64(t)))) + a.Eps), m, v
	}
	sgd := func(nesterov bool) (func(p *parallel.Pool, w, g []float32, st [3][]float32, t int), func(w, g float64, st *[3]float64, t int) float64) {
		s := s
		s.Nesterov = nesterov
		return func(p *parallel.Pool, w, g []float32, st [3][]float32, t int) {
				s := s
				s.First = t == 1
				SGDStepF32(p, w, g, st[0], s)
			}, func(w, g float64, st *[3]float64, t int) float64 {
				u := g + s.Decay*w
				st[0] = s.Momentum*st[0] + (1-s.Dampening)*u
				if t == 1 {
					st[0] = u
				}
				if nesterov {
					return w - s.LR*(u+s.Momentum*st[0])
				}
				return w - s.LR*st[0]
			}
	}
	heavy, heavyRef := sgd(false)
	nag, nagRef := sgd(true)
	for _, c := range []struct {
		name string
		step func(p *parallel.Pool, w, g []float32, st [3][]float32, t int)
		ref  func(w, g float64, st *[3]float64, t int) float64
	}{
		{"plain", func(p *parallel.Pool, w, g []float32, st [3][]float32, t int) {
			SGDStepF32(p, w, g, nil, SGD{LR: 0.1, Decay: 0.5})
		}, func(w, g float64, st *[3]float64, t int) float64 { return w - 0.1*(g+0.5*w) }},
		{"momentum", heavy, heavyRef}, {"nesterov", nag, nagRef},
		{"adam", func(p *parallel.Pool, w, g []float32, st [3][]float32, t int) {
			a := a
			a.T = t
			AdamStepF32(p, w, g, st[0], st[1], a)
		}, func(w, g float64, st *[3]float64, t int) float64 {
			var u float64
			u, st[0], st[1] = adam(g+a.Coupled*w, st[0], st[1], t)
			return (1-a.LR*a.Decoupled)*w - a.LR*u
		}},
		{"adam direction", func(p *parallel.Pool, w, g []float32, st [3][]float32, t int) {
			u, a := append([]float32(nil), g...), a
			a.T = t
			AdamF32(u, st[0], st[1], a)
			AxpyF32(p, w, u, -1)
		}, func(w, g float64, st *[3]float64, t int) float64 {
			var u float64
			u, st[0], st[1] = adam(g, st[0], st[1], t)
			return w - u
		}},
		{"diffgrad", func(p *parallel.Pool, w, g []float32, st [3][]float32, t int) {
			a := a
			a.T = t
			DiffGradStepF32(p, w, g, st[0], st[1], st[2], a)
		}, func(w, g float64, st *[3]float64, t int) float64 {
			g += a.Coupled * w
			_, st[0], st[1] = adam(g, st[0], st[1], t)
			xi := 1 / (1 + math.Exp(-math.Abs(st[2]-g)))
			st[2] = g
			lr := a.LR * math.Sqrt(1-math.Pow(a.Beta2, float64(t))) / (1 - math.Pow(a.Beta1, float64(t)))
			return (1-a.LR*a.Decoupled)*w - lr*st[0]*xi/(math.Sqrt(st[1])+a.Eps)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ps := pools(t)
			eachISA(t, func(t *testing.T) {
				var first []float32
				for _, p := range ps {
					r := rand.New(rand.NewPCG(27, 28))
					w := randF32(r, n)
					ref, state := to64(w), make([][3]float64, n)
					st := [3][]float32{make([]float32, n), make([]float32, n), make([]float32, n)}
					for k := 1; k <= steps; k++ {
						g := randF32(r, n)
						c.step(p, w, g, st, k)
						for i := range ref {
							ref[i] = c.ref(ref[i], float64(g[i]), &state[i], k)
						}
					}
					for i, v := range w {
						if !(math.Abs(float64(v)-ref[i]) <= 4e-6*(1+math.Abs(ref[i]))) {
							t.Fatalf("[%d] = %g, want %g", i, v, ref[i])
						}
					}
					if first == nil {
						first = w
					}
					if !sameBits(first, w) {
						t.Fatal("depends on the threads")
					}
				}
			})
		})
	}
}

// TestDiffGradFirstStep has the closed form m̂/√v̂ = ±1 (up to Eps, which is added to √v),
// times ξ = σ(|g|).
func TestDiffGradFirstStep(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		g := []float32{1.5, -1, 0.05, 0}
		u := append([]float32(nil), g...)
		m, v, prev := make([]float32, 4), make([]float32, 4), make([]float32, 4)
		DiffGradF32(u, m, v, prev, Adam{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, T: 1})
		for i, x := range g {
			want := 0.0
			if x != 0 {
				xi := 1 / (1 + math.Exp(-math.Abs(float64(x))))
				want = math.Copysign(xi, float64(x))
			}
			if !(math.Abs(float64(u[i])-want) <= 1e-5) || prev[i] != x {
				t.Errorf("g = %g: %g, want %g", x, u[i], want)
			}
		}
	})
}
