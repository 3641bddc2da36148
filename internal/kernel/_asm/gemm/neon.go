package main

import (
	"fmt"

	"github.com/gtk-onnx/gtk/internal/kernel/_asm/neon"
)

// General registers of the tiles of NEON. Rows of a general A have theirs from neonRow on.
const (
	neonTile = 0
	neonK    = 1
	neonRow  = 2 // also the address of a packed A
	neonB    = 15
	neonBRS  = 19
	neonACS  = 20
	neonFlag = 21
	neonC    = 22
	neonCRS  = 23
	neonAt   = 24
	neonStep = 25
)

// neonShapes are the tiles: vectors of four columns, most rows. There are 32 vectors: sums, a row of B, and a few of A.
var neonShapes = [][2]int{{1, 12}, {2, 12}, {3, 8}, {4, 6}}

// neonUnroll is how many steps of k the loop over packed operands takes at once.
const neonUnroll = 4

// neonSum is the register of vector j of row i of the sums of a tile of v vectors.
func neonSum(i, j, v int) int { return i*v + j }

// neonTileFunc writes the tile of r rows and v vectors; of packed operands with by-element products, where A lies as the tile reads it.
func neonTileFunc(f *neon.File, r, v int, packed bool) string {
	name := fmt.Sprintf("gemmTileNEON%dx%d", r, 4*v)
	if packed {
		name = fmt.Sprintf("gemmPackNEON%dx%d", r, 4*v)
	}
	w := f.Func(name, "(t *tile)", 8)
	free := r * v
	b := func(j int) int { return free + j }
	a := free + v // and those after it
	w.Line("MOVD t+0(FP), R%d", neonTile)
	w.Line("MOVD %d(R%d), R%d", offK, neonTile, neonK)
	w.Line("MOVD %d(R%d), R%d", offA, neonTile, neonRow)
	w.Line("MOVD %d(R%d), R%d", offB, neonTile, neonB)
	if !packed {
		w.Line("MOVD %d(R%d), R%d", offARS, neonTile, neonAt)
		w.Line("MOVD %d(R%d), R%d", offACS, neonTile, neonACS)
		w.Line("MOVD %d(R%d), R%d", offBRS, neonTile, neonBRS)
		for i := 1; i < r; i++ {
			w.Line("ADD R%d, R%d, R%d", neonAt, neonRow+i-1, neonRow+i)
		}
	}
	for i := range r * v {
		w.Line("VEOR V%d.B16, V%d.B16, V%d.B16", i, i, i)
	}
	if packed {
		w.Line("CMP $%d, R%d", neonUnroll, neonK)
		w.Line("BLT rest")
		w.Line("loop:")
		for u := range neonUnroll {
			neonPackedStep(w, r, v, u)
		}
		w.Line("ADD $%d, R%d", 4*r*neonUnroll, neonRow)
		w.Line("ADD $%d, R%d", 16*v*neonUnroll, neonB)
		w.Line("SUB $%d, R%d", neonUnroll, neonK)
		w.Line("CMP $%d, R%d", neonUnroll, neonK)
		w.Line("BGE loop")
	}
	w.Line("rest:")
	w.Line("CBZ R%d, sums", neonK)
	w.Line("one:")
	if packed {
		neonPackedStep(w, r, v, 0)
		w.Line("ADD $%d, R%d", 4*r, neonRow)
		w.Line("ADD $%d, R%d", 16*v, neonB)
	} else {
		for j := range v {
			w.Line("FMOVQ %d(R%d), F%d", 16*j, neonB, b(j))
		}
		w.Line("ADD R%d, R%d", neonBRS, neonB)
		several := min(32-a, 4)
		for i := range r {
			x := a + i%several
			w.Line("WORD $0x%08x // ld1r {v%d.4s}, [x%d], x%d", 0x4dc0c800|neonACS<<16|(neonRow+i)<<5|x, x, neonRow+i, neonACS)
			for j := range v {
				w.Line("VFMLA V%d.S4, V%d.S4, V%d.S4", x, b(j), neonSum(i, j, v))
			}
		}
	}
	w.Line("SUB $1, R%d", neonK)
	w.Line("CBNZ R%d, one", neonK)
	w.Line("sums:")
	neonEpilogue(w, r, v, free)
	w.End()
	return name
}

