package probe

func init() {
	rules.Register("adam-clip", func() Rule { return &AdamClip{Fraction: 0.5, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, First: 1} },
		"Adam whose mean gradient is of clipped gradients, the mean square of those as they are: adam-clip:0.5",
		"https://github.com/panyan7/adam-vs-sgd torch_optimizer/adam_clip.py")
}

// AdamClip is Adam with m of gradients clipped as by Clip, and v of the gradients as they are.
type AdamClip struct {
	Fraction float64 `opt:"fraction" doc:"share of the coordinates that are clipped"`
	Beta1    float64 `opt:"beta1" doc:"decay of the mean clipped gradient"`
	Beta2    float64 `opt:"beta2" doc:"decay of the mean squared gradient"`
	Eps      float64 `opt:"eps" doc:"added to the denominator"`
	First    int     `opt:"first" doc:"t of the first step: 1, or 2 as in the code of the paper"`
}

func (*AdamClip) first() string { return "fraction" }

// Start is Adam without memory yet.
func (r *AdamClip) Start(s *Space) (Direction, error) {
	if err := fraction(r.Fraction); err != nil {
		return nil, err
	}
	return (&Adam{r.Beta1, r.Beta2, r.Eps, r.First}).start(s, r.Fraction)
}
