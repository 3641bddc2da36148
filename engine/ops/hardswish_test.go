package ops

import (
	"math"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// The gradient jumps exactly at -3 and 3.
func TestHardSwishGradEnds(t *testing.T) {
	x := f32(-inf, -4, -3, math.Nextafter32(-3, 0), 0, 2.999, math.Nextafter32(3, 0), 3, math.Nextafter32(3, 4), 1e30, inf)
	dy := tensor.New(tensor.Float32, x.Len())
	for i := range dy.F32() {
		dy.F32()[i] = 2
	}
	out, err := evaluate(t, HardSwishGrad, nil, 1, x, dy)
	if err != nil {
		t.Fatal(err)
	}
	want := f32(0, 0, 0, -1, 1, 2*(2.999/3.+0.5), 3, 2, 2, 2, 2)
	if ok, report := tensor.AllClose(out[0], want, 1e-6, 0); !ok {
		t.Errorf("%v: got %s", report, tensor.Format(out[0]))
	}
}
