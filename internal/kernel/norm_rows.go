package kernel

import "math"

// rowLoops are the loops that normalisation and softmax are made of, for one element type. See vectors.
type rowLoops[T Float] struct {
	sumDot             func(a, b []T) (s, t float64)
	sumDotMask         func(a, b, m []T) (s, t float64)
	sumDot3            func(a, b, c []T) (s, t float64)
	affine, affineRelu func(out, a []T, s, b T)
	clip               func(out, a []T, lo, hi T)
	within             func(out, x, dy []T, s, b, lo, hi T)
	lin2Within         func(out, x, dy []T, s, b, lo, hi, q, u, v T)
	lin2               func(out, x, y []T, s, t, b T)
	lin2Mask           func(out, x, y, m []T, s, t, b T)
	normRow            func(out, x, w, b []T, s, t T)
	normGradRow        func(out, dy, w, x []T, s, t, b T)
	normParam          func(dw, db, dy, x []T, s, t T)
	max, sub, mul      func(out, a, b []T)
	exp, sigmoid, tanh func(out, a []T)
	expSum             func(out, a []T, m T) float64
	largest            func(a []T) T
	accumulate         func(acc []float64, x []T)
	dot                func(a, b []T) float64
}

// rows32 are those for float32, of vec.
var rows32 = rowsOf(genericVectors)

func rowsOf(vec vectors) rowLoops[float32] {
	return rowLoops[float32]{
		sumDot: vec.sumDot, sumDotMask: vec.sumDotMask, sumDot3: vec.sumDot3, affine: vec.affine, affineRelu: vec.affineRelu,
		clip: vec.clip, within: vec.within, lin2Within: vec.lin2Within,
		lin2: vec.lin2, lin2Mask: vec.lin2Mask, normRow: vec.normRow, normGradRow: vec.normGradRow, normParam: vec.normParam,
		max: vec.max, sub: vec.sub, mul: vec.mul, exp: vec.exp, sigmoid: vec.sigmoid, tanh: vec.tanh, expSum: vec.expSum,
		largest:    vec.largest,
		accumulate: vec.accumulate, dot: vec.dot,
	}
}

// loopsOf are the loops for T: those of the instruction set for float32, plain Go for float64.
func loopsOf[T Float]() *rowLoops[T] {
	if f, ok := any(&rows32).(*rowLoops[T]); ok {
		return f
	}
	return &rowLoops[T]{
		sumDot: plainSumDot[T], sumDotMask: plainSumDotMask[T], sumDot3: plainSumDot3[T], affine: plainAffine[T],
		affineRelu: plainAffineRelu[T], clip: plainClip[T], within: plainWithin[T], lin2Within: plainLin2Within[T],
		lin2: plainLin2[T], lin2Mask: plainLin2Mask[T], normRow: plainNormRow[T], normGradRow: plainNormGradRow[T],
		normParam: plainNormParam[T],
		max:       MaxOp[T]().VV, sub: SubOp[T]().VV, mul: MulOp[T]().VV, exp: plainExp[T], sigmoid: plainSigmoid[T], tanh: plainTanh[T],
		expSum: plainExpSum[T], largest: plainLargest[T],
		accumulate: plainAccumulate[T], dot: plainDot[T],
	}
}

func plainExp[T Float](out, a []T) {
	for i, x := range a[:len(out)] {
		out[i] = T(math.Exp(float64(x)))
	}
}

func plainSigmoid[T Float](out, a []T) {
	for i, x := range a[:len(out)] {
		out[i] = T(1 / (1 + math.Exp(-float64(x))))
	}
}

func plainTanh[T Float](out, a []T) {
	for i, x := range a[:len(out)] {
		out[i] = T(math.Tanh(float64(x)))
	}
}

func plainExpSum[T Float](out, a []T, m T) (s float64) {
	for i, x := range a[:len(out)] {
		out[i] = T(math.Exp(float64(x - m)))
		s += float64(out[i])
	}
	return s
}

