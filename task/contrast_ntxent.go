package task

import (
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// NTXent is the normalised temperature-scaled cross-entropy: each view of an example is to be told from the views of all others,
//
//	L = mean over i of −log exp(cos(z_i, z_i⁺)/τ) / Σ_{k≠i} exp(cos(z_i, z_k)/τ),
//
// where k goes through both views of all examples. With more than two views it is the mean over all pairs of a view with a global one.
//
// Source: Chen, Kornblith, Norouzi, Hinton 2020, "A Simple Framework for Contrastive Learning of Visual Representations" (arXiv
// 2002.05709), equation 1.
type NTXent struct {
	Temperature float64 `opt:"temperature" doc:"tau: the lower, the more the most alike others count" range:"(0, ∞)"`
}

func init() {
	objectives.Register("nt-xent", func() Objective { return &NTXent{Temperature: 0.2} },
		"normalised temperature-scaled cross-entropy, the loss of SimCLR", "https://arxiv.org/abs/2002.05709")
}

// Least is two.
func (*NTXent) Least() int { return 2 }

// Of is the loss of the projections z [N·B,F].
func (n *NTXent) Of(b *engine.Build, v Views, z graph.Value) graph.Value {
	views := directions(b, v, z)
	d := b.DType(z)
	over := func(s graph.Value) graph.Value { return b.Add(ops.Mul, nil, s, b.Scalar(d, 1/n.Temperature)) }
	var parts []graph.Value
	for a, x := range views {
		var own graph.Value
		for _, k := range v.positives(a) {
			if own == 0 {
				own = over(besides(b, cosines(b, x, x), 1e4))
			}
			all := b.Add(ops.ReduceLogSumExp, ops.KeepDims(true), concat(b.Builder, 1, over(cosines(b, x, views[k])), own), b.Ints(1))
			parts = append(parts, b.Add(ops.Sub, nil, all, over(pairwise(b, x, views[k]))))
		}
	}
	return b.Add(ops.ReduceMean, ops.KeepDims(false), concat(b.Builder, 0, parts...))
}
