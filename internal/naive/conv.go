package naive

import (
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	register(map[string]operator{
		"Conv": conv, "ConvTranspose": convTranspose,
		"MaxPool": maxPool, "AveragePool": averagePool, "LpPool": lpPool,
		"GlobalMaxPool":     global(func(w []float64, _ *call) float64 { return slices.Max(w) }),
		"GlobalAveragePool": global(func(w []float64, _ *call) float64 { return total(w) / float64(len(w)) }),
		"GlobalLpPool":      global(func(w []float64, c *call) float64 { return lpNorm(w, c.power()) }),
		"MaxUnpool":         maxUnpool,
	})
}

func total(w []float64) float64 {
	s := 0.0
	for _, x := range w {
		s += x
	}
	return s
}

func lpNorm(w []float64, p float64) float64 {
	s := 0.0
	for _, x := range w {
		s += math.Pow(math.Abs(x), p)
	}
	return math.Pow(s, 1/p)
}

// power is the attribute p, a float in version 1 of the operators that have it.
func (c *call) power() float64 { return c.float("p", float64(c.int("p", 2))) }

// window is how a kernel moves over the spatial axes.
type window struct {
	in, k, stride, dil, before, after, out []int
}

func ones(list []int, n int) []int {
	if list != nil {
		return list
	}
	out := make([]int, n)
	for i := range out {
		out[i] = 1
	}
	return out
}

func (c *call) window(in, k []int) window {
	n := len(in)
	w := window{in: in, k: k, stride: ones(c.ints("strides"), n), dil: ones(c.ints("dilations"), n),
		before: make([]int, n), after: make([]int, n), out: make([]int, n)}
	if p := c.ints("pads"); p != nil {
		w.before, w.after = slices.Clone(p[:n]), slices.Clone(p[n:])
	}
	auto := c.str("auto_pad", "NOTSET")
	for i := range n {
		span := (k[i]-1)*w.dil[i] + 1
		switch auto {
		case "SAME_UPPER", "SAME_LOWER":
			w.out[i] = (in[i] + w.stride[i] - 1) / w.stride[i]
			all := max(0, (w.out[i]-1)*w.stride[i]+span-in[i])
			w.before[i], w.after[i] = all/2, all-all/2
			if auto == "SAME_LOWER" {
				w.before[i], w.after[i] = w.after[i], w.before[i]
			}
			continue
		case "VALID":
			w.before[i], w.after[i] = 0, 0
		}
		room := in[i] + w.before[i] + w.after[i] - span
		w.out[i] = int(math.Floor(float64(room)/float64(w.stride[i]))) + 1
		if c.int("ceil_mode", 0) != 0 {
			w.out[i] = int(math.Ceil(float64(room)/float64(w.stride[i]))) + 1
			if (w.out[i]-1)*w.stride[i] >= in[i]+w.before[i] {
				w.out[i]-- // a window must not start in the padding at the end
			}
		}
	}
	return w
}

// at is the input index of kernel index k at output index o. inside is false for padding.
func (w *window) at(o, k, dst []int) (inside bool) {
	inside = true
	for i := range o {
		dst[i] = o[i]*w.stride[i] + k[i]*w.dil[i] - w.before[i]
		inside = inside && dst[i] >= 0 && dst[i] < w.in[i]
	}
	return inside
}

// conv is X [N,C,...], W [M,C/group,...], B [M].
func conv(c *call) []*value {
	x, wt := c.in[0], c.in[1]
	group := c.int("group", 1)
	w := c.window(x.shape[2:], wt.shape[2:])
	n, ch, m := x.shape[0], x.shape[1], wt.shape[0]
	cg, mg := ch/group, m/group
	out := zeros(x.d, slices.Concat([]int{n, m}, w.out)...)
	area, karea, oarea := size(w.in), size(w.k), size(w.out)
	src := make([]int, len(w.in))
	each(w.out, func(o []int, op int) {
		each(w.k, func(k []int, kp int) {
			if !w.at(o, k, src) {
				return
			}
			ip := pos(w.in, src)
			for b := range n {
				for f := range m {
					sum := 0.0
					for q := range cg {
						sum += x.f[(b*ch+f/mg*cg+q)*area+ip] * wt.f[(f*cg+q)*karea+kp]
					}
					out.f[(b*m+f)*oarea+op] += sum
				}
			}
		})
	})
	addBias(c, out)
	return one(out)
}

func addBias(c *call, out *value) {
	if !c.has(2) {
		return
	}
	each(out.shape, func(idx []int, p int) { out.f[p] += c.in[2].f[idx[1]] })
}

