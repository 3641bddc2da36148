package engine_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// FuzzLoad loads, plans and runs what the bytes of a file say. Refusing is always right; panics, long runs and large results are not.
func FuzzLoad(f *testing.F) {
	for i, l := range testkit.Lies() {
		if b := l.Bytes(); len(b) < 4096 && i%3 == 0 {
			f.Add(b)
		}
	}
	exec.MaxValueBytes, exec.MinRunBytes = 1<<22, 1<<22
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<14 {
			return
		}
		file, err := onnx.Parse(b)
		if err != nil {
			return
		}
		m, err := engine.Load(file, engine.WithThreads(1))
		if err != nil {
			return
		}
		s, err := m.Session(engine.Query{})
		if err != nil {
			noPanic(t, err)
			return
		}
		feeds := map[string]*tensor.Tensor{}
		for i, shape := range m.Sizes(1) {
			in := m.Inputs()[i]
			if n, err := tensor.Shape(shape).CheckedLen(in.DType); err != nil || n > 1<<12 {
				return
			}
			feeds[in.Name] = tensor.New(in.DType, shape...)
		}
		// A loop without end is legal: it must stop when it is told to.
		ctx, stop := context.WithTimeout(context.Background(), 500*time.Millisecond)
		defer stop()
		_, err = s.Run(ctx, feeds)
		noPanic(t, err)
		_, _ = m.Inspect(nil)
	})
}

// TestEndlessLoop cancels a run that would not end.
func TestEndlessLoop(t *testing.T) {
	file, err := onnx.Parse(testkit.Endless().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	m, err := engine.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Session(engine.Query{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer stop()
	start := time.Now()
	_, err = s.Run(ctx, map[string]*tensor.Tensor{"x": tensor.New(tensor.Float32, 1, 1, 8, 8)})
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 2*time.Second {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
}

// TestMemoryLimit plans a large value for a small input, and a small one.
func TestMemoryLimit(t *testing.T) {
	run := func(name string) error {
		for _, l := range testkit.Lies() {
			if l.Name != name {
				continue
			}
			file, err := onnx.Parse(l.Bytes())
			if err != nil {
				return err
			}
			m, err := engine.Load(file)
			if err != nil {
				return err
			}
			s, err := m.Session(engine.Query{})
			if err != nil {
				return err
			}
			_, err = s.Run(context.Background(), map[string]*tensor.Tensor{"x": tensor.New(tensor.Float32, 1, 1, 8, 8)})
			return err
		}
		t.Fatalf("no model %s", name)
		return nil
	}
	var big *exec.MemoryError
	for _, name := range []string{"constantofshape-fetched-1048576", "tile-1048576", "doubling", "loop-growing"} {
		if err := run(name); !errors.As(err, &big) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := run("deep"); err != nil {
		t.Errorf("deep: %v", err)
	}
}

func noPanic(t *testing.T, err error) {
	var p *exec.PanicError
	if errors.As(err, &p) {
		t.Fatalf("%v\n%s", err, p.Stack)
	}
}
