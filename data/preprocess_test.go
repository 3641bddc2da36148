package data

import (
	"bytes"
	"encoding/json"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestResizeEqualsPillow compares with Image.resize(size, BILINEAR, box) of Pillow 9.4, byte for byte.
func TestResizeEqualsPillow(t *testing.T) {
	var cases []struct {
		H, W, OH, OW int
		Box          []float64 // x0, y0, x1, y1
		Src, Dst     []int
	}
	b := must(os.ReadFile("testdata/resize_pillow.json"))(t)
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		if c.Box == nil {
			c.Box = []float64{0, 0, float64(c.W), float64(c.H)}
		}
		src, got := make([]uint8, len(c.Src)), make([]uint8, c.OH*c.OW)
		for i, v := range c.Src {
			src[i] = uint8(v)
		}
		wr, hr := newResizer(c.W, c.Box[0], c.Box[2], c.OW), newResizer(c.H, c.Box[1], c.Box[3], c.OH)
		resizePlane(got, src, c.H, c.W, wr, hr)
		for i, w := range c.Dst {
			if int(got[i]) != w {
				t.Errorf("%dx%d to %dx%d: pixel %d is %d, Pillow has %d", c.H, c.W, c.OH, c.OW, i, got[i], w)
			}
		}
		// A part of the result is the part of the whole.
		part := make([]uint8, (c.OH-1)*(c.OW-1))
		resizePlane(part, src, c.H, c.W, wr.part(1, c.OW-1), hr.part(1, c.OH-1))
		for i, v := range part {
			if want := got[(i/(c.OW-1)+1)*c.OW+i%(c.OW-1)+1]; v != want {
				t.Errorf("part: pixel %d is %d, want %d", i, v, want)
			}
		}
	}
}

// TestKnownModels applies the preprocessing of the models of the documentation to one colour.
func TestKnownModels(t *testing.T) {
	const r, g, b = 200, 100, 50
	const grey = 124 // (299·200 + 587·100 + 114·50)/1000 = 124.2
	for name, c := range map[string]struct {
		json  string
		shape tensor.Shape
		want  []float64 // per channel
	}{
		"squeezenet": {`{"resize":256,"image_size":[224,224],"channels":"bgr","scale":1,"mean":[104,117,123]}`, tensor.Shape{3, 224, 224},
			[]float64{b - 104, g - 117, r - 123}},
		"mobilenet": {`{"resize":256,"image_size":[224,224],"channels":"rgb","scale":0.00784313725490196,"mean":[1]}`,
			tensor.Shape{3, 224, 224}, []float64{r/127.5 - 1, g/127.5 - 1, b/127.5 - 1}},
		"resnet20": {`{"channels":"rgb","mean":[0.485,0.456,0.406],"std":[0.229,0.224,0.225]}`, tensor.Shape{3, 30, 40},
			[]float64{(r/255. - .485) / .229, (g/255. - .456) / .224, (b/255. - .406) / .225}},
		"mnist": {`{"channels":"gray","mean":[0.1307],"std":[0.3081]}`, tensor.Shape{1, 30, 40},
			[]float64{(grey/255. - .1307) / .3081}},
		"mnist-7": {`{"channels":"gray","scale":1}`, tensor.Shape{1, 30, 40}, []float64{grey}},
		"ultraface": {`{"image_size":[240,320],"crop":"none","channels":"rgb","scale":1,"mean":[127],"std":[128]}`,
			tensor.Shape{3, 240, 320}, []float64{(r - 127) / 128., (g - 127) / 128., (b - 127) / 128.}},
		"default": {`{}`, tensor.Shape{3, 30, 40}, []float64{r / 255., g / 255., b / 255.}},
	} {
		p := must(ParsePreprocess(c.json))(t)
		if again := must(ParsePreprocess(p.String()))(t); again.String() != p.String() {
			t.Errorf("%s: %s reads back as %s", name, p, again)
		}
		img := flat(40, 30, color.NRGBA{r, g, b, 255})
		x := must(p.ApplyImage(img))(t)
		if !x.Shape().Equal(c.shape) {
			t.Errorf("%s: %v, want %v", name, x, c.shape)
			continue
		}
		n := x.Len() / len(c.want)
		for k, w := range c.want {
			for _, i := range []int{0, n / 2, n - 1} {
				if got := float64(x.F32()[k*n+i]); math.Abs(got-w) > 1e-6*max(1, math.Abs(w)) {
					t.Errorf("%s: channel %d is %v, want %v", name, k, got, w)
				}
			}
		}
		// Channels last is the same numbers in another order.
		p.Layout = "nhwc"
		last := must(p.ApplyImage(img))(t)
		for i, v := range last.F32() {
			if c := len(c.want); v != x.F32()[i%c*n+i/c] {
				t.Fatalf("%s: nhwc value %d is %v", name, i, v)
			}
		}
		shown := denormalise(t, p, last)
		if pic := must(p.Picture(FromImage(img)))(t); !bytes.Equal(shown.Bytes(), pic.Bytes()) {
			t.Errorf("%s: denormalised picture %v differs from %v", name, shown.Bytes()[:3], pic.Bytes()[:3])
		}
	}
}

