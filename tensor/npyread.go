package tensor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gtk-onnx/gtk/internal/memory"
)

// ErrNPY is the error of a file that is not a well-formed NPY or NPZ file, or of a kind that this package does not read.
var ErrNPY = errors.New("tensor: npy")

var npyMagic = []byte("\x93NUMPY")

// npyMaxHeader bounds the header; NumPy itself refuses to evaluate more than 10000 bytes by default.
const npyMaxHeader = 1 << 16

// maxStrings bounds the strings of an array, which take more memory than their bytes in the file.
const maxStrings = 1 << 25

// ReadNPY reads one array in NPY format 1.0, 2.0 or 3.0, of either byte order, in C or Fortran order; the
// result is row-major. Strings (S, U) become String tensors without their trailing zeros, S as it is. Pickled objects,
// dates, structured and raw (V) types are refused. It reads no further than the array, and allocates no more than
// a small multiple of the bytes that r delivers, whatever the header claims.
//
// Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html.
func ReadNPY(r io.Reader) (*Tensor, error) {
	t, err := readNPY(r, -1)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNPY, err)
	}
	return t, nil
}

// npyStart is what stands before the elements of an array.
type npyStart struct {
	npyHeader
	ty     npyType
	count  int
	offset int64 // of the elements
}

// readStart reads up to the first element.
func readStart(r io.Reader) (h npyStart, err error) {
	var pre [12]byte
	if _, err := io.ReadFull(r, pre[:8]); err != nil {
		return h, fmt.Errorf("too short for the magic bytes: %w", noEOF(err))
	}
	if !bytes.Equal(pre[:6], npyMagic) {
		return h, errors.New("does not start with \\x93NUMPY")
	}
	major, lenBytes := pre[6], 2
	switch {
	case major < 1 || major > 3 || pre[7] != 0:
		return h, fmt.Errorf("format version %d.%d, have 1.0, 2.0, 3.0", major, pre[7])
	case major > 1:
		lenBytes = 4
	}
	if _, err := io.ReadFull(r, pre[8:8+lenBytes]); err != nil {
		return h, fmt.Errorf("length of the header: %w", noEOF(err))
	}
	n := int64(binary.LittleEndian.Uint32(pre[8:12]))
	if n > npyMaxHeader {
		return h, fmt.Errorf("header of %d bytes, more than %d", n, npyMaxHeader)
	}
	head := make([]byte, n)
	if _, err := io.ReadFull(r, head); err != nil {
		return h, fmt.Errorf("header: %w", noEOF(err))
	}
	h.offset = int64(8+lenBytes) + n
	if h.npyHeader, err = parseNPYHeader(string(head)); err != nil {
		return h, fmt.Errorf("header: %w", err)
	}
	if h.ty, err = parseNPYType(h.descr); err != nil {
		return h, err
	}
	if h.count, err = h.shape.CheckedLen(h.ty.dtype); err != nil {
		return h, err
	}
	if h.ty.width == 0 && h.count > 0 {
		return h, fmt.Errorf("%d strings of length 0", h.count)
	}
	if h.count > 0 && h.ty.width > math.MaxInt/h.count {
		return h, fmt.Errorf("%w: %v of %d bytes", ErrShape, h.shape, h.ty.width)
	}
	return h, nil
}

// NPYStart is the type and shape of an array in NPY format, and where its elements begin. inPlace: they lie there as tensors have them;
// else (texts, another byte order, columns first) the array can only be read whole.
func NPYStart(r io.Reader) (d DType, shape Shape, offset int64, inPlace bool, err error) {
	h, err := readStart(r)
	if err != nil {
		return 0, nil, 0, false, fmt.Errorf("%w: %w", ErrNPY, err)
	}
	return h.ty.dtype, h.shape, h.offset, h.ty.dtype != String && !(h.ty.big && h.ty.unit > 1) && !(h.fortran && len(h.shape) > 1), nil
}

