package kernel

import (
	"math"
	"sync/atomic"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// Index lists the types of class numbers.
type Index interface{ ~int32 | ~int64 }

// NoIgnore as the ignored label of a loss means none.
const NoIgnore = math.MinInt64

// SoftmaxCrossEntropy is, for logits [outer, n, inner] and labels [outer, inner] of 0..n-1:
//
//	logp = log_softmax(logits) over n;  k = labels[o,i]
//	loss[o,i] = -logp[o,k,i]*weight[k]              // 0 where k == ignore
//
// Weight may be nil, for 1; logp may be logits. It returns the position of a label out of range, or -1.
func SoftmaxCrossEntropy[T Float, I Index](p *parallel.Pool, loss, logp, logits []T, labels []I, weight []T, ignore int64, outer, n,
	inner int) (bad int) {
	atLeast(outer*inner, len(loss), len(labels))
	if weight != nil {
		atLeast(n, len(weight))
	}
	Softmax(p, logp, logits, outer, n, inner, true)
	var wrong atomic.Int64
	p.For(outer*inner, elemChunk, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			k := int64(labels[i])
			switch {
			case k == ignore:
				loss[i] = 0
			case k < 0 || k >= int64(n):
				wrong.Store(int64(i) + 1)
			default:
				v := -logp[(i/inner*n+int(k))*inner+i%inner]
				if weight != nil {
					v *= weight[k]
				}
				loss[i] = v
			}
		}
	})
	return int(wrong.Load()) - 1
}

// SoftmaxCrossEntropyGrad is the gradient of SoftmaxCrossEntropy by the logits, with dloss [outer, inner] the gradients of the
// losses of the examples (so a mean is 1/N in each):
//
//	dx[o,j,i] = dloss[o,i]*weight[k]*(e^logp[o,j,i] - (j == k ? 1 : 0)),  k = labels[o,i];  0 where k == ignore
//
// Dx may be logp. It returns the position of a label out of range, having done nothing, or -1.
func SoftmaxCrossEntropyGrad[T Float, I Index](p *parallel.Pool, dx, logp, dloss []T, labels []I, weight []T, ignore int64, outer, n,
	inner int) (bad int) {
	atLeast(outer*n*inner, len(dx), len(logp))
	atLeast(outer*inner, len(dloss), len(labels))
	if weight != nil {
		atLeast(n, len(weight))
	}
	for i, k := range labels[:outer*inner] {
		if int64(k) != ignore && (k < 0 || int64(k) >= int64(n)) {
			return i
		}
	}
	l := loopsOf[T]()
	// The scale of the example, 0 when it is ignored.
	scale := func(i int) T {
		k := int64(labels[i])
		switch {
		case k == ignore:
			return 0
		case weight != nil:
			return dloss[i] * weight[k]
		}
		return dloss[i]
	}
	p.For(outer, max(1, elemChunk/max(n*inner, 1)), func(lo, hi int) {
		s := make([]T, inner)
		for o := lo; o < hi; o++ {
			at := o * n * inner
			if inner == 1 {
				y := dx[at : at+n]
				v := scale(o)
				if v == 0 {
					clear(y)
					continue
				}
				l.exp(y, logp[at:at+n])
				y[labels[o]]--
				l.affine(y, y, v, 0)
				continue
			}
			for i := range s {
				s[i] = scale(o*inner + i)
			}
			for j := range n {
				y := dx[at+j*inner : at+(j+1)*inner]
				l.exp(y, logp[at+j*inner:at+(j+1)*inner])
				for i := range y {
					if int64(labels[o*inner+i]) == int64(j) {
						y[i]--
					}
					if s[i] == 0 {
						y[i] = 0
					}
				}
				l.mul(y, y, s)
			}
		}
	})
	return -1
}
