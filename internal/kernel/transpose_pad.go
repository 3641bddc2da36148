package kernel

import "github.com/gtk-onnx/gtk/internal/parallel"

// PadMode says where the elements outside come from.
type PadMode int

// The modes of ONNX Pad.
const (
	PadConstant PadMode = iota
	PadReflect          // mirrored at the first and last element, which is not repeated
	PadEdge
	PadWrap
)

// padMap is, for every index of a padded axis, the index it is read from, or -1 for the constant. An empty axis
// gives -1 throughout.
func padMap(mode PadMode, n, before, after int) []int {
	m := make([]int, max(before+n+after, 0))
	for k := range m {
		i := k - before
		if i < 0 || i >= n {
			switch {
			case mode == PadConstant || n == 0:
				i = -1
			case mode == PadEdge:
				i = min(max(i, 0), n-1)
			case mode == PadWrap:
				i = (i%n + n) % n
			case n == 1:
				i = 0
			default:
				period := 2 * (n - 1)
				i = (i%period + period) % period
				if i >= n {
					i = period - i
				}
			}
		}
		m[k] = i
	}
	return m
}

// padPlan is the maps of the axes and the strides of the unpadded array.
type padPlan struct {
	maps    [][]int
	strides []int
	rows    int // product of the padded sizes of all axes but the last
}

func newPadPlan(mode PadMode, shape, before, after []int) padPlan {
	if len(shape) == 0 {
		shape, before, after = []int{1}, []int{0}, []int{0}
	}
	pl := padPlan{strides: Strides(shape), rows: 1}
	for i, n := range shape {
		pl.maps = append(pl.maps, padMap(mode, n, before[i], after[i]))
		if i < len(shape)-1 {
			pl.rows *= len(pl.maps[i])
		}
	}
	return pl
}

// row is the offset of the unpadded row that padded row r comes from, or -1.
func (pl *padPlan) row(r int) int {
	off := 0
	for i := len(pl.maps) - 2; i >= 0; i-- {
		n := len(pl.maps[i])
		j := pl.maps[i][r%n]
		if j < 0 {
			return -1
		}
		off += j * pl.strides[i]
		r /= n
	}
	return off
}

// Pad is out = in with before[k] and after[k] elements added to axis k of its shape, or removed where negative. A
// reflection may go over several periods, as numpy has it.
func Pad[T any](p *parallel.Pool, out, in []T, shape, before, after []int, mode PadMode, value T) {
	pl := newPadPlan(mode, shape, before, after)
	last := pl.maps[len(pl.maps)-1]
	atLeast(size(shape), len(in))
	atLeast(pl.rows*len(last), len(out))
	if len(last) == 0 {
		return
	}
	lo, hi := padMiddle(last)
	p.For(pl.rows, max(1, elemChunk/len(last)), func(r0, r1 int) {
		for r := r0; r < r1; r++ {
			o := out[r*len(last) : (r+1)*len(last)]
			at := pl.row(r)
			if at < 0 {
				fill(o, value)
				continue
			}
			for k, i := range last[:lo] {
				o[k] = padValue(in, at, i, value)
			}
			if lo < hi {
				i := at + last[lo]
				copy(o[lo:hi], in[i:i+hi-lo])
			}
			for k, i := range last[hi:] {
				o[hi+k] = padValue(in, at, i, value)
			}
		}
	})
}

func padValue[T any](in []T, at, i int, value T) T {
	if i < 0 {
		return value
	}
	return in[at+i]
}

// padMiddle is the longest run of m that counts up by one.
func padMiddle(m []int) (lo, hi int) {
	for k := 0; k < len(m); {
		e := k + 1
		for e < len(m) && m[k] >= 0 && m[e] == m[e-1]+1 {
			e++
		}
		if m[k] >= 0 && e-k > hi-lo {
			lo, hi = k, e
		}
		k = e
	}
	return lo, hi
}

// PadGrad is dx[i] = Σ dy[j] over the elements j of the padded array that Pad reads from i; shape is that of dx.
func PadGrad[T Number](p *parallel.Pool, dx, dy []T, shape, before, after []int, mode PadMode) {
	pl := newPadPlan(mode, shape, before, after)
	last := pl.maps[len(pl.maps)-1]
	atLeast(size(shape), len(dx))
	atLeast(pl.rows*len(last), len(dy))
	clear(dx[:size(shape)])
	if len(last) == 0 || pl.rows == 0 {
		return
	}
	// Leading axes without padding keep the rows of dx apart.
	apart := 1
	for i := 0; i < len(shape)-1 && before[i] == 0 && after[i] == 0; i++ {
		apart *= shape[i]
	}
	per := pl.rows / apart
	p.For(apart, max(1, elemChunk/(per*len(last))), func(lo, hi int) {
		for r := lo * per; r < hi*per; r++ {
			at := pl.row(r)
			if at < 0 {
				continue
			}
			for k, i := range last {
				if i >= 0 {
					dx[at+i] += dy[r*len(last)+k]
				}
			}
		}
	})
}
