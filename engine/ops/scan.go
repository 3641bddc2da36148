package ops

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Scan runs its body for each slice of its scan inputs, carries values from one iteration to the next, and stacks the body's further
// outputs. Its gradient is a Scan in the other direction: see backward. That of version 8 has none.
//
// Source: https://onnx.ai/onnx/operators/onnx__Scan.html. Deviation: when there is no iteration, the outputs that would be stacked have
// shape [0].
var Scan = new(graph.Spec)

// scan8 is the version with a batch axis and sequence lengths.
var scan8 = new(graph.Spec)

type scanAttrs struct {
	NumScanInputs int   `onnx:"num_scan_inputs,required"`
	InAxes        []int `onnx:"scan_input_axes"`
	InDirections  []int `onnx:"scan_input_directions"`
	OutAxes       []int `onnx:"scan_output_axes"`
	OutDirections []int `onnx:"scan_output_directions"`
}

type scan8Attrs struct {
	NumScanInputs int   `onnx:"num_scan_inputs,required"`
	Directions    []int `onnx:"directions"`
}

func init() {
	out := []graph.Formal{{Name: "final_state_and_scan_outputs", Variadic: true}}
	define(Scan, graph.Def[scanAttrs]{
		Name: "Scan", Role: graph.Control, Since: []int{9, 11, 16, 19, 21, 23, 24, 25},
		Doc: "https://onnx.ai/onnx/operators/onnx__Scan.html",
		In:  []graph.Formal{{Name: "initial_state_and_scan_inputs", Variadic: true}}, Out: out, Bodies: []string{"body"},
		FormalTypes: func(in []tensor.DType) []tensor.DType { return in },
		Infer:       func(*scanAttrs, *graph.InferCtx) error { return graph.ErrAtRun },
		Check:       func(a *scanAttrs, n *graph.Node) error { return checkScan(n, a.NumScanInputs, n.NumIn) },
		Run: func(a *scanAttrs, c *graph.RunCtx) error {
			out, err := a.run(c, c.In[:c.Node.NumIn], -1)
			if err != nil {
				return err
			}
			for i, t := range out {
				c.SetOut(i, t)
			}
			return nil
		},
		Flow: func(a *scanAttrs, n *graph.Node) [][]bool { return a.repeat(n).flow()[:len(n.Out)] },
		Grad: func(a *scanAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			return a.repeat(n).grad(b, dy, need)
		},
	})
	define(scan8, graph.Def[scan8Attrs]{
		Name: "Scan", Role: graph.Control, Since: []int{8}, Doc: "https://onnx.ai/onnx/operators/onnx__Scan.html",
		In: []graph.Formal{
			{Name: "sequence_lens", Optional: true, NoGrad: true, Types: int64s}, {Name: "initial_state_and_scan_inputs", Variadic: true},
		},
		Out: out, Bodies: []string{"body"},
		FormalTypes: func(in []tensor.DType) []tensor.DType { return in[min(1, len(in)):] },
		Infer:       func(*scan8Attrs, *graph.InferCtx) error { return graph.ErrAtRun },
		Check:       func(a *scan8Attrs, n *graph.Node) error { return checkScan(n, a.NumScanInputs, n.NumIn-1) },
		Run:         runScan8,
		Flow: func(a *scan8Attrs, n *graph.Node) [][]bool {
			r := repeat{n: n, k: bodyIndex(n, "body"), shift: 1, states: n.NumIn - 1 - a.NumScanInputs}
			return r.flow()[:len(n.Out)]
		},
	})
}

// ScanOver are the attributes of a Scan over that many inputs, from their first index to their last.
func ScanOver(inputs int) any { return &scanAttrs{NumScanInputs: inputs} }

func checkScan(n *graph.Node, scans, inputs int) error {
	b := bodyIndex(n, "body")
	if scans < 1 || scans > inputs {
		return fmt.Errorf("num_scan_inputs is %d of %d inputs", scans, inputs)
	}
	if f := n.Bodies[b].Formals; f != inputs {
		return fmt.Errorf("the body has %d inputs, want %d", f, inputs)
	}
	if outs := len(n.Bodies[b].G.Outputs); outs < len(n.Out) || outs < inputs-scans {
		return fmt.Errorf("the body has %d outputs, the node %d", outs, len(n.Out))
	}
	return nil
}

func (a *scanAttrs) repeat(n *graph.Node) *repeat {
	return &repeat{n: n, k: bodyIndex(n, "body"), states: n.NumIn - a.NumScanInputs, scan: *a}
}

// nth is list[i], or 0 when it is not given.
func nth(list []int, i int) int {
	if i < len(list) {
		return list[i]
	}
	return 0
}

