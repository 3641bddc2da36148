package naive

import (
	"slices"

	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	register(map[string]operator{
		"Shape": func(c *call) []*value {
			s := c.in[0].shape
			clamp := func(a int) int {
				if a < 0 {
					a += len(s)
				}
				return max(0, min(a, len(s)))
			}
			lo, hi := clamp(c.int("start", 0)), clamp(c.int("end", len(s)))
			return one(intValue(s[lo:max(lo, hi)]...))
		},
		"Size": func(c *call) []*value {
			return one(intValue(c.in[0].len()).with())
		},
		"Reshape": reshape,
		"Flatten": func(c *call) []*value {
			s := c.in[0].shape
			a := c.int("axis", 1)
			if a < 0 {
				a += len(s)
			}
			return one(c.in[0].with(size(s[:a]), size(s[a:])))
		},
		"Squeeze": func(c *call) []*value {
			x := c.in[0]
			axes := axesOf(c.intsOf("axes", 1), len(x.shape))
			var s []int
			for i, d := range x.shape {
				if axes == nil && d == 1 || slices.Contains(axes, i) {
					continue
				}
				s = append(s, d)
			}
			return one(x.with(s...))
		},
		"Unsqueeze": func(c *call) []*value {
			x := c.in[0]
			axes := c.intsOf("axes", 1)
			r := len(x.shape) + len(axes)
			axes = axesOf(axes, r)
			var s []int
			k := 0
			for i := range r {
				if slices.Contains(axes, i) {
					s = append(s, 1)
				} else {
					s = append(s, x.shape[k])
					k++
				}
			}
			return one(x.with(s...))
		},
		"Transpose": func(c *call) []*value {
			p := c.ints("perm")
			if p == nil {
				for i := range c.in[0].shape {
					p = slices.Insert(p, 0, i)
				}
			}
			return one(transpose(c.in[0], p))
		},
		"Expand": func(c *call) []*value {
			x := c.in[0]
			return one(gatherBy(x, broadcastShape(x.shape, c.intsAt(1)), func(idx []int) int { return from(x.shape, idx) }))
		},
		"Tile":  tile,
		"Trilu": trilu,
		"Concat": func(c *call) []*value {
			return one(concat(axisOf(c.int("axis", 1), len(c.in[0].shape)), c.in))
		},
		"Split": split,
		"Slice": slice,
		"Pad":   pad,
		"Constant": func(c *call) []*value {
			switch {
			case c.hasAttr("value"):
				return one(fromTensor(c.attrs["value"].(*tensor.Tensor)))
			case c.hasAttr("value_int"):
				return one(intValue(c.int("value_int", 0)).with())
			case c.hasAttr("value_ints"):
				return one(intValue(c.ints("value_ints")...))
			case c.hasAttr("value_float"):
				return one(&value{d: tensor.Float32, f: []float64{c.float("value_float", 0)}})
			case c.hasAttr("value_floats"):
				f := c.floats("value_floats")
				return one(&value{d: tensor.Float32, f: f, shape: []int{len(f)}})
			case c.hasAttr("value_string"):
				return one(&value{d: tensor.String, s: []string{c.str("value_string", "")}})
			case c.hasAttr("value_strings"):
				s := c.strs("value_strings")
				return one(&value{d: tensor.String, s: s, shape: []int{len(s)}})
			}
			fail("no value")
			return nil
		},
		"ConstantOfShape": func(c *call) []*value {
			e := zeros(tensor.Float32, 1)
			if t, ok := c.attrs["value"].(*tensor.Tensor); ok {
				e = fromTensor(t)
			}
			return one(gatherBy(e, c.intsAt(0), func([]int) int { return 0 }))
		},
		"Range": func(c *call) []*value {
			a, b, d := c.in[0].at(0), c.in[1].at(0), c.in[2].at(0)
			out := &value{d: c.in[0].d}
			if out.d.IsFloat() {
				out.f = []float64{}
			}
			n := 0
			for x := a; d > 0 && x < b || d < 0 && x > b; x = a + float64(n)*d {
				n++
				if out.f != nil {
					out.f = append(out.f, x)
				} else {
					out.i = append(out.i, int64(x))
				}
			}
			out.shape = []int{n}
			return one(out)
		},
		"EyeLike": func(c *call) []*value {
			x := c.in[0]
			out := zeros(tensor.DType(c.int("dtype", int(x.d))), x.shape...)
			k := c.int("k", 0)
			each(x.shape, func(idx []int, p int) {
				if idx[1]-idx[0] == k {
					out.set(p, 1)
				}
			})
			return one(out)
		},
		"DepthToSpace": func(c *call) []*value {
			x, b := c.in[0], c.int("blocksize", 1)
			n, ch, h, w := x.shape[0], x.shape[1], x.shape[2], x.shape[3]
			if c.str("mode", "DCR") == "CRD" {
				y := transpose(x.with(n, ch/b/b, b, b, h, w), []int{0, 1, 4, 2, 5, 3})
				return one(y.with(n, ch/b/b, h*b, w*b))
			}
			y := transpose(x.with(n, b, b, ch/b/b, h, w), []int{0, 3, 4, 1, 5, 2})
			return one(y.with(n, ch/b/b, h*b, w*b))
		},
		"SpaceToDepth": func(c *call) []*value {
			x, b := c.in[0], c.int("blocksize", 1)
			n, ch, h, w := x.shape[0], x.shape[1], x.shape[2], x.shape[3]
			y := transpose(x.with(n, ch, h/b, b, w/b, b), []int{0, 3, 5, 1, 2, 4})
			return one(y.with(n, ch*b*b, h/b, w/b))
		},
	})
}

