package tensor

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// npyHeader is the Python dictionary at the start of an NPY file.
type npyHeader struct {
	descr   string
	fortran bool
	shape   Shape
}

// npyMaxRank is NumPy's limit of axes.
const npyMaxRank = 64

// parseNPYHeader reads a header such as {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
func parseNPYHeader(s string) (npyHeader, error) {
	p := pyLiteral{s: s}
	var h npyHeader
	seen := map[string]bool{}
	if err := p.expect('{'); err != nil {
		return h, err
	}
	for !p.accept('}') {
		key, err := p.str()
		if err != nil {
			return h, fmt.Errorf("key of the header: %w", err)
		}
		if seen[key] {
			return h, fmt.Errorf("key %q twice", key)
		}
		seen[key] = true
		if err := p.expect(':'); err != nil {
			return h, err
		}
		switch key {
		case "descr":
			if p.peek() == '[' {
				return h, errors.New("structured element types (named fields) are not supported; save each field as its own array")
			}
			h.descr, err = p.str()
		case "fortran_order":
			h.fortran, err = p.boolean()
		case "shape":
			h.shape, err = p.tuple()
		default:
			return h, fmt.Errorf("unknown key %q", key)
		}
		if err != nil {
			return h, fmt.Errorf("%s: %w", key, err)
		}
		if !p.accept(',') && p.peek() != '}' {
			return h, fmt.Errorf("expected , or } after %s", key)
		}
	}
	if p.skip(); p.i != len(p.s) {
		return h, errors.New("text after the dictionary")
	}
	for _, k := range []string{"descr", "fortran_order", "shape"} {
		if !seen[k] {
			return h, fmt.Errorf("no key %q", k)
		}
	}
	return h, nil
}

// pyLiteral reads the few Python literals of an NPY header.
type pyLiteral struct {
	s string
	i int
}

func (p *pyLiteral) skip() {
	for p.i < len(p.s) && strings.IndexByte(" \t\r\n", p.s[p.i]) >= 0 {
		p.i++
	}
}

// peek is the next byte that is not space, 0 at the end.
func (p *pyLiteral) peek() byte {
	if p.skip(); p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

func (p *pyLiteral) accept(c byte) bool {
	if p.peek() != c || p.i >= len(p.s) {
		return false
	}
	p.i++
	return true
}

func (p *pyLiteral) expect(c byte) error {
	if !p.accept(c) {
		return fmt.Errorf("expected %q at byte %d", c, p.i)
	}
	return nil
}

// str reads a quoted string without escapes.
func (p *pyLiteral) str() (string, error) {
	q := p.peek()
	if q != '\'' && q != '"' {
		return "", fmt.Errorf("expected a string at byte %d", p.i)
	}
	end := strings.IndexByte(p.s[p.i+1:], q)
	if end < 0 {
		return "", errors.New("string without end")
	}
	s := p.s[p.i+1 : p.i+1+end]
	if strings.IndexByte(s, '\\') >= 0 {
		return "", errors.New("escapes in strings are not supported")
	}
	p.i += end + 2
	return s, nil
}

func (p *pyLiteral) boolean() (bool, error) {
	p.skip()
	for word, v := range map[string]bool{"True": true, "False": false} {
		if strings.HasPrefix(p.s[p.i:], word) {
			p.i += len(word)
			return v, nil
		}
	}
	return false, errors.New("neither True nor False")
}

// tuple reads (), (3,), (3, 4) and the (3L, 4L) of Python 2.
func (p *pyLiteral) tuple() (Shape, error) {
	if err := p.expect('('); err != nil {
		return nil, err
	}
	s := Shape{}
	for !p.accept(')') {
		p.skip()
		start := p.i
		for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
			p.i++
		}
		n, err := strconv.Atoi(p.s[start:p.i])
		if err != nil {
			return nil, fmt.Errorf("%w: extent %d is not a number that fits", ErrShape, len(s))
		}
		if s = append(s, n); len(s) > npyMaxRank {
			return nil, fmt.Errorf("%w: more than %d axes", ErrShape, npyMaxRank)
		}
		p.accept('L')
		if !p.accept(',') && p.peek() != ')' {
			return nil, errors.New("expected , or ) after an extent")
		}
	}
	return s, nil
}

// npyType is an element type of NumPy: its ONNX type, the width of an element in bytes and its byte order.
type npyType struct {
	dtype DType
	width int  // bytes of an element; of the text for strings
	unit  int  // bytes whose order a big-endian file swaps
	big   bool // big-endian
	kind  byte // NumPy's letter
}

var npyNumeric = map[string]DType{
	"b1": Bool, "?": Bool,
	"i1": Int8, "i2": Int16, "i4": Int32, "i8": Int64,
	"u1": Uint8, "u2": Uint16, "u4": Uint32, "u8": Uint64,
	"f2": Float16, "f4": Float32, "f8": Float64,
	"c8": Complex64, "c16": Complex128,
}

// parseNPYType understands a NumPy type string such as "<f4", "|b1" or "<U12".
//
// Source: https://numpy.org/doc/stable/reference/arrays.interface.html#object.__array_interface__ (typestr).
func parseNPYType(s string) (npyType, error) {
	code := s
	var t npyType
	if code != "" && strings.IndexByte("<>|=", code[0]) >= 0 {
		t.big = code[0] == '>'
		code = code[1:]
	}
	if d, ok := npyNumeric[code]; ok {
		t.dtype, t.width, t.kind = d, d.Bits()/8, code[0]
		t.unit = t.width
		if d == Complex64 || d == Complex128 {
			t.unit /= 2
		}
		return t, nil
	}
	if code == "" {
		return t, fmt.Errorf("empty element type %q", s)
	}
	switch code[0] {
	case 'U', 'S', 'a':
		n, err := strconv.Atoi(code[1:])
		if err != nil || n < 0 || n > 1<<28 {
			return t, fmt.Errorf("element type %q: bad length", s)
		}
		t.dtype, t.kind, t.unit, t.width = String, 'S', 1, n
		if code[0] == 'U' {
			t.kind, t.unit, t.width = 'U', 4, 4*n
		}
		return t, nil
	case 'O':
		return t, errors.New("element type object: pickled Python objects can run code and are not read; convert the array to a numeric " +
			"type before saving")
	case 'V':
		return t, fmt.Errorf("element type %q is raw bytes: NumPy saves bfloat16 and 8-bit floats so and forgets which; save as float32",
			s)
	case 'M', 'm':
		return t, fmt.Errorf("element type %q: dates are not supported; convert to int64", s)
	}
	return t, fmt.Errorf("element type %q is not supported", s)
}
