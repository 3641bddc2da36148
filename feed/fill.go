package feed

import (
	"github.com/gtk-onnx/gtk/internal/memory"
	"github.com/gtk-onnx/gtk/tensor"
)

// mostFilled is how many bytes a constant, or what fills up the batch that a model takes, may have: the sizes are the model's claim.
const mostFilled = 768 << 20

const filling = "filling up an input to the size that the model takes"

// filled is a new tensor for what only fills an input.
func filled(d tensor.DType, shape ...int) (*tensor.Tensor, error) {
	if err := mayFill(d, shape); err != nil {
		return nil, err
	}
	return tensor.Make(filling, d, shape...)
}

// mayFill refuses a tensor for what only fills an input that is too large. A size that is set with --max-memory is the only limit then.
func mayFill(d tensor.DType, shape tensor.Shape) error {
	n, err := shape.CheckedLen(d)
	if err != nil {
		return err
	}
	if _, chosen := memory.Budget(); !chosen && d.Size(n) > mostFilled {
		return &memory.Error{What: filling, Need: int64(d.Size(n)), Left: mostFilled}
	}
	return nil
}