// denormalise is the picture [C,H,W] that x, [H,W,C] as p makes it, came from, clipped to 0..255.
func denormalise(t *testing.T, p Preprocess, x *tensor.Tensor) *tensor.Tensor {
	t.Helper()
	h, w, c := x.Dim(0), x.Dim(1), x.Dim(2)
	pic := tensor.New(tensor.Uint8, c, h, w)
	for k := range c {
		mean, std, err := p.affine(k, c)
		if err != nil {
			t.Fatal(err)
		}
		to := k
		if p.Channels == "bgr" {
			to = c - 1 - k
		}
		for i := range h * w {
			v := (float64(x.F32()[i*c+k])*std + mean) / p.scale()
			pic.Bytes()[to*h*w+i] = uint8(math.Round(min(max(v, 0), 255)))
		}
	}
	return pic
}

func TestGeometry(t *testing.T) {
	for _, c := range []struct {
		p            Preprocess
		h, w         int
		rh, rw, y, x int
		oh, ow       int
	}{
		{Preprocess{Resize: 256, ImageSize: [2]int{224, 224}}, 480, 640, 256, 341, 16, 58, 224, 224}, // (341-224)/2 = 58.5 to even
		{Preprocess{Resize: 256, ImageSize: [2]int{224, 224}}, 640, 480, 341, 256, 58, 16, 224, 224},
		{Preprocess{ImageSize: [2]int{224, 224}}, 480, 640, 224, 298, 0, 37, 224, 224},
		{Preprocess{Resize: 100}, 50, 75, 100, 150, 0, 0, 100, 150},
		{Preprocess{ImageSize: [2]int{240, 320}, Crop: "none"}, 100, 100, 240, 320, 0, 0, 240, 320},
		// larger than Resize, or the crop would not fit
		{Preprocess{Resize: 10, ImageSize: [2]int{20, 40}}, 30, 30, 40, 40, 10, 0, 20, 40},
		{Preprocess{ImageSize: [2]int{7, 5}}, 1, 1000, 7, 7000, 0, 3498, 7, 5},
		{Preprocess{}, 33, 44, 33, 44, 0, 0, 33, 44},
	} {
		g := must(c.p.plan(c.h, c.w, nil))(t)
		if got, want := [6]int{g.rh, g.rw, g.top, g.left, g.height, g.width}, [6]int{c.rh, c.rw, c.y, c.x, c.oh, c.ow}; got != want {
			t.Errorf("%v of %dx%d: %v, want %v", c.p, c.h, c.w, got, want)
		}
	}
	for h := 1; h < 40; h++ { // the crop always fits
		for w := 1; w < 40; w++ {
			g := must(Preprocess{Resize: 9, ImageSize: [2]int{8, 13}}.plan(h, w, nil))(t)
			if g.top < 0 || g.left < 0 || g.top+8 > g.rh || g.left+13 > g.rw {
				t.Fatalf("%dx%d: crop %+v", h, w, g)
			}
		}
	}
	if _, err := (Preprocess{ImageSize: [2]int{9000, 9000}}).plan(1, 1<<20, nil); err == nil {
		t.Error("a picture of a million pixels in a row is enlarged")
	}
}

