package kernel

import "github.com/gtk-onnx/gtk/internal/parallel"

// ArgMax is out[o,i] = the k where in[o,k,i] is largest, in of [outer, n, inner], n > 0; of several the first, or the last
// one with last. A NaN counts as larger than anything.
func ArgMax[T Number](p *parallel.Pool, out []int64, in []T, outer, n, inner int, last bool) {
	argExtreme(p, out, in, outer, n, inner, func(x, best T) bool {
		return x > best || last && x == best || x != x && (last || best == best)
	})
}

// ArgMin is ArgMax of the smallest; a NaN counts as smaller than anything.
func ArgMin[T Number](p *parallel.Pool, out []int64, in []T, outer, n, inner int, last bool) {
	argExtreme(p, out, in, outer, n, inner, func(x, best T) bool {
		return x < best || last && x == best || x != x && (last || best == best)
	})
}

func argExtreme[T Number](p *parallel.Pool, out []int64, in []T, outer, n, inner int, better func(x, best T) bool) {
	atLeast(outer*n*inner, len(in))
	if n == 0 {
		return
	}
	atLeast(outer*inner, len(out))
	p.For(outer*inner, max(1, elemChunk/n), func(lo, hi int) {
		for k := lo; k < hi; k++ {
			x := in[k/inner*n*inner+k%inner:]
			best, arg := x[0], 0
			for i := 1; i < n; i++ {
				if v := x[i*inner]; better(v, best) {
					best, arg = v, i
				}
			}
			out[k] = int64(arg)
		}
	})
}

// CumSum is out[o,k,i] = Σ in[o,j,i] over j <= k, or j < k with exclusive; with reverse over j >= k, or j > k.
// Shapes [outer, n, inner]; out may be in.
func CumSum[T Number](p *parallel.Pool, out, in []T, outer, n, inner int, exclusive, reverse bool) {
	half := 0.5
	if T(half) == 0 {
		cumulate[T, T](p, out, in, outer, n, inner, exclusive, reverse)
	} else {
		cumulate[T, float64](p, out, in, outer, n, inner, exclusive, reverse)
	}
}

func cumulate[T, A Number](p *parallel.Pool, out, in []T, outer, n, inner int, exclusive, reverse bool) {
	atLeast(outer*n*inner, len(out), len(in))
	if n == 0 {
		return
	}
	p.For(outer*inner, max(1, elemChunk/n), func(lo, hi int) {
		for k := lo; k < hi; k++ {
			var s A
			at, step := k/inner*n*inner+k%inner, inner
			if reverse {
				at, step = at+(n-1)*inner, -inner
			}
			for range n {
				x := A(in[at])
				if exclusive {
					out[at] = T(s)
				}
				s += x
				if !exclusive {
					out[at] = T(s)
				}
				at += step
			}
		}
	})
}
