package ops

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/tensor"
)

// resizing is a Resize made concrete.
type resizing struct {
	in, out    tensor.Shape
	axes       []filter // by axis
	at         []int    // the axes that may change
	scale, roi []float64
}

// filter says, for each index along an axis of the result, which elements of the input it is made of.
type filter struct {
	n       int // elements for each
	index   []int
	weights []float64
	outside []bool // nil when nothing is outside
	trivial bool   // the axis stays as it is
}

func (f *filter) at(j int) []int {
	if !f.inside(j) {
		return nil
	}
	return f.index[j*f.n : (j+1)*f.n]
}

func (f *filter) weight(j int) []float64 { return f.weights[j*f.n : (j+1)*f.n] }

func (f *filter) inside(j int) bool { return f.outside == nil || !f.outside[j] }

func (a *resizeAttrs) check() error {
	in := func(what, v string, of ...string) error {
		if slices.Contains(of, v) {
			return nil
		}
		return fmt.Errorf("%s is %q, want one of %v", what, v, of)
	}
	if err := in("mode", a.Mode, "nearest", "linear", "cubic"); err != nil {
		return err
	}
	if err := in("nearest_mode", a.Nearest, "round_prefer_floor", "round_prefer_ceil", "floor", "ceil"); err != nil {
		return err
	}
	if err := in("keep_aspect_ratio_policy", a.Policy, "stretch", "not_larger", "not_smaller"); err != nil {
		return err
	}
	return in("coordinate_transformation_mode", a.Transform, "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
		"asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize")
}

// newResizing resolves the arguments for an input of shape s.
func newResizing(a *resizeAttrs, s tensor.Shape, roiOf, scalesOf, sizesOf valueFunc) (*resizing, error) {
	var values [3]*tensor.Tensor
	for i, f := range []valueFunc{roiOf, scalesOf, sizesOf} {
		t, err := f()
		if err != nil {
			return nil, err
		}
		if t != nil && t.Len() > 0 {
			values[i] = t
		}
	}
	axes := a.Axes
	if axes == nil {
		for i := range s {
			axes = append(axes, i)
		}
	}
	n := len(axes)
	r := &resizing{in: s, out: slices.Clone(s), axes: make([]filter, len(s))}
	scale, roi := make([]float64, n), make([]float64, 2*n)
	for i := range n {
		roi[n+i] = 1
	}
	if a.Transform == "tf_crop_and_resize" {
		if values[0] == nil || values[0].Len() != 2*n {
			return nil, fmt.Errorf("roi must have %d elements for tf_crop_and_resize", 2*n)
		}
		roi = values[0].Float64s()
	}
	at, _, err := axesOf(axes, len(s))
	if err != nil {
		return nil, err
	}
	switch {
	case values[1] != nil && values[2] == nil:
		if values[1].Len() != n {
			return nil, fmt.Errorf("%d scales for %d axes", values[1].Len(), n)
		}
		for i, f := range values[1].Float64s() {
			size := math.Floor(float64(float32(s[at[i]]) * float32(f)))
			if !(f > 0) || !(size < 1<<40) {
				return nil, fmt.Errorf("scale %v of axis %d of extent %d", f, at[i], s[at[i]])
			}
			scale[i], r.out[at[i]] = f, int(size)
		}
	case values[2] != nil && values[1] == nil:
		if values[2].Len() != n {
			return nil, fmt.Errorf("%d sizes for %d axes", values[2].Len(), n)
		}
		for i, x := range values[2].I64() {
			if x < 0 || x > 1<<40 || s[at[i]] == 0 {
				return nil, fmt.Errorf("size %d for axis %d of extent %d", x, at[i], s[at[i]])
			}
			scale[i], r.out[at[i]] = float64(x)/float64(s[at[i]]), int(x)
		}
		if a.Policy != "stretch" && n > 0 {
			f := slices.Min(scale)
			if a.Policy == "not_smaller" {
				f = slices.Max(scale)
			}
			for i := range scale {
				scale[i], r.out[at[i]] = f, int(math.Floor(f*float64(s[at[i]])+0.5))
			}
		}
	default:
		return nil, fmt.Errorf("exactly one of scales and sizes must be given")
	}
	r.at, r.scale, r.roi = at, scale, roi
	return r, nil
}

// tables makes the filters, once the size of the result was found acceptable.
func (r *resizing) tables(a *resizeAttrs) error {
	for k := range r.axes {
		r.axes[k].trivial = true
	}
	for i, k := range r.at {
		in, out := r.in[k], r.out[k]
		if taps := a.taps(r.scale[i]); out > 0 && taps > 64+16*(in/out+1) {
			return fmt.Errorf("scale %v of axis %d does not fit the extents %d and %d", r.scale[i], k, in, out)
		}
		r.axes[k] = a.filter(in, out, r.scale[i], r.roi[i], r.roi[len(r.at)+i])
	}
	return nil
}

// taps bounds the number of elements that one of the result is made of.
func (a *resizeAttrs) taps(scale float64) int {
	if !a.Antialias {
		return 4
	}
	return int(min(4+4/min(scale, 1), 1<<40))
}

