package kernel

import (
	"math"
	"unsafe"
)

// Quantised lists the element types of quantised numbers that Go has.
type Quantised interface {
	~int8 | ~uint8 | ~int16 | ~uint16
}

// bytesIn is x as bytes, where it is a slice of numbers of 8 bits.
func bytesIn[T any](x []T) (b []byte, signed, ok bool) {
	switch x := any(x).(type) {
	case []uint8:
		return x, false, true
	case []int8:
		return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), len(x)), true, true
	}
	return nil, false, false
}

// magic is added to and taken from a number below 2²² to round it to a whole one, ties to even.
const magic = 3 << 22

// Quantize is out[i] = min(max(round(x[i]/scale), lo), hi) + zero, ties to even; NaN gives lo + zero. lo and hi are below 2²¹ in absolute
// value, and what is added to zero fits T.
func Quantize[T Quantised](out []T, x []float32, scale float32, zero, lo, hi int32) {
	atLeast(len(x), len(out))
	l, h := float32(lo), float32(hi)
	if b, signed, ok := bytesIn(out[:len(x)]); ok {
		QuantizeBytes(b, x, Bytes{scale, zero, signed}, l, h)
		return
	}
	for i, v := range x {
		v /= scale
		if !(v > l) {
			v = l
		} else if v > h {
			v = h
		}
		out[i] = T(int32(math.Float32bits(v+magic)) - int32(math.Float32bits(magic)) + zero)
	}
}

// Dequantize is out[i] = (x[i] − zero)·scale.
func Dequantize[T Quantised | ~int32](out []float32, x []T, scale float32, zero int32) {
	atLeast(len(x), len(out))
	if b, signed, ok := bytesIn(x); ok {
		DequantizeBytes(out[:len(x)], b, Bytes{scale, zero, signed})
		return
	}
	for i, v := range x {
		out[i] = float32(int32(v)-zero) * scale
	}
}

// Requantize is out[i] = min(max(round(x[i]·scale), lo), hi) + zero, ties to even, for sums of products of quantised numbers.
func Requantize[T Quantised](out []T, x []int32, scale float32, zero, lo, hi int32) {
	atLeast(len(x), len(out))
	l, h := float32(lo), float32(hi)
	if b, signed, ok := bytesIn(out[:len(x)]); ok {
		RequantizeBytes(b, x, 0, scale, Bytes{1, zero, signed}, l, h)
		return
	}
	for i, v := range x {
		f := float32(v) * scale
		if !(f > l) {
			f = l
		} else if f > h {
			f = h
		}
		out[i] = T(int32(math.Float32bits(f+magic)) - int32(math.Float32bits(magic)) + zero)
	}
}
