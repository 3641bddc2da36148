package ops

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// SequenceMap runs its body for each element of a sequence, and of further sequences as long; other inputs are the same each time. Each
// output is the sequence of what the body gave. Its gradient is a SequenceMap: see gradSequenceMap.
//
// Source: https://onnx.ai/onnx/operators/onnx__SequenceMap.html
var SequenceMap = new(graph.Spec)

// SumItems is the sum of a sequence of tensors of one shape; of an empty one zeros in the shape of like.
var SumItems = new(graph.Spec)

func init() {
	define(SequenceMap, graph.Def[noAttrs]{
		Name: "SequenceMap", Role: graph.Control, Since: []int{17}, Doc: "https://onnx.ai/onnx/operators/onnx__SequenceMap.html",
		In: []graph.Formal{{Name: "input_sequence", Kinds: sequences},
			{Name: "additional_inputs", Optional: true, Variadic: true, Kinds: []tensor.Kind{tensor.Plain, tensor.Sequence}}},
		Out: []graph.Formal{{Name: "out_sequence", Variadic: true}}, Bodies: []string{"body"}, Listed: true,
		FormalTypes: func(in []tensor.DType) []tensor.DType {
			types := slices.Clone(in)
			for i, d := range types {
				types[i] = d.Inner()
			}
			return types
		},
		Infer: atRun[noAttrs],
		Check: func(_ *noAttrs, n *graph.Node) error {
			b := n.Bodies[0]
			if b.Formals != n.NumIn {
				return fmt.Errorf("the body has %d inputs, want %d", b.Formals, n.NumIn)
			}
			if len(b.G.Outputs) < len(n.Out) {
				return fmt.Errorf("the body has %d outputs, the node has %d", len(b.G.Outputs), len(n.Out))
			}
			for i, v := range b.G.Outputs {
				if d := b.G.Info(v).DType; d.IsContainer() {
					return fmt.Errorf("output %d of the body is a %v, want a tensor", i, d)
				}
			}
			return nil
		},
		Run:  runSequenceMap,
		Flow: func(_ *noAttrs, n *graph.Node) [][]bool { return sequenceMapFlow(n) },
		Grad: gradSequenceMap,
	})
	define(SumItems, graph.Def[noAttrs]{
		Domain: Private, Name: "SumItems", Since: []int{1}, Doc: "sum of the elements of a sequence",
		In:  []graph.Formal{{Name: "items", Kinds: sequences}, {Name: "like", NoGrad: true, Types: floats}},
		Out: []graph.Formal{{Name: "sum"}}, Types: typeOf[noAttrs](1),
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			c.Out(0, c.Shape(1)...)
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			sum := tensor.New(c.Out[0].DType(), c.Out[0].Shape()...)
			for _, t := range c.In[0].Items() {
				var err error
				if sum, err = addItems(sum, t); err != nil {
					return err
				}
			}
			copy(c.Out[0].Bytes(), sum.Bytes())
			return nil
		},
		Lower: lowerSumItems,
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, b.Add(RepeatItems, nil, n.In[0], dy[0])), nil
		},
	})
	define(RepeatItems, graph.Def[noAttrs]{
		Domain: Private, Name: "RepeatItems", Since: []int{1}, Doc: "gradient of SumItems",
		In:  []graph.Formal{{Name: "like", Kinds: sequences, NoGrad: true}, {Name: "dY", Types: floats}},
		Out: []graph.Formal{{Name: "dX"}}, Infer: atRun[noAttrs],
		Types: func(_ *noAttrs, in, out []tensor.DType) error {
			out[0] = tensor.SequenceOf(in[1])
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			items, one := make([]*tensor.Tensor, len(c.In[0].Items())), c.In[1].Clone()
			for i := range items {
				items[i] = one
			}
			return setSequence(c, one.DType(), items)
		},
		Lower: lowerRepeatItems,
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 1, b.Add(SumItems, nil, dy[0], n.In[1])), nil
		},
	})
}

// RepeatItems is the sequence that has dY as often as like has elements: the gradient of SumItems.
var RepeatItems = new(graph.Spec)

