package kernel

import (
	"context"
	"fmt"

	"github.com/gtk-onnx/gtk/internal/memory"
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
	n, k   int
	blocks []*Right // of at most int8Block rows, as whole numbers in float32
}

// int8Block is the most products of two numbers of 8 bits, their zero points taken off, whose sum float32 holds exactly: 255²·256 < 2²⁴.
const int8Block = 256

// int8Rows is how many rows of A are converted at a time.
const int8Rows = 256

// NewRightInt8 is b, whose zero points belong to columns, as op(B) [k,n], op the transpose if t. The content of b is copied.
func NewRightInt8(t bool, n, k int, b Int8) *RightInt8 {
	r := &RightInt8{n: n, k: k}
	b.check(n, "columns")
	for k0 := 0; k0 < k; k0 += int8Block {
		kb := min(int8Block, k-k0)
		f := make([]float32, kb*n)
		if t {
			for j := range n {
				z := b.zero(j)
				for i, v := range b.Data[j*b.Ld+k0:][:kb] {
					f[j*kb+i] = b.value(v) - z
				}
			}
			r.blocks = append(r.blocks, NewRight(true, n, kb, f, kb))
			continue
		}
		for i := range kb {
			row := b.Data[(k0+i)*b.Ld:][:n]
			for j, v := range row {
				f[i*n+j] = b.value(v) - b.zero(j)
			}
		}
		r.blocks = append(r.blocks, NewRight(false, n, kb, f, n))
	}
	return r
}

// RightInt8Bytes is about how much memory a right operand of this size takes.
func RightInt8Bytes(n, k int) int { return 4 * n * k }

func (x *Int8) check(n int, what string) {
	if len(x.Zero) > 1 && len(x.Zero) != n {
		panic(fmt.Sprintf("kernel: %d zero points for %d %s", len(x.Zero), n, what))
	}
}

func (x *Int8) value(v byte) float32 {
	if x.Signed {
		return float32(int8(v))
	}
	return float32(v)
}

func (x *Int8) zero(i int) float32 {
	switch len(x.Zero) {
	case 0:
		return 0
	case 1:
		return float32(x.Zero[0])
	}
	return float32(x.Zero[i])
}

// GemmInt8 is C [m,n] = (A − its zero points)·(B − its zero points) in 32-bit integers, which wrap around, for A [m,k] whose zero points
// belong to rows. C is row-major with rows of distance ldc. It is the one product behind all operators of 8-bit numbers.
//
// The numbers are multiplied in float32, blocks of k at a time, in which every sum is exact.
func GemmInt8(p *parallel.Pool, m int, a Int8, r *RightInt8, c []int32, ldc int) {
	a.check(m, "rows")
	for i0 := 0; i0 < m; i0 += int8Rows {
		mb := min(int8Rows, m-i0)
		out := c[i0*ldc:]
		if r.k == 0 {
			for i := range mb {
				clear(out[i*ldc:][:r.n])
			}
		}
		x, y := getBuffer(mb*int8Block), getBuffer(mb*r.n)
		for k0 := 0; k0 < r.k; k0 += int8Block {
			kb := min(int8Block, r.k-k0)
			for i := range mb {
				z, row := a.zero(i0+i), x.f[i*kb:][:kb]
				src := a.Data[(i0+i)*a.Ld+k0:][:kb]
				if a.Signed {
					for l, v := range src {
						row[l] = float32(int8(v)) - z
					}
					continue
				}
				for l, v := range src {
					row[l] = float32(v) - z
				}
			}
			SgemmRight(p, false, mb, 1, x.f[:mb*kb], kb, r.blocks[k0/int8Block], 0, y.f[:mb*r.n], r.n, nil)
			p.For(mb, max(1, elemChunk/max(1, r.n)), func(lo, hi int) {
				for i := lo; i < hi; i++ {
					row := out[i*ldc:][:r.n]
					if k0 == 0 {
						for j, v := range y.f[i*r.n:][:r.n] {
							row[j] = int32(v)
						}
						continue
					}
					for j, v := range y.f[i*r.n:][:r.n] {
						row[j] += int32(v)
					}
				}
			})
		}
		x.put()
		y.put()
	}
}

