package optim

import (
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack"
	"gonum.org/v1/gonum/lapack/lapack64"
)

func init() {
	register(Info{
		Name: "soap", LR: 3e-3, Decay: 0.01, Decoupled: true,
		Doc:    "SOAP: Adam in the eigenvectors of Shampoo's statistics; parameters of one axis by Adam; weight decay 0.01 unless given",
		Source: "https://arxiv.org/abs/2409.11321 algorithm 3",
		make:   func() Rule { return &soap{Beta1: 0.95, Beta2: 0.95, Eps: 1e-8, Every: 10, Largest: 1024} },
	})
}

// soap is u ← Q_L·N·Q_Rᵀ with N = M̂'/(√V̂ + ε), M' = Q_Lᵀ·M·Q_R, M and V as Adam's of the gradient G and of Q_Lᵀ·G·Q_R, where Q_L and
// Q_R are the eigenvectors of L ← β2·L + (1−β2)·GGᵀ and R ← β2·R + (1−β2)·GᵀG. They are found in the first step, and every so many
// steps by a step of the orthogonal iteration, in the order of the eigenvalues. A parameter of more than two axes is a matrix whose
// rows are its first axis.
//
// Source: Vyas et al., https://arxiv.org/abs/2409.11321, algorithms 3 and 4. As in the authors' code the first gradient makes
// eigenvectors and no step: rotated by its own eigenvectors it is diagonal, and Adam would step by the sign of the errors beside the
// diagonal. A side that is longer than the largest allowed stays as it is, for its eigenvectors would cost more than the step.
type soap struct {
	Beta1   float64 `opt:"beta1" range:"[0, 1)" doc:"decay of the mean gradient"`
	Beta2   float64 `opt:"beta2" range:"[0, 1)" doc:"decay of the mean squared gradient"`
	Eps     float64 `opt:"eps" range:"[0, ∞)" doc:"added to the denominator"`
	Every   int     `opt:"soap-every" range:"[1, 1000000]" doc:"steps after which soap's eigenvectors are found anew"`
	Largest int     `opt:"soap-largest" range:"[1, 16384]" doc:"longest side of a matrix that soap takes eigenvectors of"`
}

func (r *soap) Name() string    { return "soap" }
func (r *soap) Slots() []string { return []string{"m", "v", "l", "ql", "r", "qr"} }

// sides are the lengths of the sides that have eigenvectors, 0 for one without.
func (r *soap) sides(s tensor.Shape) (rows, cols int) {
	if len(s) < 2 {
		return 0, 0
	}
	rows, cols = matrix(s)
	if rows > r.Largest {
		rows = 0
	}
	if cols > r.Largest {
		cols = 0
	}
	return rows, cols
}

// SlotShape is that of the parameter, and squares of its sides.
func (r *soap) SlotShape(i int, s tensor.Shape) tensor.Shape {
	if i < 2 {
		return s
	}
	n, cols := r.sides(s)
	if i >= 4 {
		n = cols
	}
	if n == 0 {
		return tensor.Shape{0}
	}
	return tensor.Shape{n, n}
}

func (r *soap) Rewrite32(p *parallel.Pool, s Step, b *Block[float32]) {
	if len(b.Param.W.Shape()) < 2 {
		r.adam().Update32(s, b)
		return
	}
	soapRewrite(r, p, b)
}

func (r *soap) Rewrite64(p *parallel.Pool, s Step, b *Block[float64]) {
	if len(b.Param.W.Shape()) < 2 {
		r.adam().Update64(s, b)
		return
	}
	soapRewrite(r, p, b)
}

func (r *soap) adam() *adam { return &adam{Beta1: r.Beta1, Beta2: r.Beta2, Eps: r.Eps} }

