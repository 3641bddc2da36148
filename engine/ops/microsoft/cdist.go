package microsoft

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// CDist is the distances [M,N] of the rows of A [M,K] from those of B [N,K]: Euclidean, or squared.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.CDist
var CDist = new(graph.Spec)

type cdistAttrs struct {
	Metric string `onnx:"metric,default=sqeuclidean"`
}

func init() {
	define(CDist, graph.Def[cdistAttrs]{
		Name: "CDist", Since: []int{1}, Doc: contrib + "CDist",
		In: []graph.Formal{real("A"), real("B")}, Out: []graph.Formal{{Name: "C"}},
		Check: func(a *cdistAttrs, _ *graph.Node) error {
			if a.Metric != "sqeuclidean" && a.Metric != "euclidean" {
				return fmt.Errorf("attribute metric is %q, want sqeuclidean or euclidean", a.Metric)
			}
			return nil
		},
		Lower: func(a *cdistAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			d := sub(b, unsqueeze(b, n.In[0], 1), unsqueeze(b, n.In[1], 0))
			y := b.Add(ops.ReduceSum, ops.KeepDims(false), mul(b, d, d), b.Ints(2))
			if a.Metric == "euclidean" {
				y = b.Add(ops.Sqrt, nil, y)
			}
			return []graph.Value{y}, nil
		},
	})
}
