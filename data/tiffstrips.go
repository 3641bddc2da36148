package data

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"

	"golang.org/x/image/tiff/lzw"
)

// Tags of a TIFF file that say where its picture lies.
const (
	tagCompression  = 259
	tagStripOffsets = 273
	tagRowsPerStrip = 278
	tagStripBytes   = 279
)

// largeStrip is the size in bytes from which on a strip is divided: the decoder copies one several times.
const largeStrip = 16 << 20

// divided is a TIFF file as the decoder reads it: one large strip is many small ones, not compressed. Other files are as they are.
//
// Source: TIFF 6.0, section 2 (the directory) and section 7 (strips).
func (t tiffFile) divided(file []byte) (*tiffReader, error) {
	plain := &tiffReader{pieces: [][]byte{file}}
	size := t.strip()
	if size == 0 {
		return plain, nil
	}
	reading, entries := ifd(file)
	order := reading.(interface {
		binary.ByteOrder
		binary.AppendByteOrder
	})
	fields := map[uint16][]byte{}
	for tag, e := range entries {
		fields[tag] = slices.Clone(e)
	}
	at, n := fields[tagStripOffsets], fields[tagStripBytes]
	if at == nil || n == nil || order.Uint32(at[4:]) != 1 || order.Uint32(n[4:]) != 1 {
		return plain, nil
	}
	first, length := int64(number(order, at)), int64(number(order, n))
	if first < 0 || length < 0 || first+length > int64(len(file)) {
		return plain, nil
	}
	strip, extra := file[first:first+length], []byte(nil)
	if t.compression > 1 {
		var err error
		if extra, err = t.unfold(strip, size); err != nil {
			return nil, err
		}
		first = 0 // of extra
	} else if length < size {
		return plain, nil
	}
	row := size / int64(t.height)
	rows := max(1, largeStrip/4/row)
	count := (int64(t.height) + rows - 1) / rows
	// What is new lies behind the file: the directory, the list of offsets, that of sizes, and what was unfolded.
	names := []uint16{tagCompression, tagStripOffsets, tagRowsPerStrip, tagStripBytes}
	for tag := range fields {
		if !slices.Contains(names, tag) {
			names = append(names, tag)
		}
	}
	slices.Sort(names)
	start := int64(len(file))
	offsets := start + 2 + 12*int64(len(names)) + 4
	sizes := offsets + 4*count
	if extra != nil {
		first = sizes + 4*count
	}
	if first+size > math.MaxUint32 {
		return plain, nil
	}
	tail := order.AppendUint16(nil, uint16(len(names)))
	const short, long = 3, 4
	entry := func(tag, kind uint16, count, value int64) {
		tail = order.AppendUint16(order.AppendUint16(tail, tag), kind)
		tail = order.AppendUint32(tail, uint32(count))
		if kind == short {
			tail = append(order.AppendUint16(tail, uint16(value)), 0, 0)
		} else {
			tail = order.AppendUint32(tail, uint32(value))
		}
	}
	for _, tag := range names {
		switch tag {
		case tagCompression:
			entry(tag, short, 1, 1)
		case tagRowsPerStrip:
			entry(tag, long, 1, rows)
		case tagStripOffsets:
			entry(tag, long, count, offsets)
		case tagStripBytes:
			entry(tag, long, count, sizes)
		default:
			tail = append(tail, fields[tag]...)
		}
	}
	tail = order.AppendUint32(tail, 0)
	for k := range count {
		tail = order.AppendUint32(tail, uint32(first+k*rows*row))
	}
	for k := range count {
		tail = order.AppendUint32(tail, uint32(min(rows, int64(t.height)-k*rows)*row))
	}
	head := order.AppendUint32(slices.Clone(file[:4]), uint32(start))
	return &tiffReader{pieces: [][]byte{head, file[8:], tail, extra}}, nil
}

// strip is the number of bytes that the one strip of t unfolds to where it is a large one that can be divided, else 0.
func (t tiffFile) strip() int64 {
	size := (area(t.width, t.bits, t.samples) + 7) / 8 * int64(t.height)
	known := slices.Contains([]int{0, 1, compressedLZW, compressedDeflate, compressedOldDeflate}, t.compression)
	if !known || t.blockWidth < t.width || t.blockHeight < t.height || size < largeStrip || size > math.MaxUint32 || t.height <= 0 {
		return 0
	}
	return size
}

// unfold is the size bytes of a compressed strip.
func (t tiffFile) unfold(strip []byte, size int64) ([]byte, error) {
	var r io.ReadCloser
	var err error
	if t.compression == compressedLZW {
		r = lzw.NewReader(bytes.NewReader(strip), lzw.MSB, 8)
	} else if r, err = zlib.NewReader(bytes.NewReader(strip)); err != nil {
		return nil, err
	}
	defer r.Close()
	b := make([]byte, size)
	if n, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("the strip has %d of %d bytes: %w", n, size, err)
	}
	return b, nil
}

// tiffReader is pieces of a file, one behind another.
type tiffReader struct {
	pieces [][]byte
	read   int // bytes since garbage was collected
}

// ReadAt reads over the borders of pieces. The decoder makes memory anew for every strip, which adds up.
func (r *tiffReader) ReadAt(p []byte, off int64) (n int, err error) {
	if r.read += len(p); r.read > large/2 {
		runtime.GC()
		r.read = 0
	}
	for _, piece := range r.pieces {
		if off < int64(len(piece)) {
			k := copy(p[n:], piece[off:])
			if n += k; n == len(p) {
				return n, nil
			}
			off = 0
			continue
		}
		off -= int64(len(piece))
	}
	return n, io.EOF
}

// Read is not used: the decoder reads at offsets.
func (r *tiffReader) Read([]byte) (int, error) { return 0, io.EOF }
