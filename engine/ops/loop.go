package ops

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Loop runs its body up to M times while a condition holds. It carries values from one iteration to the next and stacks the body's
// further outputs along a new first axis. Its gradient is a Scan that goes back through the trips that were made: see backward. How many
// they were carries no gradient.
//
// Source: https://onnx.ai/onnx/operators/onnx__Loop.html. Deviation: when there is no iteration, the outputs that would be stacked have
// shape [0].
var Loop = new(graph.Spec)

func init() {
	define(Loop, graph.Def[noAttrs]{
		Name: "Loop", Role: graph.Control, Since: []int{1, 11, 13, 16, 19, 21, 23, 24, 25},
		Doc: "https://onnx.ai/onnx/operators/onnx__Loop.html",
		In: []graph.Formal{
			{Name: "M", Optional: true, NoGrad: true, Types: int64s}, {Name: "cond", Optional: true, NoGrad: true, Types: bools},
			{Name: "v_initial", Optional: true, Variadic: true, Kinds: anyKind},
		},
		Out: []graph.Formal{{Name: "v_final_and_scan_outputs", Variadic: true}}, Bodies: []string{"body"},
		Lead: 1, // whether to go on
		FormalTypes: func(in []tensor.DType) []tensor.DType {
			return append([]tensor.DType{tensor.Int64, tensor.Bool}, in[min(2, len(in)):]...) // the iteration, the condition, the states
		},
		Infer: func(*noAttrs, *graph.InferCtx) error { return graph.ErrAtRun },
		Check: func(_ *noAttrs, n *graph.Node) error {
			b := bodyIndex(n, "body")
			body, states := n.Bodies[b], max(0, n.NumIn-2)
			if body.Formals != 2+states {
				return fmt.Errorf("the body has %d inputs, want %d", body.Formals, 2+states)
			}
			if outs := len(body.G.Outputs); outs < 1+states || outs < 1+len(n.Out) {
				return fmt.Errorf("the body has %d outputs for %d carried values and %d outputs", outs, states, len(n.Out))
			}
			for i, v := range body.G.Outputs[1+states:] {
				if d := body.G.Info(v).DType; d.IsContainer() {
					return fmt.Errorf("output %d of the body is a %v: only tensors are stacked", 1+states+i, d)
				}
			}
			return nil
		},
		Run:  runLoop,
		Flow: func(_ *noAttrs, n *graph.Node) [][]bool { return loopOf(n).flow()[:len(n.Out)] },
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			return loopOf(n).grad(b, dy, need)
		},
	})
}

func loopOf(n *graph.Node) *repeat {
	return &repeat{n: n, k: bodyIndex(n, "body"), lead: n.Op.Lead, first: 2, states: max(0, n.NumIn-2)}
}

func runLoop(_ *noAttrs, c *graph.RunCtx) error {
	trips, cond := math.MaxInt, true
	if c.Node.NumIn > 0 && c.Has(0) {
		if c.In[0].Len() != 1 {
			return fmt.Errorf("input M has %d elements, want 1", c.In[0].Len())
		}
		trips = int(c.In[0].I64()[0])
	}
	if c.Node.NumIn > 1 && c.Has(1) {
		if c.In[1].Len() != 1 {
			return fmt.Errorf("the condition has %d elements, want 1", c.In[1].Len())
		}
		cond = tensor.Data[bool](c.In[1])[0]
	}
	var state []*tensor.Tensor
	for _, t := range c.In[min(2, c.Node.NumIn):c.Node.NumIn] {
		state = append(state, t.Clone()) // the outer graph may reuse the storage
	}
	body := bodyIndex(c.Node, "body")
	var stacks [][]*tensor.Tensor
	if n := len(c.Node.Out) - len(state); n > 0 {
		stacks = make([][]*tensor.Tensor, n)
	}
	kept := 0 // bytes in stacks, with what a tensor takes beside its elements
	carried := 0
	for i := 0; i < trips && cond; i++ {
		if err := c.Trip(); err != nil {
			return err
		}
		in := append([]*tensor.Tensor{tensor.Scalar(int64(i)), tensor.Scalar(cond)}, state...)
		if err := asOptionals(c.Node.Bodies[body].G, in); err != nil {
			return fmt.Errorf("iteration %d: %w", i, err)
		}
		out, err := c.Body(body, in)
		if err != nil {
			return fmt.Errorf("iteration %d: %w", i, err)
		}
		if out[0].DType() != tensor.Bool || out[0].Len() != 1 {
			return fmt.Errorf("iteration %d: the condition is %v, want one bool", i, out[0])
		}
		cond = tensor.Data[bool](out[0])[0]
		before := carried
		carried = 0
		for k := range state {
			carried += out[1+k].StorageBytes()
		}
		if err := c.Budget(kept + before + carried); err != nil {
			return fmt.Errorf("iteration %d: %w", i, err)
		}
		for k := range state {
			state[k] = out[1+k].Clone()
		}
		for k := range stacks {
			if c.Want(len(state) + k) {
				t := out[1+len(state)+k]
				kept += 2*graph.StorageBytes(t.DType(), t.Len()) + tensor.Overhead
				if err := c.Budget(kept + carried); err != nil {
					return fmt.Errorf("iteration %d: %w", i, err)
				}
				stacks[k] = append(stacks[k], t.Clone())
			}
		}
	}
	for k, t := range state {
		c.SetOut(k, t)
	}
	for k, parts := range stacks {
		if !c.Want(len(state) + k) {
			continue
		}
		out := c.Node.Bodies[body].G.Outputs[1+len(state)+k]
		t, err := stack(parts, 0, c.Node.Bodies[body].G.Info(out).DType)
		if err != nil {
			return fmt.Errorf("output %d: %w%s", len(state)+k, err, keptHint(c.Node.Bodies[body].G, out))
		}
		c.SetOut(len(state)+k, t)
	}
	return nil
}

// asOptionals makes optionals of what the body takes as such: a state may begin as none and be a value from the first trip on.
func asOptionals(body *graph.Graph, in []*tensor.Tensor) error {
	for k, t := range in {
		if want := body.Info(body.Inputs[k]).DType; want != t.DType() && want == tensor.OptionalOf(t.DType()) {
			o, err := tensor.NewOptional(t.DType(), t)
			if err != nil {
				return err
			}
			in[k] = o
		}
	}
	return nil
}

// stack joins tensors of one shape along a new axis.
func stack(parts []*tensor.Tensor, at int, d tensor.DType) (*tensor.Tensor, error) {
	if len(parts) == 0 {
		return tensor.New(d, 0), nil
	}
	s := parts[0].Shape()
	k, err := axis(at, len(s)+1)
	if err != nil {
		return nil, err
	}
	shape, err := inserted(s, []int{k})
	if err != nil {
		return nil, err
	}
	one := shape
	shape = append(tensor.Shape{}, shape...)
	shape[k] = len(parts)
	if _, err := shape.CheckedLen(d); err != nil {
		return nil, err
	}
	out := tensor.New(d, shape...)
	st := strides(shape)
	for i, p := range parts {
		if !p.Shape().Equal(s) {
			return nil, fmt.Errorf("iteration 0 gave shape %v, iteration %d %v", s, i, p.Shape())
		}
		copyStrided(nil, out, p, walk{ext: one, ds: st, ss: strides(one), do: i * st[k]})
	}
	return out, nil
}
