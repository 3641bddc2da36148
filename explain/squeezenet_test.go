package explain

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"testing"

	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// bgrInput is a 224x224 picture as SqueezeNet takes it: BGR in 0..255 minus (104,117,123).
func bgrInput(img image.Image) *tensor.Tensor {
	x := tensor.New(tensor.Float32, 1, 3, 224, 224)
	d := x.F32()
	for i := range 224 * 224 {
		c := color.NRGBAModel.Convert(img.At(i%224, i/224)).(color.NRGBA)
		d[i], d[224*224+i], d[2*224*224+i] = float32(c.B)-104, float32(c.G)-117, float32(c.R)-123
	}
	return x
}

// TestDogAndCat explains a picture with a dog above and a cat below for both: maps that tell classes apart must have their centres of
// mass in the halves where the animals are, and clearly apart.
func TestDogAndCat(t *testing.T) {
	model := testkit.SharedFile(t, "data", "models", "squeezenet1.1_fp32_opset7.onnx")
	picture := testkit.SharedFile(t, "data", "images", "gradcam_both.png")
	m, err := onnx.ReadFile(model)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(picture)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	const bullMastiff, tigerCat = 243, 282
	e := explainer(t, load(t, m), Config{
		Requests: []Request{{"gradcam", nil}, {"gradcam++", nil}, {"smooth-gradcam++", Options{"n": "3"}}},
		Targets:  []Target{Argmax, Class(tigerCat)},
	})
	out := run(t, e, bgrInput(img))[0]
	if top := out.Top[0]; top.Class != bullMastiff {
		t.Errorf("predicted %+v, want class %d", top, bullMastiff)
	}
	if e.Head().Activation != "Softmax" || e.Layers()[0] != "conv10_2" {
		t.Errorf("score %+v, layers %v", e.Head(), e.Layers())
	}
	centre := map[string]map[int]float64{}
	for _, m := range out.Maps {
		var mass, moment float64
		for i, v := range m.Heat {
			mass += float64(v)
			moment += float64(v) * float64(i/m.W)
		}
		if centre[m.Method] == nil {
			centre[m.Method] = map[int]float64{}
		}
		centre[m.Method][m.Target.Class] = moment / mass / float64(m.H)
	}
	for method, y := range centre {
		if dog, cat := y[bullMastiff], y[tigerCat]; dog > 0.5 || cat < 0.5 || cat-dog < 0.15 {
			t.Errorf("%s: the centre of the dog's map is %.2f of the way down, of the cat's %.2f", method, dog, cat)
		}
	}
}
