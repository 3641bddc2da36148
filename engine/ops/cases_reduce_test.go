package ops_test

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	for _, op := range []string{"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
		"ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"} {
		g := generator(kinkless)
		switch op {
		case "ReduceMax", "ReduceMin":
			g = distinct
		case "ReduceLogSum":
			g = positive
		}
		axes := func(a ...int64) ([]arg, int) { return []arg{ids(a...)}, 0 }
		for _, c := range []struct {
			name string
			axes []int64
			keep int
			in   []int
		}{
			{"last", []int64{-1}, 1, []int{2, 3, 4}},
			{"middle", []int64{1}, 0, []int{2, 3, 4}},
			{"first", []int64{0}, 0, []int{5, 3}},
			{"two", []int64{0, 2}, 1, []int{2, 3, 4}},
			{"space", []int64{2, 3}, 0, []int{2, 3, 2, 4}},
			{"all", nil, 0, []int{2, 3}},
		} {
			in := []arg{xg(g, c.in...)}
			if c.axes != nil {
				a, _ := axes(c.axes...)
				in = append(in, a...)
			}
			register(opCase{op: op, name: c.name, attrs: is("keepdims", c.keep), in: in})
		}
		register(opCase{op: op, name: "noop", attrs: is("noop_with_empty_axes", 1),
			in: []arg{xg(g, 2, 3), given(tensor.New(tensor.Int64, 0))}})
		if op != "ReduceSum" {
			register(opCase{op: op, opset: 13, attrs: is("axes", ints(1), "keepdims", 0), in: []arg{xg(g, 2, 3, 4)}})
		}
		register(opCase{op: op, opset: 11, attrs: is("axes", ints(0, 1)), in: []arg{xg(g, 2, 3, 4)}},
			opCase{op: op, opset: 11, name: "all", in: []arg{xg(g, 2, 3, 4)}})
	}
	for _, op := range []string{"ArgMax", "ArgMin"} {
		register(
			opCase{op: op, in: []arg{xg(distinct, 3, 4)}, values: true},
			opCase{op: op, name: "last", attrs: is("axis", -1, "keepdims", 0, "select_last_index", 1), in: []arg{xg(distinct, 3, 4)},
				values: true},
		)
	}
	for _, op := range []string{"Softmax", "LogSoftmax"} {
		register(
			opCase{op: op, in: []arg{x(3, 5)}},
			opCase{op: op, name: "axis", attrs: is("axis", 1), in: []arg{x(2, 5, 3)}},
			opCase{op: op, name: "first", attrs: is("axis", 0), in: []arg{x(4, 3)}},
			opCase{op: op, opset: 11, in: []arg{x(2, 3, 4)}},
			opCase{op: op, opset: 11, name: "axis", attrs: is("axis", 2), in: []arg{x(2, 3, 4)}},
			opCase{op: op, opset: 1, in: []arg{x(2, 6)}},
			opCase{op: op, name: "far", in: []arg{xg(func(r *rng, n int) []float64 {
				return draw(n, func(i int) float64 { return 90*float64(i%2) + r.Float64() })
			}, 3, 4)}},
		)
	}
	register(
		opCase{op: "Hardmax", in: []arg{xg(distinct, 3, 4)}, values: true},
		opCase{op: "Hardmax", name: "axis", attrs: is("axis", 1), in: []arg{xg(distinct, 3, 4, 2)}, values: true},
		opCase{op: "Hardmax", opset: 11, in: []arg{xg(distinct, 2, 3, 4)}, values: true},
	)
	labels := given(tensor.From([]int64{2, 0, 4}, 3)).perRow()
	dense := given(tensor.From([]int64{2, 0, 1, 1, 2, 0}, 2, 3)).perRow()
	for _, red := range []string{"mean", "sum", "none"} {
		attrs := func() graph.Attrs { return is("reduction", red) }
		ignore := is("reduction", red, "ignore_index", 0)
		for _, op := range []string{"SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"} {
			register(
				opCase{op: op, name: red, attrs: attrs(), in: []arg{x(3, 5), labels}},
				opCase{op: op, name: red + " weights", attrs: attrs(), in: []arg{x(3, 5), labels, wg(positive, 5).noGrad()}},
				opCase{op: op, name: red + " ignore", attrs: ignore, in: []arg{x(3, 5), labels}},
				opCase{op: op, name: red + " pixels", attrs: ignore, in: []arg{x(2, 3, 3), dense, wg(positive, 3).noGrad()}},
			)
		}
		register(opCase{op: "SoftmaxCrossEntropyLoss", name: red + " log_prob", attrs: attrs(), in: []arg{x(3, 5), labels}, outs: 2})
	}
}
