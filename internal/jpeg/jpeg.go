// Package jpeg decodes sequential JPEG files to the samples that libjpeg gives, to the bit: image/jpeg rounds the inverse cosine transform
// otherwise, which moves colours by up to two levels. What is not sequential, or has other than one or three components of eight bits, is
// left to image/jpeg.
//
// Source: ITU-T T.81, annexes A, B, C and F.
package jpeg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
)

// ErrOther is the error of files that this package does not decode.
var ErrOther = errors.New("jpeg: not a sequential file of one or three components of eight bits")

var errShort = errors.New("jpeg: the file is cut short")

// component is one plane, in blocks of 8×8 samples.
type component struct {
	id, h, v, table int
	across, down    int // blocks, those included that only fill up the last units
	samples         []uint8
	coder           [2]*huffman // of the first coefficient and of the others
	last            int         // first coefficient of the block before
}

type decoder struct {
	file      []byte
	tables    [4][64]int32
	coders    [2][4]*huffman
	restart   int
	w, h      int
	comps     []component
	hmax      int
	vmax      int
	bits      uint32
	held      int
	transform int // of Adobe's marker, -1 without
}

// Decode is the picture, an *image.Gray or *image.YCbCr.
func Decode(file []byte) (image.Image, error) {
	d := &decoder{file: file, transform: -1}
	if len(file) < 2 || file[0] != 0xff || file[1] != 0xd8 {
		return nil, ErrOther
	}
	d.file = file[2:]
	scans := 0
	for {
		marker, err := d.marker()
		if err != nil {
			return nil, err
		}
		if marker == 0xd9 {
			break
		}
		body, err := d.segment()
		if err != nil {
			return nil, err
		}
		switch {
		case marker == 0xdb:
			err = d.quantisation(body)
		case marker == 0xc4:
			err = d.huffman(body)
		case marker == 0xc0 || marker == 0xc1:
			err = d.frame(body)
		case marker > 0xc1 && marker < 0xd0:
			err = ErrOther // progressive, lossless, arithmetic
		case marker == 0xdd && len(body) >= 2:
			d.restart = int(binary.BigEndian.Uint16(body))
		case marker == 0xee && len(body) >= 12 && string(body[:5]) == "Adobe":
			d.transform = int(body[11])
		case marker == 0xda:
			scans++
			err = d.scan(body)
		}
		if err != nil {
			return nil, err
		}
	}
	if scans == 0 {
		return nil, errShort
	}
	return d.picture()
}

// marker is the next one, behind what fills up the file.
func (d *decoder) marker() (byte, error) {
	for len(d.file) >= 2 {
		m := d.file[1]
		if d.file[0] == 0xff && m != 0 && m != 0xff && (m < 0xd0 || m > 0xd7) {
			d.file = d.file[2:]
			return m, nil
		}
		d.file = d.file[1:]
	}
	return 0, errShort
}

func (d *decoder) segment() ([]byte, error) {
	if len(d.file) < 2 {
		return nil, errShort
	}
	n := int(binary.BigEndian.Uint16(d.file))
	if n < 2 || n > len(d.file) {
		return nil, errShort
	}
	body := d.file[2:n]
	d.file = d.file[n:]
	return body, nil
}

func (d *decoder) quantisation(b []byte) error {
	for len(b) > 0 {
		wide, id := int(b[0]>>4), b[0]&15
		if wide > 1 || id > 3 || len(b) < 1+64*(1+wide) {
			return errors.New("jpeg: malformed quantisation table")
		}
		b = b[1:]
		for k := range 64 {
			if wide == 1 {
				d.tables[id][zigzag[k]] = int32(binary.BigEndian.Uint16(b[2*k:]))
			} else {
				d.tables[id][zigzag[k]] = int32(b[k])
			}
		}
		b = b[64*(1+wide):]
	}
	return nil
}

func (d *decoder) frame(b []byte) error {
	if d.comps != nil {
		return errors.New("jpeg: two frames")
	}
	if len(b) < 6 || b[0] != 8 || b[5] != 1 && b[5] != 3 || len(b) != 6+3*int(b[5]) {
		return ErrOther
	}
	d.h, d.w = int(binary.BigEndian.Uint16(b[1:])), int(binary.BigEndian.Uint16(b[3:]))
	if d.h == 0 || d.w == 0 {
		return ErrOther
	}
	for i := range int(b[5]) {
		c := component{id: int(b[6+3*i]), h: int(b[7+3*i] >> 4), v: int(b[7+3*i] & 15), table: int(b[8+3*i])}
		if c.h < 1 || c.v < 1 || c.h > 2 || c.v > 2 || i > 0 && c.h*c.v != 1 || c.table > 3 {
			return ErrOther
		}
		if b[5] == 1 {
			c.h, c.v = 1, 1
		}
		d.comps = append(d.comps, c)
	}
	if len(d.comps) == 3 && (d.transform == 0 || d.comps[0].id == 'R' && d.comps[1].id == 'G' && d.comps[2].id == 'B') {
		return ErrOther // colours as they are
	}
	d.hmax, d.vmax = d.comps[0].h, d.comps[0].v
	for i := range d.comps {
		c := &d.comps[i]
		c.across, c.down = ceil(d.w, 8*d.hmax)*c.h, ceil(d.h, 8*d.vmax)*c.v
		if ceil(ceil(d.w*c.h, d.hmax), 8)*ceil(ceil(d.h*c.v, d.vmax), 8) > 4*len(d.file) { // a block has two bits or more
			return errShort
		}
		c.samples = make([]uint8, 64*c.across*c.down)
	}
	return nil
}

