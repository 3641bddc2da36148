package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Hub is a plane in the memory of the coordinator, who is a member of it too.
type Hub struct {
	// AckWait is how long a message may be somebody's before it is delivered again; 0 is for as long as its member is there. It is set
	// before the first message.
	AckWait time.Duration

	mu      sync.Mutex
	queues  map[string]*queue
	blobs   map[Key][]byte
	serve   map[string]Handler
	receipt uint64
	wake    chan struct{} // closed, and made anew, when something changed
	closed  bool
}

// Handler answers requests of a member.
type Handler func(ctx context.Context, member string, body []byte) ([]byte, error)

// queue are the messages of a subject.
type queue struct {
	ready []*Message
	out   []*delivery
	seen  map[string]bool // by ID
}

// delivery is a message that is somebody's.
type delivery struct {
	m      *Message
	member string
	until  time.Time // zero for ever
}

// NewHub is an empty hub.
func NewHub() *Hub {
	return &Hub{queues: map[string]*queue{}, blobs: map[Key][]byte{}, serve: map[string]Handler{}, wake: make(chan struct{})}
}

// Serve has f answer the requests of a subject.
func (h *Hub) Serve(subject string, f Handler) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.serve[subject] = f
}

// Member is the plane as the member of that name sees it.
func (h *Hub) Member(name string) Plane { return &member{h, name} }

// Leave gives back what a member has not acknowledged.
func (h *Hub) Leave(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, q := range h.queues {
		q.giveBack(func(d *delivery) bool { return d.member == name })
	}
	h.changed()
}

// Forget drops blobs.
func (h *Hub) Forget(keys ...Key) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, k := range keys {
		delete(h.blobs, k)
	}
}

// Close ends every Pull with ErrClosed.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	h.changed()
}

// changed wakes those who wait; h is locked.
func (h *Hub) changed() {
	close(h.wake)
	h.wake = make(chan struct{})
}

func (h *Hub) queue(subject string) *queue {
	q := h.queues[subject]
	if q == nil {
		q = &queue{seen: map[string]bool{}}
		h.queues[subject] = q
	}
	return q
}

// giveBack puts deliveries that are over in front of what waits.
func (q *queue) giveBack(over func(*delivery) bool) {
	var back []*Message
	q.out = slices.DeleteFunc(q.out, func(d *delivery) bool {
		if over(d) {
			back = append(back, d.m)
			return true
		}
		return false
	})
	q.ready = append(back, q.ready...)
}

// member is a Hub for somebody.
type member struct {
	h    *Hub
	name string
}

func (p *member) Publish(_ context.Context, m Message) error {
	h := p.h
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return ErrClosed
	}
	q := h.queue(m.Subject)
	if m.ID != "" {
		if q.seen[m.ID] {
			return nil
		}
		q.seen[m.ID] = true
	}
	if m.Last {
		q.ready, q.out = nil, nil
	}
	m.Attempt, m.receipt = 0, 0
	q.ready = append(q.ready, &m)
	h.changed()
	return nil
}

func (p *member) Pull(ctx context.Context, subject string) (*Message, error) {
	h := p.h
	for {
		h.mu.Lock()
		if h.closed {
			h.mu.Unlock()
			return nil, ErrClosed
		}
		q, now := h.queue(subject), time.Now()
		q.giveBack(func(d *delivery) bool { return !d.until.IsZero() && now.After(d.until) })
		if len(q.ready) > 0 {
			m := q.ready[0]
			q.ready = q.ready[1:]
			h.receipt++
			m.Attempt, m.receipt = m.Attempt+1, h.receipt
			d := &delivery{m: m, member: p.name}
			if h.AckWait > 0 {
				d.until = now.Add(h.AckWait)
			}
			q.out = append(q.out, d)
			got := *m
			h.mu.Unlock()
			return &got, nil
		}
		wake, next := h.wake, time.Time{}
		for _, d := range q.out {
			if !d.until.IsZero() && (next.IsZero() || d.until.Before(next)) {
				next = d.until
			}
		}
		h.mu.Unlock()
		var late <-chan time.Time
		var t *time.Timer
		if !next.IsZero() {
			t = time.NewTimer(time.Until(next) + time.Millisecond)
			late = t.C
		}
		select {
		case <-ctx.Done():
		case <-wake:
		case <-late:
		}
		if t != nil {
			t.Stop()
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}

func (p *member) Ack(_ context.Context, m *Message) error {
	h := p.h
	h.mu.Lock()
	defer h.mu.Unlock()
	q := h.queue(m.Subject)
	q.out = slices.DeleteFunc(q.out, func(d *delivery) bool { return d.m.receipt == m.receipt })
	return nil
}

func (p *member) Request(ctx context.Context, subject string, body []byte) ([]byte, error) {
	p.h.mu.Lock()
	f, closed := p.h.serve[subject], p.h.closed
	p.h.mu.Unlock()
	switch {
	case closed:
		return nil, ErrClosed
	case f == nil:
		return nil, fmt.Errorf("fleet: nobody serves %q", subject)
	}
	return f(ctx, p.name, body)
}

func (p *member) Put(_ context.Context, blob []byte) (Key, error) {
	k := KeyOf(blob)
	p.h.mu.Lock()
	defer p.h.mu.Unlock()
	p.h.blobs[k] = blob
	return k, nil
}

func (p *member) Blob(_ context.Context, k Key) ([]byte, error) {
	p.h.mu.Lock()
	defer p.h.mu.Unlock()
	b, ok := p.h.blobs[k]
	if !ok {
		return nil, ErrNoBlob
	}
	return b, nil
}

// failed reports whether err is more than the end of what was asked.
func failed(err error) bool {
	return err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, ErrClosed)
}
