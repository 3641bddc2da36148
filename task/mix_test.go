package task_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// logProb are the logarithms of the softmax of z.
func logProb(z []float64) []float64 {
	sum := 0.0
	for _, v := range z {
		sum += math.Exp(v)
	}
	out := make([]float64, len(z))
	for i, v := range z {
		out[i] = v - math.Log(sum)
	}
	return out
}

// TestMixedLoss compares the loss of mixtures, and its gradient, with that of mixed targets: of class numbers with the cross-entropy of
// the mixed distribution, with weights of classes by their shares, and of real targets with the loss of those in between.
func TestMixedLoss(t *testing.T) {
	z := []float64{0.3, -1.2, 0.7, 1.5, 0.2, -0.4, -0.9, 0.1, 0.6}
	share, own, other := []float64{0.8, 0.55, 1}, []int64{0, 2, 1}, []int64{1, 2, 0}
	x := tensor.From(z, 3, 3)
	batch := func(y, mixY *tensor.Tensor, mixed bool) *data.Batch {
		b := &data.Batch{Index: []int{0, 1, 2}, IDs: []string{"0", "1", "2"}, X: x, Labels: own, Y: y}
		if mixed {
			b.Mix = &data.Mix{Share: share, Labels: other, Y: mixY}
		}
		return b
	}
	ya, yb := []float64{0, 1, 0.5, 1, 1, 0, 0, 0.25, 1}, []float64{1, 1, 0, 0, 1, 1, 1, 0, 0}
	for _, c := range []struct {
		kind, loss string
		labels     bool
		w          []float64
	}{
		{"classification", "cross-entropy", true, []float64{1, 1, 1}},
		{"classification", "cross-entropy:weights=1,2,0.5", true, []float64{1, 2, 0.5}},
		{"multilabel", "bce", false, nil}, {"regression", "mse", false, nil},
	} {
		for _, mixed := range []bool{true, false} {
			s := set{x: x}
			var y, mixY *tensor.Tensor
			if c.labels {
				s.labels = []int{0, 2, 1}
			} else {
				y, mixY = tensor.From(ya, 3, 3), tensor.From(yb, 3, 3)
				s.y = y
			}
			m := net(t, tensor.Float64, []any{"N", 3}, out{name: "y", dims: []any{"N", 3}})
			plain, plan, err := of(t, m, s, task.Options{Kind: c.kind, Loss: c.loss})
			if err != nil {
				t.Fatal(err)
			}
			what, err := plain.Mixed(false)
			if err != nil {
				t.Fatal(err)
			}
			b := batch(y, mixY, mixed)
			truth, err := what.Truth(b)
			if err != nil {
				t.Fatal(err)
			}
			want, total := 0.0, 0.0
			for i := range 3 {
				row, p, a := z[i*3:i*3+3], share[i], logProb(z[i*3:i*3+3])
				if !mixed {
					p = 1
				}
				if c.labels {
					want -= p*c.w[own[i]]*a[own[i]] + (1-p)*c.w[other[i]]*a[other[i]]
					total += p*c.w[own[i]] + (1-p)*c.w[other[i]]
					continue
				}
				for j, v := range row {
					q := p*ya[i*3+j] + (1-p)*yb[i*3+j]
					if total++; c.kind == "regression" {
						want += (v - q) * (v - q)
					} else {
						want += math.Log(1+math.Exp(v)) - q*v
					}
				}
			}
			session, err := m.Session(engine.Query{Loss: what.Total(), Grad: []string{"x"}})
			if err != nil {
				t.Fatal(err)
			}
			err = plan.Run(context.Background(), session, b, truth.Rows(truth.Mean()), func(p feed.Part) error {
				if got := p.Loss().Float64s()[0]; math.Abs(got-want/total) > 1e-12 {
					t.Errorf("%s, mixed %v: loss %.15g, want %.15g", c.loss, mixed, got, want/total)
				}
				if c.loss != "cross-entropy" {
					return nil
				}
				for i, g := range p.Grad("x").Float64s() { // softmax less the mixed distribution
					d := math.Exp(logProb(z[i/3*3 : i/3*3+3])[i%3])
					s := share[i/3]
					if !mixed {
						s = 1
					}
					if own[i/3] == int64(i%3) {
						d -= s
					}
					if other[i/3] == int64(i%3) {
						d -= 1 - s
					}
					if math.Abs(g-d/3) > 1e-12 {
						t.Errorf("gradient[%d] is %v, want %v", i, g, d/3)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if c.labels { // the class of a mixture is that of the larger part
				if part := truth.Slice(1, 3); part.Labels[0] != 2 || part.Labels[1] != 1 {
					t.Errorf("labels %v", part.Labels)
				}
			}
		}
	}
}

// TestMixedRefuses checks that tasks of which a mixture means nothing are refused, with the reason.
func TestMixedRefuses(t *testing.T) {
	x := tensor.New(tensor.Float32, 4, 3)
	m := net(t, tensor.Float32, []any{"N", 3}, out{name: "y", dims: []any{"N", 3}})
	flags := set{x: x, y: tensor.From([]int64{0, 1, 0, 1, 1, 0, 0, 0, 1, 1, 1, 1}, 4, 3)}
	k, _, err := of(t, m, flags, task.Options{Kind: "multilabel", Loss: "focal"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Mixed(false); err == nil || !strings.Contains(err.Error(), "use bce") {
		t.Errorf("focal of mixed labels: %v", err)
	}
	teacher := set{x: x, y: tensor.From([]float32{-1, 2.5, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3}, 4, 3)}
	if k, _, err = of(t, m, teacher, task.Options{Kind: "regression", Loss: "kl:from=logits"}); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Mixed(false); err == nil || !strings.Contains(err.Error(), "teacher") {
		t.Errorf("logits of a teacher: %v", err)
	}
	pix := net(t, tensor.Float32, []any{"N", 2, 3, 3}, out{name: "y", dims: []any{"N", 2, 3, 3}})
	masked := set{x: tensor.New(tensor.Float32, 4, 2, 3, 3), masks: tensor.New(tensor.Uint8, 4, 3, 3)}
	if k, _, err = of(t, pix, masked, task.Options{Kind: "segmentation"}); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Mixed(false); err == nil || !strings.Contains(err.Error(), "cutmix") {
		t.Errorf("masks that are mixed: %v", err)
	}
	if _, err := k.Mixed(true); err != nil {
		t.Errorf("masks that are cut: %v", err)
	}
}
