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

// fill writes the planes of one channel.
func (pl *planes) fill(dst, x []float32) {
	at := 0
	sw, lw, w := pl.stride[2], pl.lo[2], pl.in[2]
	for _, fd := range pl.phases[0] {
		for _, fh := range pl.phases[1] {
			for _, fw := range pl.phases[2] {
				// x index = p·sw + fw − lw, inside for first <= p < end
				first := min(max(0, ceilDiv(lw-fw, sw)), pl.size[2])
				end := max(first, min(pl.size[2], ceilDiv(w+lw-fw, sw)))
				for d := range pl.size[0] {
					z := d*pl.stride[0] + fd - pl.lo[0]
					if z < 0 || z >= pl.in[0] {
						clear(dst[at : at+pl.size[1]*pl.size[2]])
						at += pl.size[1] * pl.size[2]
						continue
					}
					for h := range pl.size[1] {
						row := dst[at : at+pl.size[2]]
						at += pl.size[2]
						y := h*pl.stride[1] + fh - pl.lo[1]
						if y < 0 || y >= pl.in[1] || first == end {
							clear(row)
							continue
						}
						for i := range first {
							row[i] = 0
						}
						from := x[(z*pl.in[1]+y)*w+first*sw+fw-lw:]
						mid := row[first:end]
						switch sw {
						case 1:
							copy(mid, from)
						case 2:
							takeEven(mid, from)
						default:
							for i := range mid {
								mid[i] = from[i*sw]
							}
						}
						tail := row[end:]
						for i := range tail {
							tail[i] = 0
						}
					}
				}
			}
		}
	}
}

// takeEven is dst[i] = src[2*i].
var takeEven = takeEvenGeneric

func takeEvenGeneric(dst, src []float32) {
	for i := range dst {
		dst[i] = src[2*i]
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
