package cli_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// gtkProgram is this test as the program gtk.
func gtkProgram(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "gtk")
	if err := os.Symlink(self, path); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	return path
}

// kills is how many times a run is killed: twenty with GTK_LONG=1.
func kills() int {
	if os.Getenv("GTK_LONG") != "" {
		return 20
	}
	return 10
}

// Killed many times with each optimiser and method, at moments that nothing chooses, and resumed each time from the folder alone, a run
// ends with the model of an undisturbed one, and leaves nothing else behind.
func TestKillAndResume(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a program many times")
	}
	growing := []string{"--batch-adapt", "norm", "--batch-size", "8", "--batch-growth-max", "1.3", "--batch-max", "64", "--micro-batch", "20",
		"--augment", "flip,crop=2,mixup", "--warmup", "300samples"}
	for name, o := range map[string][]string{
		// mixtures of examples, batches that grow, and each way of averaging the weights, of which there can be one
		"growing ema":           append(growing[:len(growing):len(growing)], "--ema", "0.95", "--lr", "0.003"),
		"growing schedule-free": append(growing[:len(growing):len(growing)], "--optimizer", "schedulefree-adamw"),
		"diffgrad":              {"--optimizer", "diffgrad"},
		"sam":                   {"--optimizer", "adamw", "--sam", "0.05", "--sam-adaptive"},
		"ema":                   {"--ema", "0.95", "--lookahead", "4", "--clip-coord", "0.2", "--lr", "0.003"},
		"schedule-free":         {"--optimizer", "schedulefree-adamw", "--warmup", "10"},
		"groco":                 {"--objective", "groco:topk=5", "--local-views", "1", "--epochs", "4"},
	} {
		t.Run(name, func(t *testing.T) {
			loop := []string{"--data", "shapes?n=300&size=16#train", "--epochs", "8", "--checkpoint-every", "5"}
			if !slices.Contains(o, "--batch-adapt") {
				loop = append(loop, "--bn", "train", "--augment", "flip,crop=2", "--batch-size", "16")
			}
			killAndResume(t, []string{"resnet8", "--image-size", "16", "--classes", "8"}, append(loop, o...))
		})
	}
	for name, o := range map[string][]string{
		"lbfgs": {"--optimizer", "lbfgs", "--lbfgs-iterations", "5"}, "gns": {"--optimizer", "gns", "--last-layer", "--weight-decay", "1e-3"},
	} {
		t.Run(name, func(t *testing.T) {
			killAndResume(t, []string{"mlp"}, append([]string{"--data", "digits#train", "--epochs", "12"}, o...))
		})
	}
	for name, o := range map[string][]string{
		"noprop":          {"--augment", "flip,crop=2", "--noprop-features", "input", "--noprop-steps", "3"},
		"noprop features": {"--noprop-steps", "3", "--label-embedding", "learned:5"},
		"noprop ct": {"--augment", "flip,crop=2", "--noprop-features", "input", "--noprop-variant", "ct", "--noprop-schedule", "learned",
			"--noprop-steps", "4", "--noprop-compare=false"},
	} {
		t.Run(name, func(t *testing.T) {
			killAndResume(t, []string{"resnet8", "--image-size", "16", "--classes", "8"}, append([]string{"--data", "shapes?n=300&size=16#train",
				"--epochs", "8", "--checkpoint-every", "5", "--batch-size", "16", "--method", "noprop", "--noprop-hidden", "32"}, o...))
		})
	}
}

// killAndResume trains the network with the options.
func killAndResume(t *testing.T, network, options []string) {
	gtk, dir := gtkProgram(t), t.TempDir()
	command := func(args ...string) *exec.Cmd {
		c := exec.Command(gtk, args...)
		c.Dir = dir
		c.Env = append(os.Environ(), "GTK_THREADS=1")
		return c
	}
	run := func(args ...string) string {
		t.Helper()
		out, err := command(args...).CombinedOutput()
		if err != nil {
			t.Fatalf("gtk %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	run(slices.Concat([]string{"models", "new"}, network, []string{"-o", "m.onnx"})...)
	train := slices.Concat([]string{"finetune", "m.onnx", "--val-split", "0.1"}, options)
	begin := time.Now()
	run(append(train, "-o", "whole")...)
	takes := time.Since(begin)
	r := rand.New(rand.NewPCG(11, 13))
	killed := 0
	for try := 0; killed < kills(); try++ {
		if try > 200 {
			t.Fatalf("killed %d times only", killed)
		}
		args := append(train, "-o", "parts", "--force")
		if _, err := os.Stat(filepath.Join(dir, "parts", "checkpoint.npz")); err == nil {
			if args = []string{"finetune", "--resume", "parts"}; killed%4 == 3 { // all the way again
				if err := os.RemoveAll(filepath.Join(dir, "parts")); err != nil {
					t.Fatal(err)
				}
				args = append(train, "-o", "parts")
			}
		}
		c := command(args...)
		var out bytes.Buffer
		c.Stdout, c.Stderr = &out, &out
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(float64(takes) * (0.05 + 0.35*r.Float64())))
		_ = c.Process.Kill() // it may have ended
		err := c.Wait()
		var exit *exec.ExitError
		switch {
		case err == nil: // done before it was killed: begin again
			if err := os.RemoveAll(filepath.Join(dir, "parts")); err != nil {
				t.Fatal(err)
			}
		case errors.As(err, &exit) && exit.ExitCode() > 0:
			t.Fatalf("gtk %s: %v\n%s", strings.Join(args, " "), err, out.Bytes())
		default:
			killed++
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "parts", "checkpoint.npz")); err != nil {
		run(append(train, "-o", "parts", "--force")...)
	} else {
		run("finetune", "--resume", "parts")
	}
	for _, name := range []string{"model.onnx", "best.onnx", "val-ids.txt", "steps.csv"} {
		a, errA := os.ReadFile(filepath.Join(dir, "whole", name))
		b, errB := os.ReadFile(filepath.Join(dir, "parts", name))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs (%v, %v)", name, errA, errB)
		}
	}
	if a, b := epochs(t, dir, "whole"), epochs(t, dir, "parts"); a != b {
		t.Errorf("the epochs are\n%s, want\n%s", b, a)
	}
	entries, err := os.ReadDir(filepath.Join(dir, "parts"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			t.Errorf("left behind: %s", e.Name())
		}
	}
}

// epochs is metrics.csv without the seconds.
func epochs(t *testing.T, dir, run string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, run, "metrics.csv"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		out = append(out, line[:strings.LastIndex(line, ",")])
	}
	return strings.Join(out, "\n")
}

// waitFor waits until something is so.
func waitFor(t *testing.T, so func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !so(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited a minute for nothing")
		}
	}
}
