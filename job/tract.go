package job

import (
	"cmp"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/train"
)

// TrAct asks for the training of the first layer by TrAct (https://arxiv.org/abs/2410.23970).
type TrAct struct {
	Lambda float64 // its ridge; 0 means 0.1. Inputs should have unit variance
	Layer  string  // node to apply it to; "" finds the first layer
}

func (t *TrAct) lambda() float64 { return cmp.Or(t.Lambda, 0.1) }

// TrActReport describes the layer that TrAct changes: Inputs n and, in a batch, Rows N of the paper.
type TrActReport struct {
	Layer  string  `json:"layer"`
	Weight string  `json:"weight"`
	Inputs int     `json:"n"`
	Rows   int     `json:"rows"`
	Lambda float64 `json:"lambda"`

	// Of the first step: the system that is solved has n equations (primal) or, where a step has fewer rows, N (dual).
	Form       string `json:"form,omitempty"`
	MeanSquare Number `json:"mean_square"` // of the inputs; lambda is meant for 1
	Condition  Number `json:"condition"`   // of their second moment plus lambda·I
}

// found adds what the first step found.
func (r *TrActReport) found(l *train.TrActLayer) {
	if l == nil || l.Inputs == 0 {
		return
	}
	r.Inputs, r.Rows, r.MeanSquare, r.Condition, r.Form = l.Inputs, l.Rows, Number(l.Square), Number(l.Condition), "primal"
	if l.Dual {
		r.Form = "dual"
	}
}

// tractReport describes the layer that TrAct changes.
func (f *finetuning) tractReport() (*TrActReport, error) {
	l, err := f.cfg.TrAct.Find(f.Model.Model, func(n string) bool { return slices.Contains(f.cfg.Params, n) })
	if err != nil {
		return nil, usagef("%v", err)
	}
	w, err := f.Param(l.Weight)
	if err != nil {
		return nil, err
	}
	j := &TrActReport{Layer: l.Node.Name, Weight: l.Weight, Lambda: f.c.TrAct.lambda(), Inputs: w.Value.Len() / max(1, w.Value.Dim(0)),
		MeanSquare: Number(math.NaN()), Condition: Number(math.NaN())}
	j.Rows = f.cfg.Batch(f.train.Len())
	if l.Node.Op.Name != "Conv" {
		if h := w.Value.Shape(); len(h) == 2 {
			j.Inputs = tractInputs(l, h)
		}
		return j, nil
	}
	ins, err := f.Inspect(f.Sizes(j.Rows))
	if err != nil {
		return nil, err
	}
	for _, layer := range ins.Layers {
		if layer.Name == l.Node.Name && len(layer.Shape) > 2 {
			for _, d := range layer.Shape[2:] {
				j.Rows *= max(1, d.Size)
			}
		}
	}
	return j, nil
}

// tractInputs is the number of inputs of a dense layer with a weight of shape s: axis 1 when it is stored transposed.
func tractInputs(l *train.TrActLayer, s []int) int {
	if l.TransB {
		return s[1]
	}
	return s[0]
}
