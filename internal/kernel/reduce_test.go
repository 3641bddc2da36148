package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// odometer calls f with every index of shape.
func odometer(shape []int, f func(idx []int)) {
	if size(shape) == 0 {
		return
	}
	idx := make([]int, len(shape))
	for {
		f(idx)
		i := len(shape) - 1
		for ; i >= 0; i-- {
			if idx[i]++; idx[i] < shape[i] {
				break
			}
			idx[i] = 0
		}
		if i < 0 {
			return
		}
	}
}

// at is the offset of idx in an array of the given strides.
func at(idx, strides []int) int {
	o := 0
	for i, s := range strides {
		o += idx[i] * s
	}
	return o
}

// refReduce folds in float64, one list of elements per output.
func refReduce(r Reduction, in []float64, shape, axes []int) []float64 {
	isRed := make([]bool, len(shape))
	for _, a := range axes {
		isRed[a] = true
	}
	outShape := []int{}
	for i, n := range shape {
		if isRed[i] {
			n = 1
		}
		outShape = append(outShape, n)
	}
	os, is := Strides(outShape), Strides(shape)
	lists := make([][]float64, size(outShape))
	odometer(shape, func(idx []int) {
		o := 0
		for i := range idx {
			if !isRed[i] {
				o += idx[i] * os[i]
			}
		}
		lists[o] = append(lists[o], in[at(idx, is)])
	})
	out := make([]float64, len(lists))
	for o, l := range lists {
		s, q, abs, prod, lo, hi := 0.0, 0.0, 0.0, 1.0, inf, -inf
		for _, x := range l {
			s, q, abs, prod, lo, hi = s+x, q+x*x, abs+math.Abs(x), prod*x, refMin(lo, x), refMax(hi, x)
		}
		lse := 0.0
		for _, x := range l {
			lse += math.Exp(x - hi)
		}
		out[o] = [...]float64{s, s / float64(len(l)), hi, lo, prod, q, abs, math.Sqrt(q), math.Log(s), hi + math.Log(lse)}[r]
		if len(l) == 0 && r == ReduceLogSumExp {
			out[o] = -inf
		}
	}
	return out
}

var reduceShapes = []struct{ shape, axes []int }{
	{[]int{}, nil}, {[]int{5}, []int{0}}, {[]int{5}, nil}, {[]int{3, 4}, []int{0}}, {[]int{3, 4}, []int{1}},
	{[]int{3, 4, 5}, []int{0, 2}}, {[]int{3, 4, 5}, []int{1}}, {[]int{2, 3, 4, 5}, []int{1, 3}}, {[]int{2, 3, 4, 5}, []int{2, 0}},
	{[]int{2, 1, 37, 1}, []int{1, 2}}, {[]int{0, 3}, []int{0}}, {[]int{0, 3}, []int{1}}, {[]int{3, 0, 2}, []int{1}},
	{[]int{70001}, []int{0}}, {[]int{2, 70001}, []int{1}}, {[]int{70001, 2}, []int{0}}, {[]int{300, 600}, []int{0}},
	{[]int{9000, 3, 3}, []int{0, 2}},
	{[]int{2, 3, 33, 17}, []int{2, 3}}, {[]int{4, 7, 19, 3}, []int{0, 2, 3}}, {[]int{1, 1}, []int{0, 1}},
}

func TestReduce(t *testing.T) {
	ps := pools(t)
	eachISA(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(5, 6))
		for _, c := range reduceShapes {
			n := size(c.shape)
			in := randF32(rnd, n)
			in64, ints := make([]float64, n), make([]int32, n)
			for i := range in {
				if n > 1000 { // products must not overflow
					in[i] = 1 + in[i]/1000
				}
				in64[i] = float64(in[i])
				ints[i] = int32(rnd.IntN(7)) - 3
			}
			for r := ReduceSum; r <= ReduceLogSumExp; r++ {
				want := refReduce(r, in64, c.shape, c.axes)
				out, out64 := make([]float32, len(want)), make([]float64, len(want))
				Reduce(nil, r, out, in, c.shape, c.axes)
				Reduce(ps[1], r, out64, in64, c.shape, c.axes)
				// Sums of a few rows of columns are added up in float32 (sumFourRows): each addition rounds a number of at most Σ|x|.
				abs := refReduce(ReduceL1, in64, c.shape, c.axes)
				rows := float64(n) / float64(max(len(want), 1))
				for i, w := range want {
					slack := 1e-10
					switch r {
					case ReduceSum:
						slack += rows * abs[i] * 0x1p-24
					case ReduceMean:
						slack += abs[i] * 0x1p-24
					}
					if !near(out[i], w, 1, slack) {
						t.Fatalf("reduction %d of %v over %v: [%d] = %g, want %g", r, c.shape, c.axes, i, out[i], w)
					}
					if !near(float32(out64[i]), w, 1, 1e-10) {
						t.Fatalf("reduction %d of float64 %v over %v: [%d] = %g, want %g", r, c.shape, c.axes, i, out64[i], w)
					}
				}
				for _, p := range ps {
					again := make([]float32, len(want))
					Reduce(p, r, again, in, c.shape, c.axes)
					if !sameBits(again, out) {
						t.Fatalf("reduction %d of %v over %v depends on the threads", r, c.shape, c.axes)
					}
				}
			}
			for _, r := range []Reduction{ReduceSum, ReduceMax, ReduceMin, ReduceL1, ReduceSumSquare} {
				if n == 0 {
					continue
				}
				for i := range ints {
					in64[i] = float64(ints[i])
				}
				want := refReduce(r, in64, c.shape, c.axes)
				out := make([]int32, len(want))
				Reduce(ps[1], r, out, ints, c.shape, c.axes)
				for i, w := range want {
					if float64(out[i]) != w {
						t.Fatalf("reduction %d of int32 %v over %v: [%d] = %d, want %g", r, c.shape, c.axes, i, out[i], w)
					}
				}
			}
		}
	})
}

