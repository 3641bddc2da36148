//go:build linux

package torture

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A workload is a command that replaces an output. It is broken off in every way; what is then there must be the old output or the new
// one.
type workload struct {
	name     string
	old, new string // commands, of a folder with a.onnx and b.onnx; each makes out, or out.*
	resume   string // command that goes on where out/sweep.json is there; without it new begins again, with --force
	training bool   // a checkpoint may stand beside the old files, and the training goes on from it
	head     string // the file that stands for the whole: without it a folder is known to be unfinished
	follows  string // a file that may be missing until the next run
}

var workloads = []workload{
	{name: "finetune-folder", training: true, old: "finetune a.onnx --data digits --max-steps 20 --checkpoint-every 5 --seed 1 -o out",
		new: "finetune b.onnx --data digits --max-steps 40 --checkpoint-every 5 --seed 2 -o out --force"},
	{name: "finetune-file", follows: "out.run.yaml", old: "finetune a.onnx --data digits --max-steps 20 --seed 1 -o out.onnx",
		new: "finetune b.onnx --data digits --max-steps 40 --seed 2 -o out.onnx --force"},
	{name: "sweep", training: true, old: "version", new: "sweep a.onnx --data digits --val-split 0.2 --max-steps 9 --over lr=0.1,0.01 -o out",
		resume: "sweep --resume out"},
	{name: "export-external", old: "export a.onnx --external-data -o out.onnx", new: "export b.onnx --external-data -o out.onnx --force"},
	{name: "export-inline", old: "export a.onnx --external-data -o out.onnx", new: "export b.onnx -o out.onnx --force"},
	{name: "import", old: "import a.onnx -o out.onnx", new: "import b.onnx -o out.onnx --force"},
	{name: "score-data", head: "out/report.html", old: "score-data a.onnx --data digits --score el2n -o out",
		new: "score-data b.onnx --data digits --score el2n,grand -o out --force"},
	{name: "prune-data", head: "out/manifest.json", old: "prune-data a.onnx --data digits --score el2n --keep 0.05 -o out",
		new: "prune-data b.onnx --data digits --score el2n --keep 0.04 --export -o out --force"},
	{name: "explain", head: "out/report.html", old: "explain a.onnx --data digits --n 2 -o out",
		new: "explain b.onnx --data digits --n 3 -o out --force"},
	{name: "run-csv", old: "run a.onnx --data digits -o out.csv", new: "run b.onnx --data digits -o out.csv --force"},
	{name: "run-npz", old: "run a.onnx --data digits -o out.npz", new: "run b.onnx --data digits -o out.npz --force"},
	{name: "data-convert", old: "data convert shapes?n=40&size=16#test -o out.npz",
		new: "data convert shapes?n=50&size=16#train -o out.npz --force"},
	{name: "data-pictures", old: "version", new: "data convert shapes?n=40&size=16#train -o out"},
}

// ground is a workload that was done undisturbed: folders with the inputs and the old output, and what both outputs are.
type ground struct {
	workload
	dir      string // a.onnx, b.onnx and the old output
	old, new snapshot
	volatile map[string]bool // files that two undisturbed runs write differently: they hold times
	takes    time.Duration
}

// snapshot is the files of a folder, by name, as sums; a link by what it points to.
type snapshot map[string]string

func take(dir string) (snapshot, error) {
	s := snapshot{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil || d.IsDir() || rel == "a.onnx" || rel == "b.onnx" || rel == "steps.log" {
			return err
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		s[rel] = fmt.Sprintf("%x", sha256.Sum256(b))
		return nil
	})
	return s, err
}

// has reports whether the files of b are all in s.
func (s snapshot) has(b snapshot) bool {
	for name, sum := range b {
		if s[name] != sum {
			return false
		}
	}
	return true
}

// hidden reports whether a file is one that is in the making.
func hidden(name string) bool {
	return slices.ContainsFunc(strings.Split(name, "/"), func(part string) bool { return strings.HasPrefix(part, ".") })
}