func TestPreprocessSettings(t *testing.T) {
	var p Preprocess
	for _, kv := range [][2]string{{"image-size", "24x32"}, {"resize", "40"}, {"crop", "center"}, {"channels", "BGR"}, {"layout", "nhwc"},
		{"scale", "1/127.5"}, {"mean", "1,0.5, 1/4"}, {"std", "2"}} {
		if err := p.Set(kv[0], kv[1]); err != nil {
			t.Fatal(err)
		}
	}
	want := `{"image_size":[24,32],"resize":40,"crop":"center","channels":"bgr","layout":"nhwc","scale":0.00784313725490196,"mean":[1,0.5,0.25],"std":[2]}`
	if p.String() != want {
		t.Errorf("got %s\nwant %s", p, want)
	}
	for _, kv := range [][2]string{{"image-size", "-3"}, {"image-size", "1x2x3"}, {"image-size", "99999"}, {"resize", "x"},
		{"crop", "left"}, {"channels", "cmyk"}, {"layout", "hw"}, {"scale", "1/0"}, {"mean", "NaN"}, {"std", "0"}, {"mean", "1,2"},
		{"sdt", "1"}} {
		q := Preprocess{Channels: "rgb"}
		if err := q.Set(kv[0], kv[1]); err == nil {
			t.Errorf("%s=%s is accepted", kv[0], kv[1])
		}
	}
	for _, s := range []string{`{"blur":3}`, `[]`, `{"std":[0]}`, ``} {
		if _, err := ParsePreprocess(s); err == nil {
			t.Errorf("%q is accepted", s)
		}
	}
	if err := p.Set("sdt", "1"); err == nil || !strings.Contains(err.Error(), `did you mean "std"`) {
		t.Errorf("misspelt setting: %v", err)
	}
	grey := FromImage(flat(4, 4, color.NRGBA{A: 255}))
	if _, err := (Preprocess{Mean: []float64{1, 2}}).Apply(grey); err == nil {
		t.Error("two means for three channels")
	}
	if _, err := (Preprocess{}).Apply(tensor.New(tensor.Float32, 3, 4, 4)); err == nil {
		t.Error("floats are no picture")
	}
}

func TestMaskFollowsThePicture(t *testing.T) {
	mask := tensor.New(tensor.Uint8, 20, 40)
	for y := range 20 {
		for x := 20; x < 40; x++ {
			mask.Bytes()[y*40+x] = 1
		}
	}
	got := must(Preprocess{Resize: 10, ImageSize: [2]int{8, 8}, Channels: "rgb"}.Mask(mask))(t)
	for i, v := range got.Bytes() {
		want := uint8(0)
		if i%8 >= 4 {
			want = 1
		}
		if v != want {
			t.Fatalf("mask %v", got.Bytes())
		}
	}
}

func TestApplyTensor(t *testing.T) {
	p := Preprocess{Scale: 1, Mean: []float64{1, 2}, Std: []float64{1, 10}, Tensors: true}
	x := must(p.ApplyTensor(tensor.From([]float64{1, 2, 3, 12, 22, 32}, 2, 3)))(t)
	if !slices.Equal(x.F32(), []float32{0, 1, 2, 1, 2, 3}) {
		t.Errorf("%v", x.F32())
	}
	if _, err := p.ApplyTensor(tensor.FromStrings([]string{"a"}, 1)); err == nil {
		t.Error("strings are numbers")
	}
}

