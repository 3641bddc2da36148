package straggler

import (
	"bytes"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// hard are numbers whose sum in float64 depends on the order.
func hard(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(math.Ldexp(r.NormFloat64(), r.IntN(250)-140))
	}
	for i := 0; i+1 < n; i += 3 { // that cancel
		x[i+1] = -x[i]
	}
	r.Shuffle(n, func(i, j int) { x[i], x[j] = x[j], x[i] })
	return x
}

// nearest is the float64 nearest to the exact sum.
func nearest(x []float32) float64 {
	s := new(big.Float).SetPrec(2000)
	for _, v := range x {
		s.Add(s, new(big.Float).SetPrec(2000).SetFloat64(float64(v)))
	}
	f, _ := s.Float64()
	return f
}

func TestSumIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for trial := range 3000 {
		x := hard(r, 1+r.IntN(40))
		if trial%3 == 0 { // ties
			x = []float32{1, float32(math.Ldexp(1, -53)), float32(math.Ldexp([]float64{1, -1, 0}[trial/3%3], -120)), float32(r.IntN(3))}
		}
		want := nearest(x)
		whole := NewSum(1)
		for _, v := range x {
			whole.Add32(0, []float32{v})
		}
		groups := NewSum(1)
		r.Shuffle(len(x), func(i, j int) { x[i], x[j] = x[j], x[i] })
		for lo := 0; lo < len(x); {
			hi := lo + 1 + r.IntN(len(x)-lo)
			g := NewSum(1)
			for _, v := range x[lo:hi] {
				g.Add32(0, []float32{v})
			}
			back, err := DecodeSum(g.Encode(), 1)
			if err != nil {
				t.Fatal(err)
			}
			if err := groups.Merge(back); err != nil {
				t.Fatal(err)
			}
			lo = hi
		}
		if whole.At(0) != want || groups.At(0) != want || math.Signbit(whole.At(0)) != math.Signbit(groups.At(0)) {
			t.Fatalf("%v: %v and %v, want %v", x, whole.At(0), groups.At(0), want)
		}
	}
}

func TestSumNotFinite(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, x := range [][]float32{{inf, 1, 2}, {1, inf, -inf}, {3, float32(math.NaN()), 1}} {
		s := NewSum(1)
		for _, v := range x {
			s.Add32(0, []float32{v})
		}
		if s.Finite() {
			t.Errorf("%v is finite", x)
		}
	}
}

func TestSumEncoding(t *testing.T) {
	s := NewSum(3)
	s.Add32(0, []float32{1, -2, 0.5})
	if b := s.Encode(); len(b) != 9+3*4 {
		t.Errorf("%d bytes of three float32", len(b))
	}
	s.Add32(1, []float32{1e-30, 1e-8})
	b := s.Encode()
	back, err := DecodeSum(b, 3)
	if err != nil || !bytes.Equal(back.Encode(), b) {
		t.Fatal(err)
	}
	for i := range b { // no part of it is one
		if _, err := DecodeSum(b[:i], 3); err == nil {
			t.Errorf("%d of %d bytes are a sum", i, len(b))
		}
	}
	if _, err := DecodeSum(b, 4); err == nil {
		t.Error("three numbers are four")
	}
}
