package denoise

// Noise2Score learns the score ∇ log p(z) of noisy pictures alone by AR-DAE,
//
//	L = E ‖σ_a·s(z + σ_a·u) + u‖², u ~ N(0, I),
//
// while σ_a falls. What it learns is the score of pictures with that much more noise, so that σ_a has to become small; but then the loss
// is nearly all noise of u. Two rows with u and −u have the same loss on average and differ in a gradient that stays of order σ_a:
// without pairs, which is the paper's form, learning is much slower. s is f/v, v the variance of the noise, unless plain asks for s = f.
//
// Each pixel of the loss is weighted by v over its value at the mean of the pictures, squared (Parameters.Even): a weight that depends on
// what the network is shown alone leaves what it is to give as it is. Without it dark pixels of Poisson and Gamma noise, whose scores
// are large, are nearly all of the loss, and with it an error of f counts the same wherever it is.
//
// Source: arXiv 2106.07009 section 3.1; AR-DAE is Lim et al. 2020 (arXiv 2006.05164). Deviations: the annealing goes by the steps of the
// whole training, over its first Over of them, where the authors' code begins anew with each epoch, and goes by the deviation of the
// noise; antithetic pairs; the form of s. noise2score:pairs=false:plain=true:max=0:min=0:over=0 is the paper's form, but for where the
// annealing begins anew.
type Noise2Score struct {
	Pairs bool    `opt:"pairs" doc:"add u and -u to each patch: the same loss with less noise"`
	Plain bool    `opt:"plain" doc:"the network gives the score itself, as in the paper, not what is to be added"`
	Max   float64 `opt:"max" doc:"deviation of what is added at first, as a share of that of the noise; 0: the paper's" range:"[0, ∞)"`
	Min   float64 `opt:"min" doc:"... and in the end; 0: the paper's" range:"[0, ∞)"`
	Over  float64 `opt:"over" doc:"share of the training over which it falls; 0: the paper's 22,000 examples" range:"[0, 1]"`
}

func init() {
	objectives.Register("noise2score", func() Objective { return &Noise2Score{Pairs: true, Max: 0.2, Min: 0.05, Over: 0.8} },
		"the score of noisy pictures, from them alone, by AR-DAE; denoises by Tweedie's formula", "https://arxiv.org/abs/2106.07009")
}

// Means is a score.
func (o *Noise2Score) Means() string {
	if o.Plain {
		return ScoreItself
	}
	return ScoreOfResidual
}

// Rows is two with pairs.
func (o *Noise2Score) Rows() int {
	if o.Pairs {
		return 2
	}
	return 1
}

// Wants is nothing.
func (*Noise2Score) Wants() Want { return WantNothing }

// Redraws is false: of a picture there is one noisy version.
func (*Noise2Score) Redraws() bool { return false }

// Schedule is the annealing of a training of so many rows on noise of that deviation, in units of z. It never ends below the paper's,
// which for counts is what their steps need.
func (o *Noise2Score) Schedule(paper Anneal, deviation float64, rows int) Anneal {
	a := paper
	a.Min = max(a.Min, o.Min*deviation)
	if o.Max > 0 {
		a.Max = o.Max * deviation
	}
	a.Max = max(a.Max, a.Min)
	if o.Over > 0 {
		a.Over = max(1, int(o.Over*float64(rows)))
	}
	return a
}

// Fill adds noise of σ_a.
func (o *Noise2Score) Fill(p *Patch) {
	sigma := p.Anneal.At(p.Seen)
	scale, gain := p.Params.Family().Scale(p.Level), p.Params.Gain
	for i, y := range p.Noisy {
		u := p.Normal()
		for k := range p.Input {
			r := ardae(float64(y)*scale, u, sigma)
			even := p.Params.Even(r.z)
			p.Input[k][i] = float32(gain * r.z)
			p.Weight[k][i] = float32(even * r.weight * p.Params.Factor(r.z))
			p.Target[k][i] = float32(even * r.target)
			u = -u
		}
	}
}

// ardaeTerm is one of the loss: (weight·s(z) − target)².
type ardaeTerm struct{ z, weight, target float64 }

// ardae adds σ_a·u to z.
func ardae(z, u, sigma float64) ardaeTerm { return ardaeTerm{z + sigma*u, sigma, -u} }