// run scans the inputs, states first, and returns all outputs that the node has. length, when not negative, is the number of steps to do.
func (a *scanAttrs) run(c *graph.RunCtx, in []*tensor.Tensor, length int) ([]*tensor.Tensor, error) {
	if len(in) < a.NumScanInputs {
		return nil, fmt.Errorf("num_scan_inputs is %d of %d inputs", a.NumScanInputs, len(in))
	}
	n := len(in) - a.NumScanInputs
	var state []*tensor.Tensor
	for _, t := range in[:n] {
		state = append(state, t.Clone())
	}
	scans := in[n:]
	axes := make([]int, len(scans))
	steps := -1
	if len(scans) == 0 {
		return nil, errors.New("has no scan inputs")
	}
	for i, t := range scans {
		var err error
		if axes[i], err = axis(nth(a.InAxes, i), t.Rank()); err != nil {
			return nil, fmt.Errorf("scan input %d: %w", i, err)
		}
		if d := t.Dim(axes[i]); steps < 0 {
			steps = d
		} else if d != steps {
			return nil, fmt.Errorf("scan input %d has %d steps, the first %d", i, d, steps)
		}
	}
	if length >= 0 {
		if length > steps {
			return nil, fmt.Errorf("sequence length %d exceeds %d steps", length, steps)
		}
		steps = length
	}
	body := bodyIndex(c.Node, "body")
	stacks := make([][]*tensor.Tensor, max(0, len(c.Node.Out)-n))
	kept, carried := 0, 0
	for step := range steps {
		if err := c.Trip(); err != nil {
			return nil, err
		}
		feeds := slices.Clone(state)
		for i, t := range scans {
			at := step
			if nth(a.InDirections, i) == 1 {
				at = steps - 1 - step
			}
			feeds = append(feeds, entry(t, axes[i], at))
		}
		out, err := c.Body(body, feeds)
		if err != nil {
			return nil, fmt.Errorf("step %d: %w", step, err)
		}
		before := carried
		carried = 0
		for k := range state {
			carried += out[k].StorageBytes()
		}
		if err := c.Budget(kept + before + carried); err != nil {
			return nil, fmt.Errorf("step %d: %w", step, err)
		}
		for k := range state {
			state[k] = out[k].Clone()
		}
		for k := range stacks {
			if !c.Want(n + k) {
				continue
			}
			kept += 2*graph.StorageBytes(out[n+k].DType(), out[n+k].Len()) + tensor.Overhead
			if err := c.Budget(kept + carried); err != nil {
				return nil, fmt.Errorf("step %d: %w", step, err)
			}
			stacks[k] = append(stacks[k], out[n+k].Clone())
		}
	}
	outs := state
	for k, parts := range stacks {
		if !c.Want(n + k) {
			outs = append(outs, nil)
			continue
		}
		if nth(a.OutDirections, k) == 1 {
			slices.Reverse(parts)
		}
		g := c.Node.Bodies[body].G
		t, err := stack(parts, nth(a.OutAxes, k), g.Info(g.Outputs[n+k]).DType)
		if err != nil {
			return nil, fmt.Errorf("scan output %d: %w%s", k, err, keptHint(g, g.Outputs[n+k]))
		}
		outs = append(outs, t)
	}
	return outs, nil
}

// entry is a copy of index i of axis k of t, without that axis.
func entry(t *tensor.Tensor, k, i int) *tensor.Tensor {
	s := t.Shape()
	shape := slices.Concat(s[:k], s[k+1:])
	st := strides(s)
	out := tensor.New(t.DType(), shape...)
	copyStrided(nil, out, t, walk{ext: shape, ds: strides(shape), ss: slices.Concat(st[:k], st[k+1:]), so: i * st[k]})
	return out
}

// runScan8 scans each example of the batch by itself. Steps beyond its sequence length are zero in the outputs.
func runScan8(a *scan8Attrs, c *graph.RunCtx) error {
	in := c.In[1:c.Node.NumIn]
	n := len(in) - a.NumScanInputs
	batch := -1
	for i, t := range in {
		if t.Rank() == 0 || (i >= n && t.Rank() < 2) || (batch >= 0 && t.Dim(0) != batch) {
			return fmt.Errorf("input %d has shape %v, want [batch,…], [batch,steps,…] for scan inputs", i+1, t.Shape())
		}
		batch = t.Dim(0)
	}
	var lens []int
	if c.Has(0) {
		var err error
		if lens, err = graph.IntsOf(c.In[0]); err != nil {
			return err
		}
		if len(lens) != batch {
			return fmt.Errorf("%d sequence lengths for %d examples", len(lens), batch)
		}
	}
	each := &scanAttrs{NumScanInputs: a.NumScanInputs, InDirections: a.Directions}
	rows := make([][]*tensor.Tensor, len(c.Node.Out))
	for b := range batch {
		one := make([]*tensor.Tensor, len(in))
		for i, t := range in {
			one[i] = entry(t, 0, b)
		}
		length := -1
		if lens != nil {
			length = max(lens[b], 0)
		}
		out, err := each.run(c, one, length)
		if err != nil {
			return fmt.Errorf("example %d: %w", b, err)
		}
		for i := range rows {
			if !c.Want(i) {
				continue
			}
			t := out[i]
			if steps := in[n].Dim(1); i >= n && t.Dim(0) < steps {
				long := tensor.New(t.DType(), append([]int{steps}, t.Shape()[1:]...)...)
				copy(long.Bytes(), t.Bytes())
				copy(long.Strings(), t.Strings())
				t = long
			}
			rows[i] = append(rows[i], t)
		}
	}
	for i, parts := range rows {
		if !c.Want(i) {
			continue
		}
		g := c.Node.Bodies[bodyIndex(c.Node, "body")].G
		t, err := stack(parts, 0, g.Info(g.Outputs[i]).DType)
		if err != nil {
			return fmt.Errorf("output %d: %w", i, err)
		}
		c.SetOut(i, t)
	}
	return nil
}
