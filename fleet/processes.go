package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// ProcessOptions say how worker processes are started.
type ProcessOptions struct {
	Command []string // of a worker: a program that calls Join
	Env     []string // nil is that of this process
	// Deaths is how often in a row a worker may end without having joined in anything (see Processes.Alive) before it is given up; 0 is 3.
	Deaths int
	Tell   func(Event) // is told of what happens; it must not block
}

// Processes are workers that are processes of this machine. One that ends is begun anew, and what it had not acknowledged is its
// successor's. They end when this process does, however that may be: their standard input ends then.
type Processes struct {
	hub    *Hub
	o      ProcessOptions
	ctx    context.Context
	cancel func()
	all    sync.WaitGroup

	mu     sync.Mutex
	pids   []int
	deaths []int
}

// StartProcesses begins n workers. A program that cannot be started is an error.
func StartProcesses(ctx context.Context, h *Hub, n int, o ProcessOptions) (*Processes, error) {
	if len(o.Command) == 0 {
		return nil, errors.New("fleet: no command of a worker is given")
	}
	if o.Deaths == 0 {
		o.Deaths = 3
	}
	c := &Processes{hub: h, o: o, pids: make([]int, n), deaths: make([]int, n)}
	c.ctx, c.cancel = context.WithCancel(ctx)
	for w := range n {
		p, err := c.start(w)
		if err != nil {
			c.Close()
			return nil, fmt.Errorf("fleet: a worker cannot be started: %w", err)
		}
		c.all.Go(func() { c.keep(w, p) })
	}
	return c, nil
}

// process is one that runs.
type process struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	pipe   *pipe
	stderr *tail
}

// patience is how long a process may take to end.
const patience = 2 * time.Second

func (p *process) kill() { _ = p.cmd.Process.Kill() } // it may be gone by then

// start begins the process of worker w.
func (c *Processes) start(w int) (*process, error) {
	p := &process{cmd: exec.Command(c.o.Command[0], c.o.Command[1:]...), stderr: &tail{}}
	p.cmd.Env, p.cmd.Stderr = c.o.Env, p.stderr
	p.cmd.WaitDelay = time.Second
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.pipe = newPipe(out, p.in)
	c.mu.Lock()
	c.pids[w] = p.cmd.Process.Pid
	c.mu.Unlock()
	return p, nil
}

// PID is the process that is worker w now, 0 for none.
func (c *Processes) PID(w int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pids[w]
}

// Alive says that worker w does its work: its deaths are counted anew.
func (c *Processes) Alive(w int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deaths[w] = 0
}

// keep serves the process of worker w, and the next one when it ends.
func (c *Processes) keep(w int, p *process) {
	for {
		stop := context.AfterFunc(c.ctx, func() { // the worker goes by itself then, if it can
			p.in.Close()
			time.AfterFunc(patience, p.kill)
		})
		c.tell(Event{Worker: w, Kind: Joined})
		c.serve(w, p)
		stop()
		p.in.Close()
		kill := time.AfterFunc(patience, p.kill)
		werr := p.cmd.Wait()
		kill.Stop()
		c.mu.Lock()
		c.pids[w] = 0
		c.deaths[w]++
		many := c.deaths[w] >= c.o.Deaths
		c.mu.Unlock()
		c.hub.Leave(memberName(w))
		if c.ctx.Err() != nil {
			return
		}
		err := fmt.Errorf("the process of worker %d ended: %v%s", w, ended(werr), p.stderr)
		if many {
			c.tell(Event{w, Failed, err})
			return
		}
		c.tell(Event{w, Left, err})
		next, serr := c.start(w)
		if serr != nil {
			c.tell(Event{w, Failed, fmt.Errorf("worker %d cannot be started again: %w", w, serr)})
			return
		}
		p = next
	}
}

// ended is how a process ended.
func ended(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

func (c *Processes) tell(e Event) {
	if c.o.Tell != nil {
		c.o.Tell(e)
	}
}

// serve answers the process until its output ends.
func (c *Processes) serve(w int, p *process) {
	ctx, cancel := context.WithCancel(c.ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	if p.pipe.write(head{Op: opWelcome, Worker: w}, nil) != nil {
		return
	}
	plane := c.hub.Member(memberName(w))
	var mu sync.Mutex
	waits := map[uint64]context.CancelFunc{}
	for {
		h, body, err := p.pipe.read()
		if err != nil {
			return
		}
		mu.Lock()
		if h.Op == opCancel {
			if stop := waits[h.ID]; stop != nil {
				stop()
			}
			mu.Unlock()
			continue
		}
		one, stop := context.WithCancel(ctx)
		waits[h.ID] = stop
		mu.Unlock()
		all.Go(func() {
			a, b := answerTo(one, plane, h, body)
			mu.Lock()
			delete(waits, h.ID)
			mu.Unlock()
			stop()
			a.ID, a.Op = h.ID, opAnswer
			_ = p.pipe.write(a, b) // who has gone is seen by the reader
		})
	}
}

// answerTo does what a frame asks.
func answerTo(ctx context.Context, p Plane, h head, body []byte) (a head, out []byte) {
	var err error
	switch h.Op {
	case opPublish:
		err = p.Publish(ctx, Message{Subject: h.Subject, ID: h.Name, Last: h.Last, Body: body})
	case opPull:
		var m *Message
		if m, err = p.Pull(ctx, h.Subject); err == nil {
			a, out = head{Name: m.ID, Last: m.Last, Attempt: m.Attempt, Receipt: m.receipt}, m.Body
		}
	case opAck:
		err = p.Ack(ctx, &Message{Subject: h.Subject, receipt: h.Receipt})
	case opRequest:
		out, err = p.Request(ctx, h.Subject, body)
	case opPut:
		a.Key, err = p.Put(ctx, body)
	case opBlob:
		out, err = p.Blob(ctx, h.Key)
	default:
		err = fmt.Errorf("fleet: a frame asks for %q, which there is not", h.Op)
	}
	if err != nil {
		a, out = head{Error: err.Error(), NoBlob: errors.Is(err, ErrNoBlob)}, nil
	}
	return a, out
}

// Close ends the workers: their input ends, and who is still there after two seconds is killed.
func (c *Processes) Close() error {
	c.cancel()
	c.all.Wait()
	return nil
}

// tail keeps the end of what a process says.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailBytes = 2000

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if n := len(t.b) - tailBytes; n > 0 {
		t.b = append(t.b[:0], t.b[n:]...)
	}
	return len(p), nil
}

// String is what it said, after a colon; nothing for nothing.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := strings.TrimSpace(string(t.b)); s != "" {
		return ": " + s
	}
	return ""
}