func ceil(a, b int) int { return (a + b - 1) / b }

// scan decodes the blocks of some of the components.
func (d *decoder) scan(b []byte) error {
	if len(b) < 1 || len(b) != 4+2*int(b[0]) || b[0] < 1 || int(b[0]) > len(d.comps) {
		return errors.New("jpeg: malformed scan")
	}
	var in []*component
	for i := range int(b[0]) {
		for k := range d.comps {
			c := &d.comps[k]
			if c.id != int(b[1+2*i]) {
				continue
			}
			dc, ac := b[2+2*i]>>4, b[2+2*i]&15
			if dc > 3 || ac > 3 || d.coders[0][dc] == nil || d.coders[1][ac] == nil {
				return errors.New("jpeg: a scan without its codes")
			}
			c.coder, c.last = [2]*huffman{d.coders[0][dc], d.coders[1][ac]}, 0
			in = append(in, c)
			break
		}
	}
	if len(in) != int(b[0]) {
		return errors.New("jpeg: a scan of unknown components")
	}
	d.bits, d.held = 0, 0
	across, down := ceil(d.w, 8*d.hmax), ceil(d.h, 8*d.vmax)
	if len(in) == 1 { // its own blocks only
		across, down = ceil(ceil(d.w*in[0].h, d.hmax), 8), ceil(ceil(d.h*in[0].v, d.vmax), 8)
	}
	for unit := range across * down {
		if d.restart > 0 && unit > 0 && unit%d.restart == 0 {
			if err := d.resume(); err != nil {
				return err
			}
		}
		x, y := unit%across, unit/across
		for _, c := range in {
			if len(in) == 1 {
				if err := d.block(c, x, y); err != nil {
					return err
				}
				continue
			}
			for k := range c.h * c.v {
				if err := d.block(c, x*c.h+k%c.h, y*c.v+k/c.h); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// resume goes on behind a restart marker.
func (d *decoder) resume() error {
	d.bits, d.held = 0, 0
	if len(d.file) < 2 || d.file[0] != 0xff || d.file[1] < 0xd0 || d.file[1] > 0xd7 {
		return errors.New("jpeg: a restart marker is missing")
	}
	d.file = d.file[2:]
	for i := range d.comps {
		d.comps[i].last = 0
	}
	return nil
}

// block decodes the block at (x,y) of c.
func (d *decoder) block(c *component, x, y int) error {
	var coefficients [64]int32
	table := &d.tables[c.table]
	n, err := d.symbol(c.coder[0])
	if err != nil {
		return err
	}
	if n > 11 {
		return fmt.Errorf("jpeg: a difference of %d bits", n)
	}
	v, err := d.value(n)
	if err != nil {
		return err
	}
	c.last += v
	coefficients[0] = int32(c.last) * table[0]
	for k := 1; k < 64; k++ {
		s, err := d.symbol(c.coder[1])
		if err != nil {
			return err
		}
		run, n := s>>4, s&15
		if n == 0 {
			if run != 15 {
				break
			}
			k += 15
			continue
		}
		if k += run; k > 63 {
			return errors.New("jpeg: a block of too many coefficients")
		}
		if v, err = d.value(n); err != nil {
			return err
		}
		coefficients[zigzag[k]] = int32(v) * table[zigzag[k]]
	}
	inverse(&coefficients, c.samples[8*y*8*c.across+8*x:], 8*c.across)
	return nil
}

// picture puts the planes together.
func (d *decoder) picture() (image.Image, error) {
	all := image.Rect(0, 0, d.w, d.h)
	if len(d.comps) == 1 {
		c := d.comps[0]
		return &image.Gray{Pix: c.samples, Stride: 8 * c.across, Rect: all}, nil
	}
	ratio := map[[2]int]image.YCbCrSubsampleRatio{{1, 1}: image.YCbCrSubsampleRatio444, {2, 1}: image.YCbCrSubsampleRatio422,
		{1, 2}: image.YCbCrSubsampleRatio440, {2, 2}: image.YCbCrSubsampleRatio420}[[2]int{d.hmax, d.vmax}]
	return &image.YCbCr{Y: d.comps[0].samples, Cb: d.comps[1].samples, Cr: d.comps[2].samples, YStride: 8 * d.comps[0].across,
		CStride: 8 * d.comps[1].across, SubsampleRatio: ratio, Rect: all}, nil
}

// zigzag is the place in the block of each coefficient in the file.
var zigzag = func() (z [64]int) {
	x, y, up := 0, 0, true
	for k := range z {
		z[k] = 8*y + x
		switch {
		case up && x == 7:
			y, up = y+1, false
		case up && y == 0:
			x, up = x+1, false
		case up:
			x, y = x+1, y-1
		case y == 7:
			x, up = x+1, true
		case x == 0:
			y, up = y+1, true
		default:
			x, y = x-1, y+1
		}
	}
	return z
}()
