// Command limit writes limit_amd64.s: loops of fused multiply-adds that touch registers only, one per instruction set. How fast they run is
// how fast one thread can multiply and add.
//
//	go run ./limit -out ../limit_amd64.s -stubs ../limit_stubs_amd64.go -pkg kernel
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// loop is a function of n rounds of one multiply-add into each of the registers acc, all of which are independent: more of them than a
// processor has multiply-adds on the way.
func loop(name string, one reg.Register, acc []reg.VecPhysical) {
	TEXT(name, NOSPLIT, "func(n int, one *float32)")
	Doc(fmt.Sprintf("%s does n rounds, at least one, of %d multiply-adds of vectors of *one.", name, len(acc)))
	Pragma("noescape")
	n, p := GP64(), GP64()
	Load(Param("n"), n)
	Load(Param("one"), p)
	VBROADCASTSS(Mem{Base: p}, one)
	for _, a := range acc {
		VBROADCASTSS(Mem{Base: p}, a)
	}
	Label("round")
	for _, a := range acc {
		VFMADD231PS(one, one, a)
	}
	DECQ(n)
	JNZ(LabelRef("round"))
	VZEROUPPER()
	RET()
}

func main() {
	ConstraintExpr("!noasm")
	loop("fma2", reg.Y15, []reg.VecPhysical{reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7, reg.Y8, reg.Y9, reg.Y10, reg.Y11})
	loop("fma512", reg.Z31, []reg.VecPhysical{reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7, reg.Z8, reg.Z9, reg.Z10, reg.Z11,
		reg.Z12, reg.Z13, reg.Z14, reg.Z15, reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23})
	Generate()
}
