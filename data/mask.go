package data

import (
	"fmt"
	"image"
	"image/color"
	"slices"

	"github.com/gtk-onnx/gtk/tensor"
)

// Mask is a mask of classes [H,W] taken through the same resize and crop: of two classes, 0 and 1, a pixel covered by half is 1; of more,
// it has the class at its centre.
func (p Preprocess) Mask(mask *tensor.Tensor) (*tensor.Tensor, error) { return p.mask(mask, nil) }

func (p Preprocess) mask(mask *tensor.Tensor, part *box) (*tensor.Tensor, error) {
	if mask.DType() != tensor.Uint8 || mask.Rank() != 2 || mask.Len() == 0 {
		return nil, fmt.Errorf("data: %v is not a mask; need uint8 [H,W]", mask)
	}
	h, w := mask.Dim(0), mask.Dim(1)
	if slices.Max(mask.Bytes()) > 1 {
		g, err := p.plan(h, w, part)
		if err != nil {
			return nil, err
		}
		out := tensor.New(tensor.Uint8, g.height, g.width)
		g.nearest(out.Bytes(), mask.Bytes(), h, w)
		return out, nil
	}
	x := mask.Clone().Reshape(1, h, w)
	for i, v := range x.Bytes() {
		x.Bytes()[i] = v * 255
	}
	p.Channels = ""
	out, err := p.picture(x, part)
	if err != nil {
		return nil, err
	}
	for i, v := range out.Bytes() {
		out.Bytes()[i] = v >> 7
	}
	return out.Reshape(out.Dim(1), out.Dim(2)), nil
}

// loadMask is a mask file: the class of each pixel, uint8 [H,W], Void for none. The class is the index of a palette, or the grey value;
// files of one bit have the classes 0 and 1. The file must be of a kind that loses nothing.
func loadMask(t *turn, path string, l Limits) (*tensor.Tensor, error) {
	file, err := readPicture(t, path, l)
	if err != nil {
		return nil, err
	}
	return maskOf(t, path, file, l)
}

// maskOf is loadMask of a file that was read.
func maskOf(t *turn, path string, file []byte, l Limits) (*tensor.Tensor, error) {
	const want = "a mask is a png of one channel: the class number as grey value or index of a palette, 255 for none"
	d, err := decodeFile(t, path, file, l)
	if err != nil {
		return nil, err
	}
	if d.lossy {
		return nil, malformed(path, "", want, "a mask in a %s file, which blurs class numbers", d.kind)
	}
	if d.img == nil {
		d.img = d.planes.image()
	}
	b := d.img.Bounds()
	w, h := b.Dx(), b.Dy()
	out := tensor.New(tensor.Uint8, h, w)
	switch m := d.img.(type) {
	case *image.Paletted:
		for y := range h {
			copy(out.Bytes()[y*w:(y+1)*w], m.Pix[m.PixOffset(b.Min.X, b.Min.Y+y):])
		}
	case *image.Gray16:
		for i := range h * w {
			v := m.Gray16At(b.Min.X+i%w, b.Min.Y+i/w).Y
			if v == 65535 {
				v = Void
			}
			if v > Void {
				return nil, malformed(path, "", want, "value %d in a mask", v)
			}
			out.Bytes()[i] = uint8(v)
		}
	default:
		unit := uint8(1)
		if d.kind == "png" && d.grey && d.bits < 8 {
			unit = 255 / (1<<d.bits - 1) // the decoder spreads the values over a byte
		}
		for i := range h * w {
			c := color.NRGBAModel.Convert(m.At(b.Min.X+i%w, b.Min.Y+i/w)).(color.NRGBA)
			if c.R != c.G || c.G != c.B {
				return nil, malformed(path, "", want, "a mask in colours")
			}
			out.Bytes()[i] = c.R / unit
		}
	}
	return upright(out, d.turned), nil
}

// masks is the masks of a data set.
type masks struct {
	name    func(i int) string // of the file, or of what stands for it
	read    func(t *turn, i int) (*tensor.Tensor, error)
	classes int // 0: not known
	binary  bool
}

// openMasks looks at some of the files, spread evenly. Where all of them have no values but 0 and 255, these stand for the classes 0 and
// 1, and not for 0 and none; binary "true" or "false" decides. classes is their number, 0 when it is not known.
func openMasks(files []string, classes int, binary string, l Limits) (*masks, error) {
	m := &masks{classes: classes, name: func(i int) string { return files[i] }}
	m.read = func(t *turn, i int) (*tensor.Tensor, error) { return loadMask(t, files[i], l) }
	return m, m.look(len(files), binary)
}

// look decides what 255 means in n masks.
func (m *masks) look(n int, binary string) error {
	if binary != "" {
		m.binary = binary == "true"
		return nil
	}
	const most = 32
	white := false
	for k := range min(most, n) {
		t, err := m.seen(k * n / min(most, n))
		if err != nil {
			continue // it is an error where it is used
		}
		for _, v := range t.Bytes() {
			if v != 0 && v != 255 {
				return nil
			}
			white = white || v == 255
		}
	}
	m.binary = white
	return nil
}

// seen is mask i to look at, in a turn of its own.
func (m *masks) seen(i int) (*tensor.Tensor, error) {
	var t turn
	defer t.over()
	return m.read(&t, i)
}

// load is mask i, uint8 [H,W].
func (m *masks) load(in *turn, i int) (*tensor.Tensor, error) {
	t, err := m.read(in, i)
	if err != nil {
		return nil, err
	}
	for p, v := range t.Bytes() {
		switch {
		case m.binary && v == 255:
			t.Bytes()[p] = 1
		case m.binary && v > 1:
			return nil, malformed(m.name(i), "", "say ?binary=false where 255 is none and not class 1",
				"value %d in a mask, where others have 0 and 255 only", v)
		case v != Void && m.classes > 0 && int(v) >= m.classes:
			return nil, malformed(m.name(i), "", "give the class list of this data", "class %d in a mask: %d classes are named", v,
				m.classes)
		}
	}
	return t, nil
}
