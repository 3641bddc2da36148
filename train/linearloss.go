package train

import (
	"context"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/optim"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// linearLoss is Σ wᵢ·Σ_k −t_ik·log p_ik, where t is one at the label, or smoothed, and p the softmax of z.
type linearLoss struct {
	*linear
	x      []float64 // [N,d]
	y      []int64   // [N]; what is no class counts nothing
	weight []float64 // [N]
	smooth float64
	c      optim.Curvature
	z      []float64 // [N,K], scratch
	at, p  []float64 // a point and its probabilities
}

func (o *linearLoss) n() int { return len(o.y) }

// by is a matrix of rows of the given length.
func by(data []float64, cols int) blas64.General {
	return blas64.General{Rows: len(data) / max(1, cols), Cols: cols, Stride: max(1, cols), Data: data}
}

// scores writes α·H·W' + β·b to z, with W and b in w; without b where the layer has one that is not trained and own is false.
func (o *linearLoss) scores(w []float64, own bool) []float64 {
	if o.z == nil {
		o.z = make([]float64, o.n()*o.k)
	}
	if o.trans {
		blas64.Gemm(blas.NoTrans, blas.Trans, o.alpha, by(o.x, o.d), by(w[o.atW:o.atW+o.d*o.k], o.d), 0, by(o.z, o.k))
	} else {
		blas64.Gemm(blas.NoTrans, blas.NoTrans, o.alpha, by(o.x, o.d), by(w[o.atW:o.atW+o.d*o.k], o.k), 0, by(o.z, o.k))
	}
	bias := o.b
	if o.atB >= 0 {
		bias = w[o.atB : o.atB+o.k]
	} else if !own {
		bias = nil
	}
	if bias != nil {
		for i := range o.n() {
			for j, v := range bias {
				o.z[i*o.k+j] += o.beta * v
			}
		}
	}
	return o.z
}

// back writes what e [N,K], by z, is by the trained numbers.
func (o *linearLoss) back(e, out []float64) {
	clear(out)
	dw := out[o.atW : o.atW+o.d*o.k]
	if o.trans {
		blas64.Gemm(blas.Trans, blas.NoTrans, o.alpha, by(e, o.k), by(o.x, o.d), 0, by(dw, o.d))
	} else {
		blas64.Gemm(blas.Trans, blas.NoTrans, o.alpha, by(o.x, o.d), by(e, o.k), 0, by(dw, o.k))
	}
	if o.atB >= 0 {
		for i, v := range e {
			out[o.atB+i%o.k] += o.beta * v
		}
	}
}

// truth is t_ik.
func (o *linearLoss) truth(i, k int) float64 {
	t := o.smooth / float64(o.k)
	if o.y[i] == int64(k) {
		t += 1 - o.smooth
	}
	return t
}

// softmax makes p of z in place, and gives the loss where want is set.
func (o *linearLoss) softmax(z []float64, want bool) (f float64) {
	for i := range o.n() {
		row := z[i*o.k : (i+1)*o.k]
		most, sum := slices.Max(row), 0.0
		for _, v := range row {
			sum += math.Exp(v - most)
		}
		log := most + math.Log(sum)
		counts := want && o.y[i] >= 0 && o.y[i] < int64(o.k)
		for k, v := range row {
			if counts {
				if t := o.truth(i, k); t > 0 {
					f += o.weight[i] * t * (log - v)
				}
			}
			row[k] = math.Exp(v - log)
		}
	}
	return f
}

// Gradient is that at w.
func (o *linearLoss) Gradient(_ context.Context, w, g []float64) (float64, error) {
	p := o.scores(w, true)
	f := o.softmax(p, true)
	for i := range o.n() {
		row := p[i*o.k : (i+1)*o.k]
		if o.y[i] < 0 || o.y[i] >= int64(o.k) {
			clear(row)
			continue
		}
		for k := range row {
			row[k] = o.weight[i] * (row[k] - o.truth(i, k))
		}
	}
	o.back(p, g)
	return f, nil
}

// Product is that of the curvature at w with v.
func (o *linearLoss) Product(_ context.Context, w, v, hv []float64) error {
	if !slices.Equal(o.at, w) {
		o.p = append(o.p[:0], o.scores(w, true)...)
		o.softmax(o.p, false)
		o.at = append(o.at[:0], w...)
	}
	p := o.p
	a := o.scores(v, false)
	for i := range o.n() {
		row, q := a[i*o.k:(i+1)*o.k], p[i*o.k:(i+1)*o.k]
		if o.y[i] < 0 || o.y[i] >= int64(o.k) {
			clear(row)
			continue
		}
		mean, along := 0.0, 0.0
		for k := range row {
			mean += q[k] * row[k]
			along += (q[k] - o.truth(i, k)) * row[k]
		}
		for k := range row {
			switch o.c {
			case optim.Fisher:
				row[k] = o.weight[i] * along * (q[k] - o.truth(i, k))
			case optim.WeightedGN:
				row[k] *= o.weight[i] * q[k]
			default: // the Hessian is the Gauss-Newton matrix
				row[k] = o.weight[i] * q[k] * (row[k] - mean)
			}
		}
	}
	o.back(a, hv)
	return nil
}
