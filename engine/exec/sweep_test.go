package exec

import (
	"math/rand/v2"
	"testing"
)

// TestSweep places random slots: none that live at the same time share a byte, the arena is not much larger than what is needed at once,
// and a hundred thousand slots are placed, which are too many for comparing them with each other.
func TestSweep(t *testing.T) {
	for trial := range 60 {
		r := rand.New(rand.NewPCG(uint64(trial), 1))
		pl := &plan{steps: make([]step, 1+r.IntN(60))}
		for range 1 + r.IntN(120) {
			from := r.IntN(len(pl.steps))
			pl.slots = append(pl.slots, slot{bytes: r.IntN(5000), start: from, end: min(len(pl.steps), from+r.IntN(8))})
		}
		size := pl.sweep()
		for i, a := range pl.slots {
			if a.bytes > 0 && a.offset+a.bytes > size {
				t.Fatalf("trial %d: slot %d reaches beyond the arena of %d", trial, i, size)
			}
			for k, b := range pl.slots[:i] {
				if a.start <= b.end && b.start <= a.end && a.offset < b.offset+b.bytes && b.offset < a.offset+a.bytes {
					t.Fatalf("trial %d: slots %d %+v and %d %+v share memory", trial, k, b, i, a)
				}
			}
		}
		if need := pl.need(); size > 2*need {
			t.Errorf("trial %d: %d bytes for %d at once", trial, size, need)
		}
	}
	const many = 100000
	pl := &plan{steps: make([]step, many)}
	for i := range many {
		pl.slots = append(pl.slots, slot{bytes: 64 * (1 + i%7), start: i, end: min(many, i+i%50)})
	}
	pl.place()
	if need := pl.need(); pl.size < need || pl.size > 2*need {
		t.Errorf("%d bytes for %d at once", pl.size, need)
	}
}