func plainLargest[T Float](a []T) T {
	m := T(math.Inf(-1))
	for _, x := range a {
		m = nanMax(m, x)
	}
	return m
}

func plainAccumulate[T Float](acc []float64, x []T) {
	acc = acc[:len(x)]
	for i, v := range x {
		acc[i] += float64(v)
	}
}

func plainDot[T Float](a, b []T) (s float64) {
	b = b[:len(a)]
	for i, x := range a {
		s += float64(x) * float64(b[i])
	}
	return s
}

func plainSumDot[T Float](a, b []T) (s, t float64) {
	b = b[:len(a)]
	for i, x := range a {
		s += float64(x)
		t += float64(x) * float64(b[i])
	}
	return s, t
}

func plainSumDotMask[T Float](a, b, m []T) (s, t float64) {
	b, m = b[:len(a)], m[:len(a)]
	for i, x := range a {
		if m[i] > 0 {
			s += float64(x)
			t += float64(x) * float64(b[i])
		}
	}
	return s, t
}

func plainSumDot3[T Float](a, b, c []T) (s, t float64) {
	b, c = b[:len(a)], c[:len(a)]
	for i, x := range a {
		y := float64(x) * float64(b[i])
		s += y
		t += y * float64(c[i])
	}
	return s, t
}

func plainAffine[T Float](out, a []T, s, b T) {
	a = a[:len(out)]
	for i, x := range a {
		out[i] = s*x + b
	}
}

func plainClip[T Float](out, a []T, lo, hi T) {
	a = a[:len(out)]
	for i, x := range a {
		if x < lo {
			x = lo
		}
		if x > hi {
			x = hi
		}
		out[i] = x
	}
}

func plainWithin[T Float](out, x, dy []T, s, b, lo, hi T) {
	x, dy = x[:len(out)], dy[:len(out)]
	for i, d := range dy {
		if z := s*x[i] + b; !(lo <= z && z <= hi) {
			d = 0
		}
		out[i] = d
	}
}

func plainLin2Within[T Float](out, x, dy []T, s, b, lo, hi, q, u, v T) {
	x, dy = x[:len(out)], dy[:len(out)]
	for i, d := range dy {
		if z := s*x[i] + b; !(lo <= z && z <= hi) {
			d = 0
		}
		out[i] = q*d + (u*x[i] + v)
	}
}

func plainAffineRelu[T Float](out, a []T, s, b T) {
	a = a[:len(out)]
	for i, x := range a {
		x = s*x + b
		if x < 0 {
			x = 0
		}
		out[i] = x
	}
}

func plainLin2[T Float](out, x, y []T, s, t, b T) {
	x, y = x[:len(out)], y[:len(out)]
	for i := range out {
		out[i] = s*x[i] + (t*y[i] + b)
	}
}

func plainLin2Mask[T Float](out, x, y, m []T, s, t, b T) {
	x, y, m = x[:len(out)], y[:len(out)], m[:len(out)]
	for i := range out {
		v := x[i]
		if !(m[i] > 0) {
			v = 0
		}
		out[i] = s*v + (t*y[i] + b)
	}
}

func plainNormRow[T Float](out, x, w, b []T, s, t T) {
	x, w, b = x[:len(out)], w[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = (s*x[i]+t)*w[i] + b[i]
	}
}

func plainNormGradRow[T Float](out, dy, w, x []T, s, t, b T) {
	dy, w, x = dy[:len(out)], w[:len(out)], x[:len(out)]
	for i := range out {
		out[i] = s*(dy[i]*w[i]) + (t*x[i] + b)
	}
}

func plainNormParam[T Float](dw, db, dy, x []T, s, t T) {
	db, dy, x = db[:len(dw)], dy[:len(dw)], x[:len(dw)]
	for i := range dw {
		dw[i] += dy[i] * (s*x[i] + t)
		db[i] += dy[i]
	}
}
