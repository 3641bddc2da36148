package microsoft

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// activation is an elementwise function that ONNX Runtime has fused into the node before it, by its ONNX name; "" is none. Parameters
// that are nil have the defaults of that operator.
type activation struct {
	name               string
	alpha, beta, gamma *float32
}

// fusable has, for each activation that can be fused, its operator and the names of the attributes that take alpha, beta and gamma.
var fusable = map[string]struct {
	op    *graph.Spec
	attrs []string
}{
	"Relu": {op: ops.Relu}, "Tanh": {op: ops.Tanh}, "Sigmoid": {op: ops.Sigmoid}, "Softplus": {op: ops.Softplus},
	"Softsign": {op: ops.Softsign}, "LeakyRelu": {ops.LeakyRelu, []string{"alpha"}}, "Elu": {ops.Elu, []string{"alpha"}},
	"ThresholdedRelu": {ops.ThresholdedRelu, []string{"alpha"}}, "HardSigmoid": {ops.HardSigmoid, []string{"alpha", "beta"}},
	"Selu": {ops.Selu, []string{"alpha", "", "gamma"}}, "HardSwish": {op: ops.HardSwish}, "Gelu": {op: ops.Gelu}, "Clip": {op: ops.Clip},
}

// check is the error of an activation that there is none of.
func (a activation) check() error {
	if _, ok := fusable[a.name]; ok || a.name == "" {
		return nil
	}
	var names []string
	for name := range fusable {
		names = append(names, name)
	}
	slices.Sort(names)
	return fmt.Errorf("attribute activation is %q; supported are %v", a.name, names)
}

// apply is the activation of x.
func (a activation) apply(b *graph.Builder, x graph.Value) graph.Value {
	f := fusable[a.name]
	switch {
	case a.name == "":
		return x
	case f.op == ops.Clip: // alpha and beta are its bounds
		in := []graph.Value{x, 0, 0}
		for i, p := range []*float32{a.alpha, a.beta} {
			if p != nil {
				in[i+1] = b.Scalar(b.DType(x), float64(*p))
			}
		}
		return node(b, ops.Clip, nil, in...)
	}
	attrs := graph.Attrs{}
	for i, p := range []*float32{a.alpha, a.beta, a.gamma} {
		if p != nil && i < len(f.attrs) && f.attrs[i] != "" {
			attrs[f.attrs[i]] = *p
		}
	}
	return node(b, f.op, attrs, x)
}

// gelu is x·Φ(x), or with tanh its approximation.
func gelu(b *graph.Builder, x graph.Value, tanh bool) graph.Value {
	approximate := "none"
	if tanh {
		approximate = "tanh"
	}
	return node(b, ops.Gelu, graph.Attrs{"approximate": approximate}, x)
}

// defineGelu defines an operator that is a function of one input, or of that and a bias that is added to it first.
func defineGelu(s *graph.Spec, name string, in []graph.Formal, f func(b *graph.Builder, x graph.Value) graph.Value) {
	role := graph.Activation
	if len(in) > 1 { // with weights of its own
		role = graph.NoRole
	}
	define(s, graph.Def[noAttrs]{
		Name: name, Role: role, Since: []int{1}, Doc: contrib + name, In: in, Out: []graph.Formal{{Name: "Y"}},
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{f(b, add(b, n.In[0], input(n, 1)))}, nil
		},
	})
}
