package optim

import "math"

func init() {
	register(Info{
		Name: "asgd", LR: 0.01,
		Doc:    "averaged gradient descent: the mean of the weights from step asgd-start on is measured and kept",
		Source: "https://pytorch.org/docs/stable/generated/torch.optim.ASGD.html",
		make:   func() Rule { return &asgd{Lambda: 1e-4, Power: 0.75, Start: 1e6} },
	})
}

// asgd is u ← (u + λ·w)/(1 + λ·γ·(t−1))^p with the learning rate γ, without λ·w for parameters that do not decay. Of the weights after
// steps beyond asgd-start it keeps the mean, before that the weights.
//
// Source: Polyak and Juditsky, https://doi.org/10.1137/0330046, in the form of
// https://pytorch.org/docs/stable/generated/torch.optim.ASGD.html, where λ is lambd, p alpha and asgd-start t0.
type asgd struct {
	Lambda float64 `opt:"asgd-lambda" range:"[0, ∞)" doc:"share of the weights that is added to the gradient, and decay of the rate"`
	Power  float64 `opt:"asgd-power" range:"[0, ∞)" doc:"power of the decay of the rate"`
	Start  float64 `opt:"asgd-start" range:"[0, ∞)" doc:"steps before the mean of the weights begins"`
}

func (r *asgd) Name() string                       { return "asgd" }
func (r *asgd) Slots() []string                    { return []string{"average"} }
func (r *asgd) Average() string                    { return "average" }
func (r *asgd) Update32(s Step, b *Block[float32]) { asgdUpdate(r, s, b) }
func (r *asgd) Update64(s Step, b *Block[float64]) { asgdUpdate(r, s, b) }
func (r *asgd) Finish32(_ Step, b *Block[float32]) { asgdFinish(r, b) }
func (r *asgd) Finish64(_ Step, b *Block[float64]) { asgdFinish(r, b) }

func asgdUpdate[T Float](r *asgd, s Step, b *Block[T]) {
	c, lambda := T(math.Pow(1+r.Lambda*s.LR*float64(b.T-1), -r.Power)), T(r.Lambda)
	if !b.Param.Decay {
		lambda = 0
	}
	w := b.W[:len(b.U)]
	for i, g := range b.U {
		b.U[i] = c * (g + lambda*w[i])
	}
}

func asgdFinish[T Float](r *asgd, b *Block[T]) {
	share := T(1 / max(1, float64(b.T-1)-r.Start))
	avg := b.Slot[0][:len(b.W)]
	for i, w := range b.W {
		avg[i] += share * (w - avg[i])
	}
}
