package task_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// softmax is that of the K numbers of z, divided by temperature, or for classes of their own yes and no of each.
func softened(z []float64, temperature float64, apart bool) [][2]float64 {
	out, sum := make([][2]float64, len(z)), 0.0
	for _, v := range z {
		sum += math.Exp(v / temperature)
	}
	for k, v := range z {
		out[k] = [2]float64{math.Exp(v/temperature) / sum, 0}
		if apart {
			p := 1 / (1 + math.Exp(-v/temperature))
			out[k] = [2]float64{p, 1 - p}
		}
	}
	return out
}

// divergence is Σ q·log(q/p) of logits.
func divergence(q, p []float64, temperature float64, apart bool) float64 {
	a, b := softened(q, temperature, apart), softened(p, temperature, apart)
	sum := 0.0
	for k := range a {
		for i := range 2 {
			if a[k][i] > 0 {
				sum += a[k][i] * math.Log(a[k][i]/b[k][i])
			}
		}
	}
	return sum
}

// The loss of a student is that of the task and T² times the mean divergence from the teacher, by the formula; a teacher that gives the
// same has none.
func TestDistilled(t *testing.T) {
	const n, k, p = 3, 4, 5
	ones := func(shape ...int) *tensor.Tensor {
		x := tensor.New(tensor.Float32, shape...)
		for i := range x.F32() {
			x.F32()[i] = float32(i % 2)
		}
		return x
	}
	tags := tensor.New(tensor.Int64, n, p)
	for i := range tags.I64() {
		tags.I64()[i] = int64(i % k)
	}
	tags.I64()[2], tags.I64()[7] = task.Ignored, task.Ignored
	for _, c := range []struct {
		name  string
		in    []any
		out   out
		ds    set
		o     task.Options
		apart bool
		pos   int
	}{
		{"multiclass", []any{"N", k}, out{name: "y", dims: []any{"N", k}}, set{x: testkit.RandN(1, n, k), labels: []int{0, 3, 1}},
			task.Options{}, false, 1},
		{"behind a softmax", []any{"N", k}, out{name: "y", act: "Softmax", dims: []any{"N", k}},
			set{x: testkit.RandN(1, n, k), labels: []int{0, 3, 1}}, task.Options{}, false, 1},
		{"binary", []any{"N", 1}, out{name: "y", act: "Sigmoid", dims: []any{"N", 1}}, set{x: testkit.RandN(2, n, 1), labels: []int{0, 1, 1}},
			task.Options{}, true, 1},
		{"multilabel", []any{"N", k}, out{name: "y", act: "Sigmoid", dims: []any{"N", k}}, set{x: testkit.RandN(3, n, k), y: ones(n, k)},
			task.Options{}, true, 1},
		{"tokens", []any{"N", p, k}, out{name: "y", dims: []any{"N", p, k}}, set{x: testkit.RandN(4, n, p, k), y: tags},
			task.Options{Kind: "tokens"}, false, p},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := net(t, tensor.Float32, c.in, c.out)
			task0, plan, err := of(t, m, c.ds, c.o)
			if err != nil {
				t.Fatal(err)
			}
			if err := task0.Teaches(task0); err != nil {
				t.Fatal(err)
			}
			var b *data.Batch
			for x, err := range data.Batches(context.Background(), c.ds, data.Sequential(n), n, data.BatchOptions{}) {
				if err != nil {
					t.Fatal(err)
				}
				b = x
			}
			truth, err := task0.Truth(b)
			if err != nil {
				t.Fatal(err)
			}
			loss := func(l engine.Loss, teacher *tensor.Tensor) float64 {
				s, err := m.Session(engine.Query{Loss: l})
				if err != nil {
					t.Fatal(err)
				}
				rows := truth.Rows(truth.Mean())
				if teacher != nil {
					rows.Same[task.TeacherInput], rows.Weight[task.TeacherWeightInput] = teacher, truth.TeacherWeights()
				}
				v := 0.0
				if err := plan.Run(context.Background(), s, b, rows, func(p feed.Part) error {
					v += p.Loss().Float64s()[0]
					return nil
				}); err != nil {
					t.Fatal(err)
				}
				return v
			}
			s, err := m.Session(engine.Query{Derive: task0.Scores(), Fetch: []string{task0.Fetch()}})
			if err != nil {
				t.Fatal(err)
			}
			r, err := s.Run(context.Background(), map[string]*tensor.Tensor{"x": c.ds.x})
			if err != nil {
				t.Fatal(err)
			}
			own := r.Value(task.TeacherInput).Clone()
			teacher := testkit.RandN(9, own.Shape()...)
			const temperature, weight = 3, 0.25
			plain := loss(task0.Total(), nil)
			d := task0.Distilled(task.Distil{Temperature: temperature, Weight: weight})
			if got, want := loss(d, own), (1-weight)*plain; math.Abs(got-want) > 1e-6 {
				t.Errorf("of itself %v, want %v", got, want)
			}
			classes := own.Dim(1)
			kl, count := 0.0, 0
			for i := range n {
				for j := range c.pos {
					if c.name == "tokens" && tags.I64()[i*p+j] == task.Ignored {
						continue
					}
					row := func(x *tensor.Tensor) []float64 {
						z := make([]float64, classes)
						for k := range z {
							z[k] = x.Float64s()[(i*classes+k)*c.pos+j]
						}
						return z
					}
					kl += divergence(row(teacher), row(own), temperature, c.apart)
					if count++; c.apart {
						count += classes - 1
					}
				}
			}
			want := (1-weight)*plain + weight*temperature*temperature*kl/float64(count)
			if got := loss(d, teacher); math.Abs(got-want) > 1e-5*want {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
}

// A teacher of another task, or of other classes, is refused.
func TestTeaches(t *testing.T) {
	three, _, err := of(t, net(t, tensor.Float32, []any{"N", 3}, out{name: "y", dims: []any{"N", 3}}),
		set{x: testkit.RandN(1, 4, 3), labels: []int{0, 2, 1, 0}}, task.Options{Classes: []string{"a", "b", "c"}})
	if err != nil {
		t.Fatal(err)
	}
	four, _, err := of(t, net(t, tensor.Float32, []any{"N", 4}, out{name: "y", dims: []any{"N", 4}}),
		set{x: testkit.RandN(1, 4, 4), labels: []int{0, 2, 1, 3}}, task.Options{})
	if err != nil {
		t.Fatal(err)
	}
	values, _, err := of(t, net(t, tensor.Float32, []any{"N", 3}, out{name: "y", dims: []any{"N", 3}}),
		set{x: testkit.RandN(1, 4, 3), y: testkit.RandN(2, 4, 3)}, task.Options{})
	if err != nil {
		t.Fatal(err)
	}
	other := *three
	other.Classes = []string{"a", "c", "b"}
	for _, c := range []struct {
		teacher, student *task.Task
		want             string
	}{
		{four, three, "the teacher has 4 outputs and the model 3"}, {three, values, "learns from the teacher's values"},
		{values, three, "the teacher's task is regression and that of the model multiclass"}, {&other, three, `class 1 is "c" to the teacher`},
	} {
		if err := c.teacher.Teaches(c.student); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}
