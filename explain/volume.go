package explain

import (
	"fmt"

	"github.com/gtk-onnx/gtk/tensor"
)

// Volume is the activation or gradient of one image at one place: X[c,i,j] at X[(c*H+i)*W+j].
type Volume struct {
	C, H, W int
	X       []float32
}

// Channel is the plane of channel c, row-major.
func (v Volume) Channel(c int) []float32 { return v.X[c*v.H*v.W : (c+1)*v.H*v.W] }

// Plane is H*W, the number of positions.
func (v Volume) Plane() int { return v.H * v.W }

// volumeAt is image n of t [N,C,H,W], which must be float32; it shares t's storage.
func volumeAt(t *tensor.Tensor, n int) Volume {
	c, h, w := t.Dim(1), t.Dim(2), t.Dim(3)
	k := c * h * w
	return Volume{c, h, w, t.F32()[n*k : (n+1)*k]}
}

// check4D fails unless t is float32 [N,C,H,W] with at least one element.
func check4D(what string, t *tensor.Tensor) error {
	if t.Rank() != 4 || t.DType() != tensor.Float32 || t.Len() == 0 {
		return fmt.Errorf("explain: %s is %v; need float32 [N,C,H,W]", what, t)
	}
	return nil
}
