package cli_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// faulted is a command that is ended, or fails, at each step by which it changes files.
type faulted struct {
	name   string
	before [][]string // commands that make what is there already
	args   []string
	head   string   // the file that stands for a folder: with it, all is old or all is new
	only   []string // files that are compared, of a command that also tells of its progress; nil for all
	resume []string // command that goes on where args was ended, if that left a checkpoint
}

// pruned and explained are commands of a model whose results go to out.
func pruned(model, data, keep string, more ...string) []string {
	return append([]string{"prune-data", model, "--data", data, "--keep", keep, "--score-epochs", "0", "--export", "-o", "out"}, more...)
}

func explained(model string, more ...string) []string {
	return append([]string{"explain", model, "--data", "npz:d.npz", "--n", "1", "--method", "gradient", "-o", "out"}, more...)
}

// tuned is a training of x.onnx, which has its weights beside it, over the pair out/p.onnx.
func tuned(more ...string) []string {
	return append([]string{"finetune", "x.onnx", "--data", "npz:d.npz", "--epochs", "2", "-o", "out/p.onnx", "--checkpoint", "out/c.npz",
		"--force"}, more...)
}

func pairOf(model string) [][]string {
	return [][]string{{"export", model, "-o", "out/p.onnx", "--external-data"}}
}

var faulteds = []faulted{
	{name: "export over a pair", before: pairOf("a.onnx"),
		args: []string{"export", "b.onnx", "-o", "out/p.onnx", "--external-data", "--force"}},
	{name: "export over itself", before: pairOf("a.onnx"),
		args: []string{"export", "out/p.onnx", "-o", "out/p.onnx", "--opset", "21", "--external-data", "--force"}},
	{name: "export of a new pair", args: pairOf("b.onnx")[0]},
	{name: "score-data", args: []string{"score-data", "a.onnx", "--data", "npz:d.npz", "-o", "out"}, head: "report.html"},
	{name: "prune-data over old results", before: [][]string{pruned("a.onnx", "npz:d.npz", "0.5")},
		args: pruned("b.onnx", "npz:d.npz", "0.7", "--force"), head: "manifest.json"},
	{name: "prune-data of pictures over old results", before: [][]string{pruned("a.onnx", "imagefolder:pics", "0.5")},
		args: pruned("b.onnx", "imagefolder:pics", "0.7", "--force"), head: "manifest.json"},
	{name: "explain", args: explained("a.onnx"), head: "report.html"},
	{name: "explain over old results", before: [][]string{explained("a.onnx")}, args: explained("b.onnx", "--force"), head: "report.html"},
	{name: "data convert", args: []string{"data", "convert", "npz:d.npz", "-o", "out"}},
	{name: "data augment", args: []string{"data", "augment", "imagefolder:pics", "--augment", "flip", "--rows", "2", "--draws", "2", "-o",
		"out"},
		head: "sheet.png"},
	{name: "finetune", args: []string{"finetune", "a.onnx", "--data", "npz:d.npz", "--val-split", "0.3", "--epochs", "3", "-o", "out"},
		only: []string{"model.onnx", "best.onnx", "val-ids.txt"}, resume: []string{"finetune", "--resume", "out"}},
	{name: "straggler train", args: []string{"straggler", "train", "a.onnx", "--data", "npz:d.npz", "--jobs", "2", "--workers", "2", "--fleet",
		"local", "-o", "out"}, head: "report.html", only: []string{"a.onnx"}},
	{name: "nas train", before: [][]string{{"nas", "build", "--nodes", "3", "--cells", "1", "--stages", "1", "--channels", "2", "-o",
		"super.onnx"}},
		args: []string{"nas", "train", "super.onnx", "--data", "digits#test", "--epochs", "2", "-o", "out"},
		only: []string{"supernet.onnx"}, resume: []string{"nas", "train", "--resume", "out"}},
	{name: "sweep", args: []string{"sweep", "a.onnx", "--data", "npz:d.npz", "--val-split", "0.3", "--epochs", "1", "--over", "lr=0.1,0.01",
		"-o",
		"out"}, only: []string{"001/model.onnx", "001/best.onnx", "002/model.onnx", "002/best.onnx"},
		resume: []string{"sweep", "--resume", "out"}},
	{name: "finetune over a pair", before: pairOf("b.onnx"), args: tuned(), only: []string{"p.onnx", "p.onnx.data"},
		resume: tuned("--resume", "out/c.npz")},
}

