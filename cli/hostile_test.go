//go:build unix

package cli_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/tensor"
)

// The limits of one command on a hostile model.
const (
	hostileTime   = 10 * time.Second // of the processor, so that a busy machine does not matter
	hostileMemory = 232 << 20        // 200 MiB beside the program itself, of which 27 MiB are in memory before it has read anything
)

// slim forgets the peak of memory of this process, where it is large: a child's is counted from that of the process it was made from.
func slim() {
	status, err := os.ReadFile("/proc/self/status")
	_, after, ok := strings.Cut(string(status), "VmHWM:")
	if err != nil || !ok {
		return
	}
	if kib, err := strconv.Atoi(strings.Fields(after)[0]); err == nil && kib > 64<<10 {
		debug.FreeOSMemory()
		_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // where it is not allowed the peak stays
	}
}

// child runs gtk in a process of its own and says what is wrong with how it ended: codes are the exit codes that are right.
func child(dir string, codes string, args ...string) (stderr string, err error) {
	ctx, stop := context.WithTimeout(context.Background(), 12*hostileTime)
	defer stop()
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	c := exec.CommandContext(ctx, self)
	c.Args, c.Dir = append([]string{"gtk"}, args...), dir
	c.Env = append(os.Environ(), "GTK_THREADS=1")
	var out, e bytes.Buffer
	c.Stdout, c.Stderr = &out, &e
	slim()
	err = c.Run()
	stderr = e.String()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return stderr, err
	}
	code := strconv.Itoa(c.ProcessState.ExitCode())
	if took := c.ProcessState.UserTime() + c.ProcessState.SystemTime(); took > hostileTime {
		return stderr, fmt.Errorf("took %v", took)
	}
	if code == "2" && strings.Contains(stderr, ": give --") && !strings.Contains(stderr, "goroutine") {
		return stderr, nil // asks for a flag
	}
	if !strings.Contains(" "+codes+" ", " "+code+" ") {
		return stderr, fmt.Errorf("exit code %s, want one of %s", code, codes)
	}
	limit := int64(hostileMemory)
	if f, err := os.Stat(args[1]); err == nil && f.Size() > 1<<20 {
		limit += 160 * f.Size() // 100000 nodes are honest work
	}
	if u, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok && int64(u.Maxrss)<<10 > limit && !raceEnabled {
		return stderr, fmt.Errorf("used %d MiB", u.Maxrss>>10)
	}
	if code == "3" || code == "4" {
		_, msg, ok := strings.Cut("\n"+stderr, "\ngtk: ")
		if !ok || len(msg) < 20 || len(msg) > 1500 || strings.Count(msg, "\n") > 10 {
			return stderr, fmt.Errorf("exit code %s without a clear message", code)
		}
	}
	return stderr, nil
}

// hostileJob is one command on one file.
type hostileJob struct {
	name string
	args []string
}

// work runs jobs on all processors and reports what went wrong.
func work(t *testing.T, codes string, jobs []hostileJob) {
	var wg sync.WaitGroup
	next := make(chan hostileJob)
	for range runtime.NumCPU() {
		wg.Go(func() {
			for j := range next {
				stderr, err := child(t.TempDir(), codes, j.args...)
				if err != nil {
					t.Errorf("%s: gtk %s: %v\n%s", j.name, strings.Join(j.args, " "), err, cut(stderr, 3000))
				} else if os.Getenv("GTK_HOSTILE") == "show" {
					t.Logf("%s: gtk %s: %s", j.name, j.args[0], cut(stderr, 400))
				}
			}
		})
	}
	for _, j := range jobs {
		next <- j
	}
	close(next)
	wg.Wait()
}

func cut(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}

// verbs are the commands that read a model, F standing for its file and D for data that fits the networks.
var verbs = []string{
	"import F -o out.onnx", "inspect F", "run F IN", "verify F F", "eval F --data D",
	"finetune F --data D --max-steps 2 --lr 0.01 -o out.onnx",
	"explain F IN -o out", "bench F --n 1", "bench F --n 1 --mode train", "prune-data F --data D --score el2n --keep 0.5 -o out",
	"export F -o out.onnx", "diff F F",
}

