package job

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

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
	Domain      string   `json:"domain"`
	Op          string   `json:"op"`
	Since       []int    `json:"since"`
	Types       []string `json:"types"` // that its first input takes, or its output where it has none; empty: all
	Forward     bool     `json:"forward"`
	Gradient    bool     `json:"gradient"`
	SecondOrder bool     `json:"second_order"`
	JVP         bool     `json:"jvp"` // grad.JVP goes through it
	PerExample  bool     `json:"per_example"`
	Kernels     []string `json:"kernels"` // go and the instruction sets for which it has assembly; empty: those of simpler operators
	Doc         string   `json:"doc"`
	None        bool     `json:"-"` // no gradient can flow through it
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
		o := OperatorRow{Domain: domain, Op: s.Name, Since: s.Since, Types: typesOf(s), Forward: s.HasRun() || s.HasLower(),
			Gradient: s.HasRule() || s.HasGrad() && differentiable(s), PerExample: s.HasPerExample(), Kernels: []string{}, Doc: s.Doc,
			None: !differentiable(s)}
		o.SecondOrder, o.JVP = higher(s)
		if s.HasRun() {
			o.Kernels = append([]string{"go"}, ops.Assembly(s)...)
		}
		r.Ops = append(r.Ops, o)
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
	r := OperatorRow{Domain: "ai.onnx", Op: "Constant", Types: []string{}, Forward: true, Kernels: []string{}, None: true,
		Doc: "https://onnx.ai/onnx/operators/onnx__Constant.html"}
	for v := 1; v <= onnx.LatestOpset; v++ {
		if graph.SinceAt("", "Constant", v) == v {
			r.Since = append(r.Since, v)
		}
	}
	return r
}

// typesOf are the element types or kinds of container that the first input of s takes, or of what has none its output; empty means all.
func typesOf(s *graph.Spec) []string {
	names := []string{}
	formals := slices.Concat(s.In, s.Out)
	if len(formals) == 0 {
		return names
	}
	f := formals[0]
	for _, k := range f.Kinds {
		names = append(names, k.String())
	}
	for _, d := range f.Types {
		names = append(names, d.String())
	}
	return names
}

// higher reports whether the gradient of an operator can be differentiated again, and whether grad.JVP goes through it: it tries, on a
// node with default attributes, and where those are not enough (a size or a type that has no default), with 1 for the numbers that are 0,
// and then with lists of one number for those that are empty; without optional inputs and with all.
func higher(s *graph.Spec) (second, jvp bool) {
	if !s.HasGrad() || len(s.Out) == 0 {
		return false, false
	}
	if s.Control() { // its gradient is of operators with bodies again
		return true, true
	}
	attrs := s.NewAttrs()
	v := reflect.ValueOf(attrs).Elem()
	for try := range 3 {
		for i := range v.NumField() {
			switch f := v.Field(i); {
			case try == 1 && f.CanSet() && f.CanInt() && f.Int() == 0:
				f.SetInt(1)
			case try == 2 && f.CanSet() && f.Kind() == reflect.Slice && f.IsNil() && slices.Contains(numeric, f.Type().Elem().Kind()):
				f.Set(reflect.MakeSlice(f.Type(), 1, 1))
			}
		}
		for _, whole := range []bool{false, true} {
			second, jvp = second || differentiableTwice(s, attrs, whole), jvp || pushes(s, attrs, whole)
		}
	}
	return second, jvp
}

var numeric = []reflect.Kind{reflect.Float32, reflect.Int}

// sample is a graph of one node of operator s, with its optional inputs where whole, and with the inputs that can be differentiated by; nil
// where there can be none.
func sample(s *graph.Spec, attrs any, whole bool) (g *graph.Graph, n *graph.Node, wrt []graph.Value) {
	g = graph.New("")
	b := graph.NewBuilder(g)
	var in []graph.Value
	for _, f := range s.In {
		if f.Optional && !whole {
			in = append(in, 0)
			continue
		}
		d := tensor.Float32
		if len(f.Types) > 0 && !slices.Contains(f.Types, d) {
			d = f.Types[0]
		}
		if f.Kinds != nil && !slices.Contains(f.Kinds, tensor.Plain) {
			if d = tensor.SequenceOf(d); f.Kinds[0] == tensor.Optional {
				d = tensor.OptionalOf(d.Inner())
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
	if n = b.AddNode("n", s, attrs, in, want); len(wrt) == 0 {
		return g, nil, nil
	}
	return g, n, wrt
}

// pushes tries to carry a direction through a node of operator s with these attributes.
func pushes(s *graph.Spec, attrs any, whole bool) bool {
	g, n, wrt := sample(s, attrs, whole)
	if n == nil {
		return false
	}
	var v []graph.Value
	for _, x := range wrt {
		v = append(v, g.AddInput("v", g.Info(x).DType, nil))
	}
	k := max(0, slices.IndexFunc(n.Out, func(y graph.Value) bool { return y != 0 && g.Info(y).DType.Element().IsFloat() }))
	_, err := grad.JVP(g, n.Out[k:k+1], wrt, v, grad.Options{}) // a result that does not depend on it is a known zero
	return err == nil
}

// differentiableTwice tries to differentiate a node of operator s with these attributes, and then its gradient.
func differentiableTwice(s *graph.Spec, attrs any, whole bool) bool {
	g, n, wrt := sample(s, attrs, whole)
	if n == nil {
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

// typeGroups are names for element types that mostly go together, the larger groups first.
var typeGroups = []struct {
	name string
	of   []string
}{
	{"int", []string{"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"}},
	{"float8", []string{"float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz"}},
	{"int to 32 bits", []string{"int8", "int16", "int32", "uint8", "uint16"}},
	{"float", []string{"float32", "float64"}},
	{"4 bits", []string{"int4", "uint4"}},
	{"2 bits", []string{"int2", "uint2"}},
	{"complex", []string{"complex64", "complex128"}},
}

// ShortTypes are the types of an OperatorRow in a few words: "all", "float, int", where float are float32 and float64 (to which half
// precision is widened), int all integers of 8 bits and more.
func ShortTypes(types []string) string {
	if len(types) == 0 {
		return "all"
	}
	var words []string
	left := slices.Clone(types)
	for _, g := range typeGroups {
		if !slices.ContainsFunc(g.of, func(t string) bool { return !slices.Contains(left, t) }) {
			words = append(words, g.name)
			left = slices.DeleteFunc(left, func(t string) bool { return slices.Contains(g.of, t) })
		}
	}
	return strings.Join(append(words, left...), ", ")
}
