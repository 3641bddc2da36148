package ml

import (
	"fmt"
	"slices"
	"sync"

	"github.com/gtk-onnx/gtk/tensor"
)

// treeAttrs are the attributes that TreeEnsembleClassifier and TreeEnsembleRegressor share. A node of a tree is an element of each of the
// nodes_ lists; those that end in _as_tensor stand, in double precision, for the ones without.
type treeAttrs struct {
	BaseValues       []float32
	BaseValuesDouble *tensor.Tensor
	FalseNodeIDs     []int
	FeatureIDs       []int
	MissingTrue      []int
	Modes            []string
	NodeIDs          []int
	TreeIDs          []int
	TrueNodeIDs      []int
	Values           []float32
	ValuesDouble     *tensor.Tensor
}

// voteAttrs are the votes of leaves: the class_ or the target_ lists, whose name is prefix.
type voteAttrs struct {
	prefix        string
	IDs           []int
	NodeIDs       []int
	TreeIDs       []int
	Weights       []float32
	WeightsDouble *tensor.Tensor
}

// modeNames are the modes of branches as the older operators write them.
var modeNames = []string{"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"}

// doubles are the types that are computed with in double precision.
var doubles = []tensor.DType{tensor.Float64}

// lazy is what is made of attributes once, when a node is checked or first run.
type lazy[T any] struct {
	once sync.Once
	v    T
	err  error
}

func (l *lazy[T]) get(build func() (T, error)) (T, error) {
	l.once.Do(func() { l.v, l.err = build() })
	return l.v, l.err
}

// either is the list of an attribute, or the tensor that stands for it; double tells which.
func either(name string, list []float32, t *tensor.Tensor) (v []float64, double bool, err error) {
	switch {
	case t == nil:
		return widened(list), false, nil
	case len(list) > 0:
		return nil, false, fmt.Errorf("attributes %s and %s_as_tensor are both given", name, name)
	case t.DType() != tensor.Float64 && t.DType() != tensor.Float32 || t.Rank() != 1:
		return nil, false, fmt.Errorf("attribute %s_as_tensor is %v, want a list of float32 or float64", name, t)
	}
	return t.Float64s(), t.DType() == tensor.Float64, nil
}

// forestOf is the forest that the attributes describe, with its base values: one for each target, or none, or as many as they are.
func forestOf(a *treeAttrs, votes *voteAttrs, targets int) (f *forest, base []float64, err error) {
	values, double, err := either("nodes_values", a.Values, a.ValuesDouble)
	if err != nil {
		return nil, nil, err
	}
	weights, d, err := either(votes.prefix+"_weights", votes.Weights, votes.WeightsDouble)
	if err != nil {
		return nil, nil, err
	}
	double = double || d
	if base, d, err = either("base_values", a.BaseValues, a.BaseValuesDouble); err != nil {
		return nil, nil, err
	}
	f = &forest{targets: targets, double: double || d}
	n := len(a.NodeIDs)
	for _, l := range []struct {
		name     string
		n        int
		optional bool
	}{
		{"nodes_treeids", len(a.TreeIDs), false}, {"nodes_featureids", len(a.FeatureIDs), false}, {"nodes_modes", len(a.Modes), false},
		{"nodes_values", len(values), false}, {"nodes_truenodeids", len(a.TrueNodeIDs), false},
		{"nodes_falsenodeids", len(a.FalseNodeIDs), false}, {"nodes_missing_value_tracks_true", len(a.MissingTrue), true},
	} {
		if l.n != n && !(l.optional && l.n == 0) {
			return nil, nil, fmt.Errorf("attribute %s has %d elements, nodes_nodeids has %d", l.name, l.n, n)
		}
	}
	for _, l := range []struct {
		name string
		n    int
	}{{"_ids", len(votes.IDs)}, {"_nodeids", len(votes.NodeIDs)}, {"_treeids", len(votes.TreeIDs)}} {
		if l.n != len(weights) {
			return nil, nil, fmt.Errorf("attribute %s has %d elements, %s_weights has %d", votes.prefix+l.name, l.n, votes.prefix, len(weights))
		}
	}

	// Where each node is: a branch, or ^leaf.
	type key struct{ tree, node int }
	at := make(map[key]int, n)
	for i := range n {
		k := key{a.TreeIDs[i], a.NodeIDs[i]}
		if _, twice := at[k]; twice {
			return nil, nil, fmt.Errorf("node %d of tree %d is there twice", k.node, k.tree)
		}
		if a.Modes[i] == "LEAF" {
			at[k] = ^len(f.leaves)
			f.leaves = append(f.leaves, nil)
			continue
		}
		m := slices.Index(modeNames, a.Modes[i])
		if m < 0 {
			return nil, nil, fmt.Errorf("node %d of tree %d has mode %q, want LEAF or one of %v", k.node, k.tree, a.Modes[i], modeNames)
		}
		if x := a.FeatureIDs[i]; x < 0 || x >= finite {
			return nil, nil, fmt.Errorf("node %d of tree %d asks about feature %d", k.node, k.tree, x)
		}
		at[k] = len(f.branches)
		f.branches = append(f.branches, branch{mode: mode(m), feature: a.FeatureIDs[i], value: values[i],
			missing: len(a.MissingTrue) > 0 && a.MissingTrue[i] != 0})
	}
	below := make(map[key]bool, n)
	for i := range n {
		k := key{a.TreeIDs[i], a.NodeIDs[i]}
		if at[k] < 0 {
			continue
		}
		yes, no := key{k.tree, a.TrueNodeIDs[i]}, key{k.tree, a.FalseNodeIDs[i]}
		for _, child := range []key{yes, no} {
			if _, there := at[child]; !there {
				return nil, nil, fmt.Errorf("node %d of tree %d leads to node %d, which the tree does not have", k.node, k.tree, child.node)
			}
			below[child] = true
		}
		f.branches[at[k]].yes, f.branches[at[k]].no = at[yes], at[no]
	}
	rooted := map[int]bool{}
	for i := range n {
		if k := (key{a.TreeIDs[i], a.NodeIDs[i]}); !below[k] {
			if rooted[k.tree] {
				return nil, nil, fmt.Errorf("tree %d has two roots, one of them node %d", k.tree, k.node)
			}
			rooted[k.tree] = true
			f.roots = append(f.roots, at[k])
		}
	}
	for i := range n {
		if t := a.TreeIDs[i]; !rooted[t] {
			return nil, nil, fmt.Errorf("tree %d has no root: a branch leads back to itself", t)
		}
	}
	for i, w := range weights {
		k := key{votes.TreeIDs[i], votes.NodeIDs[i]}
		leaf, there := at[k]
		switch id := votes.IDs[i]; {
		case !there:
			return nil, nil, fmt.Errorf("attribute %s_nodeids names node %d of tree %d, which is not there", votes.prefix, k.node, k.tree)
		case id < 0 || id >= targets:
			return nil, nil, fmt.Errorf("attribute %s_ids has %d, there are %d", votes.prefix, id, targets)
		case leaf < 0: // what a branch is given counts nowhere, as in ONNX Runtime
			f.leaves[^leaf] = append(f.leaves[^leaf], vote{id, w})
		}
	}
	all := len(f.branches)
	if err = f.finish(); err == nil && len(f.branches) < all {
		err = fmt.Errorf("%d branches are below no root: they lead back to themselves", all-len(f.branches))
	}
	return f, base, err
}
