package ops_test

import "fmt"

// around are places in and outside a picture of the given extents, away from where interpolation has kinks.
func around(align int, extents ...int) generator {
	d := len(extents)
	return func(r *rng, n int) []float64 {
		return draw(n, func(i int) float64 {
			e := extents[d-1-i%d]
			p := float64(r.IntN(e+4)-2) + 0.15 + 0.25*r.Float64()
			if r.IntN(2) == 0 {
				p += 0.45
			}
			switch {
			case align == 0:
				return (2*p+1)/float64(e) - 1
			case e == 1:
				return p
			}
			return 2*p/float64(e-1) - 1
		})
	}
}

func init() {
	for _, mode := range []string{"nearest", "linear", "cubic"} {
		for _, padding := range []string{"zeros", "border", "reflection"} {
			for align := range 2 {
				register(opCase{op: "GridSample", name: fmt.Sprintf("%s, %s, corners %d", mode, padding, align),
					attrs: is("mode", mode, "padding_mode", padding, "align_corners", align),
					in:    []arg{x(2, 2, 3, 4), xg(around(align, 3, 4), 2, 2, 3, 2)}})
			}
		}
		register(opCase{op: "GridSample", name: mode + " 3-D", attrs: is("mode", mode),
			in: []arg{x(1, 2, 3, 2, 4), xg(around(0, 3, 2, 4), 1, 2, 1, 3, 3)}})
	}
	register(
		opCase{op: "GridSample", name: "1-D", in: []arg{x(2, 3, 5), xg(around(0, 5), 2, 4, 1)}},
		opCase{op: "GridSample", name: "one pixel", attrs: is("padding_mode", "reflection", "align_corners", 1),
			in: []arg{x(1, 2, 1, 3), xg(around(1, 1, 3), 1, 2, 2, 2)}},
		opCase{op: "GridSample", name: "no batch", in: []arg{x(0, 2, 3, 3), x(0, 2, 2, 2)}},
		opCase{op: "GridSample", name: "many channels", in: []arg{x(1, 20, 3, 3), xg(around(0, 3, 3), 1, 2, 2, 2)}},
	)
	for _, mode := range []string{"nearest", "bilinear", "bicubic"} {
		register(opCase{op: "GridSample", name: mode, opset: 16, attrs: is("mode", mode),
			in: []arg{x(1, 2, 3, 4), xg(around(0, 3, 4), 1, 2, 3, 2)}})
	}
	register(
		opCase{op: "DeformConv", in: []arg{x(2, 2, 3, 4), w(3, 2, 2, 2), xg(between, 2, 8, 2, 3)}},
		opCase{op: "DeformConv", name: "mask and bias", attrs: is("pads", ints(1, 0, 1, 1), "kernel_shape", ints(2, 3)),
			in: []arg{x(2, 2, 3, 3), w(2, 2, 2, 3), xg(between, 2, 12, 4, 2), w(2), x(2, 6, 4, 2)}},
		opCase{op: "DeformConv", name: "groups", attrs: is("group", 2, "offset_group", 2, "strides", ints(2, 1)),
			in: []arg{x(1, 4, 4, 3), w(2, 2, 2, 1), xg(between, 1, 8, 2, 3), w(2), x(1, 4, 2, 3)}},
		opCase{op: "DeformConv", name: "offset groups", attrs: is("offset_group", 3, "dilations", ints(2, 1)),
			in: []arg{x(2, 3, 4, 2), w(2, 3, 2, 1), xg(between, 2, 12, 2, 2)}},
		opCase{op: "DeformConv", name: "depthwise", attrs: is("group", 2),
			in: []arg{x(2, 2, 3, 3), w(2, 1, 1, 1), xg(between, 2, 2, 3, 3)}},
		opCase{op: "DeformConv", name: "1-D", attrs: is("pads", ints(1, 2)), in: []arg{x(2, 2, 4), w(2, 2, 3), xg(between, 2, 3, 5), w(2)}},
		opCase{op: "DeformConv", name: "3-D", in: []arg{x(1, 1, 2, 2, 3), w(1, 1, 1, 2, 1), xg(between, 1, 6, 2, 1, 3),
			arg{}, x(1, 2, 2, 1, 3)}},
		opCase{op: "DeformConv", opset: 19, in: []arg{x(1, 1, 3, 3), w(1, 1, 2, 2), xg(between, 1, 8, 2, 2)}},
	)
}

// between is in (-1.8, 1.8), away from whole numbers.
func between(r *rng, n int) []float64 {
	return draw(n, func(int) float64 { return float64(r.IntN(4)-2) + 0.2 + 0.6*r.Float64() })
}
