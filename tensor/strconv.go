package tensor

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// parseStrings fills out with the numbers that src spells.
func parseStrings(out *Tensor, src []string, o CastOptions) error {
	if out.dtype.IsFloat() {
		var v [1]float64
		for i, s := range src {
			f, err := parseFloat(s, out.dtype)
			if err != nil {
				return fmt.Errorf("element %d: %w", i, err)
			}
			v[0] = f
			out.encodeFloats(v[:], i, o)
		}
		return nil
	}
	var v [1]int64
	var f [1]float64
	for i, s := range src {
		s = strings.TrimSpace(s)
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			v[0] = n
			out.encodeInts(v[:], i, false, o)
			continue
		}
		if n, err := strconv.ParseUint(s, 10, 64); err == nil {
			v[0] = int64(n)
			out.encodeInts(v[:], i, true, o)
			continue
		}
		n, err := parseFloat(s, Float64)
		if err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
		f[0] = n
		out.encodeFloats(f[:], i, o)
	}
	return nil
}

// parseFloat is the number s spells, rounded once: to float32 when that is the target.
func parseFloat(s string, d DType) (float64, error) {
	s = strings.TrimSpace(s)
	switch {
	case strings.EqualFold(s, "true"):
		return 1, nil
	case strings.EqualFold(s, "false"):
		return 0, nil
	}
	bits := 64
	if d == Float32 {
		bits = 32
	}
	f, err := strconv.ParseFloat(s, bits)
	// Go's underscores and hexadecimal floats are not ONNX's plain and scientific representations.
	if err != nil && !errors.Is(err, strconv.ErrRange) || strings.ContainsAny(s, "_xX") {
		if len(s) > 40 {
			s = s[:40] + "…"
		}
		return 0, fmt.Errorf("%q is not a number", s)
	}
	return f, nil
}

// formatNumbers writes the numbers of t as plain decimals.
func formatNumbers(dst []string, t *Tensor) {
	if t.dtype.IsFloat() {
		bits := 32 // every type but float64 is exact in float32
		if t.dtype == Float64 {
			bits = 64
		}
		var v [1]float64
		for i := range dst {
			t.decodeFloats(v[:], i)
			dst[i] = plainFloat(v[0], 'f', bits)
		}
		return
	}
	var v [1]int64
	for i := range dst {
		t.decodeInts(v[:], i)
		if t.dtype == Uint64 {
			dst[i] = strconv.FormatUint(uint64(v[0]), 10)
		} else {
			dst[i] = strconv.FormatInt(v[0], 10)
		}
	}
}

func plainFloat(f float64, format byte, bits int) string {
	switch {
	case f != f:
		return "NaN"
	case math.IsInf(f, 1):
		return "INF"
	case math.IsInf(f, -1):
		return "-INF"
	}
	return strconv.FormatFloat(f, format, -1, bits)
}
