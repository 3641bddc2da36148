package tensor

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// Insert is the sequence s with x before its element k, or at its end, which nobody may change from then on; s stays as it is. To put n
// elements at the end one by one takes time in proportion to n, and elsewhere little more: sequences that grew from one another share
// their memory. It panics unless 0 ≤ k ≤ the length of s. It is safe for concurrent use.
func Insert(s *Tensor, k int, x *Tensor) (*Tensor, error) {
	if s.dtype.Kind() != Sequence || x == nil || x.dtype != s.dtype.Inner() {
		return nil, fmt.Errorf("tensor: %v cannot be put in %v", x, s)
	}
	old, n := s.contents, s.n
	c := &contents{n: n + 1, held: old.held + Overhead + x.StorageBytes()}
	switch {
	case old.pieces != nil || k < n && n >= pieceLen:
		c.pieces = old.inPieces().with(k, []*Tensor{x}, 0)
	case k < n:
		c.items = slices.Concat(old.items[:k], []*Tensor{x}, old.items[k:])
	case old.taken != nil && n < cap(old.items) && old.taken.CompareAndSwap(int64(n), int64(n+1)):
		c.items, c.taken = append(old.items, x), old.taken
	default:
		c.items = append(append(make([]*Tensor, 0, n+max(4, n/2)), old.items...), x)
		c.taken = new(atomic.Int64)
		c.taken.Store(int64(n + 1))
	}
	return &Tensor{dtype: s.dtype, shape: Shape{}, contents: c}, nil
}

// Erase is the sequence s without its element k; s stays as it is, and they share memory as with Insert. It panics unless 0 ≤ k < the
// length of s. It is safe for concurrent use.
func Erase(s *Tensor, k int) (*Tensor, error) {
	if s.dtype.Kind() != Sequence {
		return nil, fmt.Errorf("tensor: %v is no sequence", s)
	}
	old, n := s.contents, s.n
	c := &contents{n: n - 1, held: old.held - Overhead - s.Item(k).StorageBytes()}
	if old.pieces != nil || n >= pieceLen {
		c.pieces = old.inPieces().with(k, nil, 1)
	} else {
		c.items = slices.Concat(old.items[:k], old.items[k+1:])
	}
	return &Tensor{dtype: s.dtype, shape: Shape{}, contents: c}, nil
}

// pieceLen is how long the pieces of a long list are about: to change one copies a piece and the list of them.
const pieceLen = 512

// pieces are a list in pieces that other lists may share.
type pieces struct {
	list [][]*Tensor
	once sync.Once
	flat []*Tensor
}

// inPieces are the items in pieces.
func (c *contents) inPieces() *pieces {
	if c.pieces != nil {
		return c.pieces
	}
	return &pieces{list: slices.Collect(slices.Chunk(c.items, pieceLen))}
}

// find is the piece that has element k, and where; at the end of the list the last one.
func (p *pieces) find(k int) (piece, at int) {
	for piece < len(p.list)-1 && k >= len(p.list[piece]) {
		k -= len(p.list[piece])
		piece++
	}
	return piece, k
}

func (p *pieces) at(k int) *Tensor {
	piece, at := p.find(k)
	return p.list[piece][at]
}

// with has x in the place of so many elements from k on, which are of one piece.
func (p *pieces) with(k int, x []*Tensor, without int) *pieces {
	if len(p.list) == 0 {
		return &pieces{list: [][]*Tensor{x}}
	}
	i, at := p.find(k)
	changed := slices.Concat(p.list[i][:at], x, p.list[i][at+without:])
	out := make([][]*Tensor, 0, len(p.list)+1)
	out = append(out, p.list[:i]...)
	if half := len(changed) / 2; half >= pieceLen {
		out = append(out, changed[:half:half], changed[half:])
	} else if len(changed) > 0 {
		out = append(out, changed)
	}
	return &pieces{list: append(out, p.list[i+1:]...)}
}

// all is the list in one piece.
func (p *pieces) all() []*Tensor {
	p.once.Do(func() { p.flat = slices.Clip(slices.Concat(p.list...)) })
	return p.flat
}
