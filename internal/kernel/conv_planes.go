package kernel

// planes is a padded copy of channels, split by the phase of the stride, in which every tap of a
// convolution with any stride, dilation and padding reads the outputs' positions at one fixed offset.
// Per channel and phase f there is one plane of size P with
//
//	plane[f][p] = x[p·Stride + f − lo]   zero outside x
type planes struct {
	in, size       [3]int
	stride, lo     [3]int
	phases         [3][]int // phases in use per dimension
	chanSize       int      // floats per channel, all phases
	identity       bool     // the copy would be x itself
	phaseBuf       [3][16]int
	rowLen, runs   int // outputs lie in runs of rowLen contiguous positions
	runsPerSlice   int
	runStep, slice int // distance of runs in a slice of depth, distance of slices
}

// at is the index of phase f of dimension d among those in use.
func (pl *planes) at(d, f int) int {
	for i, v := range pl.phases[d] {
		if v == f {
			return i
		}
	}
	pl.phases[d] = append(pl.phases[d], f)
	return len(pl.phases[d]) - 1
}

// setOut says which positions are outputs: all of out, from the start of a plane.
func (pl *planes) setOut(out [3]int) {
	pl.rowLen, pl.runsPerSlice, pl.runs = out[2], out[1], out[0]*out[1]
	pl.runStep, pl.slice = pl.size[2], pl.size[1]*pl.size[2]
	if out[2] == pl.size[2] {
		pl.rowLen, pl.runsPerSlice, pl.runs = out[1]*out[2], 1, out[0]
		if out[1] == pl.size[1] {
			pl.rowLen, pl.runs = volume(out), 1
		}
	}
}

// runAt is the offset in a plane of run r.
func (pl *planes) runAt(r int) int {
	return r/pl.runsPerSlice*pl.slice + r%pl.runsPerSlice*pl.runStep
}

// position is the offset in a plane of output j.
func (pl *planes) position(j int) int { return pl.runAt(j/pl.rowLen) + j%pl.rowLen }

// fill writes the planes of one channel.
func (pl *planes) fill(dst, x []float32) {
	sh, sw, lw := pl.stride[1], pl.stride[2], pl.lo[2]
	height, width := pl.in[1], pl.in[2]
	for _, fd := range pl.phases[0] {
		for _, fh := range pl.phases[1] {
			// x index = p·stride + f − lo, inside for top <= p < bottom
			top, bottom := inside(pl.size[1], sh, fh-pl.lo[1], height)
			for _, fw := range pl.phases[2] {
				first, end := inside(pl.size[2], sw, fw-lw, width)
				for d := range pl.size[0] {
					plane := dst[:pl.size[1]*pl.size[2]]
					dst = dst[len(plane):]
					z := d*pl.stride[0] + fd - pl.lo[0]
					if z < 0 || z >= pl.in[0] || top == bottom || first == end {
						clear(plane)
						continue
					}
					clear(plane[:top*pl.size[2]])
					clear(plane[bottom*pl.size[2]:])
					from := (z*height+top*sh+fh-pl.lo[1])*width + first*sw + fw - lw
					padRows(plane[top*pl.size[2]:], pl.size[2], bottom-top, x[from:], sh*width, first, end-first, sw)
				}
			}
		}
	}
}

// inside is the range of p < size with 0 <= p·stride + off < n.
func inside(size, stride, off, n int) (first, end int) {
	first = min(max(0, ceilDiv(-off, stride)), size)
	return first, max(first, min(size, ceilDiv(n-off, stride)))
}

// padRows copies rows of n floats, every step-th of src, into rows of zeros:
//
//	for r := range rows { for i := range width { dst[r*width+i] = 0 <= i-first < n ? src[r*srcRow+(i-first)*step] : 0 } }
var padRows = padRowsGeneric

func padRowsGeneric(dst []float32, width, rows int, src []float32, srcRow, first, n, step int) {
	for r := range rows {
		row := dst[r*width : (r+1)*width]
		clear(row[:first])
		clear(row[first+n:])
		row = row[first : first+n]
		for i := range row {
			row[i] = src[r*srcRow+i*step]
		}
	}
}

// putEven is dst[2*i] = src[i].
var putEven = putEvenGeneric

func putEvenGeneric(dst, src []float32) {
	for i, v := range src {
		dst[2*i] = v
	}
}

// ceilDiv is ⌈a/b⌉ for b > 0.
func ceilDiv(a, b int) int {
	if a < 0 {
		return -(-a / b)
	}
	return (a + b - 1) / b
}

// move copies up to 16 neighbouring floats per row of a panel; dst and src are byte offsets of lane 0 of a vector.
type move struct{ src, dst, mask int }

// appendMoves appends the moves that bring positions j.. (n of them) of images with the given distance to lanes lane.. of a panel.
func (pl *planes) appendMoves(mv []move, image, j, n, lane int) []move {
	per := pl.rowLen * pl.runs
	for n > 0 {
		im, pos := j/per, j%per
		run, x := pos/pl.rowLen, pos%pl.rowLen
		take := min(n, pl.rowLen-x)
		src := im*image + pl.runAt(run) + x
		for take > 0 {
			in := lane & 15
			c := min(take, 16-in)
			mv = append(mv, move{src: 4 * (src - in), dst: 4 * (lane - in), mask: (1<<c - 1) << in})
			src, lane, take, n, j = src+c, lane+c, take-c, n-c, j+c
		}
	}
	return mv
}

// packTaps gathers a panel: for every row p (byte offset koff[p] in src) and every move the lanes of mask:
//
//	for p := range koff { for _, m := range mv { for lane in m.mask { dst[p*width + m.dst/4 + lane] = src[(koff[p]+m.src)/4 + lane] } } }
var packTaps = packTapsGeneric

func packTapsGeneric(dst []float32, width int, src []float32, koff []int, mv []move) {
	for _, m := range mv {
		first := 0
		for m.mask>>first&1 == 0 {
			first++
		}
		n := 0
		for m.mask>>(first+n)&1 != 0 {
			n++
		}
		d, s := m.dst/4+first, m.src/4+first
		for _, off := range koff {
			copy(dst[d:d+n], src[s+off/4:])
			d += width
		}
	}
}
