package tensor

// decodeFloats writes the elements of a float tensor from lo on to dst.
func (t *Tensor) decodeFloats(dst []float64, lo int) {
	n := len(dst)
	switch t.dtype {
	case Float32:
		for i, v := range t.F32()[lo : lo+n] {
			dst[i] = float64(v)
		}
	case Float64:
		copy(dst, Data[float64](t)[lo:lo+n])
	case Float16:
		for i, v := range Data[uint16](t)[lo : lo+n] {
			dst[i] = float64(float16Value(v))
		}
	case BFloat16:
		for i, v := range Data[uint16](t)[lo : lo+n] {
			dst[i] = float64(bfloat16Value(v))
		}
	case Float4E2M1:
		for i := range dst {
			dst[i] = float64(tabE2M1[unpack(t.raw, 4, lo+i)])
		}
	default:
		tab := decodeTable(t.dtype)
		for i, v := range t.raw[lo : lo+n] {
			dst[i] = float64(tab[v])
		}
	}
}

// decodeInts writes the elements of an integer or bool tensor from lo on to dst; uint64 as its bits, bool as 0 or 1.
func (t *Tensor) decodeInts(dst []int64, lo int) {
	n := len(dst)
	switch t.dtype {
	case Bool: // as bytes: a bool read from a file may have any bits
		for i, v := range t.raw[lo : lo+n] {
			dst[i] = 0
			if v != 0 {
				dst[i] = 1
			}
		}
	case Uint8:
		widen(dst, Data[uint8](t)[lo:])
	case Int8:
		widen(dst, Data[int8](t)[lo:])
	case Uint16:
		widen(dst, Data[uint16](t)[lo:])
	case Int16:
		widen(dst, Data[int16](t)[lo:])
	case Uint32:
		widen(dst, Data[uint32](t)[lo:])
	case Int32:
		widen(dst, Data[int32](t)[lo:])
	case Uint64:
		widen(dst, Data[uint64](t)[lo:])
	case Int64:
		copy(dst, t.I64()[lo:lo+n])
	default:
		bits := t.dtype.Bits()
		signed := t.dtype == Int4 || t.dtype == Int2
		for i := range dst {
			v := unpack(t.raw, bits, lo+i)
			if signed {
				dst[i] = int64(signExtend(v, bits))
			} else {
				dst[i] = int64(v)
			}
		}
	}
}

type integer interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

func widen[T integer](dst []int64, src []T) {
	src = src[:len(dst)]
	for i, v := range src {
		dst[i] = int64(v)
	}
}

func narrow[T integer](dst []T, src []int64) {
	dst = dst[:len(src)]
	for i, v := range src {
		dst[i] = T(v)
	}
}
