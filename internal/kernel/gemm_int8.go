package kernel

import (
	"fmt"
	"unsafe"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// Int8 is a matrix of numbers of 8 bits as they are stored, rows of distance Ld, with what is taken from each of them: one zero point for
// all, or one for each row or column. None is zero.
type Int8 struct {
	Data   []byte
	Signed bool
	Ld     int
	Zero   []int32
}

// RightInt8 is a right operand B [k,n] of products of 8-bit matrices, in the order in which they read it. It is safe for concurrent use.
type RightInt8 struct {
	n, k  int
	pairs *RightPairs
}

// int8Rows is how many rows of A are widened at a time.
const int8Rows = 256

// NewRightInt8 is b, whose zero points belong to columns, as op(B) [k,n], op the transpose if t. The content of b is copied.
func NewRightInt8(t bool, n, k int, b Int8) *RightInt8 {
	b.check(n, "columns")
	half := (k + 1) / 2
	pairs := make([]uint32, half*n)
	if t {
		for j := range n {
			widenRow(pairs[j*half:][:half], b.Data[j*b.Ld:], k, b.at(j))
		}
		return &RightInt8{n, k, NewRightPairs(true, n, half, pairs, half)}
	}
	for i := range half {
		lo, hi := b.Data[2*i*b.Ld:][:n], []byte(nil)
		if 2*i+1 < k {
			hi = b.Data[(2*i+1)*b.Ld:][:n]
		}
		dst := pairs[i*n:][:n]
		if len(b.Zero) <= 1 {
			PairBytes(dst, lo, hi, b.at(0))
			continue
		}
		for j := range dst {
			v := b.at(j)
			dst[j] = uint32(uint16(v.value(lo[j])))
			if hi != nil {
				dst[j] |= uint32(uint16(v.value(hi[j]))) << 16
			}
		}
	}
	return &RightInt8{n, k, NewRightPairs(false, n, half, pairs, n)}
}

// RightInt8Bytes is about how much memory a right operand of this size takes.
func RightInt8Bytes(n, k int) int { return 4 * n * k }

func (x *Int8) check(n int, what string) {
	if len(x.Zero) > 1 && len(x.Zero) != n {
		panic(fmt.Sprintf("kernel: %d zero points for %d %s", len(x.Zero), n, what))
	}
}

// at says how the numbers of row or column i stand for whole ones.
func (x *Int8) at(i int) Bytes { return Bytes{1, x.zero(i), x.Signed} }

func (x *Int8) zero(i int) int32 {
	switch len(x.Zero) {
	case 0:
		return 0
	case 1:
		return x.Zero[0]
	}
	return x.Zero[i]
}

// widenRow writes the k numbers of row as pairs, the last with 0 where k is odd.
func widenRow(dst []uint32, row []byte, k int, b Bytes) {
	if k == 0 {
		return
	}
	wide := unsafe.Slice((*int16)(unsafe.Pointer(&dst[0])), 2*len(dst))
	WidenBytes(wide[:k], row, b)
	clear(wide[k:])
}

// GemmInt8 is C [m,n] = (A − its zero points)·(B − its zero points) in 32-bit integers, which wrap around, for A [m,k] whose zero points
// belong to rows. C is row-major with rows of distance ldc. It is the one product behind all operators of 8-bit numbers.
func GemmInt8(p *parallel.Pool, m int, a Int8, r *RightInt8, c []int32, ldc int) {
	a.check(m, "rows")
	half := (r.k + 1) / 2
	x := getBuffer(min(m, int8Rows) * half)
	defer x.put()
	wide := unsafe.Slice((*uint32)(unsafe.Pointer(&x.f[0])), len(x.f))
	for i0 := 0; i0 < m; i0 += int8Rows {
		mb := min(int8Rows, m-i0)
		p.For(mb, max(1, elemChunk/max(1, r.k)), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				widenRow(wide[i*half:][:half], a.Data[(i0+i)*a.Ld:], r.k, a.at(i0+i))
			}
		})
		GemmPairs(p, mb, wide, max(1, half), r.pairs, c[i0*ldc:], ldc)
	}
}
