package kernel

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// cast is x in another type.
func cast[D, S Float](x []S) []D {
	y := make([]D, len(x))
	Convert(nil, y, x)
	return y
}

// checkGrad compares grad with central differences of f by x, both in float64.
func checkGrad(t *testing.T, name string, f func() float64, x, grad []float64) {
	t.Helper()
	const h = 1e-5
	for i := range x {
		old := x[i]
		x[i] = old + h
		up := f()
		x[i] = old - h
		down := f()
		x[i] = old
		if want := (up - down) / (2 * h); !(math.Abs(grad[i]-want) <= 1e-7*(1+math.Abs(want))) {
			t.Fatalf("%s: [%d] = %g, want %g", name, i, grad[i], want)
		}
	}
}

func TestLSTM(t *testing.T) {
	r := rand.New(rand.NewPCG(29, 30))
	sig := refSigmoid
	for _, c := range []struct {
		batch, hidden int
		peep, coupled bool
	}{{1, 1, false, false}, {3, 5, false, false}, {2, 17, true, false}, {2, 3, true, true}, {0, 4, false, false}, {70, 66, true, false}} {
		B, H := c.batch, c.hidden
		pre, cPrev, a, b := randOf[float64](r, 4*B*H), randOf[float64](r, B*H), randOf[float64](r, B*H), randOf[float64](r, B*H)
		var peep, dpeep []float64
		if c.peep {
			peep, dpeep = randOf[float64](r, 3*H), make([]float64, 3*H)
		}
		run := func(p *parallel.Pool) (h, cell, gates []float64) {
			h, cell, gates = make([]float64, B*H), make([]float64, B*H), append([]float64(nil), pre...)
			LSTMForward(p, h, cell, gates, cPrev, peep, B, H, c.coupled)
			return h, cell, gates
		}
		h, cell, gates := run(nil)
		for k := range h {
			g, j := pre[k/H*4*H+k%H:], k%H
			pi, po, pf := 0.0, 0.0, 0.0
			if peep != nil {
				pi, po, pf = peep[j], peep[H+j], peep[2*H+j]
			}
			i, f := sig(g[0]+pi*cPrev[k]), sig(g[2*H]+pf*cPrev[k])
			if c.coupled {
				f = 1 - i
			}
			cc := f*cPrev[k] + i*math.Tanh(g[3*H])
			hh := sig(g[H]+po*cc) * math.Tanh(cc)
			if math.Abs(h[k]-hh) > 1e-12 || math.Abs(cell[k]-cc) > 1e-12 {
				t.Fatalf("%+v [%d]: h %g c %g, want %g %g", c, k, h[k], cell[k], hh, cc)
			}
		}
		dg, dc := make([]float64, 4*B*H), make([]float64, B*H)
		LSTMBackward(nil, dg, dc, dpeep, gates, cell, cPrev, peep, a, b, B, H, c.coupled)
		if B*H < 100 {
			loss := func() float64 {
				h, cell, _ := run(nil)
				return plainDot(h, a) + plainDot(cell, b)
			}
			checkGrad(t, "gates", loss, pre, dg)
			checkGrad(t, "cPrev", loss, cPrev, dc)
			if peep != nil {
				checkGrad(t, "peep", loss, peep, dpeep)
			}
		}
		eachISA(t, func(t *testing.T) {
			for _, p := range pools(t) {
				var peep32, dpeep32 []float32
				if peep != nil {
					peep32, dpeep32 = cast[float32](peep), make([]float32, 3*H)
				}
				g32, h32, c32, prev32 := cast[float32](pre), make([]float32, B*H), make([]float32, B*H), cast[float32](cPrev)
				LSTMForward(p, h32, c32, g32, prev32, peep32, B, H, c.coupled)
				closeTo(t, "h", h32, h, 2e-6)
				closeTo(t, "c", c32, cell, 2e-6)
				d32 := cast[float32](b)
				LSTMBackward(p, g32, d32, dpeep32, g32, c32, prev32, peep32, cast[float32](a), d32, B, H, c.coupled)
				closeTo(t, "dgates", g32, dg, 4e-6)
				closeTo(t, "dc", d32, dc, 4e-6)
				if peep != nil {
					closeTo(t, "dpeep", dpeep32, dpeep, 4e-6)
				}
			}
		})
	}
}

