package task_test

import (
	"context"
	"math"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// With a unit the loss compares standardised targets, and the metrics are in the unit of the data.
func TestUnit(t *testing.T) {
	s := set{x: tensor.From([]float64{0, 0, 1, -1}, 2, 2), y: tensor.From([]float64{10, 200, 14, 300}, 2, 2)}
	m := net(t, tensor.Float64, []any{"N", 2}, out{name: "y", dims: []any{"N", 2}})
	what, plan, err := of(t, m, s, task.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := what.SetUnit([]float64{12, 250}, []float64{2, 50}); err != nil {
		t.Fatal(err)
	}
	session, err := m.Session(engine.Query{Fetch: []string{what.Fetch()}, Loss: what.Each()})
	if err != nil {
		t.Fatal(err)
	}
	ms := what.NewMeters()
	for b, err := range data.Batches(context.Background(), s, data.Sequential(2), 2, data.BatchOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		truth, err := what.Truth(b)
		if err != nil {
			t.Fatal(err)
		}
		err = plan.Run(context.Background(), session, b, truth.Rows(nil), func(p feed.Part) error {
			// Standardised the targets are -1, -1 and 1, 1; the model gives 0, 0 and 1, -1.
			if l := p.Loss().Float64s(); l[0] != 2 || l[1] != 4 {
				t.Errorf("losses %v", l)
			}
			return what.Decisions(p.Value(what.Fetch()), 2, truth, func(i int, d *task.Decision) {
				ms.Add(d)
				if i == 1 && (d.Z[0] != 14 || d.Z[1] != 200 || d.Target[0] != 14 || d.Target[1] != 300) {
					t.Errorf("values %v, targets %v", d.Z, d.Target)
				}
			})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range ms.Values() {
		want := map[string]float64{"mae": (2. + 50 + 0 + 100) / 4, "rmse": math.Sqrt((4. + 2500 + 0 + 10000) / 4),
			"r2": (1 - 4./8 + 1 - 12500./5000) / 2}[v.Name]
		if math.Abs(v.Value-want) > 1e-9 {
			t.Errorf("%s is %v, want %v", v.Name, v.Value, want)
		}
	}
	for _, bad := range [][2][]float64{{{1}, {1, 2}}, {{1, 2, 3}, {1, 1, 1}}, {{1}, {0}}, {{1}, {math.NaN()}}, {}} {
		if what.SetUnit(bad[0], bad[1]) == nil {
			t.Errorf("%v is taken", bad)
		}
	}
}
