package ops_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/gtk-onnx/gtk/tensor"
)

// Generated configurations of the vision operators: extents of one, pads that differ, strides, dilations, groups.
func init() {
	r := rand.New(rand.NewPCG(20, 26))
	one := func(n int) int { return 1 + r.IntN(n) }
	list := func(n, from, to int) []int64 {
		l := make([]int64, n)
		for i := range l {
			l[i] = int64(from + r.IntN(to-from+1))
		}
		return l
	}
	// windows are attributes of a window over d axes, extents that it fits in, and how many places it has.
	windows := func(d int) (kernel, strides, dilations, pads []int64, in, out []int) {
		kernel, strides, dilations, pads = list(d, 1, 3), list(d, 1, 2), list(d, 1, 2), list(2*d, 0, 1)
		for i := range d {
			span := int(kernel[i]-1)*int(dilations[i]) + 1
			in = append(in, max(1, span-int(pads[i]+pads[d+i]))+r.IntN(3))
			out = append(out, (in[i]+int(pads[i]+pads[d+i])-span)/int(strides[i])+1)
		}
		return
	}
	shape := func(n, c int, rest ...int) []int { return append([]int{n, c}, rest...) }
	places := func(s []int) int {
		n := 1
		for _, d := range s {
			n *= d
		}
		return n
	}
	wide := func(s []int) (l []int64) {
		for _, d := range s {
			l = append(l, int64(d))
		}
		return l
	}
	whole := func(k []int64) (s []int) {
		for _, d := range k {
			s = append(s, int(d))
		}
		return s
	}
	for i := range 8 {
		name := fmt.Sprint("generated ", i)
		d := 1 + i%3
		kernel, strides, dilations, pads, in, out := windows(d)
		window := []any{"strides", strides, "dilations", dilations, "pads", pads}
		n, groups := one(2), one(2)

		register(opCase{op: "LpPool", name: name, attrs: is(append(window, "kernel_shape", kernel, "p", one(4), "ceil_mode", r.IntN(2))...),
			in: []arg{xg(kinkless, shape(n, one(2), in...)...)}})
		register(opCase{op: "AveragePool", name: name,
			attrs: is(append(window, "kernel_shape", kernel, "count_include_pad", 1)...), in: []arg{x(shape(n, one(2), in...)...)}})
		register(opCase{op: "Col2Im", name: name, attrs: is(window...),
			in: []arg{x(n, one(2)*places(whole(kernel)), places(out)), ids(wide(in)...), ids(kernel...)}})

		offsets, places := one(2), places(whole(kernel))
		c, m := groups*offsets*one(2), groups*one(2)
		args := []arg{x(shape(n, c, in...)...), w(shape(m, c/groups, whole(kernel)...)...),
			xg(between, shape(n, offsets*places*d, out...)...)}
		if i%2 == 0 {
			args = append(args, w(m), x(shape(n, offsets*places, out...)...))
		}
		register(opCase{op: "DeformConv", name: name, attrs: is(append(window, "group", groups, "offset_group", offsets)...), in: args})

		extents := whole(list(d, 1, 4))
		align := r.IntN(2)
		register(opCase{op: "GridSample", name: name, attrs: is("align_corners", align, "mode", []string{"linear", "cubic"}[i/3%2],
			"padding_mode", []string{"zeros", "border", "reflection"}[i%3]),
			in: []arg{x(shape(n, one(3), extents...)...),
				xg(around(align, extents...), append(append([]int{n}, whole(list(d, 1, 2))...), d)...)}})

		h, wd, ch := one(5), one(5), one(2)
		rois, picture := make([]float32, 0, 8), make([]float32, 0, 10)
		for k := range 2 {
			y0, x0 := 4*r.Float32()-1, 4*r.Float32()-1
			y1, x1 := y0+4*r.Float32(), x0+4*r.Float32()
			rois = append(rois, x0, y0, x1, y1)
			picture = append(picture, float32(k%n), x0, y0, x1, y1)
		}
		register(opCase{op: "RoiAlign", name: name, whole: true,
			attrs: is("mode", []string{"avg", "max"}[i%2], "output_height", one(3), "output_width", one(3), "sampling_ratio", r.IntN(3),
				"coordinate_transformation_mode", []string{"half_pixel", "output_half_pixel"}[i/2%2]),
			in: []arg{wg(distinct, n, ch, h, wd), given(tensor.From(rois, 2, 4)), ids(int64(n-1), 0)}})
		register(opCase{op: "MaxRoiPool", name: name, whole: true,
			attrs: is("pooled_shape", list(2, 1, 3), "spatial_scale", 0.5+r.Float64()),
			in:    []arg{wg(distinct, n, ch, h, wd), given(tensor.From(picture, 2, 5))}})

		register(opCase{op: "LRN", name: name,
			attrs: is("size", one(5), "alpha", 0.1+r.Float64(), "beta", 0.3+r.Float64(), "bias", 1+r.Float64()),
			in:    []arg{x(shape(n, one(5), extents...)...)}})
		register(opCase{op: "LpNormalization", name: name, attrs: is("p", 1+i%2, "axis", r.IntN(4)-2), whole: true,
			in: []arg{xg(kinkless, one(3), one(4))}})
		register(opCase{op: "GlobalLpPool", name: name, attrs: is("p", one(4)), in: []arg{xg(kinkless, shape(n, one(2), extents...)...)}})
		register(opCase{op: "CenterCropPad", name: name, in: []arg{w(one(4), one(4), one(4)), ids(list(3, 1, 6)...)}})
		register(opCase{op: "AffineGrid", name: name, attrs: is("align_corners", i%2),
			in: []arg{x(n, 2+i/4, 3+i/4), ids(wide(shape(n, 1, whole(list(2+i/4, 1, 3))...))...)}})

		unpooled := whole(list(2, 1, 3))
		natural := n * ch * (unpooled[0]*2 - 1 + 1) * (unpooled[1]*2 - 1 + 1)
		at := make([]int64, n*ch*unpooled[0]*unpooled[1])
		for k := range at {
			at[k] = int64(r.IntN(natural))
		}
		register(opCase{op: "MaxUnpool", name: name, attrs: is("kernel_shape", ints(2, 2), "strides", ints(2, 2)), whole: true,
			in: []arg{w(shape(n, ch, unpooled...)...), given(tensor.From(at, shape(n, ch, unpooled...)...))}})
	}
}