// TestGRU goes through both forms with a recurrence matrix for the third gate, as an operator does.
func TestGRU(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	for _, linear := range []bool{false, true} {
		for _, s := range [][2]int{{1, 1}, {3, 5}, {2, 9}} {
			B, H := s[0], s[1]
			pre, prev, a, w := randOf[float64](r, 3*B*H), randOf[float64](r, B*H), randOf[float64](r, B*H), randOf[float64](r, H*H)
			// out[b,j] (+)= Σ x[b,k] w[k,j], or its transpose.
			product := func(x []float64, transposed bool) []float64 {
				out := make([]float64, B*H)
				for b := range B {
					for k := range H {
						for j := range H {
							if transposed {
								out[b*H+j] += x[b*H+k] * w[j*H+k]
							} else {
								out[b*H+j] += x[b*H+k] * w[k*H+j]
							}
						}
					}
				}
				return out
			}
			run := func() (h, gates, rec []float64) {
				h, gates = make([]float64, B*H), append([]float64(nil), pre...)
				if linear {
					rec = product(prev, false)
					GRULinear(nil, h, gates, rec, prev, B, H)
					return h, gates, rec
				}
				rh := make([]float64, B*H)
				GRUReset(nil, rh, gates, prev, B, H)
				for k, v := range product(rh, false) {
					gates[k/H*3*H+2*H+k%H] += v
				}
				GRUOutput(nil, h, gates, prev, B, H)
				return h, gates, nil
			}
			h, gates, rec := run()
			for b := range B {
				for j := range H {
					z := refSigmoid(pre[b*3*H+j])
					s := 0.0
					for k := range H {
						x := prev[b*H+k]
						if !linear {
							x *= refSigmoid(pre[b*3*H+H+k])
						}
						s += x * w[k*H+j]
					}
					if linear {
						s *= refSigmoid(pre[b*3*H+H+j])
					}
					want := (1-z)*math.Tanh(pre[b*3*H+2*H+j]+s) + z*prev[b*H+j]
					if math.Abs(h[b*H+j]-want) > 1e-12 {
						t.Fatalf("linear=%v %v: %g, want %g", linear, s, h[b*H+j], want)
					}
				}
			}
			dg, dprev := make([]float64, 3*B*H), make([]float64, B*H)
			GRUOutputGrad(nil, dg, dprev, gates, prev, a, B, H)
			third := make([]float64, B*H)
			if linear {
				GRULinearGrad(nil, dg, third, gates, rec, B, H)
				for k, v := range product(third, true) {
					dprev[k] += v
				}
			} else {
				for k := range third {
					third[k] = dg[k/H*3*H+2*H+k%H]
				}
				GRUResetGrad(nil, dg, dprev, gates, prev, product(third, true), B, H)
			}
			loss := func() float64 {
				h, _, _ := run()
				return plainDot(h, a)
			}
			checkGrad(t, "gates", loss, pre, dg)
			checkGrad(t, "hPrev", loss, prev, dprev)
		}
	}
}

func TestGRUF32(t *testing.T) {
	r := rand.New(rand.NewPCG(33, 34))
	const B, H = 60, 99
	gates, rec, prev := randOf[float64](r, 3*B*H), randOf[float64](r, B*H), randOf[float64](r, B*H)
	g, h := append([]float64(nil), gates...), make([]float64, B*H)
	GRULinear(nil, h, g, rec, prev, B, H)
	dg, drec, dprev := make([]float64, 3*B*H), make([]float64, B*H), make([]float64, B*H)
	GRUOutputGrad(nil, dg, dprev, g, prev, rec, B, H)
	GRULinearGrad(nil, dg, drec, g, rec, B, H)
	eachISA(t, func(t *testing.T) {
		for _, p := range pools(t) {
			rec, prev := cast[float32](rec), cast[float32](prev)
			g32, h32 := cast[float32](gates), make([]float32, B*H)
			GRULinear(p, h32, g32, rec, prev, B, H)
			closeTo(t, "h", h32, h, 2e-6)
			dg32, drec32, dprev32 := make([]float32, 3*B*H), make([]float32, B*H), make([]float32, B*H)
			GRUOutputGrad(p, dg32, dprev32, g32, prev, rec, B, H)
			GRULinearGrad(p, dg32, drec32, g32, rec, B, H)
			closeTo(t, "dgates", dg32, dg, 4e-6)
			closeTo(t, "drec", drec32, drec, 4e-6)
			closeTo(t, "dprev", dprev32, dprev, 4e-6)
		}
	})
}
