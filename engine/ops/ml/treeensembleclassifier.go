package ml

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// TreeEnsembleClassifier walks an ensemble of trees: for X [N,C], the label Y [N] of the class with the highest score, and the scores
// Z [N,K] that the leaves vote for, summed, with base_values added and post_transform applied. It has no gradient: it is constant between
// thresholds. Version 5 deprecates it for TreeEnsemble and changes nothing.
//
// Source: https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsembleClassifier.html. Of two classes, with votes for one alone and at most
// one base value, those votes are the score p of the second class, as in ONNX Runtime and as exporters write them: it is chosen when p >
// 0, or p > 1/2 where no vote is negative, and Z is (-p, p) or (1-p, p); SOFTMAX leaves both as they are. Other than in ONNX Runtime,
// the label is always that of the highest score: it returns 0 or 1 in place of a label where both classes have votes, and asks for p >
// 1/2 of what LOGISTIC makes a probability of.
var TreeEnsembleClassifier = new(graph.Spec)

type treeClassifierAttrs struct {
	BaseValues       []float32      `onnx:"base_values"`
	BaseValuesDouble *tensor.Tensor `onnx:"base_values_as_tensor"`
	ClassIDs         []int          `onnx:"class_ids"`
	ClassNodeIDs     []int          `onnx:"class_nodeids"`
	ClassTreeIDs     []int          `onnx:"class_treeids"`
	ClassWeights     []float32      `onnx:"class_weights"`
	ClassDouble      *tensor.Tensor `onnx:"class_weights_as_tensor"`
	LabelInts        []int          `onnx:"classlabels_int64s"`
	LabelStrings     []string       `onnx:"classlabels_strings"`
	FalseNodeIDs     []int          `onnx:"nodes_falsenodeids"`
	FeatureIDs       []int          `onnx:"nodes_featureids"`
	HitRates         []float32      `onnx:"nodes_hitrates"`
	HitRatesDouble   *tensor.Tensor `onnx:"nodes_hitrates_as_tensor"`
	MissingTrue      []int          `onnx:"nodes_missing_value_tracks_true"`
	Modes            []string       `onnx:"nodes_modes"`
	NodeIDs          []int          `onnx:"nodes_nodeids"`
	TreeIDs          []int          `onnx:"nodes_treeids"`
	TrueNodeIDs      []int          `onnx:"nodes_truenodeids"`
	Values           []float32      `onnx:"nodes_values"`
	ValuesDouble     *tensor.Tensor `onnx:"nodes_values_as_tensor"`
	PostTransform    string         `onnx:"post_transform,default=NONE"`

	built lazy[*treeClassifier]
}

// treeClassifier is a forest with what is done with its scores.
type treeClassifier struct {
	*forest
	labels
	base     []float64
	post     transform
	voted    int // the class that all votes are for, -1 where there are several
	positive bool
}

func init() {
	define(TreeEnsembleClassifier, graph.Def[treeClassifierAttrs]{
		Name: "TreeEnsembleClassifier", Since: []int{1, 3, 5},
		In: []graph.Formal{{Name: "X", Types: numbers}}, Out: classifierOut(),
		Types: classifierTypes(func(a *treeClassifierAttrs) ([]int, []string) { return a.LabelInts, a.LabelStrings }),
		Check: func(a *treeClassifierAttrs, _ *graph.Node) error {
			_, err := a.classifier()
			return err
		},
		Infer: func(a *treeClassifierAttrs, c *graph.InferCtx) error {
			r, err := a.classifier()
			if err != nil {
				return err
			}
			rows, columns, err := table(c.Shape(0))
			if err != nil {
				return err
			}
			c.Out(0, rows)
			c.Out(1, rows, r.count())
			return r.check(columns)
		},
		Run: func(a *treeClassifierAttrs, c *graph.RunCtx) error {
			r, err := a.classifier()
			if err != nil {
				return err
			}
			return r.run(c)
		},
	})
}

func (a *treeClassifierAttrs) classifier() (*treeClassifier, error) {
	return a.built.get(func() (*treeClassifier, error) {
		names, err := labelsOf("classlabels_int64s", a.LabelInts, "classlabels_strings", a.LabelStrings)
		if err != nil {
			return nil, err
		}
		post, err := transformOf(a.PostTransform)
		if err != nil {
			return nil, err
		}
		f, base, err := forestOf(
			&treeAttrs{a.BaseValues, a.BaseValuesDouble, a.FalseNodeIDs, a.FeatureIDs, a.MissingTrue, a.Modes, a.NodeIDs, a.TreeIDs,
				a.TrueNodeIDs, a.Values, a.ValuesDouble},
			&voteAttrs{"class", a.ClassIDs, a.ClassNodeIDs, a.ClassTreeIDs, a.ClassWeights, a.ClassDouble}, names.count())
		if err != nil {
			return nil, err
		}
		r := &treeClassifier{forest: f, labels: names, base: base, post: post, voted: -1, positive: f.positive()}
		k := names.count()
		if k == 2 && len(base) < 2 && distinct(a.ClassIDs) == 1 {
			r.voted = a.ClassIDs[0]
		} else if n := len(base); n != 0 && n != k {
			return nil, fmt.Errorf("attribute base_values has %d elements, want none or %d, one for each class", n, k)
		}
		return r, nil
	})
}

func (r *treeClassifier) run(c *graph.RunCtx) error {
	k := r.count()
	return r.scores(c, sum, func(row int, s []float64, round func(float64) float64) {
		var z []float32
		best := 0
		if r.voted < 0 {
			for i := range r.base {
				s[i] = round(s[i] + r.base[i])
			}
			best = top(s)
			z = narrowed(s)
			r.post.apply(z)
		} else {
			p := s[r.voted]
			if len(r.base) > 0 {
				p = round(p + r.base[0])
			}
			probability := r.positive && (r.post == none || r.post == probit || r.voted == 0 && r.post != logistic)
			if p > 0.5 || p > 0 && !probability {
				best = 1
			}
			if r.voted == 0 {
				z = twoFromOne(float32(p), r.post, !r.positive)
			} else {
				z = []float32{0, float32(p)}
				r.post.apply(z)
			}
		}
		if c.Want(0) {
			r.set(c.Out[0], row, best)
		}
		if c.Want(1) {
			copy(c.Out[1].F32()[row*k:], z)
		}
	})
}
