package tensor

import (
	"bytes"
	"fmt"
	"math"
	"math/cmplx"
	"slices"
)

// Equal reports whether a and b have the same type, shape and elements, bit for bit: −0 differs from 0, a NaN equals itself.
func Equal(a, b *Tensor) bool {
	if a.dtype != b.dtype || !a.shape.Equal(b.shape) || !slices.Equal(a.str, b.str) || !slices.EqualFunc(a.Items(), b.Items(), Equal) {
		return false
	}
	if used := a.Len() * a.dtype.Bits() % 8; used != 0 { // bits after the last packed element do not count
		n := len(a.raw) - 1
		return bytes.Equal(a.raw[:n], b.raw[:n]) && (a.raw[n]^b.raw[n])&(1<<used-1) == 0
	}
	return bytes.Equal(a.raw, b.raw)
}

// Report is how two tensors differ.
type Report struct {
	MaxAbs float64 // largest |a-b|; +Inf where only one is NaN or infinite
	MaxRel float64 // largest |a-b|/|b| over b != 0
	At     []int   // index of the worst element: the largest |a-b| among those that are not close; nil when all are
	First  []int   // index of the first element that is not close; nil when all are
	Bad    int     // how many elements are not close
	Total  int     // how many elements were compared
	Reason string  // why the tensors could not be compared (shapes, kinds); empty otherwise
	a, b   any     // the worst pair
}

// String is one line for a test log or a terminal.
func (r Report) String() string {
	switch {
	case r.Reason != "":
		return r.Reason
	case r.Bad == 0:
		return fmt.Sprintf("all %d elements are close (max abs %.3g, max rel %.3g)", r.Total, r.MaxAbs, r.MaxRel)
	}
	return fmt.Sprintf("%d of %d elements differ, worst at %v: %v, want %v; first at %v; max abs %.3g, max rel %.3g",
		r.Bad, r.Total, r.At, r.a, r.b, r.First, r.MaxAbs, r.MaxRel)
}

// AllClose reports whether a and b have the same shape and |a-b| <= atol + rtol*|b| everywhere, b being what is wanted.
// NaN equals NaN, an infinity equals only itself; strings must be equal; integers are compared exactly before they are rounded. Element
// types may differ as long as both are real (bool counts), both complex or both strings. Containers are close when they are of one
// kind and all their items are; the report is that of the first items that are not, or counts what is in all of them.
func AllClose(a, b *Tensor, rtol, atol float64) (bool, Report) {
	if a.dtype.IsContainer() || b.dtype.IsContainer() {
		return itemsClose(a, b, rtol, atol)
	}
	var r Report
	if !a.shape.Equal(b.shape) {
		r.Reason = fmt.Sprintf("shape %v, want %v", a.shape, b.shape)
		return false, r
	}
	if comparable := kindOf(a.dtype) == kindOf(b.dtype); !comparable {
		r.Reason = fmt.Sprintf("element type %v, want %v", a.dtype, b.dtype)
		return false, r
	}
	r.Total = a.Len()
	first, worst, worstDiff := -1, -1, -1.0
	for i := range r.Total {
		diff, mag := difference(a, b, i)
		if diff == 0 {
			continue
		}
		r.MaxAbs = max(r.MaxAbs, diff)
		if mag != 0 && !math.IsInf(mag, 0) {
			r.MaxRel = max(r.MaxRel, diff/mag)
		}
		// An infinite difference is a mismatch even when mag makes the bound infinite.
		if diff <= atol+rtol*mag && !math.IsInf(diff, 0) {
			continue
		}
		r.Bad++
		if first < 0 {
			first = i
		}
		if diff > worstDiff {
			worst, worstDiff = i, diff
		}
	}
	if r.Bad > 0 {
		r.First, r.At = a.index(first), a.index(worst)
		r.a, r.b = a.flat(worst), b.flat(worst)
	}
	return r.Bad == 0, r
}

// itemsClose is AllClose for containers.
func itemsClose(a, b *Tensor, rtol, atol float64) (bool, Report) {
	var all Report
	if a.dtype.Kind() != b.dtype.Kind() || a.dtype.Key() != b.dtype.Key() || len(a.Items()) != len(b.Items()) {
		all.Reason = fmt.Sprintf("%v, want %v", a, b)
		return false, all
	}
	for i := range a.Items() {
		ok, r := AllClose(a.Item(i), b.Item(i), rtol, atol)
		if !ok {
			r.Reason = fmt.Sprintf("item %d of %v: %v", i, b.dtype, r)
			return false, r
		}
		all.Total += r.Total
		all.MaxAbs, all.MaxRel = max(all.MaxAbs, r.MaxAbs), max(all.MaxRel, r.MaxRel)
	}
	return true, all
}

func kindOf(d DType) int {
	switch d {
	case String:
		return 0
	case Complex64, Complex128:
		return 1
	}
	return 2
}

// difference is |a-b| and |b| at element i.
func difference(a, b *Tensor, i int) (diff, mag float64) {
	switch kindOf(a.dtype) {
	case 0:
		if a.str[i] == b.str[i] {
			return 0, 0
		}
		return math.Inf(1), 0
	case 1:
		x, y := a.complexAt(i), b.complexAt(i)
		if d := math.Max(scalarDiff(real(x), real(y)), scalarDiff(imag(x), imag(y))); math.IsInf(d, 0) || d == 0 {
			return d, cmplx.Abs(y)
		}
		if cmplx.IsInf(y) || cmplx.IsNaN(y) { // the special parts agree, the others decide
			return math.Max(scalarDiff(real(x), real(y)), scalarDiff(imag(x), imag(y))), 0
		}
		return cmplx.Abs(x - y), cmplx.Abs(y)
	}
	x, y := a.float64At(i), b.float64At(i)
	d := scalarDiff(x, y)
	if d == 0 && !a.dtype.IsFloat() && !b.dtype.IsFloat() {
		var p, q [1]int64
		a.decodeInts(p[:], i)
		b.decodeInts(q[:], i)
		if wide := a.dtype == Uint64; p != q || wide != (b.dtype == Uint64) && p[0] < 0 {
			d = 1 // at least; lost in rounding to float64
		}
	}
	return d, math.Abs(y)
}

// scalarDiff is |x-y|, 0 for equal infinities and two NaNs, +Inf for one of them.
func scalarDiff(x, y float64) float64 {
	switch {
	case x == y, x != x && y != y:
		return 0
	case x != x, y != y:
		return math.Inf(1)
	}
	return math.Abs(x - y)
}

func (t *Tensor) complexAt(i int) complex128 {
	if t.dtype == Complex64 {
		return complex128(Data[complex64](t)[i])
	}
	return Data[complex128](t)[i]
}

func (t *Tensor) float64At(i int) float64 {
	if t.dtype == Float32 {
		return float64(t.F32()[i])
	}
	if t.dtype.IsFloat() {
		var v [1]float64
		t.decodeFloats(v[:], i)
		return v[0]
	}
	var v [1]int64
	t.decodeInts(v[:], i)
	if t.dtype == Uint64 {
		return float64(uint64(v[0]))
	}
	return float64(v[0])
}

// index is the index of element i in row-major order.
func (t *Tensor) index(i int) []int {
	idx := make([]int, len(t.shape))
	for a := len(idx) - 1; a >= 0; a-- {
		idx[a] = i % t.shape[a]
		i /= t.shape[a]
	}
	return idx
}