func verbArgs(verb, file, data, input string) []string {
	var args []string
	for _, a := range strings.Fields(verb) {
		switch a {
		case "F":
			a = file
		case "D":
			a = data
		case "IN":
			a = input
		}
		args = append(args, a)
	}
	return args
}

// TestHostileLies gives each model of testkit.Lies to the commands.
func TestHostileLies(t *testing.T) {
	if testing.Short() {
		t.Skip("starts hundreds of processes")
	}
	dir := t.TempDir()
	input := filepath.Join(dir, "x.npy")
	writeTensor(t, input, 1, 1, 8, 8)
	var jobs []hostileJob
	for i, l := range testkit.Lies() {
		file := filepath.Join(dir, l.Name+".onnx")
		if err := os.WriteFile(file, l.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		for k, verb := range verbs {
			// The commands take turns, and every fourth model runs; with GTK_HOSTILE all do.
			if os.Getenv("GTK_HOSTILE") != "" || k == i%len(verbs) || verb == "run F IN" && i%4 == 0 {
				jobs = append(jobs, hostileJob{l.Name, verbArgs(verb, file, "digits", input)})
			}
		}
	}
	t.Logf("%d commands", len(jobs))
	work(t, "0 1 2 3 4", jobs)
}

// TestHostileFiles cuts models off and flips bits of them.
func TestHostileFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("starts hundreds of processes")
	}
	dir := t.TempDir()
	many := 16
	if os.Getenv("GTK_HOSTILE") != "" {
		many = 400
	}
	var jobs []hostileJob
	add := func(name string, model []byte, data, input string) {
		for i, b := range append(testkit.Truncated(model, many/2), testkit.Flipped(model, many, 5)...) {
			file := filepath.Join(dir, fmt.Sprintf("%s-%d.onnx", name, i))
			if err := os.WriteFile(file, b, 0o644); err != nil {
				t.Fatal(err)
			}
			jobs = append(jobs, hostileJob{filepath.Base(file), verbArgs(verbs[i%len(verbs)], file, data, input)})
		}
	}
	shapes := map[string][]int{"mlp": {1, 1, 8, 8}, "lenet": {1, 1, 28, 28}, "lstm": {1, 10, 6}}
	for _, name := range []string{"mlp", "lenet", "lstm"} {
		file, input := filepath.Join(dir, name+".onnx"), filepath.Join(dir, name+".npy")
		if code, _, e := run("models", "new", name, "-o", file); code != 0 {
			t.Fatal(e)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		writeTensor(t, input, shapes[name]...)
		add(name, b, "digits", input)
	}
	if b, err := os.ReadFile(filepath.Join("..", "..", "shared", "spec", "vectors", "explain", "netB.onnx")); err == nil {
		input := filepath.Join(dir, "netB.npy")
		writeTensor(t, input, 1, 3, 8, 8)
		add("netB", b, "digits", input)
	}
	t.Logf("%d commands", len(jobs))
	work(t, "0 1 2 3 4", jobs)
}

// writeTensor writes a .npy file of float32 ones.
func writeTensor(t *testing.T, path string, shape ...int) {
	x := tensor.New(tensor.Float32, shape...)
	for i := range x.F32() {
		x.F32()[i] = 1
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(tensor.WriteNPY(f, x), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// A model without inputs runs, and takes no data.
func TestNoInputs(t *testing.T) {
	dir := t.TempDir()
	file, input := filepath.Join(dir, "m.onnx"), filepath.Join(dir, "x.npy")
	writeTensor(t, input, 1, 1, 8, 8)
	i := slices.IndexFunc(testkit.Lies(), func(l testkit.Lie) bool { return l.Name == "no-inputs" })
	if err := os.WriteFile(file, testkit.Lies()[i].Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, verb := range append(verbs, "run F -o r", "run F --data D", "score-data F --data D --score el2n -o s", "lr-find F --data D",
		"probe sharpness F --data D",
		"explain F --list-layers", "explain F --data D -o e") {
		want := 0
		if strings.Contains(verb, "D") || strings.Contains(verb, "IN") || strings.HasPrefix(verb, "explain") ||
			strings.Contains(verb, "train") {
			want = 3
		}
		t.Chdir(t.TempDir())
		if code, _, e := run(verbArgs(verb, file, "digits", input)...); code != want {
			t.Errorf("%s: exit code %d, want %d: %s", verb, code, want, e)
		}
	}
}
