package data

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	register(Format{
		Name: "idx", Doc: "MNIST and its relatives: idx3-ubyte pictures and idx1-ubyte labels, .gz or not",
		Source: "http://yann.lecun.com/exdb/mnist/ (section FILE FORMATS)",
		splits: []string{"train", "test"},
		is: func(path string, info fs.FileInfo) bool {
			return info.IsDir() && (exists(idxPath(path, "train", "images", 3)) || exists(idxPath(path, "test", "images", 3)))
		},
		open: openIDX,
	})
}

// idxPath is the usual name of a file of a split, "-" or "." before idx.
func idxPath(dir, split, what string, rank int) string {
	prefix := "train"
	if split == "test" {
		prefix = "t10k"
	}
	p := filepath.Join(dir, fmt.Sprintf("%s-%s-idx%d-ubyte", prefix, what, rank))
	if q := filepath.Join(dir, fmt.Sprintf("%s-%s.idx%d-ubyte", prefix, what, rank)); !exists(p) && exists(q) {
		return q
	}
	return p
}

// exists reports whether path or path.gz is there.
func exists(path string) bool {
	if _, err := os.Stat(path); err == nil {
		return true
	}
	_, err := os.Stat(path + ".gz")
	return err == nil
}

// openIDX reads a split (train when none is given) of a folder with the file names of MNIST: X uint8 [1,H,W] (or [C,H,W] for
// rank-4 files), classes "0", "1", ….
func openIDX(spec Spec, o Options, _ int) (Dataset, error) {
	split := spec.Split
	if split == "" {
		split = "train"
	}
	rank := 3
	if !exists(idxPath(spec.Path, split, "images", 3)) && exists(idxPath(spec.Path, split, "images", 4)) {
		rank = 4
	}
	xPath, yPath := idxPath(spec.Path, split, "images", rank), idxPath(spec.Path, split, "labels", 1)
	for _, path := range []string{xPath, yPath} {
		if err := o.checkFile(spec.Path, path); err != nil {
			return nil, err
		}
	}
	x, late, err := openIDXRows(xPath, o.Limits)
	if err != nil {
		return nil, err
	}
	y, err := readIDXFile(yPath, o.Limits)
	if err != nil {
		return nil, err
	}
	xs := x.Shape()
	if late != nil {
		xs = append(tensor.Shape{late.n}, late.shape...)
	}
	switch {
	case y.DType() != tensor.Uint8 || y.Rank() != 1:
		return nil, malformed(yPath, "header", "labels are bytes, one per picture", "holds %v", y)
	case x.DType() != tensor.Uint8 || len(xs) != rank || (rank == 4 && xs[1] != 1 && xs[1] != 3):
		return nil, malformed(xPath, "header", "pictures are bytes [N,H,W] or [N,C,H,W]", "holds %v", x)
	case xs[0] != y.Dim(0):
		return nil, malformed(yPath, "header", "take both files from one set", "%d labels for the %d pictures of %s", y.Dim(0), xs[0],
			filepath.Base(xPath))
	case xs[0] > 0 && xs.Len() == 0:
		return nil, malformed(xPath, "header", "", "pictures of %v pixels", xs[1:])
	}
	m := &memory{path: spec.Path, dtype: tensor.Uint8, shape: append(tensor.Shape{1}, xs[1:]...), raw: x.Bytes(), late: late, n: xs[0],
		picture: true,
		prefix:  split + "/", small: y.Bytes()}
	if rank == 4 {
		m.shape = xs[1:]
	}
	if late != nil {
		late.shape = m.shape
	}
	most := -1
	for _, l := range m.small {
		most = max(most, int(l))
	}
	if o.Classes == nil {
		most = max(most, 9) // a part of MNIST still has ten classes
	}
	m.classes, err = numberedClasses(yPath, most, o.Classes)
	return m, err
}

// numberedClasses is the given classes, or "0" to the highest label. It fails when that label is beyond the given classes.
func numberedClasses(path string, highest int, given []string) ([]string, error) {
	if given != nil {
		if highest >= len(given) {
			return nil, malformed(path, "", "give the class list of this data", "label %d is out of range: %d classes are given", highest,
				len(given))
		}
		return given, nil
	}
	names := make([]string, highest+1)
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	return names, nil
}

