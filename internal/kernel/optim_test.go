package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestOptim(t *testing.T) {
	const n, steps = elemChunk + 37, 3
	a := Adam{Beta1: 0.9, Beta2: 0.99, Eps: 1e-3}
	adam := func(g, m, v float64, t int) (u, m2, v2 float64) {
		m = a.Beta1*m + (1-a.Beta1)*g
		v = a.Beta2*v + (1-a.Beta2)*g*g
		return m / (1 - math.Pow(a.Beta1, float64(t))) / (math.Sqrt(v/(1-math.Pow(a.Beta2, float64(t)))) + a.Eps), m, v
	}
	type (
		update = func(u []float32, st [3][]float32, t int)
		plain  = func(u float64, st *[3]float64, t int) float64
	)
	momentum := func(nesterov bool) (update, plain) {
		s := SGD{Momentum: 0.9, Dampening: 0.25, Nesterov: nesterov}
		return func(u []float32, st [3][]float32, t int) {
				s := s
				s.First = t == 1
				MomentumF32(st[0], u, s)
			}, func(u float64, st *[3]float64, t int) float64 {
				st[0] = s.Momentum*st[0] + (1-s.Dampening)*u
				if t == 1 {
					st[0] = u
				}
				if nesterov {
					return u + s.Momentum*st[0]
				}
				return st[0]
			}
	}
	heavy, heavyRef := momentum(false)
	nag, nagRef := momentum(true)
	for _, c := range []struct {
		name string
		to   update
		ref  plain
	}{
		{"momentum", heavy, heavyRef}, {"nesterov", nag, nagRef},
		{"adam", func(u []float32, st [3][]float32, t int) {
			a := a
			a.T = t
			AdamF32(u, st[0], st[1], a)
		}, func(u float64, st *[3]float64, t int) float64 {
			u, st[0], st[1] = adam(u, st[0], st[1], t)
			return u
		}},
		{"diffgrad", func(u []float32, st [3][]float32, t int) {
			a := a
			a.T = t
			DiffGradF32(u, st[0], st[1], st[2], a)
		}, func(u float64, st *[3]float64, t int) float64 {
			_, st[0], st[1] = adam(u, st[0], st[1], t)
			xi := 1 / (1 + math.Exp(-math.Abs(st[2]-u)))
			st[2] = u
			return math.Sqrt(1-math.Pow(a.Beta2, float64(t))) / (1 - math.Pow(a.Beta1, float64(t))) * st[0] * xi / (math.Sqrt(st[1]) +
				a.Eps)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachISA(t, func(t *testing.T) {
				r := rand.New(rand.NewPCG(27, 28))
				state := make([][3]float64, n)
				st := [3][]float32{make([]float32, n), make([]float32, n), make([]float32, n)}
				for k := 1; k <= steps; k++ {
					u := randF32(r, n)
					in := to64(u)
					c.to(u, st, k)
					for i, v := range u {
						if w := c.ref(in[i], &state[i], k); !(math.Abs(float64(v)-w) <= 4e-6*(1+math.Abs(w))) {
							t.Fatalf("step %d [%d] = %g, want %g", k, i, v, w)
						}
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