// companion reports whether a file is data beside a model, whose name may tell its content.
func companion(name string) bool {
	return strings.HasPrefix(name, "out.onnx.") && strings.HasSuffix(name, ".data")
}

// ground prepares a workload, once in a campaign.
func (c *campaign) ground(w workload) (*ground, error) {
	key := "ground " + w.name
	switch g := c.state[key].(type) {
	case *ground:
		return g, nil
	case error:
		return nil, g
	}
	g, err := c.makeGround(w)
	if err != nil {
		c.state[key] = fmt.Errorf("workload %s: %w", w.name, err)
		return nil, c.state[key].(error)
	}
	c.state[key] = g
	return g, nil
}

func (c *campaign) makeGround(w workload) (*ground, error) {
	g := &ground{workload: w, dir: filepath.Join(c.dir, "ground", w.name), volatile: map[string]bool{}}
	if err := os.MkdirAll(g.dir, 0o777); err != nil {
		return nil, err
	}
	do := func(dir, line string) error {
		wait, _, err := c.start(command{args: strings.Fields(line), dir: dir,
			limits: limits{cpu: 5 * time.Minute, wall: 10 * time.Minute}})
		if err != nil {
			return err
		}
		if o := wait(); o.Code != 0 {
			return errors.New(o.String())
		}
		return nil
	}
	for _, line := range []string{"models new mlp --seed 1 -o a.onnx", "models new mlp --seed 2 -o b.onnx", w.old} {
		if err := do(g.dir, line); err != nil {
			return nil, err
		}
	}
	var err error
	if g.old, err = take(g.dir); err != nil {
		return nil, err
	}
	for i := range 2 {
		at := filepath.Join(c.dir, "ground", fmt.Sprint(w.name, "-", i))
		if err := os.CopyFS(at, os.DirFS(g.dir)); err != nil {
			return nil, err
		}
		begin := time.Now()
		if err := do(at, w.new); err != nil {
			return nil, err
		}
		g.takes = time.Since(begin)
		s, err := take(at)
		if err != nil {
			return nil, err
		}
		for name, sum := range s {
			if i == 1 && g.new[name] != sum {
				g.volatile[name] = true
			}
		}
		g.new = s
	}
	return g, nil
}

// begin copies a workload's folder to that of a trial.
func (t *trial) begin(w workload) *ground {
	g, err := t.ground(w)
	if err == nil {
		err = os.CopyFS(t.dir, os.DirFS(g.dir))
	}
	if err != nil {
		t.fail("setup/"+w.name, "%v", err)
		return nil
	}
	return g
}

// left says how a broken off workload left its output: ways in which it is neither the old nor the new one. Files in the making are not
// looked at. In a training checkpoints are of neither.
func (t *trial) left(g *ground) (ways []string) {
	now, err := take(t.dir)
	if err != nil {
		return []string{"unreadable"}
	}
	return t.between(g, now)
}

