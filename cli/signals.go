package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gtk-onnx/gtk/internal/interrupt"
	"github.com/gtk-onnx/gtk/internal/whole"
)

const (
	grace  = 100 * time.Millisecond // in which a command that was told to stop returns, if it has nothing to save
	spoken = 50 * time.Millisecond  // in which its last words are written: whoever reads them may have stopped
)

// stopper ends a command that is told to. The first signal, or the end of --timeout, cancels the context: what comes back soon, or has
// something to save (interrupt.Hold), ends by itself. What does not, such as a kernel, a plan or a read that takes long, is ended with
// the process; so is everything by the second signal. Files that are being written are taken away then.
type stopper struct {
	e       *env
	signals chan os.Signal
	late    chan struct{} // the time of --timeout is over
	done    chan struct{} // the command has come back
	over    atomic.Bool   // somebody says how it ended
	quiet   atomic.Bool   // of the options
	json    atomic.Bool
	timeout atomic.Int64
}

// stopOn makes the context of a command, cancelled by signals.
func stopOn(e *env) (context.Context, *stopper) {
	s := &stopper{e: e, signals: make(chan os.Signal, 4), late: make(chan struct{}, 1), done: make(chan struct{})}
	signal.Notify(s.signals, os.Interrupt, syscall.SIGTERM)
	signal.Ignore(syscall.SIGPIPE) // a reader who has seen enough is an error of writing, not the end of a training
	ctx, cancel := context.WithCancel(context.Background())
	go s.watch(cancel)
	e.stop = s
	s.heed(e)
	return ctx, s
}

// watch waits for signals and for what they lead to.
func (s *stopper) watch(cancel context.CancelFunc) {
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	tick.Stop()
	defer tick.Stop()
	var code, signals int
	var since time.Time // there is nothing to wait for
	stop := func(why int) {
		if code == 0 {
			code, since = why, time.Now()
			tick.Reset(10 * time.Millisecond)
			if interrupt.Held() && !s.quiet.Load() {
				fmt.Fprintln(s.e.errors(), "note: stopping; what was done is saved first. A second signal ends at once")
			}
		}
	}
	for {
		select {
		case <-s.done:
			return
		case <-s.late:
			stop(ExitTimeout)
		case <-s.signals:
			if signals++; signals == 2 {
				s.end(ExitInterrupted)
				return
			}
			cancel()
			stop(ExitInterrupted)
		case now := <-tick.C:
			if interrupt.Held() {
				since = now
			} else if now.Sub(since) >= grace {
				s.end(code)
				return
			}
		}
	}
}

// heed takes the options that it needs.
func (s *stopper) heed(e *env) {
	s.quiet.Store(e.Quiet)
	s.json.Store(e.JSON)
	s.timeout.Store(int64(e.Timeout))
}

// say says how the process ends.
func (s *stopper) say(code int) {
	e, err := &env{Stdout: s.e.Stdout, Stderr: s.e.Stderr, JSON: s.json.Load(), Timeout: time.Duration(s.timeout.Load())}, context.Canceled
	if code == ExitTimeout {
		err = context.DeadlineExceeded
	}
	e.fail(err)
}

// after is ctx with an end after d from now, by which the command is told to stop; 0 is none.
func (s *stopper) after(ctx context.Context, d time.Duration) context.Context {
	if d == 0 {
		return ctx
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	context.AfterFunc(ctx, func() {
		if ctx.Err() == context.DeadlineExceeded {
			s.late <- struct{}{}
		}
		cancel()
	})
	return ctx
}

// end ends the process.
func (s *stopper) end(code int) {
	whole.Abandon()
	if s.over.CompareAndSwap(false, true) {
		said := make(chan struct{})
		go func() {
			defer close(said)
			s.say(code)
		}()
		select {
		case <-said:
		case <-time.After(spoken):
		}
	}
	whole.Abandon() // what was begun meanwhile
	os.Exit(code)
}

// duration reads the value of --timeout: a duration, or a number of seconds as timeout(1) takes it; none is 0.
func duration(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if n, nerr := strconv.ParseFloat(text, 64); nerr == nil && n >= 0 && n < 1e9 {
		d, err = time.Duration(n*float64(time.Second)), nil
	}
	if err != nil || d < 0 {
		return 0, usagef("--timeout %q: want a time, as in 90s, 15m or 1h30m; 0 is none", text)
	}
	return d, nil
}

// back says that the command has come back, and how it ended will be said by the caller. Where the process is about to end already it
// does not return.
func (s *stopper) back() {
	if !s.over.CompareAndSwap(false, true) {
		select {}
	}
}

// close ends the watch.
func (s *stopper) close() {
	signal.Stop(s.signals)
	close(s.done)
}
