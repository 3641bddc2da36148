package ops

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Einsum multiplies its operands and sums: each axis has a letter in the equation, the result is summed over the letters that it does not
// have. A letter twice in one operand is its diagonal, an ellipsis any axes, aligned at the last, and an axis of extent 1 is broadcast.
// Without "->" the result has the ellipsis and the letters that occur once, sorted.
//
// Source: https://onnx.ai/onnx/operators/onnx__Einsum.html. Deviation: an ellipsis that the result does not have is summed over, as in
// PyTorch; capital letters are letters too.
var Einsum = new(graph.Spec)

// EinsumLike is Einsum in the shape of its first input, like: the result may have a letter twice, where it is zero off the diagonal,
// letters that no operand has, along which it is constant, and it is summed over axes of extent 1. The gradients of Einsum by its operands
// are of this kind, and so are its own. The equation has an arrow.
var EinsumLike = new(graph.Spec)

type einsumAttrs struct {
	Equation string `onnx:"equation,required"`
}

func init() {
	doc := "https://onnx.ai/onnx/operators/onnx__Einsum.html"
	define(Einsum, graph.Def[einsumAttrs]{
		Name: "Einsum", Since: []int{12}, Doc: doc,
		In:  []graph.Formal{{Name: "Inputs", Variadic: true, Types: numeric, Weight: true}},
		Out: []graph.Formal{{Name: "Output"}}, Types: sameOperands[einsumAttrs],
		Check: func(a *einsumAttrs, n *graph.Node) error {
			_, err := parseEinsum(a.Equation, n.NumIn)
			return err
		},
		Infer: func(a *einsumAttrs, c *graph.InferCtx) error {
			shapes := make([]tensor.Shape, len(c.In))
			for i := range c.In {
				shapes[i] = c.Shape(i)
			}
			p, err := a.plan(shapes, nil)
			if err == nil {
				c.Out(0, p.shape...)
			}
			return err
		},
		Run: func(a *einsumAttrs, c *graph.RunCtx) error {
			p, err := a.plan(shapesOf(c.In), nil)
			if err != nil {
				return err
			}
			return p.run(c, c.In)
		},
		Grad: func(a *einsumAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			e, err := parseEinsum(a.Equation, n.NumIn)
			if err != nil {
				return nil, err
			}
			return e.gradients(b, dy[0], n.In[:n.NumIn], need), nil
		},
		PerExample: func(a *einsumAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, in int) (graph.PerExample, error) {
			e, err := parseEinsum(a.Equation, n.NumIn)
			if err != nil {
				return graph.PerExample{}, err
			}
			g, err := e.perExample(b, dy[0], n.In[:n.NumIn], in)
			if err != nil {
				return graph.PerExample{}, err
			}
			return graph.PerExample{Grad: g, Norm2: RowSumSquares(b, g)}, nil
		},
	})
	define(EinsumLike, graph.Def[einsumAttrs]{
		Domain: Private, Name: "EinsumLike", Since: []int{1}, Doc: doc,
		In:  []graph.Formal{{Name: "like", NoGrad: true}, {Name: "Inputs", Variadic: true, Types: floats}},
		Out: []graph.Formal{{Name: "Output"}},
		Types: func(_ *einsumAttrs, in, out []tensor.DType) error {
			out[0] = in[1]
			return oneType(in[1:])
		},
		Infer: func(_ *einsumAttrs, c *graph.InferCtx) error {
			c.Out(0, c.Shape(0)...)
			return nil
		},
		Run: func(a *einsumAttrs, c *graph.RunCtx) error {
			p, err := a.plan(shapesOf(c.In[1:]), c.In[0].Shape())
			if err != nil {
				return err
			}
			return p.run(c, c.In[1:])
		},
		Grad: func(a *einsumAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			e, err := parseEinsum(a.Equation, n.NumIn-1)
			if err != nil {
				return nil, err
			}
			return append([]graph.Value{0}, e.gradients(b, dy[0], n.In[1:n.NumIn], need[1:])...), nil
		},
		Lower: lowerEinsumLike,
	})
	followRules["Einsum"] = (*follower).refuse
}

func shapesOf(ts []*tensor.Tensor) []tensor.Shape {
	out := make([]tensor.Shape, len(ts))
	for i, t := range ts {
		out[i] = t.Shape()
	}
	return out
}

// einsum is an equation with an arrow: the terms of the operands and of the result.
type einsum struct {
	terms []string
	out   string
}

// dots is the ellipsis of a term, in one letter.
const dots = "."

func parseEinsum(equation string, operands int) (*einsum, error) {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("attribute equation %.200q: %s", equation, fmt.Sprintf(format, args...))
	}
	s := strings.ReplaceAll(strings.ReplaceAll(equation, " ", ""), "...", dots)
	left, out, arrow := strings.Cut(s, "->")
	e := &einsum{terms: strings.Split(left, ","), out: out}
	if len(e.terms) != operands {
		return nil, bad("%d terms for %d inputs", len(e.terms), operands)
	}
	for _, t := range append(slices.Clone(e.terms), out) {
		for _, r := range t {
			if r != '.' && !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
				return nil, bad("%q is no letter", r)
			}
		}
		if strings.Count(t, dots) > 1 {
			return nil, bad("a term with more than one ellipsis")
		}
	}
	if !arrow {
		var once []byte
		for r := byte('A'); r <= 'z'; r++ {
			if strings.Count(left, string(r)) == 1 && r != '.' {
				once = append(once, r)
			}
		}
		if e.out = string(once); strings.Contains(left, dots) {
			e.out = dots + e.out
		}
	}
	return e, nil
}