func intValue(x ...int) *value {
	v := zeros(tensor.Int64, len(x))
	for i, n := range x {
		v.i[i] = int64(n)
	}
	return v
}

func axesOf(axes []int, rank int) []int {
	if axes == nil {
		return nil
	}
	out := []int{}
	for _, a := range axes {
		out = append(out, axisOf(a, rank))
	}
	return out
}

// gatherBy is a value of the given shape whose element idx is element at(idx) of x, or zero where at is negative.
func gatherBy(x *value, shape []int, at func(idx []int) int) *value {
	out := zeros(x.d, shape...)
	each(shape, func(idx []int, p int) {
		if k := at(idx); k >= 0 {
			out.copy(p, x, k)
		}
	})
	return out
}

func transpose(x *value, perm []int) *value {
	shape := make([]int, len(perm))
	for i, p := range perm {
		shape[i] = x.shape[p]
	}
	src := make([]int, len(perm))
	return gatherBy(x, shape, func(idx []int) int {
		for i, p := range perm {
			src[p] = idx[i]
		}
		return pos(x.shape, src)
	})
}

func reshape(c *call) []*value {
	x := c.in[0]
	want := slices.Clone(c.intsOf("shape", 1))
	unknown, n := -1, 1
	for i, d := range want {
		if d == 0 && c.int("allowzero", 0) == 0 {
			want[i] = x.shape[i]
		}
		if d == -1 {
			unknown = i
		} else {
			n *= want[i]
		}
	}
	if unknown >= 0 {
		want[unknown] = 0
		if n > 0 {
			want[unknown] = x.len() / n
		}
	}
	return one(x.with(want...))
}

func tile(c *call) []*value {
	x := c.in[0]
	reps := c.intsAt(1)
	if c.opset < 6 {
		t, a := int(c.in[1].at(0)), int(c.in[2].at(0)) // in the type of the data
		reps = make([]int, len(x.shape))
		for i := range reps {
			reps[i] = 1
		}
		reps[a] = t
	}
	shape := slices.Clone(x.shape)
	for i, r := range reps {
		shape[i] *= r
	}
	src := make([]int, len(shape))
	return one(gatherBy(x, shape, func(idx []int) int {
		for i := range idx {
			src[i] = idx[i] % x.shape[i]
		}
		return pos(x.shape, src)
	}))
}

func trilu(c *call) []*value {
	x, k := c.in[0], 0
	if c.has(1) {
		k = c.intsAt(1)[0]
	}
	upper := c.int("upper", 1) != 0
	r := len(x.shape)
	return one(gatherBy(x, x.shape, func(idx []int) int {
		d := idx[r-1] - idx[r-2]
		if upper && d >= k || !upper && d <= k {
			return pos(x.shape, idx)
		}
		return -1
	}))
}

