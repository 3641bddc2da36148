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
	if t.dtype == String {
		return writeStrings(w, t.shape, len(t.str), func(i int) string { return t.str[i] })
	}
	descr := npyDescr[t.dtype]
	if descr == "" {
		return fmt.Errorf("tensor: write npy: NumPy has no %v; convert to float32 or int8 first", t.dtype)
	}
	bw := bufio.NewWriter(w)
	if err := writeHeader(bw, descr, t.shape); err != nil {
		return err
	}
	bw.Write(t.raw)
	return flush(bw)
}

// flush ends a file.
func flush(bw *bufio.Writer) error {
	if err := bw.Flush(); err != nil {
		return fmt.Errorf("tensor: write npy: %w", err)
	}
	return nil
}

// writeHeader writes what stands before the elements.
func writeHeader(bw *bufio.Writer, descr string, of Shape) error {
	var shape strings.Builder
	for i, e := range of {
		if i > 0 {
			shape.WriteByte(' ')
		}
		fmt.Fprintf(&shape, "%d,", e)
	}
	dims := shape.String()
	if len(of) > 1 {
		dims = dims[:len(dims)-1]
	}
	head := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, dims)
	const prefix = 10 // magic, version, length
	pad := 63 - (prefix+len(head))%64
	head += strings.Repeat(" ", pad) + "\n"
	if len(head) > math.MaxUint16 {
		return fmt.Errorf("tensor: write npy: header of %d bytes does not fit version 1.0", len(head))
	}
	bw.Write(npyMagic)
	bw.Write([]byte{1, 0, byte(len(head)), byte(len(head) >> 8)})
	bw.WriteString(head)
	return nil
}

// writeStrings writes n strings as NumPy's U type: UTF-32, every string as long as the longest. at is asked for each of them twice.
func writeStrings(w io.Writer, shape Shape, n int, at func(i int) string) error {
	longest := 1
	for i := range n {
		s := at(i)
		if !utf8.ValidString(s) || strings.HasSuffix(s, "\x00") {
			return fmt.Errorf("tensor: write npy: string %d is not UTF-8 text, or ends in a zero that NumPy drops", i)
		}
		longest = max(longest, utf8.RuneCountInString(s))
	}
	if n > 0 && longest > math.MaxInt32/4/n {
		return fmt.Errorf("tensor: write npy: %d strings padded to %d characters are too large", n, longest)
	}
	bw := bufio.NewWriter(w)
	if err := writeHeader(bw, fmt.Sprintf("<U%d", longest), shape); err != nil {
		return err
	}
	row := make([]byte, 4*longest)
	for i := range n {
		clear(row)
		k := 0
		for _, c := range at(i) {
			binary.LittleEndian.PutUint32(row[k:], uint32(c))
			k += 4
		}
		bw.Write(row)
	}
	return flush(bw)
}
