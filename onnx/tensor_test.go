package onnx

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
	"google.golang.org/protobuf/proto"
)

func ptr[T any](v T) *T { return &v }

// stored is one tensor in one form of storage, with the bytes it stands for.
type stored struct {
	name string
	p    *onnxpb.TensorProto
	want []byte
}

func dtype(d tensor.DType) *int32 { return ptr(int32(d)) }

// storages lists every element type in every form. The bytes are written out by hand from the IEEE formats and from the
// packing rules of TensorProto in onnx.proto.
func storages() []stored {
	var s []stored
	raw := func(d tensor.DType, n int64, b ...byte) {
		s = append(s, stored{d.String() + " raw", &onnxpb.TensorProto{DataType: dtype(d), Dims: []int64{n}, RawData: b}, b})
	}
	typed := func(d tensor.DType, n int64, p *onnxpb.TensorProto, b ...byte) {
		p.DataType, p.Dims = dtype(d), []int64{n}
		s = append(s, stored{d.String() + " typed", p, b})
	}
	i32 := func(v ...int32) *onnxpb.TensorProto { return &onnxpb.TensorProto{Int32Data: v} }
	one := []byte{0, 0, 128, 63} // 1 as float32
	raw(tensor.Float32, 2, append(one, 0, 0, 0, 192)...)
	typed(tensor.Float32, 2, &onnxpb.TensorProto{FloatData: []float32{1, -2}}, append(one, 0, 0, 0, 192)...)
	raw(tensor.Float64, 1, 0, 0, 0, 0, 0, 0, 240, 63)
	typed(tensor.Float64, 1, &onnxpb.TensorProto{DoubleData: []float64{1}}, 0, 0, 0, 0, 0, 0, 240, 63)
	typed(tensor.Complex64, 1, &onnxpb.TensorProto{FloatData: []float32{1, -2}}, append(one, 0, 0, 0, 192)...)
	typed(tensor.Complex128, 1, &onnxpb.TensorProto{DoubleData: []float64{1, 0}}, 0, 0, 0, 0, 0, 0, 240, 63, 0, 0, 0, 0, 0, 0, 0, 0)
	raw(tensor.Complex64, 1, append(one, 0, 0, 0, 192)...)
	typed(tensor.Int64, 2, &onnxpb.TensorProto{Int64Data: []int64{-1, 2}}, 255, 255, 255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 0, 0, 0)
	typed(tensor.Uint64, 1, &onnxpb.TensorProto{Uint64Data: []uint64{math.MaxUint64}}, 255, 255, 255, 255, 255, 255, 255, 255)
	typed(tensor.Uint32, 2, &onnxpb.TensorProto{Uint64Data: []uint64{math.MaxUint32, 1}}, 255, 255, 255, 255, 1, 0, 0, 0)
	typed(tensor.Int32, 2, i32(-1, 256), 255, 255, 255, 255, 0, 1, 0, 0)
	typed(tensor.Int16, 2, i32(-2, 258), 254, 255, 2, 1)
	typed(tensor.Uint16, 2, i32(65535, 1), 255, 255, 1, 0)
	typed(tensor.Float16, 2, i32(0x3c00, 0xc000), 0, 0x3c, 0, 0xc0)
	typed(tensor.BFloat16, 2, i32(0x3f80, 0xc000), 0x80, 0x3f, 0, 0xc0)
	typed(tensor.Int8, 2, i32(-128, 127), 128, 127)
	typed(tensor.Uint8, 2, i32(0, 255), 0, 255)
	typed(tensor.Bool, 3, i32(0, 1, 1), 0, 1, 1)
	for _, d := range []tensor.DType{tensor.Float8E4M3FN, tensor.Float8E4M3FNUZ, tensor.Float8E5M2, tensor.Float8E5M2FNUZ,
		tensor.Float8E8M0} {
		typed(d, 2, i32(0x7f, 0x81), 0x7f, 0x81)
		raw(d, 2, 0x7f, 0x81)
	}
	for _, d := range []tensor.DType{tensor.Int4, tensor.Uint4, tensor.Float4E2M1} {
		typed(d, 3, i32(0x21, 0x03), 0x21, 0x03)
		raw(d, 3, 0x21, 0x03)
	}
	for _, d := range []tensor.DType{tensor.Int2, tensor.Uint2} {
		typed(d, 5, i32(0xe4, 0x01), 0xe4, 0x01)
		raw(d, 5, 0xe4, 0x01)
	}
	for d := tensor.Float32; d.Valid(); d++ { // no elements: no data
		s = append(s, stored{d.String() + " empty", &onnxpb.TensorProto{DataType: dtype(d), Dims: []int64{0, 3}}, nil})
	}
	return s
}

