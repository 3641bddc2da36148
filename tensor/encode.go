package tensor

import "math"

// encodeFloats stores src, rounded as Convert says, as the elements of t from lo on.
func (t *Tensor) encodeFloats(src []float64, lo int, o CastOptions) {
	n := len(src)
	switch t.dtype {
	case Float32:
		dst := t.F32()[lo : lo+n]
		for i, v := range src {
			dst[i] = float32(v)
		}
	case Float64:
		copy(Data[float64](t)[lo:], src)
	case Complex64:
		dst := Data[complex64](t)[lo : lo+n]
		for i, v := range src {
			dst[i] = complex(float32(v), 0)
		}
	case Complex128:
		dst := Data[complex128](t)[lo : lo+n]
		for i, v := range src {
			dst[i] = complex(v, 0)
		}
	case Float16, BFloat16:
		m, dst := formatOf(t.dtype), Data[uint16](t)[lo:lo+n]
		for i, v := range src {
			dst[i] = m.encode(v, false)
		}
	case Float8E4M3FN, Float8E4M3FNUZ, Float8E5M2, Float8E5M2FNUZ:
		m, dst := formatOf(t.dtype), t.raw[lo:lo+n]
		for i, v := range src {
			dst[i] = uint8(m.encode(v, !o.NoSaturate))
		}
	case Float8E8M0:
		dst := t.raw[lo : lo+n]
		for i, v := range src {
			dst[i] = e8m0Bits(v, !o.NoSaturate, o.Round)
		}
	case Float4E2M1:
		for i, v := range src {
			pack(t.raw, 4, lo+i, uint8(fmtE2M1.encode(v, true)))
		}
	case Bool:
		dst := t.raw[lo : lo+n]
		for i, v := range src {
			if v != 0 {
				dst[i] = 1
			}
		}
	case Int64:
		dst := t.I64()[lo : lo+n]
		for i, v := range src {
			dst[i] = floatToInt64(v)
		}
	case Uint64:
		dst := Data[uint64](t)[lo : lo+n]
		for i, v := range src {
			dst[i] = floatToUint64(v)
		}
	default:
		var buf [chunkLen]int64
		b := buf[:n]
		for i, v := range src {
			switch t.dtype {
			case Uint32:
				b[i] = floatToInt64(v)
			case Int4, Uint4, Int2, Uint2:
				b[i] = floatToInt32(math.RoundToEven(v))
			default:
				b[i] = floatToInt32(v)
			}
		}
		t.encodeInts(b, lo, false, o)
	}
}

// floatToInt32 is f towards zero; NaN and out of range become the most negative number.
func floatToInt32(f float64) int64 {
	if f > -1<<31-1 && f < 1<<31 {
		return int64(f)
	}
	return math.MinInt32
}

// floatToInt64 is f towards zero; NaN and out of range become the most negative number.
func floatToInt64(f float64) int64 {
	if f >= -1<<63 && f < 1<<63 {
		return int64(f)
	}
	return math.MinInt64
}

// floatToUint64 is f towards zero modulo 2^64 for f from -2^63 to 2^64; 2^63 for NaN and below, 0 above.
func floatToUint64(f float64) uint64 {
	switch {
	case f >= 1<<64:
		return 0
	case f >= 1<<63:
		return uint64(int64(f-1<<63)) + 1<<63
	}
	return uint64(floatToInt64(f))
}

// encodeInts stores src as the elements of t from lo on; unsigned says that src holds the bits of uint64.
func (t *Tensor) encodeInts(src []int64, lo int, unsigned bool, o CastOptions) {
	n := len(src)
	switch t.dtype {
	case Bool:
		dst := t.raw[lo : lo+n]
		for i, v := range src {
			if v != 0 {
				dst[i] = 1
			}
		}
	case Uint8:
		narrow(Data[uint8](t)[lo:], src)
	case Int8:
		narrow(Data[int8](t)[lo:], src)
	case Uint16:
		narrow(Data[uint16](t)[lo:], src)
	case Int16:
		narrow(Data[int16](t)[lo:], src)
	case Uint32:
		narrow(Data[uint32](t)[lo:], src)
	case Int32:
		narrow(Data[int32](t)[lo:], src)
	case Uint64:
		narrow(Data[uint64](t)[lo:], src)
	case Int64:
		copy(t.I64()[lo:], src)
	case Uint4, Int4, Uint2, Int2:
		bits := t.dtype.Bits()
		for i, v := range src {
			pack(t.raw, bits, lo+i, uint8(v))
		}
	case Float32:
		dst := t.F32()[lo : lo+n]
		for i, v := range src {
			if unsigned {
				dst[i] = float32(uint64(v))
			} else {
				dst[i] = float32(v)
			}
		}
	case Complex64:
		dst := Data[complex64](t)[lo : lo+n]
		for i, v := range src {
			if unsigned {
				dst[i] = complex(float32(uint64(v)), 0)
			} else {
				dst[i] = complex(float32(v), 0)
			}
		}
	case Float64, Complex128:
		var buf [chunkLen]float64
		for i, v := range src {
			if unsigned {
				buf[i] = float64(uint64(v))
			} else {
				buf[i] = float64(v)
			}
		}
		t.encodeFloats(buf[:n], lo, o)
	default:
		var buf [chunkLen]float64
		for i, v := range src {
			buf[i] = roundToOdd(v, unsigned)
		}
		t.encodeFloats(buf[:n], lo, o)
	}
}

// roundToOdd is v as a float64 from which rounding to fewer bits gives what rounding v itself would: bits that do
// not fit leave a one in the last place.
func roundToOdd(v int64, unsigned bool) float64 {
	neg := v < 0 && !unsigned
	u := uint64(v)
	if neg {
		u = -u
	}
	if u >= 1<<53 {
		sticky := uint64(0)
		if u&(1<<11-1) != 0 {
			sticky = 1 << 11
		}
		u = u&^(1<<11-1) | sticky
	}
	if neg {
		return -float64(u)
	}
	return float64(u)
}
