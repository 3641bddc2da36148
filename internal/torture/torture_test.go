//go:build linux

package torture

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gtk-onnx/gtk/models"
	"google.golang.org/protobuf/proto"
)

// fake is a program in the place of gtk, a shell script.
func fake(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gtk")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// What is wrong with a command is seen, and what is right is not.
func TestWrong(t *testing.T) {
	l := limits{cpu: 500 * time.Millisecond, wall: 20 * time.Second, bytes: 64 << 20, codes: []int{0, 3}}
	for script, want := range map[string]string{
		`echo fine`: "",
		`echo "gtk: the model is not one" >&2; exit 3`: "",
		`echo "gtk: the model is not one" >&2; exit 4`: "exit-4",
		`exit 3`:                     "no-message",
		`echo "gtk: no" >&2; exit 3`: "no-message",
		`printf 'gtk: the first message\ngtk: the second message\n' >&2; exit 3`: "messages",
		`printf 'gtk: %5000d\n' 1 >&2; exit 3`:                                   "long-message",
		`printf 'a\033[31m'`:                                                     "control",
		`printf '\342\200\256evil'`:                                              "control",
		`printf 'cut\303'`:                                                       "control",
		`kill -SEGV $$`:                                                          "signal-segmentation-fault",
		`echo "gtk: internal error: x" >&2; exit 70`:                             "exit-70",
		`printf 'panic: x\n\ngoroutine 1 [running]:\n' >&2; exit 2`:              "trace",
		`exec sleep 60`:                                                          "hang",
		`while :; do :; done`:                                                    "slow",
		`head -c 100000000 /dev/zero | tail -c 90000000 > /dev/null`:             "memory",
	} {
		c := &campaign{Config: Config{Bin: fake(t, script)}}
		l := l
		switch want {
		case "hang":
			l.wall = time.Second
		case "memory": // pages are slow to come on some machines
			l.cpu = l.wall
		}
		wait, _, err := c.start(command{dir: t.TempDir(), limits: l})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(wait().wrong(l), " "); got != want {
			t.Errorf("%s: %q, want %q", script, got, want)
		}
	}
	o := &outcome{Args: []string{"--json"}, Stdout: []byte("{")}
	if got := o.wrong(limits{codes: []int{0}, cpu: 1, bytes: 1}); len(got) != 1 || got[0] != "json" {
		t.Errorf("half an object: %v", got)
	}
}

func TestPlace(t *testing.T) {
	trace := `goroutine 1 [running]:
runtime/debug.Stack()
	runtime/debug/stack.go:26 +0x5e
github.com/gtk-onnx/gtk/cli.Main.func1()
	github.com/gtk-onnx/gtk/cli/app.go:38 +0x45
panic({0x1222cc0?, 0x21cfe5f73bd8?})
	runtime/panic.go:860 +0x13a
github.com/gtk-onnx/gtk/engine/ops.init.32.func1(0x427194?, 0x2)
	github.com/gtk-onnx/gtk/engine/ops/dropout.go:51 +0x2d`
	if got := place(trace); got != "/engine/ops/dropout.go:51" {
		t.Error(got)
	}
}

// The same recipe makes the same mutant, most mutants differ from their model, and all kinds of changes come up.
func TestMutants(t *testing.T) {
	m, err := models.New("lstm", models.Options{})
	if err != nil {
		t.Fatal(err)
	}
	before, err := proto.MarshalOptions{Deterministic: true}.Marshal(m.Proto)
	if err != nil {
		t.Fatal(err)
	}
	kinds, same := map[string]bool{}, 0
	r := rand.New(rand.NewPCG(1, 2))
	const n = 800
	for range n {
		rec := newRecipe(r)
		a, what, err := rec.mutant(m.Proto)
		b, _, err2 := rec.mutant(m.Proto)
		if err != nil || err2 != nil || !bytes.Equal(a, b) {
			t.Fatalf("%v: a recipe makes two mutants (%v, %v)", what, err, err2)
		}
		if bytes.Equal(a, before) {
			same++
		}
		for _, w := range what {
			name, _, _ := strings.Cut(w, ":")
			kinds[name] = true
		}
	}
	if same > n/20 {
		t.Errorf("%d of %d mutants are the model", same, n)
	}
	for _, x := range append(mutators, mutator{name: "bytes"}) {
		if !kinds[x.name] && x.name != "axes" { // this model has no integers
			t.Errorf("no mutant of kind %s", x.name)
		}
	}
	after, err := proto.MarshalOptions{Deterministic: true}.Marshal(m.Proto)
	if err != nil || !bytes.Equal(before, after) {
		t.Error("the model itself is changed")
	}
}

// A command that tears its output is seen: half a file, a mixture of two outputs, one that is gone, litter.
func TestLeft(t *testing.T) {
	old, fresh := t.TempDir(), t.TempDir()
	write := func(dir string, files ...string) snapshot {
		t.Helper()
		for i := 0; i < len(files); i += 2 {
			path := filepath.Join(dir, files[i])
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte(files[i+1]), 0o666)); err != nil {
				t.Fatal(err)
			}
		}
		s, err := take(dir)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	g := &ground{volatile: map[string]bool{"out/report.html": true}}
	g.old = write(old, "out/a.csv", "1\n", "out/b.csv", "2\n", "out/report.html", "<p></html>")
	g.new = write(fresh, "out/a.csv", "3\n", "out/b.csv", "4\n", "out/c.csv", "5\n", "out/report.html", "<h1></html>")
	for want, files := range map[string][]string{
		"":                    {"out/a.csv", "1\n", "out/b.csv", "2\n", "out/.a.csv.12.tmp", "1"},
		"partial/report.html": {"out/a.csv", "1\n", "out/b.csv", "2\n", "out/report.html", "<p"},
		"other/a.csv":         {"out/a.csv", "", "out/b.csv", "2\n", "out/report.html", "</html>"},
		"mixture":             {"out/a.csv", "1\n", "out/b.csv", "4\n", "out/report.html", "</html>"},
		"gone":                {"out/a.csv", "1\n", "out/report.html", "</html>"},
	} {
		x := &trial{campaign: &campaign{}, dir: t.TempDir()}
		if want == "" {
			files = append(files, "out/report.html", "</html>")
		}
		write(x.dir, files...)
		if got := strings.Join(x.left(g), " "); got != want {
			t.Errorf("%v: %q, want %q", files, got, want)
		}
	}
}

