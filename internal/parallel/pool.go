// Package parallel is the worker pool of the kernels: parked goroutines and a parallel for loop
// whose split depends on the size of the work alone, never on the number of workers, so that
// results are the same for any number of threads.
package parallel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Pool runs parallel loops on a fixed number of threads, the calling one included.
// A nil Pool runs everything on the calling goroutine.
type Pool struct {
	threads int
	work    chan *job
	ended   sync.Once
}

type job struct {
	next, chunks atomic.Int64
	n, grain     int
	body         func(lo, hi int)
	helpers      atomic.Int64 // at work, and closed once no more may join
	done         chan struct{}
	fail         atomic.Pointer[failure]
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
		p.work = make(chan *job, n-1)
		for range n - 1 {
			go func() {
				for j := range p.work {
					j.help()
				}
			}()
		}
	}
	return p
}

// Close ends the pool's goroutines. The pool must be idle. It may be called again.
func (p *Pool) Close() {
	if p != nil && p.work != nil {
		p.ended.Do(func() { close(p.work) })
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
	if p == nil || p.work == nil || chunks == 1 {
		serial(n, grain, body)
		return
	}
	forked()
	j := &job{n: n, grain: grain, body: body, done: make(chan struct{}, 1)}
	j.chunks.Store(int64(chunks))
wake:
	for range min(p.threads, chunks) - 1 {
		select {
		case p.work <- j:
		default: // enough work is waiting
			break wake
		}
	}
	j.run()
	if j.helpers.Add(closed) != closed {
		<-j.done
	}
	if f := j.fail.Load(); f != nil {
		panic(f.value)
	}
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
			j.next.Store(j.chunks.Load())
		}
	}()
	for {
		c := j.next.Add(1) - 1
		if c >= j.chunks.Load() {
			return
		}
		lo := int(c) * j.grain
		j.body(lo, min(lo+j.grain, j.n))
	}
}
