package graph

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

type tripsKey struct{}

type triedKey struct{}

var errTrips = errors.New("its Loops make more trips, or take longer, than a run may that nobody asked for")

// How many trips the Loops of a run make together that tries something out, or is on inputs that were made up for it; that one may go on
// after fewTrips as long as it takes less than tripTime.
const (
	mostTried  = 1 << 14
	mostMadeUp = 1 << 17
	fewTrips   = 1 << 8
	tripTime   = 4 * time.Second
)

// allowance is what Loops may do in the runs of a context.
type allowance struct {
	made  atomic.Int64 // trips
	most  int64
	until time.Time // no limit of time when zero
}

// TryOut bounds the trips of the Loops in runs with this context: for runs that only try something out, of models that nobody asked to run.
func TryOut(ctx context.Context) context.Context {
	return context.WithValue(context.WithValue(ctx, tripsKey{}, &allowance{most: mostTried}), triedKey{}, true)
}

// FewTrips bounds the trips of the Loops in runs with this context and their time, less tightly: for runs on inputs that were made up,
// which compare models. The time begins with the call.
func FewTrips(ctx context.Context) context.Context {
	return context.WithValue(ctx, tripsKey{}, &allowance{most: mostMadeUp, until: time.Now().Add(tripTime)})
}

// TriesOut reports whether runs with this context only try something out.
func TriesOut(ctx context.Context) bool { return ctx.Value(triedKey{}) != nil }

// Trip begins a trip of a Loop. It fails when the context is done, or its allowance is used up.
func (c *RunCtx) Trip() error {
	if err := c.Context.Err(); err != nil {
		return err
	}
	a, ok := c.Context.Value(tripsKey{}).(*allowance)
	if !ok {
		return nil
	}
	made := a.made.Add(1)
	if made > a.most || made > fewTrips && !a.until.IsZero() && time.Now().After(a.until) {
		return errTrips
	}
	return nil
}
