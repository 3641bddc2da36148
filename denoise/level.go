package denoise

import (
	"cmp"
	"iter"
	"math"
	"slices"
)

// Of the cells of 2×2 pixels, the share that is flattest, and no fewer than so many, tell the level of the noise.
const (
	flatShare = 0.2
	flatLeast = 64
	flatNear  = 2    // cells on each side over which flatness is averaged
	dark      = 1e-3 // shape of noise that is too little to be seen
	clipped   = 0.005
)

// Estimate is the level of the noise of a picture by itself: what the diagonal differences of 2×2 pixels have as their deviation, divided
// by how noise of the family depends on brightness, where the picture is flattest. How flat it is say the differences along rows and
// columns and those of the cells around, which white noise makes independent of the diagonal one: choosing by them does not choose noise.
// Pixels that noise was cut off from, with the highest or lowest value of many, are left out with those around them.
//
// On Set12 it is off by 1 to 4 % on average and at most 10.5 % on any picture (gaussian 10 to 50, poisson 0.005 to 0.1, gamma 40 to 120;
// TestEstimateOfPhotos). Where there is less noise it takes texture for noise.
//
// Source: the deviation of the finest Haar coefficients as in Donoho and Johnstone 1994, "Ideal spatial adaptation by wavelet
// shrinkage"; that weakly textured parts tell it: Liu, Tanaka and Okutomi 2013, "Single-Image Noise Level Estimation for Blind
// Denoising". Deviation: they choose by the gradients of patches, here it is by the Haar coefficients of the same scale that are not
// looked at.
func (p *Picture) Estimate(f Family) float64 {
	var all []cell
	for c := range p.C {
		x := p.Noisy[c*p.H*p.W:][:p.H*p.W]
		lim := limitsOf(x, f)
		for b := range blocks(p.H, p.W) {
			part := make([]float32, 0, b.h*b.w)
			for i := range b.h {
				part = append(part, x[(b.top+i)*p.W+b.left:][:b.w]...)
			}
			all = append(all, cells(part, b.h, b.w, lim, f)...)
		}
	}
	low, high := f.Range()
	if len(all) == 0 {
		return typicalOf(low, high) // black says nothing of noise that grows with brightness
	}
	if kept := slices.DeleteFunc(slices.Clone(all), func(c cell) bool { return c.cut }); len(kept) >= flatLeast {
		all = kept
	}
	slices.SortFunc(all, func(a, b cell) int { return cmp.Compare(a.texture, b.texture) })
	n := min(len(all), max(flatLeast, int(flatShare*float64(len(all)))))
	sum := 0.0
	for _, c := range all[:n] {
		sum += c.diagonal * c.diagonal
	}
	level := f.LevelOf(max(math.Sqrt(sum/float64(n)), 1e-4))
	for f.Check(level) != nil { // less noise, or more, than the family has a level for
		level = typicalOf(level, typicalOf(low, high))
	}
	return level
}

// cell is what 2×2 pixels have as differences, over the shape of the noise there.
type cell struct {
	diagonal float64
	texture  float64 // mean square of all differences here and in the cells around, but for diagonal
	cut      bool    // noise was cut off here, or near
}

// block is a part of a picture.
type block struct{ top, left, h, w int }

// A picture of more pixels than wholePicture is looked at in blocks of blockSide, all over it, that have about as many together: what is
// held does not grow with the picture.
const (
	wholePicture = 1 << 20
	blockSide    = 128
)

// blocks are the parts of a picture [h,w] that are looked at.
func blocks(h, w int) iter.Seq[block] {
	return func(yield func(block) bool) {
		if h*w <= wholePicture || h < blockSide || w < blockSide {
			// a long and narrow one from its middle
			oh, ow := min(h, max(2, wholePicture/w)), min(w, max(2, wholePicture/h))
			yield(block{(h - oh) / 2, (w - ow) / 2, oh, ow})
			return
		}
		nh, nw := h/blockSide, w/blockSide
		step := (nh*nw*blockSide*blockSide + wholePicture - 1) / wholePicture
		for k := step / 2; k < nh*nw; k += step {
			if !yield(block{k / nw * blockSide, k % nw * blockSide, blockSide, blockSide}) {
				return
			}
		}
	}
}

