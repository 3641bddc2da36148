package task

import (
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// GroCo orders groups: each view of an example shall be more alike to the other views of it than to the most alike views of others. Its
// cosines with the K most alike others of the same view, then with its positives, both ascending, go through a differentiable sorting
// network, and the loss is the binary cross-entropy of the probability that each ends on its side of the border,
//
//	q⁺_r = Σ_{k≥K} P[r,k],  L = mean_r −log(q⁺_r if r ≥ K, else 1 − q⁺_r),
//
// averaged over the examples, then over the views. The other side of each cosine has no gradient. With β = 1 on cosines the comparators
// are soft, and the loss stays near a half: look at what the features are good for.
//
// Source: Shvetsova, Petersen, Kukleva, Schiele, Kuehne 2023, "Learning by Sorting: Self-supervised Learning with Group Ordering
// Constraints" (arXiv 2301.02009). Its ½[BCE(q⁺) + BCE(q⁻)] is the above, since q⁺ + q⁻ = 1. Deviation: a logarithm is taken of at least
// 1e-38, not cut off at −100.
type GroCo struct {
	TopK      int     `opt:"topk" doc:"most alike others that each view is compared with" range:"[1, ∞)"`
	Steepness float64 `opt:"steepness" doc:"beta: how hard the comparators swap" range:"(0, ∞)"`
	Network   string  `opt:"network" doc:"which network sorts" choices:"odd-even|bitonic"`
	Swap      string  `opt:"swap" doc:"how a comparator swaps" choices:"cauchy|logistic|logistic-phi|reciprocal|optimal|gaussian"`
}

func init() {
	objectives.Register("groco", func() Objective { return &GroCo{TopK: 10, Steepness: 1, Network: "odd-even", Swap: "cauchy"} },
		"group ordering constraints through a differentiable sorting network", "https://arxiv.org/abs/2301.02009")
}

// Least is one more than the others that a view is compared with.
func (g *GroCo) Least() int { return g.TopK + 1 }

// Of is the loss of the projections z [N·B,F].
func (g *GroCo) Of(b *engine.Build, v Views, z graph.Value) graph.Value {
	views := directions(b, v, z)
	given := make([]graph.Value, len(views))
	for i, x := range views {
		given[i] = b.Add(ops.StopGradient, nil, x)
	}
	rows := map[int][]graph.Value{} // scores of the anchors with so many positives
	for a, x := range views {
		others := besides(b, cosines(b, x, given[a]), 4)
		neg := b.AddN(ops.TopK, nil, 2, others, b.Ints(g.TopK))[0]
		var pos []graph.Value
		for _, k := range v.positives(a) {
			pos = append(pos, pairwise(b, x, given[k]))
		}
		if len(pos) == 0 { // the one global view is nobody's anchor
			continue
		}
		p := concat(b.Builder, 1, pos...)
		if len(pos) > 1 {
			p = b.AddN(ops.TopK, nil, 2, p, b.Ints(len(pos)))[0]
		}
		rows[len(pos)] = append(rows[len(pos)], concat(b.Builder, 1, neg, p))
	}
	var loss graph.Value
	anchors := 0
	for p := 1; p <= v.Global; p++ { // in an order that is always the same
		if len(rows[p]) == 0 {
			continue
		}
		mean := g.order(b, concat(b.Builder, 0, rows[p]...), p)
		part := b.Add(ops.Mul, nil, mean, b.Scalar(b.DType(mean), float64(len(rows[p]))))
		anchors += len(rows[p])
		if loss == 0 {
			loss = part
			continue
		}
		loss = b.Add(ops.Add, nil, loss, part)
	}
	return b.Add(ops.Mul, nil, loss, b.Scalar(b.DType(loss), 1/float64(anchors)))
}

// order is the mean cross-entropy of scores [R,K+p], K negatives and p positives, each group descending.
func (g *GroCo) order(b *engine.Build, s graph.Value, p int) graph.Value {
	n := g.TopK + p
	net, err := NewSortNetwork(g.Network, n)
	if err != nil {
		b.Fail(err)
		return 0
	}
	wires, above, sign, base := make([]int, n), make([]float64, n), make([]float64, n), make([]float64, n)
	for w := range n {
		column := g.TopK - 1 - w
		if w >= g.TopK {
			column, above[w] = n-1-(w-g.TopK), 1
		}
		wires[w] = column
		sign[column], base[column] = 2*above[w]-1, 1-above[w]
	}
	soft := SoftSort{Network: net, Swap: g.Swap, Steepness: g.Steepness}
	q := soft.Of(b.Builder, s, wires).Mass(above)
	d := b.DType(q)
	row := func(x []float64) graph.Value {
		t, _ := tensor.From(x, 1, n).Convert(d) // real numbers convert
		return b.Const(t)
	}
	right := b.Add(ops.Add, nil, b.Add(ops.Mul, nil, q, row(sign)), row(base)) // q⁺ of positives, 1 − q⁺ of negatives
	right = b.Add(ops.Clip, nil, right, b.Scalar(d, leastShare), b.Scalar(d, 1))
	mean := b.Add(ops.ReduceMean, ops.KeepDims(false), b.Add(ops.Log, nil, right))
	return b.Add(ops.Neg, nil, mean)
}

// leastShare is a normal number in float32 too.
const leastShare = 0x1p-125
