package cli_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// outputFlag is a flag that names an output, with the rest of a command that would write it.
type outputFlag struct {
	command string // verb and what it needs
	flag    string
	file    string // a name that it takes; "" for a folder
	force   bool   // it takes --force
}

// outputFlags are all flags that name outputs, but for -o - (standard output). MODEL, DATA and LABELS stand for files that are there.
var outputFlags = []outputFlag{
	{"import MODEL", "out", "x.onnx", true},
	{"inspect MODEL", "dot", "x.dot", true},
	{"run MODEL IMAGE", "out", "", true},
	{"run MODEL --data DATA", "out", "x.csv", true},
	{"eval MODEL --data DATA", "predictions", "x.csv", true},
	{"finetune MODEL --data DATA --epochs 1", "out", "x.onnx", true},
	{"finetune MODEL --data DATA --epochs 1", "out", "", true},
	{"finetune MODEL --data DATA --epochs 1 -o other.onnx", "checkpoint", "x.npz", true},
	{"finetune MODEL --data DATA --epochs 1 -o other.onnx", "report", "", true},
	{"denoise MODEL IMAGE", "out", "", true},
	{"denoise MODEL IMAGE", "out", "x.png", true},
	{"lr-find MODEL --data DATA", "out", "", true},
	{"probe sharpness MODEL --data DATA", "out", "", true},
	{"probe sharpness MODEL --data DATA", "out", "x.html", true},
	{"nas build", "out", "x.onnx", true},
	{"nas train MODEL --data DATA", "out", "", true},
	{"nas rank MODEL --data DATA --val DATA", "out", "", true},
	{"nas extract MODEL --arch 1 --data DATA", "out", "x.onnx", true},
	{"straggler train MODEL --data DATA --jobs 1", "out", "x.onnx", true},
	{"straggler train MODEL --data DATA --jobs 1", "out", "", true},
	{"straggler simulate --trace IMAGE", "save-trace", "x.json", true},
	{"straggler simulate --trace IMAGE", "out", "x.html", true},
	{"sweep MODEL --data DATA --val DATA --over lr=1,2", "out", "", true},
	{"runs compare MODEL DATA", "out", "x.html", true},
	{"explain MODEL --data DATA", "out", "", true},
	{"score-data MODEL --data DATA", "out", "", true},
	{"prune-data MODEL --data DATA", "out", "", true},
	{"compress MODEL --method magnitude", "out", "x.onnx", true},
	{"compress MODEL --method magnitude -o other.onnx", "report", "", true},
	{"export MODEL", "out", "x.onnx", true},
	{"models new mlp", "out", "x.onnx", true},
	{"data info DATA", "out", "x.png", true},
	{"data convert DATA", "out", "x.npz", true},
	{"data convert DATA", "out", "", false},
	{"data augment DATA --augment flip", "out", "x.png", true},
	{"data augment DATA --augment flip", "out", "", true},
	{"demo", "out", "", true},
}

