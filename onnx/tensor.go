package onnx

import (
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// Tensor is the content of a tensor of m. Content stored as raw bytes, or in a typed field of the element's own size,
// is not copied: do not write into the result, clone it first. External data is read from the model's folder;
// tensors that share some share memory.
func (m *Model) Tensor(t *onnxpb.TensorProto) (*tensor.Tensor, error) {
	if !isExternal(t) {
		return TensorFromProto(t)
	}
	m.mu.Lock()
	v, ok := m.changed[t]
	m.mu.Unlock()
	if ok {
		return v, nil
	}
	v, err := m.readExternal(t)
	if err != nil {
		return nil, at(err, fmt.Sprintf("tensor %q", t.GetName()))
	}
	return v, nil
}

func isExternal(t *onnxpb.TensorProto) bool {
	return t.GetDataLocation() == onnxpb.TensorProto_EXTERNAL
}

// TensorFromProto is the content of a tensor that has it inside; see Model.Tensor. The errors say which form of storage
// is wrong and how.
func TensorFromProto(t *onnxpb.TensorProto) (*tensor.Tensor, error) {
	v, err := decodeTensor(t)
	if err != nil && t.GetName() != "" {
		return nil, at(err, fmt.Sprintf("tensor %q", t.GetName()))
	}
	return v, err
}

// shapeOf is the shape of t and its number of elements; what it returns fits memory when stored.
func shapeOf(t *onnxpb.TensorProto) (tensor.Shape, int, error) {
	d := tensor.DType(t.GetDataType())
	if !d.Valid() {
		return nil, 0, &FormatError{Msg: fmt.Sprintf("element type %d does not exist", t.GetDataType())}
	}
	shape := make(tensor.Shape, len(t.GetDims()))
	for i, v := range t.GetDims() {
		if v < 0 || v > math.MaxInt {
			return nil, 0, &FormatError{Msg: fmt.Sprintf("dimension %d of %v is impossible", i, t.GetDims())}
		}
		shape[i] = int(v)
	}
	n, err := shape.CheckedLen(d)
	if err != nil {
		return nil, 0, &FormatError{Msg: fmt.Sprintf("a tensor of %v %v is larger than any memory", d, shape)}
	}
	return shape, n, nil
}

// storageField is the name of the typed field of an element type and how many of its values n elements take.
func storageField(d tensor.DType, n int) (string, int) {
	switch d {
	case tensor.Float32:
		return "float_data", n
	case tensor.Complex64:
		return "float_data", 2 * n
	case tensor.Float64:
		return "double_data", n
	case tensor.Complex128:
		return "double_data", 2 * n
	case tensor.Int64:
		return "int64_data", n
	case tensor.Uint32, tensor.Uint64:
		return "uint64_data", n
	case tensor.String:
		return "string_data", n
	}
	if d.Bits() < 8 {
		return "int32_data", d.Size(n) // one byte of packed elements each
	}
	return "int32_data", n
}

// checkStorage compares the data present with the shape, of a tensor that has its data inside. It returns the shape, the
// number of elements, and whether they are in raw_data.
func checkStorage(t *onnxpb.TensorProto) (shape tensor.Shape, n int, raw bool, err error) {
	shape, n, err = shapeOf(t)
	if err != nil {
		return nil, 0, false, err
	}
	d := tensor.DType(t.GetDataType())
	if s := t.GetSegment(); s != nil && (s.GetBegin() != 0 || s.GetEnd() != int64(n)) {
		if s.GetBegin() < 0 || s.GetEnd() < s.GetBegin() {
			return nil, 0, false, &FormatError{Msg: fmt.Sprintf("segment from %d to %d is impossible", s.GetBegin(), s.GetEnd())}
		}
		return nil, 0, false, &UnsupportedError{Feature: fmt.Sprintf(
			"a tensor in segments (this one is %d to %d): save the model with whole tensors, or with external data", s.GetBegin(),
			s.GetEnd())}
	}
	field, want := storageField(d, n)
	for _, f := range []struct {
		name string
		len  int
	}{
		{"float_data", len(t.GetFloatData())}, {"int32_data", len(t.GetInt32Data())}, {"string_data", len(t.GetStringData())},
		{"int64_data", len(t.GetInt64Data())}, {"double_data", len(t.GetDoubleData())}, {"uint64_data", len(t.GetUint64Data())},
	} {
		switch {
		case f.len == 0:
		case len(t.GetRawData()) > 0:
			return nil, 0, false, &FormatError{Msg: fmt.Sprintf("has data both in raw_data and in %s", f.name)}
		case f.name != field:
			return nil, 0, false, &FormatError{Msg: fmt.Sprintf("%v has data in %s, it belongs in %s", d, f.name, field)}
		case f.len != want:
			return nil, 0, false, &FormatError{Msg: fmt.Sprintf("%v%v needs %d values in %s, has %d", d, shape, want, f.name, f.len)}
		default:
			return shape, n, false, nil
		}
	}
	if d == tensor.String {
		if len(t.GetRawData()) > 0 {
			return nil, 0, false, &FormatError{Msg: "strings cannot be in raw_data"}
		}
		if n > 0 {
			return nil, 0, false, &FormatError{Msg: fmt.Sprintf("%v%v needs %d values in string_data, has 0", d, shape, n)}
		}
		return shape, 0, false, nil
	}
	if have := len(t.GetRawData()); have != d.Size(n) {
		if have == 0 && t.RawData == nil {
			return nil, 0, false, &FormatError{Msg: fmt.Sprintf("%v%v needs %d values, there are none", d, shape, n)}
		}
		return nil, 0, false, &FormatError{Msg: fmt.Sprintf("%v%v needs %d bytes in raw_data, has %d", d, shape, d.Size(n), have)}
	}
	return shape, n, true, nil
}

func decodeTensor(t *onnxpb.TensorProto) (*tensor.Tensor, error) {
	if isExternal(t) {
		return nil, &UnsupportedError{Feature: "external data without the folder of the model: read the model with ReadFile"}
	}
	shape, n, raw, err := checkStorage(t)
	if err != nil {
		return nil, err
	}
	d := tensor.DType(t.GetDataType())
	if raw {
		return fromRaw(d, shape, t.GetRawData())
	}
	var b []byte
	switch d {
	case tensor.Float32, tensor.Complex64:
		b = tensor.From(t.GetFloatData(), len(t.GetFloatData())).Bytes()
	case tensor.Float64, tensor.Complex128:
		b = tensor.From(t.GetDoubleData(), len(t.GetDoubleData())).Bytes()
	case tensor.Int64:
		b = tensor.From(t.GetInt64Data(), n).Bytes()
	case tensor.Uint64:
		b = tensor.From(t.GetUint64Data(), n).Bytes()
	case tensor.Int32:
		b = tensor.From(t.GetInt32Data(), n).Bytes()
	case tensor.Uint32:
		out := make([]uint32, n)
		for i, v := range t.GetUint64Data() {
			if v > math.MaxUint32 {
				return nil, &FormatError{Msg: fmt.Sprintf("element %d of uint64_data, %d, is no uint32", i, v)}
			}
			out[i] = uint32(v)
		}
		return tensor.From(out, shape...), nil
	case tensor.String:
		s := make([]string, n)
		for i, v := range t.GetStringData() {
			s[i] = string(v)
		}
		return tensor.FromStrings(s, shape...), nil
	default:
		out := tensor.New(d, shape...)
		if err := narrowInt32(out, t.GetInt32Data()); err != nil {
			return nil, err
		}
		return normalBool(out), nil
	}
	return tensor.FromBytes(d, shape, b)
}

// narrowInt32 fills out, whose elements have 16 bits or fewer, with the low bits of src.
func narrowInt32(out *tensor.Tensor, src []int32) error {
	bits := 8
	if out.DType().Bits() == 16 {
		bits = 16
	}
	b := out.Bytes()
	for i, v := range src {
		if v < -1<<(bits-1) || v >= 1<<bits {
			return &FormatError{Msg: fmt.Sprintf("element %d of int32_data, %d, is no %v", i, v, out.DType())}
		}
		if bits == 16 {
			b[2*i], b[2*i+1] = byte(v), byte(v>>8)
		} else {
			b[i] = byte(v)
		}
	}
	return nil
}

func fromRaw(d tensor.DType, shape tensor.Shape, raw []byte) (*tensor.Tensor, error) {
	t, err := tensor.FromBytes(d, shape, raw)
	if err != nil {
		return nil, &FormatError{Msg: err.Error()}
	}
	return normalBool(t), nil
}

// normalBool is t with every true of a bool tensor stored as 1, as Go needs it.
func normalBool(t *tensor.Tensor) *tensor.Tensor {
	if t.DType() != tensor.Bool || !slices.ContainsFunc(t.Bytes(), func(b byte) bool { return b > 1 }) {
		return t
	}
	t = t.Clone()
	b := t.Bytes()
	for i := range b {
		b[i] = min(b[i], 1)
	}
	return t
}

// TensorToProto is t as a message of its own: raw bytes, or string_data for strings.
func TensorToProto(name string, t *tensor.Tensor) *onnxpb.TensorProto {
	p := &onnxpb.TensorProto{DataType: new(int32(t.DType())), Dims: make([]int64, t.Rank())}
	if name != "" {
		p.Name = &name
	}
	for i, d := range t.Shape() {
		p.Dims[i] = int64(d)
	}
	if t.DType() == tensor.String {
		p.StringData = stringBytes(t)
	} else {
		p.RawData = append([]byte{}, t.Bytes()...)
	}
	return p
}

func stringBytes(t *tensor.Tensor) [][]byte {
	out := make([][]byte, t.Len())
	for i, s := range t.Strings() {
		out[i] = []byte(s)
	}
	return out
}

// setValues replaces the content of p by t, of the same type and shape, in the field that holds it now.
func setValues(p *onnxpb.TensorProto, t *tensor.Tensor) error {
	_, n, raw, err := checkStorage(p)
	if err != nil {
		return err
	}
	if n == 0 {
		return nil
	}
	if raw {
		p.RawData = append([]byte{}, t.Bytes()...)
		return nil
	}
	c := t.Clone()
	flat := func(d tensor.DType) *tensor.Tensor { // complex numbers as pairs
		v, err := tensor.FromBytes(d, []int{len(c.Bytes()) * 8 / d.Bits()}, c.Bytes())
		if err != nil {
			panic(err) // the length was computed from the bytes
		}
		return v
	}
	switch t.DType() {
	case tensor.Float32, tensor.Complex64:
		p.FloatData = flat(tensor.Float32).F32()
	case tensor.Float64, tensor.Complex128:
		p.DoubleData = tensor.Data[float64](flat(tensor.Float64))
	case tensor.Int64:
		p.Int64Data = c.I64()
	case tensor.Uint64:
		p.Uint64Data = tensor.Data[uint64](c)
	case tensor.Uint32:
		p.Uint64Data = widenTo[uint64](tensor.Data[uint32](c))
	case tensor.Int32:
		p.Int32Data = tensor.Data[int32](c)
	case tensor.String:
		p.StringData = stringBytes(c)
	case tensor.Int8:
		p.Int32Data = widenTo[int32](tensor.Data[int8](c))
	case tensor.Int16:
		p.Int32Data = widenTo[int32](tensor.Data[int16](c))
	case tensor.Uint16, tensor.Float16, tensor.BFloat16:
		p.Int32Data = widenTo[int32](tensor.Data[uint16](c))
	default:
		p.Int32Data = widenTo[int32](c.Bytes())
	}
	return nil
}

func widenTo[T int32 | uint64, S int8 | int16 | uint8 | uint16 | uint32](src []S) []T {
	out := make([]T, len(src))
	for i, v := range src {
		out[i] = T(v)
	}
	return out
}
