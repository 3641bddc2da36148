package data

import (
	"cmp"
	"fmt"
	"image"
	"math/bits"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/tensor"
)

// Input is one input of a model, read from a file.
type Input struct {
	X        *tensor.Tensor  // picture: [1,C,H,W] (or [1,H,W,C]) as the model wants it; a tensor as it is, with all its axes
	Shown    image.Image     // what the model sees of a picture, before mean and std, 8 bits a channel; nil for tensors
	Original image.Image     // the whole picture, upright, likewise; nil for tensors
	Box      image.Rectangle // the part of Original that Shown shows, see Preprocess.Box
	Notes    []string        // what is remarkable about the picture, see Notes
}

// LoadInput reads one input of a model: a picture, which is preprocessed, or a tensor file (.npy, others through o.TensorFile).
func LoadInput(path string, pre Preprocess, o Options) (Input, error) {
	ext := strings.ToLower(filepath.Ext(path))
	if err := ordinary(path); err != nil {
		return Input{}, err
	}
	switch {
	case ext == ".npy":
		arrays, err := tensor.ReadFileLimited(path, tensor.Limits{MaxBytes: o.Limits.bytes()})
		if err != nil {
			return Input{}, fmt.Errorf("data: %w", err)
		}
		return Input{X: arrays[0].Tensor}, nil
	case kindByName(path) != nil || sniffFile(path) != nil:
	case o.TensorFile != nil:
		x, err := o.TensorFile(path)
		return Input{X: x}, err
	default:
		return Input{}, malformed(path, "", "need a picture ("+readable+") or a .npy file", "extension %q is not known", ext)
	}
	if err := pre.Validate(); err != nil {
		return Input{}, err
	}
	p := &pictures{limits: o.Limits, alpha: cmp.Or(o.Alpha, pre.Alpha)}
	if err := checkAlpha(path, p.alpha); err != nil {
		return Input{}, err
	}
	var t turn
	defer t.over()
	raw, err := p.read(&t, 0, path)
	if err != nil {
		return Input{}, err
	}
	if err := t.need(8*int64(raw.Len()), "the picture "+path); err != nil { // to look at
		return Input{}, fmt.Errorf("data: %w", err)
	}
	in, err := pre.Input(raw)
	if err != nil {
		return Input{}, fmt.Errorf("%s: %w", path, err)
	}
	in.Notes = p.remarks.notes(p.alpha, func(int) string { return path })
	return in, nil
}

// Input is the picture x, uint8 or uint16 [C,H,W], as an input of a model, with what of it the model sees.
func (p Preprocess) Input(x *tensor.Tensor) (Input, error) {
	pic, err := p.Picture(x)
	if err != nil {
		return Input{}, err
	}
	in := Input{X: tensor.New(tensor.Float32, append(tensor.Shape{1}, p.shape(pic)...)...)}
	if err := p.normalise(in.X.F32(), pic); err != nil {
		return Input{}, err
	}
	if in.Box, err = p.Box(x.Dim(2), x.Dim(1)); err != nil {
		return Input{}, err
	}
	n := depth(x)
	in.Shown, in.Original = raster{x: bytesOf(pic, n)}.image(), raster{x: bytesOf(x, n)}.image()
	return in, nil
}

// depth is the number of bits that the values of a picture take, at least 8. One or two that are free of 16 are a dark picture's.
func depth(x *tensor.Tensor) int {
	if x.DType() != tensor.Uint16 {
		return 8
	}
	if n := bits.Len16(slices.Max(tensor.Data[uint16](x))); n <= 14 {
		return max(n, 8)
	}
	return 16
}

// bytesOf is a picture with the upper 8 of n bits, for people to look at.
func bytesOf(x *tensor.Tensor, n int) *tensor.Tensor {
	if x.DType() != tensor.Uint16 {
		return x
	}
	out := tensor.New(tensor.Uint8, x.Shape()...)
	for i, v := range tensor.Data[uint16](x) {
		out.Bytes()[i] = uint8(min(v>>(n-8), 255))
	}
	return out
}
