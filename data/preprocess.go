package data

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/tensor"
)

// MetadataKey is the key of a model's metadata_props under which its Preprocess travels as JSON.
const MetadataKey = "gtk.preprocess"

// Preprocess is what happens between a picture and a model, in this order: grey or RGB, resize, centre crop, order of
// the channels, (x·Scale − Mean) / Std on values x in 0..255, layout. The zero value keeps size and channels and
// scales to 0..1.
//
// Mean and Std are in units of x·Scale and in the order of the channels as the model gets them. Known models:
//
//	SqueezeNet 1.1     Resize 256, ImageSize 224, Channels bgr, Scale 1, Mean 104,117,123
//	MobileNet v1       Resize 256, ImageSize 224, Channels rgb, Scale 1/127.5, Mean 1
//	torchvision        Resize 256, ImageSize 224, Channels rgb, Scale 1/255, Mean .485,.456,.406, Std .229,.224,.225
//	ResNet-20 (CIFAR)  Channels rgb, Scale 1/255, Mean .485,.456,.406, Std .229,.224,.225
//	MNIST (PyTorch)    Channels gray, Scale 1/255, Mean .1307, Std .3081
//	mnist-7 (CNTK)     Channels gray, Scale 1
//	UltraFace RFB-320  ImageSize 240x320, Crop none, Channels rgb, Scale 1, Mean 127, Std 128
//
// Resizing is bilinear with antialiasing and equals Pillow's byte for byte. Decoded JPEG and lossy WebP pictures are within
// a few levels of Pillow's, almost all pixels equal; all other formats are equal, but for 16 bits a channel, which are kept.
type Preprocess struct {
	// ImageSize is height and width of the result; 0,0 keeps what Resize gives.
	ImageSize [2]int `json:"image_size,omitzero"`
	// Resize is the length of the short side before the crop, torchvision.transforms.Resize(int); 0: as short as ImageSize
	// allows. A picture is made larger than Resize where the crop would not fit.
	Resize int `json:"resize,omitempty"`
	// Crop is "center" (also ""), or "none": the picture is stretched to ImageSize.
	Crop string `json:"crop,omitempty"`
	// Channels is "rgb", "bgr", "gray", or "" for what the picture has. Grey is (299 R + 587 G + 114 B)/1000.
	Channels string `json:"channels,omitempty"`
	// Alpha is "drop" (also ""), "white" or "black": the alpha of a picture is dropped, or the picture is laid on that ground. It is
	// applied when a picture is decoded: see Options.Alpha.
	Alpha string `json:"alpha,omitempty"`
	// Layout is "nchw" (also "") or "nhwc".
	Layout string `json:"layout,omitempty"`
	// Scale multiplies values in 0..255; 0 stands for 1/255. Pictures of 16 bits a channel have 65535 where others have 255, and keep all
	// their values: 1/255 takes both to 0..1.
	Scale float64 `json:"scale,omitempty"`
	// Mean is subtracted after Scale: one value, or one per channel; nil is 0.
	Mean []float64 `json:"mean,omitempty"`
	// Std divides after Mean: one value, or one per channel; nil is 1.
	Std []float64 `json:"std,omitempty"`
	// Tensors applies Scale, Mean and Std also to examples that are no pictures, with Mean and Std along axis 0
	// (the features of a csv), or along the last axis for layout nhwc (the columns of a series [T,C]). Without it they are fed as they
	// are.
	Tensors bool `json:"tensors,omitempty"`
}

// maxSide bounds ImageSize and Resize.
const maxSide = 1 << 14

// ParsePreprocess reads the JSON form. Unknown fields are errors: a step that is not applied would go unnoticed.
func ParsePreprocess(s string) (Preprocess, error) {
	var p Preprocess
	d := json.NewDecoder(bytes.NewReader([]byte(s)))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return p, fmt.Errorf("data: preprocessing: %w", err)
	}
	return p, p.Validate()
}

// String is the JSON form.
func (p Preprocess) String() string {
	b, err := json.Marshal(p)
	if err != nil { // only for NaN and infinity, which Validate refuses
		return "{}"
	}
	return string(b)
}

