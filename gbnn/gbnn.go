// Package gbnn trains one hidden layer a few units at a time by gradient boosting: each step fits a small network to the pseudo-residuals
// of what was learned before, and all of them together are one network with a hidden layer of sigmoid units, whose first units are a
// network of their own. Package train puts it on a frozen model.
//
// Source: Emami and Martínez-Muñoz 2023, "Sequential Training of Neural Networks with Gradient Boosting", IEEE Access 11,
// https://arxiv.org/abs/1909.12098, and their program, https://github.com/GAA-UAM/GBNN. Deviations: rows are drawn from the seed that is
// given, features are standardised here and the base network's gradient is that of its loss for several outputs too.
package gbnn

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/gtk-onnx/gtk/internal/lbfgs"
	"github.com/gtk-onnx/gtk/internal/parallel"
)

// Loss is what boosting descends. Values F and truths y are [n,k], row by row.
type Loss interface {
	// Start is the constant that boosting begins with, [k].
	Start(y []float64, k int) ([]float64, error)
	// Residuals sets r to the negative gradient of the loss by F.
	Residuals(r, f, y []float64, k int)
	// Rate is the step length along the prediction p of a base network, by one step of Newton's method, times eta.
	Rate(p, f, r, y []float64, k int, eta float64) float64
	// Mean is the mean loss of an example.
	Mean(f, y []float64, k int) float64
}

// small is below what a denominator of Rate counts as none: the step is left out then.
const small = 1e-12

// Options say how units are trained. None has a usual value of its own here.
type Options struct {
	Step      int     // J: units of a base network
	Eta       float64 // shrinks each step
	Subsample float64 // share of the rows that a base network sees, drawn without replacement
	Iters     int     // of L-BFGS at most
	Alpha     float64 // of the penalty alpha/(2n)·‖weights‖² of a base network
	Seed      uint64
}

// Check says what is wrong with o, by the names that people give.
func (o Options) Check() error {
	switch {
	case o.Step < 1:
		return fmt.Errorf("step %d: want at least one unit a step", o.Step)
	case !(o.Eta > 0) || math.IsInf(o.Eta, 0):
		return fmt.Errorf("eta %v: want a positive number", o.Eta)
	case !(o.Subsample > 0 && o.Subsample <= 1):
		return fmt.Errorf("subsample %v: want a share in (0,1]", o.Subsample)
	case o.Iters < 1:
		return fmt.Errorf("iters %d: want at least 1", o.Iters)
	case !(o.Alpha >= 0) || math.IsInf(o.Alpha, 0):
		return fmt.Errorf("alpha %v: want a number of at least 0", o.Alpha)
	}
	return nil
}

// Features are the rows that units see, [N,F], with what standardises them: (x−Mean)·Inv, where Inv is 0 for a constant feature.
type Features struct {
	X         []float32 // [N,F]
	N, F      int
	Mean, Inv []float64 // [F]
}

// Standardise finds Mean and Inv of the rows.
func (x *Features) Standardise() error {
	x.Mean, x.Inv = make([]float64, x.F), make([]float64, x.F)
	for i := range x.N {
		for j, v := range x.row(i) {
			x.Mean[j] += float64(v)
		}
	}
	for j := range x.Mean {
		x.Mean[j] /= float64(x.N)
		if v := x.Mean[j]; v-v != 0 {
			return fmt.Errorf("gbnn: feature %d has NaN or infinity", j)
		}
	}
	for i := range x.N {
		for j, v := range x.row(i) {
			d := float64(v) - x.Mean[j]
			x.Inv[j] += d * d
		}
	}
	for j, v := range x.Inv {
		const noise = 1e-6 // of float32, against the mean
		if s := math.Sqrt(v / float64(x.N)); s > noise*math.Abs(x.Mean[j]) {
			x.Inv[j] = 1 / s
		} else {
			x.Inv[j] = 0
		}
	}
	return nil
}

func (x *Features) row(i int) []float32 { return x.X[i*x.F : (i+1)*x.F] }

// Learner is a base network x -> W·sigmoid(V·x + C) + D on features as they are.
type Learner struct {
	V []float64 // [J,F]
	C []float64 // [J]
	W []float64 // [K,J]
	D []float64 // [K]
}

