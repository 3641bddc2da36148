package job

import (
	"cmp"
	"reflect"
	"slices"

	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/registry"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// OperatorsConfig says which operators are listed.
type OperatorsConfig struct {
	Names   []string // nil means all
	Private bool     // gtk's own operators, of gradients and fusions, too
}

// OperatorsReport is the table of operators.
type OperatorsReport struct {
	Schema string        `json:"schema"`
	Ops    []OperatorRow `json:"ops"`
}

// OperatorRow is one definition of an operator.
type OperatorRow struct {
	Domain      string `json:"domain"`
	Op          string `json:"op"`
	Since       []int  `json:"since"`
	Forward     bool   `json:"forward"`
	Gradient    bool   `json:"gradient"`
	SecondOrder bool   `json:"second_order"`
	PerExample  bool   `json:"per_example"`
	Doc         string `json:"doc"`
	None        bool   `json:"-"` // no gradient can flow through it
}

// Operators lists the operators that run, and what can be differentiated.
func Operators(c OperatorsConfig) (*OperatorsReport, error) {
	want := map[string]bool{}
	for _, a := range c.Names {
		want[a] = true
	}
	r := &OperatorsReport{Schema: "gtk.ops/1", Ops: []OperatorRow{}}
	seen := map[string]bool{}
	if len(want) == 0 || want["Constant"] {
		seen["Constant"] = true
		r.Ops = append(r.Ops, constantRow())
	}
	for _, s := range ops.Standard.All() {
		if s.Domain == ops.Private && !c.Private || len(want) > 0 && !want[s.Name] {
			continue
		}
		seen[s.Name] = true
		domain := s.Domain
		if domain == "" {
			domain = "ai.onnx"
		}
		r.Ops = append(r.Ops, OperatorRow{domain, s.Name, s.Since, s.HasRun() || s.HasLower(), s.HasRule() || s.HasGrad() && differentiable(s),
			secondOrder(s), s.HasPerExample(), s.Doc, !differentiable(s)})
	}
	slices.SortStableFunc(r.Ops, func(a, b OperatorRow) int { return cmp.Or(cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Op, b.Op)) })
	for name := range want {
		if !seen[name] {
			var names []string
			for _, s := range ops.Standard.All() {
				names = append(names, s.Name)
			}
			slices.Sort(names)
			return nil, usagef("there is no operator %q%s; see gtk ops", name, registry.Hint(name, slices.Compact(names)))
		}
	}
	return r, nil
}

// Names is the number of operators, each counted once however many definitions it has, and of those with a gradient.
func (r *OperatorsReport) Names() (all, gradient int) {
	has := map[string]bool{}
	for _, o := range r.Ops {
		name := o.Domain + "." + o.Op
		has[name] = has[name] || o.Gradient
	}
	for _, g := range has {
		gradient += b2i(g)
	}
	return len(has), gradient
}

// constantRow is the operator that becomes a constant when a model is loaded, and so has no definition.
func constantRow() OperatorRow {
	r := OperatorRow{Domain: "ai.onnx", Op: "Constant", Forward: true, None: true,
		Doc: "https://onnx.ai/onnx/operators/onnx__Constant.html"}
	for v := 1; v <= onnx.LatestOpset; v++ {
		if graph.SinceAt("", "Constant", v) == v {
			r.Since = append(r.Since, v)
		}
	}
	return r
}

// secondOrder reports whether the gradient of an operator can be differentiated again: it tries, on a node with default attributes, and
// where those are not enough (a size or a type that has no default), with 1 for the numbers that are 0; without optional inputs and with
// all.
func secondOrder(s *graph.Spec) bool {
	if !s.HasGrad() || len(s.Out) == 0 {
		return false
	}
	if s.Control() { // its gradient is of operators with bodies again
		return true
	}
	attrs := s.NewAttrs()
	if differentiableTwice(s, attrs, false) || differentiableTwice(s, attrs, true) {
		return true
	}
	v := reflect.ValueOf(attrs).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.CanSet() && f.CanInt() && f.Int() == 0 {
			f.SetInt(1)
		}
	}
	return differentiableTwice(s, attrs, false) || differentiableTwice(s, attrs, true)
}

// differentiableTwice tries to differentiate a node of operator s with these attributes, and its optional inputs where whole, and then its
// gradient.
func differentiableTwice(s *graph.Spec, attrs any, whole bool) bool {
	g := graph.New("")
	b := graph.NewBuilder(g)
	var in, wrt []graph.Value
	for _, f := range s.In {
		if f.Optional && !whole {
			in = append(in, 0)
			continue
		}
		d := tensor.Float32
		if len(f.Types) > 0 && !slices.Contains(f.Types, d) {
			d = f.Types[0]
		}
		if len(f.Kinds) > 0 {
			switch f.Kinds[0] {
			case tensor.Sequence:
				d = tensor.SequenceOf(d)
			case tensor.Optional:
				d = tensor.OptionalOf(d)
			}
		}
		v := g.AddInput(f.Name, d, nil)
		in = append(in, v)
		if graph.Differentiable(d) && !f.NoGrad {
			wrt = append(wrt, v)
		}
	}
	for len(in) > 0 && in[len(in)-1] == 0 {
		in = in[:len(in)-1]
	}
	want := []bool{true}
	for _, f := range s.Out[min(1, len(s.Out)):] {
		if !f.Optional {
			want = append(want, true)
		}
	}
	n := b.AddNode("n", s, attrs, in, want)
	if n == nil || len(wrt) == 0 {
		return false
	}
	dx, err := grad.Reverse(g, []grad.Seed{{Y: n.Out[0], DY: g.AddInput("dy", g.Info(n.Out[0]).DType, nil)}}, wrt, grad.Options{})
	if err != nil {
		return false
	}
	var seeds []grad.Seed
	for _, v := range dx {
		if v != 0 {
			seeds = append(seeds, grad.Seed{Y: v, DY: g.AddInput("u", g.Info(v).DType, nil)})
		}
	}
	_, err = grad.Reverse(g, seeds, wrt, grad.Options{})
	return err == nil
}
