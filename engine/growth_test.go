//go:build unix

package engine_test

import (
	"fmt"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// work does what commands do with a model before they run it, and plans and runs it.
func work(tb testing.TB, p *onnxpb.ModelProto) {
	file := &onnx.Model{Proto: p}
	_ = file.Check()
	m, err := engine.Load(file, engine.WithThreads(1))
	if err != nil {
		return // refused, in time
	}
	defer m.Close()
	_, _ = m.Inspect(nil)
	for _, o := range m.Outputs() {
		_, _ = m.Head(o.Name)
		_, _, _ = m.Range(o.Name)
	}
	s, err := m.Session(engine.Query{})
	if err != nil {
		tb.Fatal(err)
	}
	feeds := map[string]*tensor.Tensor{}
	ins := m.Inputs()
	for i, shape := range m.Sizes(1) {
		feeds[ins[i].Name] = tensor.New(ins[i].DType, shape...)
	}
	_, _ = s.Run(tb.Context(), feeds)
	out, err := m.Save()
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := out.WriteTo(io.Discard); err != nil {
		tb.Fatal(err)
	}
	onnx.CompareModels(file, out)
}

// processor is the time that this process computed so far.
func processor(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Skip(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestGrowth does the same with eight times as much of everything that a file may have any number of. What grows with the square of the
// number takes 64 times as long; up to 28 times is taken for noise.
func TestGrowth(t *testing.T) {
	if testing.Short() {
		t.Skip("it measures time")
	}
	measure := func(l testkit.Large, n int) time.Duration {
		p := l.Model(n)
		from := processor(t)
		work(t, p)
		return processor(t) - from
	}
	for _, l := range testkit.Larges() {
		t.Run(l.Name, func(t *testing.T) {
			const n = 1000
			ratio := 0.0
			for range 3 {
				few, many := max(measure(l, n), 3*time.Millisecond), measure(l, 8*n)
				if ratio = float64(many) / float64(few); ratio < 28 {
					return
				}
			}
			t.Errorf("eight times as many take %.0f times as long", ratio)
		})
	}
}

// BenchmarkGrowth reports the time for each element of the families for a number of them and for four times as many.
func BenchmarkGrowth(b *testing.B) {
	for _, l := range testkit.Larges() {
		for _, n := range []int{1000, 4000} {
			b.Run(fmt.Sprintf("%s/%d", l.Name, n), func(b *testing.B) {
				p := l.Model(n)
				for b.Loop() {
					work(b, p)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/n")
			})
		}
	}
}