// Fit trains the base network of a step on the rows of r [N,k] that it draws: by L-BFGS, from
// ½·mean (W·sigmoid(V·x+C)+D − r)² + alpha/(2n)·(‖V‖²+‖W‖²) over standardised features.
func Fit(ctx context.Context, p *parallel.Pool, x *Features, r []float64, k, step int, o Options) (*Learner, error) {
	if err := o.Check(); err != nil {
		return nil, fmt.Errorf("gbnn: %w", err)
	}
	if len(r) != x.N*k || x.N == 0 {
		return nil, errors.New("gbnn: the residuals are not those of the rows")
	}
	const name = 0x67626e6e // "gbnn"
	draw := rand.New(rand.NewPCG(o.Seed^name<<32, uint64(step)))
	b := &base{n: max(1, int(o.Subsample*float64(x.N))), f: x.F, j: o.Step, k: k, alpha: o.Alpha, pool: p}
	rows := sample(draw, x.N, b.n)
	if err := b.take(x, r, rows); err != nil {
		return nil, err
	}
	defer b.grant.Release()
	theta := make([]float64, b.len())
	b.begin(theta, draw)
	at := func(theta, grad []float64) (float64, error) { return b.eval(theta, grad), nil }
	if err := lbfgs.Minimise(ctx, theta, at, lbfgs.Options{Steps: o.Iters}); err != nil {
		return nil, err
	}
	v, c, w, d := b.parts(theta)
	l := &Learner{V: slices.Clone(v), C: slices.Clone(c), W: slices.Clone(w), D: slices.Clone(d)}
	for j := range b.j {
		row := l.V[j*x.F : (j+1)*x.F]
		for i := range row {
			row[i] *= x.Inv[i]
		}
	}
	return l, nil
}

// Shift subtracts what the mean of the features adds to each unit, as V is now: Fit leaves C for features of mean 0.
func (l *Learner) Shift(x *Features) {
	for j := range l.C {
		for i, v := range l.V[j*x.F : (j+1)*x.F] {
			l.C[j] -= v * x.Mean[i]
		}
	}
}

// Hidden sets h [N,J] to the units of l for all rows of x.
func (l *Learner) Hidden(p *parallel.Pool, x *Features, h []float64) {
	units := len(l.C)
	p.For(x.N, 256, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row := x.row(i)
			for j := range units {
				h[i*units+j] = sigmoid(l.C[j] + dot32(l.V[j*x.F:(j+1)*x.F], row))
			}
		}
	})
}

// Outputs sets p [N,K] to what l says for hidden units h [N,J].
func (l *Learner) Outputs(h, p []float64) {
	units, k := len(l.C), len(l.D)
	for i := range len(h) / units {
		for o := range k {
			p[i*k+o] = l.D[o] + dot(l.W[o*units:(o+1)*units], h[i*units:(i+1)*units])
		}
	}
}

// sample draws m of n rows without replacement, in ascending order.
func sample(r *rand.Rand, n, m int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	for i := range m {
		j := i + r.IntN(n-i)
		all[i], all[j] = all[j], all[i]
	}
	all = all[:m]
	slices.Sort(all)
	return all
}

func sigmoid(z float64) float64 { return 1 / (1 + math.Exp(-z)) }

// dot is a·b in four partial sums.
func dot(a, b []float64) float64 {
	var s [4]float64
	b = b[:len(a)]
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s[0] += a[i] * b[i]
		s[1] += a[i+1] * b[i+1]
		s[2] += a[i+2] * b[i+2]
		s[3] += a[i+3] * b[i+3]
	}
	for ; i < len(a); i++ {
		s[0] += a[i] * b[i]
	}
	return s[0] + s[1] + (s[2] + s[3])
}

// dot32 is dot with b in float32.
func dot32(a []float64, b []float32) float64 {
	var s [4]float64
	b = b[:len(a)]
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s[0] += a[i] * float64(b[i])
		s[1] += a[i+1] * float64(b[i+1])
		s[2] += a[i+2] * float64(b[i+2])
		s[3] += a[i+3] * float64(b[i+3])
	}
	for ; i < len(a); i++ {
		s[0] += a[i] * float64(b[i])
	}
	return s[0] + s[1] + (s[2] + s[3])
}