func soapRewrite[T Float](r *soap, p *parallel.Pool, b *Block[T]) {
	if len(b.U) == 0 {
		return
	}
	rows, cols := matrix(b.Param.W.Shape())
	m, v, l, ql, right, qr := b.Slot[0], b.Slot[1], b.Slot[2], b.Slot[3], b.Slot[4], b.Slot[5]
	g := slices.Clone(b.raw())
	b2, n2 := T(r.Beta2), T(1-r.Beta2)
	statistics := func() {
		if len(l) > 0 {
			product(p, false, true, rows, rows, cols, n2, g, g, b2, l)
		}
		if len(right) > 0 {
			product(p, true, false, cols, cols, rows, n2, g, g, b2, right)
		}
	}
	if b.T == 1 {
		statistics()
		eigenvectors(ql, l)
		eigenvectors(qr, right)
		clear(b.U)
		return
	}
	b1, n1 := T(r.Beta1), T(1-r.Beta1)
	for i, u := range b.U {
		m[i] = b1*m[i] + n1*u
	}
	scratch := make([]T, len(g))
	gr, mr := slices.Clone(g), slices.Clone(m)
	rotate(p, gr, scratch, ql, qr, rows, cols, true)
	rotate(p, mr, scratch, ql, qr, rows, cols, true)
	d1, d2 := corrections(r.Beta1, r.Beta2, b.T-1)
	c1, c2, eps := T(d1), T(d2), T(r.Eps)
	for i, x := range gr {
		v[i] = b2*v[i] + n2*x*x
		mr[i] = quotient(c1*mr[i], c2*root(v[i])+eps)
	}
	rotate(p, mr, scratch, ql, qr, rows, cols, false)
	copy(b.U, mr)
	statistics()
	if b.T%r.Every == 0 {
		order := refresh(p, ql, l)
		permute(v, scratch, order, rows, cols, func(i, j int) (int, int) { return order[i], j })
		order = refresh(p, qr, right)
		permute(v, scratch, order, rows, cols, func(i, j int) (int, int) { return i, order[j] })
	}
}

// rotate is x ← Q_Lᵀ·x·Q_R, or back x ← Q_L·x·Q_Rᵀ; a Q without elements changes nothing.
func rotate[T Float](p *parallel.Pool, x, scratch, ql, qr []T, rows, cols int, into bool) {
	if len(ql) > 0 {
		product(p, into, false, rows, cols, rows, 1, ql, x, 0, scratch)
		copy(x, scratch)
	}
	if len(qr) > 0 {
		product(p, false, !into, rows, cols, cols, 1, x, qr, 0, scratch)
		copy(x, scratch)
	}
}

// permute has v at (i, j) be what it is at from(i, j).
func permute[T Float](v, scratch []T, order []int, rows, cols int, from func(i, j int) (int, int)) {
	if order == nil {
		return
	}
	copy(scratch, v)
	for i := range rows {
		for j := range cols {
			k, l := from(i, j)
			v[i*cols+j] = scratch[k*cols+l]
		}
	}
}

// eigenvectors writes those of the symmetric matrix s into the columns of q, that of the largest eigenvalue first.
func eigenvectors[T Float](q, s []T) {
	n := int(math.Sqrt(float64(len(s))))
	if n == 0 {
		return
	}
	a := blas64.Symmetric{N: n, Stride: n, Data: doubles(s), Uplo: blas.Upper}
	w := make([]float64, n)
	work := make([]float64, 1)
	lapack64.Syev(lapack.EVCompute, a, w, work, -1)
	work = make([]float64, int(work[0]))
	if !lapack64.Syev(lapack.EVCompute, a, w, work, len(work)) { // it is not finite: no rotation
		for i := range n {
			q[i*n+i] = 1
		}
		return
	}
	for i := range n {
		for j := range n {
			q[i*n+j] = T(a.Data[i*n+n-1-j])
		}
	}
}

// refresh takes a step of the orthogonal iteration of s from the columns of q, in the order of their eigenvalues, which it returns; nil
// for a q without elements.
func refresh[T Float](p *parallel.Pool, q, s []T) (order []int) {
	n := int(math.Sqrt(float64(len(s))))
	if n == 0 {
		return nil
	}
	sq := make([]T, n*n)
	product(p, false, false, n, n, n, 1, s, q, 0, sq)
	size := make([]float64, n) // estimates of the eigenvalues: the diagonal of QᵀSQ
	order = make([]int, n)
	for j := range n {
		order[j] = j
		for i := range n {
			size[j] += float64(q[i*n+j]) * float64(sq[i*n+j])
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case size[a] > size[b]:
			return -1
		case size[a] < size[b]:
			return 1
		}
		return 0
	})
	a := blas64.General{Rows: n, Cols: n, Stride: n, Data: make([]float64, n*n)}
	for i := range n {
		for j, k := range order {
			a.Data[i*n+j] = float64(sq[i*n+k])
		}
	}
	tau, work := make([]float64, n), make([]float64, 1)
	lapack64.Geqrf(a, tau, work, -1)
	work = make([]float64, int(work[0]))
	lapack64.Geqrf(a, tau, work, len(work))
	lapack64.Orgqr(a, tau, work[:1], -1)
	work = make([]float64, int(work[0]))
	lapack64.Orgqr(a, tau, work, len(work))
	for i, x := range a.Data {
		q[i] = T(x)
	}
	return order
}

func doubles[T Float](x []T) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}
