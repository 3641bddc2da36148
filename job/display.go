package job

import (
	"image"
	"slices"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/tensor"
)

// displayedImage is displayed of an image, which is not copied where nothing changes.
func displayedImage(img image.Image, pre *data.Preprocess) (image.Image, error) {
	if pre == nil || pre.Scale*255 < 1.5 {
		return img, nil
	}
	return displayed(data.FromImage(img), pre)
}

// displayed is the picture x for people to look at. Pictures that do not use the range of a byte, such as the digits with values of
// 0..16, are brightened as their preprocessing says.
func displayed(x *tensor.Tensor, pre *data.Preprocess) (image.Image, error) {
	if pre == nil || pre.Scale*255 < 1.5 || x.DType() != tensor.Uint8 || x.Len() == 0 || float64(slices.Max(x.Bytes()))*pre.Scale > 1.001 {
		return data.ToImage(x)
	}
	y := x.Clone()
	for i, v := range y.Bytes() {
		y.Bytes()[i] = byte(min(255, float64(v)*pre.Scale*255+0.5))
	}
	return data.ToImage(y)
}
