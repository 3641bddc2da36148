package prune

import (
	"testing"

	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestGraNdWithBranch scores examples of which each takes the branch that it takes alone: a batch shares its condition, so that they are
// taken one by one.
func TestGraNdWithBranch(t *testing.T) {
	branch := func(attr, op string) *onnxpb.AttributeProto {
		out := onnx.ValueInfo(attr, tensor.Float32)
		out.GetType().GetTensorType().Shape = nil
		return onnx.AttrGraph(attr, &onnxpb.GraphProto{
			Name: &attr, Output: []*onnxpb.ValueInfoProto{out},
			Node: []*onnxpb.NodeProto{onnx.NewNode(op, "", []string{"h"}, []string{attr})},
		})
	}
	plain := func(op string) []*onnxpb.NodeProto {
		return []*onnxpb.NodeProto{gemm("fc", "x", "h"), onnx.NewNode(op, "", []string{"h"}, []string{"a"}), gemm("head", "a", "y")}
	}
	chosen := []*onnxpb.NodeProto{
		gemm("fc", "x", "h"), onnx.NewNode("ReduceSum", "", []string{"x"}, []string{"sum"}, onnx.AttrInt("keepdims", 0)),
		onnx.NewNode("Greater", "", []string{"sum", "zero"}, []string{"cond"}),
		onnx.NewNode("If", "choice", []string{"cond"}, []string{"a"}, branch("then_branch", "Tanh"), branch("else_branch", "Sigmoid")),
		gemm("head", "a", "y"),
	}
	weights := func() map[string]*tensor.Tensor {
		return map[string]*tensor.Tensor{
			"Wfc": testkit.RandN(1, 5, 4), "bfc": testkit.RandN(2, 5), "Whead": testkit.RandN(3, 3, 5), "bhead": testkit.RandN(4, 3),
			"zero": tensor.Scalar(float32(0)),
		}
	}
	x, y := testkit.RandN(9, 4, 4), []int64{0, 2, 1, 1}
	for i := range 4 { // examples 0 and 2 have a positive sum
		for k := range 4 {
			if v := &x.F32()[4*i+k]; (*v > 0) != (i%2 == 0) {
				*v = -*v
			}
		}
	}
	in := []any{"N", 4}
	tanh := scores(t, model(t, in, 3, plain("Tanh"), weights()), GraNd{}, x, y)
	sigmoid := scores(t, model(t, in, 3, plain("Sigmoid"), weights()), GraNd{}, x, y)
	near(t, "grand", scores(t, model(t, in, 3, chosen, weights()), GraNd{}, x, y), []float64{tanh[0], sigmoid[1], tanh[2], sigmoid[3]},
		1e-5)
}