// faults runs gtk in a folder of its own for each fault.
type faults struct {
	t         *testing.T
	gtk, base string // program, and a folder with the inputs
}

func (f *faults) run(dir, fail string, args ...string) (code int, out string) {
	f.t.Helper()
	c := exec.Command(f.gtk, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "GTK_THREADS=1", "GTK_FAILPOINT="+fail)
	b, err := c.CombinedOutput()
	if _, exit := err.(*exec.ExitError); err != nil && !exit {
		f.t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), string(b)
}

func (f *faults) must(dir, fail string, args ...string) {
	f.t.Helper()
	if code, out := f.run(dir, fail, args...); code != 0 {
		f.t.Fatalf("gtk %s: code %d\n%s", strings.Join(args, " "), code, out)
	}
}

// folder is a copy of another.
func (f *faults) folder(from string) string {
	f.t.Helper()
	dir := f.t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		f.t.Fatal(err)
	}
	return dir
}

// state is the files of a folder by name, with their content; nil when it is not there. What begins with a dot is not looked at.
func (f *faults) state(dir string, only []string) map[string]string {
	f.t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(d.Name(), ".") && p != dir:
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return nil
		}
		b, err := os.ReadFile(p)
		rel, _ := filepath.Rel(dir, p)
		if only == nil || slices.Contains(only, filepath.ToSlash(rel)) {
			out[filepath.ToSlash(rel)] = fmt.Sprintf("%x", sha256.Sum256(b))
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		f.t.Fatal(err)
	}
	return out
}

// Ended or failing at any step by which they change files, commands leave the old output or the new one, never a mixture, and the next run
// leaves nothing else. GTK_LONG=1 takes every step; else a few of each, by a seed that is told.
func TestFailpoints(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a program many times")
	}
	f := &faults{t: t, gtk: gtkProgram(t), base: t.TempDir()}
	f.must(f.base, "", "data", "convert", "digits#test", "-o", "all.npz")
	few(t, filepath.Join(f.base, "all.npz"), filepath.Join(f.base, "d.npz"), 24)
	f.must(f.base, "", "data", "convert", "npz:d.npz", "-o", "pics")
	for name, seed := range map[string]string{"a": "1", "b": "2"} {
		f.must(f.base, "", "models", "new", "mlp", "--seed", seed, "-o", name+".onnx")
	}
	f.must(f.base, "", "export", "a.onnx", "-o", "x.onnx", "--external-data")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for _, c := range faulteds {
		t.Run(c.name, func(t *testing.T) {
			g := *f
			g.t = t
			g.faulted(c, r)
		})
	}
}

