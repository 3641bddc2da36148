package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Join is the plane of a worker that is a process: r is its standard input and w its standard output, which nobody else may use. worker is
// which one it is. When the coordinator goes, gone is closed and every call ends with ErrClosed: the process has nothing left to do.
func Join(r io.Reader, w io.Writer) (p Plane, worker int, gone <-chan struct{}, err error) {
	j := &joined{pipe: newPipe(r, w), waits: map[uint64]chan answer{}, gone: make(chan struct{})}
	h, _, err := j.pipe.read()
	if err != nil || h.Op != opWelcome {
		return nil, 0, nil, errors.New("fleet: standard input is not that of a worker, which its coordinator starts")
	}
	go j.listen()
	return j, h.Worker, j.gone, nil
}

// joined asks the hub of another process.
type joined struct {
	pipe *pipe
	gone chan struct{}

	mu    sync.Mutex
	next  uint64
	waits map[uint64]chan answer
}

type answer struct {
	h    head
	body []byte
}

// listen hands out answers until the coordinator goes.
func (j *joined) listen() {
	defer close(j.gone)
	for {
		h, body, err := j.pipe.read()
		if err != nil {
			return
		}
		j.mu.Lock()
		c := j.waits[h.ID]
		delete(j.waits, h.ID)
		j.mu.Unlock()
		if c != nil {
			c <- answer{h, body}
		}
	}
}

// ask asks, and waits for the answer.
func (j *joined) ask(ctx context.Context, h head, body []byte) (head, []byte, error) {
	c := make(chan answer, 1)
	j.mu.Lock()
	j.next++
	h.ID = j.next
	j.waits[h.ID] = c
	j.mu.Unlock()
	if err := j.pipe.write(h, body); err != nil {
		return head{}, nil, ErrClosed
	}
	select {
	case a := <-c:
		switch {
		case a.h.NoBlob:
			return a.h, nil, ErrNoBlob
		case a.h.Error != "":
			return a.h, nil, errors.New(a.h.Error)
		}
		return a.h, a.body, nil
	case <-j.gone:
		return head{}, nil, ErrClosed
	case <-ctx.Done():
		_ = j.pipe.write(head{ID: h.ID, Op: opCancel}, nil) // who is gone needs no answer
		return head{}, nil, ctx.Err()
	}
}

func (j *joined) Publish(ctx context.Context, m Message) error {
	_, _, err := j.ask(ctx, head{Op: opPublish, Subject: m.Subject, Name: m.ID, Last: m.Last}, m.Body)
	return err
}

func (j *joined) Pull(ctx context.Context, subject string) (*Message, error) {
	h, body, err := j.ask(ctx, head{Op: opPull, Subject: subject}, nil)
	if err != nil {
		return nil, err
	}
	return &Message{Subject: subject, ID: h.Name, Last: h.Last, Body: body, Attempt: h.Attempt, receipt: h.Receipt}, nil
}

func (j *joined) Ack(ctx context.Context, m *Message) error {
	_, _, err := j.ask(ctx, head{Op: opAck, Subject: m.Subject, Receipt: m.receipt}, nil)
	return err
}

func (j *joined) Request(ctx context.Context, subject string, body []byte) ([]byte, error) {
	_, b, err := j.ask(ctx, head{Op: opRequest, Subject: subject}, body)
	return b, err
}

func (j *joined) Put(ctx context.Context, blob []byte) (Key, error) {
	h, _, err := j.ask(ctx, head{Op: opPut}, blob)
	return h.Key, err
}

func (j *joined) Blob(ctx context.Context, k Key) ([]byte, error) {
	_, b, err := j.ask(ctx, head{Op: opBlob, Key: k}, nil)
	if err == nil && KeyOf(b) != k {
		return nil, fmt.Errorf("fleet: blob %s came as another one", k)
	}
	return b, err
}
