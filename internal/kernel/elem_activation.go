package kernel

import "github.com/gtk-onnx/gtk/internal/parallel"

// ReluF32 is out[i] = max(a[i], 0); NaN stays.
func ReluF32(p *parallel.Pool, out, a []float32) { each1(p, out, a, vec.relu) }

// AbsF32 is out[i] = |a[i]|.
func AbsF32(p *parallel.Pool, out, a []float32) { each1(p, out, a, vec.abs) }

// NegF32 is out[i] = -a[i].
func NegF32(p *parallel.Pool, out, a []float32) { each1(p, out, a, vec.neg) }

// SqrtF32 is out[i] = √a[i].
func SqrtF32(p *parallel.Pool, out, a []float32) { each1(p, out, a, vec.sqrt) }

// ExpF32 is out[i] = e^a[i], within 2 units in the last place.
func ExpF32(p *parallel.Pool, out, a []float32) { each1(p, out, a, vec.exp) }

// SigmoidF32 is out[i] = 1/(1+e^-a[i]).
func SigmoidF32(p *parallel.Pool, out, a []float32) { each1(p, out, a, vec.sigmoid) }

// TanhF32 is out[i] = tanh a[i].
func TanhF32(p *parallel.Pool, out, a []float32) { each1(p, out, a, vec.tanh) }

// ErfF32 is out[i] = erf a[i].
func ErfF32(p *parallel.Pool, out, a []float32) { each1(p, out, a, vec.erf) }

// SiluF32 is out[i] = a[i]/(1+e^-a[i]).
func SiluF32(p *parallel.Pool, out, a []float32) { each1(p, out, a, vec.silu) }

// GeluF32 is out[i] = a[i]/2 (1+erf(a[i]/√2)).
func GeluF32(p *parallel.Pool, out, a []float32) { each1(p, out, a, vec.gelu) }

// GeluTanhF32 is out[i] = a[i]/2 (1+tanh(√(2/π)(a[i] + 0.044715 a[i]³))).
func GeluTanhF32(p *parallel.Pool, out, a []float32) { each1(p, out, a, vec.geluTanh) }

// HardSwishF32 is out[i] = a[i] min(1, max(0, a[i]/6 + 1/2)).
func HardSwishF32(p *parallel.Pool, out, a []float32) { each1(p, out, a, vec.hardSwish) }

// LeakyReluF32 is out[i] = a[i], or alpha*a[i] where a[i] < 0.
func LeakyReluF32(p *parallel.Pool, out, a []float32, alpha float32) {
	each1(p, out, a, with(vec.leaky, alpha))
}

// HardSigmoidF32 is out[i] = min(1, max(0, alpha*a[i] + beta)).
func HardSigmoidF32(p *parallel.Pool, out, a []float32, alpha, beta float32) {
	f, g := vec.affine, vec.clip
	each1(p, out, a, func(out, a []float32) { f(out, a, alpha, beta); g(out, out, 0, 1) })
}

// ClipF32 is out[i] = min(max(a[i], lo), hi); NaN stays.
func ClipF32(p *parallel.Pool, out, a []float32, lo, hi float32) {
	f := vec.clip
	each1(p, out, a, func(out, a []float32) { f(out, a, lo, hi) })
}

// ReluGradF32 is dx[i] = dy[i] where y[i] > 0, else 0; y may be the input or the output of Relu.
func ReluGradF32(p *parallel.Pool, dx, y, dy []float32) { each2(p, dx, y, dy, vec.reluGrad) }

// LeakyReluGradF32 is dx[i] = dy[i] where x[i] > 0, else alpha*dy[i].
func LeakyReluGradF32(p *parallel.Pool, dx, x, dy []float32, alpha float32) {
	f := vec.leakyGrad
	each2(p, dx, x, dy, func(dx, x, dy []float32) { f(dx, x, dy, alpha) })
}

// ClipGradF32 is dx[i] = dy[i] where lo <= x[i] <= hi, else 0.
func ClipGradF32(p *parallel.Pool, dx, x, dy []float32, lo, hi float32) {
	f := vec.clipGrad
	each2(p, dx, x, dy, func(dx, x, dy []float32) { f(dx, x, dy, lo, hi) })
}

// SigmoidGradF32 is dx[i] = dy[i] y[i] (1-y[i]) from the output y.
func SigmoidGradF32(p *parallel.Pool, dx, y, dy []float32) { each2(p, dx, y, dy, vec.sigmoidGrad) }

// TanhGradF32 is dx[i] = dy[i] (1-y[i]²) from the output y.
func TanhGradF32(p *parallel.Pool, dx, y, dy []float32) { each2(p, dx, y, dy, vec.tanhGrad) }

// GeluGradF32 is dx[i] = dy[i] (Φ(x[i]) + x[i] φ(x[i])).
func GeluGradF32(p *parallel.Pool, dx, x, dy []float32) { each2(p, dx, x, dy, vec.geluGrad) }

// GeluTanhGradF32 is the gradient of GeluTanhF32 at x.
func GeluTanhGradF32(p *parallel.Pool, dx, x, dy []float32) { each2(p, dx, x, dy, vec.geluTanhGrad) }
