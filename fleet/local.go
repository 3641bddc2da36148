package fleet

import (
	"context"
	"fmt"
	"sync"
)

// Crew are the workers that a backend brought. Close sends them away and waits for them.
type Crew interface {
	Close() error
}

// Local has n goroutines be the workers, without sockets or processes. work is what a worker does until ctx ends; an error of it is a
// Failed event.
func Local(ctx context.Context, h *Hub, n int, work func(ctx context.Context, p Plane, worker int) error, tell func(Event)) Crew {
	ctx, cancel := context.WithCancel(ctx)
	c := &local{cancel: cancel}
	for w := range n {
		c.all.Go(func() {
			name := memberName(w)
			defer h.Leave(name)
			tell(Event{Worker: w, Kind: Joined})
			if err := work(ctx, h.Member(name), w); failed(err) && ctx.Err() == nil {
				tell(Event{w, Failed, err})
			}
		})
	}
	return c
}

func memberName(w int) string { return fmt.Sprintf("worker %d", w) }

type local struct {
	cancel func()
	all    sync.WaitGroup
}

func (c *local) Close() error {
	c.cancel()
	c.all.Wait()
	return nil
}