// Set changes one setting by the name of its flag: image-size (224 or 240x320, height first), resize, crop, channels, transparent (drop,
// white or black), layout, scale, mean, std (comma-separated numbers; fractions such as 1/255 are numbers).
func (p *Preprocess) Set(name, value string) error {
	var err error
	switch name {
	case "image-size":
		h, w, two := strings.Cut(strings.ToLower(value), "x")
		if !two {
			w = h
		}
		if p.ImageSize[0], err = strconv.Atoi(h); err == nil {
			p.ImageSize[1], err = strconv.Atoi(w)
		}
	case "resize":
		p.Resize, err = strconv.Atoi(value)
	case "crop":
		p.Crop = strings.ToLower(value)
	case "channels":
		p.Channels = strings.ToLower(value)
	case "transparent":
		p.Alpha = strings.ToLower(value)
	case "layout":
		p.Layout = strings.ToLower(value)
	case "scale":
		p.Scale, err = parseNumber(value)
	case "mean":
		p.Mean, err = parseNumbers(value)
	case "std":
		p.Std, err = parseNumbers(value)
	default:
		return fmt.Errorf("data: preprocessing has no setting %q (%s)", name,
			didYouMean(name, []string{"image-size", "resize", "crop", "channels", "transparent", "layout", "scale", "mean", "std"}))
	}
	if err != nil {
		return fmt.Errorf("data: preprocessing: %s: %q: %w", name, value, err)
	}
	return p.Validate()
}

func parseNumber(s string) (float64, error) {
	a, b, frac := strings.Cut(strings.TrimSpace(s), "/")
	v, err := strconv.ParseFloat(a, 64)
	if err != nil || !frac {
		return v, err
	}
	d, err := strconv.ParseFloat(b, 64)
	return v / d, err
}

func parseNumbers(s string) ([]float64, error) {
	var v []float64
	for f := range strings.SplitSeq(s, ",") {
		x, err := parseNumber(f)
		if err != nil {
			return nil, err
		}
		v = append(v, x)
	}
	return v, nil
}

// Validate fails for settings that cannot be applied to any picture.
func (p Preprocess) Validate() error {
	bad := func(format string, args ...any) error { return fmt.Errorf("data: preprocessing: "+format, args...) }
	if s := p.ImageSize; s[0] < 0 || s[1] < 0 || s[0] > maxSide || s[1] > maxSide || (s[0] == 0) != (s[1] == 0) {
		return bad("image size %d×%d", s[0], s[1])
	}
	if p.Resize < 0 || p.Resize > maxSide {
		return bad("resize %d", p.Resize)
	}
	switch p.Crop {
	case "", "center", "none":
	default:
		return bad("crop %q: need center or none", p.Crop)
	}
	switch p.Channels {
	case "", "rgb", "bgr", "gray":
	default:
		return bad("channels %q: need rgb, bgr or gray", p.Channels)
	}
	if p.Alpha != "" && !slices.Contains(alphas, p.Alpha) {
		return bad("alpha %q: need drop, white or black", p.Alpha)
	}
	switch p.Layout {
	case "", "nchw", "nhwc":
	default:
		return bad("layout %q: need nchw or nhwc", p.Layout)
	}
	for _, v := range append(append([]float64{p.Scale}, p.Mean...), p.Std...) {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return bad("scale, mean and std must be finite numbers")
		}
	}
	for _, v := range p.Std {
		if v == 0 {
			return bad("std must not be 0")
		}
	}
	want := map[string]int{"rgb": 3, "bgr": 3, "gray": 1}[p.Channels]
	for _, v := range [][]float64{p.Mean, p.Std} {
		if want != 0 && !p.Tensors && len(v) > 1 && len(v) != want {
			return bad("%d values of mean or std for %d channels", len(v), want)
		}
	}
	return nil
}

// Picture is x [C,H,W] after channels, resize and crop, still uint8 or uint16, in RGB order (or grey): what the model is shown, for
// people to look at. ToImage makes an image of it.
func (p Preprocess) Picture(x *tensor.Tensor) (*tensor.Tensor, error) { return p.picture(x, nil) }

func (p Preprocess) picture(x *tensor.Tensor, part *box) (*tensor.Tensor, error) {
	if err := checkPicture(x); err != nil {
		return nil, err
	}
	if p.Channels == "gray" && x.Dim(0) == 3 {
		x = grey(x)
	}
	g, err := p.plan(x.Dim(1), x.Dim(2), part)
	if err != nil {
		return nil, err
	}
	out := g.apply(x)
	if out.Dim(0) == 1 && (p.Channels == "rgb" || p.Channels == "bgr") {
		out, err = tensor.FromBytes(out.DType(), []int{3, g.height, g.width}, bytes.Repeat(out.Bytes(), 3))
	}
	return out, err
}

