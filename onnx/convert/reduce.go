package convert

import "github.com/gtk-onnx/gtk/onnx/onnxpb"

// The axes of ReduceSum became an input in version 13, those of the other reductions in 18; none are all, or none with
// noop_with_empty_axes.
func init() {
	r := axesMoved()
	toAttr := r.down
	r.down = func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
		noop := !is(n, "noop_with_empty_axes", 0, 0)
		axes, constant := k.ints(input(n, 1))
		switch {
		case input(n, 1) == "", constant && len(axes) == 0:
			k.release(input(n, 1))
			setInput(n, 1, "")
			if noop && n.GetOpType() == "ReduceSum" && is(n, "noop_with_empty_axes", 0, 1) {
				return keep(becomes(n, "Identity", n.GetInput()[:1])), nil
			}
			if !noop {
				drop(n, "noop_with_empty_axes")
			}
			return keep(n), nil // with noop its attribute is refused: the operators also transform the elements
		}
		drop(n, "noop_with_empty_axes") // there are axes
		return toAttr(k, n)
	}
	register("ReduceSum", 13, r)
	for _, name := range []string{"L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare"} {
		register("Reduce"+name, 18, r)
	}
}
