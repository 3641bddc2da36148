package optim

import (
	"math"

	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	register(Info{
		Name: "muon", LR: 1e-3, Decay: 0.1, Decoupled: true,
		Doc:    "Muon: the momentum of a matrix made orthogonal; parameters of one axis by AdamW; weight decay 0.1 unless given",
		Source: "https://arxiv.org/abs/2502.16982 section 2",
		make: func() Rule {
			return &muon{Momentum: 0.95, Nesterov: true, Iterations: 5, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8}
		},
	})
}

// muon is u ← 0.2·√max(rows, columns)·O with O about the nearest orthogonal matrix of buf, or with Nesterov of u + μ·buf, where buf ←
// μ·buf + u; a parameter of more than two axes is a matrix whose rows are its first axis. O is found by the iteration X ← a·X + (b·XXᵀ
// + c·(XXᵀ)²)·X from X/‖X‖, with (a, b, c) = (3.4445, −4.7750, 2.0315). The factor makes a step as long as one of AdamW, which takes
// the parameters of one axis, so that both have one learning rate.
//
// Source: Jordan et al., https://kellerjordan.github.io/posts/muon/, with the factor of Liu et al.,
// https://arxiv.org/abs/2502.16982, equation 4. Those leave embeddings and the last layer to AdamW too; here every matrix is one. Products
// are of the type of the parameter, not bfloat16.
type muon struct {
	Momentum   float64 `opt:"momentum" range:"[0, 1)" doc:"momentum"`
	Nesterov   bool    `opt:"nesterov" doc:"Nesterov's momentum"`
	Iterations int     `opt:"muon-iterations" range:"[1, 100]" doc:"iterations that make a matrix orthogonal"`
	Beta1      float64 `opt:"beta1" range:"[0, 1)" doc:"decay of the mean gradient"`
	Beta2      float64 `opt:"beta2" range:"[0, 1)" doc:"decay of the mean squared gradient"`
	Eps        float64 `opt:"eps" range:"[0, ∞)" doc:"added to the denominator"`
}

func (r *muon) Name() string    { return "muon" }
func (r *muon) Slots() []string { return []string{"buf", "v"} }

// SlotShape is the momentum, or AdamW's m, and AdamW's v where there is one axis.
func (r *muon) SlotShape(i int, s tensor.Shape) tensor.Shape {
	if i == 1 && len(s) > 1 {
		return tensor.Shape{0}
	}
	return s
}

func (r *muon) Rewrite32(p *parallel.Pool, s Step, b *Block[float32]) {
	if len(b.Param.W.Shape()) < 2 {
		r.adam().Update32(s, b)
		return
	}
	muonRewrite(r, p, b)
}

func (r *muon) Rewrite64(p *parallel.Pool, s Step, b *Block[float64]) {
	if len(b.Param.W.Shape()) < 2 {
		r.adam().Update64(s, b)
		return
	}
	muonRewrite(r, p, b)
}

func (r *muon) adam() *adam { return &adam{Beta1: r.Beta1, Beta2: r.Beta2, Eps: r.Eps} }

func muonRewrite[T Float](r *muon, p *parallel.Pool, b *Block[T]) {
	mu, u := T(r.Momentum), b.U
	if len(u) == 0 {
		return
	}
	buf := b.Slot[0]
	for i, g := range u {
		buf[i] = mu*buf[i] + g
		if r.Nesterov {
			u[i] = g + mu*buf[i]
		} else {
			u[i] = buf[i]
		}
	}
	norm := math.Sqrt(sumSquares(u))
	if norm == 0 {
		return
	}
	rows, cols := matrix(b.Param.W.Shape())
	x, wide := make([]T, len(u)), cols >= rows // X is the matrix with its shorter side first
	m, n := min(rows, cols), max(rows, cols)
	turn := func(dst, src []T, rows, cols int) {
		for i := range rows {
			for j := range cols {
				dst[j*rows+i] = src[i*cols+j]
			}
		}
	}
	if wide {
		copy(x, u)
	} else {
		turn(x, u, rows, cols)
	}
	for i := range x {
		x[i] = T(float64(x[i]) / (norm + 1e-7))
	}
	const ca, cb, cc = 3.4445, -4.7750, 2.0315
	square, poly, y := make([]T, m*m), make([]T, m*m), make([]T, len(u))
	for range r.Iterations {
		product(p, false, true, m, m, n, 1, x, x, 0, square)
		copy(poly, square)
		product(p, false, false, m, m, m, cc, square, square, cb, poly)
		copy(y, x)
		product(p, false, false, m, n, m, 1, poly, x, ca, y)
		x, y = y, x
	}
	scale := T(0.2 * math.Sqrt(float64(n)))
	for i := range x {
		x[i] *= scale
	}
	if wide {
		copy(u, x)
	} else {
		turn(u, x, m, n)
	}
}
