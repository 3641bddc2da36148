package ops_test

import (
	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	// batch is [N,C,…] with some extents of 1; in the fifth configuration without an example.
	batch := func(g *source, c int) []int {
		s := append([]int{g.upto(3), c}, g.extents(g.i%3)...)
		if g.i == 4 {
			s = []int{0, c, 2}
		}
		return s
	}
	generate("BatchNormalization", 12, func(g *source) opCase {
		c := g.upto(3)
		s := batch(g, c)
		k := opCase{attrs: is("epsilon", 0.01+g.Float64()), tol: 1e-3, in: []arg{x(s...), w(c), w(c), w(c), wg(positive, c)},
			whole: tensor.Shape(s).Len() == 0}
		if g.i >= 8 {
			k.attrs["training_mode"], k.attrs["momentum"], k.outs, k.whole = int64(1), float32(0.7), 1+2*g.bit(), true
			k.in[0].shape = append([]int{2, c}, g.extents(1+g.i%2)...)
		}
		return k
	})
	generate("InstanceNormalization", 10, func(g *source) opCase {
		c := g.upto(3)
		s := append([]int{g.upto(3), c}, g.list1(1+g.i%3, 2, 4)...)
		switch g.i {
		case 4:
			s[0] = 0
		case 5:
			s[2] = 1
		}
		return opCase{attrs: is("epsilon", 0.01+g.Float64()), in: []arg{x(s...), w(c), w(c)}, tol: 1e-3, whole: s[0] == 0}
	})
	for _, op := range []string{"LayerNormalization", "RMSNormalization"} {
		generate(op, 12, func(g *source) opCase {
			rank := 1 + g.i%4
			axis := g.axis(rank)
			s := g.list1(rank, 1, 4)
			from := (axis + rank) % rank
			if g.i == 5 && from > 0 {
				s[0] = 0
			}
			k := opCase{attrs: is("axis", axis, "epsilon", 0.05+g.Float64()), whole: true, tol: 1e-3,
				in: []arg{g.input(normal, s...), w(s[from:]...)}}
			if op == "LayerNormalization" && g.flip() {
				k.in = append(k.in, w(s[from:]...))
			}
			return k
		})
	}
	generate("GroupNormalization", 10, func(g *source) opCase {
		groups := g.upto(3)
		c := groups * g.upto(2)
		s := append([]int{g.upto(3), c}, g.list1(1+g.i%3, 2, 3)...)
		if g.i == 4 {
			s[0] = 0
		}
		return opCase{attrs: is("num_groups", groups, "epsilon", 0.01+g.Float64()), in: []arg{x(s...), w(c), w(c)}, tol: 1e-3, whole: true}
	})
	generate("MeanVarianceNormalization", 10, func(g *source) opCase {
		rank := 2 + g.i%3
		s := g.list1(rank, 3, 4)
		list := g.axes(g.upto(rank), rank)
		if g.i == 4 { // an axis that stays
			s[0], list = 0, ints(-1)
		}
		return opCase{attrs: is("axes", list), in: []arg{g.input(normal, s...)}, tol: 1e-3, whole: true}
	})
	generate("LRN", 9, func(g *source) opCase {
		s := append([]int{g.upto(2), g.upto(5)}, g.extents(1+g.i%3)...)
		return opCase{attrs: is("size", g.upto(5), "alpha", 0.1+g.Float64(), "beta", 0.3+g.Float64(), "bias", 1+g.Float64()), whole: true,
			in: []arg{g.input(normal, s...)}}
	})
	generate("LpNormalization", 9, func(g *source) opCase {
		rank := 1 + g.i%3
		return opCase{attrs: is("p", g.upto(2), "axis", g.axis(rank)), in: []arg{g.input(kinkless, g.extents(rank)...)}, whole: true}
	})
	generate("DequantizeLinear", 10, func(g *source) opCase {
		rank := 1 + g.i%3
		s := g.extents(rank)
		axis := g.axis(rank)
		scale := positiveScales(g, s[(axis+rank)%rank])
		attrs := is("axis", axis)
		if g.i%3 == 2 {
			scale, attrs = wg(positive), nil
		}
		q := make([]int8, tensor.Shape(s).Len())
		for k := range q {
			q[k] = int8(g.IntN(256) - 128)
		}
		in := []arg{given(tensor.From(q, s...)), scale}
		if g.flip() {
			zero := make([]int8, tensor.Shape(scale.shape).Len())
			for k := range zero {
				zero[k] = int8(g.IntN(20) - 10)
			}
			in = append(in, given(tensor.From(zero, scale.shape...)))
		}
		return opCase{attrs: attrs, in: in, whole: true}
	})

	for _, op := range []string{"SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"} {
		generate(op, 14, func(g *source) opCase {
			n, c := g.upto(3), 1+g.upto(3)
			rest := g.list1(g.i%3, 1, 3)
			reduction := pick(g, "mean", "sum", "none", "sum", "mean")
			if g.i == 6 {
				n, reduction = 0, "sum" // a mean of nothing is no number
			}
			kv := []any{"reduction", reduction}
			labels := g.list(n*tensor.Shape(rest).Len(), 0, c-1)
			if g.flip() { // one of the classes, or what is none
				ignored := anyOf(g, int64(0), -1, 100)
				kv = append(kv, "ignore_index", ignored)
				for k := range labels {
					if k > 0 && g.IntN(3) == 0 {
						labels[k] = ignored
					}
				}
				if len(labels) > 0 { // of none at all the mean is no number
					labels[0] = int64(c - 1)
				}
			}
			k := opCase{attrs: is(kv...), whole: true, tol: 1e-3,
				in: []arg{x(append([]int{n, c}, rest...)...), idsIn(append([]int{n}, rest...), labels...)}}
			if g.i%4 > 1 {
				k.in = append(k.in, wg(positive, c).noGrad())
			}
			if op == "SoftmaxCrossEntropyLoss" && g.i%5 == 1 {
				k.outs = 2
			}
			return k
		})
	}
}

// positiveScales are n of them.
func positiveScales(_ *source, n int) arg { return wg(positive, n) }

// list1 is n extents in [lo, hi].
func (g *source) list1(n, lo, hi int) []int {
	s := make([]int, n)
	for k := range s {
		s[k] = lo + g.IntN(hi-lo+1)
	}
	return s
}
