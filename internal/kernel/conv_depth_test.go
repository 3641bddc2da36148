package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// A depthwise convolution that is cut into short calls gives the same bits, and nearly the same where its taps are cut too.
func TestDepthShortCalls(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 9))
	cp := ConvParams{
		N: 2, C: 3, M: 3, Group: 3, In: [3]int{1, 9, 200}, Out: [3]int{1, 9, 200}, Kernel: [3]int{1, 3, 5}, Stride: [3]int{1, 1, 1},
		Dil: [3]int{1, 1, 1}, PadLo: [3]int{0, 1, 2},
	}
	x, w := make([]float32, 2*3*9*200), make([]float32, 3*15)
	for _, s := range [][]float32{x, w} {
		for i := range s {
			s[i] = r.Float32() - 0.5
		}
	}
	pool := parallel.New(2)
	defer pool.Close()
	conv := func() []float32 {
		y := slices.Clone(x)
		Conv(pool, &cp, x, w, nil, &ConvEpilogue{Bias: []float32{1, 2, 3}, Add: x, Clip: true, Lo: -1, Hi: 3}, y)
		return y
	}
	want, most, taps := conv(), depthCall, depthTaps
	defer func() { depthCall, depthTaps = most, taps }()
	depthCall = 1000
	if !slices.Equal(conv(), want) {
		t.Error("the numbers differ")
	}
	depthTaps = 4
	for i, v := range conv() {
		if d := v - want[i]; d > 1e-5 || d < -1e-5 {
			t.Fatalf("element %d is %v, want %v", i, v, want[i])
		}
	}
}
