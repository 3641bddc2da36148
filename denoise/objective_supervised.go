package denoise

// Supervised learns what is to be added to a noisy picture from clean ones: the control that knows what the others do not.
type Supervised struct{}

func init() {
	objectives.Register("supervised", func() Objective { return &Supervised{} },
		"the clean pictures, which must be there: a control", "https://arxiv.org/abs/1608.03981")
}

// Means is the residual.
func (*Supervised) Means() string { return Residual }

// Rows is one.
func (*Supervised) Rows() int { return 1 }

// Wants is the clean picture.
func (*Supervised) Wants() Want { return WantClean }

// Redraws is true: clean pictures can be made noisy as often as one likes.
func (*Supervised) Redraws() bool { return true }

// Fill compares with the clean picture.
func (*Supervised) Fill(p *Patch) { p.against(p.Clean) }

// against has the residual be compared with that of x.
func (p *Patch) against(x []float32) {
	copy(p.Input[0], p.Noisy)
	for i, y := range p.Noisy {
		p.Weight[0][i] = 1
		p.Target[0][i] = x[i] - y
	}
}
