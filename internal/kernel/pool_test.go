package kernel

import (
	"math/rand/v2"
	"testing"
)

// refPool visits the elements of every window: f gets the offset of the output, the list of offsets in the input and the
// number of taps with padding.
func refPool(q *PoolParams, f func(o int, in []int, padded int)) {
	is, os := Strides(q.In), Strides(q.Out)
	for k := range q.Planes {
		odometer(q.Out, func(o []int) {
			var in []int
			padded := 0
			odometer(q.Kernel, func(t []int) {
				at, inside := k*size(q.In), true
				for a := range o {
					i := o[a]*q.Stride[a] - q.PadBegin[a] + t[a]*q.Dilation[a]
					if i >= q.In[a]+q.PadEnd[a] {
						return
					}
					if i < 0 || i >= q.In[a] {
						inside = false
					}
					at += i * is[a]
				}
				padded++
				if inside {
					in = append(in, at)
				}
			})
			f(k*size(q.Out)+at(o, os), in, padded)
		})
	}
}

func randPool(r *rand.Rand) *PoolParams {
	q := &PoolParams{Planes: r.IntN(4), CountIncludePad: r.IntN(2) == 0}
	for range 1 + r.IntN(4) {
		in, k := 1+r.IntN(9), 1+r.IntN(3)
		if len(q.In) < 2 {
			in += r.IntN(40)
		}
		s, d := 1+r.IntN(3), 1+r.IntN(5)/4
		pb, pe := r.IntN(k), r.IntN(k)
		out := poolOut(in, k, s, d, pb, pe, r.IntN(2) == 0)
		q.In, q.Out, q.Kernel, q.Stride = append([]int{in}, q.In...), append([]int{out}, q.Out...), append([]int{k}, q.Kernel...),
			append([]int{s}, q.Stride...)
		q.Dilation, q.PadBegin, q.PadEnd = append([]int{d}, q.Dilation...), append([]int{pb}, q.PadBegin...),
			append([]int{pe}, q.PadEnd...)
	}
	return q
}

func testPool[T Float](t *testing.T) {
	r := rand.New(rand.NewPCG(25, 26))
	tol := tolOf[T]()
	ps := pools(t)
	defer func(n int) { poolCall = n }(poolCall)
	usual := poolCall
	for n := range 80 {
		q := randPool(r)
		if poolCall = usual; n%8 == 6 {
			poolCall = 0
		}
		if n < 4 { // the usual ones
			k := 2 + n%2
			q = &PoolParams{2, []int{33, 40}, []int{16, 20}, []int{k, k}, []int{2, 2}, []int{1, 1}, []int{k - 2, k - 2},
				[]int{k - 2, k - 2}, n < 2, false}
		}
		if n%16 == 15 { // lines of several vectors, in several batches
			k, s := 1+r.IntN(5), 1+r.IntN(3)
			w, h := 50+r.IntN(150), 80+r.IntN(20)
			q = &PoolParams{2, []int{h, w}, []int{poolOut(h, k, s, 1, k/2, 0, true), poolOut(w, k, s, 1, k/2, k/3, true)}, []int{k, k},
				[]int{s, s}, []int{1, 1}, []int{k / 2, k / 2}, []int{0, k / 3}, n%32 == 15, false}
		}
		nIn, nOut := q.Planes*size(q.In), q.Planes*size(q.Out)
		x, dy := randOf[T](r, nIn), randOf[T](r, nOut)
		for i := range x {
			if r.IntN(8) == 0 {
				x[i] = T([]float64{nan, -inf, 1, 1}[r.IntN(4)])
			}
		}
		wantMax, wantIdx := make([]T, nOut), make([]int32, nOut)
		wantAvg, wantDMax, wantDAvg := make([]float64, nOut), make([]float64, nIn), make([]float64, nIn)
		finite := randOf[T](r, nIn)
		refPool(q, func(o int, in []int, padded int) {
			wantMax[o], wantIdx[o] = T(-inf), -1
			plane := o / max(size(q.Out), 1) * size(q.In)
			n := len(in)
			if q.CountIncludePad {
				n = padded
			}
			for j, i := range in {
				if j == 0 || x[i] > wantMax[o] {
					wantIdx[o] = int32(i - plane)
				}
				if x[i] > wantMax[o] {
					wantMax[o] = x[i]
				}
				wantAvg[o] += float64(finite[i]) / float64(n)
				wantDAvg[i] += float64(dy[o]) / float64(n)
			}
			if wantIdx[o] >= 0 {
				wantDMax[plane+int(wantIdx[o])] += float64(dy[o])
			}
		})
		for _, p := range ps {
			y, idx, y2 := make([]T, nOut), make([]int32, nOut), make([]T, nOut)
			MaxPool(p, y, idx, x, q)
			MaxPool(p, y2, nil, x, q)
			for o := range y {
				if y[o] != wantMax[o] || y2[o] != wantMax[o] || idx[o] != wantIdx[o] {
					t.Fatalf("max %+v: [%d] = %g, without index %g, at %d, want %g at %d", *q, o, y[o], y2[o], idx[o], wantMax[o],
						wantIdx[o])
				}
			}
			dx := make([]T, nIn)
			MaxPoolGrad(p, dx, dy, idx, q.Planes, size(q.In), size(q.Out))
			closeTo(t, "max gradient", dx, wantDMax, tol)
			AveragePool(p, y, finite, q)
			closeTo(t, "average", y, wantAvg, tol)
			AveragePoolGrad(p, dx, dy, q)
			closeTo(t, "average gradient", dx, wantDAvg, tol)
		}
	}
}

