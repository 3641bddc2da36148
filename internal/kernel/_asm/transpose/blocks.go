// Package transpose writes the transposition of blocks that are in registers.
package transpose

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Block16 transposes the 16 × 16 block of z0 to z15, with the others free.
func Block16(z []reg.VecPhysical) {
	r, t := z[:16], z[16:]
	for i := range 8 {
		VUNPCKLPS(r[2*i+1], r[2*i], t[2*i])
		VUNPCKHPS(r[2*i+1], r[2*i], t[2*i+1])
	}
	for i := 0; i < 16; i += 4 {
		VUNPCKLPD(t[i+2], t[i], r[i])
		VUNPCKHPD(t[i+2], t[i], r[i+1])
		VUNPCKLPD(t[i+3], t[i+1], r[i+2])
		VUNPCKHPD(t[i+3], t[i+1], r[i+3])
	}
	for c := range 4 {
		VSHUFF32X4(U8(0x88), r[4+c], r[c], t[c])
		VSHUFF32X4(U8(0xdd), r[4+c], r[c], t[4+c])
		VSHUFF32X4(U8(0x88), r[12+c], r[8+c], t[8+c])
		VSHUFF32X4(U8(0xdd), r[12+c], r[8+c], t[12+c])
	}
	for c := range 4 {
		VSHUFF32X4(U8(0x88), t[8+c], t[c], r[c])
		VSHUFF32X4(U8(0xdd), t[8+c], t[c], r[8+c])
		VSHUFF32X4(U8(0x88), t[12+c], t[4+c], r[4+c])
		VSHUFF32X4(U8(0xdd), t[12+c], t[4+c], r[12+c])
	}
}

// Block8 transposes the 8 × 8 block of y0 to y7, with y8 to y15 free.
func Block8(y []reg.VecPhysical) {
	r, t := y[:8], y[8:16]
	for i := range 4 {
		VUNPCKLPS(r[2*i+1], r[2*i], t[2*i])
		VUNPCKHPS(r[2*i+1], r[2*i], t[2*i+1])
	}
	for i := 0; i < 8; i += 4 {
		VUNPCKLPD(t[i+2], t[i], r[i])
		VUNPCKHPD(t[i+2], t[i], r[i+1])
		VUNPCKLPD(t[i+3], t[i+1], r[i+2])
		VUNPCKHPD(t[i+3], t[i+1], r[i+3])
	}
	for c := range 4 {
		VPERM2F128(U8(0x20), r[4+c], r[c], t[c])
		VPERM2F128(U8(0x31), r[4+c], r[c], t[4+c])
	}
	for c := range 8 {
		VMOVAPS(t[c], r[c])
	}
}
