package optim

import "math"

func init() {
	register(Info{
		Name: "rprop", LR: 0.01, Schedule: "constant",
		Doc:    "Rprop: the sign of the gradient, by steps that grow while it stays and shrink when it turns; for full batches",
		Source: "https://doi.org/10.1109/ICNN.1993.298623",
		make:   func() Rule { return &rprop{Grow: 1.2, Shrink: 0.5, Least: 1e-6, Most: 50} },
	})
}

// rprop is u ← sign(u)·s, where s, 1 at first, is multiplied by η⁺ where u has the sign that it had in the step before, and by η⁻ where
// it has the other; there u ← 0, and it counts as 0 in the next step. s times the learning rate stays within bounds.
//
// Source: Riedmiller and Braun, https://doi.org/10.1109/ICNN.1993.298623, in the form of
// https://pytorch.org/docs/stable/generated/torch.optim.Rprop.html, where s starts as the learning rate; here it multiplies all steps,
// so that a schedule has an effect.
type rprop struct {
	Grow   float64 `opt:"rprop-grow" range:"(1, ∞)" doc:"factor of rprop's steps where the gradient keeps its sign"`
	Shrink float64 `opt:"rprop-shrink" range:"(0, 1)" doc:"factor of rprop's steps where the gradient changes its sign"`
	Least  float64 `opt:"rprop-least" range:"[0, ∞)" doc:"shortest step of rprop"`
	Most   float64 `opt:"rprop-most" range:"(0, ∞)" doc:"longest step of rprop"`
}

func (r *rprop) Name() string                       { return "rprop" }
func (r *rprop) Slots() []string                    { return []string{"prev", "step"} }
func (r *rprop) Update32(s Step, b *Block[float32]) { rpropUpdate(r, s, b) }
func (r *rprop) Update64(s Step, b *Block[float64]) { rpropUpdate(r, s, b) }

func rpropUpdate[T Float](r *rprop, s Step, b *Block[T]) {
	grow, shrink := T(r.Grow), T(r.Shrink)
	lo, hi := T(0), T(math.Inf(1))
	if s.LR > 0 {
		lo, hi = T(r.Least/s.LR), T(r.Most/s.LR)
	}
	u := b.U
	prev, step := b.Slot[0][:len(u)], b.Slot[1][:len(u)]
	if b.T == 1 {
		fill(step, 1)
	}
	for i, g := range u {
		switch sign(g) * sign(prev[i]) {
		case 1:
			step[i] *= grow
		case -1:
			step[i] *= shrink
			g = 0
		}
		step[i] = max(lo, min(hi, step[i]))
		prev[i] = g
		u[i] = sign(g) * step[i]
	}
}
