package exec

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

// line is what offsets are multiples of: a cache line.
const line = 64

// repairs is how often place tries to mend an order.
const repairs = 20

// orders are orders to place slots in: the largest first; the longest-lived; those that take the most over time; as they come.
var orders = []func(a, b *slot) int{
	func(a, b *slot) int { return b.bytes - a.bytes },
	func(a, b *slot) int { return cmp.Or((b.end-b.start)-(a.end-a.start), b.bytes-a.bytes) },
	func(a, b *slot) int { return b.lines()*(1+b.end-b.start) - a.lines()*(1+a.end-a.start) },
	func(a, b *slot) int { return a.start - b.start },
}

// moves is how often place tries to mend the best order by chance.
const moves = 1000

// effort is how many pairs of slots place compares in all, before it does with what sweep gives.
const effort = 1 << 27

// place chooses offsets: the largest slot first, each at the lowest offset that no slot living at the same time covers. That is nearly
// always within a few percent of what is needed at once. Where it is not, the slot that reaches highest goes first and all are placed
// again, and other orders are tried in this way; then slots of the best order go to other places in it. Plans of so many slots that this
// takes too long are placed as sweep does.
func (pl *plan) place() {
	enough := pl.need()
	enough += enough / 64
	left := effort
	order := make([]int, len(pl.slots))
	var offsets, best []int
	last := -1 // the slot that reaches highest in the best order
	for _, before := range orders {
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return before(&pl.slots[a], &pl.slots[b]) })
		for range repairs {
			size, top, done := pl.placeBy(order, &left)
			if !done {
				break
			}
			if offsets == nil || size < pl.size {
				pl.size, offsets = size, offsets[:0]
				for i := range pl.slots {
					offsets = append(offsets, pl.slots[i].offset)
				}
				best, last = append(best[:0], order...), top
			}
			if left <= 0 || pl.size <= enough {
				break
			}
			k := slices.Index(order, top)
			copy(order[1:k+1], order[:k])
			order[0] = top
		}
		if left <= 0 || pl.size <= enough {
			break
		}
	}
	if left = min(left, effort/8); left > 0 && pl.size > enough {
		offsets = pl.mend(best, last, enough, &left, offsets)
		left = 1
	}
	if left <= 0 {
		if size := pl.sweep(); offsets == nil || size < pl.size {
			pl.size = size
			return
		}
	}
	for i, at := range offsets {
		pl.slots[i].offset = at
	}
}

// mend moves slots of the best order, in which top reaches highest, to places further ahead: that one, or one that lives at the same time.
// What is not worse is kept. The moves are random, and the same each time.
func (pl *plan) mend(best []int, top, enough int, left *int, offsets []int) []int {
	r := rand.New(rand.NewPCG(1, uint64(len(best))))
	order := make([]int, len(best))
	for range moves {
		if *left <= 0 || pl.size <= enough {
			break
		}
		copy(order, best)
		k := slices.Index(order, top)
		if r.IntN(2) == 0 {
			t := &pl.slots[top]
			for range 8 {
				if j := r.IntN(len(order)); pl.slots[order[j]].end >= t.start && pl.slots[order[j]].start <= t.end {
					k = j
					break
				}
			}
		}
		if k == 0 {
			continue
		}
		s, to := order[k], r.IntN(k)
		copy(order[to+1:k+1], order[to:k])
		order[to] = s
		size, high, done := pl.placeBy(order, left)
		if !done || size > pl.size {
			continue
		}
		if size < pl.size {
			pl.size = size
			for i := range pl.slots {
				offsets[i] = pl.slots[i].offset
			}
		}
		copy(best, order)
		top = high
	}
	return offsets
}

// lines is the bytes of s in whole lines.
func (s *slot) lines() int { return (s.bytes + line - 1) / line * line }

// need is the most that the slots take at the same time.
func (pl *plan) need() int {
	change := make([]int, len(pl.steps)+2)
	for i := range pl.slots {
		s := &pl.slots[i]
		change[s.start] += s.lines()
		change[s.end+1] -= s.lines()
	}
	now, most := 0, 0
	for _, c := range change {
		now += c
		most = max(most, now)
	}
	return most
}

// placeBy places the slots in an order and returns the size of the arena and the slot that reaches to its end. It gives up, done being
// false, when nothing is left of the pairs that may be compared.
func (pl *plan) placeBy(order []int, left *int) (size, top int, done bool) {
	var placed []int // by offset
	for _, i := range order {
		s := &pl.slots[i]
		at := 0
		if *left <= 0 {
			return 0, 0, false
		}
		looked := len(placed) / 16 // for making room among them
		for _, k := range placed {
			looked++
			o := &pl.slots[k]
			if o.end < s.start || o.start > s.end {
				continue
			}
			if o.offset >= at+s.lines() {
				break
			}
			at = max(at, o.offset+o.lines())
		}
		*left -= looked
		s.offset = at
		if end := at + s.lines(); end > size {
			size, top = end, i
		}
		k, _ := slices.BinarySearchFunc(placed, at, func(k, at int) int { return pl.slots[k].offset - at })
		placed = slices.Insert(placed, k, i)
	}
	return size, top, true
}