func TestStorages(t *testing.T) {
	for _, s := range storages() {
		v, err := TensorFromProto(s.p)
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		if !bytes.Equal(v.Bytes(), s.want) || int32(v.DType()) != s.p.GetDataType() {
			t.Errorf("%s: %v % x, want % x", s.name, v, v.Bytes(), s.want)
		}
		back := proto.CloneOf(s.p)
		if err := setValues(back, v); err != nil || !proto.Equal(back, s.p) {
			t.Errorf("%s: set to its own values: %v %v, want %v", s.name, err, back, s.p)
		}
		again, err := TensorFromProto(TensorToProto("x", v))
		if err != nil || !bytes.Equal(again.Bytes(), s.want) {
			t.Errorf("%s: by way of TensorToProto: %v % x", s.name, err, again.Bytes())
		}
	}
	p := &onnxpb.TensorProto{DataType: dtype(tensor.String), Dims: []int64{2}, StringData: [][]byte{[]byte("a"), {0xff, 0}}}
	v, err := TensorFromProto(p)
	if err != nil || !slices.Equal(v.Strings(), []string{"a", "\xff\x00"}) {
		t.Errorf("strings: %v %q", err, v.Strings())
	}
	if q := TensorToProto("", v); !proto.Equal(q, p) {
		t.Errorf("strings: %v, want %v", q, p)
	}
}

func TestTensorAliases(t *testing.T) {
	raw := &onnxpb.TensorProto{DataType: dtype(tensor.Float32), Dims: []int64{1024}, RawData: make([]byte, 4096)}
	typed := &onnxpb.TensorProto{DataType: dtype(tensor.Float32), Dims: []int64{1024}, FloatData: make([]float32, 1024)}
	for _, p := range []*onnxpb.TensorProto{raw, typed} {
		if n := testing.AllocsPerRun(10, func() {
			if _, err := TensorFromProto(p); err != nil {
				t.Fatal(err)
			}
		}); n > 8 {
			t.Errorf("%v allocations", n)
		}
		v, _ := TensorFromProto(p)
		w, _ := TensorFromProto(p)
		v.F32()[3] = 7
		if w.F32()[3] != 7 {
			t.Error("the content was copied")
		}
	}
	odd, err := TensorFromProto(&onnxpb.TensorProto{DataType: dtype(tensor.Bool), Dims: []int64{3}, RawData: []byte{0, 2, 255}})
	if err != nil || !slices.Equal(tensor.Data[bool](odd), []bool{false, true, true}) || odd.Bytes()[2] != 1 {
		t.Errorf("bool with other bits: %v %v", err, odd.Bytes())
	}
}