// grey is Pillow's conversion to mode L of a picture [3,H,W], with 16 bits where the picture has them.
func grey(x *tensor.Tensor) *tensor.Tensor {
	t := tensor.New(x.DType(), 1, x.Dim(1), x.Dim(2))
	if x.DType() == tensor.Uint16 {
		luma(tensor.Data[uint16](t), tensor.Data[uint16](x))
	} else {
		luma(t.Bytes(), x.Bytes())
	}
	return t
}

func luma[T uint8 | uint16](d, s []T) {
	n := len(d)
	for i := range d {
		d[i] = T((uint32(s[i])*19595 + uint32(s[n+i])*38470 + uint32(s[2*n+i])*7471 + 0x8000) >> 16)
	}
}

// Apply is x, uint8 or uint16 [C,H,W], as the model wants it: float32 [C',H',W'], or [H',W',C'] for layout nhwc.
func (p Preprocess) Apply(x *tensor.Tensor) (*tensor.Tensor, error) {
	pic, err := p.picture(x, nil)
	if err != nil {
		return nil, err
	}
	out := tensor.New(tensor.Float32, p.shape(pic)...)
	return out, p.normalise(out.F32(), pic)
}

// ApplyImage is Apply of a decoded image.
func (p Preprocess) ApplyImage(img image.Image) (*tensor.Tensor, error) {
	if img.Bounds().Empty() {
		return nil, fmt.Errorf("data: preprocessing: empty image")
	}
	return p.Apply(FromImage(img))
}

// shape is the shape of a preprocessed picture, given its picture form.
func (p Preprocess) shape(pic *tensor.Tensor) tensor.Shape {
	c, h, w := pic.Dim(0), pic.Dim(1), pic.Dim(2)
	if p.Layout == "nhwc" {
		return tensor.Shape{h, w, c}
	}
	return tensor.Shape{c, h, w}
}

func (p Preprocess) scale() float64 {
	if p.Scale == 0 {
		return 1. / 255
	}
	return p.Scale
}

// affine is mean and std of channel c of n.
func (p Preprocess) affine(c, n int) (mean, std float64, err error) {
	pick := func(v []float64, none float64) float64 {
		switch len(v) {
		case 0:
			return none
		case 1:
			return v[0]
		case n:
			return v[c]
		}
		err = fmt.Errorf("data: preprocessing: %d values of mean or std for %d channels", len(v), n)
		return none
	}
	return pick(p.Mean, 0), pick(p.Std, 1), err
}

// normalise writes (x·scale − mean)/std of a picture to dst, in the order of channels and the layout. Values of 16 bits count a 257th
// each, so that 65535 is 255.
func (p Preprocess) normalise(dst []float32, pic *tensor.Tensor) error {
	c := pic.Dim(0)
	for k := range c {
		mean, std, err := p.affine(k, c)
		if err != nil {
			return err
		}
		from := k
		if p.Channels == "bgr" {
			from = c - 1 - k
		}
		start, step := k*len(dst)/c, 1 // of channel k in dst
		if p.Layout == "nhwc" {
			start, step = k, c
		}
		if pic.DType() == tensor.Uint16 {
			src := tensor.Data[uint16](pic)
			n := len(src) / c
			for i, v := range src[from*n : (from+1)*n] {
				dst[start+i*step] = float32((float64(v)/257*p.scale() - mean) / std)
			}
			continue
		}
		src := pic.Bytes()
		n := len(src) / c
		src = src[from*n : (from+1)*n]
		var table [256]float32
		if len(src) < len(table) { // a small picture: the table would take longer
			for i, v := range src {
				dst[start+i*step] = float32((float64(v)*p.scale() - mean) / std)
			}
			continue
		}
		for v := range table {
			table[v] = float32((float64(v)*p.scale() - mean) / std)
		}
		for i, v := range src {
			dst[start+i*step] = table[v]
		}
	}
	return nil
}

// ApplyTensor is (x·Scale − Mean)/Std of a numeric tensor that is no picture, float32, with Mean and Std along axis 0, or along the last
// axis for layout nhwc.
func (p Preprocess) ApplyTensor(x *tensor.Tensor) (*tensor.Tensor, error) {
	v, err := floats(x)
	if err != nil {
		return nil, err
	}
	n, inner := features(x, p.Layout == "nhwc")
	out := tensor.New(tensor.Float32, x.Shape()...)
	d := out.F32()
	for k := range n {
		mean, std, err := p.affine(k, n)
		if err != nil {
			return nil, err
		}
		for i := k * inner; i < len(v); i += n * inner {
			for j := i; j < i+inner; j++ {
				d[j] = float32((v[j]*p.scale() - mean) / std)
			}
		}
	}
	return out, nil
}
