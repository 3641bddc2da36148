package kernel

import "math"

// The scalar functions of the plain Go loops on float32: computed in float64 to about 1e-9, then rounded.

// exp is e^x for results in the range of float32, with a relative error below 3e-10: 2^n times the Taylor
// series of e^r, |r| <= ln 2/2, to the eighth power.
func exp(x float64) float64 {
	if !(x < 200) {
		return x * math.Inf(1) // +Inf or NaN
	}
	if x < -200 {
		return 0
	}
	n := math.RoundToEven(x * math.Log2E)
	r := x - n*math.Ln2
	p := 1 + r*(1+r*(1./2+r*(1./6+r*(1./24+r*(1./120+r*(1./720+r*(1./5040+r*(1./40320))))))))
	return p * math.Float64frombits(uint64(int64(n)+1023)<<52)
}

func sigmoid(x float64) float64 {
	if x >= 0 {
		return 1 / (1 + exp(-x))
	}
	e := exp(x)
	return e / (1 + e)
}

func tanh(x float64) float64 {
	a := math.Abs(x)
	if a < 0.02 {
		z := x * x
		return x * (1 + z*(-1./3+z*(2./15)))
	}
	return math.Copysign(1-2/(exp(2*a)+1), x)
}

func silu(x float64) float64 { return x * sigmoid(x) }

func siluGrad(x, dy float64) float64 {
	s := sigmoid(x)
	return dy * s * (1 + x*(1-s))
}

func gelu(x float64) float64 { return 0.5 * x * (1 + math.Erf(x*(math.Sqrt2/2))) }

func geluGrad(x, dy float64) float64 {
	return dy * (0.5*(1+math.Erf(x*(math.Sqrt2/2))) + x*exp(-0.5*x*x)/math.Sqrt(2*math.Pi))
}

const geluScale = 0.7978845608028654 // √(2/π)

func geluTanh(x float64) float64 {
	return 0.5 * x * (1 + tanh(geluScale*(x+0.044715*x*x*x)))
}

func geluTanhGrad(x, dy float64) float64 {
	t := tanh(geluScale * (x + 0.044715*x*x*x))
	return dy * 0.5 * (1 + t + x*(1-t*t)*geluScale*(1+3*0.044715*x*x))
}
