package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Byte offsets of the fields of the Go type rowTaps.
const (
	rtRows, rtN, rtSrc, rtSrcRow, rtDst, rtDstRow = 0, 8, 16, 24, 32, 40
	rtTaps, rtOff, rtW, rtAdd, rtFlags            = 48, 56, 64, 72, 80
	rtBias, rtLo, rtHi, rtSums                    = 88, 92, 96, 100
	flagAdd, flagClip                             = 8, 16
)

func (i isa) tapRows() {
	function("tapRows"+i.name, "(a *rowTaps)")
	params("a")
	a := param("a", reg.RDI)
	most := 4
	bytes := 4 * i.lanes
	rows, src, dst, add := reg.R8, reg.R9, reg.R10, reg.R11
	MOVQ(at(a, rtRows), rows)
	MOVQ(at(a, rtSrc), src)
	MOVQ(at(a, rtDst), dst)
	MOVQ(at(a, rtAdd), add)
	off, w := reg.R12, reg.R13
	MOVQ(at(a, rtOff), off)
	MOVQ(at(a, rtW), w)
	bias, weight, tmp := i.vec[8], i.vec[9], i.vec[10]
	VBROADCASTSS(at(a, rtBias), bias)
	n, j := reg.RCX, reg.RSI // elements left, byte position
	MOVQ(at(a, rtN), n)
	CMPQ(n, Imm(uint64(i.lanes)))
	JLE(LabelRef("narrow"))
	Label("row")
	TESTQ(rows, rows)
	JLE(LabelRef("done"))
	MOVQ(at(a, rtN), n)
	XORQ(j, j)
	Label("chunk")
	for nv := most; nv >= 1; nv-- {
		name := fmt.Sprintf("v%d", nv)
		if nv > 1 {
			CMPQ(n, Imm(uint64((nv-1)*i.lanes)))
			JLE(LabelRef(fmt.Sprintf("v%d", nv-1)))
		}
		c := reg.RDX // lanes of the last vector
		MOVQ(n, c)
		if nv > 1 {
			SUBQ(Imm(uint64((nv-1)*i.lanes)), c)
		}
		MOVQ(U32(uint32(i.lanes)), reg.RAX)
		CMPQ(c, reg.RAX)
		CMOVQGT(reg.RAX, c)
		i.tailMask(c, reg.RAX)
		for v := range nv {
			VMOVAPS(bias, i.vec[v])
		}
		t, p := reg.RBX, reg.RAX
		XORQ(t, t)
		Label(name + "_taps")
		CMPQ(t, at(a, rtTaps))
		JGE(LabelRef(name + "_end"))
		MOVQ(indexed(off, t, 8, 0), p)
		ADDQ(src, p)
		VBROADCASTSS(indexed(w, t, 4, 0), weight)
		for v := range nv {
			i.fma(indexed(p, j, 1, v*bytes), weight, i.vec[v], tmp, v == nv-1)
		}
		INCQ(t)
		JMP(LabelRef(name + "_taps"))
		Label(name + "_end")
		MOVQ(at(a, rtFlags), p)
		TESTQ(U32(flagAdd), p)
		JZ(LabelRef(name + "_noadd"))
		for v := range nv {
			i.load(indexed(add, j, 1, v*bytes), tmp, v == nv-1)
			VADDPS(tmp, i.vec[v], i.vec[v])
		}
		Label(name + "_noadd")
		TESTQ(U32(flagClip), p)
		JZ(LabelRef(name + "_noclip"))
		VBROADCASTSS(at(a, rtLo), tmp)
		for v := range nv {
			VMAXPS(i.vec[v], tmp, i.vec[v])
		}
		VBROADCASTSS(at(a, rtHi), tmp)
		for v := range nv {
			VMINPS(i.vec[v], tmp, i.vec[v])
		}
		Label(name + "_noclip")
		for v := range nv {
			m := indexed(dst, j, 1, v*bytes)
			switch {
			case v < nv-1:
				VMOVUPS(i.vec[v], m)
			case i.lanes == 16:
				VMOVUPS(i.vec[v], reg.K1, m)
			default:
				CMPQ(c, Imm(8))
				JLT(LabelRef(name + "_part"))
				VMOVUPS(i.vec[v], m)
				JMP(LabelRef(name + "_stored"))
				Label(name + "_part")
				VMASKMOVPS(i.vec[v], y[15], m)
				Label(name + "_stored")
			}
		}
		if nv == most {
			SUBQ(U32(uint32(nv*i.lanes)), n)
			JLE(LabelRef("next"))
			ADDQ(U32(uint32(nv*bytes)), j)
			JMP(LabelRef("chunk"))
		} else {
			JMP(LabelRef("next"))
		}
		if nv > 1 {
			Label(fmt.Sprintf("v%d", nv-1))
		}
	}
	Label("next")
	ADDQ(at(a, rtSrcRow), src)
	ADDQ(at(a, rtDstRow), dst)
	ADDQ(at(a, rtDstRow), add)
	DECQ(rows)
	JMP(LabelRef("row"))
	i.narrowRows(func() { Label("done") })
}

