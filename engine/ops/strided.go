package ops

import (
	"slices"
	"unsafe"

	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// cell lists one Go type for each size of element: what moving elements needs to know of them. Types of fewer than 8 bits
// are moved unpacked.
type cell interface {
	uint8 | uint16 | uint32 | uint64 | complex128 | string
}

// cells is the storage of t, whose elements have the size of T.
func cells[T cell](t *tensor.Tensor) []T {
	if s, ok := any(t.Strings()).([]T); ok {
		return s
	}
	raw := t.Bytes()
	if len(raw) == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&raw[0])), len(raw)/int(unsafe.Sizeof(*new(T))))
}

// packed reports whether several elements of type d share a byte.
func packed(d tensor.DType) bool { return d != tensor.String && d.Bits() < 8 }

// unpack is t with one byte for each element, for a packed type.
func unpack(t *tensor.Tensor) *tensor.Tensor {
	bits := t.DType().Bits()
	out := tensor.New(tensor.Uint8, t.Shape()...)
	dst, raw := out.Bytes(), t.Bytes()
	for i := range dst {
		dst[i] = raw[i*bits/8] >> (i * bits % 8) & (1<<bits - 1)
	}
	return out
}

// pack is the inverse of unpack.
func pack(t, unpacked *tensor.Tensor) {
	bits, raw := t.DType().Bits(), t.Bytes()
	clear(raw)
	for i, x := range unpacked.Bytes() {
		raw[i*bits/8] |= x << (i * bits % 8)
	}
}

// walk is a loop nest over ext: position (i0,i1,…) is element do+Σ i·ds of one tensor and so+Σ i·ss of another.
type walk struct {
	ext, ds, ss []int
	do, so      int
}

// strides are the row-major strides of s.
func strides(s []int) []int {
	out := make([]int, len(s))
	at := 1
	for i := len(s) - 1; i >= 0; i-- {
		out[i] = at
		at *= s[i]
	}
	return out
}

// simplify drops axes of extent 1 and joins neighbours that are contiguous in both tensors.
func (w walk) simplify() walk {
	v := walk{do: w.do, so: w.so}
	for i, n := range w.ext {
		if n == 1 {
			continue
		}
		if k := len(v.ext) - 1; k >= 0 && v.ds[k] == w.ds[i]*n && v.ss[k] == w.ss[i]*n {
			v.ext[k] *= n
			v.ds[k], v.ss[k] = w.ds[i], w.ss[i]
			continue
		}
		v.ext, v.ds, v.ss = append(v.ext, n), append(v.ds, w.ds[i]), append(v.ss, w.ss[i])
	}
	return v
}

// copyStrided copies the elements that w visits from src to dst, of one element type.
func copyStrided(p *parallel.Pool, dst, src *tensor.Tensor, w walk) {
	if slices.Contains(w.ext, 0) {
		return
	}
	d := dst.DType()
	if packed(d) {
		u := unpack(dst)
		copyStrided(p, u, unpack(src), w)
		pack(dst, u)
		return
	}
	w = w.simplify()
	switch d.Bits() {
	case 8:
		strided(p, cells[uint8](dst), cells[uint8](src), w)
	case 16:
		strided(p, cells[uint16](dst), cells[uint16](src), w)
	case 32:
		strided(p, cells[uint32](dst), cells[uint32](src), w)
	case 64:
		strided(p, cells[uint64](dst), cells[uint64](src), w)
	case 128:
		strided(p, cells[complex128](dst), cells[complex128](src), w)
	default:
		strided(p, cells[string](dst), cells[string](src), w)
	}
}

// strided is copyStrided for a simplified walk.
func strided[T cell](p *parallel.Pool, dst, src []T, w walk) {
	last := len(w.ext) - 1
	if last < 0 {
		dst[w.do] = src[w.so]
		return
	}
	n, dl, sl := w.ext[last], w.ds[last], w.ss[last]
	p.For(product(w.ext[:last]), max(1, 1<<15/n), func(lo, hi int) {
		o := newOdometer(w, w.ext[:last], lo)
		for range hi - lo {
			row(dst, src, o.d, o.s, n, dl, sl)
			o.next()
		}
	})
}

// row copies n elements.
func row[T cell](dst, src []T, d, s, n, dl, sl int) {
	switch {
	case dl == 1 && sl == 1:
		copy(dst[d:d+n], src[s:s+n])
	case dl == 1 && sl == 0:
		v := src[s]
		for i := range dst[d : d+n] {
			dst[d+i] = v
		}
	default:
		for range n {
			dst[d] = src[s]
			d += dl
			s += sl
		}
	}
}

// odometer counts through the positions of a walk.
type odometer struct {
	w    walk
	ext  []int
	pos  []int
	d, s int
}

// newOdometer starts at position number at, in row-major order.
func newOdometer(w walk, ext []int, at int) *odometer {
	o := &odometer{w: w, ext: ext, pos: make([]int, len(ext)), d: w.do, s: w.so}
	for i := len(ext) - 1; i >= 0; i-- {
		o.pos[i] = at % ext[i]
		at /= ext[i]
		o.d += o.pos[i] * w.ds[i]
		o.s += o.pos[i] * w.ss[i]
	}
	return o
}

func (o *odometer) next() {
	for i := len(o.ext) - 1; i >= 0; i-- {
		o.d += o.w.ds[i]
		o.s += o.w.ss[i]
		if o.pos[i]++; o.pos[i] < o.ext[i] {
			return
		}
		o.d -= o.ext[i] * o.w.ds[i]
		o.s -= o.ext[i] * o.w.ss[i]
		o.pos[i] = 0
	}
}

// fill sets every element of dst to the one element of v, or to zero when v is nil.
func fill(dst, v *tensor.Tensor) {
	if v == nil {
		clear(dst.Bytes())
		clear(dst.Strings())
		return
	}
	n := dst.Len()
	copyStrided(nil, dst, v, walk{ext: []int{n}, ds: []int{1}, ss: []int{0}})
}

// zero is fill with zeros by all threads.
func zero(p *parallel.Pool, dst *tensor.Tensor) {
	b := dst.Bytes()
	p.For(len(b), 1<<18, func(lo, hi int) { clear(b[lo:hi]) })
	clear(dst.Strings())
}
