//go:build race

package optim

// forgotten is the allocations a step may make because sync.Pool forgets on purpose under the race detector.
const forgotten = 16