func TestTensorErrors(t *testing.T) {
	f32 := dtype(tensor.Float32)
	for _, c := range []struct {
		p    *onnxpb.TensorProto
		want string
	}{
		{&onnxpb.TensorProto{}, "element type 0 does not exist"},
		{&onnxpb.TensorProto{DataType: ptr(int32(99))}, "element type 99 does not exist"},
		{&onnxpb.TensorProto{DataType: f32, Dims: []int64{-1}}, "dimension 0 of [-1] is impossible"},
		{&onnxpb.TensorProto{DataType: f32, Dims: []int64{1 << 60}}, "larger than any memory"},
		{&onnxpb.TensorProto{DataType: f32, Dims: []int64{1 << 31, 1 << 31, 1 << 31}}, "larger than any memory"},
		{&onnxpb.TensorProto{DataType: f32, Dims: []int64{1 << 40}}, "there are none"},
		{&onnxpb.TensorProto{DataType: f32, Dims: []int64{2}, RawData: make([]byte, 7)}, "needs 8 bytes in raw_data, has 7"},
		{&onnxpb.TensorProto{DataType: f32, Dims: []int64{2}, FloatData: make([]float32, 3)}, "needs 2 values in float_data, has 3"},
		{&onnxpb.TensorProto{DataType: f32, Dims: []int64{1}, Int32Data: make([]int32, 1)}, "it belongs in float_data"},
		{&onnxpb.TensorProto{DataType: f32, Dims: []int64{1}, RawData: make([]byte, 4), FloatData: make([]float32, 1)},
			"both in raw_data and in float_data"},
		{&onnxpb.TensorProto{DataType: dtype(tensor.String), Dims: []int64{1}, RawData: []byte("a")}, "strings cannot be in raw_data"},
		{&onnxpb.TensorProto{DataType: dtype(tensor.String), Dims: []int64{2}}, "needs 2 values in string_data"},
		{&onnxpb.TensorProto{DataType: dtype(tensor.Uint8), Dims: []int64{1}, Int32Data: []int32{256}}, "256, is no uint8"},
		{&onnxpb.TensorProto{DataType: dtype(tensor.Uint32), Dims: []int64{1}, Uint64Data: []uint64{1 << 32}}, "is no uint32"},
		{&onnxpb.TensorProto{DataType: dtype(tensor.Int4), Dims: []int64{3}, Int32Data: []int32{1, 2, 3}},
			"needs 2 values in int32_data, has 3"},
		{&onnxpb.TensorProto{DataType: f32, Dims: []int64{4}, RawData: make([]byte, 8),
			Segment: &onnxpb.TensorProto_Segment{Begin: ptr(int64(0)), End: ptr(int64(2))}}, "in segments"},
		{&onnxpb.TensorProto{DataType: f32, Dims: []int64{4},
			Segment: &onnxpb.TensorProto_Segment{Begin: ptr(int64(3)), End: ptr(int64(2))}}, "segment from 3 to 2 is impossible"},
		{&onnxpb.TensorProto{DataType: f32, Dims: []int64{1}, DataLocation: onnxpb.TensorProto_EXTERNAL.Enum()},
			"read the model with ReadFile"},
	} {
		c.p.Name = ptr("w")
		_, err := TensorFromProto(c.p)
		var fe *FormatError
		var ue *UnsupportedError
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), `onnx: tensor "w": `) ||
			!errors.As(err, &fe) && !errors.As(err, &ue) {
			t.Errorf("%v: %v, want %s", c.p, err, c.want)
		}
	}
	whole := &onnxpb.TensorProto{DataType: f32, Dims: []int64{2}, FloatData: []float32{1, 2},
		Segment: &onnxpb.TensorProto_Segment{Begin: ptr(int64(0)), End: ptr(int64(2))}}
	if _, err := TensorFromProto(whole); err != nil {
		t.Errorf("a segment that is the whole tensor: %v", err)
	}
}

