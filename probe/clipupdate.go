package probe

func init() {
	rules.Register("clip-update", func() Rule { return &ClipUpdate{Fraction: 0.1, Momentum: 0.9} },
		"sgd whose step, not the gradient, has its largest coordinates clipped: clip-update:0.1", "https://arxiv.org/abs/2306.00204")
}

// ClipUpdate is the step of SGD with its largest coordinates clipped, as Clip does it to gradients.
type ClipUpdate struct {
	Fraction float64 `opt:"fraction" doc:"share of the coordinates that are clipped"`
	Momentum float64 `opt:"momentum" doc:"decay of the running mean of the gradient"`
}

func (*ClipUpdate) first() string { return "fraction" }

// Start is a descent without memory yet.
func (r *ClipUpdate) Start(s *Space) (Direction, error) {
	if err := fraction(r.Fraction); err != nil {
		return nil, err
	}
	d, err := (&SGD{r.Momentum}).Start(s)
	if err != nil {
		return nil, err
	}
	return &clipUpdate{d.(*sgd), clipper{s: s, c: r.Fraction}}, nil
}

type clipUpdate struct {
	*sgd
	clipper
}

func (d *clipUpdate) Next(g, v []float64) {
	d.sgd.Next(g, v)
	tau := d.tau(v)
	for i, x := range v {
		v[i] = clipped(x, tau)
	}
}
