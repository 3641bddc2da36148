package optim

import "math"

func init() {
	register(Info{
		Name: "schedulefree-adamw", LR: 2.5e-3, Schedule: "constant", Decoupled: true,
		Doc:    "Schedule-Free AdamW: an average of the weights in place of a falling learning rate",
		Source: "https://arxiv.org/abs/2405.15682 algorithm 1",
		make:   func() Rule { return &scheduleFreeAdamW{Average: 0.9, Beta2: 0.999, Eps: 1e-8} },
	})
}

// scheduleFreeAdamW is u ← u/(√v̂ + ε) with v̂ as Adam's, then decoupled weight decay at the point where the gradient was taken, then
// [ScheduleFree].
//
// Source: Defazio et al., https://arxiv.org/abs/2405.15682, algorithm 1, where the share of the average is β1. The correction for the
// zeros at the start is that of v, as in the later versions of the authors' code, not of the learning rate and so of the weights of the
// average.
type scheduleFreeAdamW struct {
	Average float64 `opt:"averaging" range:"[0, 1]" doc:"share of the average in the point at which gradients are taken"`
	Beta2   float64 `opt:"beta2" range:"[0, 1)" doc:"decay of the mean squared gradient"`
	Eps     float64 `opt:"eps" range:"[0, ∞)" doc:"added to the denominator"`
}

func (r *scheduleFreeAdamW) Name() string                       { return "schedulefree-adamw" }
func (r *scheduleFreeAdamW) Slots() []string                    { return []string{"v"} }
func (r *scheduleFreeAdamW) Update32(_ Step, b *Block[float32]) { normalise(r, b) }
func (r *scheduleFreeAdamW) Update64(_ Step, b *Block[float64]) { normalise(r, b) }

func (r *scheduleFreeAdamW) parts(decay []Rule) []Rule {
	return append(append([]Rule{r}, decay...), ScheduleFree(r.Average))
}

func normalise[T Float](r *scheduleFreeAdamW, b *Block[T]) {
	c2, eps := T(1/math.Sqrt(1-math.Pow(r.Beta2, float64(b.T)))), T(r.Eps)
	b2, n2 := T(r.Beta2), T(1-r.Beta2)
	u, raw := b.U, b.raw()
	v := b.Slot[0][:len(u)]
	for i, g := range u {
		v[i] = b2*v[i] + n2*raw[i]*raw[i]
		u[i] = quotient(g, c2*root(v[i])+eps)
	}
}
