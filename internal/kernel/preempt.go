package kernel

// preempt is where the scheduler can take a thread that a kernel runs on. Go code can be stopped at most places, assembly at none: a loop
// that does little else than call it, for long, keeps everything from running that waits for a thread, signals and timers too. It costs a
// nanosecond: the call of a function that itself calls one looks whether it is to yield.
//
//go:noinline
func preempt() { preempted() }

//go:noinline
func preempted() {}
