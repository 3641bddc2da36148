package tokens

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// follower carries the tokens from a value through the nodes after it, and notes what has to change where there are fewer.
type follower struct {
	v      *view
	prefix int               // tokens in front that are not patches
	at     map[string]layout // of values that have tokens or had some
	fixes  []fix
	terms  []term // multiply-accumulate operations
	rows   map[int]bool
	pooled []string // nodes that take the mean, or another reduction, over the patches
}

// fixKind says how a node changes with the number of tokens.
type fixKind int

const (
	fixShape   fixKind = iota // input at is a shape: that of layout
	fixValue                  // input at is the same for all tokens: one of them, value
	fixEnds                   // input at ends of a Slice: value with the tokens' end open
	fixSplit                  // input at sizes of a Split: value, and what is left for the output rest
	fixPool                   // a mean over the tokens: weighted by how many patches each stands for
	fixCount                  // a Shape, which goes on saying what it said
	fixSoftmax                // a softmax over the tokens: each counts as often as patches it stands for
)

// fix is a change of one input of a node.
type fix struct {
	kind   fixKind
	node   *onnxpb.NodeProto
	at     int
	in     layout // of the data that the node reads
	layout layout // fixShape: of the output
	value  *tensor.Tensor
	axis   int
	rest   int
	token  factor
}

// term is a number of multiply-accumulate operations for one example: coef times the tokens of each of its factors.
type term struct {
	coef   float64
	tokens []factor
}

var elementwise = map[string]bool{}

func init() {
	for _, op := range []string{"Abs", "Acos", "Add", "And", "Asin", "Atan", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "Cast", "CastLike",
		"Ceil",
		"Celu", "Clip", "Cos", "Div", "Dropout", "Elu", "Equal", "Erf", "Exp", "Floor", "Gelu", "Greater", "GreaterOrEqual", "HardSigmoid",
		"HardSwish", "Identity", "IsInf", "IsNaN", "LeakyRelu", "Less", "LessOrEqual", "Log", "Max", "Mean", "Min", "Mish", "Mod", "Mul", "Neg",
		"Not", "Or", "PRelu", "Pow", "QuickGelu", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Sin", "Softplus", "Softsign",
		"Sqrt", "Sub", "Sum", "Swish", "Tan", "Tanh", "ThresholdedRelu", "Where", "Xor", "FastGelu", "BiasGelu"} {
		elementwise[op] = true
	}
}

// layoutOf is what is known of a value.
func (f *follower) layoutOf(name string) (layout, bool) {
	if l, ok := f.at[name]; ok {
		return l, true
	}
	return plain(f.v.shapes[name]), false
}

// tracked reports whether tokens reach the node.
func (f *follower) tracked(n *onnxpb.NodeProto) bool {
	for _, in := range n.GetInput() {
		if l, ok := f.at[in]; ok && len(l.all()) > 0 {
			return true
		}
	}
	return false
}

// node follows one node. It does nothing where no tokens come in, and where no output depends on it.
func (f *follower) node(n *onnxpb.NodeProto) error {
	if !f.v.live[n] {
		return nil
	}
	for _, a := range n.GetAttribute() {
		if a.GetG() == nil && len(a.GetGraphs()) == 0 {
			continue
		}
		for _, c := range captured(n) {
			if l, ok := f.at[c]; ok && len(l.all()) > 0 {
				return f.fail(n, errors.New("tokens go into its body"))
			}
		}
	}
	if !f.tracked(n) {
		return nil
	}
	for _, in := range n.GetInput() {
		if in != "" && f.v.shapes[in] == nil {
			return f.fail(n, fmt.Errorf("the shape of its input %s is not known before it runs", shown.Quote(in)))
		}
	}
	out, err := f.outputs(n)
	if err != nil {
		return f.fail(n, err)
	}
	for i, o := range n.GetOutput() {
		if o == "" || i >= len(out) || out[i] == nil {
			continue
		}
		s, ok := f.v.shapes[o]
		if !ok {
			if len(f.v.reader[o]) == 0 && i > 0 {
				continue
			}
			return f.fail(n, errors.New("the shape of its output is not known before it runs"))
		}
		if len(s) != len(out[i]) {
			return f.fail(n, fmt.Errorf("its output has shape %v", s))
		}
		for k, d := range s {
			if extent(out[i][k]) != d {
				return f.fail(n, fmt.Errorf("its output has shape %v", s))
			}
		}
		f.at[o] = out[i]
	}
	return nil
}

// fail is a RefusedError about n.
func (f *follower) fail(n *onnxpb.NodeProto, err error) error {
	return &RefusedError{Node: label(n), Why: err.Error()}
}

