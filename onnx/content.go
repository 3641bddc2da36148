package onnx

import (
	"fmt"
	"unsafe"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// content tells apart what tensors hold inside: where it is, of what type, in what shape. Copies of a message that share their contents,
// such as those of a function's nodes, have the same.
type content struct {
	at    unsafe.Pointer
	dtype int32
	dims  string
}

func contentOf(t *onnxpb.TensorProto) content {
	c := content{dtype: t.GetDataType(), dims: fmt.Sprint(t.GetDims())}
	switch {
	case len(t.GetRawData()) > 0:
		c.at = unsafe.Pointer(&t.RawData[0])
	case len(t.GetInt32Data()) > 0:
		c.at = unsafe.Pointer(&t.Int32Data[0])
	case len(t.GetInt64Data()) > 0:
		c.at = unsafe.Pointer(&t.Int64Data[0])
	case len(t.GetUint64Data()) > 0:
		c.at = unsafe.Pointer(&t.Uint64Data[0])
	case len(t.GetFloatData()) > 0:
		c.at = unsafe.Pointer(&t.FloatData[0])
	case len(t.GetDoubleData()) > 0:
		c.at = unsafe.Pointer(&t.DoubleData[0])
	case len(t.GetStringData()) > 0:
		c.at = unsafe.Pointer(&t.StringData[0])
	}
	return c
}

// storedBytes is the size of the content of t in memory, as the file has it; 0 for external data.
func storedBytes(t *onnxpb.TensorProto) int64 {
	n := int64(len(t.GetRawData())) + 4*int64(len(t.GetInt32Data())+len(t.GetFloatData())) +
		8*int64(len(t.GetInt64Data())+len(t.GetUint64Data())+len(t.GetDoubleData()))
	for _, s := range t.GetStringData() {
		n += 16 + int64(len(s))
	}
	return n
}

// ContentID tells whether two tensors of m are the same content: of the same type and shape in the same place of memory or of a file. The
// copies of a message that an expanded function has are. It is comparable, and says nothing once the model changed.
func (m *Model) ContentID(t *onnxpb.TensorProto) any {
	c := contentOf(t)
	if !isExternal(t) {
		return c
	}
	if e := m.externalID(t); e != nil {
		return struct {
			content
			place any
		}{c, e}
	}
	return t
}

// externalID is the range of a file that t is, or where its new values are; nil when it is inside the model or malformed.
func (m *Model) externalID(t *onnxpb.TensorProto) any {
	if !isExternal(t) {
		return nil
	}
	m.mu.Lock()
	v := m.changed[t]
	m.mu.Unlock()
	if v != nil {
		return struct {
			at *byte
			n  int
		}{unsafe.SliceData(v.Bytes()), len(v.Bytes())}
	}
	at, offset, size, _, _, err := externalRange(t)
	if err != nil {
		return nil
	}
	return struct {
		location     string
		offset, size int64
	}{at, offset, size}
}

// ContentBytes is how much the model holds as tensors and lists of numbers, in bytes: each tensor as the file stores it, sparse ones as
// their values and indices, and of external data what is referred to, each byte once.
func (m *Model) ContentBytes() int64 {
	n := int64(0)
	seen := map[content]bool{}
	for r := range m.Tensors() {
		if isExternal(r.Proto) {
			continue
		}
		if k := contentOf(r.Proto); k.at != nil && !seen[k] {
			seen[k] = true
			n += storedBytes(r.Proto)
		}
	}
	m.Walk(func(_ *onnxpb.GraphProto, node *onnxpb.NodeProto) {
		for _, a := range node.GetAttribute() {
			n += 8*int64(len(a.GetInts())) + 4*int64(len(a.GetFloats()))
		}
	})
	for _, spans := range m.spans() {
		for _, s := range spans {
			n += s.to - s.from
		}
	}
	return n
}