// Every output of every command is known to be writable before anything is read: with a model and data that are not there, what is said is
// that the output cannot be written.
func TestOutputsBeforeWork(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, perm := range map[string]fs.FileMode{"file": 0o666, "readonly.onnx": 0o444} {
		if err := os.WriteFile(at(name), []byte("x"), perm); err != nil {
			t.Fatal(err)
		}
	}
	args := func(o outputFlag, path string, force bool) []string {
		c := strings.NewReplacer("MODEL", at("none.onnx"), "DATA", "npz:"+at("none.npz"), "IMAGE", at("none.png")).Replace(o.command)
		a := append(strings.Fields(c), "--"+o.flag, path)
		if force && o.force {
			a = append(a, "--force")
		}
		return a
	}
	for _, o := range outputFlags {
		ext := filepath.Ext(o.file)
		bad := map[string]string{"below a file": at("file/x" + ext), "far below a file": at("file/a/b/x" + ext)}
		if o.file != "" {
			bad["a folder"] = at("folder" + ext)
			bad["a file to read only"] = at("readonly" + ext)
			for _, p := range []string{bad["a folder"]} {
				if err := os.MkdirAll(p, 0o777); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(bad["a file to read only"], nil, 0o444); err != nil && !os.IsPermission(err) {
				t.Fatal(err)
			}
			if runtime.GOOS == "linux" {
				link := at("device" + ext)
				if _, err := os.Lstat(link); err != nil {
					if err := os.Symlink("/dev/full", link); err != nil {
						t.Fatal(err)
					}
				}
				bad["a device"] = link
			}
		} else {
			bad["a file"] = at("file")
		}
		if runtime.GOOS == "linux" {
			bad["a folder that takes no files"] = "/proc/self/x" + ext
		}
		for what, path := range bad {
			code, _, e := run(args(o, path, true)...)
			if code != 4 || !strings.Contains(e, path) {
				t.Errorf("gtk %s --%s: %s: code %d, %s", o.command, o.flag, what, code, e)
			}
		}
		// What is there already is replaced only with --force.
		there := at("there" + ext)
		if o.file == "" {
			there = at("full")
			if err := os.MkdirAll(filepath.Join(there, "x"), 0o777); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(there, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		if o.command[:4] != "fine" || o.file != "" { // a training may write into a folder with other things in it
			if code, _, e := run(args(o, there, false)...); code != 2 || !strings.Contains(e, there) {
				t.Errorf("gtk %s --%s: what is there: code %d, %s", o.command, o.flag, code, e)
			}
		}
	}
	left, err := filepath.Glob(at(".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	// The table has every such flag there is.
	named := regexp.MustCompile(`--(out|dot|checkpoint|report|predictions|log|page|scores|metrics|profile-out|save)[, ]`)
	for _, verb := range []string{"import", "inspect", "ops", "run", "verify", "diff", "bench", "eval", "finetune", "denoise", "lr-find",
		"explain",
		"score-data", "prune-data", "probe", "probe sharpness", "sweep", "runs list", "runs compare", "generate", "compress", "export",
		"models new", "models list", "data", "data info", "data convert",
		"data augment", "demo", "doctor",
		"completion",
		"version"} {
		_, help, _ := run(append(strings.Fields(verb), "--help")...)
		for _, m := range named.FindAllStringSubmatch(help, -1) {
			flag := m[1]
			if !slices.ContainsFunc(outputFlags, func(o outputFlag) bool {
				return o.flag == flag && strings.HasPrefix(o.command, verb)
			}) && verb != "data" {
				t.Errorf("gtk %s --%s is not in the table", verb, flag)
			}
		}
	}
}

// No output may be another one, or a file that is read.
func TestOutputCollisions(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	model, data, labels := at("m.onnx"), at("d.csv"), at("l.txt")
	if code, _, e := run("models", "new", "mlp", "-o", model); code != 0 {
		t.Fatal(e)
	}
	for path, text := range map[string]string{data: "a,label\n1,0\n", labels: "a\nb\n"} {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	link := at("link")
	if err := os.Symlink(dir, link); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	tune := []string{"finetune", model, "--data", "csv:" + data, "--force"}
	for _, args := range [][]string{
		{"run", model, "--data", "csv:" + data, "-o", data, "--force"},
		{"run", model, "--data", "csv:" + data, "-o", filepath.Join(link, "d.csv"), "--force"},
		{"run", model, "--data", data, "-o", dir + "/./d.csv", "--force"},
		{"eval", model, "--data", "csv:" + data, "--predictions", data, "--force"},
		{"inspect", model, "--dot", model, "--force"},
		{"import", model, "--labels", labels, "-o", labels, "--force"},
		{"data", "convert", "csv:" + data, "-o", at("d.npz"), "--labels", at("d.npz")},
		append(tune, "-o", at("x.onnx"), "--checkpoint", at("x.onnx")),
		append(tune, "-o", at("x.onnx"), "--checkpoint", filepath.Join(link, "x.onnx")),
		append(tune, "-o", at("x.onnx"), "--checkpoint", model),
		append(tune, "-o", at("x.onnx"), "--checkpoint", data),
		append(tune, "-o", at("x.onnx"), "--report", at("x.onnx")),
		append(tune, "-o", at("x.onnx"), "--report", at("x.onnx/report")),
		append(tune, "-o", at("run"), "--checkpoint", at("run/model.onnx")),
		append(tune, "-o", at("run"), "--checkpoint", at("run/metrics.csv")),
		append(tune, "-o", at("run"), "--val", "csv:"+at("run/best.onnx")),
		{"score-data", model, "--data", "imagefolder:" + dir, "-o", dir, "--force"},
		{"explain", model, "--data", "imagefolder:" + dir, "-o", link, "--force"},
	} {
		if code, _, e := run(args...); code != 2 || !strings.Contains(e, "another name") {
			t.Errorf("gtk %s: code %d, %s", strings.Join(args, " "), code, e)
		}
	}
	for _, args := range [][]string{ // a model may take its own place
		{"export", model, "-o", model, "--force"},
		{"export", model, "-o", model, "--force", "--external-data"},
		{"export", model, "-o", model, "--force", "--external-data", "--opset", "21"},
		{"import", model, "-o", model, "--force"},
		{"export", model, "-o", model, "--force", "--inline"},
	} {
		if code, _, e := run(args...); code != 0 {
			t.Errorf("gtk %s: code %d, %s", strings.Join(args, " "), code, e)
		}
	}
	left, err := filepath.Glob(at("*"))
	if err != nil || len(left) != 4 {
		t.Errorf("there are %v", left)
	}
}

// Of two processes that write the same, the second is told so at its start, with the number of the first; one that was killed is in
// nobody's way.
func TestTwoWriters(t *testing.T) {
	if testing.Short() {
		t.Skip("starts programs")
	}
	gtk, dir := gtkProgram(t), t.TempDir()
	command := func(args ...string) *exec.Cmd {
		c := exec.Command(gtk, args...)
		c.Dir = dir
		c.Env = append(os.Environ(), "GTK_THREADS=1")
		return c
	}
	for _, args := range [][]string{
		{"finetune", "builtin:digits", "--data", "digits#train", "--epochs", "100000", "-o", "run"},
		{"finetune", "builtin:digits", "--data", "digits#train", "--epochs", "100000", "-o", "x.onnx"},
		{"prune-data", "builtin:digits", "--data", "digits#train", "--score-epochs", "100000", "-o", "new/pruned"},
	} {
		first := command(args...)
		if err := first.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = first.Process.Kill() }()
		out := args[len(args)-1]
		lock := filepath.Join(dir, filepath.Dir(out), "."+filepath.Base(out)+".gtk.lock")
		waitFor(t, func() bool { b, err := os.ReadFile(lock); return err == nil && len(b) > 0 })
		b, err := command(append(args, "--force")...).CombinedOutput()
		var code int
		if x, ok := err.(*exec.ExitError); ok {
			code = x.ExitCode()
		}
		if code != 4 || !strings.Contains(string(b), fmt.Sprintf("process %d", first.Process.Pid)) || strings.Count(string(b), "\n") != 1 {
			t.Errorf("gtk %s, twice: code %d, %s", strings.Join(args, " "), code, b)
		}
		if err := first.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = first.Wait() // killed
		if b, err := command("models", "new", "mlp", "-o", filepath.Join(filepath.Dir(out), "m.onnx"),
			"--force").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, filepath.Dir(out), ".*")); len(left) > 0 {
			t.Errorf("after the next run there are %v", left)
		}
	}
}
