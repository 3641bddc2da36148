package cli_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Killed at moments that nothing chooses, and resumed from the folder alone, a boosting ends with the units of an undisturbed one.
func TestKillAndResumeUnits(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a program many times")
	}
	gtk, dir := gtkProgram(t), t.TempDir()
	command := func(args ...string) *exec.Cmd {
		c := exec.Command(gtk, args...)
		c.Dir = dir
		return c
	}
	run := func(args ...string) {
		t.Helper()
		if out, err := command(args...).CombinedOutput(); err != nil {
			t.Fatalf("gtk %v: %v\n%s", args, err, out)
		}
	}
	boost := []string{"finetune", "builtin:digits", "--method", "gbnn", "--data", "digits#train", "--val-split", "0.2", "--gbnn-units", "60",
		"--gbnn-step", "2", "-o"}
	begin := time.Now()
	run(append(boost, "whole")...)
	takes := time.Since(begin)
	r := rand.New(rand.NewPCG(5, 6))
	for killed, try := 0, 0; killed < 5; try++ {
		if try > 100 {
			t.Fatalf("killed %d times only", killed)
		}
		args := append(boost, "parts", "--force")
		if _, err := os.Stat(filepath.Join(dir, "parts", "checkpoint.npz")); err == nil {
			args = []string{"finetune", "--resume", "parts"}
		}
		c := command(args...)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(float64(takes) * (0.05 + 0.3*r.Float64())))
		_ = c.Process.Kill() // it may have ended
		if c.Wait() != nil {
			killed++
		} else if err := os.RemoveAll(filepath.Join(dir, "parts")); err != nil { // done before: begin again
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "parts", "checkpoint.npz")); err != nil {
		run(append(boost, "parts", "--force")...)
	} else {
		run("finetune", "--resume", "parts")
	}
	for _, name := range []string{"model.onnx", "best.onnx", "val-ids.txt"} {
		a, errA := os.ReadFile(filepath.Join(dir, "whole", name))
		b, errB := os.ReadFile(filepath.Join(dir, "parts", name))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs (%v, %v)", name, errA, errB)
		}
	}
	if a, b := epochs(t, dir, "whole"), epochs(t, dir, "parts"); a != b {
		t.Errorf("the steps are\n%s, want\n%s", b, a)
	}
}
