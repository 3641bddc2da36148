package kernel

import (
	"context"
	"unsafe"

	"github.com/gtk-onnx/gtk/internal/memory"
	"github.com/gtk-onnx/gtk/internal/parallel"
)

// WeightsInt8 are the weights of a convolution of 8-bit numbers in the order in which it reads them. They are safe for concurrent use.
type WeightsInt8 struct {
	pairs *PackedConv
	depth []float32 // of depthwise convolutions, whose sums float32 holds exactly
}

// depthExact is how many products of numbers of 8 bits less their zero points have a sum that float32 holds exactly: 255²·256 < 2²⁴.
const depthExact = 256

// byDepth reports whether the convolution goes through float32: a depthwise one, which has no pairs of channels.
func (cp *ConvParams) byDepth() bool { return cp.depthwise() && volume(cp.Kernel) <= depthExact }

// paired is the geometry of cp in pairs of channels, of n images.
func (cp *ConvParams) paired(n int) ConvParams {
	q := *cp
	q.N, q.C = n, cp.Group*((cp.C/cp.Group+1)/2)
	return q
}

// PackConvInt8 packs the weights w [M,C/Group,kernel], whose zero points belong to output channels.
func PackConvInt8(p *parallel.Pool, cp *ConvParams, w Int8) *WeightsInt8 {
	w.check(cp.M, "channels")
	c, taps := cp.C/cp.Group, volume(cp.Kernel)
	if cp.byDepth() {
		out := &WeightsInt8{depth: make([]float32, cp.M*taps)}
		for m := range cp.M {
			DequantizeBytes(out.depth[m*taps:][:taps], w.Data[m*taps:], w.at(m))
		}
		return out
	}
	half := (c + 1) / 2
	if cp.M*half*taps == 0 {
		return &WeightsInt8{}
	}
	pairs := make([]uint32, cp.M*half*taps)
	for m := range cp.M {
		for i := range half {
			lo, hi := w.Data[(m*c+2*i)*taps:][:taps], []byte(nil)
			if 2*i+1 < c {
				hi = w.Data[(m*c+2*i+1)*taps:][:taps]
			}
			PairBytes(pairs[(m*half+i)*taps:][:taps], lo, hi, w.at(m))
		}
	}
	q := cp.paired(1)
	return &WeightsInt8{pairs: PackConvPairs(p, &q, pairs)}
}

// pairedBytes is about how many bytes of planes of pairs there are at a time.
const pairedBytes = 4 << 20

// ConvInt8 convolves x [N,C,In], of one zero point, with weights in 32-bit integers, which wrap around, and hands out the results of some
// images from image n on, [images, M, Out]. The padding counts as zero. It ends early with the error of ctx, which may be nil.
func ConvInt8(ctx context.Context, p *parallel.Pool, cp *ConvParams, x Int8, w *WeightsInt8, done func(n, images int, sums []int32)) error {
	plane, image, out := volume(cp.In), cp.C*volume(cp.In), cp.M*volume(cp.Out)
	if cp.N == 0 || out == 0 {
		return nil
	}
	if image == 0 { // sums of nothing
		for n := range cp.N {
			done(n, 1, make([]int32, out))
		}
		return nil
	}
	q := cp.paired(1)
	words := q.C * plane
	if w.depth != nil {
		words = image + out
	}
	step := min(cp.N, max(1, pairedBytes/(4*max(1, words))))
	q.N = step
	memory.Need(4*step*(words+out), "the planes and sums of a convolution")
	buf, sums := getBuffer(step*words), getBuffer(step*out)
	defer buf.put()
	defer sums.put()
	y := unsafe.Slice((*int32)(unsafe.Pointer(&sums.f[0])), step*out)
	for n := 0; n < cp.N; n += step {
		if ctx != nil && ctx.Err() != nil {
			return ctx.Err()
		}
		q.N = min(step, cp.N-n)
		src := x.Data[n*image:][:q.N*image]
		if w.depth != nil {
			cp.depthInt8(p, &q, src, x, w.depth, buf.f, y)
		} else {
			pairs := unsafe.Slice((*uint32)(unsafe.Pointer(&buf.f[0])), step*words)
			cp.pairPlanes(p, q.N, src, x, pairs)
			ConvPairs(p, &q, pairs[:q.N*words], w.pairs, y[:q.N*out])
		}
		done(n, q.N, y[:q.N*out])
	}
	return nil
}

// pairPlanes brings n images to planes of pairs of channels.
func (cp *ConvParams) pairPlanes(p *parallel.Pool, n int, src []byte, x Int8, dst []uint32) {
	c, plane := cp.C/cp.Group, volume(cp.In)
	half := (c + 1) / 2
	p.For(n*cp.Group*half, max(1, elemChunk/max(1, plane)), func(from, to int) {
		for i := from; i < to; i++ {
			first := i/half*c + i%half*2
			lo, hi := src[first*plane:][:plane], []byte(nil)
			if i%half*2+1 < c {
				hi = src[(first+1)*plane:][:plane]
			}
			PairBytes(dst[i*plane:][:plane], lo, hi, x.at(0))
		}
	})
}

// depthInt8 is a depthwise convolution by way of float32, in which it is exact.
func (cp *ConvParams) depthInt8(p *parallel.Pool, q *ConvParams, src []byte, x Int8, w, buf []float32, y []int32) {
	d := *cp
	d.N = q.N
	nx, _, ny := d.sizes()
	in, out := buf[:nx], buf[nx:nx+ny]
	p.For(nx, elemChunk, func(from, to int) { DequantizeBytes(in[from:to], src[from:to], x.at(0)) })
	Conv(p, &d, in, w, nil, nil, out)
	p.For(ny, elemChunk, func(from, to int) {
		for i := from; i < to; i++ {
			y[i] = int32(out[i])
		}
	})
}
