package onnx

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/gtk-onnx/gtk/internal/memory"
	"github.com/gtk-onnx/gtk/internal/regular"
	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"google.golang.org/protobuf/encoding/protowire"
)

// An Option changes how a model is read.
type Option func(*options)

type options struct {
	budget   int64
	maxBytes int64
	root     string
	ctx      context.Context
}

// MaxMemory raises or lowers the limit of the memory that a file may take when it is decoded, in bytes. The default is
// 96 MiB and 16 bytes for each byte of the file above 10 MiB, far more than models need, and never more than the process has left.
func MaxMemory(n int64) Option { return func(o *options) { o.budget = n } }

// MaxBytes sets how large a model file may be, external data not counted; the default is 2 GiB, the limit of protobuf.
func MaxBytes(n int64) Option { return func(o *options) { o.maxBytes = n } }

// DataRoot allows external data to lie anywhere in dir, not only in the model's folder, which must be inside dir. Paths
// are still relative to the model's folder; symbolic links are followed as long as they stay in dir.
func DataRoot(dir string) Option { return func(o *options) { o.root = dir } }

// Context ends the reading of the model, and later of its external data and their checksums, when ctx is done.
func Context(ctx context.Context) Option { return func(o *options) { o.ctx = ctx } }

func makeOptions(opts []Option) options {
	o := options{maxBytes: 2 << 30}
	for _, f := range opts {
		f(&o)
	}
	return o
}

// ReadFile reads a model. External data is not read; it is found in the folder of the model when Tensor asks for it.
func ReadFile(path string, opts ...Option) (*Model, error) {
	o := makeOptions(opts)
	b, release, err := readAll(path, o)
	if err != nil {
		return nil, err
	}
	defer release() // what is decoded has copies
	m, err := parse(b, o)
	if err != nil {
		return nil, inFile(err, path)
	}
	m.Path = path
	if m.data, err = newDataFolder(filepath.Dir(path), o.root); err != nil {
		return nil, fmt.Errorf("onnx: %s: %w", path, err)
	}
	return m, nil
}

// readAll is the content of a file, which is there until release is called.
func readAll(path string, o options) (b []byte, release func(), err error) {
	f, err := regular.Open(path)
	if err != nil {
		if st, statErr := os.Stat(path); statErr == nil && st.IsDir() {
			return nil, nil, folderError(path)
		}
		return nil, nil, fmt.Errorf("onnx: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("onnx: %w", err)
	}
	if st.Size() > o.maxBytes {
		return nil, nil, tooLarge(path, st.Size(), o.maxBytes)
	}
	var held *memory.Grant
	if st.Size() >= memory.Small {
		if held, err = memory.Take(st.Size(), "the model "+shown.Name(path)); err != nil {
			return nil, nil, fmt.Errorf("onnx: %w", err)
		}
	}
	b, free := scratch(int(st.Size()))
	release = func() {
		free()
		held.Release()
	}
	for at := 0; at < len(b) && err == nil; at += piece {
		if err = done(o.ctx); err == nil {
			_, err = io.ReadFull(f, b[at:min(len(b), at+piece)])
		}
		if _, _, n := protowire.ConsumeTag(b); err == nil && at == 0 && n < 0 && notONNX(b[:min(len(b), piece)]) == "" {
			release() // not worth reading to its end
			return nil, nil, &FormatError{File: path, Msg: "no valid field at byte 0: " + wireError(n).Error()}
		}
	}
	if err != nil {
		release()
		return nil, nil, fmt.Errorf("onnx: %s: %w", path, err)
	}
	return b, release, nil
}

func readLimited(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	if int64(len(b)) > limit {
		return nil, tooLarge("", int64(len(b)), limit)
	}
	return b, nil
}

func tooLarge(path string, size, limit int64) error {
	return &UnsupportedError{File: path, Feature: fmt.Sprintf(
		"a model file of %d bytes or more, the limit is %d (MaxBytes); models above 2 GiB keep their weights as external data", size,
		limit)}
}

// Read reads a model from r to its end. External data cannot be read; use ReadFile for models that have some.
func Read(r io.Reader, opts ...Option) (*Model, error) {
	o := makeOptions(opts)
	if br, ok := r.(*bytes.Buffer); ok && int64(br.Len()) <= o.maxBytes {
		return parse(br.Next(br.Len()), o)
	}
	b, err := readLimited(r, o.maxBytes)
	if err != nil {
		return nil, err
	}
	return parse(b, o)
}

// Parse reads a model from the bytes of a file, which are not kept. External data cannot be read.
func Parse(b []byte, opts ...Option) (*Model, error) { return parse(b, makeOptions(opts)) }

// hasGraph fails for a message that is whole and has no graph; others are left to decode, which says what is wrong with them.
func hasGraph(b []byte) error {
	const graph = 7 // field number
	for i := 0; i < len(b); {
		num, typ, n := protowire.ConsumeField(b[i:])
		if n < 0 || num == graph && typ == protowire.BytesType {
			return nil
		}
		i += n
	}
	return &FormatError{Msg: "there is no graph in it: this is not an ONNX model (a tensor file, or another format?)"}
}

func parse(b []byte, o options) (*Model, error) {
	if what := notONNX(b); what != "" {
		return nil, &FormatError{Msg: what}
	}
	if err := hasGraph(b); err != nil {
		return nil, err
	}
	budget := o.budget
	if budget == 0 {
		budget = memoryFor(len(b))
	}
	p := &onnxpb.ModelProto{}
	if err := decode(b, p, budget, false); err != nil {
		return nil, err
	}
	m := &Model{Proto: p, ctx: o.ctx}
	modernise(m)
	return m, nil
}

// folderError is the error of a folder where a file is expected: it names the models in it.
func folderError(path string) error {
	entries, err := os.ReadDir(path)
	if err == nil && len(entries) == 0 {
		return fmt.Errorf("onnx: %s is an empty folder; give an .onnx file", path)
	}
	var models []string
	for _, e := range entries {
		if !e.IsDir() && strings.EqualFold(filepath.Ext(e.Name()), ".onnx") {
			models = append(models, filepath.Join(path, e.Name()))
		}
	}
	switch n := len(models); {
	case n == 0:
		return fmt.Errorf("onnx: %s is a folder without an .onnx file", path)
	case n > 5:
		return fmt.Errorf("onnx: %s is a folder; give one of the %d .onnx files in it", path, n)
	}
	return fmt.Errorf("onnx: %s is a folder; give the .onnx file in it: %s", path, shown.Names(models, 12))
}
