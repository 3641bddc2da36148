package probe

func init() {
	rules.Register("sign", func() Rule { return &Sign{Momentum: 0.9} }, "sign descent: minus the signs of the running mean of the gradient",
		"https://arxiv.org/abs/1802.04434 (signSGD, Signum)")
}

// Sign is −sign(m) with the running mean m of the gradient; zeros stay.
type Sign struct {
	Momentum float64 `opt:"momentum" doc:"decay of the running mean of the gradient; 0 takes the signs of the last one"`
}

// Start is a descent without memory yet.
func (r *Sign) Start(s *Space) (Direction, error) {
	d, err := (&SGD{r.Momentum}).Start(s)
	if err != nil {
		return nil, err
	}
	return &sign{d.(*sgd)}, nil
}

type sign struct{ *sgd }

func (d *sign) Next(g, v []float64) {
	d.sgd.Next(g, v)
	for i, x := range v {
		switch {
		case x > 0:
			v[i] = 1
		case x < 0:
			v[i] = -1
		}
	}
}
