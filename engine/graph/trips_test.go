package graph

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestTrips: runs that nobody asked for make a bounded number of trips, and few once their time is over; others make any.
func TestTrips(t *testing.T) {
	made := func(ctx context.Context, most int) int {
		c := &RunCtx{Context: ctx}
		for n := range most {
			if err := c.Trip(); err != nil {
				if !errors.Is(err, errTrips) {
					t.Fatal(err)
				}
				return n
			}
		}
		return most
	}
	late := FewTrips(t.Context())
	late.Value(tripsKey{}).(*allowance).until = time.Now().Add(-time.Second)
	early := FewTrips(t.Context())
	early.Value(tripsKey{}).(*allowance).until = time.Now().Add(time.Hour)
	for _, c := range []struct {
		name string
		ctx  context.Context
		want int
	}{{"asked for", t.Context(), 1 << 18}, {"tried", TryOut(t.Context()), mostTried}, {"in time", early, mostMadeUp},
		{"late", late, fewTrips}} {
		if got := made(c.ctx, 1<<18); got != c.want {
			t.Errorf("%s: %d trips, want %d", c.name, got, c.want)
		}
	}
	if !TriesOut(TryOut(t.Context())) || TriesOut(early) {
		t.Error("TriesOut is wrong")
	}
}
