package train

import (
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/tensor"
)

// tracting is TrAct in a training. Its methods do nothing where it is nil.
type tracting struct {
	lambda float64
	l      *TrActLayer
	x, z   string // values: what the layer reads, and gives
	w      tensor.Shape
	duals  bool // a step may have fewer rows than n, so that the gradients by z are asked for

	// Of the step that is under way.
	rows   *ops.LayerRows
	dual   bool
	moment []float64 // UᵀU
	u, g   []float64 // rows, with dual
	n      int       // rows
	told   bool
}

// prepareTrAct finds the layer.
func (f *fit) prepareTrAct() error {
	if f.c.TrAct == nil {
		return nil
	}
	l, err := f.c.TrAct.Find(f.m, in(f.c.Params))
	if err != nil {
		return err
	}
	p, err := f.m.Param(l.Weight)
	if err != nil {
		return err
	}
	g := f.m.Graph()
	t := &tracting{lambda: f.c.TrAct.Lambda, l: l, w: p.Value.Shape(), x: g.Info(l.Node.In[0]).Name, z: g.Info(l.Node.Out[0]).Name}
	inputs := t.w.Len() / max(1, t.w[0])
	if l.Node.Op != ops.Conv && !l.TransB {
		inputs = t.w[0]
	}
	t.duals = inputs > f.c.BatchSize // of which each has one row at least
	f.tract, f.res.TrAct = t, l
	for r := range f.c.Optimizer.Rules() {
		if r.Name() == "clip-norm" {
			f.note("TrAct: --clip-norm clips what it has made of the gradient of the first layer, which is up to 1/lambda = %.3g times larger "+
				"where the input varies little: choose the bound by that", 1/t.lambda)
		}
	}
	return nil
}

// ask adds to q what the step needs, where the layer is trained.
func (t *tracting) ask(q engine.Query) engine.Query {
	if t == nil || !slices.Contains(q.Grad, t.l.Weight) {
		return q
	}
	q.Fetch = append(slices.Clone(q.Fetch), t.x)
	if t.duals {
		q.Grad = append(slices.Clone(q.Grad), t.z)
	}
	return q
}

// see takes what was fed of a batch, first for the first time: the rows of what is no padding, with gradients of a mean over so many terms.
func (t *tracting) see(f *fit, p feed.Part, first bool, terms float64) error {
	if t == nil || p.Grad(t.l.Weight) == nil {
		return nil
	}
	x := p.Value(t.x)
	var err error
	if t.rows, err = ops.RowsOfLayer(t.l.Node, x.Shape(), t.w, p.Size); err != nil {
		return fmt.Errorf("train: TrAct: %w", err)
	}
	if first {
		n := t.rows.N
		t.u, t.g, t.n = t.u[:0], t.g[:0], 0
		if t.dual = t.duals && t.rows.Each*f.now.size < n; !t.dual {
			if len(t.moment) != n*n {
				s, err := tensor.Make("the second moment of what the first layer reads", tensor.Float64, n, n)
				if err != nil {
					return fmt.Errorf("train: TrAct: %w", err)
				}
				t.moment = tensor.Data[float64](s)
			}
			clear(t.moment)
		}
	}
	k := p.Hi - p.Lo
	t.n += k * t.rows.Each
	if !t.dual {
		t.rows.AddMoment(f.m.Pool(), x, k, t.moment)
		return nil
	}
	t.u = t.rows.AppendRows(x, k, t.u)
	z := p.Grad(t.z)
	if z == nil {
		return fmt.Errorf("train: TrAct: %s has no gradient by what it gives", t.l.Node.Label())
	}
	t.g = t.rows.AppendGradients(z, k, terms, t.g)
	return nil
}

// solve rewrites the gradient of the layer's weight, which is that of a mean over so many terms.
func (t *tracting) solve(f *fit, ps []*optim.Param, terms float64) error {
	if t == nil {
		return nil
	}
	i := slices.IndexFunc(ps, func(p *optim.Param) bool { return p.Name == t.l.Weight })
	if i < 0 || t.rows == nil || t.n == 0 || terms == 0 {
		return nil
	}
	p := ps[i]
	m, n := t.rows.M, t.rows.N
	turned := t.l.Node.Op != ops.Conv && !t.l.TransB
	square, condition := 0.0, 0.0
	var dw []float64
	var err error
	if t.dual {
		for _, v := range t.u {
			square += v * v / float64(len(t.u))
		}
		for i := range t.g {
			t.g[i] /= terms
		}
		dw, condition, err = ops.RidgeDual(f.m.Pool(), t.g, t.u, t.n, m, n, t.lambda, !t.told)
	} else {
		for i := range t.moment {
			t.moment[i] /= float64(t.n)
		}
		for i := range n {
			square += t.moment[i*n+i] / float64(n)
		}
		dw = p.G.Float64s()
		if turned {
			dw = turn(dw, n, m)
		}
		condition, err = ops.Ridge(f.m.Pool(), dw, t.moment, n, t.lambda, !t.told)
	}
	if err != nil {
		return f.diverged(f.step+1, "TrAct: "+err.Error(), nil)
	}
	if turned {
		dw = turn(dw, m, n)
	}
	g := tensor.New(p.G.DType(), p.G.Shape()...)
	if g.DType() == tensor.Float64 {
		copy(tensor.Data[float64](g), dw)
	} else {
		for i, v := range dw {
			g.F32()[i] = float32(v)
		}
	}
	p.G = g
	if !t.told {
		t.tell(f, square, condition)
	}
	return nil
}

// Mean squares of the inputs between which lambda means what the paper means by it.
const lowSquare, highSquare = 0.05, 20

// tell keeps what the first step found, and says so where lambda means little.
func (t *tracting) tell(f *fit, square, condition float64) {
	t.told = true
	l := t.l
	l.Inputs, l.Rows, l.Dual, l.Square, l.Condition = t.rows.N, t.n, t.dual, square, condition
	if !(square >= lowSquare && square <= highSquare) {
		what := "hardly changes what is inverted"
		if square < lowSquare {
			what = "outweighs what the input says"
		}
		f.note("TrAct: the mean square of what %s reads is %.3g, and lambda %g is meant for about 1: it %s. Standardise the inputs (--mean and "+
			"--std, or --standardise), or give a --tract-lambda to match", l.Node.Label(), square, t.lambda, what)
	}
}

// turn is the transpose of a [rows,cols].
func turn(a []float64, rows, cols int) []float64 {
	out := make([]float64, len(a))
	for i := range rows {
		for j := range cols {
			out[j*rows+i] = a[i*cols+j]
		}
	}
	return out
}

// String says what the first step found.
func (l *TrActLayer) String() string {
	form := "n"
	if l.Dual {
		form = "N"
	}
	if math.IsNaN(l.Square) {
		return l.Node.Label()
	}
	return fmt.Sprintf("%s: n = %d inputs, N = %d rows, a system of %s equations of condition %.3g, mean square of the inputs %.3g",
		l.Node.Label(),
		l.Inputs, l.Rows, form, l.Condition, l.Square)
}
