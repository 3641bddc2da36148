package parallel

import (
	"testing"
	"time"
)

// TestTrace checks that a traced pool does what others do, says that it has the threads, and notes the loops in their order.
func TestTrace(t *testing.T) {
	p, tr := Traced(8)
	defer p.Close()
	if p.Threads() != 8 {
		t.Fatalf("%d threads, want 8", p.Threads())
	}
	tr.Cut()
	nap := func(d time.Duration) {
		for s := time.Now(); time.Since(s) < d; {
		}
	}
	sum := 0
	nap(2 * time.Millisecond)
	p.For(10, 3, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			sum += i
		}
		p.For(4, 1, func(lo, hi int) { sum += hi - lo }) // part of the task
		nap(time.Millisecond)
	})
	p.For(5, 5, func(lo, hi int) { p.For(2, 1, func(lo, hi int) { sum++ }) }) // one task: its loop is one of the pool
	nap(time.Millisecond)
	parts := tr.Cut()
	if sum != 45+16+2 {
		t.Errorf("sum %d", sum)
	}
	if len(parts) != 3 || len(parts[0].Tasks) != 4 || len(parts[1].Tasks) != 2 || len(parts[2].Tasks) != 0 {
		t.Fatalf("parts %v", parts)
	}
	if parts[0].Serial < 2*time.Millisecond || parts[0].Tasks[3] < time.Millisecond || parts[2].Serial < time.Millisecond {
		t.Errorf("parts %v", parts)
	}
	if again := tr.Cut(); len(again) != 1 || len(again[0].Tasks) != 0 {
		t.Errorf("parts %v after a cut", again)
	}
}

// TestTracePanics checks that a panic of a task leaves a trace that still notes loops.
func TestTracePanics(t *testing.T) {
	p, tr := Traced(2)
	func() {
		defer func() { _ = recover() }()
		p.For(2, 1, func(int, int) { panic("boom") })
	}()
	p.For(3, 1, func(int, int) {})
	if parts := tr.Cut(); len(parts) != 2 || len(parts[0].Tasks) != 3 {
		t.Errorf("parts %v", parts)
	}
}

func TestSchedule(t *testing.T) {
	ms := func(ds ...time.Duration) (out []time.Duration) {
		for _, d := range ds {
			out = append(out, d*time.Millisecond)
		}
		return out
	}
	for _, c := range []struct {
		parts   []Part
		threads int
		fork    time.Duration
		want    time.Duration // ms
	}{
		{[]Part{{Serial: 5 * time.Millisecond}}, 4, 0, 5},
		{[]Part{{Tasks: ms(3, 3, 3, 3)}}, 1, 9, 12},
		{[]Part{{Tasks: ms(3, 3, 3, 3)}}, 2, 0, 6},
		{[]Part{{Tasks: ms(3, 3, 3, 3)}}, 16, 0, 3},
		{[]Part{{Tasks: ms(1, 1, 6)}}, 2, 0, 7},                          // the long one comes last
		{[]Part{{Tasks: ms(6, 1, 1)}}, 2, 0, 6},                          // and first
		{[]Part{{Serial: time.Millisecond, Tasks: ms(4, 4)}}, 2, 2, 7},   // 1 before, helpers begin at 1, their end is seen 1 later
		{[]Part{{Tasks: ms(1, 1)}}, 2, 8, 2},                             // over before a helper comes
		{[]Part{{Tasks: ms(2, 2)}, {Serial: 0, Tasks: ms(2)}}, 64, 0, 4}, // loops one after another
	} {
		if got := Schedule(c.parts, c.threads, c.fork*time.Millisecond); got != c.want*time.Millisecond {
			t.Errorf("%v on %d threads, fork %v: %v, want %v ms", c.parts, c.threads, c.fork, got, c.want)
		}
	}
}

func TestForkCost(t *testing.T) {
	if got := fork(50, 20*time.Microsecond); got < 0 || got > 5*time.Millisecond {
		t.Errorf("a fork costs %v", got)
	}
}
