package naive

import (
	"math"
	"slices"
)

func init() { register(map[string]operator{"GridSample": gridSample}) }

// mirror reflects x at lo and hi until it is between them.
func mirror(x, lo, hi float64) float64 {
	if hi <= lo {
		return lo
	}
	for x < lo || x > hi {
		if x < lo {
			x = 2*lo - x
		} else {
			x = 2*hi - x
		}
	}
	return x
}

// gridSample interpolates along the axes of X one after the other, the last one first.
func gridSample(c *call) []*value {
	x, grid := c.in[0], c.in[1]
	in := x.shape[2:]
	d := len(in)
	mode, padding, align := c.str("mode", "linear"), c.str("padding_mode", "zeros"), c.int("align_corners", 0) != 0
	places := grid.shape[1 : len(grid.shape)-1]
	out := zeros(x.d, slices.Concat(x.shape[:2], places)...)
	edges := func(k int) (lo, hi float64) {
		if align {
			return 0, float64(in[k] - 1)
		}
		return -0.5, float64(in[k]) - 0.5
	}
	each(out.shape, func(idx []int, p int) {
		at := make([]float64, d)
		for k := range d {
			g := grid.f[pos(grid.shape, slices.Concat([]int{idx[0]}, idx[2:], []int{d - 1 - k}))]
			n := float64(in[k])
			if align {
				at[k] = (g + 1) / 2 * (n - 1)
			} else {
				at[k] = ((g+1)*n - 1) / 2
			}
			if mode == "nearest" {
				at[k] = math.RoundToEven(at[k])
			}
			if lo, hi := edges(k); at[k] < lo || at[k] > hi {
				switch {
				case padding == "border" && mode != "cubic" && mode != "bicubic":
					at[k] = max(0, min(n-1, at[k]))
				case padding == "reflection":
					at[k] = mirror(at[k], lo, hi)
				}
			}
		}
		var read func(src []int) float64 // the first len(src) axes are fixed
		read = func(src []int) float64 {
			k := len(src)
			if k == d {
				return x.f[pos(x.shape, slices.Concat(idx[:2], src))]
			}
			element := func(i int) float64 {
				if i < 0 || i >= in[k] {
					switch padding {
					case "zeros":
						return 0
					case "border":
						i = max(0, min(in[k]-1, i))
					case "reflection":
						lo, hi := edges(k)
						i = int(mirror(float64(i), lo, hi))
					}
				}
				return read(append(slices.Clone(src), i))
			}
			f := math.Floor(at[k])
			i, r := int(f), at[k]-f
			switch mode {
			case "nearest":
				return element(i)
			case "linear", "bilinear":
				return (1-r)*element(i) + r*element(i+1)
			case "cubic", "bicubic":
				sum := 0.0
				for j := -1; j <= 2; j++ {
					sum += cubic(r-float64(j), -0.75) * element(i+j)
				}
				return sum
			}
			fail("mode %s", mode)
			return 0
		}
		out.f[p] = read(nil)
	})
	return one(out)
}