// neonPackedStep is step u of k in packed operands.
func neonPackedStep(w *neon.Func, r, v, u int) {
	free := r * v
	for j := range v {
		w.Line("FMOVQ %d(R%d), F%d", 16*(v*u+j), neonB, free+j)
	}
	at := 4 * r * u
	for i, x := 0, free+v; i < r; x++ {
		n := 1
		switch {
		case r-i >= 4:
			n = 4
			w.Line("FMOVQ %d(R%d), F%d", at+4*i, neonRow, x)
		case r-i >= 2:
			n = 2
			w.Line("FMOVD %d(R%d), F%d", at+4*i, neonRow, x)
		default:
			w.Line("FMOVS %d(R%d), F%d", at+4*i, neonRow, x)
		}
		for e := range n {
			for j := range v {
				d := neonSum(i+e, j, v)
				w.Line("WORD $0x%08x // fmla v%d.4s, v%d.4s, v%d.s[%d]", 0x4f801000|e&1<<21|x<<16|e>>1<<11|(free+j)<<5|d, d, free+j, x, e)
			}
		}
		i += n
	}
}

// neonEpilogue adds what the flags say to the sums, and stores them; vectors from free on are scratch.
func neonEpilogue(w *neon.Func, r, v, free int) {
	w.Line("MOVD %d(R%d), R%d", offFlags, neonTile, neonFlag)
	w.Line("MOVD %d(R%d), R%d", offC, neonTile, neonC)
	w.Line("MOVD %d(R%d), R%d", offCRS, neonTile, neonCRS)
	add := func(d, s int) {
		w.Line("WORD $0x%08x // fadd v%d.4s, v%d.4s, v%d.4s", 0x4e20d400|s<<16|d<<5|d, d, d, s)
	}
	when := func(bit int, label string, body func()) {
		w.Line("TBZ $%d, R%d, %s", bit, neonFlag, label)
		body()
		w.Line("%s:", label)
	}
	matrix := func(from, step string) { // adds a matrix whose address and distance of rows are loaded
		w.Line("%s", from)
		w.Line("%s", step)
		for i := range r {
			for j := range v {
				w.Line("FMOVQ %d(R%d), F%d", 16*j, neonAt, free+j)
			}
			w.Line("ADD R%d, R%d", neonStep, neonAt)
			for j := range v {
				add(neonSum(i, j, v), free+j)
			}
		}
	}
	when(0, "noAcc", func() {
		matrix(fmt.Sprintf("MOVD R%d, R%d", neonC, neonAt), fmt.Sprintf("MOVD R%d, R%d", neonCRS, neonStep))
	})
	when(1, "noRows", func() {
		w.Line("MOVD %d(R%d), R%d", offRowBias, neonTile, neonAt)
		for i := range r {
			w.Line("WORD $0x%08x // ld1r {v%d.4s}, [x%d], #4", 0x4ddfc800|neonAt<<5|free, free, neonAt)
			for j := range v {
				add(neonSum(i, j, v), free)
			}
		}
	})
	when(2, "noColumns", func() {
		w.Line("MOVD %d(R%d), R%d", offColBias, neonTile, neonAt)
		for j := range v {
			w.Line("FMOVQ %d(R%d), F%d", 16*j, neonAt, free+j)
		}
		for i := range r {
			for j := range v {
				add(neonSum(i, j, v), free+j)
			}
		}
	})
	when(3, "noAdd", func() {
		matrix(fmt.Sprintf("MOVD %d(R%d), R%d", offAdd, neonTile, neonAt), fmt.Sprintf("MOVD %d(R%d), R%d", offAddRS, neonTile, neonStep))
	})
	when(4, "noClip", func() {
		for k, op := range []uint32{0x4e20f400, 0x4ea0f400} { // fmax, fmin: a NaN stays
			x := free + k
			w.Line("FMOVS %d(R%d), F%d", offLo+4*k, neonTile, x)
			w.Line("VDUP V%d.S[0], V%d.S4", x, x)
			for d := range r * v {
				w.Line("WORD $0x%08x // %s v%d.4s, v%d.4s, v%d.4s", op|uint32(x<<16|d<<5|d), [2]string{"fmax", "fmin"}[k], d, d, x)
			}
		}
	})
	for i := range r {
		for j := range v {
			w.Line("FMOVQ F%d, %d(R%d)", neonSum(i, j, v), 16*j, neonC)
		}
		w.Line("ADD R%d, R%d", neonCRS, neonC)
	}
	w.Line("RET")
}