// openIDXRows is an array of a file; one that is large and not compressed is left in it, and as many rows without elements stand for it.
func openIDXRows(path string, l Limits) (*tensor.Tensor, *stored, error) {
	disk, err := newOnDisk(path)
	if err != nil || disk.size <= keptArray {
		x, err := readIDXFile(path, l)
		return x, nil, err
	}
	var head [4 + 4*maxIDXRank]byte
	if _, err := disk.ReadAt(head[:min(int64(len(head)), disk.size)], 0); err != nil {
		return nil, nil, fmt.Errorf("data: %s: %w", path, err)
	}
	d, rank := idxTypes[head[2]], int(head[3])
	if head[0] != 0 || head[1] != 0 || d.Bits() != 8 || rank == 0 || rank > maxIDXRank {
		x, err := readIDXFile(path, l) // compressed, of numbers whose bytes are to be turned, or damaged
		return x, nil, err
	}
	shape := make(tensor.Shape, rank)
	for i := range shape {
		shape[i] = int(binary.BigEndian.Uint32(head[4+4*i:]))
	}
	start := int64(4 + 4*rank)
	switch n, err := shape.CheckedLen(d); {
	case err != nil:
		return nil, nil, overLimit(path, "offset 4", fmt.Sprintf("header claims %v elements", shape), l)
	case int64(n) != disk.size-start:
		return nil, nil, malformed(path, "offset 4", "the file is damaged; fetch it again", "header claims %d bytes, have %d", n,
			disk.size-start)
	}
	s, x, err := newStored(disk, start, d, shape)
	return x, s, err
}

func readIDXFile(path string, l Limits) (*tensor.Tensor, error) {
	f, err := openMaybeGzip(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readIDX(path, f, f.most, l)
}

// maxIDXRank is the highest rank of an array that is read.
const maxIDXRank = 8

// idxTypes is the element types by the third byte of the magic number.
var idxTypes = map[byte]tensor.DType{0x08: tensor.Uint8, 0x09: tensor.Int8, 0x0B: tensor.Int16, 0x0C: tensor.Int32, 0x0D: tensor.Float32,
	0x0E: tensor.Float64}

// readIDX reads one idx file: two zero bytes, type, rank, big-endian extents, big-endian elements.
// There are most bytes at most.
func readIDX(path string, r io.Reader, most int64, l Limits) (t *tensor.Tensor, err error) {
	var magic [4]byte
	if _, err := io.ReadFull(r, magic[:]); err != nil {
		return nil, &FormatError{Path: path, Place: "offset 0", Problem: "no idx header", Err: err,
			Remedy: "the file is cut short; fetch it again"}
	}
	d, ok := idxTypes[magic[2]]
	if magic[0] != 0 || magic[1] != 0 || !ok || magic[3] > maxIDXRank {
		return nil, malformed(path, "offset 0", "idx files begin with 00 00 TYPE RANK", "not an idx file: begins with % x", magic)
	}
	shape := make(tensor.Shape, magic[3])
	for i := range shape {
		var e [4]byte
		if _, err := io.ReadFull(r, e[:]); err != nil {
			return nil, &FormatError{Path: path, Place: fmt.Sprintf("offset %d", 4+4*i), Problem: "header cut short", Err: err,
				Remedy: "fetch the file again"}
		}
		shape[i] = int(binary.BigEndian.Uint32(e[:]))
	}
	n, err := shape.CheckedLen(d)
	if err != nil || int64(d.Size(n)) > l.bytes() {
		return nil, overLimit(path, "offset 4", fmt.Sprintf("header claims %v elements", shape), l)
	}
	held := &ledger{what: "the data of " + path}
	defer func() {
		if t == nil {
			held.release()
		}
	}()
	raw, err := readClaimed(r, int64(d.Size(n)), most-int64(4+4*len(shape)), held)
	if no := refused(path, "", l, err); no != nil {
		return nil, no
	}
	var short *shortError
	if errors.As(err, &short) {
		place := fmt.Sprintf("offset %d", 4+4*int64(len(shape))+short.have)
		if len(shape) > 0 && n > 0 {
			place += fmt.Sprintf(", item %d of %d", short.have/int64(d.Size(n)/shape[0]), shape[0])
		}
		return nil, &FormatError{Path: path, Place: place, Problem: fmt.Sprintf("header claims %d bytes, have %d", d.Size(n), short.have),
			Err: short.err, Remedy: "the file is cut short; fetch it again"}
	}
	if err != nil {
		return nil, err
	}
	if k, err := r.Read(make([]byte, 1)); k > 0 {
		return nil, malformed(path, fmt.Sprintf("offset %d", 4+4*len(shape)+len(raw)), "the file is damaged; fetch it again",
			"more bytes than the header claims")
	} else if err != nil && !errors.Is(err, io.EOF) {
		return nil, &FormatError{Path: path, Problem: "damaged at its end", Err: err, Remedy: "fetch the file again"}
	}
	if w := d.Bits() / 8; w > 1 {
		for i := 0; i < len(raw); i += w {
			for a, b := i, i+w-1; a < b; a, b = a+1, b-1 {
				raw[a], raw[b] = raw[b], raw[a]
			}
		}
	}
	if t, err = tensor.FromBytes(d, shape, raw); err == nil {
		tie(held, t)
	}
	return t, err
}
