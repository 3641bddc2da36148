package task

import (
	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/tensor"
)

// follows reports whether the labels of e are the tokens of one of its arrays, each one place ahead: those of a language model.
func follows(e data.Example) bool {
	arrays := []*tensor.Tensor{e.X}
	for _, x := range e.Fields {
		arrays = append(arrays, x)
	}
	y := e.Y.Float64s()
	for _, t := range arrays {
		if t == nil || !t.DType().IsInt() || t.Rank() != 1 || t.Len() != len(y) || len(y) < 2 {
			continue
		}
		x, told := t.Float64s(), 0
		for k := range x[1:] {
			if y[k] == x[k+1] {
				told++
			} else if y[k] != Ignored {
				told = -len(x)
			}
		}
		if told > 0 {
			return true
		}
	}
	return false
}

// Predicts reports whether the classes of positions are the tokens that follow: the task is a language model's.
func (t *Task) Predicts() bool { return t.predicts() }

func (t *Task) predicts() bool { return t.text && (t.next || t.asked == "language-model") }
