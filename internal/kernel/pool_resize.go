package kernel

import (
	"math"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// ResizeMap is how each output index of an axis reads the input: Lo and Hi with weights 1-W and W.
type ResizeMap struct {
	Lo, Hi []int
	W      []float64
}

// HalfPixel is the map of linear interpolation for ONNX Resize with half_pixel coordinates: output o lies at (o+½)/scale - ½,
// clamped to the input; in > 0.
func HalfPixel(in, out int, scale float64) ResizeMap {
	at := make([]float64, out)
	for o := range at {
		at[o] = (float64(o)+0.5)/scale - 0.5
	}
	return LinearMap(in, at)
}

// LinearMap is the map of linear interpolation at the given coordinates, clamped to 0..in-1; in > 0.
func LinearMap(in int, at []float64) ResizeMap {
	m := ResizeMap{make([]int, len(at)), make([]int, len(at)), make([]float64, len(at))}
	for o, x := range at {
		x = min(max(x, 0), float64(in-1))
		lo := int(math.Floor(x))
		m.Lo[o], m.Hi[o], m.W[o] = lo, min(lo+1, in-1), x-float64(lo)
	}
	return m
}

// ResizeLinear is bilinear interpolation of planes of [ih, iw] to planes of the sizes of the maps:
//
//	out[k,y,x] = Σ over the two rows and columns of ym[y], xm[x] of weight*in
func ResizeLinear[T Float](p *parallel.Pool, out, in []T, planes, ih, iw int, ym, xm ResizeMap) {
	oh, ow := len(ym.W), len(xm.W)
	atLeast(planes*ih*iw, len(in))
	atLeast(planes*oh*ow, len(out))
	if ow == 0 {
		return
	}
	l := loopsOf[T]()
	p.For(planes*oh, max(1, elemChunk/max(ow, iw)), func(lo, hi int) {
		line := make([]T, iw)
		for r := lo; r < hi; r++ {
			plane, y := in[r/oh*ih*iw:], r%oh
			w := T(ym.W[y])
			l.lin2(line, plane[ym.Lo[y]*iw:][:iw], plane[ym.Hi[y]*iw:][:iw], 1-w, w, 0)
			o := out[r*ow : (r+1)*ow]
			for x := range o {
				w := T(xm.W[x])
				o[x] = (1-w)*line[xm.Lo[x]] + w*line[xm.Hi[x]]
			}
		}
	})
}

// ResizeLinearGrad is the gradient of ResizeLinear: dx from dy.
func ResizeLinearGrad[T Float](p *parallel.Pool, dx, dy []T, planes, ih, iw int, ym, xm ResizeMap) {
	oh, ow := len(ym.W), len(xm.W)
	atLeast(planes*ih*iw, len(dx))
	atLeast(planes*oh*ow, len(dy))
	p.For(planes, max(1, elemChunk/max(oh*ow, ih*iw, 1)), func(lo, hi int) {
		line := make([]T, iw)
		for k := lo; k < hi; k++ {
			plane := dx[k*ih*iw : (k+1)*ih*iw]
			clear(plane)
			for y := range oh {
				clear(line)
				for x, v := range dy[(k*oh+y)*ow : (k*oh+y+1)*ow] {
					w := T(xm.W[x])
					line[xm.Lo[x]] += (1 - w) * v
					line[xm.Hi[x]] += w * v
				}
				w := T(ym.W[y])
				a, b := plane[ym.Lo[y]*iw:][:iw], plane[ym.Hi[y]*iw:][:iw]
				for x, v := range line {
					a[x] += (1 - w) * v
					b[x] += w * v
				}
			}
		}
	})
}

// ResizeNearest is out[k,y,x] = in[k,ym[y],xm[x]] for planes of [ih, iw].
func ResizeNearest[T any](p *parallel.Pool, out, in []T, planes, ih, iw int, ym, xm []int) {
	oh, ow := len(ym), len(xm)
	atLeast(planes*ih*iw, len(in))
	atLeast(planes*oh*ow, len(out))
	channelRows(p, planes*oh, ow, func(r int) {
		row, o := in[(r/oh*ih+ym[r%oh])*iw:][:iw], out[r*ow:(r+1)*ow]
		for x, i := range xm {
			o[x] = row[i]
		}
	})
}

// ResizeNearestGrad is the gradient of ResizeNearest: dx[k,ym[y],xm[x]] sums dy[k,y,x].
func ResizeNearestGrad[T Float](p *parallel.Pool, dx, dy []T, planes, ih, iw int, ym, xm []int) {
	oh, ow := len(ym), len(xm)
	atLeast(planes*ih*iw, len(dx))
	atLeast(planes*oh*ow, len(dy))
	p.For(planes, max(1, elemChunk/max(oh*ow, ih*iw, 1)), func(lo, hi int) {
		clear(dx[lo*ih*iw : hi*ih*iw])
		for r := lo * oh; r < hi*oh; r++ {
			row := dx[(r/oh*ih+ym[r%oh])*iw:][:iw]
			for x, v := range dy[r*ow : (r+1)*ow] {
				row[xm[x]] += v
			}
		}
	})
}
