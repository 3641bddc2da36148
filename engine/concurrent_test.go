package engine_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// small is a model of two layers with weights, of a fixed batch that can be freed.
func small(t testing.TB) *engine.Model {
	t.Helper()
	m, err := engine.Load(&onnx.Model{Proto: testkit.Text{
		In: []string{"x float32[4,8]"}, Out: []string{"y float32[4,3]"},
		Nodes: []string{"h = Gemm(x, w, b)", "r = Relu(h)", "z = Gemm(r, v)", "y = Softmax(z)"},
		Init: map[string]*tensor.Tensor{
			"w": testkit.RandN(1, 8, 5), "b": testkit.RandN(2, 5), "v": testkit.RandN(3, 5, 3),
		},
	}.Model(t)}, engine.WithThreads(2))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func squareOf(name string) engine.Loss {
	return func(b *engine.Build) (graph.Value, error) {
		v, err := b.Value(name)
		return b.Add(ops.ReduceSum, ops.KeepDims(false), b.Add(ops.Mul, nil, v, v)), err
	}
}

// Eight goroutines do side by side everything that is documented as safe with one model: sessions of their own that infer and
// differentiate, questions, saving, Changed and Thaw. Each gets what it would get alone.
func TestSideBySide(t *testing.T) {
	m := small(t)
	defer m.Close()
	x := testkit.RandN(7, 4, 8)
	alone, err := m.Session(engine.Query{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := alone.Run(t.Context(), map[string]*tensor.Tensor{"x": x})
	if err != nil {
		t.Fatal(err)
	}
	want := r.Value("y").Clone()
	var all sync.WaitGroup
	for k := range 8 {
		all.Go(func() {
			q := engine.Query{}
			if k%2 == 1 {
				q = engine.Query{Fetch: []string{"y"}, Loss: squareOf("y"), Grad: []string{"w", "v"}}
			}
			s, err := m.Session(q)
			if err != nil {
				t.Error(err)
				return
			}
			for i := range 20 {
				r, err := s.Run(context.Background(), map[string]*tensor.Tensor{"x": x})
				if err != nil {
					t.Error(err)
					return
				}
				if got := r.Value("y"); got == nil || !slices.Equal(got.F32(), want.F32()) {
					t.Errorf("goroutine %d, run %d: other results than alone", k, i)
					return
				}
				switch (i + k) % 10 {
				case 0:
					m.Changed()
				case 1:
					m.Thaw()
				case 2:
					_, err = m.Save()
				case 3:
					_, err = m.Inspect(nil)
				case 4:
					_, err = m.Head("y")
					m.Batch()
				case 5:
					_, err = m.Export(engine.Query{Fetch: []string{"y"}})
				case 6:
					_, err = m.Shapes(m.Sizes(4), "h", "z")
					for p := range m.Params() {
						_, err = m.Param(p.Name)
					}
				case 7:
					_, _, err = m.Range("y")
					m.Weights()
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// A session that two goroutines run at once refuses one of them, and a result of a run that is past gives nothing.
func TestSharedSession(t *testing.T) {
	m := small(t)
	defer m.Close()
	s, err := m.Session(engine.Query{Fetch: []string{"y"}})
	if err != nil {
		t.Fatal(err)
	}
	feeds := map[string]*tensor.Tensor{"x": testkit.RandN(7, 4, 8)}
	begun, refused := make(chan bool), make(chan error)
	s.Trace = func(*graph.Node, time.Duration) {
		select {
		case begun <- true:
			<-refused
		default:
		}
	}
	go func() {
		<-begun
		_, err := s.Run(context.Background(), feeds)
		if !errors.Is(err, engine.ErrInUse) {
			t.Errorf("the second run gives %v", err)
		}
		refused <- err
	}()
	first, err := s.Run(t.Context(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	if first.Value("y") == nil {
		t.Error("the first run gives nothing")
	}
	if _, err := s.Run(t.Context(), feeds); err != nil {
		t.Fatal(err)
	}
	if first.Value("y") != nil {
		t.Error("a result outlived the next run")
	}
}

// TestClose closes a model while sessions run; afterwards everything is an error, and closing again is none.
func TestClose(t *testing.T) {
	m := small(t)
	feeds := map[string]*tensor.Tensor{"x": testkit.RandN(7, 4, 8)}
	var all sync.WaitGroup
	started := make(chan bool, 8)
	for range 8 {
		all.Go(func() {
			s, err := m.Session(engine.Query{})
			for i := 0; err == nil; i++ {
				if _, err = s.Run(context.Background(), feeds); i == 0 {
					started <- true
				}
			}
			if !errors.Is(err, engine.ErrClosed) {
				t.Errorf("a run of a closed model gives %v", err)
			}
		})
	}
	for range 8 {
		<-started
	}
	m.Close()
	m.Close()
	all.Wait()
	_, save := m.Save()
	_, session := m.Session(engine.Query{})
	_, inspect := m.Inspect(nil)
	_, head := m.Head("y")
	_, export := m.Export(engine.Query{})
	_, param := m.Param("w")
	for i, err := range []error{save, session, inspect, head, export, param} {
		if !errors.Is(err, engine.ErrClosed) {
			t.Errorf("call %d of a closed model gives %v", i, err)
		}
	}
	m.Thaw()
	m.Changed()
	if m.File() != nil || m.Graph() != nil || m.Batch() < 0 || m.Weights().Parameters != 0 {
		t.Error("a closed model has something left")
	}
}