// outputs are the layouts of the outputs of n.
func (f *follower) outputs(n *onnxpb.NodeProto) ([]layout, error) {
	op := n.GetOpType()
	if elementwise[op] {
		l, err := f.broadcast(n, len(f.v.shapes[n.GetOutput()[0]]))
		out := []layout{l}
		if op == "Dropout" {
			out = append(out, l)
		}
		return out, err
	}
	rule, ok := rules[op]
	if !ok {
		return nil, errors.New("it is not known to do the same for each token whatever their number")
	}
	return rule(f, n)
}

// broadcast is the layout of an elementwise result. Inputs without tokens that have one number for each must have the same for all.
func (f *follower) broadcast(n *onnxpb.NodeProto, rank int) (layout, error) {
	out := make(layout, rank)
	for a := range rank {
		for _, in := range n.GetInput() {
			l, _ := f.layoutOf(in)
			if k := a - rank + len(l); in != "" && k >= 0 && len(tokens(l[k])) > 0 {
				if len(tokens(out[a])) > 0 && !slices.Equal(out[a], l[k]) {
					return nil, f.mixed(out[a], l[k])
				}
				out[a] = l[k]
			} else if in != "" && k >= 0 && len(out[a]) == 0 {
				out[a] = l[k]
			}
		}
	}
	for i, in := range n.GetInput() {
		if in == "" {
			continue
		}
		l, known := f.layoutOf(in)
		var same []int // axes along which its numbers must not differ
		for k := range l {
			a := k + rank - len(l)
			if len(tokens(out[a])) > 0 && len(tokens(l[k])) == 0 && extent(l[k]) > 1 {
				same = append(same, k)
			}
		}
		if len(same) == 0 {
			continue
		}
		if known && len(l.all()) > 0 {
			return nil, errors.New("it joins tokens with something of their number that is none")
		}
		value, err := f.alike(in, same)
		if err != nil {
			return nil, err
		}
		f.fixes = append(f.fixes, fix{kind: fixValue, node: n, at: i, value: value})
	}
	return out, nil
}

func (f *follower) mixed(a, b []factor) error {
	x, y := tokens(a)[0], tokens(b)[0]
	if x.seg != y.seg {
		return fmt.Errorf("it joins tokens from before attention layer %d with tokens from after it (a connection across blocks, or "+
			"attention and MLP side by side)", max(x.seg, y.seg))
	}
	return errors.New("it joins tokens with a part of them, or pairs of tokens")
}

// alike is the value called name with one entry along the given axes and that of the batch, which all must be alike.
func (f *follower) alike(name string, axes []int) (*tensor.Tensor, error) {
	t := f.v.constant(name)
	if t == nil {
		x, same, err := f.v.look(name)
		if err != nil {
			return nil, fmt.Errorf("its input %s: %w", shown.Quote(name), err)
		}
		if !same {
			return nil, fmt.Errorf("its input %s has a number for each token and depends on the example (a mask, a connection across "+
				"blocks, or attention and MLP side by side)", shown.Quote(name))
		}
		if t, err = x.Convert(f.v.dtype(name)); err != nil {
			return nil, err
		}
		for k, n := range f.v.shapes[name] {
			if n%batchSize == 0 && !slices.Contains(axes, k) {
				axes = append(axes, k)
			}
		}
	}
	for _, k := range axes {
		one, ok := firstOf(t, k)
		if !ok {
			return nil, fmt.Errorf("its input %s has numbers that differ from token to token (relative or rotary positions, or a mask)",
				shown.Quote(name))
		}
		t = one
	}
	return t, nil
}

// firstOf is t with the first entry along axis k alone, and whether the others are the same.
func firstOf(t *tensor.Tensor, k int) (*tensor.Tensor, bool) {
	s := t.Shape()
	outer, inner := 1, t.DType().Size(1)
	for i, n := range s {
		if i < k {
			outer *= n
		} else if i > k {
			inner *= n
		}
	}
	b := t.Bytes()
	out := make([]byte, 0, outer*inner)
	for o := range outer {
		first := b[o*s[k]*inner : o*s[k]*inner+inner]
		for j := 1; j < s[k]; j++ {
			if from := (o*s[k] + j) * inner; !slices.Equal(first, b[from:from+inner]) {
				return nil, false
			}
		}
		out = append(out, first...)
	}
	shape := slices.Clone(s)
	shape[k] = 1
	x, err := tensor.FromBytes(t.DType(), shape, out)
	return x, err == nil
}
