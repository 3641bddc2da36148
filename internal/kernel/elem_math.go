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

// tanh is xP(x²)/Q(x²) of x clamped to [-9, 9], rounded to float32 after each multiplication and addition: within 3.5 ulp, and the bits
// of ONNX Runtime, of which models that amplify rounding (see sumFourRows) take notice.
//
// Source: the rational approximation of Eigen, MathFunctionsImpl.h, generic_fast_tanh_float.
func tanh(x float64) float64 {
	if x != x {
		return x
	}
	v := float64(float32(min(max(x, -9), 9)))
	z := float64(float32(v * v))
	poly := func(c ...float32) float64 {
		p := float64(c[0])
		for _, k := range c[1:] {
			p = float64(float32(p*z + float64(k)))
		}
		return p
	}
	p := poly(-2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08, 1.48572235717979e-05,
		6.37261928875436e-04, 4.89352455891786e-03)
	q := poly(1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03)
	return float64(float32(float64(float32(p*v)) / q))
}

func silu(x float64) float64 { return x * sigmoid(x) }

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