func concat(axis int, in []*value) *value {
	shape := slices.Clone(in[0].shape)
	for _, v := range in[1:] {
		shape[axis] += v.shape[axis]
	}
	out := zeros(in[0].d, shape...)
	at := 0
	for _, v := range in {
		each(v.shape, func(idx []int, p int) {
			to := slices.Clone(idx)
			to[axis] += at
			out.copy(pos(shape, to), v, p)
		})
		at += v.shape[axis]
	}
	return out
}

// part is x[..., lo:lo+n, ...] on one axis.
func part(x *value, axis, lo, n int) *value {
	shape := slices.Clone(x.shape)
	shape[axis] = n
	return gatherBy(x, shape, func(idx []int) int {
		src := slices.Clone(idx)
		src[axis] += lo
		return pos(x.shape, src)
	})
}

func split(c *call) []*value {
	x := c.in[0]
	axis := axisOf(c.int("axis", 0), len(x.shape))
	sizes := c.intsOf("split", 1)
	if sizes == nil {
		n := c.int("num_outputs", c.nout)
		chunk := (x.shape[axis] + n - 1) / n
		for left := x.shape[axis]; len(sizes) < n; left -= chunk {
			sizes = append(sizes, max(0, min(chunk, left)))
		}
	}
	var out []*value
	at := 0
	for _, n := range sizes {
		out = append(out, part(x, axis, at, n))
		at += n
	}
	return out
}

func slice(c *call) []*value {
	x := c.in[0]
	starts, ends, axes := c.intsOf("starts", 1), c.intsOf("ends", 2), c.intsOf("axes", 3)
	steps := c.intsAt(4)
	if axes == nil {
		for i := range starts {
			axes = append(axes, i)
		}
	}
	r := len(x.shape)
	shape, lo, by := slices.Clone(x.shape), make([]int, r), make([]int, r)
	for i := range by {
		by[i] = 1
	}
	for k, a := range axes {
		a = axisOf(a, r)
		n, step := x.shape[a], 1
		if steps != nil {
			step = steps[k]
		}
		s, e := starts[k], ends[k]
		if s < 0 {
			s += n
		}
		if e < 0 && int64(e) >= int64(-n)-1<<40 {
			e += n
		}
		if step > 0 {
			s, e = max(0, min(s, n)), max(0, min(e, n))
			shape[a] = max(0, (e-s+step-1)/step)
		} else {
			s, e = max(0, min(s, n-1)), max(-1, min(e, n-1))
			shape[a] = max(0, (s-e-step-1)/-step)
		}
		if n == 0 {
			shape[a] = 0
		}
		lo[a], by[a] = s, step
	}
	src := make([]int, r)
	return one(gatherBy(x, shape, func(idx []int) int {
		for i := range src {
			src[i] = lo[i] + idx[i]*by[i]
		}
		return pos(x.shape, src)
	}))
}

// pad has its widths as an attribute (called paddings in version 1) before version 11 and as an input after.
func pad(c *call) []*value {
	x := c.in[0]
	r := len(x.shape)
	widths := c.intsOf("pads", 1)
	if c.hasAttr("paddings") {
		widths = c.ints("paddings")
	}
	axes := axesOf(c.intsAt(3), r)
	if axes == nil {
		for i := range r {
			axes = append(axes, i)
		}
	}
	before, shape := make([]int, r), slices.Clone(x.shape)
	for k, a := range axes {
		before[a] = widths[k]
		shape[a] += widths[k] + widths[k+len(axes)]
	}
	mode := c.str("mode", "constant")
	out := zeros(x.d, shape...)
	src := make([]int, r)
	each(shape, func(idx []int, p int) {
		for i, n := range x.shape {
			k := idx[i] - before[i]
			switch {
			case k >= 0 && k < n:
			case mode == "constant":
				if c.has(2) {
					out.copy(p, c.in[2], 0)
				} else if x.f != nil {
					out.f[p] = c.float("value", 0)
				}
				return
			case mode == "edge":
				k = max(0, min(k, n-1))
			case mode == "wrap":
				k = ((k % n) + n) % n
			case mode == "reflect":
				for k < 0 || k >= n {
					if n == 1 {
						k = 0
						break
					}
					if k < 0 {
						k = -k
					} else {
						k = 2*(n-1) - k
					}
				}
			default:
				fail("mode %s", mode)
			}
			src[i] = k
		}
		out.copy(p, x, pos(x.shape, src))
	})
	return one(out)
}
