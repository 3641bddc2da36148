package ops_test

import (
	"slices"

	"github.com/gtk-onnx/gtk/tensor"
)

// window is what slides over a picture: odd pads, strides, dilations, and extents that it fits in.
type window struct {
	kernel, strides, dilations, pads []int64
	in                               []int
}

// window has d axes. What AveragePool and MaxPool want is asked for with pool: pads below the kernel, so that no place is padding alone.
func (g *source) window(d int, pool bool) window {
	w := window{kernel: g.list(d, 1, 3), strides: g.list(d, 1, 3), dilations: g.list(d, 1, 2), pads: g.list(2*d, 0, 2)}
	for k := range d {
		if pool {
			w.pads[k], w.pads[d+k] = min(w.pads[k], w.kernel[k]-1), min(w.pads[d+k], w.kernel[k]-1)
			if w.pads[k]+w.pads[d+k] > 0 { // nor with what is left out between
				w.dilations[k] = 1
			}
		}
		span := int(w.kernel[k]-1)*int(w.dilations[k]) + 1
		w.in = append(w.in, max(1, span-int(w.pads[k]+w.pads[d+k]))+g.IntN(3))
	}
	return w
}

func (w window) attrs(more ...any) []any {
	return append([]any{"kernel_shape", w.kernel, "strides", w.strides, "dilations", w.dilations, "pads", w.pads}, more...)
}

// kernels is the shape of weights.
func (w window) kernels(m, c int) []int {
	s := []int{m, c}
	for _, k := range w.kernel {
		s = append(s, int(k))
	}
	return s
}

