package optim

import (
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// ClipCoord is the rule that clips the largest coordinates of the gradient, u ← sign(u)·min(|u|, τ), where τ is the element number
// ⌊n·share⌋, from 0, of the |u| of all n elements of all parameters in falling order: so many are larger. Rules with a second moment
// take it of the gradient that is not clipped. A τ of zero, where most of the gradient is, clips nothing. τ is reported as
// "clip-coord.threshold".
//
// Source: Pan and Li, https://arxiv.org/abs/2306.00204, section 5 (coordinate-wise clipping), and the authors' code,
// https://github.com/panyan7/adam-vs-sgd. τ is exact however large the model is.
func ClipCoord(share float64) Global { return &clipCoord{share: share} }

type clipCoord struct {
	share, tau float64
	blocks     []span
}

func (r *clipCoord) Name() string                       { return "clip-coord" }
func (r *clipCoord) Slots() []string                    { return nil }
func (r *clipCoord) Measure() (string, float64)         { return "threshold", r.tau }
func (r *clipCoord) Update32(_ Step, b *Block[float32]) { clampUpdate(r.tau, b) }
func (r *clipCoord) Update64(_ Step, b *Block[float64]) { clampUpdate(r.tau, b) }
func (r *clipCoord) keepsRaw()                          {}

// Begin finds τ by its bits, eleven at a time from the top: six passes over the gradient, of which each counts what has the bits so far.
// Counts do not depend on their order, so τ does not depend on the threads.
func (r *clipCoord) Begin(p *parallel.Pool, _ Step, us []Pending) error {
	if !(r.share > 0 && r.share < 1) {
		return fmt.Errorf("the share is %v, it must be in (0, 1)", r.share)
	}
	n := 0
	r.blocks = r.blocks[:0]
	for i, u := range us {
		l := u.U.Len()
		for lo := 0; lo < l; lo += blockLen {
			r.blocks = append(r.blocks, span{i, lo, min(lo+blockLen, l)})
		}
		n += l
	}
	r.tau = 0
	if n == 0 {
		return nil
	}
	rank := int(float64(n) * r.share)
	if n <= blockLen {
		r.tau = sorted(us)[n-1-rank]
		return nil
	}
	var found, known uint64
	const digit = 11
	for shift := 63 - digit; ; shift -= digit {
		width := digit
		if shift < 0 {
			width, shift = digit+shift, 0
		}
		counts := r.count(p, us, found, known, shift, width)
		d := 1<<width - 1
		for ; rank >= counts[d]; d-- {
			rank -= counts[d]
		}
		found |= uint64(d) << shift
		known |= (1<<width - 1) << shift
		if shift == 0 {
			break
		}
	}
	r.tau = math.Float64frombits(found)
	return nil
}

// sorted are the |u| of few elements in rising order.
func sorted(us []Pending) (all []float64) {
	for _, u := range us {
		for _, v := range u.U.Float64s() {
			all = append(all, math.Abs(v))
		}
	}
	slices.Sort(all)
	return all
}

// count counts the elements whose |u| has the bits of found at known, by their width bits from shift on.
func (r *clipCoord) count(p *parallel.Pool, us []Pending, found, known uint64, shift, width int) []int {
	total := make([]int, 1<<width)
	var mu sync.Mutex
	mask := uint64(1)<<width - 1
	p.For(len(r.blocks), 8*blocksPerTask, func(lo, hi int) {
		own := make([]int, len(total))
		for _, b := range r.blocks[lo:hi] {
			if u := us[b.i].U; u.DType() == tensor.Float32 {
				countBits(own, u.F32()[b.lo:b.hi], found, known, shift, mask)
			} else {
				countBits(own, tensor.Data[float64](u)[b.lo:b.hi], found, known, shift, mask)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		for i, c := range own {
			total[i] += c
		}
	})
	return total
}

func countBits[T Float](counts []int, x []T, found, known uint64, shift int, mask uint64) {
	for _, v := range x {
		if bits := math.Float64bits(math.Abs(float64(v))); bits&known == found {
			counts[bits>>shift&mask]++
		}
	}
}

func clampUpdate[T Float](tau float64, b *Block[T]) {
	if tau == 0 {
		return
	}
	hi := T(tau)
	for i, u := range b.U {
		b.U[i] = max(-hi, min(hi, u))
	}
}
