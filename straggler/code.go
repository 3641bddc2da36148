package straggler

import "fmt"

// code is GC(n,s) over a part of the data that begins at some weight: which sum each worker computes, and how the whole follows from
// those of some.
type code interface {
	blocks(at int) []Block            // the sums
	of(w int) int                     // index of the one that worker w computes
	weight() int                      // of the data
	decode(have []bool) []Part        // from the workers that there are; nil where it does not follow
	decodes(have []bool) bool         // whether it does
	share() (of, all int)             // of the data that a worker goes through
	mayLeave(late []bool, s int) bool // whether the others decode
}

// Codes are the names of the codes.
const (
	Repetition = "repetition"
	Cyclic     = "cyclic"
)

// newCode makes a code that stands s stragglers.
func newCode(name string, n, s int) (code, error) {
	switch {
	case s < 0 || s >= n:
		return nil, fmt.Errorf("straggler: a code for %d workers stands 0 to %d stragglers, not %d", n, n-1, s)
	case name == Cyclic:
		return &cyclic{n: n, s: s}, nil
	case name == Repetition || name == "":
		return &repetition{n, n / (s + 1)}, nil
	}
	return nil, fmt.Errorf("straggler: there is no code %q: want %s or %s", name, Repetition, Cyclic)
}

// repetition is fractional repetition: the workers are k groups, each of which has the same k-th of the data, so that the sum follows from
// any one of each group, exactly. Where s+1 does not divide n the groups are larger than they need be, and so is the load, 1/k.
type repetition struct{ n, k int }

func (c *repetition) of(w int) int         { return w * c.k / c.n }
func (c *repetition) weight() int          { return c.k }
func (c *repetition) share() (of, all int) { return 1, c.k }

func (c *repetition) blocks(at int) []Block {
	b := make([]Block, c.k)
	for g := range b {
		b[g] = Block{[]Term{{at + g, at + g + 1, 1}}}
	}
	return b
}

func (c *repetition) decodes(have []bool) bool {
	got := make([]bool, c.k)
	for w, is := range have {
		if is {
			got[c.of(w)] = true
		}
	}
	return count(got) == c.k
}

func (c *repetition) decode(have []bool) []Part {
	if !c.decodes(have) {
		return nil
	}
	parts := make([]Part, c.k)
	for g := range parts {
		parts[g] = Part{g, 1}
	}
	return parts
}

// mayLeave asks whether every group has somebody who is not late, which may be so for more than s.
func (c *repetition) mayLeave(late []bool, _ int) bool {
	have := make([]bool, c.n)
	for w, is := range late {
		have[w] = !is
	}
	return c.decodes(have)
}
