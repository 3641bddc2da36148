package job

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// far is the root mean square above which numbers are said to be far from those that fresh layers learn from.
const far = 10

// unscaled notes features and targets that are given as they are and far from 1, from which a fresh model learns next to nothing.
func (t *trainee) unscaled(c FinetuneConfig) {
	var features, targets sizes
	n := min(t.train.Len(), 200)
	for i := range n {
		e, err := t.train.Example(i * (t.train.Len() - 1) / max(n-1, 1)) // all over the set
		if err != nil || e.Picture {
			return // what cannot be read is said where it is
		}
		features.add(e.X)
		targets.add(e.Y)
	}
	if !c.Standardise && t.pre == nil && features.rms() > far {
		t.notes = append(t.notes, fmt.Sprintf("the features are as large as %.4g, and are given as they are: unless the model brings them to "+
			"its own unit or was trained on such numbers, --standardise makes their mean 0 and deviation 1, and stores that in the model",
			features.top))
	}
	_, done := t.File().Metadata(unitKey)
	if t.task.Kind == task.Regression && !c.StandardiseTargets && !done && targets.rms() > far {
		t.notes = append(t.notes, fmt.Sprintf("the targets are as large as %.4g: where the model has not learned them yet, "+
			"--standardise-targets trains in their standard deviations, and the model that is written gives their own unit", targets.top))
	}
}

// sizes is how large numbers are.
type sizes struct{ n, sum, top float64 }

func (s *sizes) add(x *tensor.Tensor) {
	if x == nil || !x.DType().IsFloat() {
		return
	}
	for _, v := range x.Float64s() {
		if !math.IsInf(v, 0) && !math.IsNaN(v) {
			s.n, s.sum, s.top = s.n+1, s.sum+v*v, max(s.top, math.Abs(v))
		}
	}
}

func (s *sizes) rms() float64 { return math.Sqrt(s.sum / max(s.n, 1)) }