func (f *faults) faulted(c faulted, r *rand.Rand) {
	t := f.t
	first := f.folder(f.base)
	for _, a := range c.before {
		f.must(first, "", a...)
	}
	out := func(dir string) string { return filepath.Join(dir, "out") }
	was := f.state(out(first), c.only)
	begin := f.folder(first) // as it was, to be copied
	log := filepath.Join(t.TempDir(), "log")
	f.must(first, "log:"+log, c.args...)
	is := f.state(out(first), c.only)
	second := f.folder(begin)
	f.must(second, "", c.args...)
	for name, h := range f.state(out(second), c.only) { // what tells of time is not compared
		if is[name] != h {
			delete(is, name)
		}
	}
	compared := func(s map[string]string) map[string]string {
		maps.DeleteFunc(s, func(n, _ string) bool { return is[n] == "" && was[n] == "" })
		return s
	}
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	steps := strings.Split(strings.TrimSpace(string(b)), "\n")
	var chosen []string
	for n := range steps {
		for _, action := range []string{"kill", "error"} {
			chosen = append(chosen, fmt.Sprintf("any:%d:%s", n+1, action))
		}
		if strings.HasPrefix(steps[n], "write") {
			chosen = append(chosen, fmt.Sprintf("any:%d:half", n+1))
		}
	}
	all := len(chosen)
	if os.Getenv("GTK_LONG") == "" {
		r.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
		chosen = chosen[:min(8, len(chosen))]
		for n, step := range steps { // a model that is there but for its name is an error all the same
			if strings.HasPrefix(step, "rename") && strings.HasSuffix(step, ".onnx") {
				chosen = append(chosen, fmt.Sprintf("any:%d:error", n+1))
			}
		}
	}
	t.Logf("%d steps, %d of %d faults", len(steps), len(chosen), all)
	for _, fail := range chosen {
		dir := f.folder(begin)
		code, said := f.run(dir, fail, c.args...)
		what := fmt.Sprintf("%s (%s), code %d: %s", fail, steps[number(fail)-1], code, strings.TrimSpace(said))
		if strings.HasSuffix(fail, "error") && code != 0 && code != 4 {
			t.Errorf("%s", what)
		}
		now := compared(f.state(out(dir), c.only))
		for name, h := range now {
			if h != was[name] && h != is[name] && !(is[name] == "" && was[name] == "") && is[name] != "" {
				t.Errorf("%s: %s is neither old nor new", what, name)
			}
		}
		if _, headed := now[c.head]; c.head == "" && c.only == nil && len(now) > 0 || headed {
			old, new := subset(was, now, nil), subset(is, now, nil)
			if c.head != "" { // without a file of the other
				old, new = old && subset(now, was, is), new && subset(now, is, was)
			}
			if !old && !new {
				t.Errorf("%s: a mixture of old and new: %v", what, slices.Sorted(maps.Keys(now)))
			}
		}
		if models, _ := filepath.Glob(filepath.Join(out(dir), "p.onnx")); len(models) > 0 {
			f.must(dir, "", "inspect", "out/p.onnx")
			if code, said := f.run(dir, "", "verify", "out/p.onnx", "out/p.onnx"); code != 0 {
				t.Errorf("%s: the model does not run: %s", what, said)
			}
		}
		again := append(slices.Clone(c.args), "--force")
		if c.args[0] == "data" { // a folder of pictures is not replaced
			if err := os.RemoveAll(out(dir)); err != nil {
				t.Fatal(err)
			}
			again = c.args
		}
		for _, left := range []string{"c*.npz", "sweep.json"} {
			if k, _ := filepath.Glob(filepath.Join(out(dir), left)); len(k) > 0 && c.resume != nil {
				again = c.resume
			}
		}
		f.must(dir, "", again...)
		if now := compared(f.state(out(dir), c.only)); !subset(is, now, nil) {
			t.Errorf("%s: the next run does not give what an undisturbed one gives: %v, want %v", what, now, is)
		}
		for _, d := range []string{dir, out(dir)} {
			entries, err := os.ReadDir(d)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if strings.HasPrefix(e.Name(), ".") || c.only == nil && d != dir && c.name[:6] == "export" && len(entries) > 2 {
					t.Errorf("%s: the next run leaves %s", what, e.Name())
				}
			}
		}
	}
}

// subset reports whether all files of a are those of b, but for those that are told in other not at all.
func subset(a, b, other map[string]string) bool {
	for name, h := range a {
		if b[name] != h && !(b[name] == "" && other != nil && other[name] == "") {
			return false
		}
	}
	return true
}

func number(fail string) (n int) {
	fmt.Sscanf(fail, "any:%d", &n)
	return n
}

// few writes the first n examples of an npz with pictures and labels.
func few(t *testing.T, from, to string, n int) {
	t.Helper()
	all, err := tensor.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range all {
		if a.Name == "classes" {
			continue
		}
		shape := slices.Clone(a.Tensor.Shape())
		shape[0] = n
		if a.Tensor.DType() == tensor.String {
			all[i].Tensor = tensor.FromStrings(a.Tensor.Strings()[:n], n)
			continue
		}
		all[i].Tensor = tensor.New(a.Tensor.DType(), shape...)
		copy(all[i].Tensor.Bytes(), a.Tensor.Bytes())
	}
	var b bytes.Buffer
	if err := tensor.WriteNPZ(&b, all); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}
