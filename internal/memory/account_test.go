package memory

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
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
	within(t, 1<<30)
	var held, most atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			const n = 150 << 20
			g, err := Turn(n, "a picture")
			if err != nil {
				t.Error(err)
				return
			}
			now := held.Add(n)
			for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
			}
			runtime.Gosched()
			held.Add(-n)
			g.Release()
		})
	}
	all.Wait()
	if most.Load() > atOnce {
		t.Errorf("%d MiB were held at once", most.Load()>>20)
	}
	g, err := Turn(800<<20, "one that needs more alone")
	if err != nil {
		t.Fatal(err)
	}
	g.Release()
	if _, err := Turn(2<<30, "too large"); err == nil {
		t.Error("granted")
	}
	if account.turns != 0 {
		t.Errorf("%d bytes of turns are left", account.turns)
	}
}

func TestFree(t *testing.T) {
	n, ok := Free()
	if ok != (runtime.GOOS == "linux") || ok && n <= 0 {
		t.Error(n, ok)
	}
}
