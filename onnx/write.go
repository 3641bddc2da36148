package onnx

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"github.com/gtk-onnx/gtk/internal/whole"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
	"google.golang.org/protobuf/proto"
)

// WriteOptions say how a model is written. The zero value keeps the form of the model: external data stays external, and
// all other data does unless the file would be larger than protobuf allows, 2 GiB.
type WriteOptions struct {
	Force        bool   // overwrite files that are there
	ExternalData bool   // put all large tensors into a file beside the model
	Inline       bool   // put external data into the model file
	Threshold    int    // bytes from which a tensor is large; 0 means 1024
	DataName     string // name of the data file; "" means the name of the model file and ".data". See pair for when it is taken
}

const (
	maxFile   = math.MaxInt32 // of protobuf
	dataAlign = 4096          // of external data, so that it can be mapped
)

var marshal = proto.MarshalOptions{Deterministic: true, AllowPartial: true}

// Bytes is the content of the model file. External data that was not changed stays where it is; changed external data
// is put inside.
func (m *Model) Bytes() ([]byte, error) {
	p, err := m.inlined(false)
	if err != nil {
		return nil, err
	}
	return marshalModel(p)
}

func marshalModel(p *onnxpb.ModelProto) ([]byte, error) {
	if n := proto.Size(p); n > maxFile {
		return nil, &UnsupportedError{Feature: fmt.Sprintf("a model file of %d bytes; protobuf allows 2 GiB: write it with external data",
			n)}
	}
	b, err := marshal.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("onnx: %w", err)
	}
	return b, nil
}

// WriteTo writes what Bytes returns.
func (m *Model) WriteTo(w io.Writer) (int64, error) {
	b, err := m.Bytes()
	if err != nil {
		return 0, err
	}
	n, err := w.Write(b)
	return int64(n), err
}

// inlined is the message with changed external tensors, or with all, put inside; m.Proto itself when there are none.
func (m *Model) inlined(all bool) (*onnxpb.ModelProto, error) {
	todo := false
	for t := range m.Tensors() {
		todo = todo || isExternal(t.Proto) && (all || m.isChanged(t.Proto))
	}
	if !todo {
		return m.Proto, nil
	}
	c := m.Clone()
	for t := range c.Tensors() {
		p := t.Proto
		if !isExternal(p) || !all && !c.isChanged(p) {
			continue
		}
		v, err := c.Tensor(p)
		if err != nil {
			return nil, err
		}
		p.RawData = v.Bytes()
		p.DataLocation, p.ExternalData = nil, nil
	}
	return c.Proto, nil
}

func (m *Model) isChanged(p *onnxpb.TensorProto) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changed[p] != nil
}

// WriteFile writes the model to path, and its external data to a file beside it. A file appears whole or not at all, and a model and its
// data change together: see pair. Missing folders are made. Without Force, a file that is there is an error that is fs.ErrExist. A model
// may be written over the very files that it was read from, and goes on reading what it had.
func (m *Model) WriteFile(path string, o WriteOptions) error {
	if o.ExternalData && o.Inline {
		return fmt.Errorf("onnx: write %s: both ExternalData and Inline", path)
	}
	if o.Threshold == 0 {
		o.Threshold = 1024
	}
	if o.DataName == "" {
		o.DataName = filepath.Base(path) + ".data"
	}
	if filepath.Base(o.DataName) != o.DataName || o.DataName == filepath.Base(path) {
		return fmt.Errorf("onnx: write %s: the data file %q must be another file in the same folder", path, o.DataName)
	}
	whole.Sweep(filepath.Dir(path)) // or data of a pair that was not finished would stand in the way
	if err := mayWrite(path, o.Force); err != nil {
		return err
	}
	w := &pair{m: m, path: path, dataName: o.DataName}
	switch external, large := m.extent(o); {
	case o.Inline:
		p, err := m.inlined(true)
		if err != nil {
			return err
		}
		return w.alone(p)
	case external || large:
		o.ExternalData = o.ExternalData || large
		if err := mayWrite(filepath.Join(filepath.Dir(path), o.DataName), o.Force); err != nil {
			return err
		}
		return w.both(o)
	}
	return w.alone(m.Proto)
}

// extent says whether a data file is asked for or kept, and whether it is needed.
func (m *Model) extent(o WriteOptions) (external, large bool) {
	for t := range m.Tensors() {
		external = external || isExternal(t.Proto)
	}
	return external || o.ExternalData, proto.Size(m.Proto) > maxFile
}

func mayWrite(path string, force bool) error {
	st, err := os.Stat(path)
	switch {
	case err == nil && st.IsDir():
		return fmt.Errorf("onnx: write %s: this is a folder", path)
	case err == nil && !force:
		return fmt.Errorf("onnx: write %s: %w; nothing is overwritten unless forced", path, fs.ErrExist)
	}
	return nil
}

