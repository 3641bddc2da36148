package data

import (
	"sync"
	"sync/atomic"
)

// cached keeps pictures after channels, resize and crop, in their own type.
type cached struct {
	Dataset
	pre  Preprocess
	mu   sync.Mutex
	left int64 // bytes that may still be kept
	held ledger
	kept []atomic.Pointer[Example]
}

// Cache keeps what p's resize and crop leave of the pictures of ds, one byte per value (two for deep pictures), so that later epochs
// neither decode nor resize. It stops keeping after limit bytes. The second result is p without the steps that are done, for use with the
// first. Random resized crops should not be used on it: they would cut from the centre crop.
func Cache(ds Dataset, p Preprocess, limit int64) (Dataset, Preprocess) {
	rest := p
	rest.Resize, rest.Crop = 0, ""
	if p.ImageSize[0] > 0 {
		rest.Crop = "none"
	}
	return &cached{Dataset: ds, pre: p, left: limit, held: ledger{what: "the pictures that are kept"},
		kept: make([]atomic.Pointer[Example], ds.Len())}, rest
}

func (c *cached) unwrap() Dataset { return c.Dataset }
func (c *cached) at(i int) int    { return i }

func (c *cached) Example(i int) (Example, error) {
	if e := c.kept[i].Load(); e != nil {
		return *e, nil
	}
	return inTurn(c, i)
}

func (c *cached) exampleIn(t *turn, i int) (Example, error) {
	if e := c.kept[i].Load(); e != nil {
		return *e, nil
	}
	e, err := exampleIn(t, c.Dataset, i)
	if err != nil || !e.Picture {
		return e, err
	}
	if e.X, err = c.pre.Picture(e.X); err != nil {
		return e, wrapExample(e.ID, err)
	}
	if e.Mask != nil {
		if e.Mask, err = c.pre.Mask(e.Mask); err != nil {
			return e, wrapExample(e.ID, err)
		}
	}
	if c.keeps(int64(len(e.X.Bytes()))) {
		c.kept[i].Store(&e)
	}
	return e, nil
}

// keeps takes n bytes; false where there is no room for them, and from then on.
func (c *cached) keeps(n int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n > c.left || c.held.add(n) != nil {
		c.left = 0
		return false
	}
	c.left -= n
	tie(&c.held, c)
	return true
}