func TestSparse(t *testing.T) {
	sparse := func(dims []int64, idxShape []int, idx ...int64) *onnxpb.SparseTensorProto {
		n := idxShape[0]
		return &onnxpb.SparseTensorProto{
			Values:  TensorToProto("s", tensor.From([]float32{5, 6, 7, 8}[:n], n)),
			Indices: TensorToProto("", tensor.From(idx, idxShape...)),
			Dims:    dims,
		}
	}
	m := &Model{}
	for _, s := range []*onnxpb.SparseTensorProto{
		sparse([]int64{2, 3}, []int{2}, 1, 5),
		sparse([]int64{2, 3}, []int{2, 2}, 0, 1, 1, 2),
	} {
		v, err := m.SparseTensor(s)
		if err != nil || !slices.Equal(v.F32(), []float32{0, 5, 0, 0, 0, 6}) || !v.Shape().Equal(tensor.Shape{2, 3}) {
			t.Errorf("%v %v", v, err)
		}
	}
	for want, s := range map[string]*onnxpb.SparseTensorProto{
		"outside":        sparse([]int64{2, 3}, []int{2}, 1, 6),
		"index -1":       sparse([]int64{2, 3}, []int{2}, -1, 2),
		"not ascending":  sparse([]int64{2, 3}, []int{2}, 1, 1),
		"index [0 3]":    sparse([]int64{2, 3}, []int{1, 2}, 0, 3),
		"have the shape": sparse([]int64{2, 3}, []int{2, 3}, 0, 0, 0, 1, 1, 1),
		"takes 4096 MiB": sparse([]int64{1 << 30}, []int{1}, 1),
		"no values":      {Dims: []int64{1}},
	} {
		if _, err := m.SparseTensor(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// fill puts something into every field of a message, to the given depth.
func fill(v reflect.Value, depth int) {
	for i := range v.NumField() {
		f, ft := v.Field(i), v.Type().Field(i)
		if !ft.IsExported() {
			continue
		}
		f.Set(sample(f.Type(), depth))
	}
}

func sample(t reflect.Type, depth int) reflect.Value {
	switch {
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		s := reflect.MakeSlice(t, 0, 1)
		if e := sample(t.Elem(), depth); e.Kind() != reflect.Pointer || !e.IsNil() {
			s = reflect.Append(s, e)
		}
		return s
	case t.Kind() == reflect.Slice:
		return reflect.ValueOf([]byte{1, 2, 3}).Convert(t)
	case t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct:
		if depth == 0 {
			return reflect.Zero(t)
		}
		p := reflect.New(t.Elem())
		fill(p.Elem(), depth-1)
		if m, ok := p.Interface().(proto.Message); ok {
			m.ProtoReflect().SetUnknown([]byte{0xf8, 0x7f, byte(depth)}) // field 2047
		}
		return p
	case t.Kind() == reflect.Pointer:
		p := reflect.New(t.Elem())
		p.Elem().Set(sample(t.Elem(), depth))
		return p
	case t.Kind() == reflect.String:
		return reflect.ValueOf(fmt.Sprint("s", depth)).Convert(t)
	case t.Kind() == reflect.Interface:
		return reflect.Zero(t)
	}
	return reflect.ValueOf(1).Convert(t)
}

// TestCloneComplete has every field of every message, and unknown fields in each.
func TestCloneComplete(t *testing.T) {
	p := &onnxpb.ModelProto{}
	fill(reflect.ValueOf(p).Elem(), 6)
	p.IrVersion = new(int64(MaxIR)) // older files are changed when read
	m := &Model{Proto: p}
	c := m.Clone()
	if !proto.Equal(p, c.Proto) {
		t.Fatal("the clone differs")
	}
	b, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(b)
	if err != nil || !proto.Equal(again.Proto, p) {
		t.Fatalf("written and read: %v", err)
	}
	b2, _ := again.Bytes()
	if !bytes.Equal(b, b2) {
		t.Error("written twice, the bytes differ")
	}
	// Changing the clone does not show.
	c.Proto.Graph.Node[0].Input[0] = "other"
	c.Proto.Graph.Initializer[0].FloatData = append(c.Proto.Graph.Initializer[0].FloatData, 3)
	c.Proto.Graph.Initializer[0].Dims[0] = 9
	c.SetMetadata("s5", "x")
	if b3, _ := m.Bytes(); !bytes.Equal(b, b3) {
		t.Error("a change of the clone shows in the original")
	}
}
