package probe

import (
	"math"
	"slices"
	"strconv"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// set is a data set in memory: rows of x, and either class numbers or rows of y.
type set struct {
	x, y   *tensor.Tensor
	labels []int
}

func (s set) Len() int          { return s.x.Dim(0) }
func (s set) ID(i int) string   { return strconv.Itoa(i) }
func (s set) Classes() []string { return nil }
func (s set) Label(i int) int {
	if s.labels == nil {
		return -1
	}
	return s.labels[i]
}

func (s set) Example(i int) (data.Example, error) {
	cut := func(t *tensor.Tensor) *tensor.Tensor {
		if t == nil {
			return nil
		}
		n := len(t.Bytes()) / t.Dim(0)
		out, err := tensor.FromBytes(t.DType(), t.Shape()[1:], slices.Clone(t.Bytes()[i*n:(i+1)*n]))
		if err != nil {
			panic(err)
		}
		return out
	}
	return data.Example{ID: s.ID(i), X: cut(s.x), Y: cut(s.y), Label: s.Label(i)}, nil
}

// model loads what text describes.
func model(t testing.TB, text testkit.Text, threads int) *engine.Model {
	t.Helper()
	m, err := engine.Load(&onnx.Model{Proto: text.Model(t)}, engine.WithThreads(threads))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// landscape is that of the named parameters of m on ds, in batches of size.
func landscape(t testing.TB, m *engine.Model, ds data.Dataset, size int, c Config) *Landscape {
	t.Helper()
	var err error
	if c.Feed, err = feed.For(m, ds, feed.Options{}); err != nil {
		t.Fatal(err)
	}
	if c.Task, err = task.Of(t.Context(), c.Feed, ds, task.Options{}); err != nil {
		t.Fatal(err)
	}
	for b, err := range data.Batches(t.Context(), ds, data.Sequential(ds.Len()), size, data.BatchOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		c.Batches = append(c.Batches, b.Clone())
	}
	l, err := New(m, c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func close(t testing.TB, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol*max(1, math.Abs(want))) {
		t.Errorf("%s is %.12g, want %.12g (off by %.2g)", what, got, want, got-want)
	}
}

// vector is one of the space.
func vector(t testing.TB, s *Space) []float64 {
	t.Helper()
	v, err := s.Vector()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// bits are all parameters of m.
func bits(m *engine.Model) (b []byte) {
	for p := range m.Params() {
		b = append(b, p.Value.Bytes()...)
	}
	return b
}
