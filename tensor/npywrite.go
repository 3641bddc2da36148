package tensor

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"
)

// npyDescr is NumPy's little-endian type string of the element types that NumPy has.
var npyDescr = map[DType]string{
	Bool: "|b1", Int8: "|i1", Uint8: "|u1",
	Int16: "<i2", Int32: "<i4", Int64: "<i8", Uint16: "<u2", Uint32: "<u4", Uint64: "<u8",
	Float16: "<f2", Float32: "<f4", Float64: "<f8", Complex64: "<c8", Complex128: "<c16",
}

// WriteNPY writes t in NPY format 1.0, little-endian, C order. String tensors are written as U (Unicode) of the longest
// length. Types that NumPy does not have (bfloat16, the 8-bit floats and the packed types) are refused: Convert them first.
func WriteNPY(w io.Writer, t *Tensor) error {
	descr, raw := "", t.raw
	switch t.dtype {
	case String:
		var err error
		if descr, raw, err = encodeUnicode(t.str); err != nil {
			return err
		}
	default:
		descr = npyDescr[t.dtype]
	}
	if descr == "" {
		return fmt.Errorf("tensor: write npy: NumPy has no %v; convert to float32 or int8 first", t.dtype)
	}
	var shape strings.Builder
	for i, e := range t.shape {
		if i > 0 {
			shape.WriteByte(' ')
		}
		fmt.Fprintf(&shape, "%d,", e)
	}
	dims := shape.String()
	if len(t.shape) > 1 {
		dims = dims[:len(dims)-1]
	}
	head := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, dims)
	const prefix = 10 // magic, version, length
	pad := 63 - (prefix+len(head))%64
	head += strings.Repeat(" ", pad) + "\n"
	if len(head) > math.MaxUint16 {
		return fmt.Errorf("tensor: write npy: header of %d bytes does not fit version 1.0", len(head))
	}
	bw := bufio.NewWriter(w)
	bw.Write(npyMagic)
	bw.Write([]byte{1, 0, byte(len(head)), byte(len(head) >> 8)})
	bw.WriteString(head)
	bw.Write(raw)
	if err := bw.Flush(); err != nil {
		return fmt.Errorf("tensor: write npy: %w", err)
	}
	return nil
}

// encodeUnicode lays strings out as NumPy's U type: UTF-32, every string as long as the longest.
func encodeUnicode(str []string) (descr string, raw []byte, err error) {
	longest := 1
	for i, s := range str {
		if !utf8.ValidString(s) || strings.HasSuffix(s, "\x00") {
			return "", nil, fmt.Errorf("tensor: write npy: string %d is not UTF-8 text, or ends in a zero that NumPy drops", i)
		}
		longest = max(longest, utf8.RuneCountInString(s))
	}
	if len(str) > 0 && longest > math.MaxInt32/4/len(str) {
		return "", nil, fmt.Errorf("tensor: write npy: %d strings padded to %d characters are too large", len(str), longest)
	}
	raw = make([]byte, 4*longest*len(str))
	for i, s := range str {
		at := 4 * longest * i
		for _, c := range s {
			binary.LittleEndian.PutUint32(raw[at:], uint32(c))
			at += 4
		}
	}
	return fmt.Sprintf("<U%d", longest), raw, nil
}
