// Package tensor holds dense row-major tensors of every ONNX element type and
// moves them in and out of files (NPY, NPZ) and typed slices. It does no arithmetic.
//
// A Tensor is its element type, its shape and its bytes in little-endian order, as
// ONNX's raw_data: a tensor can alias the bytes of a model that was read, without a
// copy. The machine must be little-endian.
package tensor

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unsafe"

	"github.com/gtk-onnx/gtk/internal/memory"
)

// Shape is the extent of each axis; empty for a scalar.
type Shape []int

// Len is the number of elements, 1 for a scalar.
func (s Shape) Len() int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

// Equal reports whether s and t have the same extents.
func (s Shape) Equal(t Shape) bool { return slices.Equal(s, t) }

// String is for example "[64,3,32,32]".
func (s Shape) String() string {
	var b strings.Builder
	b.WriteByte('[')
	for i, d := range s {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprint(&b, d)
	}
	b.WriteByte(']')
	return b.String()
}

// ErrShape is the error of a shape that no tensor can have: a negative extent or a size that overflows.
var ErrShape = errors.New("tensor: impossible shape")

// CheckedLen is Len with every extent and the product checked: it returns ErrShape for a
// negative extent or for a storage size of d that does not fit an int, extents of zero left out.
func (s Shape) CheckedLen(d DType) (int, error) {
	n, empty := 1, false
	for _, e := range s {
		if e == 0 {
			empty = true
			continue
		}
		if e < 0 || n > math.MaxInt/16/e {
			return 0, fmt.Errorf("%w: %v of %v", ErrShape, s, d)
		}
		n *= e
	}
	if empty {
		return 0, nil
	}
	return n, nil
}

// Tensor is a dense row-major tensor. The zero value is not usable; make one with New, From or FromBytes.
type Tensor struct {
	dtype     DType
	shape     Shape
	raw       []byte
	str       []string
	*contents // of a container; nil of a tensor of elements
}

// New is a tensor of zeros (empty strings for String). It panics for an impossible shape;
// use Shape.CheckedLen first on sizes that come from outside.
func New(d DType, shape ...int) *Tensor {
	n, err := Shape(shape).CheckedLen(d)
	if err != nil {
		panic(err)
	}
	t := &Tensor{dtype: d, shape: slices.Clone(Shape(shape))}
	if d == String {
		t.str = make([]string, n)
	} else {
		t.raw = alignedBytes(d.Size(n))
	}
	return t
}

// alignedBytes is n zero bytes, aligned for any element type.
func alignedBytes(n int) []byte {
	if n == 0 {
		return nil
	}
	if n >= memory.Small {
		memory.Need(n, "a tensor")
	}
	w := make([]uint64, (n+7)/8)
	return unsafe.Slice((*byte)(unsafe.Pointer(&w[0])), len(w)*8)[:n:n]
}

// FromBytes is the tensor whose storage is raw itself, not a copy. It fails when the length of
// raw is not that of the shape, or when d is String. Storage that is not aligned for d is copied.
func FromBytes(d DType, shape []int, raw []byte) (*Tensor, error) {
	n, err := Shape(shape).CheckedLen(d)
	if err != nil {
		return nil, err
	}
	if !d.Valid() || d == String {
		return nil, fmt.Errorf("tensor: no byte storage for %v", d)
	}
	if len(raw) != d.Size(n) {
		return nil, fmt.Errorf("tensor: %v of shape %v needs %d bytes, have %d", d, Shape(shape), d.Size(n), len(raw))
	}
	if a := min(8, max(1, d.Bits()/8)); len(raw) > 0 && uintptr(unsafe.Pointer(&raw[0]))%uintptr(a) != 0 {
		c := alignedBytes(len(raw))
		copy(c, raw)
		raw = c
	}
	return &Tensor{dtype: d, shape: slices.Clone(Shape(shape)), raw: raw}, nil
}

// Elem lists the Go types that view the storage of a tensor: the element types that Go has, bool as bool,
// and uint16 for Float16 and BFloat16 bits, uint8 for the 8-bit floats and for packed types.
type Elem interface {
	float32 | float64 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | bool | complex64 | complex128
}

// From is the tensor that aliases data, of the element type of T (uint8 is Uint8, uint16 is Uint16).
// It panics when the length of data is not that of the shape.
func From[T Elem](data []T, shape ...int) *Tensor {
	d := DTypeOf[T]()
	if n, err := Shape(shape).CheckedLen(d); err != nil || n != len(data) {
		panic(fmt.Sprintf("tensor: From: %d elements do not fill shape %v", len(data), Shape(shape)))
	}
	return &Tensor{dtype: d, shape: slices.Clone(Shape(shape)), raw: bytesOf(data)}
}

