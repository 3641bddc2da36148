package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestResize(t *testing.T) {
	// https://onnx.ai/onnx/operators/onnx__Resize.html, resize_upsample_scales_linear and resize_upsample_scales_nearest.
	y := make([]float64, 16)
	m := HalfPixel(2, 4, 2)
	ResizeLinear(nil, y, []float64{1, 2, 3, 4}, 1, 2, 2, m, m)
	if want := []float64{1, 1.25, 1.75, 2, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3, 3.25, 3.75, 4}; !slices.Equal(y, want) {
		t.Errorf("linear: %v", y)
	}
	near := make([]float32, 24)
	ResizeNearest(nil, near, []float32{1, 2, 3, 4}, 1, 2, 2, []int{0, 0, 1, 1}, []int{0, 0, 0, 1, 1, 1})
	if want := []float32{1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 3, 3, 3, 4, 4, 4}; !slices.Equal(near, want) {
		t.Errorf("nearest: %v", near)
	}

	// The gradients are the transposed maps: <resize(x), g> = <x, resize'(g)>.
	r := rand.New(rand.NewPCG(35, 36))
	for range 30 {
		k, ih, iw, oh, ow := 1+r.IntN(3), 1+r.IntN(9), 1+r.IntN(9), 1+r.IntN(20), 1+r.IntN(20)
		x, g := randOf[float64](r, k*ih*iw), randOf[float64](r, k*oh*ow)
		out, dx := make([]float64, len(g)), make([]float64, len(x))
		ym, xm := HalfPixel(ih, oh, float64(oh)/float64(ih)), HalfPixel(iw, ow, float64(ow)/float64(iw))
		for _, p := range pools(t) {
			ResizeLinear(p, out, x, k, ih, iw, ym, xm)
			ResizeLinearGrad(p, dx, g, k, ih, iw, ym, xm)
			closeTo(t, "linear gradient", []float64{plainDot(x, dx)}, []float64{plainDot(out, g)}, 1e-11)
			ResizeNearest(p, out, x, k, ih, iw, ym.Lo, xm.Hi)
			ResizeNearestGrad(p, dx, g, k, ih, iw, ym.Lo, xm.Hi)
			closeTo(t, "nearest gradient", []float64{plainDot(x, dx)}, []float64{plainDot(out, g)}, 1e-11)
		}
		eachISA(t, func(t *testing.T) {
			o := make([]float32, len(g))
			ResizeLinear(nil, out, x, k, ih, iw, ym, xm)
			ResizeLinear(nil, o, cast[float32](x), k, ih, iw, ym, xm)
			closeTo(t, "float32", o, out, 2e-6)
		})
	}
}
