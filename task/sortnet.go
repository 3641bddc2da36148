package task

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// SortNetwork is the comparators of a sorting network, layer by layer. A comparator [lo, hi] puts the smaller number on wire lo. The
// comparators of one layer share no wire.
type SortNetwork struct {
	Wires  int
	Layers [][][2]int
}

// SortNetworks are the names that NewSortNetwork takes.
var SortNetworks = []string{"odd-even", "bitonic"}

// NewSortNetwork is a network for n numbers. Odd-even has n layers of neighbours. Bitonic has ⌈log n⌉(⌈log n⌉+1)/2 layers; where n is no
// power of two it is the network of the next one without its first wires.
//
// Source: Knuth, The Art of Computer Programming 3, 5.3.4; Batcher 1968 (https://doi.org/10.1145/1468075.1468121). As in Petersen et al.
// 2021, "Differentiable Sorting Networks for Scalable Sorting and Ranking Supervision" (arXiv 2105.04019).
func NewSortNetwork(name string, n int) (*SortNetwork, error) {
	if n < 1 {
		return nil, fmt.Errorf("task: a sorting network of %d wires", n)
	}
	s := &SortNetwork{Wires: n}
	switch name {
	case "odd-even":
		for l := range n {
			var layer [][2]int
			for i := l % 2; i+1 < n; i += 2 {
				layer = append(layer, [2]int{i, i + 1})
			}
			s.Layers = append(s.Layers, layer)
		}
	case "bitonic":
		blocks := bits.Len(uint(n - 1))
		drop := 1<<blocks - n
		for block := range blocks {
			for m := 1 << block; m > 0; m /= 2 {
				var layer [][2]int
				for i := range 1 << blocks {
					pair := [2]int{i - drop, i + m - drop}
					if i&m != 0 || i < drop {
						continue
					}
					if i>>(block+1)&1 == 1 {
						pair[0], pair[1] = pair[1], pair[0]
					}
					layer = append(layer, pair)
				}
				s.Layers = append(s.Layers, layer)
			}
		}
	default:
		return nil, fmt.Errorf("task: no sorting network is called %q: want one of %v", name, SortNetworks)
	}
	return s, nil
}

// SortSwaps are the names of the functions by which a soft comparator swaps: α, the share of the first number on wire lo, is a function of
// v = steepness·(b−a), ½ for equal numbers, rising from 0 to 1.
var SortSwaps = []string{"cauchy", "logistic", "logistic-phi", "reciprocal", "optimal", "gaussian"}

// SoftSort sorts the rows of numbers by a network whose comparators let through mixtures,
//
//	x_lo = α·a + (1−α)·b,  x_hi = (1−α)·a + α·b,  α = f(steepness·(b−a)),
//
// and so has gradients everywhere. What it does is a product of doubly stochastic matrices, the relaxed permutation: P[i,k] is the
// probability that input i ends at rank k.
//
// Source: arXiv 2105.04019 (logistic, logistic-phi with λ = ¼); Petersen et al. 2022, "Monotonic Differentiable Sorting Networks" (arXiv
// 2203.09630): reciprocal, cauchy and optimal. gaussian is Φ.
type SoftSort struct {
	Network   *SortNetwork
	Swap      string // one of SortSwaps
	Steepness float64
}

// Sorted is a pass of SoftSort through a graph.
type Sorted struct {
	*SoftSort
	b      *graph.Builder
	x      graph.Value   // [R,n] as they came
	shares []graph.Value // α of each layer, [R,comparators]
	start  []int         // column of x that each wire got
	last   graph.Value   // [R,n] behind the last layer
	end    []int         // column of last that each wire has
}

// Of sorts the rows of x [R,n]. Wire w gets column order[w]; nil gives each its own.
func (s *SoftSort) Of(b *graph.Builder, x graph.Value, order []int) *Sorted {
	r := &Sorted{SoftSort: s, b: b, x: x, last: x, start: order}
	if order == nil {
		for w := range s.Network.Wires {
			r.start = append(r.start, w)
		}
	}
	at := append([]int(nil), r.start...)
	for _, layer := range s.Network.Layers {
		if len(layer) == 0 {
			r.shares = append(r.shares, 0)
			continue
		}
		lo, hi, rest := columns(layer, at)
		a, c := gather(b, r.last, lo), gather(b, r.last, hi)
		d := b.Add(ops.Sub, nil, c, a)
		alpha := s.share(b, d)
		t := b.Add(ops.Mul, nil, alpha, d) // α(b−a)
		r.shares = append(r.shares, alpha)
		r.last = r.join(b.Add(ops.Sub, nil, c, t), b.Add(ops.Add, nil, a, t), gather(b, r.last, rest))
		at = moved(layer, at)
	}
	r.end = at
	return r
}

// Values are the numbers of each row from the smallest wire to the largest, [R,n].
func (r *Sorted) Values() graph.Value { return gather(r.b, r.last, r.end) }