// readNPY is ReadNPY for a reader known to hold size bytes, -1 when unknown.
func readNPY(r io.Reader, size int64) (t *Tensor, err error) {
	h, err := readStart(r)
	if err != nil {
		return nil, err
	}
	ty, count := h.ty, h.count
	left := int64(-1)
	if size >= 0 {
		left = size - h.offset
	}
	var held *memory.Grant
	if left >= int64(count*ty.width) {
		if held, err = memory.Take(int64(count*ty.width), fmt.Sprintf("an array %s%v", h.descr, h.shape)); err != nil {
			return nil, err
		}
	}
	defer func() {
		if t == nil {
			held.Release()
		} else {
			memory.Tie(held, t)
		}
	}()
	raw, err := readExactly(r, count*ty.width, left)
	if err != nil {
		return nil, fmt.Errorf("data of %s%v: %w", h.descr, h.shape, err)
	}
	if ty.big {
		swapBytes(raw, ty.unit)
	}
	if h.fortran && len(h.shape) > 1 {
		twice, err := memory.Take(int64(len(raw)), fmt.Sprintf("an array %s%v in the order of columns", h.descr, h.shape))
		if err != nil {
			return nil, err
		}
		defer twice.Release()
		raw = fromFortran(raw, h.shape, ty.width)
	}
	switch ty.dtype {
	case String:
		if count > maxStrings {
			return nil, fmt.Errorf("%d strings, at most %d", count, maxStrings)
		}
		places, err := memory.Take(16*int64(count), fmt.Sprintf("an array of %d strings", count))
		if err != nil {
			return nil, err
		}
		defer func() {
			if t == nil {
				places.Release()
			} else {
				memory.Tie(places, t)
			}
		}()
		strs, err := npyStrings(raw, count, ty)
		if err != nil {
			return nil, err
		}
		return FromStrings(strs, h.shape...), nil
	case Bool:
		for i, b := range raw {
			if b > 1 {
				raw[i] = 1
			}
		}
	}
	return FromBytes(ty.dtype, h.shape, raw)
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// readExactly reads n bytes. It allocates them at once when at least as many are known to be left,
// and otherwise as they arrive.
func readExactly(r io.Reader, n int, left int64) ([]byte, error) {
	if left >= 0 && int64(n) > left {
		return nil, fmt.Errorf("needs %d bytes, %d are there: %w", n, left, io.ErrUnexpectedEOF)
	}
	const step = 1 << 20
	if left >= 0 || n <= step {
		buf := alignedBytes(n)
		if m, err := io.ReadFull(r, buf); err != nil {
			return nil, fmt.Errorf("needs %d bytes, %d are there: %w", n, m, noEOF(err))
		}
		return buf, nil
	}
	buf := alignedBytes(step)
	for have := 0; ; {
		m, err := io.ReadFull(r, buf[have:])
		if have += m; err != nil {
			return nil, fmt.Errorf("needs %d bytes, %d are there: %w", n, have, noEOF(err))
		}
		if have == n {
			return buf, nil
		}
		grown := alignedBytes(have + min(have, n-have))
		copy(grown, buf)
		buf = grown
	}
}

// swapBytes reverses every unit bytes of raw.
func swapBytes(raw []byte, unit int) {
	if unit > 1 {
		for i := 0; i+unit <= len(raw); i += unit {
			slices.Reverse(raw[i : i+unit])
		}
	}
}

// fromFortran reorders column-major elements of width bytes to row-major.
func fromFortran(raw []byte, shape Shape, width int) []byte {
	if len(shape) < 2 || len(raw) == 0 {
		return raw
	}
	stride := make([]int, len(shape)) // in bytes, of the source
	s := width
	for i, e := range shape {
		stride[i] = s
		s *= e
	}
	out := alignedBytes(len(raw))
	idx := make([]int, len(shape))
	src := 0
	for dst := 0; dst < len(out); dst += width {
		copy(out[dst:dst+width], raw[src:src+width])
		for a := len(shape) - 1; a >= 0; a-- {
			idx[a]++
			src += stride[a]
			if idx[a] < shape[a] {
				break
			}
			src -= idx[a] * stride[a]
			idx[a] = 0
		}
	}
	return out
}

// npyStrings cuts raw into count strings without their trailing zeros.
func npyStrings(raw []byte, count int, ty npyType) ([]string, error) {
	out := make([]string, count)
	var b strings.Builder
	for i := range out {
		cell := raw[i*ty.width : (i+1)*ty.width]
		if ty.kind == 'S' {
			out[i] = string(bytes.TrimRight(cell, "\x00"))
			continue
		}
		for len(cell) > 0 && binary.LittleEndian.Uint32(cell[len(cell)-4:]) == 0 {
			cell = cell[:len(cell)-4]
		}
		b.Reset()
		for ; len(cell) > 0; cell = cell[4:] {
			c := binary.LittleEndian.Uint32(cell)
			if c > utf8.MaxRune || !utf8.ValidRune(rune(c)) {
				return nil, fmt.Errorf("string %d: %#x is no Unicode character", i, c)
			}
			b.WriteRune(rune(c))
		}
		out[i] = b.String()
	}
	return out, nil
}
