package data

import (
	"slices"

	"github.com/gtk-onnx/gtk/tensor"
)

// alphas is what can be done with the alpha of a picture: dropped, so that colours count which nobody sees, as Pillow's convert("RGB")
// and so torchvision do; or the picture is laid on white or on black.
var alphas = []string{"drop", "white", "black"}

func checkAlpha(path, s string) error {
	if s != "" && !slices.Contains(alphas, s) {
		return malformed(path, "", didYouMean(s, alphas), "alpha %q", s)
	}
	return nil
}

// flat is the planes of r without alpha, "" standing for drop. What is laid on a ground takes the place of what was there.
func (r raster) flat(alpha string) *tensor.Tensor {
	if r.alpha == nil || alpha == "" || alpha == "drop" {
		return r.x
	}
	if r.x.DType() == tensor.Uint16 {
		lay(tensor.Data[uint16](r.x), tensor.Data[uint16](r.alpha), 65535, alpha == "white")
	} else {
		lay(r.x.Bytes(), r.alpha.Bytes(), 255, alpha == "white")
	}
	return r.x
}

// lay composes planes over white or black, rounded to nearest as Pillow's paste does.
func lay[T uint8 | uint16](x, alpha []T, most uint64, white bool) {
	var ground uint64
	if white {
		ground = most
	}
	for i, v := range x {
		a := uint64(alpha[i%len(alpha)])
		x[i] = T((uint64(v)*a + ground*(most-a) + most/2) / most)
	}
}