// narrowRows is the part of tapRows for rows of one vector: several rows at a time.
func (i isa) narrowRows(done func()) {
	a, rows, src, dst, add, off, w := reg.RDI, reg.R8, reg.R9, reg.R10, reg.R11, reg.R12, reg.R13
	bias, weight, tmp := i.vec[8], i.vec[9], i.vec[10]
	n, stride, t, p, p3 := reg.RCX, reg.RSI, reg.RBX, reg.RAX, reg.RDX
	Label("narrow")
	i.tailMask(n, reg.RAX)
	most := []int{7, 4, 2, 1}
	for b, r := range most {
		name := fmt.Sprintf("n%d", r)
		next := "done"
		if b+1 < len(most) {
			next = fmt.Sprintf("n%d", most[b+1])
		}
		// each calls f with the address of every row of the block at p with the stride in a register.
		each := func(f func(row int, m Mem)) {
			for row := range r {
				base := p
				if row >= 3 {
					base = p3
				}
				if row == 3 {
					LEAQ(indexed(stride, stride, 2, 0), p3)
					ADDQ(p, p3)
				}
				if row == 6 {
					LEAQ(indexed(p3, stride, 1, 0), p3)
					f(row, indexed(p3, stride, 2, 0))
					continue
				}
				m := at(base, 0)
				if row%3 > 0 {
					m = indexed(base, stride, uint8(row%3), 0)
				}
				f(row, m)
			}
		}
		advance := func(x reg.GPPhysical) {
			for m, k := r, 0; m > 0; m, k = m>>1, k+1 {
				if m&1 == 1 {
					LEAQ(indexed(x, stride, uint8(min(8, 1<<k)), 0), x)
				}
			}
		}
		Label(name)
		CMPQ(rows, Imm(uint64(r)))
		JLT(LabelRef(next))
		for v := range r {
			VMOVAPS(bias, i.vec[v])
		}
		MOVQ(at(a, rtSrcRow), stride)
		XORQ(t, t)
		Label(name + "_taps")
		CMPQ(t, at(a, rtTaps))
		JGE(LabelRef(name + "_end"))
		MOVQ(indexed(off, t, 8, 0), p)
		ADDQ(src, p)
		VBROADCASTSS(indexed(w, t, 4, 0), weight)
		each(func(row int, m Mem) { i.fma(m, weight, i.vec[row], tmp, true) })
		INCQ(t)
		JMP(LabelRef(name + "_taps"))
		Label(name + "_end")
		advance(src)
		MOVQ(at(a, rtDstRow), stride)
		MOVQ(at(a, rtFlags), t)
		TESTQ(U32(flagAdd), t)
		JZ(LabelRef(name + "_noadd"))
		MOVQ(add, p)
		each(func(row int, m Mem) {
			i.load(m, tmp, true)
			VADDPS(tmp, i.vec[row], i.vec[row])
		})
		Label(name + "_noadd")
		TESTQ(U32(flagClip), t)
		JZ(LabelRef(name + "_noclip"))
		VBROADCASTSS(at(a, rtLo), tmp)
		for v := range r {
			VMAXPS(i.vec[v], tmp, i.vec[v])
		}
		VBROADCASTSS(at(a, rtHi), tmp)
		for v := range r {
			VMINPS(i.vec[v], tmp, i.vec[v])
		}
		Label(name + "_noclip")
		MOVQ(dst, p)
		each(func(row int, m Mem) {
			if i.lanes == 16 {
				VMOVUPS(i.vec[row], reg.K1, m)
			} else {
				VMASKMOVPS(i.vec[row], y[15], m)
			}
		})
		advance(dst)
		advance(add)
		SUBQ(Imm(uint64(r)), rows)
		JMP(LabelRef(name))
	}
	done()
	VZEROUPPER()
	RET()
}

func (i isa) tapDots(taps int) {
	function(fmt.Sprintf("tapDots%sx%d", i.name, taps), "(a *rowTaps)")
	params("a")
	a := param("a", reg.RDI)
	bytes := 4 * i.lanes
	rows, src, dst := reg.R8, reg.R9, reg.R10
	MOVQ(at(a, rtRows), rows)
	MOVQ(at(a, rtSrc), src)
	MOVQ(at(a, rtDst), dst)
	off := reg.R12
	MOVQ(at(a, rtOff), off)
	acc := i.vec[:taps]
	dy, tmp := i.vec[12], i.vec[13]
	for _, v := range acc {
		i.zero(v)
	}
	// The pointers of the first taps live in registers.
	kept := []reg.GPPhysical{reg.RBX, reg.RDX, reg.R11, reg.R13, reg.R15}
	Label("row")
	TESTQ(rows, rows)
	JLE(LabelRef("sum"))
	n, j := reg.RCX, reg.RSI
	MOVQ(at(a, rtN), n)
	XORQ(j, j)
	for t := range min(taps, len(kept)) {
		MOVQ(at(off, 8*t), kept[t])
		ADDQ(src, kept[t])
	}
	step := func(masked bool) {
		i.load(indexed(dst, j, 1, 0), dy, masked)
		for t := range taps {
			p := reg.Register(reg.RAX)
			if t < len(kept) {
				p = kept[t]
			} else {
				MOVQ(at(off, 8*t), reg.RAX)
				ADDQ(src, reg.RAX)
			}
			i.fma(indexed(p, j, 1, 0), dy, acc[t], tmp, masked)
		}
	}
	Label("full")
	CMPQ(n, Imm(uint64(i.lanes)))
	JLT(LabelRef("tail"))
	step(false)
	ADDQ(Imm(uint64(bytes)), j)
	SUBQ(Imm(uint64(i.lanes)), n)
	JMP(LabelRef("full"))
	Label("tail")
	TESTQ(n, n)
	JLE(LabelRef("next"))
	i.tailMask(n, reg.RAX)
	step(true)
	Label("next")
	ADDQ(at(a, rtSrcRow), src)
	ADDQ(at(a, rtDstRow), dst)
	DECQ(rows)
	JMP(LabelRef("row"))
	Label("sum")
	for t := range taps {
		i.total(t, 14)
		VADDSS(at(a, rtSums+4*t), x[t], x[t])
		VMOVSS(x[t], at(a, rtSums+4*t))
	}
	VZEROUPPER()
	RET()
}
