package data

import (
	"math"
	"math/rand/v2"
)

// random is a generator keyed by numbers, so that what happens to an example depends on (seed, epoch, index) and not on who
// draws first. The draws are defined here, on the documented PCG stream, and stay the same with every Go version.
//
// Source: PCG-DXSM, https://pkg.go.dev/math/rand/v2#PCG; the key mix is SplitMix64 (Steele, Lea, Flood 2014, "Fast
// splittable pseudorandom number generators", figure 16).
type random struct{ pcg *rand.PCG }

func newRandom(seed uint64, key ...uint64) random {
	a, b := mix64(seed), mix64(seed^0xD1B54A32D192ED03)
	for _, k := range key {
		a = mix64(a ^ k)
		b = mix64(b + k)
	}
	return random{rand.NewPCG(a, b)}
}

func mix64(z uint64) uint64 {
	z += 0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// float is uniform in [0,1).
func (r random) float() float64 { return float64(r.pcg.Uint64()>>11) / (1 << 53) }

// between is uniform in [lo,hi).
func (r random) between(lo, hi float64) float64 { return lo + (hi-lo)*r.float() }

// intn is uniform in 0..n-1, n > 0.
func (r random) intn(n int) int {
	m := uint64(n)
	for limit := -m % m; ; { // reject the incomplete last block
		if v := r.pcg.Uint64(); v >= limit {
			return int(v % m)
		}
	}
}

// shuffle permutes p uniformly (Fisher and Yates).
func shuffle[T any](r random, p []T) {
	for i := len(p) - 1; i > 0; i-- {
		j := r.intn(i + 1)
		p[i], p[j] = p[j], p[i]
	}
}

// normal is a number of the standard normal distribution (Box and Muller).
func (r random) normal() float64 {
	u := 1 - r.float() // in (0,1]
	return math.Sqrt(-2*math.Log(u)) * math.Cos(2*math.Pi*r.float())
}

// beta is a number of Beta(a, a).
func (r random) beta(a float64) float64 {
	x, y := r.logGamma(a), r.logGamma(a)
	return 1 / (1 + math.Exp(y-x))
}

// logGamma is the logarithm of a number of the Gamma distribution of shape a.
//
// Source: Marsaglia and Tsang 2000, "A simple method for generating gamma variables", with Gamma(a) = Gamma(a+1)·U^(1/a) below 1.
func (r random) logGamma(a float64) float64 {
	if a < 1 {
		return r.logGamma(a+1) + math.Log(1-r.float())/a
	}
	d := a - 1./3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.normal()
		v := 1 + float64(c*x)
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-r.float()) < 0.5*x*x+d-d*v+d*math.Log(v) {
			return math.Log(d * v)
		}
	}
}
