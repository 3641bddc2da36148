package graph

import (
	"context"
	"errors"
	"sync/atomic"
)

type tripsKey struct{}

var errTrips = errors.New("more trips than a run that tries something out may make")

// mostTried is how many trips the Loops of a run that tries something out make together.
const mostTried = 1 << 14

// TryOut bounds the trips of the Loops in runs with this context: for runs that only try something out, of models that nobody asked to run.
func TryOut(ctx context.Context) context.Context {
	left := new(atomic.Int64)
	left.Store(mostTried)
	return context.WithValue(ctx, tripsKey{}, left)
}

// TriesOut reports whether runs with this context only try something out.
func TriesOut(ctx context.Context) bool { return ctx.Value(tripsKey{}) != nil }

// Trip begins a trip of a Loop. It fails when the context is done, or no trip of TryOut is left.
func (c *RunCtx) Trip() error {
	if err := c.Context.Err(); err != nil {
		return err
	}
	if left, ok := c.Context.Value(tripsKey{}).(*atomic.Int64); ok && left.Add(-1) < 0 {
		return errTrips
	}
	return nil
}