// Mass is Σ_k P[i,k]·of[k], [R,n]: the probability of each input to end at the ranks that of weighs. Column i is that of x.
//
// The matrices of the layers are applied to of from the last to the first, which costs n for each layer, where the permutation as a whole
// costs n².
func (r *Sorted) Mass(of []float64) graph.Value {
	b, n := r.b, r.Network.Wires
	at := make([]int, n) // of wires in c
	for w := range at {
		at[w] = w
	}
	row, _ := tensor.From(of, 1, n).Convert(b.DType(r.x)) // real numbers convert
	c := b.Add(ops.Expand, nil, b.Const(row), b.Add(ops.Shape, nil, r.x))
	for l := len(r.Network.Layers) - 1; l >= 0; l-- {
		layer := r.Network.Layers[l]
		if len(layer) == 0 {
			continue
		}
		lo, hi, rest := columns(layer, at)
		p, q := gather(b, c, lo), gather(b, c, hi)
		t := b.Add(ops.Mul, nil, r.shares[l], b.Add(ops.Sub, nil, p, q))
		c = r.join(b.Add(ops.Add, nil, q, t), b.Add(ops.Sub, nil, p, t), gather(b, c, rest))
		at = moved(layer, at)
	}
	back := make([]int, n) // columns of x are wires by start
	for w, column := range r.start {
		back[column] = at[w]
	}
	return gather(b, c, back)
}

// columns are the columns of the wires that a layer compares, and of those that it leaves alone, where wire w is in column at[w].
func columns(layer [][2]int, at []int) (lo, hi, rest []int) {
	met := make([]bool, len(at))
	for _, p := range layer {
		lo, hi = append(lo, at[p[0]]), append(hi, at[p[1]])
		met[p[0]], met[p[1]] = true, true
	}
	for w, m := range met {
		if !m {
			rest = append(rest, at[w])
		}
	}
	return lo, hi, rest
}

// moved is where the wires are when the three parts of columns lie one behind another.
func moved(layer [][2]int, at []int) []int {
	now := make([]int, len(at))
	for w := range now {
		now[w] = -1
	}
	for i, p := range layer {
		now[p[0]], now[p[1]] = i, len(layer)+i
	}
	k := 2 * len(layer)
	for w := range now {
		if now[w] < 0 {
			now[w] = k
			k++
		}
	}
	return now
}

func (r *Sorted) join(lo, hi, rest graph.Value) graph.Value {
	parts := []graph.Value{lo, hi}
	if rest != 0 {
		parts = append(parts, rest)
	}
	return concat(r.b, 1, parts...)
}

// share is α of the differences d = b − a.
func (s *SoftSort) share(b *graph.Builder, d graph.Value) graph.Value {
	kind := b.DType(d)
	num := func(x float64) graph.Value { return b.Scalar(kind, x) }
	v := d
	if s.Steepness != 1 {
		v = b.Add(ops.Mul, nil, d, num(s.Steepness))
	}
	switch s.Swap {
	case "cauchy": // ½ + arctan(v)/π
		return b.Add(ops.Add, nil, b.Add(ops.Mul, nil, b.Add(ops.Atan, nil, v), num(1/math.Pi)), num(0.5))
	case "logistic":
		return b.Add(ops.Sigmoid, nil, v)
	case "logistic-phi": // σ(v/|d|^λ); the small number keeps equal numbers at ½
		size := b.Add(ops.Add, nil, b.Add(ops.Abs, nil, d), num(phiFloor))
		return b.Add(ops.Sigmoid, nil, b.Add(ops.Div, nil, v, b.Add(ops.Pow, nil, size, num(0.25))))
	case "reciprocal": // ½(v/(2+|v|) + 1)
		q := b.Add(ops.Div, nil, v, b.Add(ops.Add, nil, b.Add(ops.Abs, nil, v), num(2)))
		return b.Add(ops.Add, nil, b.Add(ops.Mul, nil, q, num(0.5)), num(0.5))
	case "optimal": // ½ + v up to ¼ either way, then 1 − 1/(16v) or −1/(16v): ½ + m + sign(v)·¼ − 1/(16·w), w = v beyond ¼
		m := b.Add(ops.Clip, nil, v, num(-0.25), num(0.25))
		beyond := b.Add(ops.Max, nil, b.Add(ops.Abs, nil, v), num(0.25)) // ¼ within
		more := b.Add(ops.Sub, nil, num(0.25), b.Add(ops.Div, nil, num(1./16), beyond))
		more = b.Add(ops.Mul, nil, more, b.Add(ops.Sign, nil, v))
		return b.Add(ops.Add, nil, b.Add(ops.Add, nil, m, more), num(0.5))
	case "gaussian": // Φ(v)
		e := b.Add(ops.Erf, nil, b.Add(ops.Mul, nil, v, num(math.Sqrt2/2)))
		return b.Add(ops.Add, nil, b.Add(ops.Mul, nil, e, num(0.5)), num(0.5))
	}
	b.Fail(fmt.Errorf("task: no soft comparator is called %q: want one of %v", s.Swap, SortSwaps))
	return 0
}

// phiFloor is added to |d| where it is divided by.
const phiFloor = 1e-10

// gather is the columns of x [R,n] in that order, 0 for none.
func gather(b *graph.Builder, x graph.Value, columns []int) graph.Value {
	if len(columns) == 0 {
		return 0
	}
	return b.Add(ops.Gather, along(b, ops.Gather, 1), x, b.Ints(columns...))
}

// concat joins values along an axis.
func concat(b *graph.Builder, axis int, parts ...graph.Value) graph.Value {
	if len(parts) == 1 {
		return parts[0]
	}
	return b.Add(ops.Concat, along(b, ops.Concat, axis), parts...)
}

// along are the attributes of an operator that works along an axis.
func along(b *graph.Builder, op *graph.Spec, axis int) any {
	return attrs(b, op, graph.Attrs{"axis": int64(axis)})
}

func attrs(b *graph.Builder, op *graph.Spec, a graph.Attrs) any {
	x, err := op.DecodeAttrs(a)
	b.Fail(err)
	return x
}
