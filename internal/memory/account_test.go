package memory

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// within runs a test with a budget of n bytes above what is in use.
func within(t *testing.T, n int64) {
	runtime.GC()
	before, chosen := Budget()
	account.Lock()
	base := max(account.taken, inUse())
	account.Unlock()
	SetBudget(base + n)
	t.Cleanup(func() {
		account.Lock()
		defer account.Unlock()
		account.budget, account.chosen = before, chosen
	})
}

func TestTake(t *testing.T) {
	within(t, 1<<30)
	g, err := Take(512<<20, "the first")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Take(1<<30, "the picture a.png")
	var e *Error
	if !errors.As(err, &e) || e.Need != 1<<30 || e.Left > 600<<20 || !strings.Contains(err.Error(), "--max-memory") ||
		!strings.Contains(err.Error(), "the picture a.png needs 1024 MiB") {
		t.Errorf("%v", err)
	}
	g.Release()
	g.Release()
	if g, err = Take(900<<20, "the second"); err != nil {
		t.Fatal(err)
	}
	g.Release()
	if _, err := Take(-1, "an overflow"); err == nil {
		t.Error("a negative size was granted")
	}
}

// What is tied to an owner comes back with it, also when only a request that would be refused has it collected.
func TestTie(t *testing.T) {
	within(t, 1<<30)
	type owner struct{ b []byte }
	o := &owner{make([]byte, 16)}
	g, err := Take(800<<20, "the first")
	if err != nil {
		t.Fatal(err)
	}
	Tie(g, o)
	if _, err := Take(800<<20, "the second"); err == nil {
		t.Error("granted beside the first")
	}
	runtime.KeepAlive(o)
	if g, err = Take(800<<20, "the second"); err != nil {
		t.Error(err)
	}
	g.Release()
}

func TestTurn(t *testing.T) {
	t.Run("several", func(t *testing.T) { takeTurns(t, 100<<20, atOnce) })
	t.Run("two", func(t *testing.T) { takeTurns(t, 400<<20, pair) })
	t.Run("alone", func(t *testing.T) { takeTurns(t, 600<<20, 600<<20) })
}

// takeTurns has sixteen goroutines ask for n bytes each, of which limit may be held at once.
func takeTurns(t *testing.T, n, limit int64) {
	within(t, 2<<30)
	var held, most atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			g, err := Turn(n, "a picture")
			if err != nil {
				t.Error(err)
				return
			}
			now := held.Add(n)
			for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
			}
			time.Sleep(time.Millisecond)
			held.Add(-n)
			g.Release()
		})
	}
	all.Wait()
	if m := most.Load(); m > limit || m < min(limit, 2*n) && limit > n {
		t.Errorf("%d MiB were held at once, of %d MiB that may be", m>>20, limit>>20)
	}
	g, err := Turn(1800<<20, "one that needs more alone")
	if err != nil {
		t.Fatal(err)
	}
	g.Release()
	if _, err := Turn(3<<30, "too large"); err == nil {
		t.Error("granted")
	}
	if account.turns != 0 || account.holders != 0 {
		t.Errorf("%d bytes of %d turns are left", account.turns, account.holders)
	}
}

func TestFree(t *testing.T) {
	n, ok := Free()
	if ok != (runtime.GOOS == "linux") || ok && n <= 0 {
		t.Error(n, ok)
	}
}
