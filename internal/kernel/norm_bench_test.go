package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// BenchmarkRows measures the loops over rows and planes against plain Go, on bytes read and written once.
func BenchmarkRows(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	const rows, n = 64, 768
	const planes, hw = 64, 56
	x, y, out := randF32(r, planes*hw*hw), randF32(r, planes*hw*hw), make([]float32, planes*hw*hw)
	w, v := randF32(r, n), randF32(r, n)
	mean, inv, vari := make([]float32, rows), make([]float32, rows), make([]float32, rows)
	m1, m2 := make([]float32, len(x)), make([]float32, len(x))
	pool3 := &PoolParams{planes, []int{hw, hw}, []int{hw / 2, hw / 2}, []int{3, 3}, []int{2, 2}, []int{1, 1}, []int{1, 1}, []int{1, 1},
		false, false}
	pool2 := &PoolParams{planes, []int{hw, hw}, []int{hw / 2, hw / 2}, []int{2, 2}, []int{2, 2}, []int{1, 1}, []int{0, 0}, []int{0, 0},
		false, false}
	idx := make([]int32, planes*hw*hw/4)
	for _, c := range []struct {
		name  string
		bytes int
		run   func()
		plain func()
	}{
		{"Softmax", 8 * rows * n, func() { Softmax(nil, out, x, rows, n, 1, false) }, func() {
			for r := range rows {
				x, o := x[r*n:(r+1)*n], out[r*n:(r+1)*n]
				m, s := x[0], float32(0)
				for _, v := range x {
					m = max(m, v)
				}
				for i, v := range x {
					o[i] = float32(math.Exp(float64(v - m)))
					s += o[i]
				}
				for i := range o {
					o[i] /= s
				}
			}
		}},
		{"LayerNorm", 8 * rows * n, func() { LayerNorm(nil, out, mean, inv, x, w, v, rows, n, 1e-5, false) }, func() {
			for r := range rows {
				x, o := x[r*n:(r+1)*n], out[r*n:(r+1)*n]
				var s, q float32
				for _, v := range x {
					s += v
					q += v * v
				}
				s /= n
				q = float32(1 / math.Sqrt(float64(q/n-s*s+1e-5)))
				for i, u := range x {
					o[i] = (u-s)*q*w[i] + v[i]
				}
			}
		}},
		{"LayerNormGrad", 12 * rows * n, func() { LayerNormGrad(nil, out, w, v, x, y, w, mean, inv, rows, n, false) }, nil},
		{"BatchNormTrain", 8 * len(x), func() {
			BatchNormTrain(nil, out, mean, vari, inv, x, w, v, 1, planes, hw*hw, 1e-5, Relu)
		}, nil},
		{"BatchNormGrad", 16 * len(x), func() { BatchNormGrad(nil, out, w, v, x, y, x, w, mean, inv, 1, planes, hw*hw, true) }, nil},
		{"SumColumns", 4 * rows * n, func() { Reduce(nil, ReduceSum, out, x, []int{rows, n}, []int{0}) }, func() {
			clear(out[:n])
			for r := range rows {
				for i, v := range x[r*n : (r+1)*n] {
					out[i] += v
				}
			}
		}},
		{"Sum", 4 * len(x), func() { SumF32(nil, x) }, func() {
			var s float32
			for _, v := range x {
				s += v
			}
			out[0] = s
		}},
		{"Transpose", 8 * len(x), func() { Permute(nil, out, x, []int{planes, hw * hw}, []int{1, 0}) }, func() {
			for i := range planes {
				for j := range hw * hw {
					out[j*planes+i] = x[i*hw*hw+j]
				}
			}
		}},
		{"MaxPool3x3s2", 5 * len(x), func() { MaxPool(nil, out, nil, x, pool3) }, nil},
		{"MaxPool2x2s2", 5 * len(x), func() { MaxPool(nil, out, nil, x, pool2) }, func() {
			const h = hw / 2
			for k := range planes {
				for i := range h {
					for j := range h {
						a := x[k*hw*hw+2*i*hw+2*j:]
						out[(k*h+i)*h+j] = max(a[0], a[1], a[hw], a[hw+1])
					}
				}
			}
		}},
		{"MaxPool2x2s2/index", 6 * len(x), func() { MaxPool(nil, out, idx, x, pool2) }, nil},
		{"AveragePool3x3s2", 5 * len(x), func() { AveragePool(nil, out, x, pool3) }, nil},
		{"Adam", 20 * len(x), func() { AdamF32(out, m1, m2, Adam{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, T: 3}) }, func() {
			for i, g := range out {
				m1[i] = 0.9*m1[i] + 0.1*g
				m2[i] = 0.999*m2[i] + 0.001*g*g
				out[i] = m1[i] / (float32(math.Sqrt(float64(m2[i]))) + 1e-8)
			}
		}},
		{"Momentum", 16 * len(x), func() { MomentumF32(m1, out, SGD{Momentum: 0.9}) }, nil},
		{"ReduceLogSumExp", 4 * rows * n, func() { Reduce(nil, ReduceLogSumExp, out, x, []int{rows, n}, []int{1}) }, nil},
	} {
		for _, i := range ISAs() {
			restore, _ := ForceISA(i)
			b.Run(fmt.Sprintf("%s/%v", c.name, i), func(b *testing.B) {
				b.SetBytes(int64(c.bytes))
				for b.Loop() {
					c.run()
				}
			})
			restore()
		}
		if c.plain != nil {
			b.Run(c.name+"/plain", func(b *testing.B) {
				b.SetBytes(int64(c.bytes))
				for b.Loop() {
					c.plain()
				}
			})
		}
	}
}
