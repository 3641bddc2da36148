package kernel

import (
	"testing"
	"time"
)

// TestFMALimit checks that the limit is known where there is assembly, and that no product is faster.
func TestFMALimit(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		limit := FMALimit(5 * time.Millisecond)
		if _, flops := fmaLoop(CurrentISA()); flops == 0 {
			if rate := FMARate(time.Millisecond); limit != 0 || rate != 0 {
				t.Fatalf("%v has no loop, a limit of %v and a rate of %v", CurrentISA(), limit, rate)
			}
			return
		}
		const n = 256
		a, b, c := make([]float32, n*n), make([]float32, n*n), make([]float32, n*n)
		best := time.Hour
		for range 20 {
			start := time.Now()
			Sgemm(nil, false, false, n, n, n, 1, a, n, b, n, 0, c, n)
			best = min(best, time.Since(start))
			limit = max(limit, FMALimit(time.Millisecond))
		}
		if rate := FMARate(5 * time.Millisecond); rate > 1.05*limit || rate < limit/100 {
			t.Errorf("the rate is %.3g, the limit %.3g", rate, limit)
		}
		if got := 2 * n * n * n / best.Seconds(); got > 1.05*limit || limit < 1e9 {
			t.Errorf("a product does %.3g operations a second, the limit is %.3g", got, limit)
		}
	})
}
