package train

import (
	"math"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/tensor"
)

func load(t testing.TB, f *onnx.Model) *engine.Model {
	t.Helper()
	m, err := engine.Load(f, engine.WithThreads(1))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func built(t testing.TB, name string, o models.Options) *onnx.Model {
	t.Helper()
	f, err := models.New(name, o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func open(t testing.TB, spec string) data.Dataset {
	t.Helper()
	ds, err := data.Open(spec, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

func rule(t testing.TB, name string, c optim.Config) *optim.Optimizer {
	t.Helper()
	o, err := optim.New(name, c)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func param(t testing.TB, m *engine.Model, name string) *tensor.Tensor {
	t.Helper()
	p, err := m.Param(name)
	if err != nil {
		t.Fatal(err)
	}
	return p.Value
}

// flat is the numbers of nested lists, and their shape.
func flat(v any) (x []float32, shape []int) {
	list, ok := v.([]any)
	if !ok {
		return []float32{float32(v.(float64))}, nil
	}
	for i, e := range list {
		y, s := flat(e)
		x = append(x, y...)
		if i == 0 {
			shape = append([]int{len(list)}, s...)
		}
	}
	return x, shape
}

func tensorOf(v any) *tensor.Tensor {
	x, shape := flat(v)
	return tensor.From(x, shape...)
}

// near fails unless |got - want| <= tol·max(1, |want|) everywhere.
func near(t testing.TB, what string, got *tensor.Tensor, want any, tol float64) {
	t.Helper()
	w, shape := flat(want)
	g := got.Float64s()
	if len(g) != len(w) {
		t.Fatalf("%s: %v, want %v", what, got, shape)
	}
	for i := range w {
		if d := math.Abs(g[i] - float64(w[i])); !(d <= tol*max(1, math.Abs(float64(w[i])))) {
			t.Errorf("%s[%d] = %.8g, want %.8g", what, i, g[i], w[i])
		}
	}
}

// graphModel is a model of nodes with input x and output y.
func graphModel(x, y []any, nodes []*onnxpb.NodeProto, inits map[string]*tensor.Tensor) *onnx.Model {
	name := "test"
	g := &onnxpb.GraphProto{
		Name: &name, Node: nodes, Input: []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", tensor.Float32, x...)},
		Output: []*onnxpb.ValueInfoProto{onnx.ValueInfo("y", tensor.Float32, y...)},
	}
	for n, v := range inits {
		g.Initializer = append(g.Initializer, onnx.TensorToProto(n, v))
	}
	return onnx.NewModel(g, 13)
}

// regression is a data set of rows and targets.
type regression struct{ x, y *tensor.Tensor }

func (r regression) Len() int          { return r.x.Dim(0) }
func (r regression) ID(i int) string   { return string(rune('a' + i)) }
func (r regression) Label(int) int     { return -1 }
func (r regression) Classes() []string { return nil }
func (r regression) Example(i int) (data.Example, error) {
	row := func(t *tensor.Tensor) *tensor.Tensor {
		k := t.Dim(1)
		return tensor.From(t.F32()[i*k:(i+1)*k], k)
	}
	return data.Example{ID: r.ID(i), X: row(r.x), Label: -1, Y: row(r.y)}, nil
}

// augmented reads a list of random changes.
func augmented(t *testing.T, s string) data.Augment {
	t.Helper()
	a, err := data.ParseAugment(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
