package explain

import (
	"image"
	"image/draw"

	xdraw "golang.org/x/image/draw"
)

// Bilinear resizes src [h,w] to [H,W] with half-pixel centres: the source coordinate of pixel i is (i+0.5)·h/H − 0.5, clamped to the
// plane. It is ONNX's Resize with mode linear and coordinate_transformation_mode half_pixel, and PyTorch's align_corners=False.
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

// fitted is the map m [h,w] for display at [H,W]: Bilinear along axes that grow, the mean of what falls into a pixel along those that
// shrink, so that fine maps do not flicker.
func fitted(m []float32, h, w, H, W int) []float32 {
	if W < w {
		m, w = meanRows(m, h, w, W), W
	}
	if H < h {
		m, h = transposed(meanRows(transposed(m, h, w), w, h, H), w, H), H
	}
	if H == h && W == w {
		return m
	}
	return Bilinear(m, h, w, H, W)
}

// meanRows shortens each row of m [h,w] to W values, means over w/W neighbours with parts of those at the ends.
func meanRows(m []float32, h, w, W int) []float32 {
	out := make([]float32, h*W)
	for j := range W {
		// In units of 1/W of a source pixel, so that no part is lost to rounding.
		from, to := j*w, (j+1)*w
		for k := from / W; k*W < to; k++ {
			part := float64(min(to, (k+1)*W)-max(from, k*W)) / float64(w)
			for i := range h {
				out[i*W+j] += float32(part * float64(m[i*w+k]))
			}
		}
	}
	return out
}

// transposed is m [h,w] as [w,h].
func transposed(m []float32, h, w int) []float32 {
	out := make([]float32, len(m))
	for i := range h {
		for j := range w {
			out[j*h+i] = m[i*w+j]
		}
	}
	return out
}

// enlarged is img with each pixel a square of f.
func enlarged(img image.Image, f int) image.Image {
	if f == 1 {
		return img
	}
	b := img.Bounds()
	out := image.NewNRGBA(image.Rect(0, 0, f*b.Dx(), f*b.Dy()))
	xdraw.NearestNeighbor.Scale(out, out.Bounds(), img, b, draw.Src, nil)
	return out
}

// shrunk is img with sides of at most n pixels.
func shrunk(img image.Image, n int) image.Image {
	b := img.Bounds()
	long := max(b.Dx(), b.Dy())
	if long <= n {
		return img
	}
	out := image.NewNRGBA(image.Rect(0, 0, max(1, b.Dx()*n/long), max(1, b.Dy()*n/long)))
	if long >= 4*n { // the scaler needs 32 bytes for each row of the picture and column of the result
		img = averaged(img, 2*long/(3*n))
		b = img.Bounds()
	}
	xdraw.CatmullRom.Scale(out, out.Bounds(), img, b, draw.Src, nil)
	return out
}

// averaged is the means of k×k pixels of an opaque picture, of those at the right and bottom edge that are there. Pictures of other types
// than the usual two stay.
func averaged(img image.Image, k int) image.Image {
	b := img.Bounds()
	r := image.Rect(0, 0, (b.Dx()+k-1)/k, (b.Dy()+k-1)/k)
	switch m := img.(type) {
	case *image.Gray:
		out := image.NewGray(r)
		average(out.Pix, m.Pix, out.Stride, m.Stride, b.Dx(), b.Dy(), 1, k)
		return out
	case *image.NRGBA:
		if !m.Opaque() {
			return img
		}
		out := image.NewNRGBA(r)
		average(out.Pix, m.Pix, out.Stride, m.Stride, b.Dx(), b.Dy(), 4, k)
		return out
	}
	return img
}

// average writes the means of k×k pixels of w×h pixels of c bytes.
func average(dst, src []uint8, to, from, w, h, c, k int) {
	sums, counts := make([]int, (w+k-1)/k*c), make([]int, (w+k-1)/k)
	for y := 0; y < h; y += k {
		clear(sums)
		clear(counts)
		for row := y; row < min(y+k, h); row++ {
			for x := range w {
				counts[x/k]++
				for i := range c {
					sums[x/k*c+i] += int(src[row*from+x*c+i])
				}
			}
		}
		for i, s := range sums {
			n := counts[i/c]
			dst[y/k*to+i] = uint8((s + n/2) / n)
		}
	}
}
