package train

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/gtk-onnx/gtk/optim"
)

// The suggested rate trains well: better than ones ten times lower, and it does not diverge. The model is left as it was.
func TestRangeTest(t *testing.T) {
	for name, o := range map[string]optim.Config{"sgd": {Options: optim.Values{"momentum": 0.9}}, "adam": {}} {
		m, tr, _, p := digits(t)
		before := weights(m)
		c := Config{Optimizer: rule(t, name, o), Schedule: optim.Constant(1), Preprocess: p, Shuffle: true}
		r, err := RangeTest(context.Background(), m, tr, c, RangeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		sameWeights(t, name, weights(m), before)
		if r.Suggested != r.Steepest || !(r.Steepest < r.Lowest) || !r.Clear || len(r.Curve) < 50 || math.Abs(r.Curve[0].LR-1e-7) > 1e-12 {
			t.Fatalf("%s: %+v", name, r)
		}
		loss := func(lr float64) float64 {
			m, tr, _, p := digits(t)
			res, err := Fit(context.Background(), m, tr, Config{
				Epochs: 3, Optimizer: rule(t, name, o), Schedule: optim.Cosine{Max: lr}, Preprocess: p, Shuffle: true,
			})
			if err != nil {
				t.Fatal(err)
			}
			return res.TrainLoss
		}
		if good, low := loss(r.Suggested), loss(r.Suggested/10); !(good < low/2) {
			t.Errorf("%s: loss %.3f at %.2g, %.3f at a tenth of it", name, good, r.Suggested, low)
		}
	}
}

// A curve that is known: flat, then falling fastest at 1e-3, lowest at 1e-1, then rising.
func TestRangeOfAKnownCurve(t *testing.T) {
	r := &Range{}
	for i := range 101 {
		k := -5 + 0.06*float64(i) // of 10^k
		loss := 2 - 1.5/(1+math.Exp(-4*(k+3))) + math.Exp(6*(k-0.2))
		r.Curve = append(r.Curve, RangePoint{LR: math.Pow(10, k), Loss: loss})
	}
	r.judge(3)
	if d := math.Log10(r.Suggested) + 3; math.Abs(d) > 0.1 || !r.Clear {
		t.Errorf("suggested %.3g, want 1e-3", r.Suggested)
	}
	if l := math.Log10(r.Lowest); l < -2.3 || l > -0.3 {
		t.Errorf("lowest at %.3g", r.Lowest)
	}
	flat := &Range{}
	for i := range 50 {
		flat.Curve = append(flat.Curve, RangePoint{LR: math.Pow(10, float64(i)/10), Loss: 1 + float64(i)})
	}
	flat.judge(3)
	if flat.Clear || !math.IsNaN(flat.Steepest) || !(flat.Suggested > 0.01 && flat.Suggested < 1) {
		t.Errorf("a loss that only rises: suggested %v, %+v", flat.Suggested, flat.Clear)
	}
	still := &Range{}
	for i := range 50 {
		still.Curve = append(still.Curve, RangePoint{LR: math.Pow(10, float64(i)/10), Loss: 1 + 0.1*math.Sin(float64(i*i))})
	}
	still.judge(3)
	if still.Clear || !math.IsNaN(still.Suggested) {
		t.Errorf("a loss that does nothing: suggested %v", still.Suggested)
	}
}

func TestRangeTestErrors(t *testing.T) {
	m, tr, _, p := digits(t)
	c := Config{Optimizer: rule(t, "sgd", optim.Config{}), Schedule: optim.Constant(1), Preprocess: p}
	for _, o := range []RangeOptions{{Steps: 3}, {From: 1, To: 0.1}, {From: -1}, {To: math.Inf(1)}, {From: math.NaN()}} {
		if _, err := RangeTest(context.Background(), m, tr, c, o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	stop := errors.New("enough")
	c.Step = func(Progress) error { return stop }
	if _, err := RangeTest(context.Background(), m, tr, c, RangeOptions{}); !errors.Is(err, stop) {
		t.Errorf("error of Step: %v", err)
	}
}
