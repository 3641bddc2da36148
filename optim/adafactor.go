package optim

import (
	"math"

	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	register(Info{
		Name: "adafactor", LR: 1e-2,
		Doc:    "Adafactor: mean squared gradients of rows and columns only, steps as long as the weights are",
		Source: "https://arxiv.org/abs/1804.04235 algorithms 4 and 5",
		make: func() Rule {
			return &adafactor{Power: 0.8, Eps1: 1e-30, Eps2: 1e-3, Clip: 1, Relative: true}
		},
	})
}

// adafactor is u ← û/max(1, rms(û)/d) with û = u/√v̂, and v̂ = r·c/Σr for a matrix, of the sums of u² + ε1 in its rows and columns, r ←
// β·r + (1−β)·Σ(u²+ε1), c likewise, β = 1 − t^−p; the mean of u² + ε1 itself for a parameter of one axis. Relative, the step is
// multiplied by max(ε2, rms(w)). With beta1 the result is averaged: u ← m ← β1·m + (1−β1)·u.
//
// Source: Shazeer and Stern, https://arxiv.org/abs/1804.04235, algorithms 4 (matrices), 5 (vectors) and 6 (the constants); the relative
// step ρ is the learning rate and its schedule. A parameter of more than two axes is a matrix whose rows are its first axis.
type adafactor struct {
	Power    float64 `opt:"decay-power" range:"(0, 1]" doc:"mean squared gradients of step t decay by 1 - t to the minus of this"`
	Eps1     float64 `opt:"adafactor-eps1" range:"[0, ∞)" doc:"added to squared gradients"`
	Eps2     float64 `opt:"adafactor-eps2" range:"[0, ∞)" doc:"least root mean square of the weights that a step is relative to"`
	Clip     float64 `opt:"clip-threshold" range:"(0, ∞)" doc:"limit of the root mean square of a step before the learning rate"`
	Relative bool    `opt:"relative-step" doc:"multiply steps by the root mean square of the weights"`
	Beta1    float64 `opt:"beta1" range:"[0, 1)" doc:"decay of the mean gradient"`
}

func (r *adafactor) Name() string    { return "adafactor" }
func (r *adafactor) Slots() []string { return []string{"r", "c", "v", "m"} }

// SlotShape is r and c for a matrix, v for what has one axis, and m with beta1.
func (r *adafactor) SlotShape(i int, s tensor.Shape) tensor.Shape {
	rows, cols := matrix(s)
	switch {
	case i == 0 && len(s) > 1:
		return tensor.Shape{rows}
	case i == 1 && len(s) > 1:
		return tensor.Shape{cols}
	case i == 2 && len(s) < 2, i == 3 && r.Beta1 != 0:
		return s
	}
	return tensor.Shape{0}
}

func (r *adafactor) Rewrite32(_ *parallel.Pool, _ Step, b *Block[float32]) { adafactorRewrite(r, b) }
func (r *adafactor) Rewrite64(_ *parallel.Pool, _ Step, b *Block[float64]) { adafactorRewrite(r, b) }

func adafactorRewrite[T Float](r *adafactor, b *Block[T]) {
	u := b.U
	if len(u) == 0 {
		return
	}
	beta := 1 - math.Pow(float64(b.T), -r.Power)
	b2, n2, eps := T(beta), T(1-beta), T(r.Eps1)
	if s := b.Param.W.Shape(); len(s) > 1 {
		factored(b.Slot[0], b.Slot[1], u, b.raw(), beta, r.Eps1)
	} else {
		v, raw := b.Slot[2], b.raw()
		for i, g := range u {
			v[i] = b2*v[i] + n2*(raw[i]*raw[i]+eps)
			u[i] = quotient(g, root(v[i]))
		}
	}
	rms := func(x []T) float64 { return math.Sqrt(sumSquares(x) / float64(len(x))) }
	c := 1 / max(1, rms(u)/r.Clip)
	if r.Relative {
		c *= max(r.Eps2, rms(b.W))
	}
	for i := range u {
		u[i] *= T(c)
	}
	if m := b.Slot[3]; r.Beta1 != 0 {
		b1, n1 := T(r.Beta1), T(1-r.Beta1)
		for i := range u {
			m[i] = b1*m[i] + n1*u[i]
		}
		copy(u, m)
	}
}

// factored updates the sums of rows and columns of raw² + ε and divides u by the root of their product. Sums are in double precision.
func factored[T Float](rows, cols, u, raw []T, beta, eps float64) {
	n := len(cols)
	colSum := make([]float64, n)
	total := 0.0
	for i := range rows {
		sum := 0.0
		for j, g := range raw[i*n : (i+1)*n] {
			x := float64(g)*float64(g) + eps
			sum += x
			colSum[j] += x
		}
		rows[i] = T(beta*float64(rows[i]) + (1-beta)*sum)
		total += float64(rows[i])
	}
	for j, s := range colSum {
		cols[j] = T(beta*float64(cols[j]) + (1-beta)*s)
		colSum[j] = math.Sqrt(float64(cols[j]) / total)
	}
	for i, r := range rows {
		row := u[i*n : (i+1)*n]
		left := math.Sqrt(float64(r))
		for j := range row {
			row[j] = T(quotient(float64(row[j]), left*colSum[j]))
		}
	}
}
