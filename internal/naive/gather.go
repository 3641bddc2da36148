package naive

import (
	"cmp"
	"slices"

	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	register(map[string]operator{
		"Gather": gather, "GatherElements": gatherElements, "GatherND": gatherND,
		"ScatterElements": scatterElements, "Scatter": scatterElements, "ScatterND": scatterND,
		"OneHot": oneHot, "NonZero": nonZero, "TopK": topK, "CumSum": cumSum, "Compress": compress,
		"ReverseSequence": reverseSequence,
	})
}

func gather(c *call) []*value {
	x, ids := c.in[0], c.in[1]
	a := axisOf(c.int("axis", 0), len(x.shape))
	q := len(ids.shape)
	shape := slices.Concat(x.shape[:a], ids.shape, x.shape[a+1:])
	return one(gatherBy(x, shape, func(idx []int) int {
		src := slices.Concat(idx[:a], []int{axisIndex(ids.i[pos(ids.shape, idx[a:a+q])], x.shape[a])}, idx[a+q:])
		return pos(x.shape, src)
	}))
}

func axisIndex(i int64, n int) int {
	if i < 0 {
		i += int64(n)
	}
	if i < 0 || i >= int64(n) {
		fail("index %d is outside %d", i, n)
	}
	return int(i)
}

func gatherElements(c *call) []*value {
	x, ids := c.in[0], c.in[1]
	a := axisOf(c.int("axis", 0), len(x.shape))
	return one(gatherBy(x, ids.shape, func(idx []int) int {
		src := slices.Clone(idx)
		src[a] = axisIndex(ids.i[pos(ids.shape, idx)], x.shape[a])
		return pos(x.shape, src)
	}))
}

// tuple is index tuple k (of r numbers) of ids into the leading axes of shape.
func tuple(ids *value, k, r int, shape []int) []int {
	t := make([]int, r)
	for j := range t {
		t[j] = axisIndex(ids.i[k*r+j], shape[j])
	}
	return t
}

func gatherND(c *call) []*value {
	x, ids := c.in[0], c.in[1]
	b := c.int("batch_dims", 0)
	q := len(ids.shape) - 1
	r := ids.shape[q]
	shape := slices.Concat(ids.shape[:q], x.shape[b+r:])
	return one(gatherBy(x, shape, func(idx []int) int {
		t := tuple(ids, pos(ids.shape[:q], idx[:q]), r, x.shape[b:])
		return pos(x.shape, slices.Concat(idx[:b], t, idx[q:]))
	}))
}

func reduction(c *call) func(old, v float64) float64 {
	switch r := c.str("reduction", "none"); r {
	case "none":
		return func(_, v float64) float64 { return v }
	case "add":
		return func(o, v float64) float64 { return o + v }
	case "mul":
		return func(o, v float64) float64 { return o * v }
	case "max":
		return func(o, v float64) float64 { return max(o, v) }
	case "min":
		return func(o, v float64) float64 { return min(o, v) }
	default:
		fail("reduction %q", r)
	}
	return nil
}

func clone(x *value) *value {
	return &value{d: x.d, shape: x.shape, f: slices.Clone(x.f), i: slices.Clone(x.i), s: slices.Clone(x.s)}
}

func (v *value) reduceAt(p int, x *value, k int, f func(o, v float64) float64) {
	if v.s != nil {
		v.s[p] = x.s[k]
		return
	}
	v.set(p, f(v.at(p), x.at(k)))
}

func scatterElements(c *call) []*value {
	x, ids, up := c.in[0], c.in[1], c.in[2]
	a, f := axisOf(c.int("axis", 0), len(x.shape)), reduction(c)
	out := clone(x)
	each(ids.shape, func(idx []int, p int) {
		to := slices.Clone(idx)
		to[a] = axisIndex(ids.i[p], x.shape[a])
		out.reduceAt(pos(x.shape, to), up, pos(up.shape, idx), f)
	})
	return one(out)
}

func scatterND(c *call) []*value {
	x, ids, up := c.in[0], c.in[1], c.in[2]
	f := reduction(c)
	q := len(ids.shape) - 1
	r := ids.shape[q]
	out := clone(x)
	each(up.shape, func(idx []int, p int) {
		t := tuple(ids, pos(ids.shape[:q], idx[:q]), r, x.shape)
		out.reduceAt(pos(x.shape, slices.Concat(t, idx[q:])), up, p, f)
	})
	return one(out)
}

