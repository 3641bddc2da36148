package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// Depthwise windows of 3×3 on planes of all small sizes and the sides of vectors, with every padding that needs no copy: against the
// definition, with the same bits for any number of threads, and nothing written beside. What lies in no window is NaN.
func TestDepth3(t *testing.T) {
	pools := []*parallel.Pool{nil, parallel.New(3)}
	defer pools[1].Close()
	defer func(n int) { depthCall = n }(depthCall)
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 6))
		for round := range 250 {
			stride, pad := 1+round%2, []int{r.IntN(2), r.IntN(2), r.IntN(2), r.IntN(2)}
			depthCall = []int{1 << 22, 3000}[round/2%2]
			c := 2 + r.IntN(40)
			cp := ConvParams{N: 1 + r.IntN(3), C: c, M: c, Group: c, In: [3]int{1, 1 + r.IntN(18), 1 + r.IntN(20)}, Kernel: [3]int{1, 3, 3},
				Stride: [3]int{1, stride, stride}, Dil: [3]int{1, 1, 1}, PadLo: [3]int{0, pad[0], pad[1]}, PadHi: [3]int{0, pad[2], pad[3]}}
			if round%5 == 0 {
				cp.In[2] = 1 + r.IntN(90)
			}
			if round%50 == 0 {
				cp.In = [3]int{1, 40, 60}
			}
			if cp.SetOut(); volume(cp.Out) == 0 {
				continue
			}
			if k := depth3x3; k != nil {
				if d := depthPlan(&cp, false); d == nil {
					t.Fatalf("%+v takes another way", cp)
				} else {
					d.release()
				}
			}
			t.Run(fmt.Sprint(round), func(t *testing.T) { checkDepth(t, r, &cp, pools) })
		}
	})
}

func checkDepth(t *testing.T, r *rand.Rand, cp *ConvParams, pools []*parallel.Pool) {
	nx, nw, ny := cp.sizes()
	x, w, dy, bias := randomSlice(r, nx), randomSlice(r, nw), randomSlice(r, ny), randomSlice(r, cp.C)
	e := &ConvEpilogue{Bias: bias, Clip: true, Lo: -1, Hi: 1.5}
	seen := make([]bool, nx)
	wantY, wantDX, wantDW := make([]float64, ny), make([]float64, nx), make([]float64, nw)
	eachProduct(cp, func(i, k, o int) {
		seen[i] = true
		wantY[o] += float64(x[i]) * float64(w[k])
		wantDX[i] += float64(dy[o]) * float64(w[k])
		wantDW[k] += float64(dy[o]) * float64(x[i])
	})
	out := volume(cp.Out)
	for i := range wantY {
		wantY[i] = finished(wantY[i], e, i/out%cp.C, i)
	}
	for i, s := range seen {
		if !s {
			x[i] = float32(nan)
		}
	}
	guarded := func(n int, f func(v []float32)) []float32 {
		const guard = 16
		all := make([]float32, n+2*guard)
		fill(all, 77)
		fill(all[guard:guard+n], float32(nan))
		f(all[guard : guard+n : guard+n])
		for i, v := range all {
			if (i < guard || i >= guard+n) && v != 77 {
				t.Fatalf("%+v writes %g at %d of %d", *cp, v, i-guard, n)
			}
		}
		return all[guard : guard+n]
	}
	var first [3][]float32
	for i, p := range pools {
		got := [3][]float32{
			guarded(ny, func(v []float32) { Conv(p, cp, x, w, nil, e, v) }),
			guarded(nx, func(v []float32) { ConvDX(p, cp, dy, w, nil, nil, v) }),
			guarded(nw, func(v []float32) { ConvDW(p, cp, x, dy, v) }),
		}
		if i == 0 {
			closeTo(t, fmt.Sprintf("y of %+v", *cp), got[0], wantY, 1e-5)
			closeTo(t, fmt.Sprintf("dx of %+v", *cp), got[1], wantDX, 1e-5)
			closeTo(t, fmt.Sprintf("dw of %+v", *cp), got[2], wantDW, 3e-5)
			first = got
			continue
		}
		for j := range got {
			for k, v := range got[j] {
				if math.Float32bits(v) != math.Float32bits(first[j][k]) {
					t.Fatalf("%+v: threads change result %d at %d", *cp, j, k)
				}
			}
		}
	}
}

// A NaN of the input comes out of the windows that see it, and of no others; the clip lets it pass.
func TestDepth3NaN(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for stride := 1; stride <= 2; stride++ {
			cp := conv2D(1, 2, 9, 21, 2, 3, 3, stride, 1, 2)
			nx, nw, ny := cp.sizes()
			x, w := make([]float32, nx), make([]float32, nw)
			fill(w, 1)
			at := 9*21 + 4*21 + 16
			x[at] = float32(nan)
			want := make([]bool, ny)
			eachProduct(&cp, func(i, _, o int) { want[o] = want[o] || i == at })
			y := make([]float32, ny)
			Conv(nil, &cp, x, w, nil, &ConvEpilogue{Clip: true, Lo: 0, Hi: 6}, y)
			for o, v := range y {
				if (v != v) != want[o] {
					t.Fatalf("stride %d: y[%d] = %g", stride, o, v)
				}
			}
		}
	})
}