// convTranspose is X [N,C,...], W [C,M/group,...], B [M].
func convTranspose(c *call) []*value {
	x, wt := c.in[0], c.in[1]
	group := c.int("group", 1)
	n, ch, mg := x.shape[0], x.shape[1], wt.shape[1]
	m, cg := mg*group, ch/group
	in, k := x.shape[2:], wt.shape[2:]
	r := len(in)
	stride, dil := ones(c.ints("strides"), r), ones(c.ints("dilations"), r)
	extra := c.ints("output_padding")
	if extra == nil {
		extra = make([]int, r)
	}
	before, out := make([]int, r), make([]int, r)
	pads := c.ints("pads")
	want := c.ints("output_shape")
	if len(want) == r+2 {
		want = want[2:]
	}
	auto := c.str("auto_pad", "NOTSET")
	for i := range r {
		full := stride[i]*(in[i]-1) + extra[i] + (k[i]-1)*dil[i] + 1
		if want == nil && (auto == "NOTSET" || auto == "VALID") {
			out[i] = full
			if pads != nil && auto == "NOTSET" {
				before[i] = pads[i]
				out[i] -= pads[i] + pads[r+i]
			}
			continue
		}
		if want != nil {
			out[i] = want[i]
		} else {
			out[i] = in[i] * stride[i]
		}
		all := max(0, full-out[i])
		before[i] = all / 2
		if auto != "SAME_UPPER" {
			before[i] = all - all/2
		}
	}
	y := zeros(x.d, slices.Concat([]int{n, m}, out)...)
	area, karea, oarea := size(in), size(k), size(out)
	dst := make([]int, r)
	each(in, func(i []int, ip int) {
		each(k, func(kk []int, kp int) {
			for a := range r {
				dst[a] = i[a]*stride[a] + kk[a]*dil[a] - before[a]
				if dst[a] < 0 || dst[a] >= out[a] {
					return
				}
			}
			op := pos(out, dst)
			for b := range n {
				for q := range ch {
					for f := range mg {
						y.f[(b*m+q/cg*mg+f)*oarea+op] += x.f[(b*ch+q)*area+ip] * wt.f[(q*mg+f)*karea+kp]
					}
				}
			}
		})
	})
	addBias(c, y)
	return one(y)
}

// planes calls f for every channel of every example with the position of its first element in input and output.
func planes(x *value, w window, f func(in, out int)) {
	for p := range x.shape[0] * x.shape[1] {
		f(p*size(w.in), p*size(w.out))
	}
}

func maxPool(c *call) []*value {
	x := c.in[0]
	w := c.window(x.shape[2:], c.ints("kernel_shape"))
	shape := slices.Concat(x.shape[:2], w.out)
	out, ids := zeros(x.d, shape...), zeros(tensor.Int64, shape...)
	src := make([]int, len(w.in))
	planes(x, w, func(in, o int) {
		each(w.out, func(idx []int, op int) {
			best, at := math.NaN(), -1
			each(w.k, func(k []int, _ int) {
				if !w.at(idx, k, src) {
					return
				}
				p := pos(w.in, src)
				if v := x.at(in + p); at < 0 || v > best {
					best, at = v, in+p
					if c.int("storage_order", 0) != 0 {
						at = 0
						for i := len(src) - 1; i >= 0; i-- {
							at = at*w.in[i] + src[i]
						}
						at += in
					}
				}
			})
			out.set(o+op, best)
			ids.i[o+op] = int64(at)
		})
	})
	return []*value{out, ids}
}

func averagePool(c *call) []*value {
	x := c.in[0]
	w := c.window(x.shape[2:], c.ints("kernel_shape"))
	out := zeros(x.d, slices.Concat(x.shape[:2], w.out)...)
	src := make([]int, len(w.in))
	withPad := c.int("count_include_pad", 0) != 0
	planes(x, w, func(in, o int) {
		each(w.out, func(idx []int, op int) {
			sum, n := 0.0, 0
			each(w.k, func(k []int, _ int) {
				if w.at(idx, k, src) {
					sum += x.f[in+pos(w.in, src)]
					n++
					return
				}
				beyond := false
				for i, p := range src {
					beyond = beyond || p >= w.in[i]+w.after[i]
				}
				if withPad && !beyond {
					n++
				}
			})
			out.f[o+op] = sum / float64(n)
		})
	})
	return one(out)
}

func lpPool(c *call) []*value {
	x := c.in[0]
	w := c.window(x.shape[2:], c.ints("kernel_shape"))
	out := zeros(x.d, slices.Concat(x.shape[:2], w.out)...)
	src := make([]int, len(w.in))
	planes(x, w, func(in, o int) {
		each(w.out, func(idx []int, op int) {
			var got []float64
			each(w.k, func(k []int, _ int) {
				if w.at(idx, k, src) {
					got = append(got, x.f[in+pos(w.in, src)])
				}
			})
			out.f[o+op] = lpNorm(got, c.power())
		})
	})
	return one(out)
}

func global(f func(w []float64, c *call) float64) operator {
	return func(c *call) []*value {
		x := c.in[0]
		area := size(x.shape[2:])
		out := zeros(x.d, slices.Concat(x.shape[:2], ones(nil, len(x.shape)-2))...)
		for p := range out.f {
			out.f[p] = f(x.f[p*area:(p+1)*area], c)
		}
		return one(out)
	}
}

func maxUnpool(c *call) []*value {
	x, ids := c.in[0], c.in[1]
	k := c.ints("kernel_shape")
	stride, pads := ones(c.ints("strides"), len(k)), c.ints("pads")
	natural := slices.Clone(x.shape)
	for i := range k {
		natural[2+i] = (x.shape[2+i]-1)*stride[i] + k[i]
		if pads != nil {
			natural[2+i] -= pads[i] + pads[len(k)+i]
		}
	}
	shape := natural
	if c.has(2) {
		shape = c.intsAt(2)
	}
	// The indices are positions in a tensor of the natural shape.
	out := zeros(x.d, shape...)
	st := strides(natural)
	for p, q := range ids.i {
		idx := make([]int, len(natural))
		rest := int(q)
		for i, s := range st {
			idx[i], rest = rest/s, rest%s
		}
		out.copy(pos(shape, idx), x, p)
	}
	return one(out)
}
