package naive

import (
	"math"
	"slices"
)

func init() { register(map[string]operator{"DeformConv": deformConv}) }

// deformConv is X [N,C,i…], W [M,C/group,k…], offset [N,G·Πk·d,o…], B [M], mask [N,G·Πk,o…].
func deformConv(c *call) []*value {
	x, wt, offset := c.in[0], c.in[1], c.in[2]
	w := c.window(x.shape[2:], wt.shape[2:])
	d, places := len(w.k), size(w.k)
	perGroup, perOffset := x.shape[1]/c.int("group", 1), x.shape[1]/c.int("offset_group", 1)
	out := zeros(x.d, slices.Concat([]int{x.shape[0], wt.shape[0]}, w.out)...)
	each(out.shape, func(idx []int, p int) {
		n, m, o := idx[0], idx[1], idx[2:]
		sum := 0.0
		if c.has(3) {
			sum = c.in[3].f[m]
		}
		for q := range perGroup {
			ch := m/(wt.shape[0]/c.int("group", 1))*perGroup + q
			each(w.k, func(k []int, kp int) {
				place := ch/perOffset*places + kp
				at := make([]float64, d)
				for i := range d {
					moved := offset.f[pos(offset.shape, slices.Concat([]int{n, place*d + i}, o))]
					at[i] = float64(o[i]*w.stride[i]+k[i]*w.dil[i]-w.before[i]) + moved
				}
				v := 0.0
				// The corners of the cell around the place.
				each(slices.Repeat([]int{2}, d), func(corner []int, _ int) {
					src, share := []int{n, ch}, 1.0
					for i := range d {
						f := math.Floor(at[i])
						e := int(f) + corner[i]
						if e < 0 || e >= w.in[i] {
							return
						}
						src = append(src, e)
						share *= 1 - math.Abs(at[i]-float64(e))
					}
					v += share * x.f[pos(x.shape, src)]
				})
				if c.has(4) {
					v *= c.in[4].f[pos(c.in[4].shape, slices.Concat([]int{n, place}, o))]
				}
				sum += v * wt.f[(m*perGroup+q)*places+kp]
			})
		}
		out.f[p] = sum
	})
	return one(out)
}
