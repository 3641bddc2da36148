package exec

import (
	"cmp"
	"slices"
)

// sweep places the slots from the first step to the last, each in the lowest gap that is large enough, in time near to their number. It
// returns the size of the arena.
func (pl *plan) sweep() int {
	order := make([]int, len(pl.slots))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		s, t := &pl.slots[a], &pl.slots[b]
		return cmp.Or(s.start-t.start, t.bytes-s.bytes)
	})
	ends := make([][]int, len(pl.steps)+2) // slots by the last step that they live in
	for i := range pl.slots {
		ends[pl.slots[i].end] = append(ends[pl.slots[i].end], i)
	}
	var g gaps
	step := 0
	for _, i := range order {
		s := &pl.slots[i]
		for ; step < s.start; step++ {
			for _, k := range ends[step] {
				g.give(pl.slots[k].offset, pl.slots[k].lines())
			}
		}
		s.offset = g.take(s.lines())
	}
	return g.size
}

// gaps is the free ranges of an arena that grows: a treap by offset in which each node knows the largest gap below it. Priorities follow
// from the offsets, so that the shape of the tree is always the same.
type gaps struct {
	root *gap
	size int // of the arena
}

type gap struct {
	at, bytes, most int
	left, right     *gap
}

// take is the offset of the lowest range of n bytes that is free, at the end of the arena where there is none.
func (g *gaps) take(n int) int {
	if n == 0 {
		return 0
	}
	if g.root == nil || g.root.most < n {
		at := g.size
		if last := g.root.last(); last != nil && last.at+last.bytes == g.size { // it grows by what is missing
			at = last.at
			g.root = g.root.without(at)
		}
		g.size = at + n
		return at
	}
	x := g.root
	for {
		if x.left != nil && x.left.most >= n {
			x = x.left
		} else if x.bytes >= n {
			break
		} else {
			x = x.right
		}
	}
	at, bytes := x.at, x.bytes
	g.root = g.root.without(at)
	if bytes > n {
		g.root = g.root.with(&gap{at: at + n, bytes: bytes - n})
	}
	return at
}

// give makes n bytes at an offset free, and one gap with those beside it.
func (g *gaps) give(at, n int) {
	if n == 0 {
		return
	}
	before, after := g.root.near(at)
	if before != nil && before.at+before.bytes == at {
		at, n = before.at, before.bytes+n
		g.root = g.root.without(before.at)
	}
	if after != nil && at+n == after.at {
		n += after.bytes
		g.root = g.root.without(after.at)
	}
	g.root = g.root.with(&gap{at: at, bytes: n})
}

// near is the gaps next to an offset that lies in none.
func (x *gap) near(at int) (before, after *gap) {
	for x != nil {
		if x.at < at {
			before, x = x, x.right
		} else {
			after, x = x, x.left
		}
	}
	return before, after
}

// last is the gap of the highest offset.
func (x *gap) last() *gap {
	for x != nil && x.right != nil {
		x = x.right
	}
	return x
}

// priority is a number that looks random for every offset.
func (x *gap) priority() uint64 {
	h := uint64(x.at) * 0x9e3779b97f4a7c15
	h ^= h >> 29
	return h * 0xbf58476d1ce4e5b9
}

func (x *gap) update() *gap {
	x.most = x.bytes
	for _, c := range []*gap{x.left, x.right} {
		if c != nil {
			x.most = max(x.most, c.most)
		}
	}
	return x
}

// split cuts the tree into the gaps below an offset and the others.
func (x *gap) split(at int) (low, high *gap) {
	if x == nil {
		return nil, nil
	}
	if x.at < at {
		x.right, high = x.right.split(at)
		return x.update(), high
	}
	low, x.left = x.left.split(at)
	return low, x.update()
}

// join is the inverse of split.
func (x *gap) join(y *gap) *gap {
	switch {
	case x == nil:
		return y
	case y == nil:
		return x
	case x.priority() > y.priority():
		x.right = x.right.join(y)
		return x.update()
	}
	y.left = x.join(y.left)
	return y.update()
}

func (x *gap) with(y *gap) *gap {
	low, high := x.split(y.at)
	return low.join(y.update()).join(high)
}

// without is the tree less the gap at an offset.
func (x *gap) without(at int) *gap {
	low, high := x.split(at)
	_, high = high.split(at + 1)
	return low.join(high)
}
