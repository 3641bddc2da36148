// Command depth writes depth_amd64.s, depthwise convolutions of 3×3 without copies of their input, and depth_stubs_amd64.go, their
// declarations.
//
//	go run ./depth -out ../depth_amd64.s -decl ../depth_stubs_amd64.go
package main

import (
	"flag"
	"fmt"
	"go/format"
	"os"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Byte offsets of the fields of the Go type depthPlanes.
const (
	dpPlanes, dpRows, dpSrc, dpSrcRow, dpSrcStep = 0, 8, 16, 24, 32
	dpDst, dpDstRow, dpDstStep, dpW, dpBias      = 40, 48, 56, 64, 72
	dpZero, dpTiles, dpNTiles, dpTop, dpBottom   = 80, 88, 96, 104, 112
	dpLeft, dpExact, dpLo, dpHi, dpSums          = 120, 128, 136, 140, 144
	dpBiasStep, dpAt                             = 184, 192
	atSrc, atDst, atBias, atW                    = dpAt, dpAt + 8, dpAt + 16, dpAt + 24
)

// Byte offsets of the fields of the Go type depthTile, and its size. Masks are those of the loads; the last one is that of outputs.
const (
	dtSrc, dtDst, dtMasked, dtBits, dtLanes, dtSize = 0, 8, 16, 24, 40, 232
	ofOutputs                                       = 5
)

type isa struct {
	name  string
	lanes int
}

func (i isa) vec() reg.VecVirtual {
	if i.lanes == 16 {
		return ZMM()
	}
	return YMM()
}

var decls strings.Builder

// kernel is a function in work and the registers that its loops share.
type kernel struct {
	isa
	stride                  int
	a                       reg.Register
	at, top, bottom, dst    reg.GPVirtual
	row, tile, tiles, place reg.GPVirtual
	masks                   [6]reg.Register // AVX-512
	lo, hi, order, order2   reg.VecVirtual
}

func field(a reg.Register, disp int) Mem { return Mem{Base: a, Disp: disp} }

func (k *kernel) load(disp int) reg.GPVirtual {
	r := GP64()
	MOVQ(field(k.a, disp), r)
	return r
}

func (i isa) begin(name string, stride int) *kernel {
	name = fmt.Sprintf("%s%d%s", name, stride, i.name)
	fmt.Fprintf(&decls, "\n//go:noescape\nfunc %s(a *depthPlanes)\n", name)
	TEXT(name, NOSPLIT, "func(a *byte)")
	k := &kernel{isa: i, stride: stride}
	k.a = Load(Param("a"), GP64())
	k.at, k.top, k.bottom, k.dst = GP64(), GP64(), GP64(), GP64()
	k.row, k.tile, k.tiles, k.place = GP64(), GP64(), GP64(), GP64()
	for _, f := range [][2]int{{dpSrc, atSrc}, {dpDst, atDst}, {dpBias, atBias}, {dpW, atW}} {
		MOVQ(k.load(f[0]), field(k.a, f[1]))
	}
	return k
}

func (k *kernel) table(name string) reg.VecVirtual {
	v := k.vec()
	VMOVUPS(NewDataAddr(Symbol{Name: name, Static: true}, 0), v)
	return v
}

// planes writes the loop over planes, in it the loop over blocks of output rows, and in that the loop over tiles; body does a block of the
// given number of rows of the tile, whose input rows begin at the addresses in rows.
func (k *kernel) planes(blocks []int, inputRows func(r int) int, plane func(), body func(r int, rows []reg.GPVirtual)) {
	Label("plane")
	plane()
	src := k.load(atSrc)
	MOVQ(src, k.at)
	MOVQ(src, k.top)
	none := k.load(dpTop)
	TESTQ(none, none)
	JZ(LabelRef("begin"))
	SUBQ(field(k.a, dpSrcRow), k.at)
	MOVQ(field(k.a, dpZero), k.top)
	Label("begin")
	MOVQ(field(k.a, atDst), k.dst)
	MOVQ(field(k.a, dpRows), k.row)
	for b, r := range blocks {
		name := fmt.Sprintf("b%d", r)
		next := "planeEnd"
		if b+1 < len(blocks) {
			next = fmt.Sprintf("b%d", blocks[b+1])
		}
		Label(name)
		CMPQ(k.row, U32(uint32(r)))
		JL(LabelRef(next))
		n := inputRows(r)
		rows := []reg.GPVirtual{k.top}
		step := k.load(dpSrcRow)
		last := k.at
		for range n - 2 {
			p := GP64()
			LEAQ(Mem{Base: last, Index: step, Scale: 1}, p)
			rows, last = append(rows, p), p
		}
		LEAQ(Mem{Base: last, Index: step, Scale: 1}, k.bottom)
		rows = append(rows, k.bottom)
		CMPQ(k.row, U32(uint32(r)))
		JNE(LabelRef(name + "in"))
		CMPQ(field(k.a, dpBottom), U32(0))
		JE(LabelRef(name + "in"))
		MOVQ(field(k.a, dpZero), k.bottom)
		Label(name + "in")
		MOVQ(field(k.a, dpTiles), k.tile)
		MOVQ(field(k.a, dpNTiles), k.tiles)
		Label(name + "tile")
		MOVQ(field(k.tile, dtSrc), k.place)
		if k.lanes == 16 {
			for m := range k.masks {
				k.masks[m] = K()
				KMOVW(field(k.tile, dtBits+2*m), k.masks[m])
			}
		}
		body(r, rows)
		ADDQ(U32(dtSize), k.tile)
		DECQ(k.tiles)
		JNZ(LabelRef(name + "tile"))
		step = k.load(dpSrcRow)
		for range r * k.stride {
			ADDQ(step, k.at)
		}
		MOVQ(k.at, k.top)
		step = k.load(dpDstRow)
		for range r {
			ADDQ(step, k.dst)
		}
		SUBQ(U32(uint32(r)), k.row)
		SUBQ(U32(uint32(r)), field(k.a, dpLeft))
		JMP(LabelRef(name))
	}
	Label("planeEnd")
	k.nextPlane()
	DECQ(field(k.a, dpPlanes))
	JNZ(LabelRef("plane"))
}

func (k *kernel) nextPlane() {
	for _, f := range [][2]int{{atSrc, dpSrcStep}, {atDst, dpDstStep}, {atBias, dpBiasStep}} {
		step := k.load(f[1])
		ADDQ(step, field(k.a, f[0]))
	}
}

// elements is vector v of the elements of a row from disp floats on, of those that mask m has where masked.
func (k *kernel) elements(row reg.GPVirtual, disp, m int, masked bool) reg.VecVirtual {
	v, at := k.vec(), Mem{Base: row, Index: k.place, Scale: 1, Disp: 4 * disp}
	k.loadTo(at, m, masked, v)
	return v
}

func (k *kernel) loadTo(at Mem, m int, masked bool, v reg.VecVirtual) {
	switch {
	case !masked:
		VMOVUPS(at, v)
	case k.lanes == 16:
		VMOVUPS_Z(at, k.masks[m], v)
	default:
		VMOVUPS(field(k.tile, dtLanes+32*m), v)
		VMASKMOVPS(at, v, v)
	}
}

// taps calls f with the three vectors that the columns of a window see in a row; with stride 2 in the order of shuffled pairs.
func (k *kernel) taps(row reg.GPVirtual, masked bool, f func(kx int, x reg.VecVirtual)) {
	if k.stride == 1 {
		for kx := range 3 {
			f(kx, k.elements(row, kx, kx, masked))
		}
		return
	}
	a, b, e := k.elements(row, 0, 0, masked), k.elements(row, k.lanes, 1, masked), k.vec()
	VSHUFPS(U8(0x88), b, a, e)
	f(0, e)
	e = k.vec()
	VSHUFPS(U8(0xdd), b, a, e)
	f(1, e)
	a, b, e = k.elements(row, 2, 2, masked), k.elements(row, k.lanes+2, 3, masked), k.vec()
	VSHUFPS(U8(0x88), b, a, e)
	f(2, e)
}

// prefetch asks for what comes a page after input row y of a block of r rows, but for the rows that the next block sees too.
func (k *kernel) prefetch(row reg.GPVirtual, y, r int) {
	if y >= r*k.stride {
		return
	}
	for at := 0; at < 4*k.lanes*k.stride; at += 64 {
		PREFETCHT0(Mem{Base: row, Index: k.place, Scale: 1, Disp: 4096 + at})
	}
}

// both writes f for tiles without and with masks.
func (k *kernel) both(name string, f func(name string, masked bool)) {
	CMPQ(field(k.tile, dtMasked), U32(0))
	JNE(LabelRef(name + "masked"))
	f(name+"whole", false)
	JMP(LabelRef(name + "done"))
	Label(name + "masked")
	f(name+"part", true)
	Label(name + "done")
}

// blocks are the numbers of output rows at a time.
func blocks(stride int) []int {
	if stride == 1 {
		return []int{4, 2, 1}
	}
	return []int{2, 1}
}

func (k *kernel) inputRows(r int) int { return (r-1)*k.stride + 3 }

// forward writes depthForward of stride 1 or 2.
func (i isa) forward(stride int) {
	k := i.begin("depthForward", stride)
	if k.lanes == 16 {
		k.lo, k.hi = k.vec(), k.vec()
		VBROADCASTSS(field(k.a, dpLo), k.lo)
		VBROADCASTSS(field(k.a, dpHi), k.hi)
		if stride == 2 {
			k.order = k.table("depthUnshuffle")
		}
	}
	var w [9]reg.VecVirtual
	for t := range w {
		w[t] = k.vec()
	}
	k.planes(blocks(stride), k.inputRows, func() {
		p := k.load(atW)
		for t := range w {
			VBROADCASTSS(field(p, 4*t), w[t])
		}
		ADDQ(U32(36), field(k.a, atW))
	}, func(r int, rows []reg.GPVirtual) {
		k.both(fmt.Sprintf("f%d", r), func(name string, masked bool) {
			bias := k.load(atBias)
			acc := make([]reg.VecVirtual, r)
			for j := range acc {
				acc[j] = k.vec()
				VBROADCASTSS(field(bias, 0), acc[j])
			}
			for y, row := range rows {
				k.prefetch(row, y, r)
				k.taps(row, masked, func(kx int, x reg.VecVirtual) {
					for j := range acc {
						if ky := y - j*stride; ky >= 0 && ky < 3 {
							VFMADD231PS(x, w[3*ky+kx], acc[j])
						}
					}
				})
			}
			k.finish(acc, name)
		})
	})
	VZEROUPPER()
	RET()
}

// finish clips and stores the rows of a block.
func (k *kernel) finish(acc []reg.VecVirtual, name string) {
	lo, hi := k.lo, k.hi
	if k.lanes == 8 {
		lo = k.vec()
		VBROADCASTSS(field(k.a, dpLo), lo)
	}
	for _, v := range acc {
		VMAXPS(v, lo, v) // a NaN, as the second operand, passes
	}
	if k.lanes == 8 {
		hi = k.vec()
		VBROADCASTSS(field(k.a, dpHi), hi)
	}
	for _, v := range acc {
		VMINPS(v, hi, v)
		switch {
		case k.stride == 1:
		case k.lanes == 16:
			VPERMPD(v, k.order, v)
		default:
			VPERMPD(U8(0xd8), v, v)
		}
	}
	d, step := k.outputs()
	store := func(masked bool) {
		var m reg.VecVirtual
		if masked && k.lanes == 8 {
			m = k.vec()
			VMOVUPS(field(k.tile, dtLanes+32*ofOutputs), m)
		}
		p := d
		for j, v := range acc {
			if j > 0 {
				q := GP64()
				LEAQ(Mem{Base: p, Index: step, Scale: 1}, q)
				p = q
			}
			switch {
			case !masked:
				VMOVUPS(v, field(p, 0))
			case k.lanes == 16:
				VMOVUPS(v, k.masks[ofOutputs], field(p, 0))
			default:
				VMASKMOVPS(v, m, field(p, 0))
			}
		}
	}
	// What a vector writes behind a row is written again with the next ones, but behind the last rows.
	left := k.load(dpLeft)
	SUBQ(U32(uint32(len(acc))), left)
	CMPQ(left, field(k.a, dpExact))
	JL(LabelRef(name + "exact"))
	store(false)
	JMP(LabelRef(name + "stored"))
	Label(name + "exact")
	store(true)
	Label(name + "stored")
}

// outputs is the address of the outputs of the tile in the first row of the block, and the distance of rows.
func (k *kernel) outputs() (p, step reg.GPVirtual) {
	p = GP64()
	MOVQ(field(k.tile, dtDst), p)
	ADDQ(k.dst, p)
	return p, k.load(dpDstRow)
}

// dots writes depthDots of stride 1 or 2.
func (i isa) dots(stride int) {
	k := i.begin("depthDots", stride)
	var acc [9]reg.VecVirtual
	for t := range acc {
		acc[t] = k.vec()
		k.zero(acc[t])
	}
	if k.lanes == 16 && stride == 2 {
		k.order = k.table("depthShuffle")
	}
	k.planes(blocks(stride), k.inputRows, func() {}, func(r int, rows []reg.GPVirtual) {
		k.both(fmt.Sprintf("d%d", r), func(_ string, masked bool) {
			p, step := k.outputs()
			dy := make([]reg.VecVirtual, r)
			for j := range dy {
				if j > 0 {
					q := GP64()
					LEAQ(Mem{Base: p, Index: step, Scale: 1}, q)
					p = q
				}
				dy[j] = k.vec()
				k.loadTo(field(p, 0), ofOutputs, masked, dy[j])
				switch {
				case stride == 1:
				case k.lanes == 16:
					VPERMPD(dy[j], k.order, dy[j])
				default:
					VPERMPD(U8(0xd8), dy[j], dy[j])
				}
			}
			for y, row := range rows {
				k.prefetch(row, y, r)
				k.taps(row, masked, func(kx int, x reg.VecVirtual) {
					for j := range dy {
						if ky := y - j*stride; ky >= 0 && ky < 3 {
							VFMADD231PS(x, dy[j], acc[3*ky+kx])
						}
					}
				})
			}
		})
	})
	for t, v := range acc {
		y := v.AsY()
		if k.lanes == 16 {
			h := YMM()
			VEXTRACTF32X8(U8(1), v, h)
			VADDPS(h, y, h)
			y = h
		}
		x, s := XMM(), XMM()
		VEXTRACTF128(U8(1), y, x)
		VADDPS(y.(reg.Vec).AsX(), x, x)
		VMOVHLPS(x, x, s)
		VADDPS(s, x, x)
		VMOVSHDUP(x, s)
		VADDSS(s, x, x)
		VADDSS(field(k.a, dpSums+4*t), x, x)
		VMOVSS(x, field(k.a, dpSums+4*t))
	}
	VZEROUPPER()
	RET()
}

func (i isa) zero(v reg.VecVirtual) {
	if i.lanes == 16 {
		VPXORD(v, v, v)
	} else {
		VXORPS(v, v, v)
	}
}

// backward writes depthBackward2: rows q of src become rows 2q and 2q+1 of dst, the latter of the last one only where bottom is 0.
func (i isa) backward() {
	k := i.begin("depthBackward", 2)
	var w [9]reg.VecVirtual
	for t := range w {
		w[t] = k.vec()
	}
	if k.lanes == 16 {
		k.order, k.order2 = k.table("depthZip"), k.table("depthZipHigh")
	}
	Label("plane")
	p := k.load(atW)
	for t := range w {
		VBROADCASTSS(field(p, 4*t), w[t])
	}
	MOVQ(field(k.a, atSrc), k.at)
	MOVQ(field(k.a, atDst), k.dst)
	MOVQ(field(k.a, dpRows), k.row)
	Label("row")
	next := k.bottom
	MOVQ(k.at, next)
	ADDQ(field(k.a, dpSrcRow), next)
	CMPQ(k.row, U32(1))
	JNE(LabelRef("in"))
	MOVQ(field(k.a, dpZero), next)
	Label("in")
	MOVQ(field(k.a, dpTiles), k.tile)
	MOVQ(field(k.a, dpNTiles), k.tiles)
	Label("tile")
	MOVQ(field(k.tile, dtSrc), k.place)
	if k.lanes == 16 {
		for m := range k.masks {
			k.masks[m] = K()
			KMOVW(field(k.tile, dtBits+2*m), k.masks[m])
		}
	}
	k.both("t", func(name string, masked bool) {
		dst, step := k.outputs()
		product := func(x, y reg.VecVirtual) reg.VecVirtual {
			v := k.vec()
			VMULPS(x, y, v)
			return v
		}
		here, right := k.elements(k.at, 0, 0, masked), k.elements(k.at, 1, 1, masked)
		even, odd := product(here, w[4]), product(here, w[5])
		VFMADD231PS(right, w[3], odd)
		k.zip(even, odd, dst, masked, name+"a")
		CMPQ(k.row, U32(1))
		JNE(LabelRef(name + "two"))
		CMPQ(field(k.a, dpBottom), U32(0))
		JNE(LabelRef(name + "one"))
		Label(name + "two")
		even, odd = product(here, w[7]), product(here, w[8])
		VFMADD231PS(right, w[6], odd)
		here, right = k.elements(next, 0, 0, masked), k.elements(next, 1, 1, masked)
		VFMADD231PS(here, w[1], even)
		VFMADD231PS(here, w[2], odd)
		VFMADD231PS(right, w[0], odd)
		ADDQ(step, dst)
		k.zip(even, odd, dst, masked, name+"b")
		Label(name + "one")
	})
	ADDQ(U32(dtSize), k.tile)
	DECQ(k.tiles)
	JNZ(LabelRef("tile"))
	ADDQ(field(k.a, dpSrcRow), k.at)
	step := k.load(dpDstRow)
	LEAQ(Mem{Base: k.dst, Index: step, Scale: 2}, k.dst)
	DECQ(k.row)
	JNZ(LabelRef("row"))
	k.nextPlane()
	ADDQ(U32(36), field(k.a, atW))
	DECQ(field(k.a, dpPlanes))
	JNZ(LabelRef("plane"))
	VZEROUPPER()
	RET()
}

// zip stores the elements of even and odd in turn.
func (k *kernel) zip(even, odd reg.VecVirtual, dst reg.GPVirtual, masked bool, name string) {
	a, b := k.vec(), k.vec()
	if k.lanes == 16 {
		VMOVDQA32(k.order, a)
		VMOVDQA32(k.order2, b)
		VPERMI2PS(odd, even, a)
		VPERMI2PS(odd, even, b)
	} else {
		VUNPCKLPS(odd, even, a)
		VUNPCKHPS(odd, even, even)
		VPERM2F128(U8(0x31), even, a, b)
		VPERM2F128(U8(0x20), even, a, a)
	}
	for j, v := range []reg.VecVirtual{a, b} {
		m, at := ofOutputs-1+j, field(dst, 4*k.lanes*j)
		if !masked {
			VMOVUPS(v, at)
			continue
		}
		// Masked stores are slow, those of nothing and of all as others.
		bits, label := GP32(), fmt.Sprintf("%s%d", name, j)
		MOVWLZX(field(k.tile, dtBits+2*m), bits)
		TESTL(bits, bits)
		JZ(LabelRef(label + "stored"))
		CMPL(bits, U32(1<<k.lanes-1))
		JNE(LabelRef(label + "some"))
		VMOVUPS(v, at)
		JMP(LabelRef(label + "stored"))
		Label(label + "some")
		if k.lanes == 16 {
			VMOVUPS(v, k.masks[m], at)
		} else {
			mask := k.vec()
			VMOVUPS(field(k.tile, dtLanes+32*m), mask)
			VMASKMOVPS(v, mask, at)
		}
		Label(label + "stored")
	}
}

func table(name string, values ...uint64) {
	GLOBL(name, RODATA|NOPTR)
	for i, v := range values {
		DATA(8*i, U64(v))
	}
}

func main() {
	path := flag.String("decl", "", "file of the declarations")
	flag.Parse()
	ConstraintExpr("!noasm")
	table("depthUnshuffle", 0, 2, 4, 6, 1, 3, 5, 7)
	table("depthShuffle", 0, 4, 1, 5, 2, 6, 3, 7)
	table("depthZip", 16<<32, 17<<32|1, 18<<32|2, 19<<32|3, 20<<32|4, 21<<32|5, 22<<32|6, 23<<32|7)
	table("depthZipHigh", 24<<32|8, 25<<32|9, 26<<32|10, 27<<32|11, 28<<32|12, 29<<32|13, 30<<32|14, 31<<32|15)
	for _, i := range []isa{{"AVX2", 8}, {"AVX512", 16}} {
		for s := 1; s <= 2; s++ {
			i.forward(s)
			i.dots(s)
		}
		i.backward()
	}
	if *path != "" {
		head := "// Code generated by _asm/depth. DO NOT EDIT.\n\n//go:build !noasm\n\npackage kernel\n"
		src, err := format.Source([]byte(head + decls.String()))
		if err == nil {
			err = os.WriteFile(*path, src, 0o644)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	Generate()
}
