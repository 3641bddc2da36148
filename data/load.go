package data

import (
	"fmt"
	"image"
	"path/filepath"
	"strings"

	"github.com/gtk-onnx/gtk/tensor"
)

// LoadImageOrTensor reads one model input. A picture is preprocessed to [1,C,H,W] (or [1,H,W,C]), and shown is what the model sees of it, before
// mean and std. A tensor file (.npy, others through o.TensorFile) is given as it is, with all its axes; shown is then nil.
func LoadImageOrTensor(path string, pre Preprocess, o Options) (x *tensor.Tensor, shown image.Image, err error) {
	ext := strings.ToLower(filepath.Ext(path))
	switch {
	case ext == ".npy":
		arrays, err := tensor.ReadFileLimited(path, tensor.Limits{MaxBytes: o.Limits.bytes()})
		if err != nil {
			return nil, nil, fmt.Errorf("data: %w", err)
		}
		return arrays[0].Tensor, nil, nil
	case isImage(path):
	case o.TensorFile != nil:
		x, err := o.TensorFile(path)
		return x, nil, err
	default:
		return nil, nil, malformed(path, "", "need a picture (png, jpeg, webp, bmp, tiff, gif) or a .npy file", "extension %q is not known", ext)
	}
	if err := pre.Validate(); err != nil {
		return nil, nil, err
	}
	raw, err := loadPicture(path, o.Limits)
	if err != nil {
		return nil, nil, err
	}
	pic, err := pre.Picture(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	x = tensor.New(tensor.Float32, append(tensor.Shape{1}, pre.shape(pic)...)...)
	if err := pre.normalise(x.F32(), pic); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	shown, err = ToImage(pic)
	return x, shown, err
}
