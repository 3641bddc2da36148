package tensor

import "fmt"

// DType is the element type of a tensor, or the type of a container (see Kind). The values are the numbers of ONNX's
// TensorProto.DataType, so that a DType read from a file needs no translation.
//
// Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto (TensorProto.DataType).
type DType int32

// The element types of ONNX, IR version 13.
const (
	Undefined      DType = 0
	Float32        DType = 1
	Uint8          DType = 2
	Int8           DType = 3
	Uint16         DType = 4
	Int16          DType = 5
	Int32          DType = 6
	Int64          DType = 7
	String         DType = 8
	Bool           DType = 9
	Float16        DType = 10
	Float64        DType = 11
	Uint32         DType = 12
	Uint64         DType = 13
	Complex64      DType = 14
	Complex128     DType = 15
	BFloat16       DType = 16
	Float8E4M3FN   DType = 17
	Float8E4M3FNUZ DType = 18
	Float8E5M2     DType = 19
	Float8E5M2FNUZ DType = 20
	Uint4          DType = 21
	Int4           DType = 22
	Float4E2M1     DType = 23
	Float8E8M0     DType = 24
	Uint2          DType = 25
	Int2           DType = 26
	numDTypes            = 27
)

var dtypeInfo = [numDTypes]struct {
	name string
	bits int
}{
	{"undefined", 0}, {"float32", 32}, {"uint8", 8}, {"int8", 8}, {"uint16", 16}, {"int16", 16},
	{"int32", 32}, {"int64", 64}, {"string", 0}, {"bool", 8}, {"float16", 16}, {"float64", 64},
	{"uint32", 32}, {"uint64", 64}, {"complex64", 64}, {"complex128", 128}, {"bfloat16", 16},
	{"float8e4m3fn", 8}, {"float8e4m3fnuz", 8}, {"float8e5m2", 8}, {"float8e5m2fnuz", 8},
	{"uint4", 4}, {"int4", 4}, {"float4e2m1", 4}, {"float8e8m0", 8}, {"uint2", 2}, {"int2", 2},
}

// Valid reports whether d is a defined element type.
func (d DType) Valid() bool { return d > 0 && d < numDTypes }

// Bits is the storage size of one element in bits; 0 for String and Undefined.
func (d DType) Bits() int {
	if d < 0 || d >= numDTypes {
		return 0
	}
	return dtypeInfo[d].bits
}

// Size is the storage of n elements in bytes. Types below one byte are packed, first element in the low bits.
// It does not overflow for the lengths that Shape.CheckedLen lets pass.
func (d DType) Size(n int) int { return n/8*d.Bits() + (n%8*d.Bits()+7)/8 }

// String is the NumPy-like name of d, for example "float32", or for example "sequence(float32)".
func (d DType) String() string {
	if d.IsContainer() {
		return d.containerName()
	}
	if d < 0 || d >= numDTypes {
		return fmt.Sprintf("dtype(%d)", int32(d))
	}
	return dtypeInfo[d].name
}

// ParseDType is the inverse of DType.String.
func ParseDType(s string) (DType, error) {
	for i := range dtypeInfo {
		if i > 0 && dtypeInfo[i].name == s {
			return DType(i), nil
		}
	}
	return Undefined, fmt.Errorf("tensor: unknown element type %q", s)
}

// IsFloat reports whether d is a real floating-point type of any width.
func (d DType) IsFloat() bool {
	switch d {
	case Float32, Float64, Float16, BFloat16, Float8E4M3FN, Float8E4M3FNUZ, Float8E5M2, Float8E5M2FNUZ, Float4E2M1, Float8E8M0:
		return true
	}
	return false
}

// IsInt reports whether d is a signed or unsigned integer type of any width.
func (d DType) IsInt() bool {
	switch d {
	case Uint8, Int8, Uint16, Int16, Int32, Int64, Uint32, Uint64, Uint4, Int4, Uint2, Int2:
		return true
	}
	return false
}
