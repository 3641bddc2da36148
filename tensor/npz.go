package tensor

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/gtk-onnx/gtk/internal/memory"
)

// Named is a tensor with the name it has in an archive or a file.
type Named struct {
	Name   string
	Tensor *Tensor
}

// Limits bounds what an archive may unfold to. Zero fields mean the defaults.
type Limits struct {
	MaxBytes   int64 // of all entries together after decompression; default 4 GiB, or the memory budget where one is set that is larger
	MaxEntries int   // default 65536
	// Skip says which arrays of an archive, by their names, are not read; nil: none.
	Skip func(name string) bool
}

func (l Limits) skips(entry string) bool {
	return l.Skip != nil && l.Skip(strings.TrimSuffix(entry, ".npy"))
}

func (l Limits) orDefault() Limits {
	if l.MaxBytes <= 0 {
		l.MaxBytes = 4 << 30
		if n, chosen := memory.Budget(); chosen {
			l.MaxBytes = max(l.MaxBytes, n)
		}
	}
	if l.MaxEntries <= 0 {
		l.MaxEntries = 1 << 16
	}
	return l
}

// An archive may unfold to ratio times its size, and to so many bytes in any case: masks and rows of zeros unfold far.
const (
	ratio   = 200
	unfolds = 512 << 20
)

// ReadNPZ reads every array of an NPZ archive of size bytes, in the order of the archive, names without ".npy".
// The sizes that the archive claims are checked against the limits and against what the compressed bytes can hold before
// anything is unfolded, and against the arrays after. An entry that is no array, a name that comes twice and encryption are errors.
//
// Source: https://numpy.org/doc/stable/reference/generated/numpy.savez.html.
func ReadNPZ(r io.ReaderAt, size int64, lim Limits) ([]Named, error) {
	fail := func(err error) ([]Named, error) { return nil, fmt.Errorf("%w: npz: %w", ErrNPY, err) }
	lim = lim.orDefault()
	zr, err := zip.NewReader(r, size)
	if err != nil {
		return fail(err)
	}
	if len(zr.File) > lim.MaxEntries {
		return fail(fmt.Errorf("%d entries, more than %d", len(zr.File), lim.MaxEntries))
	}
	total := uint64(0)
	seen := make(map[string]bool, len(zr.File))
	for _, f := range zr.File {
		if err := checkEntry(f, size); err != nil {
			return fail(fmt.Errorf("%q: %w", f.Name, err))
		}
		if seen[f.Name] {
			return fail(fmt.Errorf("%q comes twice", f.Name))
		}
		seen[f.Name] = true
		if lim.skips(f.Name) {
			continue
		}
		if f.UncompressedSize64 > uint64(lim.MaxBytes) || total+f.UncompressedSize64 > uint64(lim.MaxBytes) {
			return fail(fmt.Errorf("unfolds to more than %d bytes at %q; raise the limit with --max-memory, in Go with Limits.MaxBytes",
				lim.MaxBytes, f.Name))
		}
		total += f.UncompressedSize64
	}
	if total > unfolds && total > ratio*uint64(size) {
		return fail(fmt.Errorf("unfolds to more than %d times its size: write it again without compression (numpy.savez) if that is meant",
			ratio))
	}
	out := make([]Named, 0, len(zr.File))
	for _, f := range zr.File {
		if lim.skips(f.Name) {
			continue
		}
		t, err := readEntry(f)
		if err != nil {
			return fail(fmt.Errorf("%q: %w", f.Name, err))
		}
		out = append(out, Named{strings.TrimSuffix(f.Name, ".npy"), t})
	}
	return out, nil
}

// checkEntry looks at what the directory of the archive claims of f.
func checkEntry(f *zip.File, archive int64) error {
	const encrypted = 1
	switch {
	case !strings.HasSuffix(f.Name, ".npy"):
		return errors.New("is not a .npy array")
	case f.Flags&encrypted != 0:
		return errors.New("is encrypted")
	case f.CompressedSize64 > uint64(archive):
		return fmt.Errorf("claims %d compressed bytes in an archive of %d", f.CompressedSize64, archive)
	}
	// Deflate makes at most 258 bytes of 2 bits.
	if f.Method == zip.Store && f.UncompressedSize64 != f.CompressedSize64 ||
		f.Method == zip.Deflate && f.UncompressedSize64/1032 > f.CompressedSize64 {
		return fmt.Errorf("claims %d bytes, which its %d compressed bytes cannot hold", f.UncompressedSize64, f.CompressedSize64)
	}
	return nil
}

// readEntry reads the one array of f, whose claims were checked.
func readEntry(f *zip.File) (*Tensor, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	// Not more than claimed, and the end must follow: the checksum is verified there.
	size := int64(f.UncompressedSize64)
	t, err := readNPY(io.LimitReader(r, size), size)
	if err != nil {
		return nil, err
	}
	switch n, err := r.Read(make([]byte, 1)); {
	case n > 0:
		return nil, errors.New("bytes after the array")
	case err != nil && err != io.EOF:
		return nil, err
	}
	return t, nil
}

// WriteNPZ writes arrays as an NPZ archive without compression, as numpy.savez does. The same arrays give the same bytes.
// Names must differ and not be empty.
func WriteNPZ(w io.Writer, arrays []Named) error {
	z := NewNPZWriter(w)
	for _, a := range arrays {
		if err := z.Add(a.Name, a.Tensor); err != nil {
			return err
		}
	}
	return z.Close()
}
