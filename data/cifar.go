package data

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gtk-onnx/gtk/internal/regular"
	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	register(Format{
		Name: "cifar10", Doc: "CIFAR-10, binary version: a folder with data_batch_1.bin … and test_batch.bin, or one such file",
		Source: "https://www.cs.toronto.edu/~kriz/cifar.html (section Binary version)",
		splits: []string{"train", "test"},
		is: func(path string, info fs.FileInfo) bool {
			if info.IsDir() {
				return len(cifarFiles(path, "train"))+len(cifarFiles(path, "test")) > 0
			}
			base := strings.TrimSuffix(filepath.Base(path), ".gz")
			return base == "test_batch.bin" || strings.HasPrefix(base, "data_batch_") && strings.HasSuffix(base, ".bin")
		},
		open: openCIFAR,
	})
}

// cifarClasses is batches.meta.txt.
var cifarClasses = []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}

const (
	cifarRecord = 1 + 3*32*32
	mostCIFAR   = 200_000 // pictures: CIFAR-10 has 60,000, which all are held in memory
)

// cifarFiles lists the files of a split, in the folder or in its sub-folder cifar-10-batches-bin.
func cifarFiles(dir, split string) []string {
	pattern := "data_batch_*.bin"
	if split == "test" {
		pattern = "test_batch.bin"
	}
	for _, d := range []string{dir, filepath.Join(dir, "cifar-10-batches-bin")} {
		var found []string
		entries, _ := os.ReadDir(d)
		for _, e := range entries {
			if ok, _ := filepath.Match(pattern, strings.TrimSuffix(e.Name(), ".gz")); ok {
				found = append(found, filepath.Join(d, e.Name()))
			}
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// openCIFAR reads a split (train when none is given) of a folder, or one file: X uint8 [3,32,32].
func openCIFAR(spec Spec, o Options, _ int) (Dataset, error) {
	info, err := os.Stat(spec.Path)
	if err != nil {
		return nil, fmt.Errorf("data: cifar10: %w", err)
	}
	paths, split := []string{spec.Path}, spec.Split
	if info.IsDir() {
		if split == "" {
			split = "train"
		}
		if paths = cifarFiles(spec.Path, split); len(paths) == 0 {
			return nil, malformed(spec.Path, "", "need data_batch_1.bin … data_batch_5.bin (train) and test_batch.bin (test) of the "+
				"binary version", "no files of the %s split", split)
		}
	}
	m := &memory{path: spec.Path, dtype: tensor.Uint8, shape: tensor.Shape{3, 32, 32}, picture: true, classes: cifarClasses}
	if o.Classes != nil {
		m.classes = o.Classes
		if len(o.Classes) != len(cifarClasses) {
			return nil, malformed(spec.Path, "", "use a model with 10 classes", "%d classes are given for the 10 of CIFAR-10",
				len(o.Classes))
		}
	}
	for _, p := range paths {
		if info.IsDir() {
			if err := o.checkFile(spec.Path, p); err != nil {
				return nil, err
			}
		}
		if err := m.readCIFARFile(p, o.Limits); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *memory) readCIFARFile(path string, l Limits) error {
	f, err := openMaybeGzip(path)
	if err != nil {
		return err
	}
	defer f.Close()
	name := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(path), ".gz"), ".bin")
	return m.readCIFAR(path, name, f, f.size, l)
}

// readCIFAR appends the records of one file: label byte, then 1024 red, green and blue bytes. There are about expect bytes.
func (m *memory) readCIFAR(path, name string, r io.Reader, expect int64, l Limits) (err error) {
	b := bufio.NewReaderSize(r, 1<<16)
	held := &ledger{what: "the pictures of " + path}
	defer tie(held, m)
	n := int(min(expect, l.bytes()) / cifarRecord)
	have := len(m.raw) / (cifarRecord - 1)
	tooMany := func() error {
		return malformed(path, "", "for more pictures use imagefolder or npz", "more than %d pictures, and CIFAR-10 has 60000", mostCIFAR)
	}
	if have+n > mostCIFAR {
		return tooMany()
	}
	if m.raw, err = regular.Grow(m.raw, n*(cifarRecord-1), held.grow); err != nil {
		return refused(path, "", l, err)
	}
	if err := held.add(80 * int64(n)); err != nil { // classes and ids
		return refused(path, "", l, err)
	}
	var record [cifarRecord]byte
	for i := 0; ; i++ {
		k, err := io.ReadFull(b, record[:])
		if errors.Is(err, io.EOF) {
			return nil
		}
		place := fmt.Sprintf("image %d", i)
		if no := refused(path, place, l, err); no != nil {
			return no
		}
		if err != nil {
			return &FormatError{Path: path, Place: place, Problem: fmt.Sprintf("record has %d of %d bytes", k, cifarRecord), Err: err,
				Remedy: "the file is cut short; fetch it again"}
		}
		if int(record[0]) >= len(cifarClasses) {
			return malformed(path, place, "need the binary version of CIFAR-10, not CIFAR-100 or the pickled one",
				"label %d is out of range 0..9", record[0])
		}
		if have+i >= mostCIFAR {
			return tooMany()
		}
		if int64(len(m.raw)+len(record)) > l.bytes() {
			return overLimit(path, place, "the pictures", l)
		}
		if m.raw, err = push(held, m.raw, record[1:]...); err != nil {
			return refused(path, place, l, err)
		}
		m.labels = append(m.labels, int32(record[0]))
		m.ids = append(m.ids, fmt.Sprintf("%s/%d", name, i))
		m.n++
	}
}
