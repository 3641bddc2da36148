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
	kept []atomic.Pointer[keptExamples]
}

// keptExamples is room for neighbours, made when the first of them is kept.
type keptExamples [1024]atomic.Pointer[Example]

// aroundKept is what an example takes beside its numbers: the tensor, its shape, the id.
const aroundKept = 384

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
		kept: make([]atomic.Pointer[keptExamples], (ds.Len()+len(keptExamples{})-1)/len(keptExamples{}))}, rest
}

func (c *cached) unwrap() Dataset { return c.Dataset }
func (c *cached) at(i int) int    { return i }

// find is example i where it is kept.
func (c *cached) find(i int) *Example {
	if near := c.kept[i/len(keptExamples{})].Load(); near != nil {
		return near[i%len(near)].Load()
	}
	return nil
}

func (c *cached) keep(i int, e *Example) {
	at := &c.kept[i/len(keptExamples{})]
	if at.Load() == nil {
		at.CompareAndSwap(nil, new(keptExamples))
	}
	at.Load()[i%len(keptExamples{})].Store(e)
}

func (c *cached) Example(i int) (Example, error) {
	if e := c.find(i); e != nil {
		return *e, nil
	}
	return inTurn(c, i)
}

func (c *cached) exampleIn(t *turn, i int) (Example, error) {
	if e := c.find(i); e != nil {
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
	if c.keeps(int64(len(e.X.Bytes())) + aroundKept) {
		c.keep(i, &e)
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
