package data

import (
	"math"
	"strconv"
)

// warp says where in the source the pixel (x, y) of the result comes from: at ((a·x + b·y + c)/k, (d·x + e·y + f)/k) with
// k = g·x + h·y + 1, centres of pixels being halves. Of an affine one g and h are 0.
//
// It is read as Pillow's Image.transform reads it, with the method AFFINE or PERSPECTIVE: nearest pixels of an affine one in numbers of 16
// bits behind the point, all else in double precision.
//
// Source: https://github.com/python-pillow/Pillow/blob/main/src/libImaging/Geometry.c (the arithmetic; no code of it).
type warp [8]float64

// warp changes picture and mask, with linear interpolation of the picture where that is wanted.
func (s *scene) warp(m warp, bilinear bool, fill uint8) {
	how := mover{nearest[uint8](m), nearest[uint16](m), nearest[uint8](m)}
	if bilinear {
		how.bytes, how.deep = linear[uint8](m), linear[uint16](m)
	}
	s.move(fill, how)
}

// at is the source of the centre of a pixel.
func (m *warp) at(x, y int) (sx, sy float64) {
	u, v := float64(x)+0.5, float64(y)+0.5
	sx = float64(m[0]*u) + float64(m[1]*v) + m[2]
	sy = float64(m[3]*u) + float64(m[4]*v) + m[5]
	if m[6] != 0 || m[7] != 0 {
		k := float64(m[6]*u) + float64(m[7]*v) + 1
		return sx / k, sy / k
	}
	return sx, sy
}

// nearest takes the pixels in which the sources lie.
func nearest[T uint8 | uint16](m warp) func(dst, src []T, h, w int) {
	switch {
	case m[6] != 0 || m[7] != 0:
		return func(dst, src []T, h, w int) {
			for y := range h {
				for x := range w {
					sx, sy := m.at(x, y)
					if sx >= 0 && sy >= 0 && sx < float64(w) && sy < float64(h) {
						dst[y*w+x] = src[int(sy)*w+int(sx)]
					}
				}
			}
		}
	case m[1] == 0 && m[3] == 0:
		return func(dst, src []T, h, w int) { scaledNearest(m, dst, src, h, w) }
	}
	return func(dst, src []T, h, w int) {
		if !m.small(0, 0) || !m.small(float64(w), 0) || !m.small(0, float64(h)) || !m.small(float64(w), float64(h)) {
			floatNearest(m, dst, src, h, w)
			return
		}
		fixedNearest(m, dst, src, h, w)
	}
}

// small reports whether a source fits into 16 bits before the point.
func (m *warp) small(x, y float64) bool {
	return math.Abs(x*m[0]+y*m[1]+m[2]) < 32768 && math.Abs(x*m[3]+y*m[4]+m[5]) < 32768
}

func scaledNearest[T uint8 | uint16](m warp, dst, src []T, h, w int) {
	from := make([]int, w)
	sx := m[2] + float64(m[0]*0.5)
	for x := range from {
		if from[x] = -1; sx >= 0 && sx < float64(w) {
			from[x] = int(sx)
		}
		sx += m[0]
	}
	sy := m[5] + float64(m[4]*0.5)
	for y := range h {
		if sy >= 0 && sy < float64(h) {
			row := src[int(sy)*w:][:w]
			for x, k := range from {
				if k >= 0 {
					dst[y*w+x] = row[k]
				}
			}
		}
		sy += m[4]
	}
}

func fixedNearest[T uint8 | uint16](m warp, dst, src []T, h, w int) {
	fix := func(v float64) int32 { return int32(math.Floor(float64(v*65536) + 0.5)) }
	a, b, c := fix(m[0]), fix(m[1]), fix(m[2]+float64(m[0]*0.5)+float64(m[1]*0.5))
	d, e, f := fix(m[3]), fix(m[4]), fix(m[5]+float64(m[3]*0.5)+float64(m[4]*0.5))
	for y := range h {
		sx, sy := c, f
		for x := range w {
			if i, j := int(sx>>16), int(sy>>16); i >= 0 && i < w && j >= 0 && j < h {
				dst[y*w+x] = src[j*w+i]
			}
			sx, sy = sx+a, sy+d
		}
		c, f = c+b, f+e
	}
}

