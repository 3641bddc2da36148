package kernel

import "math"

// Bytes says how numbers of 8 bits stand for real ones: x = Scale·(byte − Zero), bytes being int8 if Signed.
type Bytes struct {
	Scale  float32
	Zero   int32
	Signed bool
}

// bounds are the least and the largest number, less the zero point.
func (b Bytes) bounds() (lo, hi float32) {
	if b.Signed {
		return float32(-128 - b.Zero), float32(127 - b.Zero)
	}
	return float32(-b.Zero), float32(255 - b.Zero)
}

// flip is what makes the numbers unsigned, which adds 128 to them.
func (b Bytes) flip() (bits uint32, more int32) {
	if b.Signed {
		return 0x80, 128
	}
	return 0, 0
}

// bytesParams are the numbers of a loop over bytes. The assembly knows the offsets of the fields.
type bytesParams struct {
	scale, scaleB, lo, hi float32
	zero, bias            int32 // the zero point, of an output with what makes it unsigned; of a sum the bits of a float32
	flip, flipOut         uint32
	pairZero, pairFlip    uint32
	_                     [6]uint32
	order                 [8]int32
}

// packOrder undoes what packing does to the parts of a vector.
var packOrder = [8]int32{0, 4, 1, 5, 2, 6, 3, 7}

// out sets what an output of y, clipped further to lo..hi in real numbers less the zero point, needs.
func (p *bytesParams) out(y Bytes, lo, hi float32) {
	l, h := y.bounds()
	p.lo, p.hi = max(l, lo), min(h, hi)
	flip, more := y.flip()
	p.zero, p.flipOut, p.order = y.Zero+more, flip*0x01010101, packOrder
}

var noClip = [2]float32{float32(math.Inf(-1)), float32(math.Inf(1))}

// whole rounds v to a whole number, ties to even, clipped to lo..hi; NaN becomes lo.
func (p *bytesParams) whole(v float32) byte {
	if !(v > p.lo) {
		v = p.lo
	} else if v > p.hi {
		v = p.hi
	}
	return byte(min(max(int32(math.RoundToEven(float64(v)))+p.zero, 0), 255)) ^ byte(p.flipOut)
}

// PairBytes writes the planes lo and hi, of one zero point and less it, as pairs: dst[i] = (lo[i] − Zero, hi[i] − Zero). Where hi is nil,
// its part is zero.
func PairBytes(dst []uint32, lo, hi []byte, b Bytes) {
	n := len(dst)
	if hi == nil {
		atLeast(n, len(lo))
		for i := range dst {
			dst[i] = uint32(uint16(b.value(lo[i])))
		}
		return
	}
	atLeast(n, len(lo), len(hi))
	flip, more := b.flip()
	z := uint32(uint16(b.Zero + more))
	p := bytesParams{pairZero: z | z<<16, pairFlip: flip | flip<<16}
	done := 0
	if pairBytes != nil {
		if done = n &^ 7; done > 0 {
			pairBytes(dst[:done], lo, hi, &p)
		}
	}
	for i := done; i < n; i++ {
		dst[i] = uint32(uint16(b.value(lo[i]))) | uint32(uint16(b.value(hi[i])))<<16
	}
}

// WidenBytes is dst[i] = x[i] − b.Zero.
func WidenBytes(dst []int16, x []byte, b Bytes) {
	atLeast(len(dst), len(x))
	flip, more := b.flip()
	z := uint32(uint16(b.Zero + more))
	p := bytesParams{pairZero: z | z<<16, pairFlip: flip | flip<<16}
	done := 0
	if widenBytes != nil {
		if done = len(dst) &^ 15; done > 0 {
			widenBytes(dst[:done], x, &p)
		}
	}
	for i := done; i < len(dst); i++ {
		dst[i] = int16(b.value(x[i]))
	}
}

// value is a byte less the zero point.
func (b Bytes) value(v byte) int32 {
	if b.Signed {
		return int32(int8(v)) - b.Zero
	}
	return int32(v) - b.Zero
}

// RequantizeBytes is dst[i] = round((x[i] + bias)·scale) as y stands for it but for its scale: clipped to the bytes there are and to
// lo..hi, which are less the zero point; ties to even.
func RequantizeBytes(dst []byte, x []int32, bias int32, scale float32, y Bytes, lo, hi float32) {
	atLeast(len(dst), len(x))
	p := bytesParams{scale: scale, bias: bias}
	p.out(y, lo, hi)
	done := 0
	if requantizeBytes != nil {
		if done = len(dst) &^ 31; done > 0 {
			requantizeBytes(dst[:done], x, &p)
		}
	}
	for i := done; i < len(dst); i++ {
		dst[i] = p.whole(float32(x[i]+bias) * scale)
	}
}

// QuantizeBytes is dst[i] = round(x[i]/y.Scale) + y.Zero, clipped to the bytes there are and to lo..hi, which are less the zero point; ties
// to even; NaN becomes the least.
func QuantizeBytes(dst []byte, x []float32, y Bytes, lo, hi float32) {
	atLeast(len(dst), len(x))
	p := bytesParams{scale: y.Scale}
	p.out(y, lo, hi)
	done := 0
	if quantizeBytes != nil {
		if done = len(dst) &^ 31; done > 0 {
			quantizeBytes(dst[:done], x, &p)
		}
	}
	for i := done; i < len(dst); i++ {
		dst[i] = p.whole(x[i] / y.Scale)
	}
}

// DequantizeBytes is dst[i] = x.Scale·(x[i] − x.Zero).
func DequantizeBytes(dst []float32, x []byte, b Bytes) {
	atLeast(len(dst), len(x))
	flip, more := b.flip()
	p := bytesParams{scale: b.Scale, zero: b.Zero + more, flip: flip}
	done := 0
	if dequantizeBytes != nil {
		if done = len(dst) &^ 7; done > 0 {
			dequantizeBytes(dst[:done], x, &p)
		}
	}
	for i := done; i < len(dst); i++ {
		dst[i] = float32(b.value(x[i])) * b.Scale
	}
}

// AddBytes is dst[i] = round((a[i]·ra + k) + b[i]·rb), ties to even, saturated, for numbers of one type; every operation is rounded.
func AddBytes(dst, a, b []byte, signed bool, ra, rb, k float32) {
	atLeast(len(dst), len(a), len(b))
	one := Bytes{1, 0, signed}
	p := bytesParams{scale: ra, scaleB: rb, bias: int32(math.Float32bits(k))}
	p.out(one, noClip[0], noClip[1])
	p.flip, _ = one.flip()
	done := 0
	if addBytes != nil {
		if done = len(dst) &^ 31; done > 0 {
			addBytes(dst[:done], a, b, &p)
		}
	}
	for i := done; i < len(dst); i++ {
		x := float32(float32(one.value(a[i])) * ra)
		x = float32(x + k)
		dst[i] = p.whole(x + float32(float32(one.value(b[i]))*rb))
	}
}

// The loops in assembly, on multiples of 32 (pairBytes and dequantizeBytes: 8, widenBytes: 16); nil where there are none.
var (
	pairBytes       func(dst []uint32, lo, hi []byte, p *bytesParams)
	widenBytes      func(dst []int16, x []byte, p *bytesParams)
	requantizeBytes func(dst []byte, x []int32, p *bytesParams)
	quantizeBytes   func(dst []byte, x []float32, p *bytesParams)
	dequantizeBytes func(dst []float32, x []byte, p *bytesParams)
	addBytes        func(dst, a, b []byte, p *bytesParams)
)
