//go:build linux

package torture

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func init() {
	kinds = append(kinds,
		kind{name: "kill", what: "commands that replace an output, killed at any moment: old or new, resumed the same, no litter",
			share: 0.1, per: 0.01,
			cases: func(*campaign) int { return endless }, run: killed},
		kind{name: "failpoint",
			what: "the same at every step by which they change files (GTK_FAILPOINT): killed, killed half-way, and failing", share: 0.1,
			cases: failpoints, run: failpoint},
	)
}

// killed kills a workload at a random moment.
func killed(t *trial) {
	w := workloads[t.index%len(workloads)]
	g := t.begin(w)
	if g == nil {
		return
	}
	after := time.Duration(t.rand.Float64() * 1.1 * float64(g.takes))
	t.note("gtk %s, killed after %v of %v", w.new, after.Round(time.Millisecond), g.takes.Round(time.Millisecond))
	o := t.exec(command{args: strings.Fields(w.new), limits: limits{cpu: 5 * time.Minute, wall: 10 * time.Minute},
		during: func(p *os.Process) {
			time.Sleep(after)
			_ = p.Kill() // it may have ended
		}})
	if o.Signal == "" && o.Code != 0 {
		t.fail(w.name+"/exit", "%s", o)
	}
	t.check(g, w.name)
}

// check fails a trial for what its broken off workload has left, and what it comes to when it is done again.
func (t *trial) check(g *ground, name string) {
	for _, way := range t.left(g) {
		t.fail(name+"/"+way, "%s", strings.Join(t.notes, "\n"))
	}
	if t.failed {
		return
	}
	for _, way := range t.again(g) {
		t.fail(name+"/"+way, "%s", strings.Join(t.notes, "\n"))
	}
}

// step is one place of one workload to fail at.
type step struct {
	w      workload
	n      int
	action string
	what   string
}

// failpoints lists the steps of all workloads.
func failpoints(c *campaign) int {
	if all, ok := c.state["steps"].([]step); ok {
		return len(all)
	}
	var all []step
	for _, w := range workloads {
		g, err := c.ground(w)
		if err != nil {
			fmt.Fprintln(c.Out, "torture:", err)
			continue
		}
		dir := filepath.Join(c.dir, "steps", w.name)
		if err := os.CopyFS(dir, os.DirFS(g.dir)); err != nil {
			fmt.Fprintln(c.Out, "torture:", err)
			continue
		}
		log := filepath.Join(dir, "steps.log")
		wait, _, err := c.start(command{args: strings.Fields(w.new), dir: dir, env: []string{"GTK_FAILPOINT=log:" + log},
			limits: limits{cpu: time.Minute, wall: 5 * time.Minute}})
		if err != nil {
			continue
		}
		wait()
		b, err := os.ReadFile(log)
		if err != nil {
			c.state["skip failpoint"] = "this program has no failpoints"
			return 0
		}
		lines := strings.Split(strings.TrimSpace(string(b)), "\n")
		for i, line := range lines {
			what := strings.ReplaceAll(line, dir, "")
			for _, action := range []string{"kill", "half", "error"} {
				if action != "half" || strings.HasPrefix(line, "write") {
					all = append(all, step{w, i + 1, action, what})
				}
			}
		}
	}
	c.state["steps"] = all
	return len(all)
}

// failpoint breaks a workload off at a step, or lets that step fail.
func failpoint(t *trial) {
	s := t.state["steps"].([]step)[t.index]
	g := t.begin(s.w)
	if g == nil {
		return
	}
	t.note("GTK_FAILPOINT=any:%d:%s gtk %s (%s)", s.n, s.action, s.w.new, s.what)
	kind, _, _ := strings.Cut(s.what, " ")
	name := s.w.name + "/" + s.action + "-" + kind
	l := limits{cpu: 5 * time.Minute, wall: 10 * time.Minute, bytes: 1 << 30, codes: []int{0, 4}}
	o := t.exec(command{args: strings.Fields(s.w.new), env: []string{fmt.Sprintf("GTK_FAILPOINT=any:%d:%s", s.n, s.action)}, limits: l})
	if s.action == "error" {
		for _, way := range o.wrong(l) {
			t.fail(name+"/"+way, "%s", o)
		}
		if kind != "remove" { // what cannot be removed stays until the next run
			t.unlitter(name, g, o)
		}
	} else if o.Signal != "killed" && o.Code != 0 {
		t.fail(name+"/exit", "%s", o)
	}
	t.check(g, name)
}

// unlitter fails a trial for files in the making that a command has left which ended by itself.
func (t *trial) unlitter(name string, g *ground, o *outcome) {
	now, err := take(t.dir)
	if err != nil {
		return
	}
	for n := range now {
		if _, there := g.old[n]; hidden(n) && !there {
			t.note("%s is left", n)
			t.fail(name+"/litter-at-once", "%s", o)
			return
		}
	}
}

// biggest is the size of the largest file of a workload's old output.
func (g *ground) biggest() int64 {
	var sizes []int64
	for name := range g.old {
		if st, err := os.Stat(filepath.Join(g.dir, name)); err == nil {
			sizes = append(sizes, st.Size())
		}
	}
	return slices.Max(append(sizes, 1))
}