func TestReduceSpecial(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		x := make([]float32, 40)
		out := make([]float32, 1)
		for _, c := range []struct {
			v          float32
			sum, m, le float64
		}{{float32(inf), inf, inf, inf}, {float32(nan), nan, nan, nan}, {float32(-inf), -inf, 0, math.Log(39)}} {
			x[21] = c.v
			for r, w := range map[Reduction]float64{ReduceSum: c.sum, ReduceMax: c.m, ReduceLogSumExp: c.le} {
				Reduce(nil, r, out, x, []int{40}, []int{0})
				if !near(out[0], w, 1, 0) {
					t.Errorf("reduction %d with %g: %g, want %g", r, c.v, out[0], w)
				}
			}
		}
	})
	for name, got := range map[string][2]int64{
		"int8": {int64(lowest[int8]()), int64(highest[int8]())}, "int64": {lowest[int64](), highest[int64]()},
		"uint8": {int64(lowest[uint8]()), int64(highest[uint8]())},
	} {
		want := map[string][2]int64{"int8": {-128, 127}, "int64": {math.MinInt64, math.MaxInt64}, "uint8": {0, 255}}[name]
		if got != want {
			t.Errorf("range of %s is %d, want %d", name, got, want)
		}
	}
}

func TestArg(t *testing.T) {
	in := []float32{1, 5, 5, 2, float32(nan), 7, float32(nan), 0} // [2, 4, 1]
	for _, c := range []struct {
		last     bool
		max, min [2]int64
	}{{false, [2]int64{1, 0}, [2]int64{0, 0}}, {true, [2]int64{2, 2}, [2]int64{0, 2}}} {
		var got [2]int64
		ArgMax(nil, got[:], in, 2, 4, 1, c.last)
		if got != c.max {
			t.Errorf("last=%v: ArgMax %v, want %v", c.last, got, c.max)
		}
		ArgMin(nil, got[:], in, 2, 4, 1, c.last)
		if got != c.min {
			t.Errorf("last=%v: ArgMin %v, want %v", c.last, got, c.min)
		}
	}
	var got [4]int64
	ArgMax(nil, got[:], []int32{1, 9, 3, 4, 5, 6, 7, 0}, 1, 2, 4, false) // columns
	if got != [4]int64{1, 0, 1, 0} {
		t.Errorf("columns: %v", got)
	}
}

func TestCumSum(t *testing.T) {
	in := []int32{1, 2, 3, 4, 5, 6} // [1, 3, 2]
	for _, c := range []struct {
		exclusive, reverse bool
		want               [6]int32
	}{
		{false, false, [6]int32{1, 2, 4, 6, 9, 12}}, {true, false, [6]int32{0, 0, 1, 2, 4, 6}},
		{false, true, [6]int32{9, 12, 8, 10, 5, 6}}, {true, true, [6]int32{8, 10, 5, 6, 0, 0}},
	} {
		var out [6]int32
		CumSum(nil, out[:], in, 1, 3, 2, c.exclusive, c.reverse)
		if out != c.want {
			t.Errorf("exclusive=%v reverse=%v: %v, want %v", c.exclusive, c.reverse, out, c.want)
		}
		f := []float32{1, 2, 3, 4, 5, 6}
		CumSum(nil, f, f, 1, 3, 2, c.exclusive, c.reverse)
		for i := range f {
			if f[i] != float32(c.want[i]) {
				t.Errorf("in place: %v, want %v", f, c.want)
				break
			}
		}
	}
}
