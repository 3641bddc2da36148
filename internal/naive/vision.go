package naive

import (
	"slices"
)

func init() {
	register(map[string]operator{"Col2Im": col2Im, "CenterCropPad": centerCropPad, "AffineGrid": affineGrid})
}

func col2Im(c *call) []*value {
	x, image, block := c.in[0], c.intsAt(1), c.intsAt(2)
	w := c.window(image, block)
	n, ch := x.shape[0], x.shape[1]/size(block)
	out := zeros(x.d, slices.Concat([]int{n, ch}, image)...)
	src := make([]int, len(image))
	for p := range n * ch {
		each(w.out, func(o []int, l int) {
			each(block, func(k []int, kp int) {
				if w.at(o, k, src) {
					at := p*size(image) + pos(image, src)
					out.set(at, out.at(at)+x.at((p*size(block)+kp)*size(w.out)+l))
				}
			})
		})
	}
	return one(out)
}

func centerCropPad(c *call) []*value {
	x := c.in[0]
	axes := axesOf(c.ints("axes"), len(x.shape))
	if axes == nil {
		for a := range x.shape {
			axes = append(axes, a)
		}
	}
	shape, from := slices.Clone(x.shape), make([]int, len(x.shape)) // from: of the output in the input
	for k, a := range axes {
		shape[a] = c.intsAt(1)[k]
		if d := x.shape[a] - shape[a]; d >= 0 {
			from[a] = d / 2
		} else {
			from[a] = -(-d / 2)
		}
	}
	out := zeros(x.d, shape...)
	each(shape, func(idx []int, p int) {
		src := make([]int, len(idx))
		for a := range src {
			if src[a] = idx[a] + from[a]; src[a] < 0 || src[a] >= x.shape[a] {
				return
			}
		}
		out.copy(p, x, pos(x.shape, src))
	})
	return one(out)
}

func affineGrid(c *call) []*value {
	theta, s := c.in[0], c.intsAt(1)
	d := len(s) - 2
	out := zeros(theta.d, slices.Concat(s[:1], s[2:], []int{d})...)
	each(out.shape, func(idx []int, p int) {
		row := theta.f[(idx[0]*d+idx[d+1])*(d+1):]
		sum := row[d]
		for k := range d { // k 0 is x, the last axis
			n, i := s[1+d-k], float64(idx[d-k])
			place := (2*i+1)/float64(n) - 1
			if c.int("align_corners", 0) != 0 {
				place = 0
				if n > 1 {
					place = 2*i/float64(n-1) - 1
				}
			}
			sum += row[k] * place
		}
		out.f[p] = sum
	})
	return one(out)
}