func TestLoadInput(t *testing.T) {
	dir := t.TempDir()
	pic := write1(t, filepath.Join(dir, "a.png"), pngOf(flat(8, 6, color.NRGBA{255, 0, 51, 255})))
	in, err := LoadInput(pic, Preprocess{ImageSize: [2]int{4, 4}}, Options{})
	if err != nil || !in.X.Shape().Equal(tensor.Shape{1, 3, 4, 4}) || in.X.F32()[0] != 1 || in.Shown.Bounds().Dx() != 4 {
		t.Errorf("%v %v", in.X, err)
	}
	var b bytes.Buffer
	if err := tensor.WriteNPY(&b, tensor.From([]int64{1, 2}, 2)); err != nil {
		t.Fatal(err)
	}
	in, err = LoadInput(write1(t, filepath.Join(dir, "x.npy"), b.Bytes()), Preprocess{Scale: 3}, Options{})
	if err != nil || in.Shown != nil || !slices.Equal(in.X.I64(), []int64{1, 2}) {
		t.Errorf("%v %v", in.X, err)
	}
	_, err = LoadInput("x.pb", Preprocess{}, Options{})
	wantFormatError(t, err, ".pb", ".npy")
	in, err = LoadInput("x.pb", Preprocess{},
		Options{TensorFile: func(string) (*tensor.Tensor, error) { return tensor.Scalar(float32(4)), nil }})
	if err != nil || in.X.F32()[0] != 4 {
		t.Errorf("%v %v", in.X, err)
	}
}

// TestGoldenInputs compares with inputs that were made by other tools from the same pictures.
func TestGoldenInputs(t *testing.T) {
	for _, c := range []struct {
		golden, image, json string
		near                float64
	}{
		{"mobilenet_v1_0.25_224/kitten_224", "kitten_224.png",
			`{"resize":256,"image_size":[224,224],"scale":0.00784313725490196,"mean":[1]}`, 1e-6},
		{"squeezenet1.1_fp32_opset7/kitten_224", "kitten_224.png",
			`{"resize":256,"image_size":[224,224],"channels":"bgr","scale":1,"mean":[104,117,123]}`, 1e-4},
		// JPEG
		{"squeezenet1.1_fp32_opset7/bald_eagle", "bald_eagle.jpeg",
			`{"resize":256,"image_size":[224,224],"channels":"bgr","scale":1,"mean":[104,117,123]}`, 2},
	} {
		want := rawFloats(t, must(os.ReadFile(testkit.SharedFile(t, "data", "models", "golden", c.golden, "input_0.pb")))(t), 3*224*224)
		p := must(ParsePreprocess(c.json))(t)
		x := must(LoadInput(testkit.SharedFile(t, "data", "images", c.image), p, Options{}))(t).X
		worst, sum := 0.0, 0.0
		for i, v := range x.F32() {
			d := math.Abs(float64(v - want[i]))
			worst, sum = max(worst, d), sum+d
		}
		t.Logf("%s: greatest difference %.3g, mean %.3g", c.golden, worst, sum/float64(x.Len()))
		if worst > c.near {
			t.Errorf("%s: greatest difference %v", c.golden, worst)
		}
	}
}

// rawFloats is the last n floats of a TensorProto whose raw_data is its largest field.
func rawFloats(t *testing.T, file []byte, n int) []float32 {
	t.Helper()
	tag := []byte{0x4A} // field 9, length-delimited
	for l := uint64(4 * n); ; l >>= 7 {
		if l < 0x80 {
			tag = append(tag, byte(l))
			break
		}
		tag = append(tag, byte(l)|0x80)
	}
	at := bytes.Index(file, tag)
	if at < 0 {
		t.Fatalf("no raw_data of %d floats", n)
	}
	x := must(tensor.FromBytes(tensor.Float32, []int{n}, file[at+len(tag):at+len(tag)+4*n]))(t)
	return x.F32()
}