// poolOut is the number of windows along an axis of ONNX pooling: those that fit, or with ceil also the one that begins
// inside of the input or the padding before it.
func poolOut(in, kernel, stride, dilation, padBegin, padEnd int, ceil bool) int {
	span := in + padBegin + padEnd - (kernel-1)*dilation - 1
	if span < 0 {
		return 0
	}
	if !ceil {
		return span/stride + 1
	}
	n := (span+stride-1)/stride + 1
	if (n-1)*stride >= in+padBegin {
		n--
	}
	return n
}

func TestPool(t *testing.T) {
	eachISA(t, testPool[float32])
	testPool[float64](t)
}

// Numbers of 8 bits give what they give as float32, in one to three axes.
func TestMaxPoolBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for range 200 {
		n := 1 + r.IntN(3)
		q := &PoolParams{Planes: 1 + r.IntN(4)}
		for range n {
			in, k, s, d := 3+r.IntN(12), 1+r.IntN(4), 1+r.IntN(3), 1+r.IntN(2)
			pb, pe := r.IntN(k), r.IntN(k)
			span := in + pb + pe - d*(k-1) - 1
			if span < 0 {
				d, span = 1, in+pb+pe-k
			}
			q.In, q.Kernel, q.Stride, q.Dilation = append(q.In, in), append(q.Kernel, k), append(q.Stride, s), append(q.Dilation, d)
			q.PadBegin, q.PadEnd, q.Out = append(q.PadBegin, pb), append(q.PadEnd, pe), append(q.Out, max(0, span)/s+1)
		}
		in, size := make([]int8, q.Planes*size(q.In)), q.Planes*size(q.Out)
		real, unsigned := make([]float32, len(in)), make([]uint8, len(in))
		for i := range in {
			in[i] = int8(r.IntN(256) - 128)
			real[i], unsigned[i] = float32(in[i]), uint8(int(in[i])+128)
		}
		want, got, up := make([]float32, size), make([]int8, size), make([]uint8, size)
		MaxPool(nil, want, nil, real, q)
		MaxPool(nil, got, nil, in, q)
		MaxPool(nil, up, nil, unsigned, q)
		for i, v := range want {
			v = max(v, -128) // of a window that sees nothing
			if float32(got[i]) != v || float32(up[i])-128 != v {
				t.Fatalf("%+v: output %d is %d and %d, want %v", *q, i, got[i], up[i], v)
			}
		}
	}
}

func TestMaxPoolInt(t *testing.T) {
	q := &PoolParams{1, []int{4}, []int{2}, []int{2}, []int{2}, []int{1}, []int{0}, []int{0}, false, false}
	out := make([]int8, 2)
	MaxPool(nil, out, nil, []int8{-128, -128, 3, 7}, q)
	if [2]int8(out) != [2]int8{-128, 7} {
		t.Error(out)
	}
}
