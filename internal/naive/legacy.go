package naive

import "slices"

// Operators of the time before ONNX 1.3 that converters of that time wrote.
//
// Source: https://github.com/onnx/onnx/blob/v1.2.1/docs/Operators.md (experimental operators).
func init() {
	register(map[string]operator{
		"Affine": func(c *call) []*value {
			a, b := c.float("alpha", 1), c.float("beta", 0)
			return one(mapAll(c.in[0], func(x float64) float64 { return a*x + b }))
		},
		"ImageScaler": func(c *call) []*value {
			s, b := c.float("scale", 1), c.floats("bias")
			y := clone(c.in[0])
			each(y.shape, func(idx []int, p int) { y.f[p] = y.f[p]*s + b[idx[1]] })
			return one(y)
		},
		"Crop": func(c *call) []*value {
			x, b, s := c.in[0], c.ints("border"), c.ints("scale")
			left, top, right, bottom := b[0], b[1], b[2], b[3]
			h, w := x.shape[2]-top-bottom, x.shape[3]-left-right
			if s != nil {
				h, w = s[0], s[1]
			}
			return one(gatherBy(x, slices.Concat(x.shape[:2], []int{h, w}), func(idx []int) int {
				return pos(x.shape, []int{idx[0], idx[1], idx[2] + top, idx[3] + left})
			}))
		},
	})
}
