package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// closeTo compares with a tolerance relative to the largest magnitude of want, for results of sums.
func closeTo[T Float](t *testing.T, name string, got []T, want []float64, tol float64) {
	t.Helper()
	closeScaled(t, name, got, want, tol, 0)
}

// closeScaled is closeTo where the sums have terms of magnitude scale, which may cancel.
func closeScaled[T Float](t *testing.T, name string, got []T, want []float64, tol, scale float64) {
	t.Helper()
	for _, w := range want {
		if !math.IsInf(w, 0) && !math.IsNaN(w) {
			scale = max(scale, math.Abs(w))
		}
	}
	for i, w := range want {
		g := float64(got[i])
		if math.IsNaN(w) && math.IsNaN(g) || g == w {
			continue
		}
		if !(math.Abs(g-w) <= tol*scale) {
			t.Fatalf("%s: [%d] = %g, want %g", name, i, g, w)
		}
	}
}

func to64[T Float](x []T) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

func randOf[T Float](r *rand.Rand, n int) []T {
	x := make([]T, n)
	for i := range x {
		x[i] = T(float32(r.NormFloat64()))
	}
	return x
}

// tolOf is a few roundings of T.
func tolOf[T Float]() float64 {
	if T(1)+T(1e-10) == 1 {
		return 2e-6
	}
	return 1e-13
}

var softmaxShapes = [][3]int{{1, 1, 1}, {3, 5, 1}, {2, 17, 1}, {4, 1000, 1}, {2, 3, 7}, {3, 19, 33}, {1, 10, 600}, {2, 2000, 2},
	{0, 4, 1}, {3, 0, 2}, {50, 700, 1}}

// refSoftmax is the probabilities and their logarithms.
func refSoftmax(x []float64, outer, n, inner int) (prob, log []float64) {
	prob, log = make([]float64, len(x)), make([]float64, len(x))
	for o := range outer {
		for i := range inner {
			m, s := -inf, 0.0
			for k := range n {
				m = refMax(m, x[(o*n+k)*inner+i])
			}
			for k := range n {
				s += math.Exp(x[(o*n+k)*inner+i] - m)
			}
			for k := range n {
				j := (o*n+k)*inner + i
				log[j] = x[j] - m - math.Log(s)
				prob[j] = math.Exp(x[j]-m) / s
			}
		}
	}
	return prob, log
}

func testSoftmax[T Float](t *testing.T) {
	r := rand.New(rand.NewPCG(17, 18))
	ps, tol := pools(t), tolOf[T]()
	for _, s := range softmaxShapes {
		outer, n, inner := s[0], s[1], s[2]
		x, dy := randOf[T](r, outer*n*inner), randOf[T](r, outer*n*inner)
		for i := range x {
			x[i] *= 5
			if n > 3 && r.IntN(9) == 0 {
				x[i] = T(-inf)
			}
		}
		prob, log := refSoftmax(to64(x), outer, n, inner)
		dprob, dlog := make([]float64, len(x)), make([]float64, len(x))
		for i := range x {
			for k := range n {
				j := (i/(n*inner)*n+k)*inner + i%inner
				dprob[i] -= float64(dy[j]) * prob[j]
				dlog[i] -= float64(dy[j])
			}
			dprob[i] = prob[i] * (float64(dy[i]) + dprob[i])
			dlog[i] = float64(dy[i]) + prob[i]*dlog[i]
		}
		for _, p := range ps {
			y, d := make([]T, len(x)), make([]T, len(x))
			Softmax(p, y, x, outer, n, inner, false)
			closeTo(t, "softmax", y, prob, tol)
			SoftmaxGrad(p, d, y, dy, outer, n, inner, false)
			closeTo(t, "softmax gradient", d, dprob, 4*tol)
			copy(y, x)
			Softmax(p, y, y, outer, n, inner, true)
			closeTo(t, "log softmax", y, log, tol)
			copy(d, dy)
			SoftmaxGrad(p, d, y, d, outer, n, inner, true)
			closeTo(t, "log softmax gradient", d, dlog, 4*tol)
		}

		// Cross-entropy, with weights and with an ignored label.
		labels, weight, dl := make([]int64, outer*inner), randOf[T](r, n), randOf[T](r, outer*inner)
		if n == 0 {
			continue
		}
		loss, dx := make([]float64, len(labels)), make([]float64, len(x))
		for i := range labels {
			labels[i] = int64(r.IntN(n+1)) - 1
			k := labels[i]
			if k < 0 {
				continue
			}
			at := func(j int) int { return (i/inner*n+j)*inner + i%inner }
			if math.IsInf(log[at(int(k))], 0) {
				labels[i] = -1
				continue
			}
			loss[i] = -log[at(int(k))] * float64(weight[k])
			for j := range n {
				dx[at(j)] = float64(dl[i]) * float64(weight[k]) * prob[at(j)]
			}
			dx[at(int(k))] -= float64(dl[i]) * float64(weight[k])
		}
		for _, p := range ps {
			y, logp := make([]T, len(labels)), make([]T, len(x))
			if bad := SoftmaxCrossEntropy(p, y, logp, x, labels, weight, -1, outer, n, inner); bad >= 0 {
				t.Fatalf("label %d is called bad", bad)
			}
			closeTo(t, "cross-entropy", y, loss, tol)
			closeTo(t, "cross-entropy log p", logp, log, tol)
			if bad := SoftmaxCrossEntropyGrad(p, logp, logp, dl, labels, weight, -1, outer, n, inner); bad >= 0 {
				t.Fatalf("label %d is called bad", bad)
			}
			closeTo(t, "cross-entropy gradient", logp, dx, 4*tol)
		}
	}
	y, lab := make([]T, 2), []int32{0, 3}
	if SoftmaxCrossEntropy(nil, y, make([]T, 6), make([]T, 6), lab, nil, NoIgnore, 2, 3, 1) != 1 ||
		SoftmaxCrossEntropyGrad(nil, make([]T, 6), make([]T, 6), y, lab, nil, NoIgnore, 2, 3, 1) != 1 {
		t.Error("a label out of range is not reported")
	}
}

func TestSoftmax(t *testing.T) {
	eachISA(t, testSoftmax[float32])
	testSoftmax[float64](t)
}

func TestSoftmaxNaN(t *testing.T) {
	eachISA(t, func(t *testing.T) {
		for _, s := range [][3]int{{1, 40, 1}, {1, 4, 10}} {
			x, y := make([]float32, 40), make([]float32, 40)
			x[13] = float32(nan)
			Softmax(nil, y, x, s[0], s[1], s[2], false)
			for i, v := range y {
				if hit := s[2] == 1 || i%s[2] == 13%s[2]; (v != v) != hit {
					t.Errorf("%v: [%d] = %g", s, i, v)
				}
			}
		}
	})
}
