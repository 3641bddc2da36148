//go:build linux

package torture

import (
	"os"
	"path/filepath"
	"strings"
	"time"
)

func init() {
	kinds = append(kinds, kind{name: "pair", what: "two processes that write one output: one wins, the other says so", share: 0.05,
		per:   0.005,
		cases: func(*campaign) int { return endless }, run: pairOf})
}

// pairOf runs the old command of a workload, with --force, beside the new one.
func pairOf(t *trial) {
	w := workloads[t.index%len(workloads)]
	g := t.begin(w)
	if g == nil {
		return
	}
	apart := time.Duration(t.rand.Float64() * float64(g.takes) / 2)
	t.note("gtk %s --force, and %v later gtk %s", w.old, apart.Round(time.Millisecond), w.new)
	l := limits{cpu: time.Minute, wall: 3 * time.Minute, bytes: 1 << 30, codes: []int{0, 2, 4}}
	first, _, err := t.start(command{args: append(strings.Fields(w.old), "--force"), dir: t.dir, limits: l})
	if err != nil {
		t.fail("torture", "%v", err)
		return
	}
	time.Sleep(apart)
	b := t.exec(command{args: strings.Fields(w.new), limits: l})
	ended := time.Now()
	a := first()
	within := time.Since(ended) > 10*time.Millisecond // the second ran while the first did
	for _, o := range []*outcome{a, b} {
		for _, way := range o.wrong(l) {
			t.fail(w.name+"/"+way, "%s\n%s", a, b)
		}
	}
	if a.Code != 0 && b.Code != 0 {
		t.fail(w.name+"/nobody", "%s\n%s", a, b)
	}
	// What is written in a moment is written by one after the other; work of a while holds its output from its beginning.
	if a.Code == 0 && b.Code == 0 && within && apart > 50*time.Millisecond && g.takes > 100*time.Millisecond {
		t.fail(w.name+"/both", "both say that they have written it\n%s\n%s", a, b)
	}
	for _, way := range t.left(g) {
		if g.training && strings.HasPrefix(way, "other") {
			continue // of a training that went on from nothing
		}
		t.fail(w.name+"/"+way, "%s\n%s\n%s", strings.Join(t.notes, "\n"), a, b)
	}
	now, err := take(t.dir)
	if err != nil {
		return
	}
	for name := range now {
		if hidden(name) {
			st, err := os.Lstat(filepath.Join(t.dir, name))
			t.fail(w.name+"/litter", "%s is left (%v, %v)", name, st, err)
		}
	}
}
