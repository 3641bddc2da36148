package ml

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// TreeEnsemble walks an ensemble of trees: for X [N,C], the Y [N,n_targets], of X's type, that the leaves vote for, aggregated. A branch
// may ask whether a feature is among the values of a set. It has no gradient: it is constant between thresholds.
//
// Source: https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsemble.html
var TreeEnsemble = new(graph.Spec)

type treeEnsembleAttrs struct {
	Aggregate     int            `onnx:"aggregate_function,default=1"`
	LeafTargetIDs []int          `onnx:"leaf_targetids,required"`
	LeafWeights   *tensor.Tensor `onnx:"leaf_weights,required"`
	Membership    *tensor.Tensor `onnx:"membership_values"`
	Targets       int            `onnx:"n_targets,default=1"`
	FalseLeafs    []int          `onnx:"nodes_falseleafs,required"`
	FalseNodeIDs  []int          `onnx:"nodes_falsenodeids,required"`
	FeatureIDs    []int          `onnx:"nodes_featureids,required"`
	HitRates      *tensor.Tensor `onnx:"nodes_hitrates"`
	MissingTrue   []int          `onnx:"nodes_missing_value_tracks_true"`
	Modes         *tensor.Tensor `onnx:"nodes_modes,required"`
	Splits        *tensor.Tensor `onnx:"nodes_splits,required"`
	TrueLeafs     []int          `onnx:"nodes_trueleafs,required"`
	TrueNodeIDs   []int          `onnx:"nodes_truenodeids,required"`
	PostTransform int            `onnx:"post_transform,default=0"`
	Roots         []int          `onnx:"tree_roots,required"`

	built lazy[*treeRegressor]
}

func init() {
	define(TreeEnsemble, graph.Def[treeEnsembleAttrs]{
		Name: "TreeEnsemble", Since: []int{5},
		In: []graph.Formal{{Name: "X", Types: reals}}, Out: []graph.Formal{{Name: "Y"}},
		Check: func(a *treeEnsembleAttrs, _ *graph.Node) error {
			_, err := a.ensemble()
			return err
		},
		Infer: func(a *treeEnsembleAttrs, c *graph.InferCtx) error {
			r, err := a.ensemble()
			if err != nil {
				return err
			}
			return r.infer(c)
		},
		Run: func(a *treeEnsembleAttrs, c *graph.RunCtx) error {
			r, err := a.ensemble()
			if err != nil {
				return err
			}
			return r.run(c)
		},
	})
}

func (a *treeEnsembleAttrs) ensemble() (*treeRegressor, error) {
	return a.built.get(func() (*treeRegressor, error) {
		switch {
		case a.Aggregate < 0 || a.Aggregate >= len(aggregates):
			return nil, fmt.Errorf("attribute aggregate_function is %d, want 0 to %d", a.Aggregate, len(aggregates)-1)
		case a.PostTransform < 0 || a.PostTransform >= len(transforms):
			return nil, fmt.Errorf("attribute post_transform is %d, want 0 to %d", a.PostTransform, len(transforms)-1)
		case a.Targets < 1 || a.Targets >= finite:
			return nil, fmt.Errorf("attribute n_targets is %d", a.Targets)
		case a.Modes.DType() != tensor.Uint8:
			return nil, fmt.Errorf("attribute nodes_modes is %v, want uint8", a.Modes)
		}
		f, err := a.forest()
		if err != nil {
			return nil, err
		}
		return &treeRegressor{f, aggregate(a.Aggregate), nil, transform(a.PostTransform)}, nil
	})
}

func (a *treeEnsembleAttrs) forest() (*forest, error) {
	modeOf, splits, weights := tensor.Data[uint8](a.Modes), a.Splits.Float64s(), a.LeafWeights.Float64s()
	n, leaves := len(modeOf), len(weights)
	for _, l := range []struct {
		name string
		n    int
	}{
		{"nodes_splits", len(splits)}, {"nodes_featureids", len(a.FeatureIDs)}, {"nodes_truenodeids", len(a.TrueNodeIDs)},
		{"nodes_falsenodeids", len(a.FalseNodeIDs)}, {"nodes_trueleafs", len(a.TrueLeafs)}, {"nodes_falseleafs", len(a.FalseLeafs)},
		{"nodes_missing_value_tracks_true", len(a.MissingTrue)},
	} {
		if l.n != n && !(l.n == 0 && l.name == "nodes_missing_value_tracks_true") {
			return nil, fmt.Errorf("attribute %s has %d elements, nodes_modes has %d", l.name, l.n, n)
		}
	}
	if len(a.LeafTargetIDs) != leaves {
		return nil, fmt.Errorf("attributes leaf_targetids and leaf_weights have %d and %d elements", len(a.LeafTargetIDs), leaves)
	}
	sets, err := a.sets()
	if err != nil {
		return nil, err
	}
	f := &forest{targets: a.Targets}
	for i, w := range weights {
		if id := a.LeafTargetIDs[i]; id < 0 || id >= a.Targets {
			return nil, fmt.Errorf("attribute leaf_targetids has %d, there are %d targets", id, a.Targets)
		}
		f.leaves = append(f.leaves, []vote{{a.LeafTargetIDs[i], w}})
	}
	child := func(id int, isLeaf int) (int, error) {
		switch {
		case isLeaf != 0 && id >= 0 && id < leaves:
			return ^id, nil
		case isLeaf == 0 && id >= 0 && id < n:
			return id, nil
		}
		return 0, fmt.Errorf("a branch leads to %d, there are %d nodes and %d leaves", id, n, leaves)
	}
	for i, m := range modeOf {
		b := branch{mode: mode(m), feature: a.FeatureIDs[i], value: splits[i], missing: len(a.MissingTrue) > 0 && a.MissingTrue[i] != 0}
		switch {
		case b.mode >= modes:
			return nil, fmt.Errorf("attribute nodes_modes has %d, want 0 to %d", m, modes-1)
		case b.feature < 0 || b.feature >= finite:
			return nil, fmt.Errorf("node %d asks about feature %d", i, b.feature)
		case b.mode == member && len(sets) == 0:
			return nil, fmt.Errorf("attribute membership_values has fewer sets than there are nodes that ask for one")
		case b.mode == member:
			b.among, sets = sets[0], sets[1:]
		}
		if b.yes, err = child(a.TrueNodeIDs[i], a.TrueLeafs[i]); err != nil {
			return nil, err
		}
		if b.no, err = child(a.FalseNodeIDs[i], a.FalseLeafs[i]); err != nil {
			return nil, err
		}
		f.branches = append(f.branches, b)
	}
	if len(sets) > 0 {
		return nil, fmt.Errorf("attribute membership_values has %d sets more than there are nodes that ask for one", len(sets))
	}
	for _, r := range a.Roots {
		if r < 0 || r >= n {
			return nil, fmt.Errorf("attribute tree_roots has %d, there are %d nodes", r, n)
		}
		f.roots = append(f.roots, r)
	}
	return f, f.finish()
}

// sets are the values of the branches that ask for a member, in the order of the nodes: NaN ends each.
func (a *treeEnsembleAttrs) sets() ([][]float64, error) {
	if a.Membership == nil {
		return nil, nil
	}
	var all [][]float64
	var set []float64
	for _, v := range a.Membership.Float64s() {
		if math.IsNaN(v) {
			all, set = append(all, set), nil
		} else {
			set = append(set, v)
		}
	}
	if set != nil { // the last may lack its end
		all = append(all, set)
	}
	return all, nil
}