func oneHot(c *call) []*value {
	ids, depth, vals := c.in[0], int(c.in[1].at(0)), c.in[2]
	a := axisOf(c.int("axis", -1), len(ids.shape)+1)
	shape := slices.Insert(slices.Clone(ids.shape), a, depth)
	return one(gatherBy(vals, shape, func(idx []int) int {
		k := int(ids.at(pos(ids.shape, slices.Concat(idx[:a], idx[a+1:]))))
		if k < 0 {
			k += depth
		}
		return int(b2i(k == idx[a]))
	}))
}

func nonZero(c *call) []*value {
	x := c.in[0]
	var found [][]int
	each(x.shape, func(idx []int, p int) {
		if x.at(p) != 0 {
			found = append(found, slices.Clone(idx))
		}
	})
	out := zeros(tensor.Int64, len(x.shape), len(found))
	for k, idx := range found {
		for i, n := range idx {
			out.i[i*len(found)+k] = int64(n)
		}
	}
	return one(out)
}

// lines calls f for every line of shape along axis, with the position of its first element and the distance between elements.
func lines(shape []int, axis int, f func(start, step int)) {
	step := size(shape[axis+1:])
	for o := range size(shape[:axis]) {
		for i := range step {
			f(o*shape[axis]*step+i, step)
		}
	}
}

func topK(c *call) []*value {
	x := c.in[0]
	a := axisOf(c.int("axis", -1), len(x.shape))
	k := c.int("k", 0)
	if !c.hasAttr("k") {
		k = c.intsAt(1)[0]
	}
	largest := c.int("largest", 1) != 0
	shape := slices.Clone(x.shape)
	shape[a] = k
	vals, ids := zeros(x.d, shape...), zeros(tensor.Int64, shape...)
	lines(x.shape, a, func(start, step int) {
		order := make([]int, x.shape[a])
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(i, j int) int {
			d := cmp.Compare(x.at(start+i*step), x.at(start+j*step))
			if largest {
				return -d
			}
			return d
		})
		for i := range k {
			outer, inner := start/(step*x.shape[a]), start%step
			p := (outer*k+i)*step + inner
			vals.copy(p, x, start+order[i]*step)
			ids.i[p] = int64(order[i])
		}
	})
	return []*value{vals, ids}
}

func cumSum(c *call) []*value {
	x := c.in[0]
	a := axisOf(c.intsAt(1)[0], len(x.shape))
	exclusive, reverse := c.int("exclusive", 0) != 0, c.int("reverse", 0) != 0
	out := zeros(x.d, x.shape...)
	lines(x.shape, a, func(start, step int) {
		sum := 0.0
		for i := range x.shape[a] {
			if reverse {
				i = x.shape[a] - 1 - i
			}
			p := start + i*step
			if exclusive {
				out.set(p, sum)
			}
			sum += x.at(p)
			if !exclusive {
				out.set(p, sum)
			}
		}
	})
	return one(out)
}

func compress(c *call) []*value {
	x := c.in[0]
	a := 0
	if c.hasAttr("axis") {
		a = axisOf(c.int("axis", 0), len(x.shape))
	} else {
		x = x.with(x.len())
	}
	var keep []int
	for i, b := range c.in[1].i {
		if b != 0 {
			keep = append(keep, i)
		}
	}
	shape := slices.Clone(x.shape)
	shape[a] = len(keep)
	return one(gatherBy(x, shape, func(idx []int) int {
		src := slices.Clone(idx)
		src[a] = keep[idx[a]]
		return pos(x.shape, src)
	}))
}

func reverseSequence(c *call) []*value {
	x, lens := c.in[0], c.intsAt(1)
	b, t := c.int("batch_axis", 1), c.int("time_axis", 0)
	return one(gatherBy(x, x.shape, func(idx []int) int {
		src := slices.Clone(idx)
		if n := lens[idx[b]]; idx[t] < n {
			src[t] = n - 1 - idx[t]
		}
		return pos(x.shape, src)
	}))
}
