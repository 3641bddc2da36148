package convert

import (
	"errors"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// Trilu came with version 14. Of matrices of known size it is a choice between them and 0.
func init() {
	register("Trilu", 14, rule{down: func(k *conv, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
		b, err := k.bodyOf(n, 14)
		if err != nil {
			return nil, err
		}
		dims, known := k.s.Shape(input(n, 0))
		upper, ok := number(n, "upper", 1)
		diagonal := int64(0)
		if in := input(n, 1); in != "" {
			v, constant := k.ints(in)
			if ok = ok && constant && len(v) == 1; ok {
				diagonal = v[0]
				k.release(in)
			}
		}
		r := len(dims)
		if !ok || !known || r < 2 || dims[r-1] < 0 || dims[r-2] < 0 || dims[r-1] > 1<<20 || dims[r-2] > 1<<20 ||
			dims[r-1]*dims[r-2] > 1<<22 || k.to < 9 {
			return nil, errors.New("the operator came with operator set 14, and its body, for operator set 9 or newer, needs a diagonal and " +
				"a size that are known, and no large ones")
		}
		rows, cols := dims[r-2], dims[r-1]
		mask := tensor.New(tensor.Bool, int(rows), int(cols))
		for i := range rows {
			for j := range cols {
				if above := j-i >= diagonal; above && upper != 0 || j-i <= diagonal && upper == 0 {
					mask.Bytes()[i*cols+j] = 1
				}
			}
		}
		return b.done("Where", []string{b.constant("triangle", mask), input(n, 0), b.number(0)})
	}})
}
