package optim

import (
	"fmt"
	"math"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// softmaxVectors are traces of AdaGrad and both forms of AdaGradNorm on softmax regression with a bias, in float64; those of the rows are
// of the authors' code. The tests of the batch size in the same file are not of this package.
type softmaxVectors struct {
	X      [][]float64
	Y      []int       `json:"y"`
	W      [][]float64 `json:"W"`
	B      []float64   `json:"b"`
	Norm   float64     `json:"grad_norm_sq"`
	Scalar []linear    `json:"adagradnorm_scalar_lr1_v0=1e-2"`
	Rows   []linear    `json:"adagradnorm_official_code_lr1"`
	Each   []linear    `json:"adagrad_torch_lr0.5_eps1e-10"`
}

// linear is a step of a trace.
type linear struct {
	V, Loss float64
	W       [][]float64
	B       []float64 `json:"b"`
}

func flat(rows [][]float64) (x []float64) {
	for _, r := range rows {
		x = append(x, r...)
	}
	return x
}

// gradient is that of the mean cross-entropy, and the loss.
func (v *softmaxVectors) gradient(w, b, gw, gb []float64) (loss float64) {
	clear(gw)
	clear(gb)
	n, k, d := float64(len(v.X)), len(v.B), len(v.X[0])
	for e, x := range v.X {
		p, sum := make([]float64, k), 0.0
		for i := range p {
			z := b[i]
			for j := range d {
				z += w[i*d+j] * x[j]
			}
			p[i] = math.Exp(z)
			sum += p[i]
		}
		loss -= math.Log(p[v.Y[e]]/sum) / n
		for i := range p {
			q := p[i] / sum
			if i == v.Y[e] {
				q--
			}
			gb[i] += q / n
			for j := range d {
				gw[i*d+j] += q * x[j] / n
			}
		}
	}
	return loss
}

func TestAdaGradVectors(t *testing.T) {
	v := readJSON[softmaxVectors](t, "adadagrad.json")
	for name, c := range map[string]struct {
		rule string
		c    Config
		lr   float64
		want []linear
	}{
		"scalar":  {"adagradnorm", Config{}, 1, v.Scalar},
		"rows":    {"adagradnorm", Config{Options: Values{"adagradnorm-form": "rows"}}, 1, v.Rows},
		"adagrad": {"adagrad", Config{}, 0.5, v.Each},
	} {
		t.Run(name, func(t *testing.T) {
			o := mustNew(t, c.rule, c.c)
			w, b := param("w", flat(v.W)), param("b", v.B)
			w.W, w.G = w.W.Reshape(3, 3), w.G.Reshape(3, 3)
			xw, gw := data[float64](w)
			xb, gb := data[float64](b)
			if len(c.want) < 4 {
				t.Fatal("no trace")
			}
			tol := 1e-12
			if name == "rows" {
				tol = 1e-9 // the authors add a small number to the denominator, which v cannot leave at zero here
			}
			for k, s := range c.want {
				v.gradient(xw, xb, gw, gb)
				if k == 0 {
					near(t, "squared norm", []float64{sumSquares(gw) + sumSquares(gb)}, []float64{v.Norm}, 1e-12)
				}
				mustStep(t, o, nil, Step{k + 1, c.lr}, w, b)
				near(t, fmt.Sprint("W after step ", k+1), xw, flat(s.W), tol)
				near(t, fmt.Sprint("b after step ", k+1), xb, s.B, tol)
				loss := v.gradient(xw, xb, make([]float64, 9), make([]float64, 3))
				near(t, fmt.Sprint("loss after step ", k+1), []float64{loss}, []float64{s.Loss}, tol)
				if name == "scalar" {
					near(t, "v", []float64{report(o)["adagradnorm.v"]}, []float64{s.V}, 1e-12)
				}
			}
		})
	}
}

// The sum of the scalar form is part of the state, and a state without it is refused.
func TestNumbersAreRestored(t *testing.T) {
	o, p := mustNew(t, "adagradnorm", Config{}), param("w", []float64{1, 2})
	tensor.Data[float64](p.G)[0] = 3
	mustStep(t, o, nil, Step{1, 1}, p)
	state := collect(o.State())
	if got := state["adagradnorm.v"]; got == nil || tensor.Data[float64](got)[0] != 9.01 {
		t.Errorf("the state is %v", state)
	}
	other := mustNew(t, "adagradnorm", Config{})
	if err := other.Restore([]*Param{p}, o.State()); err != nil {
		t.Fatal(err)
	}
	if got := report(other)["adagradnorm.v"]; got != 9.01 {
		t.Errorf("restored %v", got)
	}
	fresh := mustNew(t, "adagradnorm", Config{})
	without := func(yield func(string, *tensor.Tensor) bool) { yield("w/t", tensor.Scalar(int64(1))) }
	if err := fresh.Restore([]*Param{p}, without); err == nil {
		t.Error("a state without the number was taken")
	}
	if got := report(fresh)["adagradnorm.v"]; got != 1e-2 {
		t.Errorf("a refused state changed the number to %v", got)
	}
}
