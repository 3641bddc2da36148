package convert_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/convert"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestOfficialSuite converts the cases of ONNX's suite that the engine runs, up and down: what is not refused gives the same.
func TestOfficialSuite(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	count := map[string]int{}
	for _, c := range testkit.OfficialSuite(t) {
		if c.Suite == "light" || len(c.Sets) == 0 {
			continue
		}
		m, err := onnx.ReadFile(c.Model)
		if err != nil {
			t.Fatal(err)
		}
		want, err := recordedRun(m, c.Sets[0])
		if err != nil {
			count["left out: the engine does not run it"]++
			continue
		}
		for _, to := range []int64{11, 13, 17, 21, 27} {
			out, _, err := convert.To(m, to, convert.Options{})
			if err != nil {
				if _, honest := errors.AsType[*onnx.UnsupportedError](first(err)); !honest {
					t.Errorf("%s/%s to %d: %v", c.Suite, c.Name, to, err)
				}
				count[fmt.Sprintf("%d refused", to)]++
				continue
			}
			got, err := recordedRun(out, c.Sets[0])
			if _, missing := errors.AsType[*engine.UnsupportedError](err); missing {
				count[fmt.Sprintf("%d: the engine does not have it", to)]++
				continue
			}
			if err != nil {
				t.Errorf("%s/%s to %d: %v", c.Suite, c.Name, to, err)
				continue
			}
			for i := range want {
				rtol, atol := 1e-5, 1e-6
				if d := want[i].DType(); d == tensor.Float16 || d == tensor.BFloat16 {
					rtol, atol = 2e-3, 1e-3
				}
				if ok, rep := tensor.AllClose(got[i], want[i], rtol, atol); !ok {
					t.Errorf("%s/%s to %d: output %d: %v", c.Suite, c.Name, to, i, rep)
				}
			}
			count[fmt.Sprintf("%d the same", to)]++
		}
	}
	t.Log(count)
}

// first is the first of joined errors.
func first(err error) error {
	if list, ok := err.(interface{ Unwrap() []error }); ok {
		return list.Unwrap()[0]
	}
	return err
}

// recordedRun runs a model on the inputs of a case.
func recordedRun(m *onnx.Model, set testkit.DataSet) ([]*tensor.Tensor, error) {
	em, err := engine.Load(m, engine.WithThreads(1))
	if err != nil {
		return nil, err
	}
	defer em.Close()
	s, err := em.Session(engine.Query{})
	if err != nil {
		return nil, err
	}
	feeds := map[string]*tensor.Tensor{}
	for i, f := range set.Inputs {
		if i >= len(em.Inputs()) {
			return nil, errors.New("it has more inputs than the model")
		}
		_, v, err := onnx.ReadValueFile(f, em.Inputs()[i].DType)
		if err != nil {
			return nil, err
		}
		feeds[em.Inputs()[i].Name] = v
	}
	r, err := s.Run(context.Background(), feeds)
	if err != nil {
		return nil, err
	}
	var out []*tensor.Tensor
	for _, o := range em.Outputs() {
		if r.Value(o.Name) == nil {
			return nil, errors.New("an output is missing")
		}
		out = append(out, r.Value(o.Name).Clone())
	}
	return out, nil
}
