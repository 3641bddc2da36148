package tensor

import (
	"fmt"
	"math"
)

// At is the element at idx as the Go type that holds it: floats of 16 bits and fewer as float32, integers below
// 8 bits as int8 or uint8. It panics, as a slice does, when idx is outside t.
func (t *Tensor) At(idx ...int) any {
	if len(idx) != len(t.shape) {
		panic(fmt.Sprintf("tensor: At%v of %v", idx, t))
	}
	i := 0
	for a, x := range idx {
		if x < 0 || x >= t.shape[a] {
			panic(fmt.Sprintf("tensor: At%v of %v", idx, t))
		}
		i = i*t.shape[a] + x
	}
	return t.flat(i)
}

// flat is element i in row-major order.
func (t *Tensor) flat(i int) any {
	switch t.dtype {
	case String:
		return t.str[i]
	case Bool:
		return t.raw[i] != 0
	case Uint8:
		return Data[uint8](t)[i]
	case Int8:
		return Data[int8](t)[i]
	case Uint16:
		return Data[uint16](t)[i]
	case Int16:
		return Data[int16](t)[i]
	case Uint32:
		return Data[uint32](t)[i]
	case Int32:
		return Data[int32](t)[i]
	case Uint64:
		return Data[uint64](t)[i]
	case Int64:
		return Data[int64](t)[i]
	case Float64:
		return Data[float64](t)[i]
	case Complex64:
		return Data[complex64](t)[i]
	case Complex128:
		return Data[complex128](t)[i]
	case Int4, Int2:
		return signExtend(unpack(t.raw, t.dtype.Bits(), i), t.dtype.Bits())
	case Uint4, Uint2:
		return unpack(t.raw, t.dtype.Bits(), i)
	}
	var v [1]float64
	t.decodeFloats(v[:], i)
	return float32(v[0])
}

// Float64s is a copy of the elements of a real numeric or bool tensor as float64 (64-bit integers rounded to nearest);
// nil for strings, complex numbers and containers.
func (t *Tensor) Float64s() []float64 {
	switch {
	case t.dtype == String, t.dtype == Complex64, t.dtype == Complex128, t.dtype.IsContainer():
		return nil
	}
	c, err := t.Convert(Float64)
	if err != nil {
		return nil
	}
	return Data[float64](c)
}

// Ints is a copy of the elements of an integer or bool tensor as int. It fails for other types and for a number that
// an int cannot hold.
func (t *Tensor) Ints() ([]int, error) {
	if !t.dtype.IsInt() && t.dtype != Bool {
		return nil, fmt.Errorf("tensor: %v does not hold integers", t)
	}
	out := make([]int, t.Len())
	var buf [chunkLen]int64
	for lo := 0; lo < len(out); lo += chunkLen {
		b := buf[:min(chunkLen, len(out)-lo)]
		t.decodeInts(b, lo)
		for i, v := range b {
			if v < math.MinInt || v > math.MaxInt || v < 0 && t.dtype == Uint64 {
				return nil, fmt.Errorf("tensor: element %d of %v does not fit an int", lo+i, t)
			}
			out[lo+i] = int(v)
		}
	}
	return out, nil
}
