// Command bytes writes bytes_amd64.s, the loops over numbers of 8 bits, for AVX2.
//
//	go run ./bytes -out ../bytes_amd64.s -stubs ../bytes_stubs_amd64.go -pkg kernel
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Byte offsets of the fields of the Go type bytesParams.
const (
	offScale, offScaleB, offLo, offHi  = 0, 4, 8, 12
	offZero, offBias                   = 16, 20
	offFlip, offFlipOut                = 24, 28
	offPairZero, offPairFlip, offOrder = 32, 36, 64
)

// broadcast is a vector of the word at field off.
func broadcast(p reg.Register, off int) reg.VecVirtual {
	v := YMM()
	VPBROADCASTD(Mem{Base: p, Disp: off}, v)
	return v
}

// start begins the kernel name with the pointers args, n elements in steps of step, and params; body gets the pointers and must do one
// step.
func start(name, doc, sig string, args []string, step int, setup func(p reg.Register), body func(ptr []reg.GPVirtual), sizes []int) {
	TEXT(name, NOSPLIT, sig)
	Doc(doc)
	Pragma("noescape")
	var ptr []reg.GPVirtual
	for _, a := range args {
		r := GP64()
		Load(Param(a), r)
		ptr = append(ptr, r)
	}
	n := GP64()
	Load(Param("n"), n)
	p := GP64()
	Load(Param("p"), p)
	setup(p)
	Label("loop")
	body(ptr)
	for i, r := range ptr {
		ADDQ(Imm(uint64(step*sizes[i])), r)
	}
	SUBQ(Imm(uint64(step)), n)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// packBytes writes the 32 whole numbers of q as bytes, saturating to 0..255, with the bits of flip changed.
func packBytes(dst reg.Register, q [4]reg.VecVirtual, order, flip reg.VecVirtual) {
	VPACKSSDW(q[1], q[0], q[0])
	VPACKSSDW(q[3], q[2], q[2])
	VPACKUSWB(q[2], q[0], q[0])
	VPERMD(q[0], order, q[0])
	VPXOR(flip, q[0], q[0])
	VMOVDQU(q[0], Mem{Base: dst})
}

// widen is the 8 bytes at m as whole numbers less zero, flip being what makes them unsigned.
func widen(m Mem, flip, zero reg.VecVirtual) reg.VecVirtual {
	v := YMM()
	VPMOVZXBD(m, v)
	VPXOR(flip, v, v)
	VPSUBD(zero, v, v)
	return v
}

// finish clips x to lo..hi, NaN to lo, and rounds it, ties to even.
func finish(x, lo, hi, zero reg.VecVirtual) {
	VMAXPS(lo, x, x) // of NaN the first of these, which is the second source
	VMINPS(hi, x, x)
	VCVTPS2DQ(x, x)
	VPADDD(zero, x, x)
}

func main() {
	ConstraintExpr("!noasm")

	var zero, flip reg.VecVirtual
	start("pairBytesAVX2", "pairBytesAVX2 is pairBytes for n a positive multiple of 8.",
		"func(dst *uint32, lo, hi *byte, n int, p *byte)", []string{"dst", "lo", "hi"}, 8, func(p reg.Register) {
			zero, flip = broadcast(p, offPairZero), broadcast(p, offPairFlip)
		}, func(ptr []reg.GPVirtual) {
			a, b := YMM(), YMM()
			VPMOVZXBD(Mem{Base: ptr[1]}, a)
			VPMOVZXBD(Mem{Base: ptr[2]}, b)
			VPSLLD(Imm(16), b, b)
			VPOR(b, a, a)
			VPXOR(flip, a, a)
			VPSUBW(zero, a, a)
			VMOVDQU(a, Mem{Base: ptr[0]})
		}, []int{4, 1, 1})

	start("widenBytesAVX2", "widenBytesAVX2 is widenBytes for n a positive multiple of 16.",
		"func(dst *int16, x *byte, n int, p *byte)", []string{"dst", "x"}, 16, func(p reg.Register) {
			zero, flip = broadcast(p, offPairZero), broadcast(p, offPairFlip)
		}, func(ptr []reg.GPVirtual) {
			v := YMM()
			VPMOVZXBW(Mem{Base: ptr[1]}, v)
			VPXOR(flip, v, v)
			VPSUBW(zero, v, v)
			VMOVDQU(v, Mem{Base: ptr[0]})
		}, []int{2, 1})

	var scale, scaleB, lo, hi, bias, order, flipOut reg.VecVirtual
	common := func(p reg.Register) {
		scale, lo, hi, zero, flipOut = broadcast(p, offScale), broadcast(p, offLo), broadcast(p, offHi), broadcast(p, offZero),
			broadcast(p, offFlipOut)
		order = YMM()
		VMOVDQU(Mem{Base: p, Disp: offOrder}, order)
	}
	start("requantizeAVX2", "requantizeAVX2 is requantizeBytes for n a positive multiple of 32.",
		"func(dst *byte, x *int32, n int, p *byte)", []string{"dst", "x"}, 32, func(p reg.Register) {
			common(p)
			bias = broadcast(p, offBias)
		}, func(ptr []reg.GPVirtual) {
			var q [4]reg.VecVirtual
			for i := range q {
				q[i] = YMM()
				VPADDD(Mem{Base: ptr[1], Disp: 32 * i}, bias, q[i])
				VCVTDQ2PS(q[i], q[i])
				VMULPS(scale, q[i], q[i])
				finish(q[i], lo, hi, zero)
			}
			packBytes(ptr[0], q, order, flipOut)
		}, []int{1, 4})
	start("quantizeAVX2", "quantizeAVX2 is quantizeBytes for n a positive multiple of 32.",
		"func(dst *byte, x *float32, n int, p *byte)", []string{"dst", "x"}, 32, common, func(ptr []reg.GPVirtual) {
			var q [4]reg.VecVirtual
			for i := range q {
				q[i] = YMM()
				VMOVUPS(Mem{Base: ptr[1], Disp: 32 * i}, q[i])
				VDIVPS(scale, q[i], q[i])
				finish(q[i], lo, hi, zero)
			}
			packBytes(ptr[0], q, order, flipOut)
		}, []int{1, 4})
	start("dequantizeAVX2", "dequantizeAVX2 is dequantizeBytes for n a positive multiple of 8.",
		"func(dst *float32, x *byte, n int, p *byte)", []string{"dst", "x"}, 8, func(p reg.Register) {
			scale, zero, flip = broadcast(p, offScale), broadcast(p, offZero), broadcast(p, offFlip)
		}, func(ptr []reg.GPVirtual) {
			v := widen(Mem{Base: ptr[1]}, flip, zero)
			VCVTDQ2PS(v, v)
			VMULPS(scale, v, v)
			VMOVUPS(v, Mem{Base: ptr[0]})
		}, []int{4, 1})
	start("addBytesAVX2", "addBytesAVX2 is addBytes for n a positive multiple of 32.",
		"func(dst, a, b *byte, n int, p *byte)", []string{"dst", "a", "b"}, 32, func(p reg.Register) {
			common(p)
			scaleB, bias, flip = broadcast(p, offScaleB), broadcast(p, offBias), broadcast(p, offFlip)
		}, func(ptr []reg.GPVirtual) {
			var q [4]reg.VecVirtual
			for i := range q {
				q[i] = widen(Mem{Base: ptr[1], Disp: 8 * i}, flip, zero)
				b := widen(Mem{Base: ptr[2], Disp: 8 * i}, flip, zero)
				VCVTDQ2PS(q[i], q[i])
				VCVTDQ2PS(b, b)
				VMULPS(scale, q[i], q[i])
				VADDPS(bias, q[i], q[i])
				VMULPS(scaleB, b, b)
				VADDPS(b, q[i], q[i])
				finish(q[i], lo, hi, zero)
			}
			packBytes(ptr[0], q, order, flipOut)
		}, []int{1, 1, 1})
	Generate()
}
