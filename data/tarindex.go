package data

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/internal/regular"
)

// maxNote is how many bytes a file of a label or of metadata in a tar may have.
const maxNote = 1 << 20

// tarPart is where a file of a sample is; size 0: it is not there.
type tarPart struct {
	shard    int32
	at, size int64
}

// tarSample is the files of one name in a tar.
type tarSample struct {
	key                  string
	picture, mask, array tarPart
	fields               map[string]string // cls, txt, and what the json holds
	other                []string          // extensions that are not read
}

// tarReader goes through the samples of tar files, one after another.
type tarReader struct {
	disks []*onDisk
	shard int // the open one; -1 before the first
	file  io.Closer
	at    *io.SectionReader
	tar   *tar.Reader
	ahead *tarSample // the sample that is being gathered
}

func (r *tarReader) close() {
	if r.file != nil {
		r.file.Close()
		r.file = nil
	}
}

// next is the next sample; io.EOF at the end.
func (r *tarReader) next() (*tarSample, error) {
	for {
		if r.tar == nil {
			if r.shard+1 == len(r.disks) {
				return r.last(nil)
			}
			r.shard++
			if err := r.open(); err != nil {
				return nil, err
			}
			if done, err := r.last(nil); err == nil {
				return done, nil
			}
		}
		h, err := r.tar.Next()
		switch {
		case errors.Is(err, io.EOF):
			r.close()
			r.tar = nil
			continue
		case err != nil:
			return nil, r.wrong(err)
		case h.Typeflag != tar.TypeReg || hidden(path.Base(h.Name)) || strings.Contains(h.Name, "__MACOSX/"):
			continue
		}
		at, err := r.at.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, r.wrong(err)
		}
		if size := r.disks[r.shard].size; h.Size < 0 || h.Size > size-at || len(h.PAXRecords["GNU.sparse.map"]) > 0 {
			return nil, malformed(r.disks[r.shard].path, clip(h.Name), "the file is cut short; fetch it again", "%d bytes where %d are left",
				h.Size, max(0, size-at))
		}
		dir, base := path.Split(path.Clean(strings.TrimLeft(h.Name, "./")))
		stem, ext, _ := strings.Cut(base, ".")
		key := dir + stem
		var done *tarSample
		if r.ahead != nil && r.ahead.key != key {
			done = r.ahead
			r.ahead = nil
		}
		if r.ahead == nil {
			r.ahead = &tarSample{key: key, fields: map[string]string{}}
		}
		if err := r.add(strings.ToLower(ext), h, tarPart{int32(r.shard), at, h.Size}); err != nil {
			return nil, err
		}
		if done != nil {
			return done, nil
		}
	}
}

// last gives out the sample that was gathered, when no more of it comes; io.EOF where there is none.
func (r *tarReader) last(err error) (*tarSample, error) {
	done := r.ahead
	r.ahead = nil
	if done == nil {
		return nil, io.EOF
	}
	return done, err
}

func (r *tarReader) open() error {
	d := r.disks[r.shard]
	f, err := regular.Open(d.path)
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	r.file = f
	head := make([]byte, 512)
	n, _ := f.ReadAt(head, 0)
	switch head = head[:n]; {
	case bytes.HasPrefix(head, []byte("\x1f\x8b")), bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")), bytes.HasPrefix(head, []byte("BZh")),
		bytes.HasPrefix(head, []byte("\xfd7zXZ")):
		return &FormatError{Path: d.path, Problem: "a packed tar, in which no file can be found again", Err: ErrUnsupported,
			Remedy: "unpack it with gunzip or what it was packed with, and give the .tar"}
	case n == 0:
		return malformed(d.path, "", "fetch it again", "the file is empty")
	}
	r.at = io.NewSectionReader(f, 0, d.size)
	r.tar = tar.NewReader(r.at)
	return nil
}

func (r *tarReader) wrong(err error) error {
	return &FormatError{Path: r.disks[r.shard].path, Problem: "cannot read the tar", Err: err,
		Remedy: "the file is damaged or cut short, or no tar; fetch it again"}
}

// usualMaskParts is what the masks of pictures are called, before their extension.
var usualMaskParts = []string{"mask", "masks", "seg", "segmentation", "annotation", "label"}

// add takes a file of the sample.
func (r *tarReader) add(ext string, h *tar.Header, p tarPart) error {
	s := r.ahead
	word, last := "", ext
	if i := strings.LastIndexByte(ext, '.'); i >= 0 {
		word, last = ext[:i], ext[i+1:]
	}
	twice := func(first tarPart) error {
		return malformed(r.disks[r.shard].path, clip(h.Name), "name files so that a sample has one of each kind",
			"a second file of its kind in the sample %s, after the one at offset %d", clip(s.key), first.at)
	}
	kind := kindByName("x." + last)
	switch {
	case kind != nil && kind.read && slices.Contains(usualMaskParts, word):
		if s.mask.size > 0 {
			return twice(s.mask)
		}
		s.mask = p
	case kind != nil && kind.read:
		if s.picture.size > 0 {
			return twice(s.picture)
		}
		s.picture = p
	case ext == "npy" || ext == "x.npy":
		if s.array.size > 0 {
			return twice(s.array)
		}
		s.array = p
	case ext == "cls" || ext == "txt" || ext == "json":
		if h.Size > maxNote {
			return malformed(r.disks[r.shard].path, clip(h.Name), "labels and metadata are short texts", "%d bytes", h.Size)
		}
		b := make([]byte, h.Size)
		if _, err := io.ReadFull(r.tar, b); err != nil {
			return r.wrong(err)
		}
		if ext != "json" {
			if _, ok := s.fields[ext]; ok {
				return twice(p)
			}
			s.fields[ext] = strings.TrimSpace(strings.ToValidUTF8(string(b), "\uFFFD"))
			return nil
		}
		return r.metadata(h.Name, b)
	default:
		s.other = append(s.other, ext)
	}
	return nil
}

// metadata takes the numbers, texts and lists of a json object.
func (r *tarReader) metadata(name string, b []byte) error {
	var fields map[string]any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&fields); err != nil {
		return &FormatError{Path: r.disks[r.shard].path, Place: clip(name), Problem: "cannot read the metadata", Err: err,
			Remedy: `need an object such as {"label": 3}`}
	}
	for k, v := range fields {
		if s, ok := jsonField(v); ok && !slices.Contains([]string{"id", "cls", "txt"}, k) {
			r.ahead.fields[k] = s
		}
	}
	return nil
}

// jsonField is a number, text or truth value as a field of a table, and a list of such with | between them.
func jsonField(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return fmt.Sprint(v), true
	case []any:
		var list []string
		for _, x := range v {
			s, ok := jsonField(x)
			if _, deeper := x.([]any); deeper || !ok {
				return "", false
			}
			list = append(list, s)
		}
		return joined(list), true
	}
	return "", false
}
