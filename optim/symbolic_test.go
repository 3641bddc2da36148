package optim

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// numbers is an Algebra that computes: an expression is a row of numbers, a number a row of one.
type numbers struct{ rows [][]float64 }

func (a *numbers) put(x []float64) Expr {
	a.rows = append(a.rows, x)
	return Expr(len(a.rows) - 1)
}

func (a *numbers) each(f func(x, y float64) float64, x, y Expr) Expr {
	p, q := a.rows[x], a.rows[y]
	out := make([]float64, max(len(p), len(q)))
	for i := range out {
		out[i] = f(p[i%len(p)], q[i%len(q)])
	}
	return a.put(out)
}

func (a *numbers) map1(f func(float64) float64, x Expr) Expr {
	return a.each(func(x, _ float64) float64 { return f(x) }, x, x)
}

func (a *numbers) Const(v float64) Expr { return a.put([]float64{v}) }
func (a *numbers) Add(x, y Expr) Expr {
	return a.each(func(x, y float64) float64 { return x + y }, x, y)
}
func (a *numbers) Sub(x, y Expr) Expr {
	return a.each(func(x, y float64) float64 { return x - y }, x, y)
}
func (a *numbers) Mul(x, y Expr) Expr {
	return a.each(func(x, y float64) float64 { return x * y }, x, y)
}
func (a *numbers) Div(x, y Expr) Expr {
	return a.each(func(x, y float64) float64 { return x / y }, x, y)
}
func (a *numbers) Pow(x, y Expr) Expr { return a.each(math.Pow, x, y) }
func (a *numbers) Min(x, y Expr) Expr { return a.each(math.Min, x, y) }
func (a *numbers) Max(x, y Expr) Expr { return a.each(math.Max, x, y) }
func (a *numbers) Sign(x Expr) Expr   { return a.map1(func(x float64) float64 { return sign(x) }, x) }
func (a *numbers) Positive(c, x, y Expr) Expr {
	p, q, r := a.rows[c], a.rows[x], a.rows[y]
	out := make([]float64, max(len(p), len(q), len(r)))
	for i := range out {
		if p[i%len(p)] > 0 {
			out[i] = q[i%len(q)]
		} else {
			out[i] = r[i%len(r)]
		}
	}
	return a.put(out)
}
func (a *numbers) Abs(x Expr) Expr  { return a.map1(math.Abs, x) }
func (a *numbers) Sqrt(x Expr) Expr { return a.map1(math.Sqrt, x) }
func (a *numbers) Sigmoid(x Expr) Expr {
	return a.map1(func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, x)
}
func (a *numbers) SumSquares(x Expr) Expr {
	s := 0.0
	for _, v := range a.rows[x] {
		s += v * v
	}
	return a.put([]float64{s})
}
func (a *numbers) First(t, x, y Expr) Expr {
	if a.rows[t][0] == 1 {
		return x
	}
	return y
}

// TestExpress takes seven steps with each chain of the battery as expressions and as an optimiser, on two parameters of which one does not
// decay. A chain with a rule that cannot be written down says so.
func TestExpress(t *testing.T) {
	each(t, func(t *testing.T, rule string, c Config) {
		o := mustNew(t, rule, c)
		a := &numbers{}
		for r := range o.Rules() {
			if _, ok := r.(Symbolic); !ok {
				if err := o.Express(a, a.Const(1), a.Const(1), nil); err == nil || !strings.Contains(err.Error(), r.Name()) {
					t.Errorf("%s: %v", r.Name(), err)
				}
				return
			}
		}
		ps := []*Param{param("a", []float64{1, -2, 0.5}), param("b", []float64{0.25, 3})}
		ps[1].Decay = false
		vs := make([]*Variable, len(ps))
		for i, p := range ps {
			vs[i] = &Variable{Name: p.Name, Decay: p.Decay, W: a.put(slices.Clone(tensor.Data[float64](p.W)))}
			for range o.Slots() {
				vs[i].Slot = append(vs[i].Slot, a.put(make([]float64, p.W.Len())))
			}
		}
		for n := 1; n <= 7; n++ {
			for i, p := range ps {
				w, g := data[float64](p)
				for k := range g {
					g[k] = w[k]*float64(k+i+1) + math.Sin(float64(n*(k+2)))
				}
				vs[i].G = a.put(slices.Clone(g))
			}
			mustStep(t, o, nil, Step{N: n, LR: 0.05}, ps...)
			if err := o.Express(a, a.Const(float64(n)), a.Const(0.05), vs); err != nil {
				t.Fatal(err)
			}
		}
		for i, p := range ps {
			near(t, p.Name, tensor.Data[float64](p.W), a.rows[vs[i].W], 1e-12)
			for k, slot := range o.Slots() {
				near(t, p.Name+" "+slot, tensor.Data[float64](o.state[p.Name].slots[k]), a.rows[vs[i].Slot[k]], 1e-12)
			}
		}
	})
}

// TestExpressRefuses has a rule that cannot be written down, and a variable without its slots.
func TestExpressRefuses(t *testing.T) {
	a := &numbers{}
	one := a.Const(1)
	o, err := Chain(numericOnly{})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Express(a, one, one, []*Variable{{Name: "w", W: one, G: one}}); err == nil {
		t.Error("a rule without expressions was written down")
	}
	if err := mustNew(t, "adam", Config{}).Express(a, one, one, []*Variable{{Name: "w", W: one, G: one}}); err == nil {
		t.Error("a variable without slots was taken")
	}
}

type numericOnly struct{}

func (numericOnly) Name() string                   { return "numeric" }
func (numericOnly) Slots() []string                { return nil }
func (numericOnly) Update32(Step, *Block[float32]) {}
func (numericOnly) Update64(Step, *Block[float64]) {}
