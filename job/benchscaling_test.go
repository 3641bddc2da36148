package job

import (
	"testing"
	"time"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// TestLost checks what is said of nodes on four threads: what they lose and to what.
func TestLost(t *testing.T) {
	ms := time.Millisecond
	one := &timeline{parts: [][]parallel.Part{
		{{Serial: 8 * ms}},
		{{Tasks: []time.Duration{8 * ms, 8 * ms}}},
		{{Tasks: []time.Duration{4 * ms, 4 * ms, 4 * ms, 4 * ms}}},
		{{Tasks: []time.Duration{4 * ms, 4 * ms, 4 * ms, 4 * ms}}},
	}}
	many := &timeline{nodes: nil, parts: [][]parallel.Part{
		{{Serial: 8 * ms}},                         // is not shared
		{{Tasks: []time.Duration{8 * ms, 8 * ms}}}, // is cut in two
		{{Tasks: []time.Duration{4 * ms, 4 * ms, 4 * ms, 4 * ms}}},
		{{Tasks: []time.Duration{8 * ms, 8 * ms, 8 * ms, 8 * ms}}}, // costs more when it is cut
	}}
	many.nodes = append(many.nodes, nil, nil, nil, nil)
	ops := []string{"A", "B", "C", "B"}
	got := lost(one, many, ops, 4, 0)
	want := []ScalingNode{
		{Name: optimizerRow, Op: "A", OneMs: 8, Ms: 8, SpeedUp: 1, LostMs: 6, Why: "serial: 8 ms"},
		{Name: optimizerRow, Op: "B", OneMs: 16, Ms: 8, SpeedUp: 2, LostMs: 4, Loops: 1, Tasks: 2, Why: "uneven: 2 tasks in 1 loop"},
		{Name: optimizerRow, Op: "B", OneMs: 16, Ms: 8, SpeedUp: 2, LostMs: 4, Loops: 1, Tasks: 4, Why: "more work: 32 ms in all"},
	}
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i, w := range want {
		if got[i] != w {
			t.Errorf("node %d is %+v, want %+v", i, got[i], w)
		}
	}
	by := lostBy(one, many, ops, 4, 0)
	if len(by) != 3 || by[0] != (ScalingOp{Op: "B", OneMs: 32, Ms: 16, SpeedUp: 2, LostMs: 8}) ||
		by[1] != (ScalingOp{Op: "A", OneMs: 8, Ms: 8, SpeedUp: 1, LostMs: 6, SerialMs: 8}) {
		t.Errorf("operators %+v", by)
	}
	if d := many.on(4, 0); d != 28*ms {
		t.Errorf("all take %v", d)
	}
	again := &timeline{parts: [][]parallel.Part{{{Serial: 2 * ms}}, {{Tasks: []time.Duration{9 * ms, 3 * ms}}}, {{Serial: ms}}}}
	many.fastest(again) // the third did something else
	if d := many.on(1, 0); d != (2+8+3+16+32)*ms {
		t.Errorf("the fastest take %v", d)
	}
}

// TestScaling predicts a training step: no speed-up is above the number of threads, and more threads are not slower by much.
func TestScaling(t *testing.T) {
	r, err := Bench(t.Context(), BenchConfig{Model: BuiltinPrefix + "shapes", Mode: "train", Batch: 16, N: 3, Warmup: new(1),
		ModelOptions: ModelOptions{Threads: 1}, Scaling: []int{1, 4, 32}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := r.Scaling
	if len(s.Rows) != 3 || s.OneMs <= 0 || s.ForkUs <= 0 {
		t.Fatalf("%+v", s)
	}
	for _, row := range s.Rows {
		if row.Ms <= 0 || row.SerialMs <= 0 || row.SerialMs > row.Ms || float64(row.SpeedUp) > 1.5*float64(row.Threads) || len(row.Ops) == 0 {
			t.Errorf("%+v", row)
		}
	}
	if s.Rows[0].MeasuredMs <= 0 || s.Rows[1].Ms > 1.2*s.Rows[0].Ms {
		t.Errorf("%+v", s.Rows)
	}
}
