package optim

import (
	"fmt"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// golden is what testdata/gen/torch_golden.py and reference_golden.py write.
type golden struct {
	W []struct {
		Shape []int
		Data  []float64
	}
	G     [][][]float64
	Cases []struct {
		Rule    string
		LR      float64
		Options map[string]string
		W       [][][]float64
		Kept    [][]float64 // what is to be kept at the end, where that is not W
	}
}

// Rules of PyTorch against PyTorch, the others against a reference that was written from the papers.
func TestAgreesWithPyTorch(t *testing.T)   { agreeAll(t, "torch.json") }
func TestAgreesWithReference(t *testing.T) { agreeAll(t, "reference.json") }

// Every rule is compared with one of them, or with the vectors of its authors.
func TestEveryRuleIsCompared(t *testing.T) {
	seen := map[string]bool{"diffgrad": true}
	for _, file := range []string{"torch.json", "reference.json"} {
		for _, c := range readJSON[golden](t, file).Cases {
			seen[c.Rule] = true
		}
	}
	for name := range handed() {
		if !seen[name] {
			t.Errorf("%s is compared with nothing", name)
		}
	}
}

func agreeAll(t *testing.T, file string) {
	v := readJSON[golden](t, file)
	if len(v.Cases) == 0 {
		t.Fatal("no cases")
	}
	for i := range v.Cases {
		name := fmt.Sprint(v.Cases[i].Rule, v.Cases[i].Options)
		t.Run(name+"/float64", func(t *testing.T) { agree[float64](t, v, i, 1e-12) })
		t.Run(name+"/float32", func(t *testing.T) { agree[float32](t, v, i, 1e-5) })
	}
}

func agree[T Float](t *testing.T, v golden, i int, tol float64) {
	want := v.Cases[i]
	var c Config
	for k, s := range want.Options {
		if err := c.Set(k, s); err != nil {
			t.Fatal(err)
		}
	}
	o := mustNew(t, want.Rule, c)
	var ps []*Param
	for i, w := range v.W {
		p := &Param{Name: fmt.Sprint("w", i), Decay: true}
		p.W = tensor.From(cast[T](w.Data), w.Shape...)
		p.G = tensor.New(p.W.DType(), w.Shape...)
		ps = append(ps, p)
	}
	for n, gs := range v.G {
		for j, g := range gs {
			copy(tensor.Data[T](ps[j].G), cast[T](g))
		}
		mustStep(t, o, nil, Step{n + 1, want.LR}, ps...)
		for j, w := range want.W[n] {
			near(t, fmt.Sprintf("w%d after step %d", j, n+1), tensor.Data[T](ps[j].W), w, tol)
		}
	}
	if err := o.Settle(ps); err != nil {
		t.Fatal(err)
	}
	for j, w := range want.Kept {
		near(t, fmt.Sprintf("w%d to keep", j), tensor.Data[T](ps[j].W), w, tol)
	}
}
