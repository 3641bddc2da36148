// Package tfevents writes event files, which TensorBoard reads: records, each with its length and checksums around it, of Event messages
// that hold scalars and texts. Files are written whole: a reader that follows one finds at its place what came after it, as long as what
// was there before is written again.
//
// Source: the comments of tensorflow/core/lib/io/record_writer.h (framing), tensorflow/core/util/event.proto,
// tensorflow/core/framework/summary.proto and tensor.proto (field numbers). The messages are few, and protowire, of the protobuf module
// that package onnx needs anyway, writes their fields; generated code would bring those files and their dependents.
package tfevents

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// FileName is a name that TensorBoard takes for that of an event file: it looks for tfevents in it.
const FileName = "events.out.tfevents.gtk"

// Scalar is one number of a chart.
type Scalar struct {
	Tag   string // name of the chart; what is before a slash groups charts
	Value float64
}

// Writer writes one file. After an error it writes nothing more.
type Writer struct {
	w   io.Writer
	err error
}

// NewWriter begins a file with the event that names its version; wall is the time of that, in seconds since 1970.
func NewWriter(w io.Writer, wall float64) *Writer {
	t := &Writer{w: w}
	e := event(wall, 0)
	e = protowire.AppendTag(e, 3, protowire.BytesType) // file_version
	t.record(protowire.AppendString(e, "brain.Event:2"))
	return t
}

// Scalars writes numbers of a step at the time wall. Those that are not finite are left out, as nothing could be drawn.
func (t *Writer) Scalars(wall float64, step int64, values ...Scalar) {
	var summary []byte
	for _, v := range values {
		if v.Value-v.Value != 0 {
			continue
		}
		var value []byte
		value = protowire.AppendTag(value, 1, protowire.BytesType) // tag
		value = protowire.AppendString(value, v.Tag)
		value = protowire.AppendTag(value, 2, protowire.Fixed32Type) // simple_value
		value = protowire.AppendFixed32(value, math.Float32bits(float32(v.Value)))
		summary = message(summary, 1, value)
	}
	if summary != nil {
		t.record(message(event(wall, step), 5, summary))
	}
}

// Text writes a text, in which TensorBoard reads Markdown.
func (t *Writer) Text(wall float64, step int64, tag, text string) {
	var plugin, metadata, tensor, value []byte
	plugin = protowire.AppendTag(plugin, 1, protowire.BytesType) // plugin_name
	plugin = protowire.AppendString(plugin, "text")
	metadata = message(metadata, 1, plugin)                       // plugin_data
	tensor = protowire.AppendTag(tensor, 1, protowire.VarintType) // dtype
	tensor = protowire.AppendVarint(tensor, 7)                    // DT_STRING
	tensor = message(tensor, 2, message(nil, 2, dim(1)))          // tensor_shape, dim
	tensor = protowire.AppendTag(tensor, 8, protowire.BytesType)  // string_val
	tensor = protowire.AppendString(tensor, text)
	value = protowire.AppendTag(value, 1, protowire.BytesType)
	value = protowire.AppendString(value, tag)
	value = message(value, 8, tensor)
	value = message(value, 9, metadata)
	t.record(message(event(wall, step), 5, message(nil, 1, value)))
}

// Err is the first error of writing.
func (t *Writer) Err() error { return t.err }

func event(wall float64, step int64) []byte {
	var e []byte
	e = protowire.AppendTag(e, 1, protowire.Fixed64Type) // wall_time
	e = protowire.AppendFixed64(e, math.Float64bits(wall))
	if step != 0 {
		e = protowire.AppendTag(e, 2, protowire.VarintType) // step
		e = protowire.AppendVarint(e, uint64(step))
	}
	return e
}

func dim(size uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), size)
}

// message appends the message m as field number n.
func message(b []byte, n protowire.Number, m []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), m)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// masked is the CRC32C of b, rotated and moved so that the checksum of data with checksums in them is none that they hold.
func masked(b []byte) uint32 {
	c := crc32.Checksum(b, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

// record writes b behind its length and the checksum of that, and before its own checksum.
func (t *Writer) record(b []byte) {
	if t.err != nil {
		return
	}
	var out []byte
	out = binary.LittleEndian.AppendUint64(out, uint64(len(b)))
	out = binary.LittleEndian.AppendUint32(out, masked(out))
	out = append(out, b...)
	out = binary.LittleEndian.AppendUint32(out, masked(b))
	_, t.err = t.w.Write(out)
}
