package tensor

import "math"

// minifloat describes a binary floating-point format of at most 16 bits with sign, exponent and fraction.
//
// Source: https://onnx.ai/onnx/technical/float8.html and https://onnx.ai/onnx/technical/float4.html.
type minifloat struct {
	bits, man int    // width; fraction bits
	bias      int    // exponent bias
	maxFinite uint16 // code of the largest finite value
	inf       uint16 // code of infinity, 0 when there is none
	nan       uint16 // code of NaN; for formats without one, what NaN becomes
	uz        bool   // no negative zero: its code is the only NaN
}

// NaN has no float4e2m1 code. ONNX's page on float4 says it becomes 6, its conformance data has −0
// (test_cast_FLOAT_to_FLOAT4E2M1); this package follows the data.
var (
	fmtFloat16  = minifloat{bits: 16, man: 10, bias: 15, maxFinite: 0x7bff, inf: 0x7c00, nan: 0x7e00}
	fmtBFloat16 = minifloat{bits: 16, man: 7, bias: 127, maxFinite: 0x7f7f, inf: 0x7f80, nan: 0x7fc0}
	fmtE4M3FN   = minifloat{bits: 8, man: 3, bias: 7, maxFinite: 0x7e, nan: 0x7f}
	fmtE4M3FNUZ = minifloat{bits: 8, man: 3, bias: 8, maxFinite: 0x7f, nan: 0x80, uz: true}
	fmtE5M2     = minifloat{bits: 8, man: 2, bias: 15, maxFinite: 0x7b, inf: 0x7c, nan: 0x7e}
	fmtE5M2FNUZ = minifloat{bits: 8, man: 2, bias: 16, maxFinite: 0x7f, nan: 0x80, uz: true}
	fmtE2M1     = minifloat{bits: 4, man: 1, bias: 1, maxFinite: 0x7, nan: 0x8}
)

// encode is the code of f, rounded to nearest, ties to even. What rounds to more than the largest finite value
// becomes that value when saturate is set, infinity otherwise, or NaN where there is no infinity.
func (m *minifloat) encode(f float64, saturate bool) uint16 {
	sign := uint16(0)
	if math.Signbit(f) {
		sign = 1 << (m.bits - 1)
	}
	if f != f {
		if m.uz || m.bits == 4 {
			return m.nan
		}
		return sign | m.nan
	}
	code := m.round(math.Abs(f))
	if code > uint64(m.maxFinite) {
		switch {
		case saturate:
			return sign | m.maxFinite
		case m.inf != 0:
			return sign | m.inf
		case m.uz:
			return m.nan
		}
		return sign | m.nan
	}
	if m.uz && code == 0 {
		return 0
	}
	return sign | uint16(code)
}

// round is the code of f >= 0 as if the exponent field had no upper limit.
func (m *minifloat) round(f float64) uint64 {
	b := math.Float64bits(f)
	e := int(b>>52) - 1023
	te := max(e, 1-m.bias)
	shift := uint(52 - m.man + te - e)
	if shift > 60 {
		return 0 // below half the smallest value; float64 subnormals end here too
	}
	frac := b&(1<<52-1) | 1<<52
	q, rest, half := frac>>shift, frac&(1<<shift-1), uint64(1)<<(shift-1)
	if rest > half || rest == half && q&1 == 1 {
		q++
	}
	return q + uint64(te+m.bias-1)<<m.man
}

// value is the number of a code; a code has no bits above the width of the format.
func (m *minifloat) value(code uint16) float32 {
	signBit := uint16(1) << (m.bits - 1)
	mag := code &^ signBit
	var v float64
	switch {
	case m.uz && code == signBit, mag > m.maxFinite && mag != m.inf:
		v = math.Float64frombits(0x7ff8 << 48) // with the sign of the code
	case m.inf != 0 && mag == m.inf:
		v = math.Inf(1)
	case mag>>m.man == 0:
		v = math.Ldexp(float64(mag), 1-m.bias-m.man)
	default:
		v = math.Ldexp(float64(mag&(1<<m.man-1)|1<<m.man), int(mag>>m.man)-m.bias-m.man)
	}
	if code&signBit != 0 {
		v = math.Copysign(v, -1)
	}
	return float32(v)
}

// table is the value of every code of a format of at most 8 bits.
func (m *minifloat) table() *[256]float32 {
	var t [256]float32
	for c := range 1 << m.bits {
		t[c] = m.value(uint16(c))
	}
	return &t
}

var (
	tabE4M3FN   = fmtE4M3FN.table()
	tabE4M3FNUZ = fmtE4M3FNUZ.table()
	tabE5M2     = fmtE5M2.table()
	tabE5M2FNUZ = fmtE5M2FNUZ.table()
	tabE2M1     = fmtE2M1.table()
)

// decodeTable is the table of values of the types below 16 bits, nil for the others.
func decodeTable(d DType) *[256]float32 {
	switch d {
	case Float8E4M3FN:
		return tabE4M3FN
	case Float8E4M3FNUZ:
		return tabE4M3FNUZ
	case Float8E5M2:
		return tabE5M2
	case Float8E5M2FNUZ:
		return tabE5M2FNUZ
	case Float4E2M1:
		return tabE2M1
	case Float8E8M0:
		return tabE8M0
	}
	return nil
}

// formatOf is the minifloat of d, nil for other types.
func formatOf(d DType) *minifloat {
	switch d {
	case Float16:
		return &fmtFloat16
	case BFloat16:
		return &fmtBFloat16
	case Float8E4M3FN:
		return &fmtE4M3FN
	case Float8E4M3FNUZ:
		return &fmtE4M3FNUZ
	case Float8E5M2:
		return &fmtE5M2
	case Float8E5M2FNUZ:
		return &fmtE5M2FNUZ
	case Float4E2M1:
		return &fmtE2M1
	}
	return nil
}
