package optim

import "math"

func init() {
	register(Info{
		Name: "prodigy", LR: 1,
		Doc:    "Prodigy: Adam that finds its own learning rate, which multiplies the given one",
		Source: "https://arxiv.org/abs/2306.06101 algorithm 4",
		make:   func() Rule { return &prodigy{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, Start: 1e-6} },
	})
}

// prodigy is u ← d·m/(√v + d·ε) with m ← β1·m + (1−β1)·d·u, v ← β2·v + (1−β2)·d²·u², and after each step d ← max(d, r/‖s‖₁) with
// r ← √β2·r + (1−√β2)·γ·d²·⟨u, w₀−w⟩ and s ← √β2·s + (1−√β2)·γ·d²·u over all parameters, where w₀ is w before the first step and γ the
// learning rate. d, an estimate of the distance to go, is reported as "prodigy.d".
//
// Source: Mishchenko and Defazio, https://arxiv.org/abs/2306.06101, algorithm 4. There is no correction for the zeros at the start, as
// there.
type prodigy struct {
	Beta1 float64 `opt:"beta1" range:"[0, 1)" doc:"decay of the mean gradient"`
	Beta2 float64 `opt:"beta2" range:"[0, 1)" doc:"decay of the mean squared gradient"`
	Eps   float64 `opt:"eps" range:"[0, ∞)" doc:"added to the denominator"`
	Start float64 `opt:"prodigy-start" range:"(0, ∞)" doc:"first estimate of the distance to go"`

	d, r float64 // d is 0 before the first step
}

func (r *prodigy) Name() string               { return "prodigy" }
func (r *prodigy) Slots() []string            { return []string{"m", "v", "s", "start"} }
func (r *prodigy) Means() []string            { return []string{"alignment", "s"} }
func (r *prodigy) Memory() []Number           { return []Number{{"d", &r.d}, {"r", &r.r}} }
func (r *prodigy) Measure() (string, float64) { return "d", r.d }

// Total makes the estimate of the next step.
func (r *prodigy) Total(_ Step, totals []float64) {
	b3 := math.Sqrt(r.Beta2)
	r.r = b3*r.r + (1-b3)*totals[0]
	r.d = r.estimate()
	if totals[1] > 0 {
		r.d = max(r.d, r.r/totals[1])
	}
}

// estimate is d of the present step.
func (r *prodigy) estimate() float64 {
	if r.d == 0 {
		return r.Start
	}
	return r.d
}

func (r *prodigy) Update32(s Step, b *Block[float32]) { prodigyUpdate(r, s, b) }
func (r *prodigy) Update64(s Step, b *Block[float64]) { prodigyUpdate(r, s, b) }

func prodigyUpdate[T Float](r *prodigy, st Step, b *Block[T]) {
	startAt(b, 3)
	d := r.estimate()
	b3 := math.Sqrt(r.Beta2)
	b1, n1, b2, n2 := T(r.Beta1), T((1-r.Beta1)*d), T(r.Beta2), T((1-r.Beta2)*d*d)
	s3, ns := T(b3), T((1-b3)*st.LR*d*d)
	dT, eps := T(d), T(d*r.Eps)
	u, raw, w := b.U, b.raw(), b.W
	m, v, s, start := b.Slot[0][:len(u)], b.Slot[1][:len(u)], b.Slot[2][:len(u)], b.Slot[3][:len(u)]
	var align, size float64
	for i, g := range u {
		m[i] = b1*m[i] + n1*g
		v[i] = b2*v[i] + n2*raw[i]*raw[i]
		s[i] = s3*s[i] + ns*g
		align += float64(g) * float64(start[i]-w[i])
		size += math.Abs(float64(s[i]))
		u[i] = quotient(dT*m[i], root(v[i])+eps)
	}
	b.Sum[0] += st.LR * d * d * align
	b.Sum[1] += size
}
