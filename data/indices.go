package data

import (
	"math"

	account "github.com/gtk-onnx/gtk/internal/memory"
)

// listed is what lists with a place for each example are, where there is no memory for one.
const listed = "a list of the examples"

// indices is a list of indices, in four bytes each where all of them fit.
type indices struct {
	short []uint32
	long  []int
}

// newIndices is an empty list with room for n indices below most.
func newIndices(n, most int) indices {
	if uint64(most) > math.MaxUint32 {
		return indices{long: account.Slice[int](n, listed)[:0]}
	}
	return indices{short: account.Slice[uint32](n, listed)[:0]}
}

// indicesOf is a copy of index, whose members are below most.
func indicesOf(index []int, most int) indices {
	p := newIndices(len(index), most)
	for _, i := range index {
		p.add(i)
	}
	return p
}

func (p *indices) add(i int) {
	if p.long != nil {
		p.long = append(p.long, i)
	} else {
		p.short = append(p.short, uint32(i))
	}
}

func (p *indices) len() int { return len(p.short) + len(p.long) }

func (p *indices) at(k int) int {
	if p.long != nil {
		return p.long[k]
	}
	return int(p.short[k])
}

// part is the members lo to hi-1.
func (p *indices) part(lo, hi int) []int {
	out := account.Slice[int](hi-lo, listed)
	for k := range out {
		out[k] = p.at(lo + k)
	}
	return out
}

// all is the list written out.
func (p *indices) all() []int { return p.part(0, p.len()) }
