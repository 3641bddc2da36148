package probe

import (
	"context"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"
)

// Eigenvalue is an estimate of an eigenvalue of the Hessian: some eigenvalue is no farther from Value than Residual, ‖H·u − Value·u‖ for
// the estimated eigenvector u of length 1.
type Eigenvalue struct{ Value, Residual float64 }

// Spectrum is the ends of the spectrum of the Hessian, by Lanczos.
type Spectrum struct {
	Max, Min  Eigenvalue
	Products  int  // with the Hessian
	Converged bool // the residual of Max is below the tolerance
}

// LanczosOptions say how long the iteration goes on.
type LanczosOptions struct {
	Most      int     // products; 0 means 40
	Tolerance float64 // of the residual of the largest eigenvalue, as a share of it; 0 means 0.01
	Seed      uint64  // of the first vector
	Progress  func(done int)
}

// Lanczos finds the largest and the smallest eigenvalue of the Hessian. Vectors are not orthogonalised again: orthogonality to earlier
// ones is lost only as an eigenvalue has converged (Paige 1971), after which it stays what it is, and copies of it do no harm.
//
// Source: Lanczos 1950, https://doi.org/10.6028/jres.045.026; the residual is β·|s| of Parlett, "The Symmetric Eigenvalue Problem",
// section 13.2.
func (l *Landscape) Lanczos(ctx context.Context, o LanczosOptions) (*Spectrum, error) {
	if o.Most == 0 {
		o.Most = 40
	}
	if o.Tolerance == 0 {
		o.Tolerance = 0.01
	}
	vs, err := l.vectors(3)
	if err != nil {
		return nil, err
	}
	before, q, hq := vs[0], vs[1], vs[2]
	rng := rand.New(rand.NewPCG(o.Seed, 0x6c616e637a6f73)) // "lanczos"
	for i := range q {
		q[i] = rng.NormFloat64()
	}
	scale(q, 1/length(q))
	var a, b []float64 // diagonal, and beside it
	s, last := &Spectrum{}, 0.0
	for len(a) < o.Most {
		if err := l.Product(ctx, q, hq); err != nil {
			return nil, err
		}
		alpha := dot(q, hq)
		for i := range hq {
			hq[i] -= alpha*q[i] + last*before[i]
		}
		beta := length(hq)
		if err := finite("the curvature", alpha, beta); err != nil {
			return nil, err
		}
		a = append(a, alpha)
		s.read(a, b, beta)
		if o.Progress != nil {
			o.Progress(len(a))
		}
		// After few products the residual may be small by chance, and where beta is rounding alone the space is used up.
		if s.Converged = s.Max.Residual <= o.Tolerance*math.Abs(s.Max.Value); s.Converged && len(a) >= 4 ||
			beta <= 1e-14*max(math.Abs(s.Max.Value), math.Abs(s.Min.Value)) {
			break
		}
		scale(hq, 1/beta)
		before, q, hq = q, hq, before
		b, last = append(b, beta), beta
	}
	return s, nil
}

// read takes the ends of the spectrum from the tridiagonal matrix of a and b; beta is what would come next.
func (s *Spectrum) read(a, b []float64, beta float64) {
	n := len(a)
	t := mat.NewSymDense(n, nil)
	for i := range n {
		t.SetSym(i, i, a[i])
		if i > 0 {
			t.SetSym(i, i-1, b[i-1])
		}
	}
	var e mat.EigenSym
	s.Products = n
	if !e.Factorize(t, true) {
		s.Max, s.Min = Eigenvalue{math.NaN(), math.NaN()}, Eigenvalue{math.NaN(), math.NaN()}
		return
	}
	var u mat.Dense
	e.VectorsTo(&u)
	values := e.Values(nil)
	s.Min = Eigenvalue{values[0], math.Abs(beta * u.At(n-1, 0))}
	s.Max = Eigenvalue{values[n-1], math.Abs(beta * u.At(n-1, n-1))}
}

func scale(x []float64, a float64) {
	for i := range x {
		x[i] *= a
	}
}