// neonDots writes dot products of rows of a matrix with one vector.
func neonDots(f *neon.File) {
	w := f.Func("dotRowsNEONs", "(k int, x, mat *float32, ld, rows int, out *float32)", 48)
	for i, n := range []string{"k", "x", "mat", "ld", "rows", "out"} {
		w.Line("MOVD %s+%d(FP), R%d", n, 8*i, i)
	}
	w.Line("LSL $2, R3")
	w.Line("row:")
	w.Line("MOVD R0, R6")
	w.Line("MOVD R1, R7")
	w.Line("MOVD R2, R8")
	for i := range 4 {
		w.Line("VEOR V%d.B16, V%d.B16, V%d.B16", i, i, i)
	}
	part := func(label, next string, n int) {
		w.Line("%s:", label)
		w.Line("CMP $%d, R6", 4*n)
		w.Line("BLT %s", next)
		for i := range n {
			w.Line("FMOVQ %d(R7), F%d", 16*i, 4+i)
			w.Line("FMOVQ %d(R8), F%d", 16*i, 8+i)
		}
		for i := range n {
			w.Line("VFMLA V%d.S4, V%d.S4, V%d.S4", 4+i, 8+i, i)
		}
		w.Line("ADD $%d, R7", 16*n)
		w.Line("ADD $%d, R8", 16*n)
		w.Line("SUB $%d, R6", 4*n)
		w.Line("B %s", label)
	}
	part("four", "single", 4)
	part("single", "tail", 1)
	w.Line("tail:")
	w.Line("CBZ R6, done")
	w.Line("FMOVS (R7), F4")
	w.Line("FMOVS (R8), F8")
	w.Line("VFMLA V4.S4, V8.S4, V1.S4") // the upper lanes are zero
	w.Line("ADD $4, R7")
	w.Line("ADD $4, R8")
	w.Line("SUB $1, R6")
	w.Line("B tail")
	w.Line("done:")
	for _, p := range [][2]int{{0, 1}, {2, 3}, {0, 2}} {
		w.Line("WORD $0x%08x // fadd v%d.4s, v%d.4s, v%d.4s", 0x4e20d400|p[1]<<16|p[0]<<5|p[0], p[0], p[0], p[1])
	}
	w.Line("WORD $0x6e20d400 // faddp v0.4s, v0.4s, v0.4s")
	w.Line("WORD $0x7e30d800 // faddp s0, v0.2s")
	w.Line("FMOVS F0, (R5)")
	w.Line("ADD $4, R5")
	w.Line("ADD R3, R2")
	w.Line("SUB $1, R4")
	w.Line("CBNZ R4, row")
	w.Line("RET")
	w.End()
}

func writeNEON(asm, decl string) error {
	f := &neon.File{}
	tiles := "\n// gemmTilesNEON[v-1][r-1] is the kernel of a tile of r rows and v vectors of 4 columns.\nvar gemmTilesNEON = " +
		"[][]func(*tile){\n"
	packs := "\n// gemmPackNEON[r-1] is the kernel of a tile of r rows and 2 vectors of 4 columns of packed operands.\nvar gemmPackNEON = " +
		"[]func(*tile){\n"
	for _, s := range neonShapes {
		tiles += "{"
		for r := 1; r <= s[1]; r++ {
			tiles += neonTileFunc(f, r, s[0], false) + ",\n"
		}
		tiles += "},\n"
	}
	for r := 1; r <= neonShapes[1][1]; r++ {
		packs += neonTileFunc(f, r, 2, true) + ",\n"
	}
	neonDots(f)
	f.Declare("%s}\n%s}", tiles, packs)
	return f.Write(asm, decl, "_asm/gemm -neon")
}