func floatNearest[T uint8 | uint16](m warp, dst, src []T, h, w int) {
	c, f := m[2]+float64(m[1]*0.5)+float64(m[0]*0.5), m[5]+float64(m[4]*0.5)+float64(m[3]*0.5)
	for y := range h {
		sx, sy := c, f
		for x := range w {
			if sx >= 0 && sy >= 0 && sx < float64(w) && sy < float64(h) {
				dst[y*w+x] = src[int(sy)*w+int(sx)]
			}
			sx, sy = sx+m[0], sy+m[3]
		}
		c, f = c+m[1], f+m[4]
	}
}

// linear mixes the four pixels around the sources; the result is rounded towards zero.
func linear[T uint8 | uint16](m warp) func(dst, src []T, h, w int) {
	return func(dst, src []T, h, w int) {
		for y := range h {
			for x := range w {
				sx, sy := m.at(x, y)
				if !(sx >= 0 && sy >= 0 && sx < float64(w) && sy < float64(h)) {
					continue
				}
				sx, sy = sx-0.5, sy-0.5
				i, j := int(math.Floor(sx)), int(math.Floor(sy))
				dx, dy := sx-float64(i), sy-float64(j)
				i0, i1 := max(i, 0), min(i+1, w-1)
				mixed := func(row []T) float64 {
					a, b := float64(row[i0]), float64(row[i1])
					return a + float64((b-a)*dx)
				}
				top := mixed(src[max(j, 0)*w:][:w])
				if j+1 < h {
					low := mixed(src[(j+1)*w:][:w])
					top += float64((low - top) * dy)
				}
				dst[y*w+x] = T(top)
			}
		}
	}
}

// around is torchvision's inverse matrix of a turn by angle, a shift, a scale and shears about a centre, angles in degrees.
//
// Source: https://pytorch.org/vision/stable/generated/torchvision.transforms.functional.affine.html
func around(cx, cy, angle, tx, ty, scale, shearX, shearY float64) warp {
	turn, kx, ky := radians(angle), radians(shearX), radians(shearY)
	a := cosine(turn-ky) / cosine(ky)
	b := -cosine(turn-ky)*tangent(kx)/cosine(ky) - sine(turn)
	c := sine(turn-ky) / cosine(ky)
	d := -sine(turn-ky)*tangent(kx)/cosine(ky) + cosine(turn)
	m := warp{d / scale, -b / scale, 0, -c / scale, a / scale, 0} // the inverse
	m[2] = float64(m[0]*(-cx-tx)) + float64(m[1]*(-cy-ty)) + cx
	m[5] = float64(m[3]*(-cx-tx)) + float64(m[4]*(-cy-ty)) + cy
	return m
}

func radians(degrees float64) float64 { return degrees * (math.Pi / 180) }

// rotation is Pillow's matrix of a turn about the middle of h×w, in degrees against the clock.
func rotation(angle float64, h, w int) warp {
	round := func(v float64) float64 {
		v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'f', 15, 64), 64) // was a number
		return v
	}
	t := -radians(angle)
	cx, cy := float64(w)/2, float64(h)/2
	m := warp{round(cosine(t)), round(sine(t)), 0, round(-sine(t)), round(cosine(t)), 0}
	m[2] = float64(m[0]*-cx) + float64(m[1]*-cy) + cx
	m[5] = float64(m[3]*-cx) + float64(m[4]*-cy) + cy
	return m
}

// rotate turns the scene, as Pillow's Image.rotate does.
func (s *scene) rotate(angle float64, bilinear bool, fill uint8) {
	angle = math.Mod(angle, 360)
	if angle < 0 {
		angle += 360
	}
	h, w := s.size()
	switch {
	case angle == 0:
	case angle == 180:
		s.move(fill, copies(mirrored[uint8], mirrored[uint16]))
		s.move(fill, copies(turnedOver[uint8], turnedOver[uint16]))
	case h == w && (angle == 90 || angle == 270):
		s.move(fill, copies(transposed[uint8], transposed[uint16]))
		if angle == 90 {
			s.move(fill, copies(turnedOver[uint8], turnedOver[uint16]))
		} else {
			s.move(fill, copies(mirrored[uint8], mirrored[uint16]))
		}
	default:
		s.warp(rotation(angle, h, w), bilinear, fill)
	}
}

// transposed takes a square plane to dst, rows for columns.
func transposed[T uint8 | uint16](dst, src []T, h, w int) {
	for y := range h {
		for x := range w {
			dst[x*h+y] = src[y*w+x]
		}
	}
}

// smooth reads the option interpolation.
func smooth(interpolation string) (bilinear, ok bool) {
	return interpolation == "bilinear", interpolation == "bilinear" || interpolation == "nearest"
}
