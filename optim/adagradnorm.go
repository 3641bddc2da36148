package optim

import (
	"math"

	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	register(Info{
		Name: "adagradnorm", LR: 1,
		Doc:    "AdaGrad with one number for all parameters, the sum of the squared norms of the gradient, or one for each row",
		Source: "https://arxiv.org/abs/1806.01811 algorithm 1",
		make:   func() Rule { return &adagradNorm{Start: 1e-2, Form: scalarForm} },
	})
}

// Forms of AdaGradNorm.
const (
	scalarForm = "scalar" // the paper's: one number
	rowsForm   = "rows"   // that of the code of AdAdaGrad: one for each output
)

// adagradNorm holds the options of both forms.
//
// Source: Ward, Wu and Bottou, https://arxiv.org/abs/1806.01811, algorithm 1; the rows, https://github.com/timlautk/AdAdaGrad
// adagradnorm.py.
type adagradNorm struct {
	Start float64 `opt:"adagradnorm-start" range:"(0, ∞)" doc:"sum of squared norms before the first step"`
	Form  string  `opt:"adagradnorm-form" choices:"scalar|rows" doc:"one sum for all parameters (scalar), or one for each row (rows)"`
}

func (r *adagradNorm) Name() string { return "adagradnorm" }

func (r *adagradNorm) parts(decay []Rule) []Rule {
	if r.Form == rowsForm {
		return append([]Rule{&rowNorm{start: r.Start}}, decay...)
	}
	return append([]Rule{&scalarNorm{v: r.Start}}, decay...)
}

// scalarNorm is u ← u/√v with v ← v + ‖u‖², the norm of all parameters together.
type scalarNorm struct {
	v     float64
	scale float64
	sums  squares
}

func (r *scalarNorm) Name() string                       { return "adagradnorm" }
func (r *scalarNorm) Slots() []string                    { return nil }
func (r *scalarNorm) Memory() []Number                   { return []Number{{"v", &r.v}} }
func (r *scalarNorm) Measure() (string, float64)         { return "v", r.v }
func (r *scalarNorm) Update32(_ Step, b *Block[float32]) { scaleUpdate(float32(r.scale), b) }
func (r *scalarNorm) Update64(_ Step, b *Block[float64]) { scaleUpdate(r.scale, b) }

func (r *scalarNorm) Begin(p *parallel.Pool, _ Step, us []Pending) error {
	n2, err := r.sums.norm2(p, us)
	if err != nil {
		return err
	}
	r.v += n2
	r.scale = 1 / math.Sqrt(r.v)
	return nil
}

// rowNorm is u ← u/√v for each row of the first axis, with v ← v + ‖u‖² of the row. In a parameter of one axis each element has its own
// sum, of its u²; where it comes after one with as many rows, as a bias after its weight, v is that sum and the v of the row, which is
// what the authors' code does.
type rowNorm struct {
	start float64
	last  []float64 // the v of the parameter before
}

func (r *rowNorm) Name() string    { return "adagradnorm" }
func (r *rowNorm) Slots() []string { return []string{"v"} }

func (r *rowNorm) SlotShape(_ int, s tensor.Shape) tensor.Shape {
	rows, _ := matrix(s)
	return tensor.Shape{rows}
}

func (r *rowNorm) Begin(*parallel.Pool, Step, []Pending) error {
	r.last = r.last[:0]
	return nil
}

func (r *rowNorm) Rewrite32(p *parallel.Pool, _ Step, b *Block[float32]) { rowNormRewrite(r, p, b) }
func (r *rowNorm) Rewrite64(p *parallel.Pool, _ Step, b *Block[float64]) { rowNormRewrite(r, p, b) }

func rowNormRewrite[T Float](r *rowNorm, p *parallel.Pool, b *Block[T]) {
	rows, cols := matrix(b.Param.W.Shape())
	v := b.Slot[0]
	base := func(int) float64 { return r.start }
	if bias := len(b.Param.W.Shape()) < 2; bias && len(r.last) == rows {
		last := r.last
		base = func(i int) float64 { return last[i] }
	}
	eachRow(p, rows, cols, func(i int) {
		u := b.U[i*cols : (i+1)*cols]
		v[i] += T(sumSquares(u))
		c := T(1 / math.Sqrt(base(i)+float64(v[i])))
		for j := range u {
			u[j] *= c
		}
	})
	r.last = r.last[:0]
	if len(b.Param.W.Shape()) >= 2 {
		for _, x := range v {
			r.last = append(r.last, r.start+float64(x))
		}
	}
}
