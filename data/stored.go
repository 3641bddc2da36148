package data

import (
	"archive/zip"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/tensor"
)

// keptArray is up to how many bytes an array of a file is kept in memory; the rows of a larger one are read when they are asked for.
var keptArray = int64(64 << 20)

// stored is an array [n,…] in a file, of which rows are read.
type stored struct {
	disk         *onDisk
	name         string
	at           int64 // of the first row
	dtype        tensor.DType
	n            int
	shape        tensor.Shape // of a row
	channelsLast bool         // rows are pictures [H,W,C], and given out as [C,H,W]
	finite       bool         // NaN and infinity are errors
	ahead        ahead
}

// newStored is the array of a type and shape [n,…] at an offset, and what stands for it among arrays: as many rows without elements.
func newStored(disk *onDisk, at int64, d tensor.DType, shape tensor.Shape) (*stored, *tensor.Tensor, error) {
	n, err := shape.CheckedLen(d)
	if err != nil {
		return nil, nil, err
	}
	if size := int64(d.Size(n)); at > disk.size || size > disk.size-at {
		return nil, nil, malformed(disk.path, fmt.Sprintf("offset %d", at), "the file is cut short; fetch it again",
			"an array of %d bytes where %d are left", size, max(0, disk.size-at))
	}
	return &stored{disk: disk, at: at, dtype: d, n: shape[0], shape: shape[1:]}, tensor.New(d, shape[0], 0), nil
}

// row is row i.
func (s *stored) row(i int) (*tensor.Tensor, error) {
	b, err := s.bytes(i)
	if err != nil {
		return nil, err
	}
	shape := s.shape
	switch {
	case s.dtype == tensor.Bool:
		for k, v := range b {
			b[k] = min(v, 1)
		}
	case s.channelsLast:
		out := make([]byte, len(b))
		planar(out, b, shape[2])
		b, shape = out, tensor.Shape{shape[2], shape[0], shape[1]}
	}
	t, err := tensor.FromBytes(s.dtype, shape, b)
	if err != nil || !s.finite || !s.dtype.IsFloat() {
		return t, err
	}
	if at := notFinite(t.Float64s()); at >= 0 {
		return nil, malformed(s.disk.path, fmt.Sprintf("%s, row %d", s.name, i), "remove or replace the value",
			"value %d of the row is NaN or infinite", at)
	}
	return t, nil
}

// shape is that of an array, wherever it lies.
func (a *archive) shape(t *tensor.Tensor) tensor.Shape {
	if s := a.late[t]; s != nil {
		return append(tensor.Shape{s.n}, s.shape...)
	}
	return t.Shape()
}

// readWhole reports whether the array of a name is one that is read as a whole: of labels, masks, ids or names.
func readWhole(name string) bool {
	base, _ := ofSplit(name)
	base = strings.ToLower(base)
	return slices.Contains(usualY, base) || slices.Contains(namesOfNames, base) ||
		slices.Contains([]string{"mask", "masks", "id", "ids", "feature_names"}, base)
}

// leftInPlace is the NPY array of so many bytes at an offset, to be read row by row; nil where it is small or cannot be.
func leftInPlace(disk *onDisk, name string, at, size int64) (*stored, *tensor.Tensor, error) {
	if size <= keptArray || readWhole(name) {
		return nil, nil, nil
	}
	d, shape, offset, ok, err := tensor.NPYStart(io.NewSectionReader(disk, at, size))
	if err != nil || !ok || len(shape) == 0 || shape[0] == 0 {
		return nil, nil, err
	}
	n, err := shape.CheckedLen(d)
	if err != nil {
		return nil, nil, err
	}
	if int64(d.Size(n)) != size-offset {
		return nil, nil, fmt.Errorf("%w: %q: %d bytes of elements where %d belong", tensor.ErrNPY, name, size-offset, d.Size(n))
	}
	return newStored(disk, at+offset, d, shape)
}

// readNPZ is the arrays of an archive. Large ones that are not packed are left in it.
func readNPZ(path string, o Options) ([]tensor.Named, map[*tensor.Tensor]*stored, error) {
	disk, err := newOnDisk(path)
	if err != nil {
		return nil, nil, err
	}
	lim := tensor.Limits{MaxBytes: o.Limits.bytes()}
	if disk.size <= keptArray {
		arrays, err := tensor.ReadFileLimited(path, lim)
		return arrays, nil, err
	}
	f, _, err := openFile(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	zr, err := zip.NewReader(f, disk.size)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w: %w", path, tensor.ErrNPY, err)
	}
	late := map[*tensor.Tensor]*stored{}
	place := map[string]*tensor.Tensor{}
	for _, e := range zr.File {
		name, isNPY := strings.CutSuffix(e.Name, ".npy")
		at, err := e.DataOffset()
		if !isNPY || err != nil || e.Method != zip.Store || e.Flags&1 != 0 || e.UncompressedSize64 != e.CompressedSize64 ||
			e.UncompressedSize64 > uint64(disk.size) {
			continue // read, or refused, with the others
		}
		s, stands, err := leftInPlace(disk, name, at, int64(e.UncompressedSize64))
		if err != nil {
			return nil, nil, err
		}
		if s != nil {
			late[stands], place[name] = s, stands
		}
	}
	lim.Skip = func(name string) bool { return place[name] != nil }
	rest, err := tensor.ReadNPZ(f, disk.size, lim)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	var all []tensor.Named // in the order of the file
	for _, e := range zr.File {
		name := strings.TrimSuffix(e.Name, ".npy")
		if t := place[name]; t != nil {
			all = append(all, tensor.Named{Name: name, Tensor: t})
		} else if len(rest) > 0 {
			all, rest = append(all, rest[0]), rest[1:]
		}
	}
	return all, late, nil
}