func runSequenceMap(_ *noAttrs, c *graph.RunCtx) error {
	n := len(c.In[0].Items())
	for i, t := range c.In[:c.Node.NumIn] {
		if t == nil {
			return fmt.Errorf("input %d is missing", i)
		}
		if t.DType().IsContainer() && len(t.Items()) != n {
			return fmt.Errorf("input %d is a sequence of %d, input 0 one of %d", i, len(t.Items()), n)
		}
	}
	lists := make([][]*tensor.Tensor, len(c.Node.Out))
	kept := 0
	for k := range n {
		if err := c.Trip(); err != nil {
			return err
		}
		in := make([]*tensor.Tensor, c.Node.NumIn)
		for i, t := range c.In[:c.Node.NumIn] {
			if in[i] = t; t.DType().IsContainer() {
				in[i] = t.Items()[k]
			}
		}
		out, err := c.Body(0, in)
		if err != nil {
			return fmt.Errorf("element %d: %w", k, err)
		}
		for o := range lists {
			if !c.Want(o) {
				continue
			}
			kept += out[o].StorageBytes() + tensor.Overhead
			if err := c.Budget(kept); err != nil {
				return fmt.Errorf("element %d: %w", k, err)
			}
			lists[o] = append(lists[o], out[o].Clone())
		}
	}
	body := c.Node.Bodies[0].G
	for o, list := range lists {
		s, err := tensor.NewSequence(body.Info(body.Outputs[o]).DType, list...)
		if err != nil {
			return err
		}
		c.SetOut(o, s)
	}
	return nil
}

// sequenceMapFlow is what the body carries from its inputs to its outputs.
func sequenceMapFlow(n *graph.Node) [][]bool {
	g := n.Bodies[0].G
	return graph.Carries(g, g.Inputs, g.Outputs[:len(n.Out)])
}

// gradSequenceMap adds a SequenceMap over the elements of the inputs and of the gradients of the outputs, whose body computes the body
// again and goes back through it. What each element says of an input that is the same for all is summed.
func gradSequenceMap(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
	c, err := closureOf(n, 0)
	if err != nil {
		return nil, err
	}
	outs := slices.Clone(c.G.Outputs)
	in := slices.Clone(n.In[:n.NumIn])
	formals, inner := slices.Clone(c.G.Inputs[:c.Formals]), slices.Clone(c.G.Inputs[c.Formals:])
	var ys, dys []graph.Value
	for o, d := range dy {
		if d == 0 {
			continue
		}
		f := c.G.AddInput("", c.G.Info(outs[o]).DType, nil)
		formals, in = append(formals, f), append(in, d)
		ys, dys = append(ys, outs[o]), append(dys, f)
	}
	c.G.Inputs, c.Formals = slices.Concat(formals, inner), len(formals)
	at := map[graph.Value][]int{} // inputs of n that want a gradient, by what stands for them in the body
	var wrt []graph.Value
	for i := range n.In {
		if !need[i] {
			continue
		}
		v := formals[min(i, n.NumIn-1)]
		if i >= n.NumIn {
			v = inner[i-n.NumIn]
		}
		wrt, at[v] = append(wrt, v), append(at[v], i)
	}
	ds, err := b.Reverse(c.G, ys, dys, wrt)
	if err != nil {
		return nil, err
	}
	dx := make([]graph.Value, len(n.In))
	c.G.Outputs = nil
	var found []int
	for k, v := range wrt {
		if ds[k] != 0 {
			c.G.Outputs, found = append(c.G.Outputs, ds[k]), append(found, at[v]...)
		}
	}
	if len(found) == 0 {
		return dx, nil
	}
	m := b.AddControl("", SequenceMap, nil, in, allOf(len(found)), []*graph.Body{c.Body}, c.captured)
	if m == nil {
		return nil, b.Err()
	}
	m.Prune()
	for k, i := range found {
		if dx[i] = m.Out[k]; i >= n.NumIn || !b.DType(n.In[i]).IsContainer() {
			dx[i] = b.Add(SumItems, nil, m.Out[k], n.In[i])
		}
	}
	return dx, nil
}
