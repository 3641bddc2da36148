package compress

import (
	"math"

	"github.com/gtk-onnx/gtk/tensor"
)

// steps are what an integer of 8 bits stands for: (q-zero)·scale.
type steps struct {
	scale float32
	zero  int
	dtype tensor.DType // Uint8 or Int8
}

// stepsFor divides the range lo to hi, and 0, into the 256 numbers of d; the scale is that of lo and hi, or of the larger magnitude on both
// sides where they are to be symmetric.
func stepsFor(lo, hi float64, d tensor.DType, symmetric bool) steps {
	lo, hi = min(lo, 0), max(hi, 0)
	least := 0
	if d == tensor.Int8 {
		least = -128
	}
	if symmetric {
		hi = max(-lo, hi)
		if hi == 0 {
			hi = 1
		}
		if d == tensor.Uint8 {
			return steps{float32(hi / 127), 128, d}
		}
		return steps{float32(hi / 127), 0, d}
	}
	if hi == lo {
		return steps{1, least, d}
	}
	s := float32((hi - lo) / 255)
	if s == 0 { // a range of denormal numbers
		s = math.SmallestNonzeroFloat32
	}
	return steps{s, min(max(least+int(math.RoundToEven(-lo/float64(s))), least), least+255), d}
}

// zeroTensor is the zero point.
func (s steps) zeroTensor() *tensor.Tensor {
	if s.dtype == tensor.Int8 {
		return tensor.Scalar(int8(s.zero))
	}
	return tensor.Scalar(uint8(s.zero))
}

// lowest reports whether the zero point is the smallest number: what is below zero saturates there.
func (s steps) lowest() bool {
	if s.dtype == tensor.Int8 {
		return s.zero == -128
	}
	return s.zero == 0
}

// top is the largest number that there is.
func (s steps) top() float64 {
	n := 255 - s.zero
	if s.dtype == tensor.Int8 {
		n = 127 - s.zero
	}
	return float64(n) * float64(s.scale)
}

// quantised are weights in int8, with a scale for each place along an axis, or one for all.
type quantised struct {
	q     *tensor.Tensor
	scale []float32
	axis  int // -1: one scale for all
}

// quantiseWeights rounds w, float32, to whole numbers of up to most (127, or 63 for 7 bits) times a scale for each place along axis, or of
// all where axis is negative. least has a smallest scale for each place, nil for none: what a bias needs to be a whole number of 32 bits.
func quantiseWeights(w *tensor.Tensor, axis, most int, least []float64) quantised {
	shape := w.Shape()
	places, inner := 1, 1
	if axis >= 0 {
		places = shape[axis]
		for _, d := range shape[axis+1:] {
			inner *= d
		}
	}
	place := func(i int) int {
		if axis < 0 {
			return 0
		}
		return i / inner % places
	}
	x := w.F32()
	big := make([]float64, places)
	for i, v := range x {
		k := place(i)
		big[k] = max(big[k], math.Abs(float64(v)))
	}
	r := quantised{axis: axis, scale: make([]float32, places)}
	for k, b := range big {
		s := b / float64(most)
		if least != nil {
			s = max(s, least[k])
		}
		if s < math.SmallestNonzeroFloat32*1e6 { // nothing but zeros
			s = 1
		}
		r.scale[k] = float32(s)
	}
	q := make([]int8, len(x))
	for i, v := range x {
		q[i] = int8(min(max(math.RoundToEven(float64(v)/float64(r.scale[place(i)])), float64(-most)), float64(most)))
	}
	r.q = tensor.From(q, shape...)
	return r
}

// leastScales are the smallest scales of weights with which bias, in steps of the scale of the input times theirs, is a whole number of 32
// bits.
func leastScales(bias []float32, input float32) []float64 {
	least := make([]float64, len(bias))
	for i, b := range bias {
		least[i] = math.Abs(float64(b)) / float64(input) / (1 << 29) // the engine computes in integers below 1<<30
	}
	return least
}

// quantiseBias rounds bias to steps of input·scale, and gives these.
func quantiseBias(bias []float32, input float32, scale []float32) (q []int32, each []float32) {
	q, each = make([]int32, len(bias)), make([]float32, len(bias))
	for i, b := range bias {
		s := scale[min(i, len(scale)-1)]
		each[i] = input * s
		q[i] = int32(min(max(math.RoundToEven(float64(b)/float64(each[i])), math.MinInt32), math.MaxInt32))
	}
	return q, each
}
