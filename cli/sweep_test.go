package cli_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Killed again and again, at moments that nothing chooses, and resumed from the folder alone, a sweep ends with the models and the table of
// an undisturbed one.
func TestKillSweep(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a program many times")
	}
	gtk, dir := gtkProgram(t), t.TempDir()
	command := func(args ...string) *exec.Cmd {
		c := exec.Command(gtk, args...)
		c.Dir = dir
		c.Env = append(os.Environ(), "GTK_THREADS=1")
		return c
	}
	run := func(args ...string) {
		t.Helper()
		if out, err := command(args...).CombinedOutput(); err != nil {
			t.Fatalf("gtk %v: %v\n%s", args, err, out)
		}
	}
	run("models", "new", "mlp", "-o", "m.onnx")
	sweep := []string{"sweep", "m.onnx", "--data", "digits#train", "--val", "digits#test", "--epochs", "4", "--ema", "0.9", "--search",
		"halving",
		"--over", "lr=1e-4..1e-1:log", "--over", "batch-size=16,32", "--trials", "4", "--eta", "2", "--seed", "4"}
	begin := time.Now()
	run(append(sweep, "-o", "whole")...)
	takes := time.Since(begin)
	r := rand.New(rand.NewPCG(5, 7))
	killed := 0
	for try := 0; killed < 8 && try < 100; try++ {
		args := append(sweep, "-o", "parts", "--force")
		if _, err := os.Stat(filepath.Join(dir, "parts", "sweep.json")); err == nil {
			args = []string{"sweep", "--resume", "parts"}
		}
		c := command(args...)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(float64(takes) * (0.02 + 0.3*r.Float64())))
		_ = c.Process.Kill() // it may have ended
		if c.Wait() != nil {
			killed++
		}
	}
	run("sweep", "--resume", "parts")
	type trial struct {
		Name, Status    string
		Values          any
		Value, Val_loss float64
		Best_epoch      int
	}
	table := func(name string) (ts []trial) {
		b, err := os.ReadFile(filepath.Join(dir, name, "sweep.json"))
		var s struct{ Trials []trial }
		if err == nil {
			err = json.Unmarshal(b, &s)
		}
		if err != nil || len(s.Trials) != 7 {
			t.Fatalf("%v: %d trials", err, len(s.Trials))
		}
		return s.Trials
	}
	whole, parts := table("whole"), table("parts")
	for i, x := range whole {
		a, _ := json.Marshal(x)
		if b, _ := json.Marshal(parts[i]); !bytes.Equal(a, b) {
			t.Errorf("trial %s is %s, want %s", x.Name, b, a)
		}
		for _, f := range []string{"model.onnx", "best.onnx"} {
			a, errA := os.ReadFile(filepath.Join(dir, "whole", x.Name, f))
			b, errB := os.ReadFile(filepath.Join(dir, "parts", x.Name, f))
			if errA != nil || errB != nil || !bytes.Equal(a, b) {
				t.Errorf("%s of trial %s differs (%v, %v)", f, x.Name, errA, errB)
			}
		}
	}
}
