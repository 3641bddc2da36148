package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// The best of the runs is reported: the machine may have other work. Layers of well-known networks: (n, c, h, w, m, kh, kw, stride, pad,
// group).
var convLayers = []struct {
	name string
	cp   ConvParams
}{
	{"resnet18/b8/conv1", conv2D(8, 3, 224, 224, 64, 7, 7, 2, 3, 1)},
	{"resnet18/b8/64x56", conv2D(8, 64, 56, 56, 64, 3, 3, 1, 1, 1)},
	{"resnet18/b8/64x56s2", conv2D(8, 64, 56, 56, 128, 3, 3, 2, 1, 1)},
	{"resnet18/b8/128x28", conv2D(8, 128, 28, 28, 128, 3, 3, 1, 1, 1)},
	{"resnet18/b8/128x28s2", conv2D(8, 128, 28, 28, 256, 3, 3, 2, 1, 1)},
	{"resnet18/b8/256x14", conv2D(8, 256, 14, 14, 256, 3, 3, 1, 1, 1)},
	{"resnet18/b8/256x14s2", conv2D(8, 256, 14, 14, 512, 3, 3, 2, 1, 1)},
	{"resnet18/b8/512x7", conv2D(8, 512, 7, 7, 512, 3, 3, 1, 1, 1)},
	{"resnet18/b8/down64", conv2D(8, 64, 56, 56, 128, 1, 1, 2, 0, 1)},
	{"resnet18/b1/64x56", conv2D(1, 64, 56, 56, 64, 3, 3, 1, 1, 1)},
	{"resnet18/b1/256x14", conv2D(1, 256, 14, 14, 256, 3, 3, 1, 1, 1)},
	{"resnet18/b1/512x7", conv2D(1, 512, 7, 7, 512, 3, 3, 1, 1, 1)},
	{"resnet50/b8/pw64x56", conv2D(8, 64, 56, 56, 256, 1, 1, 1, 0, 1)},
	{"resnet50/b8/pw256x56", conv2D(8, 256, 56, 56, 64, 1, 1, 1, 0, 1)},
	{"resnet50/b8/pw512x28", conv2D(8, 512, 28, 28, 128, 1, 1, 1, 0, 1)},
	{"resnet50/b8/pw128x28", conv2D(8, 128, 28, 28, 512, 1, 1, 1, 0, 1)},
	{"resnet50/b8/pw1024x14", conv2D(8, 1024, 14, 14, 256, 1, 1, 1, 0, 1)},
	{"resnet50/b8/pw256x14", conv2D(8, 256, 14, 14, 1024, 1, 1, 1, 0, 1)},
	{"resnet50/b8/pw512x7", conv2D(8, 512, 7, 7, 2048, 1, 1, 1, 0, 1)},
	{"resnet20/b64/3x32", conv2D(64, 3, 32, 32, 16, 3, 3, 1, 1, 1)},
	{"resnet20/b64/16x32", conv2D(64, 16, 32, 32, 16, 3, 3, 1, 1, 1)},
	{"resnet20/b64/16x32s2", conv2D(64, 16, 32, 32, 32, 3, 3, 2, 1, 1)},
	{"resnet20/b64/32x16", conv2D(64, 32, 16, 16, 32, 3, 3, 1, 1, 1)},
	{"resnet20/b64/64x8", conv2D(64, 64, 8, 8, 64, 3, 3, 1, 1, 1)},
	{"mobilenet/b8/conv1", conv2D(8, 3, 224, 224, 32, 3, 3, 2, 1, 1)},
	{"mobilenet/b8/pw32x112", conv2D(8, 32, 112, 112, 16, 1, 1, 1, 0, 1)},
	{"mobilenet/b8/pw24x56", conv2D(8, 24, 56, 56, 144, 1, 1, 1, 0, 1)},
	{"mobilenet/b8/pw384x14", conv2D(8, 384, 14, 14, 64, 1, 1, 1, 0, 1)},
	{"mobilenet/b8/pw320x7", conv2D(8, 320, 7, 7, 1280, 1, 1, 1, 0, 1)},
	{"mobilenet/b8/dw96x112s2", conv2D(8, 96, 112, 112, 96, 3, 3, 2, 1, 96)},
	{"mobilenet/b8/dw144x56", conv2D(8, 144, 56, 56, 144, 3, 3, 1, 1, 144)},
	{"mobilenet/b8/dw384x14", conv2D(8, 384, 14, 14, 384, 3, 3, 1, 1, 384)},
	{"mobilenet/b8/dw960x7", conv2D(8, 960, 7, 7, 960, 3, 3, 1, 1, 960)},
	{"squeezenet/b8/64x55", conv2D(8, 16, 55, 55, 64, 3, 3, 1, 1, 1)},
	{"squeezenet/b8/conv1", conv2D(8, 3, 224, 224, 64, 3, 3, 2, 0, 1)},
	{"squeezenet/b8/pw16x55", conv2D(8, 16, 55, 55, 64, 1, 1, 1, 0, 1)},
	{"squeezenet/b8/pw512x13", conv2D(8, 512, 13, 13, 1000, 1, 1, 1, 0, 1)},
	{"squeezenet/b8/pw128x55", conv2D(8, 128, 55, 55, 16, 1, 1, 1, 0, 1)},
	{"lenet/b64/conv1", conv2D(64, 1, 28, 28, 6, 5, 5, 1, 2, 1)},
	{"lenet/b64/conv2", conv2D(64, 6, 14, 14, 16, 5, 5, 1, 0, 1)},
	{"lenet/b1/conv2", conv2D(1, 6, 14, 14, 16, 5, 5, 1, 0, 1)},
}

func BenchmarkConv(b *testing.B) {
	for _, l := range convLayers {
		cp := l.cp
		packed := PackConv(&cp, make([]float32, cp.M*cp.C/cp.Group*volume(cp.Kernel)))
		r := rand.New(rand.NewPCG(1, 2))
		nx, nw, ny := cp.sizes()
		x, w, y := randomSlice(r, nx), randomSlice(r, nw), randomSlice(r, ny)
		for _, v := range []struct {
			name string
			f    func()
		}{
			{"fwd", func() { Conv(nil, &cp, x, w, nil, nil, y) }},
			{"packed", func() { Conv(nil, &cp, x, w, packed, nil, y) }},
			{"dx", func() { ConvDX(nil, &cp, y, w, nil, nil, x) }},
			{"dw", func() { ConvDW(nil, &cp, x, y, w) }},
		} {
			b.Run(l.name+"/"+v.name, func(b *testing.B) {
				best := time.Duration(math.MaxInt64)
				for b.Loop() {
					t := time.Now()
					v.f()
					best = min(best, time.Since(t))
				}
				b.ReportMetric(cp.Flops()/best.Seconds()/1e9, "GFLOP/s")
				b.ReportMetric(float64(best.Nanoseconds())/1e3, "best-µs")
			})
		}
	}
}
