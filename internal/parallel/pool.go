// Package parallel is the worker pool of the kernels: waiting goroutines and a parallel for loop
// whose split depends on the size of the work alone, never on the number of workers, so that
// results are the same for any number of threads.
package parallel

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Pool runs parallel loops on a fixed number of threads, the calling one included.
// A nil Pool runs everything on the calling goroutine.
//
// Helpers that have finished look for the next loop for a while before they park: between the nodes of a running plan
// a loop begins every few microseconds, and to wake a parked one takes longer than many loops.
type Pool struct {
	threads int
	open    atomic.Pointer[job] // the loop that was begun last and may want helpers
	parked  atomic.Int32        // helpers that wait at wake
	wake    chan *job
	ended   sync.Once
	trace   *Trace // of a pool that runs on one thread, else nil
}

// linger is how long a helper looks for a loop, and a caller for the end of its last chunks, before it parks.
const linger = 50 * time.Microsecond

type job struct {
	next     atomic.Int64
	chunks   int64
	n, grain int
	body     func(lo, hi int)
	helpers  atomic.Int64 // at work, and closed once no more may join
	done     chan struct{}
	fail     atomic.Pointer[failure]
}

const closed = 1 << 32

type failure struct{ value any }

// New is a pool of n threads; n <= 0 means one per processor. Close ends its goroutines.
func New(n int) *Pool {
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	p := &Pool{threads: n}
	if n > 1 {
		p.wake = make(chan *job, n-1)
		for range n - 1 {
			go p.helper()
		}
	}
	return p
}

// Close ends the pool's goroutines. The pool must be idle. It may be called again.
func (p *Pool) Close() {
	if p != nil && p.wake != nil {
		p.ended.Do(func() { close(p.wake) })
	}
}

// Threads is the number of threads that a loop can use.
func (p *Pool) Threads() int {
	if p == nil {
		return 1
	}
	return p.threads
}

// For calls body(lo, hi) for consecutive ranges of grain indices that cover 0..n-1, the last one
// possibly shorter, on up to Threads goroutines, and returns when all are done. The ranges depend
// on n and grain only. A panic of body is raised again in the caller. Calls may nest: an
// inner loop runs on whatever threads are idle.
func (p *Pool) For(n, grain int, body func(lo, hi int)) {
	if n <= 0 {
		return
	}
	grain = max(grain, 1)
	chunks := (n + grain - 1) / grain
	if p == nil || p.wake == nil || chunks == 1 {
		if p != nil && p.trace != nil && chunks > 1 {
			p.trace.loop(n, grain, chunks, body)
			return
		}
		serial(n, grain, body)
		return
	}
	forked()
	j := &job{n: n, grain: grain, body: body, chunks: int64(chunks), done: make(chan struct{}, 1)}
	before := p.open.Swap(j)
	p.call(j)
	j.run()
	if before != nil && !before.wants() {
		before = nil
	}
	p.open.CompareAndSwap(j, before) // a loop around this one may have chunks left
	if j.helpers.Add(closed) != closed {
		j.wait()
	}
	if f := j.fail.Load(); f != nil {
		panic(f.value)
	}
}

// call wakes a parked helper for j. That one wakes the next.
func (p *Pool) call(j *job) {
	if p.parked.Load() > 0 && j.wants() {
		select {
		case p.wake <- j:
		default: // enough are on their way
		}
	}
}

// helper helps with one loop after the other.
func (p *Pool) helper() {
	for {
		j := p.look()
		if j == nil {
			p.parked.Add(1)
			// A loop that was begun before this helper counted as parked has called nobody.
			if j = p.open.Load(); j == nil || !j.wants() {
				j = <-p.wake
			}
			p.parked.Add(-1)
			if j == nil {
				return // closed
			}
			p.call(j)
		}
		j.help()
	}
}

// look is a loop that wants helpers, or nil when there is none for a while.
func (p *Pool) look() *job {
	for until := time.Now().Add(linger); ; {
		for range 32 {
			if j := p.open.Load(); j != nil && j.wants() {
				return j
			}
			pause()
		}
		if time.Now().After(until) {
			return nil
		}
		runtime.Gosched() // whoever else has something to do goes first
	}
}

// wants reports whether chunks are left.
func (j *job) wants() bool { return j.next.Load() < j.chunks }

// wait waits for the helpers that are at work when no chunk is left.
func (j *job) wait() {
	for until := time.Now().Add(linger); ; {
		for range 32 {
			select {
			case <-j.done: // what they wrote is seen here
				return
			default:
				pause()
			}
		}
		if time.Now().After(until) {
			break
		}
		runtime.Gosched()
	}
	<-j.done
}

// help runs chunks unless the caller has finished the loop already.
func (j *job) help() {
	for {
		n := j.helpers.Load()
		if n >= closed {
			return
		}
		if j.helpers.CompareAndSwap(n, n+1) {
			break
		}
	}
	j.run()
	if j.helpers.Add(-1) == closed {
		j.done <- struct{}{}
	}
}

func (j *job) run() {
	defer func() {
		if v := recover(); v != nil {
			j.fail.CompareAndSwap(nil, &failure{v})
			j.next.Store(j.chunks)
		}
	}()
	for {
		c := j.next.Add(1) - 1
		if c >= j.chunks {
			return
		}
		lo := int(c) * j.grain
		j.body(lo, min(lo+j.grain, j.n))
	}
}
