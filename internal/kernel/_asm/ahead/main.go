// Command ahead writes ahead_amd64.s, which asks memory for rows before they are needed, and ahead_stubs_amd64.go, its declaration.
//
//	go run ./ahead -out ../ahead_amd64.s -stubs ../ahead_stubs_amd64.go -pkg kernel
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

func main() {
	ConstraintExpr("!noasm")
	TEXT("prefetchRowsX86", NOSPLIT, "func(p uintptr, stride, rows, bytes int)")
	p, stride, rows, bytes := Load(Param("p"), GP64()), Load(Param("stride"), GP64()), Load(Param("rows"), GP64()),
		Load(Param("bytes"), GP64())
	at := GP64()
	TESTQ(rows, rows)
	JLE(LabelRef("done"))
	Label("row")
	XORQ(at, at)
	Label("line")
	PREFETCHT0(Mem{Base: p, Index: at, Scale: 1})
	ADDQ(Imm(64), at)
	CMPQ(at, bytes)
	JL(LabelRef("line"))
	ADDQ(stride, p)
	DECQ(rows)
	JNZ(LabelRef("row"))
	Label("done")
	RET()
	Generate()
}
