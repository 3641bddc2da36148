package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/tensor"
)

// RangeSteps is how many steps a RangeTest takes unless its options say.
const RangeSteps = 100

// RangeOptions say which learning rates a RangeTest tries. The zero value is 100 steps from 1e-7 to 10.
type RangeOptions struct {
	From, To float64 // 0: 1e-7 and 10
	Steps    int     // 0: 100
}

// RangePoint is the loss of a batch before the step at a learning rate.
type RangePoint struct {
	LR       float64
	Loss     float64 // of the batch
	Smoothed float64 // among its neighbours, see RangeTest
}

// Range is what a RangeTest found.
type Range struct {
	Curve     []RangePoint
	Suggested float64 // Steepest where the loss falls clearly, else a tenth of Rises, else NaN
	Steepest  float64 // where the smoothed loss falls fastest by the logarithm of the rate, NaN when it never falls
	Lowest    float64 // where the smoothed loss is lowest
	Rises     float64 // from where on it is higher than it was by more than it scatters, NaN when it is nowhere
	Stopped   bool    // the loss rose so much that larger rates were not tried
	Clear     bool    // the loss falls by more than it scatters from batch to batch
}

// RangeTest trains m with a learning rate that grows exponentially from step to step, until the loss explodes, and gives m its weights
// back. The rate at which the loss falls fastest is a good one to train with. Losses are smoothed over their neighbours by a Gaussian of
// a twentieth of the steps, which, unlike a running mean, does not shift the curve.
//
// Source: Smith 2015, "Cyclical Learning Rates for Training Neural Networks", section 3.3, https://arxiv.org/abs/1506.01186; the
// exponential sweep and the end at four times the lowest loss are those of fastai's Learner.lr_find.
func RangeTest(ctx context.Context, m *engine.Model, ds data.Dataset, c Config, o RangeOptions) (*Range, error) {
	o.From, o.To, o.Steps = cmp.Or(o.From, 1e-7), cmp.Or(o.To, 10), cmp.Or(o.Steps, RangeSteps)
	if !(o.From > 0 && o.From < o.To) || math.IsInf(o.To, 0) || o.Steps < 10 {
		return nil, fmt.Errorf("train: range test: %d steps from %v to %v: want at least 10, from above 0 upwards", o.Steps, o.From, o.To)
	}
	c.Val, c.Patience, c.Save, c.Resume, c.Epoch = nil, 0, nil, nil, nil
	c.Schedule, c.MaxSteps, c.Epochs = sweep(o), o.Steps, o.Steps
	m.Thaw()
	type saved struct{ into, from *tensor.Tensor }
	var before []saved
	for p := range m.Params() {
		if p.Trainable || p.State {
			before = append(before, saved{p.Value, p.Value.Clone()})
		}
	}
	defer func() {
		for _, s := range before {
			copy(s.into.Bytes(), s.from.Bytes())
		}
		m.Changed()
	}()
	r := &Range{}
	exploded := errors.New("exploded")
	var mean, lowest float64 // of the losses, running
	step := c.Step
	c.Step = func(p Progress) error {
		const decay = 0.9
		r.Curve = append(r.Curve, RangePoint{LR: p.LR, Loss: p.BatchLoss})
		mean = decay*mean + (1-decay)*p.BatchLoss
		now := mean / (1 - math.Pow(decay, float64(len(r.Curve))))
		if lowest = min(lowest, now); len(r.Curve) == 1 {
			lowest = now
		}
		if step != nil {
			if err := step(p); err != nil {
				return err
			}
		}
		if len(r.Curve) >= 10 && now > lowest+3*math.Abs(lowest) {
			return exploded
		}
		return nil
	}
	_, err := Fit(ctx, m, ds, c)
	switch {
	case errors.Is(err, exploded), errors.Is(err, ErrDiverged) && len(r.Curve) >= 10:
		r.Stopped = true
	case err != nil:
		return nil, err
	}
	r.judge(float64(o.Steps) / 20)
	return r, nil
}

// sweep is the schedule of a range test.
type sweep RangeOptions

// LR grows exponentially from From at step 1 to To at the last step.
func (s sweep) LR(step, _ int) float64 {
	return s.From * math.Pow(s.To/s.From, float64(step-1)/float64(max(1, s.Steps-1)))
}

// judge smooths the losses with a Gaussian of the given width in steps, and finds what there is to find.
func (r *Range) judge(width float64) {
	n := len(r.Curve)
	limit := 0.0 // so that an explosion does not reach back
	for _, p := range r.Curve[:n/4] {
		limit = max(limit, 2*math.Abs(p.Loss))
	}
	for i := range r.Curve {
		var sum, weight float64
		for j := max(0, i-int(4*width)); j < min(n, i+int(4*width)+1); j++ {
			w := math.Exp(-float64((i-j)*(i-j)) / (2 * width * width))
			sum, weight = sum+w*min(r.Curve[j].Loss, limit), weight+w
		}
		r.Curve[i].Smoothed = sum / weight
	}
	low := 0
	for i, p := range r.Curve {
		if p.Smoothed < r.Curve[low].Smoothed {
			low = i
		}
	}
	r.Lowest, r.Steepest, r.Rises = r.Curve[low].LR, math.NaN(), math.NaN()
	top, scatter := r.Curve[low].Smoothed, 0.0
	calm := max(low, n/4) // steps before anything explodes
	for i, p := range r.Curve[:calm] {
		if scatter += (p.Loss - p.Smoothed) * (p.Loss - p.Smoothed) / float64(calm); i < low {
			top = max(top, p.Smoothed)
		}
	}
	scatter = math.Sqrt(scatter)
	r.Clear = low > 0 && top-r.Curve[low].Smoothed > scatter
	fall := 0.0
	for i := 1; i < low; i++ {
		if d := r.Curve[i+1].Smoothed - r.Curve[i-1].Smoothed; d < fall {
			fall, r.Steepest = d, r.Curve[i].LR
		}
	}
	for i := n - 1; i >= low && r.Curve[i].Smoothed > r.Curve[low].Smoothed+scatter; i-- {
		r.Rises = r.Curve[i].LR
	}
	if r.Suggested = r.Steepest; !r.Clear || math.IsNaN(r.Steepest) {
		r.Suggested = r.Rises / 10
	}
}
