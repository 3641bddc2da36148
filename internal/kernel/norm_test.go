package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// normRef is y = (x-mean)*inv*w + b for groups of elements of equal key, and the gradients of Σ dy*y. Scale and shift of
// element i are w[ch(i)], b[ch(i)].
type normRef struct {
	y, dx, dw, db   []float64
	mean, inv, vari map[int]float64
	scale           float64 // largest term of dx
}

func refNorm(x, dy, w, b []float64, key, ch func(i int) int, eps float64, rms, frozen bool, mask []float64) normRef {
	n := map[int]float64{}
	r := normRef{y: make([]float64, len(x)), dx: make([]float64, len(x)), dw: make([]float64, len(w)), db: make([]float64, len(w)),
		mean: map[int]float64{}, inv: map[int]float64{}, vari: map[int]float64{}}
	for i, v := range x {
		n[key(i)]++
		if !rms {
			r.mean[key(i)] += v
		}
	}
	for k := range n {
		r.mean[k] /= n[k]
	}
	for i, v := range x {
		d := v - r.mean[key(i)]
		r.vari[key(i)] += d * d / n[key(i)]
	}
	for k, v := range r.vari {
		r.inv[k] = 1 / math.Sqrt(v+eps)
	}
	g, gx := map[int]float64{}, map[int]float64{}
	d := make([]float64, len(x))
	for i := range x {
		d[i] = dy[i]
		if mask != nil && !(mask[i] > 0) {
			d[i] = 0
		}
		k, c := key(i), ch(i)
		xhat := (x[i] - r.mean[k]) * r.inv[k]
		r.y[i] = xhat*w[c] + b[c]
		r.dw[c] += d[i] * xhat
		r.db[c] += d[i]
		g[k] += d[i] * w[c] / n[k]
		gx[k] += d[i] * w[c] * xhat / n[k]
	}
	for i := range x {
		k, c := key(i), ch(i)
		xhat := (x[i] - r.mean[k]) * r.inv[k]
		r.dx[i] = d[i] * w[c]
		if !frozen {
			r.dx[i] -= xhat * gx[k]
			if !rms {
				r.dx[i] -= g[k]
			}
		}
		r.dx[i] *= r.inv[k]
		r.scale = max(r.scale, math.Abs(d[i]*w[c]*r.inv[k]))
	}
	return r
}

func byKey(m map[int]float64, n int) []float64 {
	x := make([]float64, n)
	for k, v := range m {
		x[k] = v
	}
	return x
}

func testBatchNorm[T Float](t *testing.T) {
	r := rand.New(rand.NewPCG(19, 20))
	tol := 4 * tolOf[T]()
	for _, s := range [][3]int{{1, 1, 1}, {5, 3, 1}, {2, 3, 4}, {3, 5, 49}, {40, 7, 1}, {4, 2, 5000}, {2, 600, 3}} {
		n, c, hw := s[0], s[1], s[2]
		x, dy, w, b := randOf[T](r, n*c*hw), randOf[T](r, n*c*hw), randOf[T](r, c), randOf[T](r, c)
		for i := range x {
			x[i] = 2*x[i] + 3
		}
		ch := func(i int) int { return i / hw % c }
		if n*hw == 1 { // a variance of nothing but rounding has no meaning
			continue
		}
		for _, p := range pools(t) {
			y, mean, vari, inv := make([]T, len(x)), make([]T, c), make([]T, c), make([]T, c)
			BatchNormTrain(p, y, mean, vari, inv, x, w, b, n, c, hw, 1e-5, nil)
			relu := make([]T, len(x))
			BatchNormTrain(p, relu, mean, vari, inv, x, w, b, n, c, hw, 1e-5, Relu)
			for _, mask := range [][]T{nil, relu} {
				var m64 []float64
				if mask != nil {
					m64 = to64(mask)
				}
				want := refNorm(to64(x), to64(dy), to64(w), to64(b), ch, ch, 1e-5, false, false, m64)
				closeTo(t, "batch norm", y, want.y, tol)
				closeTo(t, "mean", mean, byKey(want.mean, c), tol)
				closeTo(t, "variance", vari, byKey(want.vari, c), tol)
				closeTo(t, "1/std", inv, byKey(want.inv, c), tol)
				for i, v := range relu {
					if v != max(y[i], 0) {
						t.Fatalf("relu: [%d] = %g of %g", i, v, y[i])
					}
				}
				dx, dw, db := make([]T, len(x)), make([]T, c), make([]T, c)
				BatchNormGrad(p, dx, dw, db, x, dy, mask, w, mean, inv, n, c, hw, true)
				closeTo(t, "dx", dx, want.dx, tol)
				closeTo(t, "dscale", dw, want.dw, tol)
				closeTo(t, "dbias", db, want.db, tol)
				want = refNorm(to64(x), to64(dy), to64(w), to64(b), ch, ch, 1e-5, false, true, m64)
				copy(dx, dy)
				BatchNormGrad(p, dx, nil, nil, x, dx, mask, w, mean, inv, n, c, hw, false)
				closeTo(t, "frozen dx", dx, want.dx, tol)
			}
		}
	}
}

