package kernel

import "time"

// fmaRounds is the length of one call of the loop of multiply-adds, some 30 µs: nothing can interrupt it.
const fmaRounds = 10_000

// FMALimit is the most floating-point operations a second that one thread can do in fused multiply-adds of the instruction set in use,
// measured for about the time given by a loop that touches registers only; the fastest of many short calls counts. It is 0 where there is
// no such loop: in plain Go.
func FMALimit(d time.Duration) float64 {
	loop, flops := fmaLoop(currentISA)
	if loop == nil {
		return 0
	}
	var best float64
	one := float32(1)
	for until := time.Now().Add(d); ; {
		start := time.Now()
		preempt()
		loop(fmaRounds, &one)
		end := time.Now()
		best = max(best, float64(fmaRounds*flops)/end.Sub(start).Seconds())
		if end.After(until) {
			return best
		}
	}
}

// FMARate is what FMALimit's loop does on average over d: less than the limit where something else runs on the processor now and then. A
// kernel that takes as long cannot do more. It is 0 where FMALimit is.
func FMARate(d time.Duration) float64 {
	loop, flops := fmaLoop(currentISA)
	if loop == nil {
		return 0
	}
	one := float32(1)
	start := time.Now()
	for n := 1.0; ; n++ {
		preempt()
		loop(fmaRounds, &one)
		if took := time.Since(start); took >= d {
			return n * float64(fmaRounds*flops) / took.Seconds()
		}
	}
}
