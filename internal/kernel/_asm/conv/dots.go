package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func (i isa) dotRows() {
	function("dotRows"+i.name, "(k int, x *float32, mat *float32, ld int, n int, out *float32)")
	params("k", "x", "mat", "ld", "n", "out")
	mat, ld, n, out := param("mat", reg.RSI), param("ld", reg.RDX), param("n", reg.R9), param("out", reg.RDI)
	SHLQ(Imm(2), ld)
	bytes := 4 * i.lanes
	part := func(rows int, name string) {
		xp, k := param("x", reg.R8), param("k", reg.RCX)
		p := []reg.GPPhysical{reg.R10, reg.R11, reg.R12, reg.R13}[:rows]
		MOVQ(mat, p[0])
		for r := 1; r < rows; r++ {
			LEAQ(indexed(p[r-1], ld, 1, 0), p[r])
		}
		for r := range 2 * rows {
			i.zero(i.vec[r])
		}
		step := func(u int, masked bool) {
			v := i.vec[8+u]
			i.load(at(xp, u*bytes), v, masked)
			for r := range rows {
				i.fma(at(p[r], u*bytes), v, i.vec[2*r+u], i.vec[10], masked)
			}
		}
		advance := func(vecs int) {
			ADDQ(U32(uint32(vecs*bytes)), xp)
			for r := range rows {
				ADDQ(U32(uint32(vecs*bytes)), p[r])
			}
			SUBQ(U32(uint32(vecs*i.lanes)), k)
		}
		Label(name + "_two")
		CMPQ(k, Imm(uint64(2*i.lanes)))
		JLT(LabelRef(name + "_one"))
		step(0, false)
		step(1, false)
		advance(2)
		JMP(LabelRef(name + "_two"))
		Label(name + "_one")
		CMPQ(k, Imm(uint64(i.lanes)))
		JLT(LabelRef(name + "_tail"))
		step(0, false)
		advance(1)
		JMP(LabelRef(name + "_one"))
		Label(name + "_tail")
		TESTQ(k, k)
		JLE(LabelRef(name + "_sum"))
		i.tailMask(k, reg.RAX)
		step(0, true)
		Label(name + "_sum")
		for r := range rows {
			VADDPS(i.vec[2*r+1], i.vec[2*r], i.vec[2*r])
			i.total(2*r, 2*r+1)
			VMOVSS(x[2*r], at(out, 4*r))
		}
		ADDQ(Imm(uint64(4*rows)), out)
	}
	Label("rows")
	CMPQ(n, Imm(4))
	JLT(LabelRef("single"))
	part(4, "four")
	LEAQ(indexed(mat, ld, 4, 0), mat)
	SUBQ(Imm(4), n)
	JMP(LabelRef("rows"))
	Label("single")
	TESTQ(n, n)
	JLE(LabelRef("done"))
	part(1, "one")
	ADDQ(ld, mat)
	DECQ(n)
	JMP(LabelRef("single"))
	Label("done")
	VZEROUPPER()
	RET()
}

// Byte offsets of the fields of the Go type dotTile.
const (
	dtImages, dtRuns, dtN, dtDY, dtDYRow, dtDYImage = 0, 8, 16, 24, 32, 40
	dtX, dtXRun, dtXImage, dtOff, dtSums            = 48, 56, 64, 72, 80
)

// dotTile sums products along positions: rows of dy against taps of x.
func dotTile(rows, taps int) {
	function(fmt.Sprintf("dotTile512x%dx%d", rows, taps), "(a *dotTile)")
	params("a")
	i := isa{"512", 16, z}
	a := param("a", reg.RDI)
	dy := []reg.GPPhysical{reg.R8, reg.R9}[:(rows+2)/3]
	dyRow := reg.R10
	xp := []reg.GPPhysical{reg.R11, reg.R12, reg.R13, reg.R15}[:taps]
	n, runs, images := reg.RCX, reg.RBX, reg.RDX
	acc := func(r, t int) reg.VecPhysical { return z[r*taps+t] }
	xv, dv := z[24:24+taps], z[28]
	MOVQ(at(a, dtDYRow), dyRow)
	MOVQ(at(a, dtDY), dy[0])
	if len(dy) > 1 {
		LEAQ(indexed(dyRow, dyRow, 2, 0), dy[1])
		ADDQ(dy[0], dy[1])
	}
	MOVQ(at(a, dtOff), reg.RAX)
	for t := range taps {
		MOVQ(at(reg.RAX, 8*t), xp[t])
		ADDQ(at(a, dtX), xp[t])
	}
	for r := range rows {
		for t := range taps {
			i.zero(acc(r, t))
		}
	}
	all := append(append([]reg.GPPhysical{}, dy...), xp...)
	step := func(masked bool) {
		for t := range taps {
			i.load(at(xp[t], 0), xv[t], masked)
		}
		for r := range rows {
			m := at(dy[r/3], 0)
			if r%3 > 0 {
				m = indexed(dy[r/3], dyRow, uint8(r%3), 0)
			}
			i.load(m, dv, masked)
			for t := range taps {
				VFMADD231PS(xv[t], dv, acc(r, t))
			}
		}
	}
	MOVQ(at(a, dtImages), images)
	Label("image")
	MOVQ(at(a, dtRuns), runs)
	Label("run")
	MOVQ(at(a, dtN), n)
	Label("full")
	CMPQ(n, Imm(16))
	JLT(LabelRef("tail"))
	step(false)
	for _, p := range all {
		ADDQ(Imm(64), p)
	}
	SUBQ(Imm(16), n)
	JMP(LabelRef("full"))
	Label("tail")
	TESTQ(n, n)
	JLE(LabelRef("next"))
	i.tailMask(n, reg.RAX)
	step(true)
	for _, p := range all {
		LEAQ(indexed(p, n, 4, 0), p)
	}
	Label("next")
	for _, p := range xp {
		ADDQ(at(a, dtXRun), p)
	}
	DECQ(runs)
	JNZ(LabelRef("run"))
	for _, p := range dy {
		ADDQ(at(a, dtDYImage), p)
	}
	for _, p := range xp {
		ADDQ(at(a, dtXImage), p)
	}
	DECQ(images)
	JNZ(LabelRef("image"))
	// Lanes are summed in registers 13 and 14, which VEX instructions reach; their own sums step aside.
	if rows*taps > 13 {
		VMOVAPS(z[13], z[29])
		VMOVAPS(z[14], z[30])
	}
	for s := range rows * taps {
		from := z[s]
		if s == 13 || s == 14 {
			from = z[s+16]
		}
		VMOVAPS(from, z[13])
		i.total(13, 14)
		VMOVSS(x[13], at(a, dtSums+4*s))
	}
	VZEROUPPER()
	RET()
}
