//go:build linux

package cli_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// children are the processes that pid began.
func children(t *testing.T, pid int) (pids []int) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid))
	for _, task := range glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) {
		if more, err := os.ReadFile(task); err == nil && !strings.Contains(task, fmt.Sprintf("task/%d/", pid)) {
			raw = append(raw, more...)
		}
	}
	if err != nil {
		t.Skip("this system does not say which processes a process began")
	}
	for _, f := range strings.Fields(string(raw)) {
		n, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, n)
	}
	return pids
}

func glob(pattern string) []string {
	m, _ := filepath.Glob(pattern) // the pattern is right
	return m
}

// gone waits until processes have ended.
func gone(t *testing.T, pids []int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		left := 0
		for _, pid := range pids {
			if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && !strings.Contains(string(stat), ") Z ") {
				left++
			}
		}
		if left == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d workers are left", left, len(pids))
		}
	}
}

// stragglers begins a training with workers that take an eighth of a second for a round, and waits until they are there.
func stragglers(t *testing.T, gtk, dir string, args ...string) (c *exec.Cmd, out *strings.Builder, workers []int) {
	t.Helper()
	c = exec.Command(gtk, append([]string{"straggler", "train", "m.onnx", "--data", "digits#train", "--optimizer", "sgd", "--lr", "0.5,0.1",
		"--workers", "3", "--delay", "base=0.12:late=0:slope=0"}, args...)...)
	out = &strings.Builder{}
	c.Dir, c.Stdout, c.Stderr = dir, out, out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); len(workers) < 3; time.Sleep(10 * time.Millisecond) {
		if workers = children(t, c.Process.Pid); time.Now().After(end) {
			t.Fatalf("no workers: %s", out)
		}
	}
	return c, out, workers
}

// TestStragglerProcesses ends workers and coordinators in the middle of their work: nothing is lost, and nobody is left.
func TestStragglerProcesses(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a program many times")
	}
	gtk, dir := gtkProgram(t), t.TempDir()
	if code, _, e := run("models", "new", "mlp", "--layers", "1", "--hidden", "4", "-o", filepath.Join(dir, "m.onnx")); code != 0 {
		t.Fatal(e)
	}
	weights := func(name string) (of [2]string, deaths int) {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		var r struct {
			Deaths    int
			Trainings []struct{ Weights string }
		}
		if err := json.Unmarshal(raw, &r); err != nil {
			t.Fatal(err)
		}
		return [2]string{r.Trainings[0].Weights, r.Trainings[1].Weights}, r.Deaths
	}
	var want [2]string
	for k, scheme := range []string{"none", "none", "gc:s=1", "m-sgc:B=1:W=2:lambda=2", "backup"} {
		name := fmt.Sprintf("run%d", k)
		c, out, workers := stragglers(t, gtk, dir, "--jobs", "10", "--scheme", scheme, "--json", "-q", "-o", name)
		if k > 0 { // the first is left in peace
			time.Sleep(600 * time.Millisecond) // it works by now
			if err := syscall.Kill(workers[k%3], syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Wait(); err != nil {
			t.Fatalf("%s: %v: %s", scheme, err, out)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".json"), []byte(out.String()), 0o666); err != nil {
			t.Fatal(err)
		}
		got, deaths := weights(name + ".json")
		if k == 0 {
			want = got
		} else if got != want || deaths != 1 {
			t.Errorf("%s, with a worker killed: weights %v after %d deaths, want %v", scheme, got, deaths, want)
		}
		gone(t, workers)
	}
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		c, out, workers := stragglers(t, gtk, dir, "--jobs", "1000", "-o", "never")
		time.Sleep(300 * time.Millisecond)
		if err := c.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		err := c.Wait()
		if s != syscall.SIGKILL && c.ProcessState.ExitCode() != 130 {
			t.Errorf("%v: %v: %s", s, err, out)
		}
		gone(t, workers)
		if _, err := os.Stat(filepath.Join(dir, "never")); err == nil {
			t.Errorf("%v: something was written", s)
		}
	}
}
