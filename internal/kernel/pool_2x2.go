package kernel

import (
	"math"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// isPool2x2 reports whether q is a window of 2×2 with stride 2 on pairs that all exist.
func isPool2x2(q *PoolParams) bool {
	if len(q.In) != 2 {
		return false
	}
	for i := range 2 {
		if q.Kernel[i] != 2 || q.Stride[i] != 2 || q.Dilation[i] != 1 || q.PadBegin[i] != 0 || 2*q.Out[i] > q.In[i] {
			return false
		}
	}
	return true
}

// poolKey orders numbers as integers, NaN below -Inf and -0 as 0, with the place k of four in the low bits, so that the first of equal
// ones is the largest.
func poolKey(x float32, k int64) int64 {
	b := int32(math.Float32bits(x))
	b ^= b >> 31 & math.MaxInt32
	if b > 0x7f800000 { // NaN
		b = math.MinInt32
	}
	if b == -1 { // -0
		b = 0
	}
	return int64(b)<<2 | (3 - k)
}

// maxPool2x2 is MaxPool with indices for isPool2x2: without branches on the data, which no predictor can guess.
func maxPool2x2(p *parallel.Pool, out []float32, idx []int32, in []float32, q *PoolParams) {
	iw, oh, ow := q.In[1], q.Out[0], q.Out[1]
	plane := q.In[0] * iw
	p.For(q.Planes*oh, max(1, elemChunk/(4*max(ow, 1))), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			first := r % oh * 2 * iw
			x := in[r/oh*plane+first:]
			top, bottom := x[:2*ow], x[iw:iw+2*ow]
			y := out[r*ow : (r+1)*ow]
			arg := idx[r*ow : (r+1)*ow]
			for o := range y {
				a, b, c, d := top[2*o], top[2*o+1], bottom[2*o], bottom[2*o+1]
				best := max(max(poolKey(a, 0), poolKey(b, 1)), max(poolKey(c, 2), poolKey(d, 3)))
				k := int(3 - best&3)
				row, col := k>>1, 2*o+k&1
				v := max(int32(best>>2), -0x7f800001) // -Inf for four NaN
				y[o] = math.Float32frombits(uint32(v ^ v>>31&math.MaxInt32))
				arg[o] = int32(first + row*iw + col)
			}
		}
	})
}