// position is where index j of the result lies in the input.
func (a *resizeAttrs) position(j float64, in, out int, scale, lo, hi float64) float64 {
	width := scale * float64(in)
	last := float64(in - 1)
	switch a.Transform {
	case "align_corners":
		if width == 1 {
			return 0
		}
		return j * last / (width - 1)
	case "asymmetric":
		return j / scale
	case "tf_half_pixel_for_nn":
		return (j + 0.5) / scale
	case "tf_crop_and_resize":
		if out == 1 {
			return 0.5 * (lo + hi) * last
		}
		return lo*last + j*(hi-lo)*last/(width-1)
	case "pytorch_half_pixel":
		if out == 1 { // so the definition; ONNX's reference implementation has -0.5, which only antialiasing and cubic tell apart
			return 0
		}
	case "half_pixel_symmetric":
		return float64(in)/2*(1-float64(out)/width) + (j+0.5)/scale - 0.5
	}
	return (j+0.5)/scale - 0.5
}

// filter makes the filter of an axis.
func (a *resizeAttrs) filter(in, out int, scale, lo, hi float64) filter {
	if out == 0 || in == out && scale == 1 && a.Transform != "tf_crop_and_resize" {
		return filter{trivial: true}
	}
	single := a.Nearest == shrinking // positions are float32 numbers, as in ONNX Runtime
	if single {
		b := *a
		if b.Nearest = "floor"; scale < 1 {
			b.Nearest = "ceil"
		}
		a = &b
	}
	width := min(scale, 1) // of the filter's grid, with antialiasing
	first, n := 0, 2
	switch {
	case a.Mode == "cubic" && a.Antialias:
		first = int(math.Floor(-2/width)) + 1
		n = 2 - 2*first
	case a.Mode == "cubic":
		first, n = -1, 4
	case a.Mode == "linear" && a.Antialias:
		first = int(math.Floor(-1/width)) + 1
		n = 2 - 2*first
	}
	f := filter{n: n, index: make([]int, 0, out*n), weights: make([]float64, 0, out*n)}
	for j := range out {
		x := a.position(float64(j), in, out, scale, lo, hi)
		if single && a.Mode == "nearest" {
			x = float64(float32(x))
		}
		if a.Transform == "tf_crop_and_resize" && (x < 0 || x > float64(in-1)) {
			if f.outside == nil {
				f.outside = make([]bool, out)
			}
			f.outside[j] = true
			x = 0
		}
		base := math.Ceil(x) - 1
		ratio := x - base // in (0, 1]
		from := len(f.weights)
		sum := 0.0
		for i := first; i < first+n; i++ {
			w := a.weightAt(float64(i), ratio, width)
			k := int(base) + i
			if a.ExcludeOutside && (k < 0 || k >= in) {
				w = 0
			}
			sum += w
			f.index, f.weights = append(f.index, min(max(k, 0), in-1)), append(f.weights, w)
		}
		if (a.ExcludeOutside || a.Antialias) && sum != 0 {
			for i := from; i < len(f.weights); i++ {
				f.weights[i] /= sum
			}
		}
	}
	return f
}

// weightAt is the weight of the element i steps after the one to the left of a position that lies ratio beyond it.
func (a *resizeAttrs) weightAt(i, ratio, width float64) float64 {
	switch a.Mode {
	case "nearest":
		right := ratio == 1
		switch a.Nearest {
		case "round_prefer_floor":
			right = right || ratio > 0.5
		case "round_prefer_ceil":
			right = right || ratio >= 0.5
		case "ceil":
			right = true
		}
		if right == (i == 1) {
			return 1
		}
		return 0
	case "linear":
		x := i - ratio
		if a.Antialias {
			x *= width
		}
		return max(0, 1-math.Abs(x))
	}
	x := math.Abs(i - ratio)
	if a.Antialias {
		x *= width
	}
	A := float64(a.CubicA)
	switch {
	case x <= 1:
		return ((A+2)*x-(A+3))*x*x + 1
	case x < 2:
		return ((x-5)*x+8)*x*A - 4*A
	}
	return 0
}

// nearest are the maps of copyMapped.
func (r *resizing) nearest() [][]int {
	maps := make([][]int, len(r.in))
	for k := range maps {
		f := &r.axes[k]
		maps[k] = make([]int, r.out[k])
		for j := range maps[k] {
			switch {
			case f.trivial:
				maps[k][j] = j
			case f.inside(j):
				i := 0
				if f.weight(j)[1] == 1 {
					i = 1
				}
				maps[k][j] = f.at(j)[i]
			}
		}
	}
	return maps
}

// order are the axes that change, the one that shrinks most, or grows least, first.
func (r *resizing) order() []int {
	var ks []int
	for k := range r.axes {
		if !r.axes[k].trivial {
			ks = append(ks, k)
		}
	}
	slices.SortStableFunc(ks, func(x, y int) int { return cmp.Compare(r.out[x]*r.in[y], r.out[y]*r.in[x]) })
	return ks
}