// between is left for files of which the sums are known.
func (t *trial) between(g *ground, now snapshot) (ways []string) {
	var sawOld, sawNew []string
	for name, sum := range now {
		if hidden(name) || companion(name) {
			continue
		}
		old, isOld := g.old[name]
		fresh, isNew := g.new[name]
		switch {
		case g.volatile[name] || g.training && filepath.Ext(name) != ".onnx":
			if why := whole(filepath.Join(t.dir, name)); why != "" {
				t.note("%s is not whole: %s", name, why)
				ways = append(ways, "partial/"+filepath.Base(name))
			}
		case isOld && sum == old && isNew && sum == fresh:
		case isOld && sum == old:
			sawOld = append(sawOld, name)
		case isNew && sum == fresh:
			sawNew = append(sawNew, name)
		default:
			t.note("%s is neither the old nor the new one", name)
			ways = append(ways, "other/"+filepath.Base(name))
		}
	}
	for _, s := range []snapshot{g.old, g.new} { // data beside a model go with it, whatever else is there
		for name, sum := range s {
			if companion(name) && now["out.onnx"] == s["out.onnx"] && now[name] != sum {
				t.note("the model is there, and %s, its data, is not", name)
				ways = append(ways, "mixture")
			}
		}
	}
	if _, there := now[g.head]; g.head != "" && !there {
		slices.Sort(ways)
		return slices.Compact(ways)
	}
	for name := range g.old {
		if _, there := now[name]; !there && !companion(name) && name != g.follows && g.new[name] == "" && len(sawNew) == 0 &&
			!g.volatile[name] {
			t.note("%s is gone, and nothing new is there", name)
			ways = append(ways, "gone")
			break
		}
	}
	for name := range g.new {
		if _, there := now[name]; !there && !companion(name) && name != g.follows && g.old[name] != "" {
			t.note("%s, which old and new output have, is gone", name)
			ways = append(ways, "gone")
			break
		}
	}
	if len(sawOld) > 0 && len(sawNew) > 0 {
		t.note("old: %s; new: %s", short(strings.Join(sawOld, " "), 200), short(strings.Join(sawNew, " "), 200))
		ways = append(ways, "mixture")
	}
	slices.Sort(ways)
	return slices.Compact(ways)
}

// again does the new command to its end, and says in which ways its output is not that of an undisturbed run, or more is there.
func (t *trial) again(g *ground) (ways []string) {
	line := g.workload.new
	if checkpoint := filepath.Join(t.dir, "out", "checkpoint.npz"); g.training && t.sum(checkpoint) != g.old["out/checkpoint.npz"] &&
		t.sum(checkpoint) != "" {
		line = "finetune --resume out"
	}
	if g.resume != "" {
		line += " --force"
		if t.sum(filepath.Join(t.dir, "out", "sweep.json")) != "" {
			line = g.resume
		}
	}
	if now, err := take(t.dir); err == nil && !strings.Contains(line, "--force") && len(g.old) == 0 && now.has(g.new) {
		return nil // it is done already, and would not be done again
	}
	o := t.exec(command{args: strings.Fields(line), limits: limits{cpu: 5 * time.Minute, wall: 10 * time.Minute}})
	// the old model is still there, which it says
	if g.training && (o.Code == 1 || o.Code == 2) && strings.HasSuffix(line, "--resume out") {
		o = t.exec(command{args: strings.Fields(line + " --force"), limits: limits{cpu: 5 * time.Minute, wall: 10 * time.Minute}})
	}
	if o.Code != 0 {
		t.note("gtk %s", line)
		t.note("%s", o)
		return []string{"next-run"}
	}
	now, err := take(t.dir)
	if err != nil {
		return []string{"unreadable"}
	}
	for name, sum := range g.new {
		if now[name] != sum && !g.volatile[name] && (!g.training || filepath.Ext(name) == ".onnx") {
			t.note("after gtk %s, %s is not what an undisturbed run writes", line, name)
			ways = append(ways, "other-after/"+filepath.Base(name))
		}
	}
	for name := range now {
		if _, there := g.new[name]; !there {
			if _, there := g.old[name]; there && g.training {
				continue
			}
			t.note("after gtk %s, %s is there too", line, name)
			ways = append(ways, "litter")
		}
	}
	slices.Sort(ways)
	return slices.Compact(ways)
}

// sum is that of a file, "" for none.
func (t *trial) sum(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%x", sha256.Sum256(b))
}

// whole says why a file is not whole, as far as its form tells.
func whole(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	end := bytes.TrimSpace(b)
	switch filepath.Ext(path) {
	case ".html":
		if !bytes.HasSuffix(end, []byte("</html>")) {
			return "no </html>"
		}
	case ".json":
		if !json.Valid(b) {
			return "no JSON"
		}
	case ".npz":
		if _, err := zip.NewReader(bytes.NewReader(b), int64(len(b))); err != nil {
			return err.Error()
		}
	case ".csv", ".yaml", ".jsonl", ".txt":
		if len(b) > 0 && b[len(b)-1] != '\n' {
			return "cut off in a line"
		}
	}
	return ""
}
