package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// eachProduct calls f with the indices of every product x·w that goes to y: the definition of a convolution.
func eachProduct(cp *ConvParams, f func(x, w, y int)) {
	cg, mg := cp.C/cp.Group, cp.M/cp.Group
	in, out, ker := volume(cp.In), volume(cp.Out), volume(cp.Kernel)
	for n := range cp.N {
		for m := range cp.M {
			for o := range out {
				od, oh, ow := o/(cp.Out[1]*cp.Out[2]), o/cp.Out[2]%cp.Out[1], o%cp.Out[2]
				for k := range ker {
					kd, kh, kw := k/(cp.Kernel[1]*cp.Kernel[2]), k/cp.Kernel[2]%cp.Kernel[1], k%cp.Kernel[2]
					d := od*cp.Stride[0] + kd*cp.Dil[0] - cp.PadLo[0]
					h := oh*cp.Stride[1] + kh*cp.Dil[1] - cp.PadLo[1]
					w := ow*cp.Stride[2] + kw*cp.Dil[2] - cp.PadLo[2]
					if d < 0 || h < 0 || w < 0 || d >= cp.In[0] || h >= cp.In[1] || w >= cp.In[2] {
						continue
					}
					for c := range cg {
						f((n*cp.C+m/mg*cg+c)*in+(d*cp.In[1]+h)*cp.In[2]+w, (m*cg+c)*ker+k, (n*cp.M+m)*out+o)
					}
				}
			}
		}
	}
}

func finished(v float64, e *ConvEpilogue, channel, i int) float64 {
	if e == nil {
		return v
	}
	if e.Bias != nil {
		v += float64(e.Bias[channel])
	}
	if e.Add != nil {
		v += float64(e.Add[i])
	}
	if e.Clip {
		v = min(max(v, float64(e.Lo)), float64(e.Hi))
	}
	return v
}

func widened(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

func randomConv(r *rand.Rand, round int) ConvParams {
	cp := ConvParams{N: 1 + r.IntN(3), Group: 1}
	dims := 1 + r.IntN(3)
	for {
		for d := range 3 {
			cp.In[d], cp.Kernel[d], cp.Stride[d], cp.Dil[d], cp.PadLo[d], cp.PadHi[d] = 1, 1, 1, 1, 0, 0
			if d < 3-dims {
				continue
			}
			cp.In[d] = 1 + r.IntN([]int{0, 60, 20, 9}[dims])
			cp.Kernel[d] = 1 + r.IntN([]int{0, 7, 7, 3}[dims])
			if r.IntN(2) == 0 {
				cp.Kernel[d] = 3
			}
			if r.IntN(3) == 0 {
				cp.Stride[d] = 1 + r.IntN(3)
			}
			if r.IntN(3) == 0 {
				cp.Dil[d] = 1 + r.IntN(3)
			}
			if r.IntN(2) == 0 {
				cp.PadLo[d], cp.PadHi[d] = r.IntN(cp.Kernel[d]+3), r.IntN(cp.Kernel[d]+3)
			}
		}
		cp.SetOut()
		if volume(cp.Out) > 0 {
			break
		}
	}
	switch round % 4 {
	case 0:
		cp.C, cp.M = 1+r.IntN(40), 1+r.IntN(40)
	case 1:
		cp.Group = 1 + r.IntN(20)
		cp.C, cp.M = cp.Group, cp.Group
	case 2:
		cp.Group = 1 + r.IntN(4)
		cp.C, cp.M = cp.Group*(1+r.IntN(7)), cp.Group*(1+r.IntN(20))
	case 3:
		cp.C, cp.M = 1+r.IntN(3), 1+r.IntN(8)
		cp.N = 1 + r.IntN(9)
	}
	return cp
}

// conv2D is the geometry of a convolution with two spatial dimensions; Out follows from the rest.
func conv2D(n, c, h, w, m, kh, kw, stride, pad, group int) ConvParams {
	cp := ConvParams{N: n, C: c, M: m, Group: group, In: [3]int{1, h, w}, Kernel: [3]int{1, kh, kw},
		Stride: [3]int{1, stride, stride}, Dil: [3]int{1, 1, 1}, PadLo: [3]int{0, pad, pad}, PadHi: [3]int{0, pad, pad}}
	cp.SetOut()
	return cp
}

func TestConv(t *testing.T) {
	pools := []*parallel.Pool{nil, parallel.New(2), parallel.New(4)}
	defer pools[1].Close()
	defer pools[2].Close()
	eachISA(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(3, 4))
		rounds := 300
		if testing.Short() {
			rounds = 60
		}
		for round := range rounds {
			cp := randomConv(r, round)
			for cp.Flops() > 4e6 {
				cp = randomConv(r, round)
			}
			checkConv(t, r, cp, pools)
		}
		for _, cp := range []ConvParams{
			conv2D(2, 64, 7, 7, 70, 3, 3, 1, 1, 1),   // positions of two images in one panel
			conv2D(1, 40, 9, 9, 40, 3, 3, 1, 1, 1),   // two blocks of k
			conv2D(1, 300, 8, 8, 48, 1, 1, 1, 0, 1),  // no copy, two blocks
			conv2D(2, 64, 14, 14, 64, 1, 1, 2, 0, 1), // taps of one phase only
			conv2D(3, 3, 35, 35, 20, 7, 7, 2, 3, 1),
			conv2D(1, 130, 6, 6, 400, 3, 3, 1, 1, 1), // weights larger than the cache
			conv2D(2, 3, 32, 32, 12, 16, 16, 16, 0, 1),
		} {
			checkConv(t, r, cp, pools)
		}
	})
}

