package data

import (
	"container/list"
	"runtime"
	"sync"

	account "github.com/gtk-onnx/gtk/internal/memory"
)

// blocks keeps pieces of files that were unpacked, those that were used last, within a share of the memory that is left. A piece that
// several goroutines ask for is made once.
type blocks[K comparable] struct {
	mu   sync.Mutex
	most int64 // bytes
	held int64
	kept map[K]*block[K]
	used list.List // of *block, the last one used first
}

// block is a piece; what it holds does not change.
type block[K comparable] struct {
	key   K
	once  sync.Once
	value any
	err   error
	size  int64
	from  ledger
	place *list.Element
}

// newBlocks gives back what is kept when owner is collected.
func newBlocks[K comparable, T any](what string, owner *T) *blocks[K] {
	b := &blocks[K]{most: min(max(account.Left()/4, 64<<20), 4<<30), kept: map[K]*block[K]{}}
	runtime.AddCleanup(owner, (*blocks[K]).drop, b)
	return b
}

// drop gives all back.
func (b *blocks[K]) drop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.used.Len() > 0 {
		b.evict()
	}
}

// evict forgets the piece that was not used for longest.
func (b *blocks[K]) evict() {
	last := b.used.Remove(b.used.Back()).(*block[K])
	last.place = nil
	delete(b.kept, last.key)
	b.held -= last.size
	last.from.release()
}

// get is the piece of a key, which load makes where it is not kept. load asks for the memory that it takes.
func (b *blocks[K]) get(key K, what string, load func(ask func(int64) error) (any, error)) (any, error) {
	b.mu.Lock()
	p := b.kept[key]
	if p == nil {
		p = &block[K]{key: key, from: ledger{what: what}}
		b.kept[key] = p
	} else if p.place != nil {
		b.used.MoveToFront(p.place)
	}
	b.mu.Unlock()
	p.once.Do(func() {
		p.value, p.err = load(func(n int64) error {
			for {
				err := p.from.add(n)
				if err == nil {
					return nil
				}
				p.from.needed -= n
				b.mu.Lock()
				none := b.used.Len() == 0
				if !none {
					b.evict()
				}
				b.mu.Unlock()
				if none {
					return err
				}
			}
		})
		b.mu.Lock()
		defer b.mu.Unlock()
		if p.err != nil {
			delete(b.kept, key)
			p.from.release()
			return
		}
		p.size = p.from.needed
		b.held += p.size
		p.place = b.used.PushFront(p)
		for b.held > b.most && b.used.Len() > 1 {
			b.evict()
		}
	})
	return p.value, p.err
}