func init() {
	generate("Conv", 16, func(g *source) opCase {
		w1, group := g.window(1+g.i%3, false), g.upto(3)
		c, m, n := g.upto(2), g.upto(2), g.upto(3)
		if g.i == 5 {
			n = 0
		}
		kv := w1.attrs("group", group)
		if g.i%5 == 3 {
			kv = []any{"strides", w1.strides, "group", group, "auto_pad", anyOf(g, "SAME_UPPER", "SAME_LOWER", "VALID")}
			w1.in = slices.Clone(w1.in)
			for k := range w1.in {
				w1.in[k] = max(w1.in[k], int(w1.kernel[k]))
			}
		}
		in := []arg{x(append([]int{n, group * c}, w1.in...)...), w(w1.kernels(group*m, c)...)}
		if g.flip() {
			in = append(in, w(group*m))
		}
		in[0].hidden = g.i == 7
		return opCase{attrs: is(kv...), in: in, tol: 1e-3, whole: n == 0}
	})
	generate("ConvTranspose", 16, func(g *source) opCase {
		d := 1 + g.i%3
		w1, group := g.window(d, true), g.upto(3)
		c, m, n := g.upto(2), g.upto(2), g.upto(2)
		if g.i == 5 {
			n = 0
		}
		kv := w1.attrs("group", group)
		extra := make([]int64, d)
		for k := range w1.in {
			w1.in[k] = g.upto(4)
			// What comes out must not be less than nothing.
			w1.pads[k], w1.pads[d+k] = min(w1.pads[k], 1), 0
			extra[k] = int64(g.IntN(int(max(w1.strides[k], w1.dilations[k]))))
			if (w1.in[k]-1)*int(w1.strides[k])+int(w1.kernel[k]-1)*int(w1.dilations[k]) == 0 {
				w1.pads[k] = 0
			}
		}
		kv = append(kv, "output_padding", extra)
		if g.i%5 == 3 {
			kv = []any{"strides", w1.strides, "group", group, "auto_pad", anyOf(g, "SAME_UPPER", "SAME_LOWER")}
		}
		in := []arg{x(append([]int{n, group * c}, w1.in...)...), w(w1.kernels(group*c, m)...)}
		if g.flip() {
			in = append(in, w(group*m))
		}
		return opCase{attrs: is(kv...), in: in, tol: 1e-3, whole: n == 0}
	})
	for _, op := range []string{"MaxPool", "AveragePool"} {
		generate(op, 16, func(g *source) opCase {
			w1 := g.window(1+g.i%3, true)
			kv := w1.attrs("ceil_mode", g.bit())
			if op == "AveragePool" {
				kv = append(kv, "count_include_pad", g.bit())
			}
			if g.i%5 == 3 {
				kv = []any{"kernel_shape", w1.kernel, "strides", w1.strides, "auto_pad", anyOf(g, "SAME_UPPER", "SAME_LOWER", "VALID")}
				for k := range w1.in {
					w1.in[k] = max(w1.in[k], int(w1.kernel[k]))
				}
			}
			n := g.upto(2)
			if g.i == 5 {
				n = 0
			}
			c := opCase{attrs: is(kv...), in: []arg{g.input(distinct, append([]int{n, g.upto(2)}, w1.in...)...)}, whole: true}
			if op == "MaxPool" && g.i%4 == 2 {
				c.outs = 2
			}
			return c
		})
	}
	for _, op := range []string{"GlobalAveragePool", "GlobalMaxPool"} {
		generate(op, 10, func(g *source) opCase {
			s := append([]int{g.upto(3), g.upto(3)}, g.extents(1+g.i%3)...)
			if g.i == 4 { // a mean over nothing is no number
				s = []int{0, 2, 3}
			}
			if g.i == 8 {
				s = []int{2, 3, 1, 1}
			}
			return opCase{in: []arg{g.input(distinct, s...)}, whole: true}
		})
	}
	generate("Resize", 16, func(g *source) opCase {
		d := 1 + g.i%2
		mode := pick(g, "nearest", "linear", "cubic", "linear")
		how := anyOf(g, "half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel", "half_pixel_symmetric")
		kv := []any{"mode", mode, "coordinate_transformation_mode", how}
		if mode == "nearest" {
			kv = append(kv, "nearest_mode", anyOf(g, "round_prefer_floor", "round_prefer_ceil", "floor", "ceil"))
		} else if g.flip() {
			kv = append(kv, "antialias", 1)
		}
		if mode == "cubic" {
			kv = append(kv, "exclude_outside", g.bit(), "cubic_coeff_a", -0.5)
		}
		shape := []int{g.upto(2), g.upto(2)}
		sizes := wide(shape)
		scales := []float32{1, 1}
		for range d {
			n := 2 + g.IntN(4)
			to := g.upto(7)
			shape, sizes = append(shape, n), append(sizes, int64(to))
			scales = append(scales, anyOf[float32](g, 0.5, 0.6, 1, 1.5, 2, 2.3))
		}
		in := []arg{g.input(normal, shape...), {}, {}, ids(sizes...)}
		switch g.i % 3 {
		case 1:
			in = []arg{g.input(normal, shape...), {}, floatsOf(scales...)}
		case 2: // only some axes
			kv = append(kv, "axes", ints(-1))
			in = []arg{g.input(normal, shape...), {}, {}, ids(sizes[len(sizes)-1])}
		}
		return opCase{attrs: is(kv...), in: in, whole: true, tol: 1e-3}
	})
}

// Windows that lie in the padding, so that none reaches the picture or the first ones do not.
func init() {
	register(
		opCase{op: "Conv", name: "no window reaches", attrs: is("group", 3, "strides", ints(2), "pads", ints(1, 2)),
			in: []arg{x(3, 6, 1), w(3, 2, 1), w(3)}},
		opCase{op: "Conv", name: "windows before the picture", attrs: is("group", 2, "strides", ints(3, 1, 1), "pads", ints(2, 2, 0, 0, 0, 2)),
			in: []arg{x(3, 2, 1, 1, 2), w(4, 1, 1, 1, 1)}},
		opCase{op: "Conv", name: "deep padding", attrs: is("pads", ints(3, 4, 1, 0)), in: []arg{x(2, 2, 2, 3), w(3, 2, 2, 2), w(3)}},
		opCase{op: "ConvTranspose", name: "rows that nothing reaches",
			attrs: is("strides", ints(3, 2), "output_padding", ints(2, 1)), in: []arg{x(2, 2, 1, 2), w(2, 3, 1, 1)}},
		opCase{op: "DequantizeLinear", name: "no rows", attrs: is("axis", 1), in: []arg{given(tensor.New(tensor.Int8, 0, 3)), wg(positive, 3)}},
	)
}
