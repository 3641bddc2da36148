package denoise

// Noise2Noise learns from a second noisy version of each picture, the mean of which is the clean one: a control.
//
// Source: Lehtinen et al. 2018 (arXiv 1803.04189).
type Noise2Noise struct{}

func init() {
	objectives.Register("noise2noise", func() Objective { return &Noise2Noise{} },
		"a second noisy version of each picture: a control", "https://arxiv.org/abs/1803.04189")
}

// Means is the residual.
func (*Noise2Noise) Means() string { return Residual }

// Rows is one.
func (*Noise2Noise) Rows() int { return 1 }

// Wants is the second version.
func (*Noise2Noise) Wants() Want { return WantSecond }

// Redraws is false: of a picture there are two noisy versions.
func (*Noise2Noise) Redraws() bool { return false }

// Fill compares with the other version.
func (*Noise2Noise) Fill(p *Patch) { p.against(p.Second) }
