package explain

// Bilinear resizes src [h,w] to [H,W] with half-pixel centres: the source coordinate of pixel i is (i+0.5)·h/H − 0.5, clamped to the plane.
// It is ONNX's Resize with mode linear and coordinate_transformation_mode half_pixel, and PyTorch's align_corners=False.
// Sizes must be positive and len(src) h·w.
//
// Source: https://onnx.ai/onnx/operators/onnx__Resize.html
func Bilinear(src []float32, h, w, H, W int) []float32 {
	ys, xs := taps(h, H), taps(w, W)
	dst := make([]float32, H*W)
	for i, y := range ys {
		top, bot := src[y.lo*w:(y.lo+1)*w], src[y.hi*w:(y.hi+1)*w]
		for j, x := range xs {
			a := float64(top[x.lo])*(1-x.f) + float64(top[x.hi])*x.f
			b := float64(bot[x.lo])*(1-x.f) + float64(bot[x.hi])*x.f
			dst[i*W+j] = float32(a*(1-y.f) + b*y.f)
		}
	}
	return dst
}

// tap is a linear interpolation between the samples lo and hi, at fraction f from lo.
type tap struct {
	lo, hi int
	f      float64
}

func taps(n, N int) []tap {
	ts := make([]tap, N)
	for i := range ts {
		s := max((float64(i)+0.5)*float64(n)/float64(N)-0.5, 0)
		lo := min(int(s), n-1)
		ts[i] = tap{lo, min(lo+1, n-1), min(s-float64(lo), 1)}
	}
	return ts
}
