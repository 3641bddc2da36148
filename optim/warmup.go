package optim

// Warmup rises linearly over the first Steps steps to the rate at which Then starts, and then follows Then
// over what is left of the training.
//
// Source: Goyal et al., https://arxiv.org/abs/1706.02677, section 2.2 (gradual warm-up), from 1/Steps of the rate rather than from a
// given one.
type Warmup struct {
	Steps int
	Then  Schedule
}

// LR is step/Steps of the first rate of Then during warm-up.
func (w Warmup) LR(step, total int) float64 {
	left := max(total-w.Steps, 1)
	if step <= w.Steps {
		return w.Then.LR(1, left) * float64(step) / float64(w.Steps)
	}
	return w.Then.LR(step-w.Steps, left)
}

// Begin begins Then.
func (w Warmup) Begin(t Timing) (Schedule, error) {
	t.Total = max(t.Total-w.Steps, 1)
	then, err := Begin(w.Then, t)
	return Warmup{Steps: w.Steps, Then: then}, err
}

// See shows it to Then.
func (w Warmup) See(o Outcome) {
	if v, ok := w.Then.(Watcher); ok {
		o.Step = max(0, o.Step-w.Steps)
		v.See(o)
	}
}
