package engine

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// ioOf reads the declared type of an input or output. The shape of a container is that of no tensor: it has no dimensions.
func ioOf(vi *onnxpb.ValueInfoProto) (IO, error) {
	io := IO{Name: vi.GetName()}
	d, err := onnx.DTypeOf(vi.GetType())
	if err != nil {
		return io, fmt.Errorf("%q: %w", io.Name, err)
	}
	if io.DType = d; d.IsContainer() {
		io.Dims = []graph.Dim{}
		return io, nil
	}
	tt := vi.GetType().GetTensorType()
	if tt.GetShape() == nil {
		return io, nil
	}
	io.Dims = []graph.Dim{}
	for _, d := range tt.GetShape().GetDim() {
		switch x := d.GetValue().(type) {
		case *onnxpb.TensorShapeProto_Dimension_DimValue:
			n := x.DimValue
			if n < 0 {
				n = -1
			}
			io.Dims = append(io.Dims, graph.Dim{Size: int(n)})
		case *onnxpb.TensorShapeProto_Dimension_DimParam:
			io.Dims = append(io.Dims, graph.Dim{Size: -1, Symbol: x.DimParam})
		default:
			io.Dims = append(io.Dims, graph.Dim{Size: -1})
		}
	}
	return io, nil
}
