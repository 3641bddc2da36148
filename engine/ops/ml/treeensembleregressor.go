package ml

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// TreeEnsembleRegressor walks an ensemble of trees: for X [N,C], the Y [N,n_targets] that the leaves vote for, aggregated, with
// base_values added. It has no gradient: it is constant between thresholds. Version 5 deprecates it for TreeEnsemble and changes
// nothing.
//
// Source: https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsembleRegressor.html. As defined, and other than in ONNX Runtime, base
// values are those of targets without a vote too, and post_transform is that of one target too.
var TreeEnsembleRegressor = new(graph.Spec)

type treeRegressorAttrs struct {
	Aggregate        string         `onnx:"aggregate_function,default=SUM"`
	BaseValues       []float32      `onnx:"base_values"`
	BaseValuesDouble *tensor.Tensor `onnx:"base_values_as_tensor"`
	Targets          int            `onnx:"n_targets,default=1"`
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
	TargetIDs        []int          `onnx:"target_ids"`
	TargetNodeIDs    []int          `onnx:"target_nodeids"`
	TargetTreeIDs    []int          `onnx:"target_treeids"`
	TargetWeights    []float32      `onnx:"target_weights"`
	TargetDouble     *tensor.Tensor `onnx:"target_weights_as_tensor"`

	built lazy[*treeRegressor]
}

// treeRegressor is a forest with what is done with its scores.
type treeRegressor struct {
	*forest
	how  aggregate
	base []float64
	post transform
}

var aggregates = []string{"AVERAGE", "SUM", "MIN", "MAX"}

func init() {
	define(TreeEnsembleRegressor, graph.Def[treeRegressorAttrs]{
		Name: "TreeEnsembleRegressor", Since: []int{1, 3, 5},
		In: []graph.Formal{{Name: "X", Types: numbers}}, Out: []graph.Formal{{Name: "Y"}},
		Types: outType[treeRegressorAttrs](tensor.Float32),
		Check: func(a *treeRegressorAttrs, _ *graph.Node) error {
			_, err := a.regressor()
			return err
		},
		Infer: func(a *treeRegressorAttrs, c *graph.InferCtx) error {
			r, err := a.regressor()
			if err != nil {
				return err
			}
			return r.infer(c)
		},
		Run: func(a *treeRegressorAttrs, c *graph.RunCtx) error {
			r, err := a.regressor()
			if err != nil {
				return err
			}
			return r.run(c)
		},
	})
}

func (a *treeRegressorAttrs) regressor() (*treeRegressor, error) {
	return a.built.get(func() (*treeRegressor, error) {
		how := slices.Index(aggregates, a.Aggregate)
		if how < 0 {
			return nil, fmt.Errorf("attribute aggregate_function is %q, want one of %v", a.Aggregate, aggregates)
		}
		post, err := transformOf(a.PostTransform)
		if err != nil {
			return nil, err
		}
		if a.Targets < 1 || a.Targets >= finite {
			return nil, fmt.Errorf("attribute n_targets is %d", a.Targets)
		}
		f, base, err := forestOf(
			&treeAttrs{a.BaseValues, a.BaseValuesDouble, a.FalseNodeIDs, a.FeatureIDs, a.MissingTrue, a.Modes, a.NodeIDs, a.TreeIDs,
				a.TrueNodeIDs, a.Values, a.ValuesDouble},
			&voteAttrs{"target", a.TargetIDs, a.TargetNodeIDs, a.TargetTreeIDs, a.TargetWeights, a.TargetDouble}, a.Targets)
		if err != nil {
			return nil, err
		}
		if n := len(base); n != 0 && n != a.Targets {
			return nil, fmt.Errorf("attribute base_values has %d elements, want none or %d, one for each target", n, a.Targets)
		}
		return &treeRegressor{f, aggregate(how), base, post}, nil
	})
}

func (r *treeRegressor) infer(c *graph.InferCtx) error {
	rows, columns, err := table(c.Shape(0))
	if err != nil {
		return err
	}
	c.Out(0, rows, r.targets)
	return r.check(columns)
}

// run writes Y, in float32 or float64.
func (r *treeRegressor) run(c *graph.RunCtx) error {
	y := c.Out[0]
	return r.scores(c, r.how, func(row int, s []float64, round func(float64) float64) {
		for k := range r.base {
			s[k] = round(s[k] + r.base[k])
		}
		if y.DType() == tensor.Float64 && r.post == none {
			copy(tensor.Data[float64](y)[row*r.targets:], s)
			return
		}
		out := narrowed(s)
		r.post.apply(out)
		if y.DType() == tensor.Float64 {
			copy(tensor.Data[float64](y)[row*r.targets:], widened(out))
			return
		}
		copy(y.F32()[row*r.targets:], out)
	})
}

// narrowed are the elements in single precision.
func narrowed(s []float64) []float32 {
	out := make([]float32, len(s))
	for i, v := range s {
		out[i] = float32(v)
	}
	return out
}
