package data

import "math"

// resizer scales one axis by a triangle filter whose support grows with the reduction, so that shrinking averages
// (antialiasing) and enlarging interpolates linearly. Weights are fixed point with 22 fractional bits and every axis
// is rounded to a byte, horizontal first: the result equals Pillow's Image.resize(…, BILINEAR), and torchvision's
// Resize on PIL images.
//
// Source: https://github.com/python-pillow/Pillow/blob/main/src/libImaging/Resample.c (the arithmetic; no code of it).
type resizer struct {
	out    int
	start  []int   // first source index of each output
	count  []int   // number of source indices of each output
	weight []int32 // stride values per output
	exact  []float64
	stride int
}

const resizeBits = 32 - 8 - 2

// newResizer maps the source range [lo,hi) of an axis of in elements to out elements.
func newResizer(in int, lo, hi float64, out int) *resizer {
	scale := (hi - lo) / float64(out)
	filter := max(scale, 1)
	support := filter
	r := &resizer{out: out, start: make([]int, out), count: make([]int, out), stride: int(math.Ceil(support))*2 + 1}
	r.weight, r.exact = make([]int32, out*r.stride), make([]float64, out*r.stride)
	w := make([]float64, r.stride)
	for i := range out {
		centre := lo + (float64(i)+0.5)*scale
		first := max(int(centre-support+0.5), 0)
		last := min(int(centre+support+0.5), in)
		n := max(min(last-first, r.stride), 1)
		first = min(first, in-n)
		sum := 0.0
		for k := range n {
			w[k] = max(0, 1-math.Abs((float64(k+first)-centre+0.5)*(1/filter)))
			sum += w[k]
		}
		for k := range n {
			v := w[k]
			if sum != 0 {
				v /= sum
			}
			r.weight[i*r.stride+k] = int32(v*(1<<resizeBits) + 0.5)
			r.exact[i*r.stride+k] = v
		}
		r.start[i], r.count[i] = first, n
	}
	return r
}

func roundByte(v int32) uint8 {
	v >>= resizeBits
	return uint8(min(max(v, 0), 255))
}

// resizePlane scales one plane src [h,w] of the box (x0,y0)-(x1,y1) to dst [hr.out,wr.out].
func resizePlane(dst, src []uint8, h, w int, wr, hr *resizer) {
	// Rows that the vertical pass will look at.
	top, bottom := h, 0
	for i := range hr.out {
		top, bottom = min(top, hr.start[i]), max(bottom, hr.start[i]+hr.count[i])
	}
	mid := make([]uint8, (bottom-top)*wr.out)
	for y := top; y < bottom; y++ {
		row, out := src[y*w:(y+1)*w], mid[(y-top)*wr.out:(y-top+1)*wr.out]
		for i := range out {
			const acc = int32(1 << (resizeBits - 1))
			in := row[wr.start[i] : wr.start[i]+wr.count[i]]
			out[i] = roundByte(acc + dot(in, wr.weight[i*wr.stride:][:len(in)]))
		}
	}
	acc := make([]int32, wr.out)
	for i := range hr.out {
		for x := range acc {
			acc[x] = 1 << (resizeBits - 1)
		}
		for k := range hr.count[i] {
			c := hr.weight[i*hr.stride+k]
			row := mid[(hr.start[i]-top+k)*wr.out:][:wr.out]
			for x, v := range row {
				acc[x] += int32(v) * c
			}
		}
		out := dst[i*wr.out : (i+1)*wr.out]
		for x, v := range acc {
			out[x] = roundByte(v)
		}
	}
}

// dot is Σ xₖcₖ, in four sums at a time.
func dot(x []uint8, c []int32) int32 {
	var s0, s1, s2, s3 int32
	for len(x) >= 4 && len(c) >= 4 {
		s0 += int32(x[0]) * c[0]
		s1 += int32(x[1]) * c[1]
		s2 += int32(x[2]) * c[2]
		s3 += int32(x[3]) * c[3]
		x, c = x[4:], c[4:]
	}
	for k := range min(len(x), len(c)) {
		s0 += int32(x[k]) * c[k]
	}
	return s0 + s1 + s2 + s3
}

// resizePlane16 is resizePlane for 16 bits, with exact weights, as Pillow does for integers.
func resizePlane16(dst, src []uint16, h, w int, wr, hr *resizer) {
	top, bottom := h, 0
	for i := range hr.out {
		top, bottom = min(top, hr.start[i]), max(bottom, hr.start[i]+hr.count[i])
	}
	round := func(v float64) uint16 { return uint16(min(max(math.Floor(v+0.5), 0), 65535)) }
	mid := make([]uint16, (bottom-top)*wr.out)
	for y := top; y < bottom; y++ {
		for i := range wr.out {
			acc := 0.0
			for k, v := range src[y*w+wr.start[i]:][:wr.count[i]] {
				acc += float64(v) * wr.exact[i*wr.stride+k]
			}
			mid[(y-top)*wr.out+i] = round(acc)
		}
	}
	acc := make([]float64, wr.out)
	for i := range hr.out {
		clear(acc)
		for k := range hr.count[i] {
			for x, v := range mid[(hr.start[i]-top+k)*wr.out:][:wr.out] {
				acc[x] += float64(v) * hr.exact[i*hr.stride+k]
			}
		}
		for x, v := range acc {
			dst[i*wr.out+x] = round(v)
		}
	}
}

// part is r for n outputs from the first on.
func (r *resizer) part(first, n int) *resizer {
	return &resizer{out: n, start: r.start[first : first+n], count: r.count[first : first+n],
		weight: r.weight[first*r.stride : (first+n)*r.stride], exact: r.exact[first*r.stride : (first+n)*r.stride], stride: r.stride}
}
