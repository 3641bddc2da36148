package ops_test

import "slices"

func init() {
	for _, op := range []string{"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin",
		"ReduceProd", "ReduceSum", "ReduceSumSquare"} {
		f := generator(kinkless)
		switch op {
		case "ReduceMax", "ReduceMin":
			f = distinct
		case "ReduceLogSum":
			f = positive
		}
		// What an empty sum, or sum of nothing, is: no number, or one without a gradient.
		empty := slices.Contains([]string{"ReduceL1", "ReduceProd", "ReduceSum", "ReduceSumSquare"}, op)
		generate(op, 12, func(g *source) opCase {
			rank := 1 + g.i%4
			shape := g.extents(rank)
			if g.i == 4 { // one axis is empty; those that are not are reduced
				shape = []int{2, 0, 3}
				rank = 3
			}
			if g.i == 8 && empty {
				shape[0] = 0
			}
			list := g.axes(1+g.IntN(rank), rank)
			if g.i == 4 {
				list = pick(g, ints(-1), ints(0))
			}
			c := opCase{attrs: is("keepdims", g.i%2), in: []arg{g.input(f, shape...)}, whole: true, tol: 1e-3}
			switch {
			case g.i == 5: // all
			case g.i == 6:
				c.attrs["noop_with_empty_axes"] = int64(1)
			case g.i == 7:
				c.attrs["noop_with_empty_axes"] = int64(1)
				c.in = append(c.in, ids())
			case g.i == 9:
				c.in = append(c.in, ids())
			case g.i >= 10:
				c.opset = 11
				c.attrs["axes"] = list
			default:
				c.in = append(c.in, ids(list...))
			}
			return c
		})
	}
	for _, op := range []string{"Softmax", "LogSoftmax"} {
		generate(op, 12, func(g *source) opCase {
			rank := 1 + g.i%4
			c := opCase{attrs: is("axis", g.axis(rank)), in: []arg{g.input(normal, g.extents(rank)...)}, whole: true, tol: 1e-3}
			switch {
			case g.i == 4: // no rows, then no columns
				c.in[0].shape, c.attrs = []int{0, 3}, is("axis", -1)
			case g.i == 5:
				c.in[0].shape, c.attrs = []int{2, 0}, is("axis", -1)
			case g.i == 6:
				c.attrs = nil
			case g.i >= 10:
				c.opset = 11
			}
			return c
		})
	}
	for _, op := range []string{"CumSum", "CumProd"} {
		generate(op, 10, func(g *source) opCase {
			rank := 1 + g.i%4
			shape := g.extents(rank)
			axis := scalarID(int64(g.axis(rank)))
			return opCase{attrs: is("exclusive", g.bit(), "reverse", g.bit()), in: []arg{g.input(normal, shape...), axis}, whole: true}
		})
	}
	generate("TopK", 10, func(g *source) opCase {
		rank := 1 + g.i%4
		shape, axis := g.extents(rank), g.axis(rank)
		n := shape[(axis+rank)%rank]
		return opCase{attrs: is("axis", axis, "largest", g.bit(), "sorted", 1), outs: 2, whole: true,
			in: []arg{g.input(distinct, shape...), ids(int64(g.IntN(n + 1)))}}
	})
}
