package parallel

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestForCoversOnce(t *testing.T) {
	for _, threads := range []int{1, 2, 5} {
		p := New(threads)
		for n := range 40 {
			for _, grain := range []int{0, 1, 3, 50} {
				seen := make([]atomic.Int32, n)
				p.For(n, grain, func(lo, hi int) {
					if lo%max(grain, 1) != 0 || hi-lo > max(grain, 1) {
						t.Errorf("range %d..%d with grain %d", lo, hi, grain)
					}
					for i := lo; i < hi; i++ {
						seen[i].Add(1)
					}
				})
				for i := range seen {
					if seen[i].Load() != 1 {
						t.Fatalf("threads %d, n %d, grain %d: index %d done %d times", threads, n, grain, i, seen[i].Load())
					}
				}
			}
		}
		p.Close()
	}
}

// Loops in quick succession and loops inside loops must end, and end after their last chunk.
func TestForManyAndNested(t *testing.T) {
	p := New(4)
	defer p.Close()
	for range 20000 {
		var n atomic.Int32
		p.For(3, 1, func(lo, hi int) { n.Add(int32(hi - lo)) })
		if n.Load() != 3 {
			t.Fatalf("For returned after %d of 3", n.Load())
		}
	}
	var n atomic.Int32
	p.For(50, 1, func(int, int) {
		p.For(50, 1, func(int, int) { n.Add(1) })
	})
	if n.Load() != 2500 {
		t.Fatalf("nested loops did %d of 2500", n.Load())
	}
}

func TestForPanics(t *testing.T) {
	p := New(3)
	defer p.Close()
	for range 100 {
		func() {
			defer func() {
				if v := recover(); v != "boom" {
					t.Fatalf("recovered %v, want boom", v)
				}
			}()
			p.For(20, 1, func(lo, _ int) {
				if lo == 7 {
					panic("boom")
				}
			})
		}()
	}
}

func TestNilPool(t *testing.T) {
	var p *Pool
	var got []int
	p.For(5, 2, func(lo, hi int) { got = append(got, lo, hi) })
	slices.Sort(got) // with the build tag invariants the last comes first
	if want := []int{0, 2, 2, 4, 4, 5}; !slices.Equal(got, want) || p.Threads() != 1 {
		t.Errorf("ranges %v on %d threads, want %v on 1", got, p.Threads(), want)
	}
	p.Close()
}

// BenchmarkFork is a loop of two empty chunks: what it costs to share work, loop after loop as between the nodes of a plan, and after a
// pause that parks the helpers.
func BenchmarkFork(b *testing.B) {
	for _, c := range []struct {
		name  string
		apart time.Duration
	}{{"running", 0}, {"parked", time.Millisecond}} {
		b.Run(c.name, func(b *testing.B) {
			p := New(2)
			defer p.Close()
			var spent time.Duration
			for range b.N {
				time.Sleep(c.apart)
				start := time.Now()
				p.For(2, 1, func(int, int) {})
				spent += time.Since(start)
			}
			b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N), "ns/fork")
		})
	}
}

// Loops of several goroutines at once, with pauses that park the helpers between some of them, all end, each after its own last chunk.
func TestForFromMany(t *testing.T) {
	p := New(4)
	defer p.Close()
	var all sync.WaitGroup
	for k := range 6 {
		all.Go(func() {
			for i := range 300 {
				var n atomic.Int32
				p.For(17, 2, func(lo, hi int) {
					n.Add(int32(hi - lo))
					if i%50 == 0 {
						p.For(5, 1, func(int, int) { n.Add(100) })
					}
				})
				want := int32(17)
				if i%50 == 0 {
					want += 9 * 5 * 100
				}
				if n.Load() != want {
					t.Errorf("goroutine %d, loop %d: %d of %d", k, i, n.Load(), want)
				}
				if i%60 == 59 {
					time.Sleep(2 * linger)
				}
			}
		})
	}
	all.Wait()
}
