package tensor

import (
	"archive/zip"
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// NPZWriter writes an NPZ archive without compression array by array, so that not all of them need be in memory. Names must differ and
// not be empty. The archive is whole after Close.
type NPZWriter struct {
	zip  *zip.Writer
	seen map[string]bool
}

// NewNPZWriter is an empty archive on w.
func NewNPZWriter(w io.Writer) *NPZWriter { return &NPZWriter{zip.NewWriter(w), map[string]bool{}} }

// Add writes an array.
func (z *NPZWriter) Add(name string, t *Tensor) error {
	return z.entry(name, func(w io.Writer) error { return WriteNPY(w, t) })
}

// Strings writes n strings [n]; at is asked for each of them twice.
func (z *NPZWriter) Strings(name string, n int, at func(i int) string) error {
	return z.entry(name, func(w io.Writer) error { return writeStrings(w, Shape{n}, n, at) })
}

// Ints writes n numbers [n] as int64.
func (z *NPZWriter) Ints(name string, n int, at func(i int) int64) error {
	return z.entry(name, func(w io.Writer) error {
		bw := bufio.NewWriter(w)
		if err := writeHeader(bw, npyDescr[Int64], Shape{n}); err != nil {
			return err
		}
		var b [8]byte
		for i := range n {
			binary.LittleEndian.PutUint64(b[:], uint64(at(i)))
			bw.Write(b[:])
		}
		return flush(bw)
	})
}

func (z *NPZWriter) entry(name string, write func(w io.Writer) error) error {
	if name == "" || z.seen[name] {
		return fmt.Errorf("tensor: write npz: name %q is empty or comes twice", name)
	}
	z.seen[name] = true
	f, err := z.zip.CreateHeader(&zip.FileHeader{Name: name + ".npy", Method: zip.Store})
	if err != nil {
		return fmt.Errorf("tensor: write npz: %q: %w", name, err)
	}
	if err := write(f); err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	return nil
}

// Close ends the archive; the writer below stays open.
func (z *NPZWriter) Close() error {
	if err := z.zip.Close(); err != nil {
		return fmt.Errorf("tensor: write npz: %w", err)
	}
	return nil
}
