// Package ortadapter reads and writes the files in which ONNX Runtime keeps adapters (.onnx_adapter): tensors by the names of optional
// inputs of a model, which it feeds when the adapter is active.
//
// Source: onnxruntime/lora/adapter_format/adapter_schema.fbs of ONNX Runtime, format version 1; the container is FlatBuffers
// (https://flatbuffers.dev/internals/).
package ortadapter

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"

	flatbuffers "github.com/google/flatbuffers/go"
	"github.com/gtk-onnx/gtk/internal/regular"
	"github.com/gtk-onnx/gtk/tensor"
)

// Extension ends the name of such a file.
const Extension = ".onnx_adapter"

const (
	identifier    = "TORT"
	formatVersion = 1
)

// Fields of the tables, in the order of the schema.
const (
	adapterFormat, adapterVersion, modelVersion, adapterParameters = 0, 1, 2, 3
	parameterName, parameterDims, parameterType, parameterRaw      = 0, 1, 2, 3
)

// field is the place of a field in the table that leads to it.
func field(k int) flatbuffers.VOffsetT { return flatbuffers.VOffsetT(4 + 2*k) }

// Adapter is the content of a file. The versions are the user's own; ONNX Runtime does not look at them.
type Adapter struct {
	Version, ModelVersion int32
	Parameters            []tensor.Named
}

// storable reports whether a parameter may have elements d: those of the schema have ONNX's numbers.
func storable(d tensor.DType) bool {
	switch d {
	case tensor.Float32, tensor.Uint8, tensor.Int8, tensor.Uint16, tensor.Int16, tensor.Int32, tensor.Int64, tensor.Bool, tensor.Float16,
		tensor.Float64, tensor.Uint32, tensor.Uint64, tensor.BFloat16:
		return true
	}
	return false
}

// Write writes a. It fails for types that the format does not have, and for more than FlatBuffers can hold, 2 GiB.
func (a *Adapter) Write(w io.Writer) error {
	size := 0
	for _, p := range a.Parameters {
		if !storable(p.Tensor.DType()) {
			return fmt.Errorf("ortadapter: %q: the format has no %v", p.Name, p.Tensor.DType())
		}
		size += p.Tensor.Len()*p.Tensor.DType().Bits()/8 + len(p.Name) + 128
	}
	if size > math.MaxInt32 {
		return fmt.Errorf("ortadapter: %d bytes of parameters: the format holds 2 GiB", size)
	}
	b := flatbuffers.NewBuilder(size + 1024)
	offsets := make([]flatbuffers.UOffsetT, len(a.Parameters))
	for i, p := range a.Parameters {
		name := b.CreateString(p.Name)
		s := p.Tensor.Shape()
		b.StartVector(8, len(s), 8)
		for k := len(s) - 1; k >= 0; k-- {
			b.PrependInt64(int64(s[k]))
		}
		dims := b.EndVector(len(s))
		raw := p.Tensor.Bytes()
		b.StartVector(1, len(raw), 8)
		for k := len(raw) - 1; k >= 0; k-- {
			b.PrependByte(raw[k])
		}
		data := b.EndVector(len(raw))
		b.StartObject(4)
		b.PrependUOffsetTSlot(parameterName, name, 0)
		b.PrependUOffsetTSlot(parameterDims, dims, 0)
		b.PrependInt32Slot(parameterType, int32(p.Tensor.DType()), 0)
		b.PrependUOffsetTSlot(parameterRaw, data, 0)
		offsets[i] = b.EndObject()
	}
	b.StartVector(4, len(offsets), 4)
	for i := len(offsets) - 1; i >= 0; i-- {
		b.PrependUOffsetT(offsets[i])
	}
	list := b.EndVector(len(offsets))
	b.StartObject(4)
	b.PrependInt32Slot(adapterFormat, formatVersion, 0)
	b.PrependInt32Slot(adapterVersion, a.Version, 0)
	b.PrependInt32Slot(modelVersion, a.ModelVersion, 0)
	b.PrependUOffsetTSlot(adapterParameters, list, 0)
	b.FinishWithFileIdentifier(b.EndObject(), []byte(identifier))
	_, err := w.Write(b.FinishedBytes())
	return err
}

