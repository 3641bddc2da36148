// Package pnm reads netpbm files: PBM, PGM, PPM and PAM.
package pnm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
)

// File is a netpbm file of which the header has been read. Samples are written in decimal (P1 to P3), in bits (P4) or in bytes (P5 to P7).
//
// Source: http://netpbm.sourceforge.net/doc/{pbm,pgm,ppm,pam}.html.
type File struct {
	Width, Height, Depth int
	White                int // the largest value

	magic byte // '1' to '7'
	body  []byte
}

// Parse reads the header.
func Parse(file []byte) (p File, err error) {
	if len(file) < 3 || file[0] != 'P' {
		return p, errors.New("no netpbm header")
	}
	p.magic, p.Depth, p.White, p.body = file[1], 1, 1, file[2:]
	if p.magic == '7' {
		return p, p.parsePAM()
	}
	fields := []*int{&p.Width, &p.Height, &p.White}
	if p.magic == '1' || p.magic == '4' {
		fields = fields[:2]
	}
	if p.magic == '3' || p.magic == '6' {
		p.Depth = 3
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

func (p *File) check() error {
	if p.White < 1 || p.White > 65535 {
		return fmt.Errorf("values up to %d: need 1 to 65535", p.White)
	}
	return nil
}

// next is the next number of the text, behind spaces and comments.
func (p *File) next() (int, error) {
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
func (p *File) parsePAM() error {
	fields := map[string]*int{"WIDTH": &p.Width, "HEIGHT": &p.Height, "DEPTH": &p.Depth, "MAXVAL": &p.White}
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
	if p.Depth < 1 || p.Depth > 4 {
		return fmt.Errorf("%d channels: need 1 to 4", p.Depth)
	}
	return p.check()
}

// Enough fails when the file has fewer samples than its header claims.
func (p *File) Enough() error {
	n := p.Width * p.Height * p.Depth
	size := 1
	switch {
	case p.magic <= '3':
	case p.magic == '4':
		n = p.Height * ((p.Width + 7) / 8)
	case p.White > 255:
		size = 2
	}
	if len(p.body) < n*size {
		return fmt.Errorf("%d bytes of samples, need %d", len(p.body), n*size)
	}
	return nil
}

// Sample is sample i of the file, which belongs to a pixel.
func (p *File) Sample(i, pixel int) (v int, err error) {
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
		x, y := pixel%p.Width, pixel/p.Width
		v = 1 - int(p.body[y*((p.Width+7)/8)+x/8]>>(7-x%8))&1
	case p.White > 255:
		v = int(binary.BigEndian.Uint16(p.body[2*i:]))
	default:
		v = int(p.body[i])
	}
	if v > p.White {
		return 0, fmt.Errorf("value %d, and white is %d", v, p.White)
	}
	return v, nil
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
