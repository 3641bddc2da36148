package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// Pools of well-known networks.
var poolLayers = []struct {
	name string
	q    PoolParams
}{
	{"squeezenet/b8/64x111", pool2D(8*64, 111, 3, 2, 0)},
	{"squeezenet/b8/256x27", pool2D(8*256, 27, 3, 2, 0)},
	{"resnet18/b8/64x112", pool2D(8*64, 112, 3, 2, 1)},
	{"vgg16/b1/64x224", pool2D(64, 224, 2, 2, 0)},
	{"lenet/b64/6x28", pool2D(64*6, 28, 2, 2, 0)},
	{"lenet/b64/16x10", pool2D(64*16, 10, 2, 2, 0)},
	{"inception/b8/192x35", pool2D(8*192, 35, 3, 1, 1)},
	{"sppf/b1/256x20", pool2D(256, 20, 5, 1, 2)},
	{"patch/b8/64x56", pool2D(8*64, 56, 4, 4, 0)},
}

func pool2D(planes, in, k, s, pad int) PoolParams {
	out := poolOut(in, k, s, 1, pad, pad, false)
	two := func(i int) []int { return []int{i, i} }
	return PoolParams{planes, two(in), two(out), two(k), two(s), two(1), two(pad), two(pad), false, false}
}

func BenchmarkPool(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, l := range poolLayers {
		q := l.q
		nx, ny := q.Planes*size(q.In), q.Planes*size(q.Out)
		x, y, idx := randomSlice(r, nx), randomSlice(r, ny), make([]int32, ny)
		for _, v := range []struct {
			name string
			f    func()
		}{
			{"max", func() { MaxPool(nil, y, nil, x, &q) }},
			{"arg", func() { MaxPool(nil, y, idx, x, &q) }},
			{"argdx", func() { MaxPoolGrad(nil, x, y, idx, q.Planes, size(q.In), size(q.Out)) }},
			{"avg", func() { AveragePool(nil, y, x, &q) }},
			{"avgdx", func() { AveragePoolGrad(nil, x, y, &q) }},
		} {
			b.Run(l.name+"/"+v.name, func(b *testing.B) { best(b, 4*float64(nx+ny), v.f) })
		}
	}
}

// best runs f and reports the best of its times, and the bytes of that per second: the machine may have other work.
func best(b *testing.B, bytes float64, f func()) (seconds float64) {
	least := time.Duration(math.MaxInt64)
	for b.Loop() {
		t := time.Now()
		f()
		least = min(least, time.Since(t))
	}
	b.ReportMetric(bytes/least.Seconds()/1e9, "GB/s")
	b.ReportMetric(float64(least.Nanoseconds())/1e3, "best-µs")
	return least.Seconds()
}
