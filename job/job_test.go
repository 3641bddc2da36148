package job_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/train"
)

// TestMain runs the tests in a folder of their own, for what examples write.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "gtk-job-*")
		if err == nil {
			err = os.Chdir(dir)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		return m.Run()
	}())
}

func TestKinds(t *testing.T) {
	wrap := func(err error) error { return fmt.Errorf("model.onnx: %w", err) }
	for _, x := range []struct {
		err  error
		want job.Kind
	}{
		{&job.UsageError{Text: "x"}, job.KindUsage}, {&job.InputError{Err: errors.New("x")}, job.KindInput}, {&job.NoError{Text: "x"}, job.KindNo},
		{&job.InterruptedError{Err: context.Canceled}, job.KindInterrupted}, {&engine.UnsupportedError{}, job.KindInput}, {&fs.PathError{Err: fs.ErrNotExist}, job.KindIO},
		{errors.New("x"), job.KindInput},
	} {
		if got := job.KindOf(wrap(x.err)); got != x.want {
			t.Errorf("%T is %s, want %s", x.err, got, x.want)
		}
	}
}

// What is asked for wrongly is said before anything is written, with the setting's name.
func TestUsage(t *testing.T) {
	ctx := context.Background()
	const digits = "digits#train"
	finetune := func(change func(*job.FinetuneConfig)) error {
		c := job.FinetuneConfig{Model: "builtin:digits", Data: digits, Out: "never.onnx", MaxSteps: 1}
		change(&c)
		_, err := job.Finetune(ctx, c, nil)
		return err
	}
	for want, err := range map[string]error{
		"--data": finetune(func(c *job.FinetuneConfig) { c.Data = "" }), "-o": finetune(func(c *job.FinetuneConfig) { c.Out = "" }),
		"--optimizer": finetune(func(c *job.FinetuneConfig) { c.Optimizer = "adamm" }), "--lr": finetune(func(c *job.FinetuneConfig) { c.LR = -1 }),
		`"speed"`:      finetune(func(c *job.FinetuneConfig) { c.Rule = map[string]string{"speed": "1"} }),
		"--batch-size": finetune(func(c *job.FinetuneConfig) { c.BatchSize = -2 }), "--bn": finetune(func(c *job.FinetuneConfig) { c.BN = "no" }),
		"--val-split": finetune(func(c *job.FinetuneConfig) { c.ValSplit = math.NaN() }), `"size"`: finetune(func(c *job.FinetuneConfig) { c.Preprocess = map[string]string{"size": "8"} }),
		"--tract-lambda": finetune(func(c *job.FinetuneConfig) { c.TrAct = &job.TrAct{Lambda: -1} }),
	} {
		var usage *job.UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), want) {
			t.Errorf("want a UsageError with %s, got %v", want, err)
		}
	}
	if _, err := os.Stat("never.onnx"); err == nil {
		t.Error("a file was written")
	}
}

// stopper cancels a training after some steps.
type stopper struct {
	job.Stage
	after int
	stop  context.CancelFunc
}

func (s *stopper) Step(p train.Progress) {
	if p.Step == s.after {
		s.stop()
	}
}

// watcher is a Reporter whose stages are s.
type watcher struct {
	job.Reporter
	s *stopper
}

func (w watcher) Stage(string, int) job.Stage { return w.s }

// An interrupted training names the checkpoint to go on from, and gives in the end what an uninterrupted one gives.
func TestInterrupted(t *testing.T) {
	t.Chdir(t.TempDir()) // the test may run several times
	c := job.FinetuneConfig{Model: "builtin:digits", Data: "digits#train", Epochs: 1, Out: "whole.onnx", Seed: 3}
	if _, err := job.Finetune(context.Background(), c, nil); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	c.Out = "parts.onnx"
	_, err := job.Finetune(ctx, c, watcher{job.Quiet, &stopper{job.Quiet.Stage("", 0), 7, stop}})
	var stopped *job.InterruptedError
	if !errors.As(err, &stopped) || stopped.Step != 7 || job.KindOf(err) != job.KindInterrupted {
		t.Fatalf("want an InterruptedError at step 7, got %v", err)
	}
	c.Resume = stopped.Checkpoint
	if _, err := job.Finetune(context.Background(), c, nil); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile("whole.onnx")
	if err != nil {
		t.Fatal(err)
	}
	parts, err := os.ReadFile("parts.onnx")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(whole, parts) {
		t.Error("the weights differ from those of a training that was not interrupted")
	}
}