// holes is a writer that can append zeros without writing them.
type holes interface {
	io.Writer
	Skip(n int64) error
}

// writeData writes the external data of m. The message returned refers to it by the name that is given to refer.
func (m *Model) writeData(to holes, o WriteOptions) (_ *onnxpb.ModelProto, refer func(name string), err error) {
	w := bufio.NewWriterSize(to, 1<<16)
	c := m.Clone()
	offset := int64(0)
	have := map[any]int64{}                    // where a range of the external data that the model has is in the new file
	var names []*onnxpb.StringStringEntryProto // that say where
	most := 64<<20 + 4*c.ContentBytes()
	for t := range c.Tensors() {
		p := t.Proto
		if !isExternal(p) && (!o.ExternalData || t.Attribute != "") {
			continue // runtimes look for external data in initializers only, so attributes stay as they are
		}
		size, err := c.storedSize(p)
		if err != nil {
			return nil, nil, at(err, fmt.Sprintf("tensor %q", p.GetName()))
		}
		if !isExternal(p) && size < int64(o.Threshold) {
			continue
		}
		from := c.externalID(p)
		if at, ok := have[from]; ok && from != nil {
			names = append(names, makeExternal(p, at, size))
			continue
		}
		pad := (dataAlign - offset%dataAlign) % dataAlign
		if _, err := w.Write(make([]byte, pad)); err != nil {
			return nil, nil, fmt.Errorf("onnx: %w", err)
		}
		offset += pad
		if isExternal(p) && !c.isChanged(p) && offset+size > most {
			return nil, nil, &FormatError{Where: fmt.Sprintf("tensor %q", p.GetName()),
				Msg: "the tensors up to here are together far larger than " +
					"the external data that holds them: its ranges overlap"}
		}
		if err := c.copyData(to, w, p); err != nil {
			return nil, nil, at(err, fmt.Sprintf("tensor %q", p.GetName()))
		}
		names = append(names, makeExternal(p, offset, size))
		have[from] = offset
		offset += size
	}
	if err := w.Flush(); err != nil {
		return nil, nil, fmt.Errorf("onnx: %w", err)
	}
	return c.Proto, func(name string) {
		for _, e := range names {
			e.Value = &name
		}
	}, nil
}

// storedSize is the number of bytes of a tensor when stored as raw bytes; 0 for strings, which cannot be.
func (m *Model) storedSize(p *onnxpb.TensorProto) (int64, error) {
	_, n, err := shapeOf(p)
	if err != nil {
		return 0, err
	}
	return int64(tensor.DType(p.GetDataType()).Size(n)), nil
}

// copyData writes the raw bytes of a tensor; external data that was not changed goes from file to file.
func (m *Model) copyData(to holes, w *bufio.Writer, p *onnxpb.TensorProto) error {
	if isExternal(p) && !m.isChanged(p) {
		f, _, offset, size, _, err := m.openExternal(p)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := m.copyRange(to, w, f, offset, offset+size); err != nil {
			return fmt.Errorf("onnx: %w", err)
		}
		return nil
	}
	t, err := m.Tensor(p)
	if err != nil {
		return err
	}
	if _, err := w.Write(t.Bytes()); err != nil {
		return fmt.Errorf("onnx: %w", err)
	}
	return nil
}

// wideHole is how long a hole is at least to stay one.
const wideHole = 1 << 20

// copyRange copies the bytes at to end of f to w, which writes to to; wide holes stay holes.
func (m *Model) copyRange(to holes, w *bufio.Writer, f *os.File, at, end int64) error {
	for at < end {
		lo, hi := nextData(f, at, end)
		if lo-at < wideHole {
			lo = at
		} else if err := w.Flush(); err != nil {
			return err
		} else if err := to.Skip(lo - at); err != nil {
			return err
		}
		if err := copyPieces(m.ctx, w, io.NewSectionReader(f, lo, hi-lo)); err != nil {
			return err
		}
		at = hi
	}
	return nil
}

// makeExternal makes p refer to bytes of a file, whose name the entry returned is to get. Keys of external_data that this package does not
// know are dropped with the place they described.
func makeExternal(p *onnxpb.TensorProto, offset, size int64) (location *onnxpb.StringStringEntryProto) {
	p.RawData, p.FloatData, p.DoubleData, p.Int32Data, p.Int64Data, p.Uint64Data = nil, nil, nil, nil, nil, nil
	p.DataLocation = onnxpb.TensorProto_EXTERNAL.Enum()
	location = &onnxpb.StringStringEntryProto{Key: new("location")}
	p.ExternalData = []*onnxpb.StringStringEntryProto{
		location,
		{Key: new("offset"), Value: new(strconv.FormatInt(offset, 10))},
		{Key: new("length"), Value: new(strconv.FormatInt(size, 10))},
	}
	return location
}
