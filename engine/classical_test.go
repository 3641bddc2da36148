package engine_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/ops/ml"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// listedTensor is a tensor of testdata/classical/expected.json; NaN is a string.
type listedTensor struct {
	Type string
	Dims []int
	Data []any
}

func (l listedTensor) tensor(t *testing.T) *tensor.Tensor {
	t.Helper()
	var words []string
	var numbers []float64
	for _, v := range l.Data {
		switch v := v.(type) {
		case float64:
			numbers = append(numbers, v)
		case string:
			words, numbers = append(words, v), append(numbers, math.NaN())
		}
	}
	if l.Type == "string" {
		return tensor.FromStrings(words, l.Dims...)
	}
	d := tensor.Float32
	if l.Type == "int64" {
		d = tensor.Int64
	}
	x, err := tensor.From(numbers, l.Dims...).Convert(d)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// TestClassicalModels: pipelines of scikit-learn, LightGBM and XGBoost (testdata/classical/make.py) give what ONNX Runtime gives, all
// rows at once and one by one, in their operator set and in the one that deprecates tree ensembles of their form.
func TestClassicalModels(t *testing.T) {
	b, err := os.ReadFile("testdata/classical/expected.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]struct{ Feeds, Outs map[string]listedTensor }
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	for name, c := range all {
		for _, version := range []int64{1, 3, 5} {
			file, err := onnx.ReadFile("testdata/classical/" + name + ".onnx")
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range file.Proto.OpsetImport {
				if o.GetDomain() == ml.Domain {
					o.Version = new(version)
				}
			}
			m, err := engine.Load(file, engine.WithThreads(2))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			s, err := m.Session(engine.Query{})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, rows := range []int{40, 1} {
				feeds := map[string]*tensor.Tensor{}
				for k, l := range c.Feeds {
					feeds[k] = head(l, rows).tensor(t)
				}
				got, err := s.Run(context.Background(), feeds)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				for k, l := range c.Outs {
					y, want := got.Value(k), head(l, rows).tensor(t)
					if want.DType() == tensor.Float32 {
						if ok, report := tensor.AllClose(y, want, 0, 1e-6); !ok {
							t.Errorf("%s in version %d, %d rows: %s: %v", name, version, rows, k, report)
						}
					} else if want.DType() != y.DType() || !slices.Equal(y.Strings(), want.Strings()) ||
						want.DType() == tensor.Int64 && !slices.Equal(y.I64(), want.I64()) {
						t.Errorf("%s in version %d, %d rows: %s is %v, want %v", name, version, rows, k, y, want)
					}
				}
			}
		}
	}
	if len(all) < 6 {
		t.Errorf("%d models", len(all))
	}
}

// head is the first rows of l.
func head(l listedTensor, rows int) listedTensor {
	n := len(l.Data) / l.Dims[0] * rows
	return listedTensor{l.Type, append([]int{rows}, l.Dims[1:]...), l.Data[:n]}
}
