package kernel

import (
	"math"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// Convert is out[i] = D(in[i]), Go's conversion: floats are truncated to integers, integers wrap around. A float out
// of the range of an integer type, and NaN, give some value that depends on the machine, as in C.
func Convert[D, S Number](p *parallel.Pool, out []D, in []S) {
	atLeast(len(out), len(in))
	if o, ok := any(out).([]S); ok {
		p.For(len(o), elemChunk, func(lo, hi int) { copy(o[lo:hi], in[lo:hi]) })
		return
	}
	p.For(len(out), elemChunk, func(lo, hi int) {
		out, in := out[lo:hi], in[lo:hi]
		for i := range out {
			out[i] = D(in[i])
		}
	})
}

// ConvertToBool is out[i] = in[i] != 0.
func ConvertToBool[S Number](p *parallel.Pool, out []bool, in []S) {
	Map(p, out, in, func(x S) bool { return x != 0 })
}

// ConvertFromBool is out[i] = 1 where in[i], else 0.
func ConvertFromBool[D Number](p *parallel.Pool, out []D, in []bool) {
	Map(p, out, in, func(x bool) D {
		if x {
			return 1
		}
		return 0
	})
}

// HalfToF32 is out[i] = in[i], IEEE binary16 bits.
func HalfToF32(p *parallel.Pool, out []float32, in []uint16) {
	atLeast(len(out), len(in))
	p.For(len(out), elemChunk, func(lo, hi int) {
		out, in := out[lo:hi], in[lo:hi]
		for i, h := range in {
			out[i] = halfValue(h)
		}
	})
}

// F32ToHalf is out[i] = in[i] rounded to IEEE binary16, ties to even; out of range is infinity.
func F32ToHalf(p *parallel.Pool, out []uint16, in []float32) {
	Map(p, out, in, halfBits)
}

// BFloatToF32 is out[i] = in[i], bfloat16 bits.
func BFloatToF32(p *parallel.Pool, out []float32, in []uint16) {
	atLeast(len(out), len(in))
	p.For(len(out), elemChunk, func(lo, hi int) {
		out, in := out[lo:hi], in[lo:hi]
		for i, h := range in {
			out[i] = math.Float32frombits(uint32(h) << 16)
		}
	})
}

// F32ToBFloat is out[i] = in[i] rounded to bfloat16, ties to even.
func F32ToBFloat(p *parallel.Pool, out []uint16, in []float32) {
	Map(p, out, in, func(f float32) uint16 {
		b := math.Float32bits(f)
		if f != f {
			return uint16(b>>16) | 0x40
		}
		return uint16((b + 0x7fff + b>>16&1) >> 16)
	})
}

// halfValue is the number with the binary16 bits h.
func halfValue(h uint16) float32 {
	sign, b := uint32(h&0x8000)<<16, uint32(h&0x7fff)<<13
	if h&0x7c00 == 0x7c00 {
		return math.Float32frombits(sign | b | 0x7f800000)
	}
	// The bias of float32 is larger by 112; the product moves it, of subnormals too.
	return math.Float32frombits(sign | math.Float32bits(math.Float32frombits(b)*(1<<112)))
}

// halfBits are the binary16 bits nearest to f.
func halfBits(f float32) uint16 {
	b := math.Float32bits(f)
	sign := uint16(b>>16) & 0x8000
	b &= 0x7fffffff
	switch {
	case b > 0x7f800000:
		return sign | 0x7e00 | uint16(b>>13)&0x3ff
	case b >= 0x47800000: // 65536
		return sign | 0x7c00
	case b < 0x38800000: // below the smallest normal number: aligned by adding 1/2, whose last place is 2^-24
		return sign | uint16(math.Float32bits(math.Float32frombits(b)+0.5)&0x7fff)
	}
	b += 0xfff + b>>13&1
	return sign | uint16((b-112<<23)>>13)
}
