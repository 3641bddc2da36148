//go:build linux

package torture

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func init() {
	kinds = append(kinds, kind{name: "full",
		what: "files that may not grow, a full file system, and a standard output that takes nothing", share: 0.05, per: 0.01,
		cases: func(*campaign) int { return endless }, run: full})
}

var fullLimits = limits{cpu: time.Minute, wall: 5 * time.Minute, bytes: 1 << 30, codes: []int{0, 4}}

// printers are commands that print.
var printers = []string{
	"inspect a.onnx", "inspect a.onnx --json", "ops", "ops --json", "models", "help", "run --help", "version", "doctor",
	"bench a.onnx --n 1", "diff a.onnx b.onnx",
	"verify a.onnx a.onnx", "data info digits", "export a.onnx -o -", "eval a.onnx --data digits", "completion bash",
	"inspect nosuch.onnx --json", "import a.onnx",
	"explain --list", "help exit-codes", "score-data a.onnx --data digits --score el2n -o scores --json",
}

// full is a third each: a limit on the size of files, a small file system, a full standard output.
func full(t *trial) {
	w := workloads[(t.index/3)%len(workloads)]
	switch t.index % 3 {
	case 0:
		g := t.begin(w)
		if g == nil {
			return
		}
		blocks := t.rand.Int64N(g.biggest()/512*3/2 + 2)
		t.note("ulimit -f %d; gtk %s", blocks, w.new)
		t.ended(g, w.name+"/file-limit", command{args: strings.Fields(w.new), ulimit: fmt.Sprint("-f ", blocks), limits: fullLimits})
	case 1:
		g, err := t.ground(w)
		if err != nil {
			t.fail("setup/"+w.name, "%v", err)
			return
		}
		var used int64
		_ = filepath.WalkDir(g.dir, func(p string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				if st, err := d.Info(); err == nil {
					used += (st.Size() + 4095) / 4096 * 4096
				}
			}
			return nil
		})
		pages := used/4096 + 1 + t.rand.Int64N(used/4096+2)
		if err := syscall.Mount("tmpfs", t.dir, "tmpfs", 0, fmt.Sprintf("size=%d", pages*4096)); err != nil {
			if t.state["no mount"] == nil {
				t.state["no mount"] = true
				fmt.Fprintln(t.Out, "full: no small file system can be mounted here, that third is left out:", err)
			}
			return
		}
		defer func() {
			if err := syscall.Unmount(t.dir, syscall.MNT_DETACH); err != nil {
				fmt.Fprintln(t.Out, "torture: unmount:", err)
			}
		}()
		if g = t.begin(w); g == nil {
			return
		}
		t.note("a file system of %d pages, the old output and the models take %d; gtk %s", pages, used/4096, w.new)
		t.ended(g, w.name+"/file-system", command{args: strings.Fields(w.new), limits: fullLimits})
		_ = syscall.Mount("tmpfs", t.dir, "tmpfs", syscall.MS_REMOUNT, "size=1G") // for what comes after
	default:
		line := printers[(t.index/3)%len(printers)]
		if g := t.begin(workloads[4]); g == nil {
			return
		}
		dev, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			return
		}
		defer dev.Close()
		t.note("gtk %s > /dev/full", line)
		l := fullLimits
		l.codes = []int{4}
		o := t.exec(command{args: strings.Fields(line), stdout: dev, limits: l})
		o.Args = nil // there is no output to look at
		for _, way := range o.wrong(l) {
			t.fail("stdout/"+strings.Fields(line)[0]+"/"+way, "gtk %s: %s", line, o)
		}
	}
}

// ended runs a workload that may fail, and looks at what it has left.
func (t *trial) ended(g *ground, name string, cmd command) {
	o := t.exec(cmd)
	for _, way := range o.wrong(cmd.limits) {
		t.fail(name+"/"+way, "%s", o)
	}
	t.unlitter(name, g, o)
	for _, way := range t.left(g) {
		t.fail(name+"/"+way, "%s\n%s", strings.Join(t.notes, "\n"), o)
	}
}
