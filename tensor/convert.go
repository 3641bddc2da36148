package tensor

import "fmt"

// CastOptions are the attributes of ONNX's Cast; the zero value is ONNX's default.
type CastOptions struct {
	NoSaturate bool      // out of range of an 8-bit float becomes infinity or NaN, not the largest value
	Round      RoundMode // for float8e8m0 only
}

// Convert is t in element type d as ONNX's Cast has it, with 8-bit floats saturating. The result never shares
// storage with t.
//
//   - float to float: nearest, ties to even; out of range becomes infinity (8-bit floats: see CastOptions; float4e2m1:
//     the largest value, and NaN becomes −0);
//   - float to integer: towards zero (types of 4 and 2 bits: nearest, ties to even). ONNX leaves out of range
//     and NaN open; here they give the same on every machine, what C and NumPy give on amd64: the most negative number
//     for int32 and int64, the low bits of the int32 conversion for narrower types, of the int64 conversion for uint32
//     and uint64 (which is right up to 2^64-1);
//   - integer to integer: the low bits;
//   - to bool: whether not zero (NaN is true); from bool: 0 or 1;
//   - to string: the shortest plain decimal that reads back the same, "NaN", "INF", "-INF", "1" or "0" for bool;
//   - from string: a plain or scientific number, INF, +INF, -INF, NaN, true, false in any case, else an error;
//   - to complex: imaginary part 0. From complex to anything but complex is an error, as in ONNX.
//
// Source: https://onnx.ai/onnx/operators/onnx__Cast.html, opset 25.
func (t *Tensor) Convert(d DType) (*Tensor, error) { return t.ConvertWith(d, CastOptions{}) }

// ConvertSaturate is Convert with the attribute saturate of Cast, which concerns 8-bit floats only.
func (t *Tensor) ConvertSaturate(d DType, saturate bool) (*Tensor, error) {
	return t.ConvertWith(d, CastOptions{NoSaturate: !saturate})
}

// ConvertWith is Convert with all options of Cast.
func (t *Tensor) ConvertWith(d DType, o CastOptions) (*Tensor, error) {
	if !d.Valid() {
		return nil, fmt.Errorf("tensor: convert %v: no such element type: %v", t, d)
	}
	if d == t.dtype {
		return t.Clone(), nil
	}
	if t.dtype.IsContainer() {
		return nil, fmt.Errorf("tensor: convert %v to %v: it is no tensor of elements", t, d)
	}
	if _, err := t.shape.CheckedLen(d); err != nil {
		return nil, fmt.Errorf("tensor: convert %v to %v: %w", t, d, err)
	}
	fromComplex, toComplex := t.dtype == Complex64 || t.dtype == Complex128, d == Complex64 || d == Complex128
	if fromComplex && !toComplex {
		return nil, fmt.Errorf("tensor: convert %v to %v: complex numbers convert to complex types only", t, d)
	}
	if t.dtype == String && toComplex {
		return nil, fmt.Errorf("tensor: convert %v to %v: not supported; convert to float64 first", t, d)
	}
	out := New(d, t.shape...)
	switch {
	case fromComplex:
		convertComplex(out, t)
	case t.dtype == String:
		if err := parseStrings(out, t.str, o); err != nil {
			return nil, fmt.Errorf("tensor: convert %v to %v: %w", t, d, err)
		}
	case d == String:
		formatNumbers(out.str, t)
	case t.dtype == Float16 && d == Float32:
		Float16ToFloat32(out.F32(), Data[uint16](t))
	case t.dtype == Float32 && d == Float16:
		Float32ToFloat16(Data[uint16](out), t.F32())
	case t.dtype == BFloat16 && d == Float32:
		BFloat16ToFloat32(out.F32(), Data[uint16](t))
	case t.dtype == Float32 && d == BFloat16:
		Float32ToBFloat16(Data[uint16](out), t.F32())
	default:
		convertNumbers(out, t, o)
	}
	return out, nil
}

// chunkLen is how many elements pass through the intermediate type at a time; a multiple of 4, so that chunks of
// packed types start at a byte.
const chunkLen = 512

// convertNumbers goes through float64, exact for every float type, or through int64, exact for every other type
// (the bits of uint64).
func convertNumbers(out, t *Tensor, o CastOptions) {
	n := t.Len()
	if t.dtype.IsFloat() {
		var buf [chunkLen]float64
		for lo := 0; lo < n; lo += chunkLen {
			b := buf[:min(chunkLen, n-lo)]
			t.decodeFloats(b, lo)
			out.encodeFloats(b, lo, o)
		}
		return
	}
	var buf [chunkLen]int64
	for lo := 0; lo < n; lo += chunkLen {
		b := buf[:min(chunkLen, n-lo)]
		t.decodeInts(b, lo)
		out.encodeInts(b, lo, t.dtype == Uint64, o)
	}
}

func convertComplex(out, t *Tensor) {
	if t.dtype == Complex64 {
		dst := Data[complex128](out)
		for i, v := range Data[complex64](t) {
			dst[i] = complex128(v)
		}
		return
	}
	dst := Data[complex64](out)
	for i, v := range Data[complex128](t) {
		dst[i] = complex64(v)
	}
}