// A model goes with its own data, whatever other data are there; an output without its head is unfinished.
func TestLeftPairs(t *testing.T) {
	pair := &ground{old: snapshot{"out.onnx": "a", "out.onnx.data": "1"}, new: snapshot{"out.onnx": "b", "out.onnx.12.data": "2"}}
	report := &ground{workload: workload{head: "out/report.html"}, old: snapshot{"out/a": "a", "out/report.html": "1"},
		new: snapshot{"out/a": "b", "out/b": "b", "out/report.html": "2"}}
	for _, c := range []struct {
		g    *ground
		now  snapshot
		want string
	}{
		{pair, snapshot{"out.onnx": "a", "out.onnx.data": "1", "out.onnx.12.data": "2"}, ""},
		{pair, snapshot{"out.onnx": "b", "out.onnx.data": "1"}, "mixture"},
		{pair, snapshot{"out.onnx": "a", "out.onnx.data": "2"}, "mixture"},
		{report, snapshot{"out/a": "a", "out/b": "b"}, ""},
		{report, snapshot{"out/a": "b", "out/b": "b", "out/report.html": "1"}, "mixture"},
	} {
		if got := strings.Join((&trial{campaign: &campaign{}}).between(c.g, c.now), " "); got != c.want {
			t.Errorf("%v: %q, want %q", c.now, got, c.want)
		}
	}
}

func TestKnown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "known.txt")
	if err := os.WriteFile(path, []byte("# text\n\nmutation/memory/*  # because\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	k, err := readKnown(path)
	if err != nil {
		t.Fatal(err)
	}
	c := &campaign{known: k}
	if c.reason("mutation/memory/x") != "because" || c.reason("mutation/memory/x/y") != "" || c.reason("mutation/slow/x") != "" {
		t.Error("the list is misread")
	}
	if err := os.WriteFile(path, []byte("mutation/memory\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := readKnown(path); err == nil {
		t.Error("a failure without a reason is taken")
	}
	if _, err := readKnown("known.txt"); err != nil {
		t.Error(err)
	}
}

// TestCampaign runs a few mutants in a worker, the whole way.
func TestCampaign(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	dir := t.TempDir()
	tool, gtk := filepath.Join(dir, "torture"), filepath.Join(dir, "gtk")
	for out, pkg := range map[string]string{tool: "./cmd", gtk: "../../cli/gtk"} {
		if b, err := exec.Command("go", "build", "-trimpath", "-o", out, pkg).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
	}
	var out bytes.Buffer
	cfg := Config{Seed: 1, Kinds: []string{"mutation", "scarce"}, Count: 12, Bin: gtk, Worker: []string{tool, "-worker"}, Out: &out}
	if _, err := Run(cfg); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "SEED=1") || !strings.Contains(out.String(), "mutation   12 cases") ||
		strings.Contains(out.String(), "/torture") {
		t.Errorf("%s", out.String())
	}
}