// limits are the values of a plane that noise was cut off at.
type limits struct {
	top, bottom       float32
	cutTop, cutBottom bool
}

func limitsOf(x []float32, f Family) limits {
	l := limits{top: slices.Max(x), bottom: slices.Min(x)}
	atTop, atBottom := 0, 0
	for _, v := range x {
		if v == l.top {
			atTop++
		}
		if v == l.bottom {
			atBottom++
		}
	}
	most := clipped * float64(len(x))
	l.cutTop = float64(atTop) > most && f.Shape(float64(l.top)) >= dark
	l.cutBottom = float64(atBottom) > most && f.Shape(float64(l.bottom)) >= dark
	return l
}

// cells are those of the plane x [H,W] in which noise would be seen, row by row.
func cells(x []float32, h, w int, l limits, f Family) []cell {
	h, wide := h/2, w
	w /= 2
	mean, rows, cut := make([]float64, h*w), make([]float64, h*w), make([]float64, h*w)
	diagonal := make([]float64, h*w)
	for i := range h {
		for j := range w {
			quad := [4]float32{x[2*i*wide+2*j], x[2*i*wide+2*j+1], x[(2*i+1)*wide+2*j], x[(2*i+1)*wide+2*j+1]}
			a, b, c, d := float64(quad[0]), float64(quad[1]), float64(quad[2]), float64(quad[3])
			k := i*w + j
			mean[k], diagonal[k] = (a+b+c+d)/4, (a-b-c+d)/2
			rows[k] = ((a+b-c-d)*(a+b-c-d) + (a-b+c-d)*(a-b+c-d)) / 4
			if l.cutTop && slices.Contains(quad[:], l.top) || l.cutBottom && slices.Contains(quad[:], l.bottom) {
				cut[k] = 1
			}
		}
	}
	around, cut := smooth(mean, h, w, 1), smooth(cut, h, w, 1)
	for k := range rows {
		s := max(f.Shape(around[k]), dark)
		diagonal[k] /= s
		rows[k] = rows[k]/(s*s) + diagonal[k]*diagonal[k]
	}
	texture := smooth(rows, h, w, flatNear)
	var out []cell
	for k, m := range mean {
		if f.Shape(m) >= dark {
			own := diagonal[k] * diagonal[k] / float64(within(k/w, h, flatNear)*within(k%w, w, flatNear))
			out = append(out, cell{diagonal: diagonal[k], texture: texture[k] - own, cut: cut[k] > 0})
		}
	}
	return out
}

// within is how many of n places lie within r of place i.
func within(i, n, r int) int { return min(n-1, i+r) - max(0, i-r) + 1 }

// smooth is the mean of x [H,W] over what lies within r of each place.
func smooth(x []float64, h, w, r int) []float64 {
	along := func(n, stride, start int, from, to []float64) {
		for i := range n {
			lo, hi := max(0, i-r), min(n-1, i+r)
			s := 0.0
			for k := lo; k <= hi; k++ {
				s += from[start+k*stride]
			}
			to[start+i*stride] = s / float64(hi-lo+1)
		}
	}
	half, out := make([]float64, len(x)), make([]float64, len(x))
	for i := range h {
		along(w, 1, i*w, x, half)
	}
	for j := range w {
		along(h, w, j, half, out)
	}
	return out
}

// median is the middle of x, which it sorts; the mean of two where their number is even.
func median(x []float64) float64 {
	slices.Sort(x)
	n := len(x)
	if n%2 == 1 {
		return x[n/2]
	}
	return (x[n/2-1] + x[n/2]) / 2
}

// BestLevel is the level of the grid with the least penalty of f of what restored makes of the noisy planes y, with that penalty, the mean
// over planes. restored gives the clean planes for a level.
func BestLevel(f Family, grid []float64, y []Plane, restored func(level float64) ([]Plane, error)) (level, penalty float64, err error) {
	penalty = math.Inf(1)
	for _, l := range grid {
		x, err := restored(l)
		if err != nil {
			return 0, 0, err
		}
		sum := 0.0
		for i := range x {
			sum += f.Penalty(x[i], y[i])
		}
		if sum /= float64(len(x)); sum < penalty {
			level, penalty = l, sum
		}
	}
	return level, penalty, nil
}