// windowBytes is about how many bytes of windows there are at a time.
const windowBytes = 4 << 20

// Im2row gathers the windows of places from to to-1 of one image and group, x [C/Group,In], as the rows of out [to-from, C/Group·kernel],
// pad outside x:
//
//	out[o-from, (c,k)] = x[c, o·Stride + k·Dil − PadLo]
func Im2row(p *parallel.Pool, cp *ConvParams, x []byte, pad byte, from, to int, out []byte) {
	c, taps := cp.C/cp.Group, volume(cp.Kernel)
	width := c * taps
	plane := volume(cp.In)
	p.For(to-from, max(1, elemChunk/max(1, width)), func(lo, hi int) {
		for o := from + lo; o < from+hi; o++ {
			row := out[(o-from)*width:][:width]
			od, oh, ow := o/(cp.Out[1]*cp.Out[2]), o/cp.Out[2]%cp.Out[1], o%cp.Out[2]
			tap := 0
			for kd := range cp.Kernel[0] {
				d := od*cp.Stride[0] + kd*cp.Dil[0] - cp.PadLo[0]
				for kh := range cp.Kernel[1] {
					h := oh*cp.Stride[1] + kh*cp.Dil[1] - cp.PadLo[1]
					for kw := range cp.Kernel[2] {
						w := ow*cp.Stride[2] + kw*cp.Dil[2] - cp.PadLo[2]
						if d < 0 || d >= cp.In[0] || h < 0 || h >= cp.In[1] || w < 0 || w >= cp.In[2] {
							for i := range c {
								row[i*taps+tap] = pad
							}
						} else {
							at := (d*cp.In[1]+h)*cp.In[2] + w
							for i := range c {
								row[i*taps+tap] = x[i*plane+at]
							}
						}
						tap++
					}
				}
			}
		}
	})
}

// ConvRightsInt8 are the weights w [M,C/Group,kernel], whose zero points belong to output channels, of a convolution of 8-bit numbers: the
// right operand of each group.
func ConvRightsInt8(cp *ConvParams, w Int8) []*RightInt8 {
	m, k := cp.M/cp.Group, cp.C/cp.Group*volume(cp.Kernel)
	w.check(cp.M, "channels")
	out := make([]*RightInt8, cp.Group)
	for g := range out {
		b := Int8{Data: w.Data[g*m*k:][:m*k], Signed: w.Signed, Ld: k, Zero: w.Zero}
		if len(w.Zero) > 1 {
			b.Zero = w.Zero[g*m:][:m]
		}
		out[g] = NewRightInt8(true, m, k, b)
	}
	return out
}

// ConvInt8 convolves x [N,C,In], of one zero point, with weights in 32-bit integers, which wrap around, and hands out the results of each
// image and group as rows [Out, M/Group]. The padding counts as zero. It ends early with the error of ctx, which may be nil.
func ConvInt8(ctx context.Context, p *parallel.Pool, cp *ConvParams, x Int8, w []*RightInt8, done func(n, g int, rows []int32)) error {
	m, k, o := cp.M/cp.Group, cp.C/cp.Group*volume(cp.Kernel), volume(cp.Out)
	part := cp.C / cp.Group * volume(cp.In)
	pad := byte(0)
	if len(x.Zero) > 0 {
		pad = byte(x.Zero[0])
	}
	chunk := min(o, max(int8Rows, windowBytes/max(1, k)))
	memory.Need(chunk*k+4*o*m, "the windows and sums of a convolution")
	rows, y := make([]byte, chunk*k), make([]int32, o*m)
	for i := range cp.N * cp.Group {
		if ctx != nil && ctx.Err() != nil {
			return ctx.Err()
		}
		for at := 0; at < o; at += chunk {
			end := min(o, at+chunk)
			Im2row(p, cp, x.Data[i*part:][:part], pad, at, end, rows)
			GemmInt8(p, end-at, Int8{Data: rows, Signed: x.Signed, Ld: k, Zero: x.Zero}, w[i%cp.Group], y[at*m:], m)
		}
		done(i/cp.Group, i%cp.Group, y)
	}
	return nil
}