// FromStrings is the String tensor that aliases data. It panics like From.
func FromStrings(data []string, shape ...int) *Tensor {
	if Shape(shape).Len() != len(data) {
		panic(fmt.Sprintf("tensor: FromStrings: %d elements do not fill shape %v", len(data), Shape(shape)))
	}
	return &Tensor{dtype: String, shape: slices.Clone(Shape(shape)), str: data}
}

// Scalar is the rank-0 tensor of v.
func Scalar[T Elem](v T) *Tensor { return From([]T{v}) }

// DTypeOf is the element type whose storage is T.
func DTypeOf[T Elem]() DType {
	var z T
	switch any(z).(type) {
	case float32:
		return Float32
	case float64:
		return Float64
	case int8:
		return Int8
	case int16:
		return Int16
	case int32:
		return Int32
	case int64:
		return Int64
	case uint8:
		return Uint8
	case uint16:
		return Uint16
	case uint32:
		return Uint32
	case uint64:
		return Uint64
	case bool:
		return Bool
	case complex64:
		return Complex64
	}
	return Complex128
}

func bytesOf[T Elem](data []T) []byte {
	if len(data) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&data[0])), len(data)*int(unsafe.Sizeof(data[0])))
}

// Data is the storage of t as a slice of T. T must be the storage type of t's element type (see Elem);
// Data panics otherwise, which is an error of the program, never of the input.
func Data[T Elem](t *Tensor) []T {
	var z T
	if d := DTypeOf[T](); d != t.dtype {
		bits := t.dtype.Bits()
		ok := (d == Uint16 && bits == 16) || (d == Uint8 && bits > 0 && bits <= 8)
		if !ok {
			panic(fmt.Sprintf("tensor: Data[%v] of a %v tensor", d, t.dtype))
		}
	}
	if len(t.raw) == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&t.raw[0])), len(t.raw)/int(unsafe.Sizeof(z)))
}

// F32 is Data[float32].
func (t *Tensor) F32() []float32 { return Data[float32](t) }

// I64 is Data[int64].
func (t *Tensor) I64() []int64 { return Data[int64](t) }

// Strings is the storage of a String tensor.
func (t *Tensor) Strings() []string { return t.str }

// Bytes is the storage of t, little-endian, types below one byte packed; nil for String.
func (t *Tensor) Bytes() []byte { return t.raw }

// DType is the element type.
func (t *Tensor) DType() DType { return t.dtype }

// Shape is the shape; the caller must not change it.
func (t *Tensor) Shape() Shape { return t.shape }

// Rank is the number of axes.
func (t *Tensor) Rank() int { return len(t.shape) }

// Dim is the extent of axis i; negative i counts from the last axis.
func (t *Tensor) Dim(i int) int {
	if i < 0 {
		i += len(t.shape)
	}
	return t.shape[i]
}

// Len is the number of elements.
func (t *Tensor) Len() int { return t.shape.Len() }

// Reshape is t with another shape of the same size, sharing the storage. It panics when the size differs.
func (t *Tensor) Reshape(shape ...int) *Tensor {
	if Shape(shape).Len() != t.Len() {
		panic(fmt.Sprintf("tensor: Reshape %v to %v", t.shape, Shape(shape)))
	}
	return &Tensor{dtype: t.dtype, shape: slices.Clone(Shape(shape)), raw: t.raw, str: t.str, contents: t.contents}
}

// Clone is a copy of t with storage of its own; of a container, whose items nobody changes, it has the same items.
func (t *Tensor) Clone() *Tensor {
	c := &Tensor{dtype: t.dtype, shape: slices.Clone(t.shape), str: slices.Clone(t.str), contents: t.contents}
	if t.dtype != String && !t.dtype.IsContainer() {
		c.raw = alignedBytes(len(t.raw))
		copy(c.raw, t.raw)
	}
	return c
}

// String is the type and shape, for example "float32[1,3,224,224]", or the type of a container and how many items it has.
func (t *Tensor) String() string {
	if t.dtype.IsContainer() {
		return fmt.Sprintf("%v of %d", t.dtype, t.count())
	}
	return t.dtype.String() + t.shape.String()
}
