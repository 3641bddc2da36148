package naive

import (
	"math"
	"slices"
)

func init() {
	register(map[string]operator{
		"BatchNormalization":        batchNorm,
		"InstanceNormalization":     instanceNorm,
		"GroupNormalization":        groupNorm,
		"LayerNormalization":        layerNorm,
		"RMSNormalization":          rmsNorm,
		"LpNormalization":           lpNormalization,
		"MeanVarianceNormalization": meanVariance,
		"LRN":                       lrn,
	})
}

func meanVar(x []float64) (mean, variance float64) {
	mean = total(x) / float64(len(x))
	for _, v := range x {
		variance += (v - mean) * (v - mean)
	}
	return mean, variance / float64(len(x))
}

// batchNorm is X [N,C,...] with one mean and variance for each channel. Before version 9 spatial=0 asks for one for each
// feature.
func batchNorm(c *call) []*value {
	x, scale, bias, mean, variance := c.in[0], c.in[1], c.in[2], c.in[3], c.in[4]
	eps, mom := c.float("epsilon", f32(1e-5)), c.float("momentum", f32(0.9))
	if c.opset < 9 && c.int("spatial", 1) == 0 {
		out := zeros(x.d, x.shape...)
		f := size(x.shape[1:])
		for p, v := range x.f {
			k := p % f
			out.f[p] = (v-mean.f[k])/math.Sqrt(variance.f[k]+eps)*scale.f[k] + bias.f[k]
		}
		return one(out)
	}
	train := c.int("training_mode", 0) != 0
	if c.opset < 14 {
		train = c.int("is_test", 0) == 0 && c.nout > 1
	}
	m, v := clone(mean), clone(variance)
	rm, rv := clone(mean), clone(variance)
	channel := func(p int) int {
		if len(x.shape) < 2 {
			return 0
		}
		return p / size(x.shape[2:]) % x.shape[1]
	}
	if train {
		for k := range m.f {
			var all []float64
			for p, y := range x.f {
				if channel(p) == k {
					all = append(all, y)
				}
			}
			m.f[k], v.f[k] = meanVar(all)
			rm.f[k] = mean.f[k]*mom + m.f[k]*(1-mom)
			rv.f[k] = variance.f[k]*mom + v.f[k]*(1-mom)
		}
	}
	out := zeros(x.d, x.shape...)
	for p, y := range x.f {
		k := channel(p)
		out.f[p] = (y-m.f[k])/math.Sqrt(v.f[k]+eps)*scale.f[k] + bias.f[k]
	}
	return []*value{out, rm, rv, m, v}
}

// normalizeRows normalizes consecutive runs of n elements.
func normalizeRows(x *value, n int, eps float64) (y *value, means, invs []float64) {
	y = zeros(x.d, x.shape...)
	for lo := 0; lo < len(x.f); lo += n {
		m, v := meanVar(x.f[lo : lo+n])
		inv := 1 / math.Sqrt(v+eps)
		means, invs = append(means, m), append(invs, inv)
		for k := lo; k < lo+n; k++ {
			y.f[k] = (x.f[k] - m) * inv
		}
	}
	return y, means, invs
}

func instanceNorm(c *call) []*value {
	x := c.in[0]
	y, _, _ := normalizeRows(x, size(x.shape[2:]), c.float("epsilon", f32(1e-5)))
	each(x.shape, func(idx []int, p int) { y.f[p] = y.f[p]*c.in[1].f[idx[1]] + c.in[2].f[idx[1]] })
	return one(y)
}

// groupNorm has a scale for each group in version 18, for each channel after.
func groupNorm(c *call) []*value {
	x, g := c.in[0], c.int("num_groups", 1)
	per := x.shape[1] / g
	y, _, _ := normalizeRows(x, per*size(x.shape[2:]), c.float("epsilon", f32(1e-5)))
	each(x.shape, func(idx []int, p int) {
		k := idx[1]
		if c.opset < 21 {
			k /= per
		}
		y.f[p] = y.f[p]*c.in[1].f[k] + c.in[2].f[k]
	})
	return one(y)
}

func layerNorm(c *call) []*value {
	x := c.in[0]
	a := axisOf(c.int("axis", -1), len(x.shape))
	y, means, invs := normalizeRows(x, size(x.shape[a:]), c.float("epsilon", f32(1e-5)))
	y = zip(x.d, y, c.in[1], func(p, q float64) float64 { return p * q })
	if c.has(2) {
		y = zip(x.d, y, c.in[2], func(p, q float64) float64 { return p + q })
	}
	shape := slices.Concat(x.shape[:a], ones(nil, len(x.shape)-a))
	return []*value{y, {d: x.d, shape: shape, f: means}, {d: x.d, shape: shape, f: invs}}
}

func rmsNorm(c *call) []*value {
	x := c.in[0]
	a := axisOf(c.int("axis", -1), len(x.shape))
	n, eps := size(x.shape[a:]), c.float("epsilon", f32(1e-5))
	y := zeros(x.d, x.shape...)
	for p, v := range x.f {
		sq := 0.0
		for _, w := range x.f[p/n*n : p/n*n+n] {
			sq += w * w
		}
		y.f[p] = v / math.Sqrt(sq/float64(n)+eps)
	}
	return one(zip(x.d, y, c.in[1], func(p, q float64) float64 { return p * q }))
}

func lpNormalization(c *call) []*value {
	x, p := c.in[0], c.power()
	a := axisOf(c.int("axis", -1), len(x.shape))
	y := zeros(x.d, x.shape...)
	lines(x.shape, a, func(start, step int) {
		var l []float64
		for i := range x.shape[a] {
			l = append(l, x.f[start+i*step])
		}
		n := lpNorm(l, p)
		for i, v := range l {
			if n != 0 {
				y.f[start+i*step] = v / n
			}
		}
	})
	return one(y)
}

func meanVariance(c *call) []*value {
	x := c.in[0]
	axes := c.ints("axes")
	if axes == nil {
		axes = []int{0, 2, 3}
	}
	axes = axesOf(axes, len(x.shape))
	kept := slices.Clone(x.shape)
	for _, a := range axes {
		kept[a] = 1
	}
	groups := make([][]float64, size(kept))
	each(x.shape, func(idx []int, p int) {
		g := from(kept, idx)
		groups[g] = append(groups[g], x.f[p])
	})
	y := zeros(x.d, x.shape...)
	each(x.shape, func(idx []int, p int) {
		m, v := meanVar(groups[from(kept, idx)])
		y.f[p] = (x.f[p] - m) / (math.Sqrt(v) + 1e-9)
	})
	return one(y)
}

func lrn(c *call) []*value {
	x, n := c.in[0], c.int("size", 1)
	alpha, beta, bias := c.float("alpha", f32(1e-4)), c.float("beta", 0.75), c.float("bias", 1)
	y := zeros(x.d, x.shape...)
	each(x.shape, func(idx []int, p int) {
		sq := 0.0
		at := slices.Clone(idx)
		for k := max(0, idx[1]-(n-1)/2); k <= min(x.shape[1]-1, idx[1]+n/2); k++ {
			at[1] = k
			v := x.f[pos(x.shape, at)]
			sq += v * v
		}
		y.f[p] = x.f[p] / math.Pow(bias+alpha/float64(n)*sq, beta)
	})
	return one(y)
}
