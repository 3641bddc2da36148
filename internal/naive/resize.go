package naive

import (
	"math"
	"slices"
)

func init() {
	register(map[string]operator{"Resize": resize, "Upsample": resize})
}

// tap is one input element of a line and its weight in an output element.
type tap struct {
	i int
	w float64
}

// axisScale is how one axis is resized.
type axisScale struct {
	in, out    int
	scale      float64
	start, end float64 // region of interest
}

// resize works on one axis after the other. Upsample and Resize of version 10 are asymmetric, nearest by floor, and by ceil along an axis
// that Resize shrinks, of positions rounded to float32: the specification does not say, ONNX Runtime does it.
func resize(c *call) []*value {
	x := c.in[0]
	r := len(x.shape)
	old := c.name == "Upsample" || c.opset < 11
	axes := axesOf(c.ints("axes"), r)
	if axes == nil {
		for i := range r {
			axes = append(axes, i)
		}
	}
	sc := make([]axisScale, r)
	for i, d := range x.shape {
		sc[i] = axisScale{in: d, out: d, scale: 1, end: 1}
	}
	scales, sizes := []float64(nil), []int(nil)
	switch {
	case c.hasAttr("scales"):
		scales = c.floats("scales")
	case c.hasAttr("height_scale"):
		scales = []float64{1, 1, c.float("height_scale", 1), c.float("width_scale", 1)}
	case old:
		scales = c.in[1].f
	default:
		if c.has(2) && c.in[2].len() > 0 {
			scales = c.in[2].f
		} else {
			sizes = c.intsAt(3)
		}
	}
	if sizes != nil {
		sizesToScales(c, sc, axes, sizes)
	}
	for k, a := range axes {
		if scales != nil {
			sc[a].scale = scales[k]
			sc[a].out = int(math.Floor(float64(sc[a].in) * scales[k]))
		}
		if !old && c.has(1) && c.in[1].len() > 0 {
			sc[a].start, sc[a].end = c.in[1].f[k], c.in[1].f[k+len(axes)]
		}
	}
	for a, s := range sc {
		if s.in == s.out && s.scale == 1 && c.str("coordinate_transformation_mode", "") != "tf_crop_and_resize" {
			continue
		}
		x = resizeAxis(c, x, a, s, old)
	}
	return one(x)
}

func sizesToScales(c *call, sc []axisScale, axes, sizes []int) {
	policy := c.str("keep_aspect_ratio_policy", "stretch")
	common := 0.0
	for k, a := range axes {
		s := float64(sizes[k]) / float64(sc[a].in)
		if k == 0 || policy == "not_larger" && s < common || policy == "not_smaller" && s > common {
			common = s
		}
		sc[a].scale, sc[a].out = s, sizes[k]
	}
	if policy != "stretch" {
		for _, a := range axes {
			sc[a].scale, sc[a].out = common, int(math.Floor(common*float64(sc[a].in)+0.5))
		}
	}
}

// origin is the coordinate in the input of output element o.
func (s axisScale) origin(mode string, o int) float64 {
	x, in, out := float64(o), float64(s.in), float64(s.out)
	switch mode {
	case "half_pixel":
		return (x+0.5)/s.scale - 0.5
	case "pytorch_half_pixel":
		if s.out == 1 {
			return 0
		}
		return (x+0.5)/s.scale - 0.5
	case "half_pixel_symmetric":
		adjust := out / (s.scale * in)
		return in/2*(1-adjust) + (x+0.5)/s.scale - 0.5
	case "align_corners":
		if s.out == 1 {
			return 0
		}
		return x * (in - 1) / (s.scale*in - 1) // the extent before rounding, as the reference has it
	case "asymmetric":
		return x / s.scale
	case "tf_crop_and_resize":
		if s.out == 1 {
			return 0.5 * (s.start + s.end) * (in - 1)
		}
		return s.start*(in-1) + x*(s.end-s.start)*(in-1)/(out-1)
	}
	fail("coordinate_transformation_mode %s", mode)
	return 0
}

func nearest(mode string, x float64) int {
	switch mode {
	case "floor":
		return int(math.Floor(x))
	case "ceil":
		return int(math.Ceil(x))
	case "round_prefer_ceil":
		return int(math.Floor(x + 0.5))
	case "round_prefer_floor":
		return int(math.Ceil(x - 0.5))
	}
	fail("nearest_mode %s", mode)
	return 0
}

func cubic(t, a float64) float64 {
	t = math.Abs(t)
	switch {
	case t <= 1:
		return (a+2)*t*t*t - (a+3)*t*t + 1
	case t < 2:
		return a*t*t*t - 5*a*t*t + 8*a*t - 4*a
	}
	return 0
}

// taps are those of a filter of the given half width around x; with antialiasing it is stretched by 1/scale.
func taps(c *call, s axisScale, x, half float64, kernel func(float64) float64) []tap {
	shrink := 1.0
	if c.int("antialias", 0) != 0 {
		shrink = min(1, s.scale)
	}
	var list []tap
	sum := 0.0
	for i := int(math.Ceil(x - half/shrink)); i <= int(math.Floor(x+half/shrink)); i++ {
		w := kernel((float64(i) - x) * shrink)
		if c.int("exclude_outside", 0) != 0 && (i < 0 || i >= s.in) {
			continue
		}
		sum += w
		list = append(list, tap{max(0, min(s.in-1, i)), w})
	}
	for k := range list {
		list[k].w /= sum
	}
	return list
}

func resizeAxis(c *call, x *value, a int, s axisScale, old bool) *value {
	coords, near := c.str("coordinate_transformation_mode", "half_pixel"), c.str("nearest_mode", "round_prefer_floor")
	if old {
		coords, near = "asymmetric", "floor"
	}
	mode := c.str("mode", "nearest")
	lists, outside := make([][]tap, s.out), make([]bool, s.out)
	for o := range s.out {
		at := s.origin(coords, o)
		outside[o] = coords == "tf_crop_and_resize" && (at < 0 || at > float64(s.in-1))
		switch mode {
		case "nearest":
			if old && c.name == "Resize" {
				at = float64(float32(at))
				if s.scale < 1 {
					near = "ceil"
				}
			}
			lists[o] = []tap{{max(0, min(s.in-1, nearest(near, at))), 1}}
		case "linear", "bilinear":
			lists[o] = taps(c, s, at, 1, func(t float64) float64 { return max(0, 1-math.Abs(t)) })
		case "cubic":
			lists[o] = taps(c, s, at, 2, func(t float64) float64 { return cubic(t, c.float("cubic_coeff_a", -0.75)) })
		default:
			fail("mode %s", mode)
		}
	}
	shape := slices.Clone(x.shape)
	shape[a] = s.out
	out := zeros(x.d, shape...)
	each(shape, func(idx []int, p int) {
		if outside[idx[a]] {
			out.set(p, c.float("extrapolation_value", 0))
			return
		}
		src := slices.Clone(idx)
		sum := 0.0
		for _, t := range lists[idx[a]] {
			src[a] = t.i
			sum += t.w * x.at(pos(x.shape, src))
		}
		out.set(p, sum)
	})
	return out
}
