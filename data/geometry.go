package data

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/tensor"
)

// box is a rectangle of a picture in pixels, y and x of its corners.
type box struct{ y0, x0, y1, x1 float64 }

// plan is the geometry for a picture of h×w: the box that is scaled, to what size, and the crop of that.
type plan struct {
	from           box
	rh, rw         int // size after scaling
	top, left      int // corner of the crop
	height, width  int // size of the crop
	identityResize bool
}

// plan fits a picture of h×w; a box replaces resize and crop and is scaled to ImageSize.
func (p Preprocess) plan(h, w int, part *box) (plan, error) {
	g := plan{from: box{0, 0, float64(h), float64(w)}, rh: h, rw: w}
	H, W := p.ImageSize[0], p.ImageSize[1]
	switch {
	case part != nil:
		g.from = *part
		if H > 0 {
			g.rh, g.rw = H, W
		}
	case H > 0 && p.Crop == "none":
		g.rh, g.rw = H, W
	case H > 0 || p.Resize > 0:
		side := p.Resize
		if side == 0 || shortSide(h, w, side, H, W) {
			side = coveringSide(h, w, H, W)
		}
		g.rh, g.rw = scaled(h, w, side)
	}
	g.height, g.width = g.rh, g.rw
	if H > 0 {
		g.top, g.left = int(math.RoundToEven(float64(g.rh-H)/2)), int(math.RoundToEven(float64(g.rw-W)/2))
		g.height, g.width = H, W
	}
	if g.rh > 4*maxSide || g.rw > 4*maxSide || g.rh <= 0 || g.rw <= 0 {
		return g, fmt.Errorf("data: preprocessing: a picture of %d×%d pixels cannot be resized to %d×%d; use crop none or another picture", w, h,
			g.rw, g.rh)
	}
	g.identityResize = g.rh == h && g.rw == w && part == nil
	return g, nil
}

// scaled is h×w with the short side made side, the other one rounded down, as torchvision does.
func scaled(h, w, side int) (int, int) {
	if h <= w {
		return side, max(1, side*w/h)
	}
	return max(1, side*h/w), side
}

// shortSide reports whether H×W does not fit into h×w scaled to side.
func shortSide(h, w, side, H, W int) bool {
	a, b := scaled(h, w, side)
	return a < H || b < W
}

// coveringSide is the least short side for which H×W fits.
func coveringSide(h, w, H, W int) int {
	side := max(H, (W*h+w-1)/w)
	if h > w {
		side = max(W, (H*w+h-1)/h)
	}
	for shortSide(h, w, side, H, W) {
		side++
	}
	return side
}

// apply is x [C,H,W], uint8 or uint16, scaled and cropped.
func (g plan) apply(x *tensor.Tensor) *tensor.Tensor {
	c, h, w := x.Dim(0), x.Dim(1), x.Dim(2)
	if g.identityResize && g.height == h && g.width == w {
		return x
	}
	out := tensor.New(x.DType(), c, g.height, g.width)
	if x.DType() == tensor.Uint16 {
		scaleCrop(g, tensor.Data[uint16](out), tensor.Data[uint16](x), c, h, w, resizePlane16)
	} else {
		scaleCrop(g, out.Bytes(), x.Bytes(), c, h, w, resizePlane)
	}
	return out
}

// scaleCrop scales and crops c planes of h×w.
func scaleCrop[T uint8 | uint16](g plan, dst, src []T, c, h, w int, resize func(dst, src []T, h, w int, wr, hr *resizer)) {
	n, m := h*w, g.height*g.width
	if g.identityResize {
		for k := range c {
			for y := range g.height {
				copy(dst[k*m+y*g.width:][:g.width], src[k*n+(y+g.top)*w+g.left:])
			}
		}
		return
	}
	wr := newResizer(w, g.from.x0, g.from.x1, g.rw).part(g.left, g.width)
	hr := newResizer(h, g.from.y0, g.from.y1, g.rh).part(g.top, g.height)
	for k := range c {
		resize(dst[k*m:(k+1)*m], src[k*n:(k+1)*n], h, w, wr, hr)
	}
}

// nearest scales and crops one plane of h×w without mixing its values.
func (g plan) nearest(dst, src []uint8, h, w int) {
	at := func(i int, from, to float64, size, most int) int {
		return min(max(int(from+(float64(i)+0.5)*(to-from)/float64(size)), 0), most-1)
	}
	for y := range g.height {
		sy := at(y+g.top, g.from.y0, g.from.y1, g.rh, h)
		for x := range g.width {
			dst[y*g.width+x] = src[sy*w+at(x+g.left, g.from.x0, g.from.x1, g.rw, w)]
		}
	}
}