func checkConv(t *testing.T, r *rand.Rand, cp ConvParams, pools []*parallel.Pool) {
	t.Helper()
	nx, nw, ny := cp.sizes()
	x, w, dy := randomSlice(r, nx), randomSlice(r, nw), randomSlice(r, ny)
	epilogue := func(channels, n int) *ConvEpilogue {
		if r.IntN(3) > 0 {
			return nil
		}
		e := &ConvEpilogue{Clip: r.IntN(2) == 0, Lo: -1, Hi: 3}
		if r.IntN(2) == 0 {
			e.Bias = randomSlice(r, channels)
		}
		if r.IntN(2) == 0 {
			e.Add = randomSlice(r, n)
		}
		return e
	}
	ey, ex := epilogue(cp.M, ny), epilogue(cp.C, nx)
	y, dx, dw := make([]float64, ny), make([]float64, nx), make([]float64, nw)
	absY, absDX, absDW := make([]float64, ny), make([]float64, nx), make([]float64, nw)
	add := func(sum, abs []float64, i int, a, b float32) {
		v := float64(a) * float64(b)
		sum[i] += v
		abs[i] += math.Abs(v)
	}
	eachProduct(&cp, func(i, j, o int) {
		add(y, absY, o, x[i], w[j])
		add(dx, absDX, i, dy[o], w[j])
		add(dw, absDW, j, dy[o], x[i])
	})
	// near compares with the tolerance of the way that is taken.
	near := func(what string, got []float32, want, abs []float64, transformed bool, terms int) {
		t.Helper()
		if !transformed {
			matches(t, what, got, want, terms)
			return
		}
		tol := winoBound * slices.Max(abs)
		for i, g := range got {
			if !(math.Abs(float64(g)-want[i]) <= tol+1e-6*math.Abs(want[i])) {
				t.Fatalf("%s: element %d is %v, want %v (bound of the transforms %g)", what, i, g, want[i], tol)
			}
		}
	}
	out, in := volume(cp.Out), volume(cp.In)
	x64, w64, dy64 := widened(x), widened(w), widened(dy)
	g64 := make([]float64, max(nx, nw, ny))
	Conv64(nil, &cp, x64, w64, nil, g64)
	same64(t, "Conv64", g64[:ny], y)
	ConvDX64(nil, &cp, dy64, w64, g64)
	same64(t, "ConvDX64", g64[:nx], dx)
	ConvDW64(nil, &cp, x64, dy64, g64)
	same64(t, "ConvDW64", g64[:nw], dw)
	for i := range y {
		y[i] = finished(y[i], ey, i/out%cp.M, i)
	}
	for i := range dx {
		dx[i] = finished(dx[i], ex, i/in%cp.C, i)
	}
	taps := volume(cp.Kernel)
	packed := PackConv(&cp, w)
	wider := cp // the same form for other images
	wider.N++
	for d := range 3 {
		wider.In[d] += 2 * wider.Stride[d]
	}
	if wider.SetOut(); wider.FormDX() != cp.FormDX() {
		wider = cp
	}
	packedDX := PackConvDX(&wider, w)
	var first [5][]float32
	for i, p := range pools {
		got := [5][]float32{make([]float32, ny), make([]float32, ny), make([]float32, nx), make([]float32, nw), make([]float32, nx)}
		for _, g := range got {
			for j := range g {
				g[j] = -77
			}
		}
		Conv(p, &cp, x, w, nil, ey, got[0])
		Conv(p, &cp, x, w, packed, ey, got[1])
		if ey != nil && ey.Add != nil {
			e := *ey
			e.Add = append([]float32(nil), ey.Add...)
			Conv(p, &cp, x, w, nil, &e, e.Add)
			near(fmt.Sprintf("in place %+v", cp), e.Add, y, absY, winoForward(&cp), cp.C/cp.Group*taps)
		}
		ConvDX(p, &cp, dy, w, nil, ex, got[2])
		ConvDX(p, &cp, dy, w, packedDX, ex, got[4])
		ConvDW(p, &cp, x, dy, got[3])
		what := fmt.Sprintf("%+v", cp)
		if i == 0 {
			near("Conv "+what, got[0], y, absY, winoForward(&cp), cp.C/cp.Group*taps)
			near("ConvDX "+what, got[2], dx, absDX, winoData(&cp), cp.M/cp.Group*taps)
			near("ConvDW "+what, got[3], dw, absDW, winoWeight(&cp), cp.N*out)
			sameResult(t, "packed "+what, got[1], got[0])
			sameResult(t, "packed ConvDX "+what, got[4], got[2])
			first = got
			continue
		}
		for j, name := range []string{"Conv", "packed", "ConvDX", "ConvDW", "packed ConvDX"} {
			sameResult(t, name+" on threads "+what, got[j], first[j])
		}
	}
}

