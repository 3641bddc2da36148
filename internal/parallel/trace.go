package parallel

import "time"

// Trace notes what a pool from Traced does.
type Trace struct {
	parts []Part
	since time.Time // the end of the last loop, or of the last call of Cut
	depth int
}

// Part is a stretch of work: what one thread does before a loop, and the tasks of the loop. The last one before a cut may have no loop.
type Part struct {
	Serial time.Duration
	Tasks  []time.Duration // in their order
}

// Traced is a pool that says it has n threads, so that work is cut for as many, and runs all loops on the calling goroutine while it notes
// how long each of their tasks takes. A loop inside a loop is part of its task. It serves one goroutine at a time.
func Traced(n int) (*Pool, *Trace) {
	t := &Trace{since: time.Now()}
	return &Pool{threads: max(n, 1), trace: t}, t
}

// Cut gives the parts since the last cut.
func (t *Trace) Cut() []Part {
	parts := append(t.parts, Part{Serial: time.Since(t.since)})
	t.parts = nil
	t.since = time.Now()
	return parts
}

// loop is For on one thread.
func (t *Trace) loop(n, grain, chunks int, body func(lo, hi int)) {
	if t.depth > 0 {
		serial(n, grain, body)
		return
	}
	part := Part{time.Since(t.since), make([]time.Duration, chunks)}
	t.depth++
	defer func() { t.depth-- }()
	from := time.Now()
	for i := range part.Tasks {
		body(i*grain, min((i+1)*grain, n))
		to := time.Now()
		part.Tasks[i] = to.Sub(from)
		from = to
	}
	t.parts = append(t.parts, part)
	t.since = time.Now()
}

// Fork is what it costs to share a loop: how much longer two threads take for two tasks than one takes for one. Of many trials the first
// quarter counts, since on a busy machine the others tell of the neighbours. It is 0 where no second processor is free.
func Fork() time.Duration { return fork(400, 20*time.Microsecond) }
