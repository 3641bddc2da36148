package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestMain is also the worker of the tests of processes.
func TestMain(m *testing.M) {
	switch os.Getenv("FLEET_TEST_WORKER") {
	case "":
		os.Exit(m.Run())
	case "fail":
		fmt.Fprintln(os.Stderr, "no such model")
		os.Exit(3)
	case "hang": // neither reads nor ends
		select {}
	}
	p, w, gone, err := Join(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go func() {
		<-gone
		os.Exit(0)
	}()
	if err := echo(context.Background(), p, w); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func lives(pid int) bool {
	p, err := os.FindProcess(pid)
	return err == nil && p.Signal(syscall.Signal(0)) == nil
}

// echo answers messages with the blob that they name, after what is asked for it.
func echo(ctx context.Context, p Plane, w int) error {
	for {
		m, err := p.Pull(ctx, fmt.Sprintf("work.%d", w))
		if err != nil {
			return err
		}
		if strings.HasPrefix(string(m.Body), "wait") && m.Attempt == 1 { // the first to try never ends
			if err := p.Publish(ctx, Message{Subject: "began", Body: nil}); err != nil {
				return err
			}
			<-ctx.Done()
			return ctx.Err()
		}
		b, err := p.Blob(ctx, Key(strings.TrimPrefix(string(m.Body), "wait")))
		if err != nil {
			return err
		}
		word, err := p.Request(ctx, "word", []byte(strconv.Itoa(w)))
		if err != nil {
			return err
		}
		k, err := p.Put(ctx, append(word, b...))
		if err != nil {
			return err
		}
		if err := p.Publish(ctx, Message{Subject: "done", ID: m.ID, Body: []byte(k)}); err != nil {
			return err
		}
		if err := p.Ack(ctx, m); err != nil {
			return err
		}
	}
}

// backends begins n workers of echo in each way.
func backends(t *testing.T, n int, use func(t *testing.T, h *Hub, kill func(w int))) {
	t.Run("local", func(t *testing.T) {
		h := NewHub()
		c := Local(t.Context(), h, n, echo, func(e Event) {
			if e.Err != nil {
				t.Error(e.Err)
			}
		})
		defer c.Close()
		use(t, h, nil)
	})
	t.Run("processes", func(t *testing.T) {
		h := NewHub()
		c, err := StartProcesses(t.Context(), h, n, ProcessOptions{Command: []string{os.Args[0]}, Env: append(os.Environ(),
			"FLEET_TEST_WORKER=echo")})
		if err != nil {
			t.Fatal(err)
		}
		use(t, h, func(w int) {
			if p, err := os.FindProcess(c.PID(w)); err == nil {
				_ = p.Kill()
			}
		})
		pids := slices.Clone(c.pids)
		c.Close()
		for _, pid := range pids {
			if pid != 0 && lives(pid) {
				t.Errorf("process %d is left", pid)
			}
		}
	})
}

func TestEcho(t *testing.T) {
	backends(t, 3, func(t *testing.T, h *Hub, _ func(int)) {
		p, ctx := h.Member("coordinator"), t.Context()
		h.Serve("word", func(_ context.Context, member string, body []byte) ([]byte, error) {
			if member != "worker "+string(body) {
				return nil, fmt.Errorf("%s says it is %s", member, body)
			}
			return []byte("got "), nil
		})
		blob := bytes.Repeat([]byte{0, 1, 255}, 1<<20) // several frames' worth of a pipe
		k, err := p.Put(ctx, blob)
		if err != nil {
			t.Fatal(err)
		}
		for w := range 3 {
			for i := range 4 {
				if err := p.Publish(ctx, Message{Subject: fmt.Sprintf("work.%d", w), ID: fmt.Sprintf("%d/%d", w, i), Body: []byte(k)}); err != nil {
					t.Fatal(err)
				}
			}
		}
		seen := map[string]bool{}
		for range 12 {
			m, err := p.Pull(ctx, "done")
			if err != nil {
				t.Fatal(err)
			}
			b, err := p.Blob(ctx, Key(m.Body))
			if err != nil || !bytes.Equal(b, append([]byte("got "), blob...)) {
				t.Fatal(len(b), err)
			}
			seen[m.ID] = true
		}
		if len(seen) != 12 {
			t.Errorf("%d different answers", len(seen))
		}
	})
}

// TestKilled kills a process in the middle of its work: the one that takes its place does it.
func TestKilled(t *testing.T) {
	backends(t, 2, func(t *testing.T, h *Hub, kill func(int)) {
		if kill == nil {
			t.Skip("goroutines are not killed")
		}
		h.Serve("word", func(context.Context, string, []byte) ([]byte, error) { return nil, nil })
		p, ctx := h.Member("coordinator"), t.Context()
		k, _ := p.Put(ctx, []byte("x"))
		if err := p.Publish(ctx, Message{Subject: "work.1", ID: "a", Body: []byte("wait" + k)}); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Pull(ctx, "began"); err != nil {
			t.Fatal(err)
		}
		kill(1)
		if m, err := p.Pull(ctx, "done"); err != nil || m.ID != "a" {
			t.Fatal(m, err)
		}
	})
}

// TestFails has workers that cannot begin: the coordinator is told what they said.
func TestFails(t *testing.T) {
	told := make(chan Event, 100)
	c, err := StartProcesses(t.Context(), NewHub(), 1, ProcessOptions{Command: []string{os.Args[0]},
		Env: append(os.Environ(), "FLEET_TEST_WORKER=fail"), Deaths: 2, Tell: func(e Event) { told <- e }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var kinds []EventKind
	for e := range told {
		if kinds = append(kinds, e.Kind); e.Kind == Failed {
			if !strings.Contains(e.Err.Error(), "no such model") || !strings.Contains(e.Err.Error(), "exit status 3") {
				t.Error(e.Err)
			}
			break
		}
	}
	if want := []EventKind{Joined, Left, Joined, Failed}; !slices.Equal(kinds, want) {
		t.Errorf("%v, want %v", kinds, want)
	}
	if _, err := StartProcesses(t.Context(), NewHub(), 1, ProcessOptions{Command: []string{"/no/such/program"}}); err == nil {
		t.Error("a program that is not there was started")
	}
}

// TestCloseOfDeaf ends a process that listens to nothing.
func TestCloseOfDeaf(t *testing.T) {
	c, err := StartProcesses(t.Context(), NewHub(), 1, ProcessOptions{Command: []string{os.Args[0]},
		Env: append(os.Environ(), "FLEET_TEST_WORKER=hang")})
	if err != nil {
		t.Fatal(err)
	}
	pid, begin := c.PID(0), time.Now()
	c.Close()
	if lives(pid) || time.Since(begin) > 10*time.Second {
		t.Errorf("process %d after %v", pid, time.Since(begin))
	}
}

// TestParentDies closes what a worker hears: every call of it ends.
func TestParentDies(t *testing.T) {
	r, w, _ := os.Pipe()
	pr, pw, _ := os.Pipe()
	defer pr.Close()
	if err := newPipe(nil, w).write(head{Op: opWelcome, Worker: 5}, nil); err != nil {
		t.Fatal(err)
	}
	p, n, gone, err := Join(r, pw)
	if err != nil || n != 5 {
		t.Fatal(n, err)
	}
	time.AfterFunc(20*time.Millisecond, func() { w.Close() })
	if _, err := p.Pull(t.Context(), "work.5"); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	<-gone
	if _, _, _, err := Join(strings.NewReader("hello, this is no frame"), pw); err == nil {
		t.Error("a text is a coordinator")
	}
}

// TestQueue has four pullers, one of which drops one message in eight: each is done in the end.
func TestQueue(t *testing.T) {
	h := NewHub()
	h.AckWait = 30 * time.Millisecond
	p, ctx := h.Member("coordinator"), t.Context()
	const n = 400
	for i := range n {
		for range 2 { // the second is the same
			if err := p.Publish(ctx, Message{Subject: "q", ID: strconv.Itoa(i)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	done, again := map[string]int{}, 0
	var mu sync.Mutex
	var all sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	for w := range 4 {
		all.Go(func() {
			p := h.Member(memberName(w))
			for k := 0; ; k++ {
				m, err := p.Pull(ctx, "q")
				if err != nil {
					return
				}
				if w == 0 && k%8 == 7 {
					continue // dropped
				}
				mu.Lock()
				done[m.ID]++
				if m.Attempt > 1 {
					again++
				}
				if len(done) == n {
					cancel()
				}
				mu.Unlock()
				if err := p.Ack(ctx, m); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	cancel()
	if len(done) != n {
		t.Errorf("%d of %d done", len(done), n)
	}
	t.Logf("%d redelivered", again)
}

// TestLast has a message take the place of those before it, delivered or not.
func TestLast(t *testing.T) {
	h := NewHub()
	p, q, ctx := h.Member("coordinator"), h.Member("worker 0"), t.Context()
	put := func(id string, last bool) {
		if err := p.Publish(ctx, Message{Subject: "s", ID: id, Last: last}); err != nil {
			t.Fatal(err)
		}
	}
	put("a", true)
	if m, err := q.Pull(ctx, "s"); err != nil || m.ID != "a" {
		t.Fatal(m, err)
	}
	put("b", false)
	put("c", true)
	put("d", false)
	h.Leave("worker 0") // a is not given back: c has replaced it
	for _, want := range []string{"c", "d"} {
		if m, err := q.Pull(ctx, "s"); err != nil || m.ID != want || m.Attempt != 1 {
			t.Fatal(m, err)
		}
	}
	h.Leave("worker 0")
	if m, err := q.Pull(ctx, "s"); err != nil || m.ID != "c" || m.Attempt != 2 {
		t.Fatal(m, err)
	}
	if _, err := p.Blob(ctx, KeyOf(nil)); !errors.Is(err, ErrNoBlob) {
		t.Error(err)
	}
	h.Close()
	if _, err := q.Pull(ctx, "s"); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestFrames(t *testing.T) {
	var b bytes.Buffer
	if err := newPipe(nil, &b).write(head{ID: 7, Op: opBlob, Key: "k"}, []byte("body")); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	h, body, err := newPipe(bytes.NewReader(whole), nil).read()
	if err != nil || h.ID != 7 || h.Key != "k" || string(body) != "body" {
		t.Fatal(h, body, err)
	}
	for i := range whole {
		if _, _, err := newPipe(bytes.NewReader(whole[:i]), nil).read(); err == nil {
			t.Errorf("%d of %d bytes are a frame", i, len(whole))
		}
	}
	huge := append(bytes.Repeat([]byte{255}, 12), whole...)
	if _, _, err := newPipe(bytes.NewReader(huge), nil).read(); err == nil {
		t.Error("a frame of 2^64 bytes")
	}
	claims := slices.Concat([]byte{2, 0, 0, 0, 0, 0, 0, 0xff, 0, 0, 0, 0}, []byte("{}x")) // 4 GB of body, of which one byte is there
	if _, _, err := newPipe(bytes.NewReader(claims), nil).read(); err == nil {
		t.Error("a frame that is cut")
	}
}
