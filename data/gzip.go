package data

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/gtk-onnx/gtk/internal/regular"
)

// opened is an open file, decompressed when it begins as gzip does.
type opened struct {
	io.Reader
	file *os.File
	size int64 // bytes to expect: those of the file, or what a compressed file says of itself, which need not be so
	most int64 // bytes that there can be
}

func (o *opened) Close() error { return o.file.Close() }

// openMaybeGzip opens path, or path.gz when there is no path, and looks at the first bytes for compression.
func openMaybeGzip(path string) (*opened, error) {
	f, size, err := openFile(path)
	if errors.Is(err, os.ErrNotExist) {
		if g, n, gzErr := openFile(path + ".gz"); gzErr == nil {
			f, size, err = g, n, nil
		} else if !errors.Is(gzErr, os.ErrNotExist) {
			err = gzErr
		}
	}
	if err != nil {
		if info, statErr := os.Stat(path); statErr == nil && info.IsDir() {
			return nil, aFolder(path)
		}
		return nil, err
	}
	in := &counting{Reader: f}
	b := bufio.NewReaderSize(in, 1<<16)
	if head, _ := b.Peek(2); len(head) == 2 && head[0] == 0x1F && head[1] == 0x8B {
		z, err := gzip.NewReader(b)
		if err != nil {
			f.Close()
			return nil, &FormatError{Path: path, Problem: "damaged gzip file", Err: err, Remedy: "fetch the file again"}
		}
		most := max(unfolds, ratio*size)
		return &opened{&unfolding{Reader: z, in: in}, f, min(says(f, size), most), most}, nil
	}
	return &opened{b, f, size, size}, nil
}

// says is the size, modulo 2^32, that the end of a gzip file tells.
//
// Source: RFC 1952, section 2.3.1 (ISIZE).
func says(f io.ReaderAt, size int64) int64 {
	var b [4]byte
	if _, err := f.ReadAt(b[:], max(0, size-4)); err != nil {
		return 0
	}
	return int64(binary.LittleEndian.Uint32(b[:]))
}

// A gzip file may unfold to ratio times what has been read of it, and to so many bytes in any case. Text and pictures unfold to 3 to 20
// times theirs; what is near a thousand was made to be.
const (
	ratio   = 50
	unfolds = 64 << 20
)

// errUnfolds is the error of a gzip file over that.
var errUnfolds = fmt.Errorf("it unfolds to more than %d times its size", ratio)

// counting counts what is read.
type counting struct {
	io.Reader
	n int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

// unfolding is what a gzip file unfolds to.
type unfolding struct {
	io.Reader
	in  *counting // the file
	out int64
}

// Read fails where it is too much for what has been read of the file.
func (u *unfolding) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	if u.out += int64(n); u.out > max(unfolds, ratio*u.in.n) {
		return 0, errUnfolds
	}
	return n, err
}

// aFolder is the error of a folder where a file is expected.
func aFolder(path string) error {
	return malformed(path, "", "give the file in it", "a file is needed, not a folder")
}

// readAll is the rest of an open file, of at most limit bytes; what is over them is regular.ErrSize.
func (o *opened) readAll(limit int64, l *ledger) ([]byte, error) {
	if o.size == o.most && o.size > limit { // not compressed: known before it is read
		return nil, regular.ErrSize
	}
	return regular.All(o, o.size, limit, l.grow)
}
