package ml

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// LinearClassifier is the scores Z = X·coefficientsᵀ + intercepts, transformed, for X [N,C] or [C]: Z [N,K], and the label Y [N] of the
// highest before the transform. Its weights are attributes, which are not trained; the gradient goes from Z to X. multi_class says how
// the model was trained and changes nothing.
//
// Source: https://onnx.ai/onnx/operators/onnx_aionnxml_LinearClassifier.html. Coefficients for one score p of two classes choose the
// second class where p > 0, and Z is (1-p, p), of LOGISTIC the two probabilities, as in ONNX Runtime; SOFTMAX leaves it as it is.
var LinearClassifier = new(graph.Spec)

type linearClassifierAttrs struct {
	Coefficients  []float32 `onnx:"coefficients,required"`
	Intercepts    []float32 `onnx:"intercepts"`
	LabelInts     []int     `onnx:"classlabels_ints"`
	LabelStrings  []string  `onnx:"classlabels_strings"`
	MultiClass    int       `onnx:"multi_class,default=0"`
	PostTransform string    `onnx:"post_transform,default=NONE"`
}

// model is the scores, of which there is one for each label, or one for two.
func (a *linearClassifierAttrs) model() (*linear, labels, error) {
	names, err := labelsOf("classlabels_ints", a.LabelInts, "classlabels_strings", a.LabelStrings)
	if err != nil {
		return nil, names, err
	}
	k := names.count()
	targets := k
	if n := len(a.Intercepts); k == 2 && n == 1 {
		targets = 1
	}
	l, err := linearOf(a.Coefficients, a.Intercepts, targets, a.PostTransform)
	if err != nil {
		err = fmt.Errorf("%d class labels: %w", k, err)
	}
	return l, names, err
}

func init() {
	define(LinearClassifier, graph.Def[linearClassifierAttrs]{
		Name: "LinearClassifier", Since: []int{1},
		In: []graph.Formal{{Name: "X", Types: numbers}}, Out: classifierOut(),
		Types: classifierTypes(func(a *linearClassifierAttrs) ([]int, []string) { return a.LabelInts, a.LabelStrings }),
		Check: func(a *linearClassifierAttrs, _ *graph.Node) error {
			_, _, err := a.model()
			return err
		},
		Infer: func(a *linearClassifierAttrs, c *graph.InferCtx) error {
			l, names, err := a.model()
			if err != nil {
				return err
			}
			rows, err := l.rows(c)
			c.Out(0, rows)
			c.Out(1, rows, names.count())
			return err
		},
		Run:   runLinearClassifier,
		Lower: lowerLinearClassifier,
	})
}

func runLinearClassifier(a *linearClassifierAttrs, c *graph.RunCtx) error {
	l, names, err := a.model()
	if err != nil {
		return err
	}
	k := names.count()
	return l.run(c, func(row int, s []float32) {
		best := top(s)
		if l.targets < k {
			if s[0] > 0 {
				best = 1
			}
			s = twoFromOne(s[0], l.post, false)
		} else {
			l.post.apply(s)
		}
		if c.Want(0) {
			names.set(c.Out[0], row, best)
		}
		if c.Want(1) {
			copy(c.Out[1].F32()[row*k:], s)
		}
	})
}

func lowerLinearClassifier(a *linearClassifierAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	l, names, err := a.model()
	if err != nil {
		return nil, err
	}
	s := l.lower(b, n.In[0])
	if l.targets == names.count() {
		at := with(b, ops.ArgMax, graph.Attrs{"axis": int64(1), "keepdims": int64(0)}, s)
		return []graph.Value{pick(b, names, at), cast(b, l.post.lower(b, s), tensor.Float32)}, nil
	}
	d := b.DType(s)
	positive := b.Add(ops.Greater, nil, s, b.Scalar(d, 0))
	at := b.Add(ops.Reshape, nil, b.Add(ops.Cast, ops.CastTo(tensor.Int64), positive), b.Ints(-1))
	join := func(x, y graph.Value) graph.Value { return with(b, ops.Concat, graph.Attrs{"axis": int64(1)}, x, y) }
	z := join(b.Add(ops.Sub, nil, b.Scalar(d, 1), s), s)
	switch l.post {
	case logistic:
		z = l.post.lower(b, join(b.Add(ops.Neg, nil, s), s))
	case probit:
		z = l.post.lower(b, z)
	}
	return []graph.Value{pick(b, names, at), cast(b, z, tensor.Float32)}, nil
}
