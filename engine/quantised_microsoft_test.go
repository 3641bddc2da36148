package engine_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestQuantisedMicrosoft: the quantised operators of com.microsoft give what ONNX Runtime 1.30 gave
// (testdata/gen/quantised_microsoft.py), quantised numbers exactly.
func TestQuantisedMicrosoft(t *testing.T) {
	type array struct {
		Type  string
		Shape []int
		Data  []float32
	}
	var cases []struct {
		Name, Model string
		X, Y        array
	}
	raw, err := os.ReadFile("testdata/quantised_microsoft.json")
	if err == nil {
		err = json.Unmarshal(raw, &cases)
	}
	if err != nil {
		t.Fatal(err)
	}
	read := func(a array) *tensor.Tensor {
		d, err := tensor.ParseDType(a.Type)
		if err != nil {
			t.Fatal(err)
		}
		x, err := tensor.From(a.Data, a.Shape...).Convert(d)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			model, err := base64.StdEncoding.DecodeString(c.Model)
			if err != nil {
				t.Fatal(err)
			}
			file, err := onnx.Parse(model)
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
			r, err := s.Run(t.Context(), map[string]*tensor.Tensor{"x": read(c.X)})
			if err != nil {
				t.Fatal(err)
			}
			tol := 0.0
			if c.Y.Type == "float32" {
				tol = 1e-5
			}
			if ok, report := tensor.AllClose(r.Value("y"), read(c.Y), tol, tol); !ok {
				t.Error(report)
			}
		})
	}
}
