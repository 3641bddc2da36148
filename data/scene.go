package data

import (
	"fmt"

	"github.com/gtk-onnx/gtk/tensor"
)

// scene is a picture as the model will see it but for normalisation, and its mask. Neither belongs to who changes the scene: changes are
// new tensors.
type scene struct {
	pic  *tensor.Tensor // uint8 or uint16 [C,H,W], grey or RGB
	mask *tensor.Tensor // uint8 [H,W], or nil
}

func (s *scene) size() (h, w int) { return s.pic.Dim(1), s.pic.Dim(2) }

// move changes picture and mask in place: planes of h×w go from src to dst, which holds what is beyond the border.
func (s *scene) move(fill uint8, m mover) {
	h, w := s.size()
	out := tensor.New(s.pic.DType(), s.pic.Shape()...)
	for k := range s.pic.Dim(0) {
		if s.pic.DType() == tensor.Uint16 {
			d := tensor.Data[uint16](out)[k*h*w:][:h*w]
			flood(d, uint16(fill)*257)
			m.deep(d, tensor.Data[uint16](s.pic)[k*h*w:][:h*w], h, w)
			continue
		}
		d := out.Bytes()[k*h*w:][:h*w]
		flood(d, fill)
		m.bytes(d, s.pic.Bytes()[k*h*w:][:h*w], h, w)
	}
	s.pic = out
	if s.mask == nil {
		return
	}
	mask := tensor.New(tensor.Uint8, h, w)
	flood(mask.Bytes(), Void)
	m.classes(mask.Bytes(), s.mask.Bytes(), h, w)
	s.mask = mask
}

// flood makes all of d, which is 0, v.
func flood[T uint8 | uint16](d []T, v T) {
	if v == 0 {
		return
	}
	for i := range d {
		d[i] = v
	}
}

// mover takes a plane of h×w from src to dst; classes does so without mixing values.
type mover struct {
	bytes   func(dst, src []uint8, h, w int)
	deep    func(dst, src []uint16, h, w int)
	classes func(dst, src []uint8, h, w int)
}

// copies is a mover that does not mix values.
func copies(bytes func(dst, src []uint8, h, w int), deep func(dst, src []uint16, h, w int)) mover {
	return mover{bytes, deep, bytes}
}

// colours gives the picture other values: change writes those of src [C,H,W] to dst.
func (s *scene) colours(change func(dst, src []uint8, c, h, w int)) error {
	if s.pic.DType() != tensor.Uint8 {
		return fmt.Errorf("a picture of 16 bits: what changes colours is for pictures of 8 bits")
	}
	out := tensor.New(tensor.Uint8, s.pic.Shape()...)
	h, w := s.size()
	change(out.Bytes(), s.pic.Bytes(), s.pic.Dim(0), h, w)
	s.pic = out
	return nil
}

// perPlane is a change of each channel for itself.
func perPlane(change func(dst, src []uint8, h, w int)) func(dst, src []uint8, c, h, w int) {
	return func(dst, src []uint8, c, h, w int) {
		for k := range c {
			change(dst[k*h*w:][:h*w], src[k*h*w:][:h*w], h, w)
		}
	}
}

// perValue is a change of each value for itself, by a table.
func perValue(table *[256]uint8) func(dst, src []uint8, c, h, w int) {
	return func(dst, src []uint8, _, _, _ int) {
		for i, v := range src {
			dst[i] = table[v]
		}
	}
}
