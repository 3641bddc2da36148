package feed

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/tensor"
)

// Adapt is the batch x [N,…] in the form that an input takes: examples of another rank but as many numbers are reshaped, such as rows
// [N,F] for an input [N,F,1,1] or pictures [N,H,W] for [N,1,H,W]; element types are converted as Convert does. Other shapes are left to
// the engine to judge.
func Adapt(io engine.IO, x *tensor.Tensor) (*tensor.Tensor, error) {
	x, err := Convert(x, io.DType)
	if err != nil || x.Rank() == 0 || x.Rank() == len(io.Dims) || len(io.Dims) < 1 || x.Dim(0) == 0 {
		return x, err
	}
	if shape := fitting(io, x.Shape()); shape != nil {
		x = x.Reshape(shape...)
	}
	return x, nil
}

// fitting is a shape of io's rank for examples of shape s [N,…], nil when there is none: axes of one are added or dropped, and where every
// axis but the batch is declared, the same number of elements will do.
func fitting(io engine.IO, s tensor.Shape) tensor.Shape {
	shape, n := tensor.Shape{s[0]}, 1
	for _, d := range io.Dims[1:] {
		shape, n = append(shape, d.Size), n*d.Size
		if d.Size <= 0 {
			n = -1
			break
		}
	}
	if n == s[1:].Len() {
		return shape
	}
	// Free axes: the axes of s in their order, with the declared ones between.
	shape = tensor.Shape{s[0]}
	var rest tensor.Shape
	for _, d := range s[1:] {
		if d != 1 {
			rest = append(rest, d)
		}
	}
	free := len(rest)
	for _, d := range io.Dims[1:] {
		if d.Size == 1 {
			shape = append(shape, 1)
			continue
		}
		if free == 0 && d.Size > 1 {
			return nil
		}
		if free == 0 {
			shape = append(shape, 1)
			continue
		}
		at := rest[len(rest)-free]
		if d.Size > 0 && d.Size != at {
			return nil
		}
		shape, free = append(shape, at), free-1
	}
	if free > 0 || shape.Len() != s.Len() {
		return nil
	}
	return shape
}

// Convert is x in element type d. Real numbers are rounded to another width of real numbers, and whole numbers to the nearest of 32 or 64
// bits, as a decimal would be; everything else must stay the number that it is: int64 token ids fit int32, class numbers stored as floats
// convert, 0.5 does not become an integer.
func Convert(x *tensor.Tensor, d tensor.DType) (*tensor.Tensor, error) {
	from := x.DType()
	if from == d {
		return x, nil
	}
	number := func(t tensor.DType) bool { return t.IsFloat() || t.IsInt() || t == tensor.Bool }
	if from == tensor.String && number(d) {
		return nil, fmt.Errorf("the data have text, the input takes %v: write one column of 0 and 1 for each value, or number the values", d)
	}
	if !number(from) || !number(d) {
		return nil, fmt.Errorf("has type %v, want %v", from, d)
	}
	out, err := x.Convert(d)
	if err != nil || from.IsFloat() && d.IsFloat() || d == tensor.Float32 || d == tensor.Float64 {
		return out, err
	}
	if back, err := out.Convert(from); err != nil || !tensor.Equal(back, x) {
		return nil, fmt.Errorf("numbers of type %v do not fit %v", from, d)
	}
	return out, nil
}

// constant is the constant t for an input of n examples. One number fills the declared shape, free axes having the extents of the same
// symbols in sizes (the first axis that of the batch); a tensor of one example is repeated; any other is fed as it is.
func constant(io engine.IO, t *tensor.Tensor, n int, sizes map[string]int) (*tensor.Tensor, error) {
	t, err := Convert(t, io.DType)
	if err != nil {
		return nil, err
	}
	if whole(io, t) {
		return t, nil
	}
	if t.Len() == 1 {
		shape := make(tensor.Shape, len(io.Dims))
		for k, d := range io.Dims {
			switch size, known := sizes[d.Symbol]; {
			case d.Size >= 0:
				shape[k] = d.Size
			case known && d.Symbol != "":
				shape[k] = size
			case k == 0:
				shape[k] = n
			default:
				return nil, fmt.Errorf("axis %d has no fixed size that one number could fill; give a file, --set %s=FILE.npy", k, io.Name)
			}
		}
		if len(io.Dims) > 1 && io.Dims[0].Size == 1 && sizes[io.Dims[0].Symbol] == 0 {
			shape[0] = n // freed of its batch of one, or fed one at a time
		}
		return repeat(t, shape)
	}
	one := t.Shape()
	if t.Rank() == len(io.Dims) {
		one = one[1:]
	}
	return repeat(t, append(tensor.Shape{n}, one...))
}

// whole reports whether the input gets the constant t as it is, however many examples there are: it is neither one number nor one example.
func whole(io engine.IO, t *tensor.Tensor) bool {
	switch {
	case io.Dims == nil:
		return true
	case t.Len() == 1, t.Rank() == len(io.Dims)-1:
		return false
	}
	return t.Rank() != len(io.Dims) || t.Rank() == 0 || t.Dim(0) != 1 || io.Dims[0].Size >= 0
}

// repeat is t over and over, as a tensor of the given shape.
func repeat(t *tensor.Tensor, shape tensor.Shape) (*tensor.Tensor, error) {
	out, err := filled(t.DType(), shape...)
	if err != nil {
		return nil, err
	}
	for b, size := out.Bytes(), len(t.Bytes()); len(b) > 0 && size > 0; b = b[size:] {
		copy(b, t.Bytes())
	}
	return out, nil
}
