package data

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"strconv"

	"github.com/gtk-onnx/gtk/tensor"
)

// pnmFile is the header of a netpbm file. Samples are written in decimal (P1 to P3), in bits (P4) or in bytes (P5 to P7).
//
// Source: http://netpbm.sourceforge.net/doc/{pbm,pgm,ppm,pam}.html.
type pnmFile struct {
	magic                byte // '1' to '7'
	width, height, depth int
	most                 int // value of white
	body                 []byte
}

// parsePNM reads the header.
func parsePNM(file []byte) (p pnmFile, err error) {
	if len(file) < 3 || file[0] != 'P' {
		return p, errors.New("no netpbm header")
	}
	p.magic, p.depth, p.most, p.body = file[1], 1, 1, file[2:]
	if p.magic == '7' {
		return p, p.parsePAM()
	}
	fields := []*int{&p.width, &p.height, &p.most}
	if p.magic == '1' || p.magic == '4' {
		fields = fields[:2]
	}
	if p.magic == '3' || p.magic == '6' {
		p.depth = 3
	}
	for _, f := range fields {
		if *f, err = p.next(); err != nil {
			return p, err
		}
	}
	if len(p.body) > 0 && isSpace(p.body[0]) { // one only: the samples follow
		p.body = p.body[1:]
	}
	return p, p.check()
}

func (p *pnmFile) check() error {
	if p.most < 1 || p.most > 65535 {
		return fmt.Errorf("values up to %d: need 1 to 65535", p.most)
	}
	return nil
}

// next is the next number of the text, behind spaces and comments.
func (p *pnmFile) next() (int, error) {
	b := p.body
	for len(b) > 0 && (isSpace(b[0]) || b[0] == '#') {
		if b[0] == '#' {
			for len(b) > 0 && b[0] != '\n' && b[0] != '\r' {
				b = b[1:]
			}
			continue
		}
		b = b[1:]
	}
	n := 0
	for n < len(b) && n < 10 && b[n] >= '0' && b[n] <= '9' {
		n++
	}
	v, err := strconv.Atoi(string(b[:n]))
	if err != nil || n == 10 {
		return 0, errors.New("a number is missing or too large")
	}
	p.body = b[n:]
	return v, nil
}

// parsePAM reads the lines of a P7 header.
func (p *pnmFile) parsePAM() error {
	fields := map[string]*int{"WIDTH": &p.width, "HEIGHT": &p.height, "DEPTH": &p.depth, "MAXVAL": &p.most}
	for {
		for len(p.body) > 0 && isSpace(p.body[0]) {
			p.body = p.body[1:]
		}
		n := 0
		for n < len(p.body) && !isSpace(p.body[n]) {
			n++
		}
		word := string(p.body[:n])
		p.body = p.body[n:]
		switch f := fields[word]; {
		case word == "":
			return errors.New("the header is cut short")
		case f != nil:
			v, err := p.next()
			if err != nil {
				return err
			}
			*f = v
			continue
		}
		for len(p.body) > 0 && p.body[0] != '\n' { // the rest of the line
			p.body = p.body[1:]
		}
		if word == "ENDHDR" {
			p.body = p.body[min(1, len(p.body)):]
			break
		}
	}
	if p.depth < 1 || p.depth > 4 {
		return fmt.Errorf("%d channels: need 1 to 4", p.depth)
	}
	return p.check()
}

// decode is the picture, its values spread over 0..255, or over 0..65535 where white is more than 255.
func (p pnmFile) decode() (raster, error) {
	n := p.width * p.height * p.depth
	size := 1
	switch {
	case p.magic <= '3':
	case p.magic == '4':
		n = p.height * ((p.width + 7) / 8)
	case p.most > 255:
		size = 2
	}
	if len(p.body) < n*size {
		return raster{}, fmt.Errorf("%d bytes of samples, need %d", len(p.body), n*size)
	}
	var r raster
	var err error
	if p.most > 255 {
		r, err = rasterOfSamples[uint16](p, tensor.Uint16, 65535)
	} else {
		r, err = rasterOfSamples[uint8](p, tensor.Uint8, 255)
	}
	return r, err
}

func rasterOfSamples[T uint8 | uint16](p pnmFile, d tensor.DType, white int) (raster, error) {
	colours, n := p.depth, p.width*p.height
	if p.depth == 2 || p.depth == 4 {
		colours--
	}
	r := raster{x: tensor.New(d, colours, p.height, p.width)}
	planes := make([][]T, p.depth)
	for k := range colours {
		planes[k] = tensor.Data[T](r.x)[k*n : (k+1)*n]
	}
	if colours < p.depth {
		r.alpha = tensor.New(d, p.height, p.width)
		planes[colours] = tensor.Data[T](r.alpha)
	}
	for i := range n {
		for k := range planes {
			v, err := p.sample(i*p.depth+k, i)
			if err != nil {
				return raster{}, err
			}
			planes[k][i] = T((v*white + p.most/2) / p.most)
		}
	}
	if r.dropOpaque(); r.alpha != nil && colours == 1 { // a picture with alpha has colours
		x, err := tensor.FromBytes(d, tensor.Shape{3, p.height, p.width}, bytes.Repeat(r.x.Bytes(), 3))
		return raster{x, r.alpha}, err
	}
	return r, nil
}

// sample is sample i of the file, which belongs to a pixel.
func (p *pnmFile) sample(i, pixel int) (v int, err error) {
	switch {
	case p.magic == '1': // digits need no spaces between them
		for len(p.body) > 0 && isSpace(p.body[0]) {
			p.body = p.body[1:]
		}
		if len(p.body) == 0 || p.body[0] != '0' && p.body[0] != '1' {
			return 0, errors.New("a bit is missing")
		}
		v, p.body = int('1'-p.body[0]), p.body[1:]
	case p.magic <= '3':
		if v, err = p.next(); err != nil {
			return 0, err
		}
	case p.magic == '4':
		x, y := pixel%p.width, pixel/p.width
		v = 1 - int(p.body[y*((p.width+7)/8)+x/8]>>(7-x%8))&1
	case p.most > 255:
		v = int(binary.BigEndian.Uint16(p.body[2*i:]))
	default:
		v = int(p.body[i])
	}
	if v > p.most {
		return 0, fmt.Errorf("value %d, and white is %d", v, p.most)
	}
	return v, nil
}

func (p pnmFile) config() image.Config { return image.Config{Width: p.width, Height: p.height} }
