package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// winoLayers are convolutions that Winograd's transforms can do: whole and broken tiles, one and several strips, few and many channels.
var winoLayers = []ConvParams{
	conv2D(1, 16, 8, 8, 16, 3, 3, 1, 1, 1),
	conv2D(2, 5, 7, 9, 3, 3, 3, 1, 1, 1),
	conv2D(3, 17, 4, 4, 33, 3, 3, 1, 1, 1),
	conv2D(1, 1, 3, 3, 1, 3, 3, 1, 0, 1),
	conv2D(2, 20, 13, 30, 40, 3, 3, 1, 0, 1),
	conv2D(1, 16, 5, 3, 16, 3, 3, 1, 2, 1),
	conv2D(1, 24, 60, 61, 9, 3, 3, 1, 1, 1),
	conv2D(5, 300, 6, 6, 20, 3, 3, 1, 1, 1),
	conv2D(40, 16, 7, 7, 16, 3, 3, 1, 1, 1),
	conv2D(1, 2, 1, 1, 2, 3, 3, 1, 1, 1),
}

func TestWino(t *testing.T) {
	pools := []*parallel.Pool{nil, parallel.New(2), parallel.New(4)}
	defer pools[1].Close()
	defer pools[2].Close()
	winoAlways = 1
	defer func() { winoAlways = -1 }()
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 6))
		for _, cp := range winoLayers {
			for range 4 {
				checkConv(t, r, cp, pools)
			}
		}
	})
}

// TestWinoWide wants the plain sums where one row of tiles would take much more memory than the planes.
func TestWinoWide(t *testing.T) {
	for _, cp := range []ConvParams{conv2D(1, 32, 8, 1<<20, 32, 3, 3, 1, 1, 1), conv2D(1, 32, 1<<20, 8, 32, 3, 3, 1, 1, 1)} {
		if wide := cp.In[2] > 8; wino != nil && (winoForward(&cp) == wide || winoData(&cp) == wide || winoWeight(&cp) == wide) {
			t.Errorf("%v: transforms %v", cp.In, !wide)
		}
	}
}

// TestExact wants the plain sums with SetExact, and another way without.
func TestExact(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		cp := conv2D(1, 32, 16, 16, 32, 3, 3, 1, 1, 1)
		r := rand.New(rand.NewPCG(7, 8))
		nx, nw, ny := cp.sizes()
		x, w, dy := randomSlice(r, nx), randomSlice(r, nw), randomSlice(r, ny)
		all := func() []float32 {
			y, dx, dw := make([]float32, ny), make([]float32, nx), make([]float32, nw)
			Conv(nil, &cp, x, w, PackConv(&cp, w), nil, y)
			ConvDX(nil, &cp, dy, w, PackConvDX(&cp, w), nil, dx)
			ConvDW(nil, &cp, x, dy, dw)
			return slices.Concat(y, dx, dw)
		}
		winoAlways = 0
		direct := all()
		winoAlways = -1
		SetExact(true)
		sameResult(t, "exact", all(), direct)
		SetExact(false)
		if wino != nil && slices.Equal(all(), direct) {
			t.Error("the transforms are not taken where they are faster")
		}
	})
}

// BenchmarkWino times the direct kernels and the transforms on the layers that both can do.
func BenchmarkWino(b *testing.B) {
	for _, l := range convLayers {
		cp := l.cp
		if !winoApplies(&cp) || cp.C < 8 {
			continue
		}
		r := rand.New(rand.NewPCG(1, 2))
		nx, nw, ny := cp.sizes()
		x, w, y := randomSlice(r, nx), randomSlice(r, nw), randomSlice(r, ny)
		for _, kind := range []string{"packed", "fwd", "dx", "dw"} {
			for way, name := range []string{"direct", "wino"} {
				winoAlways = way
				packed := PackConv(&cp, w)
				f := map[string]func(){
					"packed": func() { Conv(nil, &cp, x, w, packed, nil, y) },
					"fwd":    func() { Conv(nil, &cp, x, w, nil, nil, y) },
					"dx":     func() { ConvDX(nil, &cp, y, w, nil, nil, x) },
					"dw":     func() { ConvDW(nil, &cp, x, y, w) },
				}[kind]
				b.Run(l.name+"/"+kind+"/"+name, func(b *testing.B) {
					best := time.Duration(math.MaxInt64)
					for b.Loop() {
						t := time.Now()
						f()
						best = min(best, time.Since(t))
					}
					b.ReportMetric(cp.Flops()/best.Seconds()/1e9, "GFLOP/s")
					b.ReportMetric(float64(best.Nanoseconds())/1e3, "best-µs")
				})
				winoAlways = -1
			}
		}
	}
}
