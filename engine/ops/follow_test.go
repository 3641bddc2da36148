package ops_test

import (
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// ramps are the coordinates of a tensor of shape s along each of its axes.
func ramps(s tensor.Shape) ops.Coords {
	var out ops.Coords
	for k, n := range s {
		c := ops.Coord{Shape: slices.Repeat(tensor.Shape{1}, len(s)), X: make([]float32, n)}
		c.Shape[k] = n
		for i := range c.X {
			c.X[i] = float32(i)
		}
		out = append(out, c)
	}
	return out
}

// followed carries the coordinates of the fed inputs through the node of p, the first of them ramps along its axes.
func (p *problem) followed(t *testing.T) (in int, out []ops.Coords, flow []ops.Flow, known bool) {
	t.Helper()
	var shapes []tensor.Shape
	for _, v := range p.g.Inputs {
		shapes = append(shapes, p.feeds[p.g.Info(v).Name].Shape())
	}
	all, values, err := exec.Shapes(p.g, shapes)
	if err != nil {
		t.Fatal(err)
	}
	in = slices.IndexFunc(p.vals, func(v graph.Value) bool { return v != 0 && p.g.Info(v).Kind == graph.Input })
	if in < 0 || all[p.vals[in]].Len() == 0 {
		return -1, nil, nil, false
	}
	cs := make([]ops.Coords, len(p.vals))
	is, vs, os := make([]tensor.Shape, len(p.vals)), make([]*tensor.Tensor, len(p.vals)), make([]tensor.Shape, len(p.node.Out))
	for i, v := range p.vals {
		if v != 0 {
			is[i], vs[i] = all[v], values[v]
		}
	}
	cs[in] = ramps(is[in])
	for i, v := range p.node.Out {
		os[i] = all[v]
		if os[i] == nil {
			return -1, nil, nil, false
		}
	}
	out, flow, known = ops.Follow(p.node, cs, is, vs, os)
	for o, c := range out {
		for _, x := range c {
			if len(x.Shape) != len(os[o]) || len(x.X) != x.Shape.Len() {
				t.Fatalf("coordinate of shape %v with %d numbers for an output of shape %v", x.Shape, len(x.X), os[o])
			}
			for k, d := range x.Shape {
				if d != 1 && d != os[o][k] {
					t.Fatalf("coordinate of shape %v for an output of shape %v", x.Shape, os[o])
				}
			}
		}
	}
	return in, out, flow, known
}

// TestFollowMoves: operators that only move elements have at each place the element that was there.
func TestFollowMoves(t *testing.T) {
	reached := map[string]int{}
	for _, c := range cases {
		p, err := c.build(tensor.Float64, false)
		if err != nil || c.domain != "" || p.node.Op.Random || !p.node.Op.HasRun() ||
			p.node.Op.Role != graph.View && p.node.Op.Role != graph.Move {
			continue
		}
		if c.op == "DepthToSpace" || c.op == "SpaceToDepth" { // which spread their positions evenly
			continue
		}
		in, coords, _, known := p.followed(t)
		if in != 0 || !known {
			continue
		}
		x := p.feeds["in0"]
		ys, err := p.run(nil, p.feeds, p.node.Out)
		if err != nil {
			t.Fatalf("%s: %v", c, err)
		}
		at := strides(x.Shape())
		for o, y := range ys {
			if !y.DType().IsFloat() || coords[o] == nil {
				continue
			}
			var places [][]float32
			for _, cd := range coords[o] {
				places = append(places, cd.Expand(y.Shape()))
			}
			for j, v := range y.Float64s() {
				from, placed := 0, true
				for k, pl := range places {
					placed = placed && pl[j] == pl[j]
					from += int(pl[j]) * at[k]
				}
				if !placed {
					continue
				}
				reached[c.op]++
				if want := tensor.Data[float64](x)[from]; v != want {
					t.Errorf("%s: output %d [%d] is %g, said to be the element %d of the input, %g", c, o, j, v, from, want)
					break
				}
			}
		}
	}
	for _, op := range []string{"Concat", "Expand", "Flatten", "Gather", "GatherElements", "GatherND", "Identity", "Pad", "Reshape",
		"ScatterElements", "ScatterND", "Slice", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze"} {
		if s, err := (opCase{op: op}).spec(); err != nil || s.Role != graph.View && s.Role != graph.Move {
			continue
		}
		if reached[op] == 0 {
			t.Errorf("no case of %s was followed", op)
		}
	}
}

func strides(s tensor.Shape) []int {
	out := make([]int, len(s))
	for k := range s {
		out[k] = s[k+1:].Len()
	}
	return out
}

// alongAxes work along one axis, over which they are not elementwise; it is that of the channels wherever places are followed.
var alongAxes = []string{"Softmax", "LogSoftmax", "Hardmax", "CumSum", "LayerNormalization", "RMSNormalization",
	"InstanceNormalization", "BatchNormalization", "Trilu", "CumProd", "LRN",
	"LpNormalization"}

// TestFollowElementwise: what is followed element by element, for want of a rule, is so: a change of one element of the input changes
// only what is said to be at its place. An operator that fails here needs a rule in follow.go.
func TestFollowElementwise(t *testing.T) {
	reached := 0
	for _, c := range cases {
		p, err := c.build(tensor.Float64, false)
		if err != nil || c.domain != "" || p.node.Op.Random || slices.Contains(alongAxes, c.op) || p.node.Op.Role == graph.Control ||
			!p.node.Op.HasRun() { // what it is made of is followed
			continue
		}
		in, coords, flow, known := p.followed(t)
		if in < 0 || !known || flow[in] != ops.Along {
			continue
		}
		name := p.g.Info(p.vals[in]).Name
		before, err := p.run(nil, p.feeds, p.node.Out)
		if err != nil {
			t.Fatalf("%s: %v", c, err)
		}
		feeds := map[string]*tensor.Tensor{}
		for k, v := range p.feeds {
			feeds[k] = v
		}
		x := p.feeds[name].Clone()
		if x.Len() == 0 {
			continue
		}
		e := x.Len() / 2
		tensor.Data[float64](x)[e] *= 1.25
		feeds[name] = x
		after, err := p.run(nil, feeds, p.node.Out)
		if err != nil {
			t.Fatalf("%s: %v", c, err)
		}
		st := strides(x.Shape())
		for o, y := range before {
			if coords[o] == nil {
				continue
			}
			a, b := y.Float64s(), after[o].Float64s()
			for k, cd := range coords[o] {
				place := cd.Expand(y.Shape())
				want := float32(e / st[k] % x.Dim(k))
				for j := range a {
					if a[j] != b[j] && place[j] != want {
						t.Errorf("%s: element %d of input %d changed output %d [%d], which is said to be at %g on axis %d", c, e, in, o,
							j, place[j], k)
						break
					}
				}
			}
		}
		reached++
	}
	if reached < 100 {
		t.Errorf("%d cases were followed element by element", reached)
	}
}

// TestFollowRules: where sums, products and windows say that their outputs come from.
func TestFollowRules(t *testing.T) {
	for _, tc := range []struct {
		c opCase
		// of output 0, by axis of the input: the coordinate along the axis of the output where it varies; nil for none, one number for all
		want [][]float32
		flow ops.Flow // Across where an axis is summed over
	}{
		{opCase{op: "Conv", in: []arg{x(2, 3, 6), w(4, 3, 3)}, attrs: is("strides", ints(2), "pads", ints(1, 1))},
			[][]float32{{0, 1}, nil, {0.5, 2.5, 4.5}}, ops.Across},
		{opCase{op: "Conv", name: "groups", in: []arg{x(1, 4, 3), w(2, 2, 1)}, attrs: is("group", 2)},
			[][]float32{{0}, {0.5, 2.5}, {0, 1, 2}}, ops.Moved},
		{opCase{op: "ConvTranspose", in: []arg{x(1, 2, 2), w(2, 3, 2)}, attrs: is("strides", ints(2))},
			[][]float32{{0}, nil, {-0.25, 0.25, 0.75, 1.25}}, ops.Across},
		{opCase{op: "MaxPool", in: []arg{x(1, 2, 4)}, attrs: is("kernel_shape", ints(2), "strides", ints(2))},
			[][]float32{{0}, {0, 1}, {0.5, 2.5}}, ops.Moved},
		{opCase{op: "GlobalAveragePool", in: []arg{x(1, 2, 4)}}, [][]float32{{0}, {0, 1}, {1.5}}, ops.Moved},
		{opCase{op: "MatMul", name: "weights", in: []arg{x(2, 3, 4), w(4, 5)}}, [][]float32{{0, 1}, {0, 1, 2}, nil}, ops.Across},
		{opCase{op: "Gemm", in: []arg{x(3, 4), w(5, 4)}, attrs: is("transB", 1)}, [][]float32{{0, 1, 2}, nil}, ops.Across},
		{opCase{op: "Gemm", name: "transposed", in: []arg{x(4, 3), w(4, 5)}, attrs: is("transA", 1)}, [][]float32{nil, {0, 1, 2}},
			ops.Across},
		{opCase{op: "ReduceMean", in: []arg{x(2, 3, 4), ids(1)}}, [][]float32{{0, 1}, nil, {0, 1, 2, 3}}, ops.Across},
		{opCase{op: "ReduceSum", in: []arg{x(2, 3, 4), ids(2)}, attrs: is("keepdims", 0)}, [][]float32{{0, 1}, {0, 1, 2}, nil},
			ops.Across},
		{opCase{op: "LayerNormalization", in: []arg{x(2, 3, 4), w(4)}, attrs: is("axis", -1)},
			[][]float32{{0, 1}, {0, 1, 2}, {0, 1, 2, 3}}, ops.Along},
		{opCase{op: "LSTM", in: []arg{x(3, 2, 4), w(1, 20, 4), w(1, 20, 5)}, attrs: is("hidden_size", 5)},
			[][]float32{nil, {0, 1}, nil}, ops.Across},
		{opCase{op: "TopK", in: []arg{x(2, 3), ids(2)}, outs: 2}, [][]float32{nil, nil}, ops.Across},
		{opCase{op: "GridSample", name: "mirrored",
			in: []arg{x(1, 2, 1, 3), given(tensor.From([]float32{2. / 3, 0, 0, 0, -2. / 3, 0}, 1, 1, 3, 2))}},
			[][]float32{{0}, {0, 1}, {0}, {2, 1, 0}}, ops.Moved},
	} {
		p, err := tc.c.build(tensor.Float64, false)
		if err != nil {
			t.Fatalf("%s: %v", tc.c, err)
		}
		in, out, flow, _ := p.followed(t)
		if flow[in] != tc.flow {
			t.Errorf("%s: flow %d, want %d", tc.c, flow[in], tc.flow)
		}
		for k, want := range tc.want {
			c := out[0][k]
			switch {
			case want == nil && c.Known():
				t.Errorf("%s: axis %d of the input is at %v of the output", tc.c, k, c)
			case want != nil && (len(c.X) != len(want) ||
				!slices.EqualFunc(c.X, want, func(a, b float32) bool { return a-b < 1e-6 && b-a < 1e-6 })):
				t.Errorf("%s: axis %d of the input is at %v of the output, want %v", tc.c, k, c, want)
			}
		}
	}
}

// TestFollowMeetings: joining and attention, of several inputs that come from the model's input.
func TestFollowMeetings(t *testing.T) {
	at := func(shape tensor.Shape, x ...float32) ops.Coord { return ops.Coord{Shape: shape, X: x} }
	nan := float32(0)
	nan /= nan
	node := func(op *graph.Spec, attrs graph.Attrs, shapes ...tensor.Shape) *graph.Node {
		g := graph.New("")
		b := graph.NewBuilder(g)
		var in []graph.Value
		for range shapes {
			in = append(in, g.AddInput("x", tensor.Float32, nil))
		}
		a, err := op.DecodeAttrs(attrs)
		if err != nil {
			t.Fatal(err)
		}
		n := b.AddNode("n", op, a, in, []bool{true})
		if b.Err() != nil {
			t.Fatal(b.Err())
		}
		return n
	}
	class, patches := tensor.Shape{1, 1, 4}, tensor.Shape{1, 3, 4}
	for name, tc := range map[string]struct {
		n      *graph.Node
		in     []ops.Coord
		shapes []tensor.Shape
		out    tensor.Shape
		want   ops.Coord
		flow   []ops.Flow
	}{
		"class token": {node(ops.Concat, graph.Attrs{"axis": int64(1)}, class, patches),
			[]ops.Coord{at(tensor.Shape{1, 1, 1}, nan), at(tensor.Shape{1, 3, 1}, 0, 1, 2)},
			[]tensor.Shape{class, patches}, tensor.Shape{1, 4, 4}, at(tensor.Shape{1, 4, 1}, nan, 0, 1, 2), []ops.Flow{ops.Moved,
				ops.Moved}},
		"steps": {node(ops.Concat, graph.Attrs{"axis": int64(1)}, class, class),
			[]ops.Coord{at(tensor.Shape{1, 1, 1}, 5), at(tensor.Shape{1, 1, 1}, 4)},
			[]tensor.Shape{class, class}, tensor.Shape{1, 2, 4}, at(tensor.Shape{1, 2, 1}, 5, 4), []ops.Flow{ops.Moved, ops.Moved}},
		"channels, cropped": {node(ops.Concat, graph.Attrs{"axis": int64(2)}, patches, patches),
			[]ops.Coord{at(tensor.Shape{1, 3, 1}, 0, 1, 2), at(tensor.Shape{1, 3, 1}, 0.2, 1, 1.8)},
			[]tensor.Shape{patches, patches}, tensor.Shape{1, 3, 8}, at(tensor.Shape{1, 3, 1}, 0, 1, 2), []ops.Flow{ops.Moved, ops.Moved}},
		"queries and keys": {node(ops.MatMul, nil, patches, tensor.Shape{1, 4, 3}),
			[]ops.Coord{at(tensor.Shape{1, 3, 1}, 0, 1, 2), at(tensor.Shape{1, 1, 3}, 0, 1, 2)},
			[]tensor.Shape{patches, {1, 4, 3}}, tensor.Shape{1, 3, 3}, at(tensor.Shape{1, 3, 1}, 0, 1, 2), []ops.Flow{ops.Moved,
				ops.Across}},
		"attention and values": {node(ops.MatMul, nil, tensor.Shape{1, 3, 3}, patches),
			[]ops.Coord{at(tensor.Shape{1, 3, 1}, 0, 1, 2), at(tensor.Shape{1, 3, 1}, 0, 1, 2)},
			[]tensor.Shape{{1, 3, 3}, patches}, patches, at(tensor.Shape{1, 3, 1}, 0, 1, 2), []ops.Flow{ops.Moved, ops.Across}},
		"gate": {node(ops.Mul, nil, patches, class), []ops.Coord{at(tensor.Shape{1, 3, 1}, 0, 1, 2), at(tensor.Shape{1, 1, 1}, nan)},
			[]tensor.Shape{patches, class}, patches, at(tensor.Shape{1, 3, 1}, 0, 1, 2), []ops.Flow{ops.Along, ops.Along}},
		"padded shortcut": {node(ops.Add, nil, patches, patches),
			[]ops.Coord{at(tensor.Shape{1, 3, 2}, 0, nan, 1, nan, 2, nan), at(tensor.Shape{1, 3, 1}, 0, 1, 2)},
			[]tensor.Shape{patches, patches}, patches, at(tensor.Shape{1, 3, 1}, 0, 1, 2), []ops.Flow{ops.Along, ops.Along}},
	} {
		var in []ops.Coords
		for _, c := range tc.in {
			in = append(in, ops.Coords{c})
		}
		out, flow, known := ops.Follow(tc.n, in, tc.shapes, make([]*tensor.Tensor, len(in)), []tensor.Shape{tc.out})
		if !known || !out[0][0].Same(tc.want) || !out[0][0].Shape.Equal(tc.want.Shape) || !slices.Equal(flow, tc.flow) {
			t.Errorf("%s: %v, flow %v, want %v, %v", name, out[0][0], flow, tc.want, tc.flow)
		}
	}
}
