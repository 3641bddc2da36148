package tensor

import "math"

// The two 16-bit floats: IEEE 754 binary16 (1 sign, 5 exponent, 10 fraction bits) and bfloat16, the upper
// half of a float32. Both directions round to nearest, ties to even; out of range becomes infinity.

// float16Value is the float32 equal to the binary16 bits h.
func float16Value(h uint16) float32 {
	// The exponent field lands 112 too low; the product puts it right, for subnormals too.
	const scale = 1 << 112
	b := uint32(h&0x7fff) << 13
	if h&0x7c00 == 0x7c00 {
		b |= 0x7f800000
	} else {
		b = math.Float32bits(math.Float32frombits(b) * scale)
	}
	return math.Float32frombits(b | uint32(h&0x8000)<<16)
}

// float16Bits is f rounded to binary16.
func float16Bits(f float32) uint16 {
	b := math.Float32bits(f)
	sign, b := uint16(b>>16)&0x8000, b&0x7fffffff
	switch {
	case b > 0x7f800000: // NaN: quiet, payload kept as far as it fits
		return sign | 0x7e00 | uint16(b>>13)&0x3ff
	case b >= 0x47800000: // 2^16 and above
		return sign | 0x7c00
	case b >= 0x38800000: // normal; a carry out of the fraction reaches the exponent, up to infinity
		return sign | uint16((b+0xfff+b>>13&1-0x38000000)>>13)
	}
	// Subnormal: the unit in the last place of 0.5 is that of binary16 subnormals.
	return sign | uint16(math.Float32bits(math.Float32frombits(b)+0.5)-0x3f000000)
}

// bfloat16Value is the float32 equal to the bfloat16 bits h.
func bfloat16Value(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// bfloat16Bits is f rounded to bfloat16.
func bfloat16Bits(f float32) uint16 {
	b := math.Float32bits(f)
	if b&0x7fffffff > 0x7f800000 {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// Float16ToFloat32 writes the values of the binary16 bits src to dst. It panics when the lengths differ.
func Float16ToFloat32(dst []float32, src []uint16) {
	sameLen(len(dst), len(src))
	for i, h := range src {
		dst[i] = float16Value(h)
	}
}

// Float32ToFloat16 writes src, rounded to binary16, to dst. It panics when the lengths differ.
func Float32ToFloat16(dst []uint16, src []float32) {
	sameLen(len(dst), len(src))
	for i, f := range src {
		dst[i] = float16Bits(f)
	}
}

// BFloat16ToFloat32 writes the values of the bfloat16 bits src to dst. It panics when the lengths differ.
func BFloat16ToFloat32(dst []float32, src []uint16) {
	sameLen(len(dst), len(src))
	for i, h := range src {
		dst[i] = bfloat16Value(h)
	}
}

// Float32ToBFloat16 writes src, rounded to bfloat16, to dst. It panics when the lengths differ.
func Float32ToBFloat16(dst []uint16, src []float32) {
	sameLen(len(dst), len(src))
	for i, f := range src {
		dst[i] = bfloat16Bits(f)
	}
}

func sameLen(a, b int) {
	if a != b {
		panic("tensor: conversion between slices of different length")
	}
}
