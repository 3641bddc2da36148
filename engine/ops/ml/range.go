package ml

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/ops"
)

// The intervals in which what these operators give lies tell probabilities from scores: a forest whose leaves vote with shares of one
// gives probabilities, whatever asks it.

var unit = ops.Interval{Lo: 0, Hi: 1}

// bounded is the interval of transformed scores that lie in i.
func (t transform) bounded(i ops.Interval) ops.Interval {
	switch t {
	case none:
		return i
	case probit:
		return ops.Anywhere()
	}
	return unit
}

// rounding is how far sums of shares may be from one.
const rounding = 1e-4

// shares is i, or [0,1] where it is no more than that but for rounding.
func shares(i ops.Interval) ops.Interval {
	if i.Lo >= -rounding && i.Hi <= 1+rounding {
		return ops.Interval{Lo: min(max(i.Lo, 0), 1), Hi: min(max(i.Hi, 0), 1)}
	}
	return i
}

// bounds are the intervals of the sums of the votes, by target.
func (f *forest) bounds() []ops.Interval {
	total := make([]ops.Interval, f.targets)
	lo, hi, voted := make([]float64, f.targets), make([]float64, f.targets), make([]int, f.targets)
	met, leafMet := make([]int, len(f.branches)), make([]int, len(f.leaves)) // 1 + the tree that met it last
	for tree, root := range f.roots {
		for k := range f.targets {
			lo[k], hi[k], voted[k] = math.Inf(1), math.Inf(-1), 0
		}
		leaves := 0
		path := []int{root}
		for len(path) > 0 {
			at := path[len(path)-1]
			path = path[:len(path)-1]
			if at >= 0 {
				if met[at] <= tree {
					met[at] = tree + 1
					path = append(path, f.branches[at].yes, f.branches[at].no)
				}
				continue
			}
			if leafMet[^at] > tree {
				continue
			}
			leafMet[^at] = tree + 1
			leaves++
			votes := f.leaves[^at]
			for i, v := range votes {
				sum, again := v.weight, false
				for j, w := range votes {
					if w.target == v.target && j != i {
						sum, again = sum+w.weight, again || j < i
					}
				}
				if !again {
					lo[v.target], hi[v.target] = min(lo[v.target], sum), max(hi[v.target], sum)
					voted[v.target]++
				}
			}
		}
		for k := range total {
			if voted[k] < leaves {
				lo[k], hi[k] = min(lo[k], 0), max(hi[k], 0)
			}
			total[k].Lo, total[k].Hi = total[k].Lo+lo[k], total[k].Hi+hi[k]
		}
	}
	return total
}

// Range is the interval of the scores.
func (a *treeClassifierAttrs) Range(out int, _ func(int) ops.Interval) ops.Interval {
	r, err := a.classifier()
	if err != nil || out != 1 {
		return ops.Anywhere()
	}
	all := r.bounds()
	if r.voted < 0 {
		i := ops.Interval{Lo: math.Inf(1), Hi: math.Inf(-1)}
		for k, b := range all {
			if len(r.base) > 0 {
				b.Lo, b.Hi = b.Lo+r.base[k], b.Hi+r.base[k]
			}
			i.Lo, i.Hi = min(i.Lo, b.Lo), max(i.Hi, b.Hi)
		}
		return r.post.bounded(shares(i))
	}
	p := all[r.voted]
	if len(r.base) > 0 {
		p.Lo, p.Hi = p.Lo+r.base[0], p.Hi+r.base[0]
	}
	switch {
	case r.voted != 0:
		return r.post.bounded(shares(ops.Interval{Lo: min(p.Lo, 0), Hi: max(p.Hi, 0)}))
	case r.post == logistic || r.post == probit:
		return r.post.bounded(p)
	case r.positive:
		return shares(ops.Interval{Lo: min(p.Lo, 1-p.Hi), Hi: max(p.Hi, 1-p.Lo)})
	}
	return ops.Interval{Lo: min(p.Lo, -p.Hi), Hi: max(p.Hi, -p.Lo)}
}

// Range is the interval of the scores.
func (a *linearClassifierAttrs) Range(out int, _ func(int) ops.Interval) ops.Interval {
	l, names, err := a.model()
	if err != nil || out != 1 || l.targets < names.count() && l.post != logistic {
		return ops.Anywhere()
	}
	return l.post.bounded(ops.Anywhere())
}

// Range is the interval of the scores.
func (a *svmClassifierAttrs) Range(out int, _ func(int) ops.Interval) ops.Interval {
	m, err := a.model()
	switch {
	case err != nil || out != 1:
		return ops.Anywhere()
	case len(m.pa) > 0:
		return m.post.bounded(unit)
	case m.pairs && m.labels.count() == 2 && m.post != logistic:
		return ops.Anywhere()
	}
	return m.post.bounded(ops.Anywhere())
}

// Range is that of the transform; values of leaves are those of a regression.
func (a *treeRegressorAttrs) Range(int, func(int) ops.Interval) ops.Interval {
	return named(a.PostTransform)
}

// Range is that of the transform.
func (a *linearRegressorAttrs) Range(int, func(int) ops.Interval) ops.Interval {
	return named(a.PostTransform)
}

func named(post string) ops.Interval {
	t, err := transformOf(post)
	if err != nil {
		return ops.Anywhere()
	}
	return t.bounded(ops.Anywhere())
}

// Range is the interval of parts of one where X is not negative, else of parts of a length.
func (a *normalizerAttrs) Range(_ int, in func(int) ops.Interval) ops.Interval {
	switch x := in(0); {
	case x.Lo >= 0:
		return unit
	case a.Norm == "MAX":
		return ops.Anywhere()
	}
	return ops.Interval{Lo: -1, Hi: 1}
}

// Range is the interval of two numbers.
func (a *binarizerAttrs) Range(int, func(int) ops.Interval) ops.Interval { return unit }

// Range is the interval of two numbers.
func (a *oneHotEncoderAttrs) Range(int, func(int) ops.Interval) ops.Interval { return unit }
