package parallel

import (
	"runtime"
	"slices"
	"time"
)

// Schedule is how long parts take on so many threads: the next task goes to the thread that is free first, helpers join a loop after half
// of what a fork costs, and the caller goes on half of that after the last helper. It knows nothing of memory that threads share.
func Schedule(parts []Part, threads int, fork time.Duration) (all time.Duration) {
	for _, p := range parts {
		all += p.Serial + makespan(p.Tasks, threads, fork)
	}
	return all
}

// makespan is how long the tasks of a loop take.
func makespan(tasks []time.Duration, threads int, fork time.Duration) time.Duration {
	threads = min(threads, len(tasks))
	if threads <= 1 {
		var sum time.Duration
		for _, t := range tasks {
			sum += t
		}
		return sum
	}
	free := make([]time.Duration, threads) // the caller is the first
	for i := range free[1:] {
		free[i+1] = fork / 2
	}
	helped := false
	for _, t := range tasks {
		k := 0
		for i := range free {
			if free[i] < free[k] {
				k = i
			}
		}
		helped = helped || k > 0
		free[k] += t
	}
	end := free[0]
	if helped {
		end = max(end, slices.Max(free[1:])+fork/2)
	}
	return end
}

// fork measures Fork in so many trials with tasks of that length. What counts is trials in which the helper came before the first task was
// over: in the others it had no processor.
func fork(trials int, task time.Duration) time.Duration {
	if runtime.GOMAXPROCS(0) < 2 {
		return 0
	}
	p := New(2)
	defer p.Close()
	var began, ended [2]time.Time
	body := func(i, _ int) {
		began[i] = time.Now()
		for {
			if ended[i] = time.Now(); ended[i].Sub(began[i]) >= task {
				return
			}
		}
	}
	var more []time.Duration
	for range trials {
		start := time.Now()
		p.For(2, 1, body)
		all := time.Since(start)
		if began[0].Before(ended[1]) && began[1].Before(ended[0]) {
			more = append(more, max(0, all-task))
		}
	}
	if len(more) < max(1, trials/20) {
		return 0
	}
	slices.Sort(more)
	return more[len(more)/4]
}