// equation writes terms -> out.
func equation(terms []string, out string) *einsumAttrs {
	return &einsumAttrs{Equation: strings.ReplaceAll(strings.Join(terms, ",")+"->"+out, dots, "...")}
}

// gradients of a scalar by the operands, given dy, that by the result.
func (e *einsum) gradients(b *graph.Builder, dy graph.Value, in []graph.Value, need []bool) []graph.Value {
	dx := make([]graph.Value, len(in))
	for i := range in {
		if !need[i] {
			continue
		}
		terms, vals := e.others(i, dy, in)
		dx[i] = b.Add(EinsumLike, equation(terms, e.terms[i]), append([]graph.Value{in[i]}, vals...)...)
	}
	return dx
}

// others are dy and the operands but i, with their terms.
func (e *einsum) others(i int, dy graph.Value, in []graph.Value) ([]string, []graph.Value) {
	terms := append([]string{e.out}, slices.Delete(slices.Clone(e.terms), i, i+1)...)
	return terms, append([]graph.Value{dy}, slices.Delete(slices.Clone(in), i, i+1)...)
}

// perExample is the gradient by operand i of each example, which are the first axis of the result and of the other operands.
func (e *einsum) perExample(b *graph.Builder, dy graph.Value, in []graph.Value, i int) (graph.Value, error) {
	terms, vals := e.others(i, dy, in)
	if e.out == "" || e.out[0] == '.' {
		return 0, fmt.Errorf("the first axis of the result has no letter: %w", graph.ErrNoGradient)
	}
	batch := e.out[:1]
	for k, t := range terms {
		if k > 0 && strings.Contains(t, batch) && t[:1] != batch {
			return 0, fmt.Errorf("the examples are not the first axis of all operands: %w", graph.ErrNoGradient)
		}
	}
	all := strings.Join(terms, "")
	for k, r := range e.terms[i] {
		if string(r) == batch || r == '.' || !strings.ContainsRune(all, r) || strings.ContainsRune(e.terms[i][:k], r) {
			return 0, fmt.Errorf("the term %q of the parameter has no gradient by example: %w", e.terms[i], graph.ErrNoGradient)
		}
	}
	return b.Add(Einsum, equation(terms, batch+e.terms[i]), vals...), nil
}

// lowerEinsumLike is an Einsum with a unit matrix for each letter that the result has again, then expanded and summed to the shape of like.
func lowerEinsumLike(a *einsumAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	like, vals := n.In[0], slices.Clone(n.In[1:n.NumIn])
	e, err := parseEinsum(a.Equation, len(vals))
	if err != nil {
		return nil, err
	}
	terms, seen := slices.Clone(e.terms), strings.Join(e.terms, "")
	free := func() (string, error) {
		for r := 'a'; r <= 'z'; r++ {
			if !strings.ContainsRune(seen+e.out, r) {
				seen += string(r)
				return string(r), nil
			}
		}
		return "", fmt.Errorf("equation %q leaves no letter: %w", a.Equation, graph.ErrNoGradient)
	}
	out, missing := "", []int{} // the term of the Einsum, and the places of axes that it has not
	split := strings.Index(e.out, dots)
	for k, r := range e.out {
		at := k
		if split >= 0 && k > split {
			at = k - len(e.out)
		}
		l := string(r)
		switch {
		case strings.Contains(out, l) && l != dots:
			twin, err := free()
			if err != nil {
				return nil, err
			}
			size := b.Add(Gather, nil, b.Add(Shape, nil, like), b.Ints(at, at))
			zero := floatScalar(b.DType(vals[0]), 0).Reshape(1)
			terms = append(terms, l+twin)
			vals = append(vals, b.Add(EyeLike, nil, b.Add(ConstantOfShape, &constantOfShapeAttrs{Value: zero}, size)))
			out += twin
		case strings.Contains(strings.Join(terms, ""), l):
			out += l
		case l == dots && k > 0:
			return nil, fmt.Errorf("an ellipsis inside of %q that no operand has: %w", e.out, graph.ErrNoGradient)
		case l != dots:
			if strings.Count(e.out, l) > 1 {
				return nil, fmt.Errorf("a diagonal of %q that no operand has: %w", e.out, graph.ErrNoGradient)
			}
			missing = append(missing, at)
		}
	}
	y := b.Add(Einsum, equation(terms, out), vals...)
	if len(missing) > 0 {
		y = b.Add(Unsqueeze, nil, y, b.Ints(missing...))
	}
	return []graph.Value{sumLike(b, b.Add(Expand, nil, y, b.Add(Shape, nil, like)), like)}, nil
}