func same64(t *testing.T, what string, got, want []float64) {
	t.Helper()
	for i := range want {
		if d := got[i] - want[i]; !(d < 1e-10*(1+max(want[i], -want[i])) && d > -1e-10*(1+max(want[i], -want[i]))) {
			t.Fatalf("%s: element %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

func TestConvEmpty(t *testing.T) {
	cp := conv2D(2, 2, 2, 2, 2, 3, 3, 1, 0, 1) // the window is larger than X: Y has no element
	if volume(cp.Out) != 0 {
		t.Fatalf("Out is %v", cp.Out)
	}
	w, dx, dw := make([]float32, 36), make([]float32, 16), make([]float32, 36)
	dx[3], dw[5] = 1, 1
	Conv(nil, &cp, dx, w, nil, nil, nil)
	ConvDX(nil, &cp, nil, w, nil, &ConvEpilogue{Bias: []float32{2, 3}}, dx)
	ConvDW(nil, &cp, dx, nil, dw)
	for i, v := range dx {
		if want := float32(2 + i/4%2); v != want {
			t.Errorf("dx[%d] is %v, want the bias %v", i, v, want)
		}
	}
	for i, v := range dw {
		if v != 0 {
			t.Errorf("dw[%d] is %v, want 0", i, v)
		}
	}
	cp.N = 0
	Conv(nil, &cp, nil, w, nil, nil, nil)
	ConvDX(nil, &cp, nil, w, nil, nil, nil)
	ConvDW(nil, &cp, nil, nil, dw)
}

func TestConvPanics(t *testing.T) {
	cp := conv2D(1, 2, 4, 4, 2, 3, 3, 1, 1, 1)
	nx, nw, ny := cp.sizes()
	x, w, y := make([]float32, nx), make([]float32, nw), make([]float32, ny)
	bad := cp
	bad.Group = 3
	for name, f := range map[string]func(){
		"x":     func() { Conv(nil, &cp, x[:nx-1], w, nil, nil, y) },
		"w":     func() { ConvDX(nil, &cp, y, w[:nw-1], nil, nil, x) },
		"dy":    func() { ConvDW(nil, &cp, x, y[:ny-1], w) },
		"bias":  func() { Conv(nil, &cp, x, w, nil, &ConvEpilogue{Bias: w[:1]}, y) },
		"group": func() { Conv(nil, &bad, x, w, nil, nil, y) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}