func testLayerNorm[T Float](t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	tol := 4 * tolOf[T]()
	for _, s := range [][2]int{{1, 2}, {3, 7}, {5, 16}, {700, 33}, {2, 1000}, {0, 4}} {
		rows, n := s[0], s[1]
		x, dy, w, b := randOf[T](r, rows*n), randOf[T](r, rows*n), randOf[T](r, n), randOf[T](r, n)
		key, ch := func(i int) int { return i / n }, func(i int) int { return i % n }
		for _, p := range pools(t) {
			for _, rms := range []bool{false, true} {
				y, mean, inv := make([]T, len(x)), make([]T, rows), make([]T, rows)
				LayerNorm(p, y, mean, inv, x, w, b, rows, n, 1e-3, rms)
				want := refNorm(to64(x), to64(dy), to64(w), to64(b), key, ch, 1e-3, rms, false, nil)
				closeTo(t, "layer norm", y, want.y, tol)
				closeTo(t, "mean", mean, byKey(want.mean, rows), tol)
				closeTo(t, "1/std", inv, byKey(want.inv, rows), tol)
				dx, dw, db := append([]T(nil), dy...), make([]T, n), make([]T, n)
				LayerNormGrad(p, dx, dw, db, x, dx, w, mean, inv, rows, n, rms)
				closeScaled(t, "dx", dx, want.dx, tol, want.scale)
				closeTo(t, "dw", dw, want.dw, tol)
				closeTo(t, "db", db, want.db, tol)
			}
		}
	}
}

func TestNorm(t *testing.T) {
	for name, f := range map[string][2]func(*testing.T){
		"batch": {testBatchNorm[float32], testBatchNorm[float64]},
		"layer": {testLayerNorm[float32], testLayerNorm[float64]},
	} {
		t.Run(name, func(t *testing.T) {
			eachISA(t, f[0])
			f[1](t)
		})
	}
}

func TestChannelAffine(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, hw := range []int{1, 3, 70} {
			x := randF32(rand.New(rand.NewPCG(1, 1)), 2*3*hw)
			s, b, y := []float32{1, -2, 0.5}, []float32{0.5, 1, -1}, make([]float32, len(x))
			for _, then := range []*Clamp{nil, Relu, {-0.25, 0.75}} {
				ChannelAffine(nil, y, x, s, b, 2, 3, hw, then)
				for i, v := range x {
					want := float64(v)*float64(s[i/hw%3]) + float64(b[i/hw%3])
					if then != nil {
						want = min(max(want, float64(then.Lo)), float64(then.Hi))
					}
					if !near(y[i], want, 1, 4e-7) {
						t.Fatalf("hw=%d %+v [%d] = %g, want %g", hw, then, i, y[i], want)
					}
				}
			}
		}
	})
}
