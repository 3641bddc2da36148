package optim

// ScheduleFree is the averaging of Schedule-Free learning: z ← z − γ·u, x ← (1−c)·x + c·z and w ← (1−β)·z + β·x, where the gradient was
// taken at w, γ is the learning rate, c the share of the step in the sum of the squares of the largest γ so far, and z and x start as
// the weights. The average x is what is measured and kept. It is the last rule of a chain that moves weights, and what comes before is
// part of its step.
//
// Source: Defazio et al., https://arxiv.org/abs/2405.15682, algorithm 1 and equation 23, with the largest γ in the weights of
// https://github.com/facebookresearch/schedule_free. Learning rates should be constant after a warm-up.
func ScheduleFree(beta float64) Averaging { return &scheduleFree{beta: beta} }

type scheduleFree struct {
	beta          float64
	weight, maxLR float64 // sum of the weights of all steps, and the largest learning rate
}

func (r *scheduleFree) Name() string    { return "average" }
func (r *scheduleFree) Slots() []string { return []string{"z", "x"} }
func (r *scheduleFree) Average() string { return "x" }
func (r *scheduleFree) Means() []string { return nil }
func (r *scheduleFree) Memory() []Number {
	return []Number{{"weight", &r.weight}, {"max-lr", &r.maxLR}}
}

// Total counts the step.
func (r *scheduleFree) Total(s Step, _ []float64) {
	r.maxLR = max(r.maxLR, s.LR)
	r.weight += r.maxLR * r.maxLR
}

// share is c of a step that is not counted yet.
func (r *scheduleFree) share(s Step) float64 {
	w := max(r.maxLR, s.LR)
	if w *= w; w > 0 {
		return w / (r.weight + w)
	}
	return 0
}

func (r *scheduleFree) Update32(s Step, b *Block[float32]) { scheduleFreeUpdate(r, s, b) }
func (r *scheduleFree) Update64(s Step, b *Block[float64]) { scheduleFreeUpdate(r, s, b) }
func (r *scheduleFree) Finish32(_ Step, b *Block[float32]) { scheduleFreeFinish(r, b) }
func (r *scheduleFree) Finish64(_ Step, b *Block[float64]) { scheduleFreeFinish(r, b) }

func scheduleFreeUpdate[T Float](r *scheduleFree, s Step, b *Block[T]) {
	startAt(b, 0)
	startAt(b, 1)
	lr, c := T(s.LR), T(r.share(s))
	u := b.U
	z, x := b.Slot[0][:len(u)], b.Slot[1][:len(u)]
	for i, g := range u {
		z[i] -= lr * g
		x[i] += c * (z[i] - x[i])
		u[i] = 0 // Finish sets the weights
	}
}

func scheduleFreeFinish[T Float](r *scheduleFree, b *Block[T]) {
	beta, rest := T(r.beta), T(1-r.beta)
	w := b.W
	z, x := b.Slot[0][:len(w)], b.Slot[1][:len(w)]
	for i := range w {
		w[i] = rest*z[i] + beta*x[i]
	}
}
