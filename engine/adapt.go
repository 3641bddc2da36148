package engine

import (
	"fmt"

	"github.com/gtk-onnx/gtk/tensor"
)

// Adapt is the batch x [N,…] in the form that the input takes: other floating-point numbers are converted, and examples of another rank
// but as many numbers are reshaped, such as rows [N,F] for an input [N,F,1,1]. What cannot be adapted is returned as it is, for Run to
// judge.
func (io IO) Adapt(x *tensor.Tensor) (*tensor.Tensor, error) {
	if x.Rank() > 0 && x.Rank() != len(io.Dims) && len(io.Dims) > 1 {
		shape, n := tensor.Shape{x.Dim(0)}, 1
		for _, d := range io.Dims[1:] {
			shape = append(shape, d.Size)
			n *= d.Size
			if d.Size <= 0 {
				n = -1
				break
			}
		}
		if x.Dim(0) > 0 && n == x.Len()/x.Dim(0) {
			x = x.Reshape(shape...)
		}
	}
	if x.DType() == io.DType || !x.DType().IsFloat() || !io.DType.IsFloat() {
		return x, nil
	}
	y, err := x.Convert(io.DType)
	if err != nil {
		return nil, fmt.Errorf("engine: input %v: %w", io, err)
	}
	return y, nil
}
