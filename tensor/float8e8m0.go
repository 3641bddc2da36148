package tensor

import (
	"fmt"
	"math"
)

// RoundMode is how a number that is no power of two becomes a float8e8m0 (attribute round_mode of Cast).
type RoundMode int

// The round modes of ONNX.
const (
	RoundUp      RoundMode = iota // to the next power of two away from zero, the default
	RoundDown                     // to the next power of two towards zero
	RoundNearest                  // to the nearest power of two, ties up
)

// ParseRoundMode is the RoundMode of ONNX's "up", "down" or "nearest".
func ParseRoundMode(s string) (RoundMode, error) {
	switch s {
	case "up":
		return RoundUp, nil
	case "down":
		return RoundDown, nil
	case "nearest":
		return RoundNearest, nil
	}
	return 0, fmt.Errorf("tensor: unknown round mode %q, have up, down, nearest", s)
}

// e8m0NaN is the only special code of float8e8m0, whose code c is otherwise 2^(c-127): no sign, no zero.
const e8m0NaN = 0xff

var tabE8M0 = func() *[256]float32 {
	var t [256]float32
	for c := range e8m0NaN {
		t[c] = float32(math.Ldexp(1, c-127))
	}
	t[e8m0NaN] = float32(math.NaN())
	return &t
}()

// e8m0Bits is the code of f. Out of range (zero included) goes to the nearer end of the range when saturate is set and
// to NaN otherwise; negative numbers, which ONNX leaves open, become NaN, −0 is 0.
//
// Source: https://onnx.ai/onnx/operators/onnx__Cast.html (table of FLOAT8E8M0).
func e8m0Bits(f float64, saturate bool, mode RoundMode) uint8 {
	const lo, hi = 0x1p-127, 0x1p127
	switch {
	case f != f || f < 0:
		return e8m0NaN
	case f < lo:
		if saturate {
			return 0
		}
		return e8m0NaN
	case f > hi:
		if saturate {
			return e8m0NaN - 1
		}
		return e8m0NaN
	}
	frac, e := math.Frexp(f) // f = frac * 2^e, frac in [0.5, 1)
	c := e - 1 + 127
	if mode == RoundUp && frac > 0.5 || mode == RoundNearest && frac >= 0.75 {
		c++
	}
	return uint8(c)
}