// Is reports whether b begins as such a file does.
func Is(b []byte) bool { return len(b) > 8 && bytes.Equal(b[4:8], []byte(identifier)) }

// ReadFile reads a file of at most 2 GiB.
func ReadFile(path string) (*Adapter, error) {
	b, err := regular.Read(path, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	a, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return a, nil
}

// ErrFormat is what Parse gives for bytes that are no adapter, or a damaged one.
var ErrFormat = errors.New("ortadapter: not an adapter file of ONNX Runtime, or a damaged one")

// Parse reads a file's content.
func Parse(b []byte) (a *Adapter, err error) {
	if !Is(b) {
		return nil, ErrFormat
	}
	defer func() { // the library trusts offsets: one that points outside is an index out of range
		if x := recover(); x != nil {
			a, err = nil, fmt.Errorf("%w: an offset points outside", ErrFormat)
		}
	}()
	root := flatbuffers.Table{Bytes: b, Pos: flatbuffers.GetUOffsetT(b)}
	if v := root.GetInt32Slot(field(adapterFormat), 0); v != formatVersion {
		return nil, fmt.Errorf("%w: it is of format version %d, and version %d is read", ErrFormat, v, formatVersion)
	}
	a = &Adapter{Version: root.GetInt32Slot(field(adapterVersion), 0), ModelVersion: root.GetInt32Slot(field(modelVersion), 0)}
	o := flatbuffers.UOffsetT(root.Offset(field(adapterParameters)))
	if o == 0 {
		return a, nil
	}
	start, n := root.Vector(o), root.VectorLen(o)
	if n < 0 || n > len(b)/4 {
		return nil, fmt.Errorf("%w: it says that it has %d parameters", ErrFormat, n)
	}
	seen, total := map[string]bool{}, 0
	for i := range n {
		p, err := parameter(b, root.Indirect(start+flatbuffers.UOffsetT(4*i)))
		if err != nil {
			return nil, err
		}
		if seen[p.Name] {
			return nil, fmt.Errorf("%w: it has two parameters %q", ErrFormat, p.Name)
		}
		seen[p.Name] = true
		if total += len(p.Tensor.Bytes()); total > len(b) {
			return nil, fmt.Errorf("%w: its parameters share their numbers", ErrFormat)
		}
		a.Parameters = append(a.Parameters, p)
	}
	return a, nil
}

// parameter reads the table at pos.
func parameter(b []byte, pos flatbuffers.UOffsetT) (p tensor.Named, err error) {
	t := flatbuffers.Table{Bytes: b, Pos: pos}
	at := func(k int) flatbuffers.UOffsetT { return flatbuffers.UOffsetT(t.Offset(field(k))) }
	if o := at(parameterName); o != 0 {
		p.Name = string(t.ByteVector(o + pos))
	}
	var raw []byte
	if o := at(parameterRaw); o != 0 {
		raw = t.ByteVector(o + pos)
	}
	d := tensor.DType(t.GetInt32Slot(field(parameterType), 0))
	if !storable(d) {
		return p, fmt.Errorf("%w: parameter %q has elements of type %d", ErrFormat, p.Name, int32(d))
	}
	shape, count := []int{}, int64(1)
	if o := at(parameterDims); o != 0 {
		start, n := t.Vector(o), t.VectorLen(o)
		if n < 0 || n > 64 {
			return p, fmt.Errorf("%w: parameter %q has %d axes", ErrFormat, p.Name, n)
		}
		for i := range n {
			x := t.GetInt64(start + flatbuffers.UOffsetT(8*i))
			if x < 0 || x > math.MaxInt32 || count*x > math.MaxInt32 {
				return p, fmt.Errorf("%w: parameter %q has an axis of %d", ErrFormat, p.Name, x)
			}
			shape, count = append(shape, int(x)), count*x
		}
	}
	if count*int64(d.Bits()/8) != int64(len(raw)) {
		return p, fmt.Errorf("%w: parameter %q of shape %v and type %v has %d bytes", ErrFormat, p.Name, shape, d, len(raw))
	}
	p.Tensor, err = tensor.FromBytes(d, shape, raw)
	return p, err
}
