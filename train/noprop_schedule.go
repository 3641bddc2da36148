package train

import "math"

// noPropPlan says how much noise there is at each step, and how the chain goes.
type noPropPlan struct {
	a, b   []float64 // z ← a·out + b·z, by step
	c      []float64 // variance of the noise that a step may add, dt
	times  []float64 // ct, fm: time at which a step begins
	bar    []float64 // dt: ᾱ[0..T]
	weight []float64 // dt: of the squared error, by step
}

// newPlan is the plan of n; a learned schedule begins as the linear one.
func (n *NoPropNet) newPlan() noPropPlan {
	T := n.Steps
	switch n.Variant {
	case NoPropDT:
		p := noPropPlan{bar: cosineBar(T)}
		p.a, p.b, p.c = posterior(p.bar)
		for t := 1; t <= T; t++ {
			p.weight = append(p.weight, float64(T)/2*n.Eta*min(snr(p.bar[t])-snr(p.bar[t-1]), n.Cap))
		}
		return p
	case NoPropCT:
		p := noPropPlan{times: grid(T)}
		for _, t := range p.times {
			g, slope := linearGamma(t)
			pull, keep := flow(g, slope)
			p.a, p.b = append(p.a, pull/float64(T)), append(p.b, 1-pull*keep/float64(T))
		}
		return p
	}
	p := noPropPlan{times: grid(T)}
	for range p.times {
		p.a, p.b = append(p.a, 1/float64(T)), append(p.b, 1)
	}
	return p
}

// grid is n times from 0, 1/n apart.
func grid(n int) []float64 {
	ts := make([]float64, n)
	for i := range ts {
		ts[i] = float64(i) / float64(n)
	}
	return ts
}

// cosineBar is ᾱ[0..T], the share of the signal, from noise at 0 to signal at T: a squared cosine with offset 0.008, no nearer than 1e-5 to
// 0 and 1.
func cosineBar(T int) []float64 {
	const s, edge = 0.008, 1e-5
	f := func(x float64) float64 { return math.Pow(math.Cos((x+s)/(1+s)*math.Pi/2), 2) }
	bar := make([]float64, T+1)
	for t := range bar {
		bar[t] = min(max(f(float64(T-t)/float64(T))/f(0), edge), 1-edge)
	}
	return bar
}

// posterior is mean a·u + b·z and variance c of z[t] given u and z[t-1], for t from 1 on: with α = ᾱ[t-1]/ᾱ[t],
// a = √ᾱ[t]·(1−α)/(1−ᾱ[t-1]), b = √α·(1−ᾱ[t])/(1−ᾱ[t-1]), c = (1−ᾱ[t])·(1−α)/(1−ᾱ[t-1]).
func posterior(bar []float64) (a, b, c []float64) {
	for t := 1; t < len(bar); t++ {
		alpha, rest := bar[t-1]/bar[t], 1-bar[t-1]
		a = append(a, math.Sqrt(bar[t])*(1-alpha)/rest)
		b = append(b, math.Sqrt(alpha)*(1-bar[t])/rest)
		c = append(c, (1-bar[t])*(1-alpha)/rest)
	}
	return a, b, c
}

// snr is the signal-to-noise ratio ᾱ/(1−ᾱ).
func snr(bar float64) float64 { return bar / (1 - bar) }

// gammaEdge is γ of ct at time 0; at time 1 it is as much below 0.
const gammaEdge = 5

// linearGamma is γ and dγ/dt at time t.
func linearGamma(t float64) (g, slope float64) { return gammaEdge - 2*gammaEdge*t, -2 * gammaEdge }

// sigmoid is 1/(1+exp(-x)).
func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// flow is dz/dt = pull·(û − keep·z) where ᾱ = σ(−γ): pull = ᾱ'/(2√ᾱ(1−ᾱ)), keep = √ᾱ, with ᾱ' = −γ'·ᾱ(1−ᾱ).
func flow(g, slope float64) (pull, keep float64) {
	keep = math.Sqrt(sigmoid(-g))
	return -slope * keep / 2, keep
}

// signal is SNR = exp(−γ) and its rate of change.
func signal(g, slope float64) (ratio, rate float64) {
	ratio = math.Exp(-g)
	return ratio, -slope * ratio
}

// klToNormal is KL(N(√ᾱ·u, (1−ᾱ)·I) ‖ N(0, I)) for an embedding of d numbers with that squared norm.
func klToNormal(bar, norm2 float64, d int) float64 {
	return .5 * (bar*norm2 - float64(d)*bar - float64(d)*math.Log1p(-bar))
}

// timeWidth is how many numbers stand for a time.
const timeWidth = 64

// sinusoids are sin and cos of 1000·t at frequencies from 1 down to 1e-4, into out [timeWidth].
func sinusoids(t float64, out []float32) {
	const half = timeWidth / 2
	for k := range half {
		x := 1000 * t * math.Pow(10000, -float64(k)/half)
		out[k], out[half+k] = float32(math.Sin(x)), float32(math.Cos(x))
	}
}
