package denoise

import (
	"math"
	"math/rand/v2"
)

// Random is a generator keyed by numbers, so that what is drawn depends on seed, epoch and example and not on who draws first.
//
// Source: PCG-DXSM, https://pkg.go.dev/math/rand/v2#PCG; the key mix is SplitMix64 (Steele, Lea, Flood 2014, figure 16).
type Random struct {
	pcg   *rand.PCG
	spare float64 // the other number of a pair of normal ones
	has   bool
}

// NewRandom is the generator of a seed and a key.
func NewRandom(seed uint64, key ...uint64) *Random {
	a, b := mix(seed), mix(seed^0x64656e6f697365)
	for _, k := range key {
		a = mix(a ^ k)
		b = mix(b + k)
	}
	return &Random{pcg: rand.NewPCG(a, b)}
}

func mix(z uint64) uint64 {
	z += 0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// Float is uniform in [0,1).
func (r *Random) Float() float64 { return float64(r.pcg.Uint64()>>11) / (1 << 53) }

// Int is uniform in 0..n-1, n > 0.
func (r *Random) Int(n int) int {
	m := uint64(n)
	for limit := -m % m; ; { // reject the incomplete last block
		if v := r.pcg.Uint64(); v >= limit {
			return int(v % m)
		}
	}
}

// Normal is a number of the standard normal distribution (Box and Muller).
func (r *Random) Normal() float64 {
	if r.has {
		r.has = false
		return r.spare
	}
	u := math.Sqrt(-2 * math.Log(1-r.Float()))
	sin, cos := math.Sincos(2 * math.Pi * r.Float())
	r.spare, r.has = u*sin, true
	return u * cos
}

// Gamma is a number of the Gamma distribution of shape k ≥ 1 and scale 1.
//
// Source: Marsaglia and Tsang 2000, "A simple method for generating gamma variables".
func (r *Random) Gamma(k float64) float64 {
	d := k - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.Normal()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if u := 1 - r.Float(); math.Log(u) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

// Poisson is a number of the Poisson distribution of mean m ≥ 0.
//
// Source: below 10 by products of uniform numbers (Knuth); above, the transformed rejection PTRS of Hörmann 1993.
func (r *Random) Poisson(m float64) int {
	if m < 10 {
		limit, p, k := math.Exp(-m), 1.0, 0
		for {
			if p *= r.Float(); p <= limit {
				return k
			}
			k++
		}
	}
	b := 0.931 + 2.53*math.Sqrt(m)
	a := -0.059 + 0.02483*b
	inverse := 1.1239 + 1.1328/(b-3.4)
	vr := 0.9277 - 3.6224/(b-2)
	logM := math.Log(m)
	for {
		u := r.Float() - 0.5
		v := 1 - r.Float()
		us := 0.5 - math.Abs(u)
		k := math.Floor((2*a/us+b)*u + m + 0.43)
		if us >= 0.07 && v <= vr {
			return int(k)
		}
		if k < 0 || us < 0.013 && v > us {
			continue
		}
		lg, _ := math.Lgamma(k + 1)
		if math.Log(v)+math.Log(inverse)-math.Log(a/(us*us)+b) <= -m+k*logM-lg {
			return int(k)
		}
	}
}
