package ml_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// stump is the attributes of a tree with one branch, x[0] <= 0.5, whose leaves vote for classes with weights, to which more is added.
func stump(prefix string, leaves, ids []int64, weights []float32, more graph.Attrs) graph.Attrs {
	a := graph.Attrs{
		"nodes_treeids": []int64{0, 0, 0}, "nodes_nodeids": []int64{0, 1, 2}, "nodes_featureids": []int64{0, 0, 0},
		"nodes_modes": []string{"BRANCH_LEQ", "LEAF", "LEAF"}, "nodes_values": []float32{0.5, 0, 0},
		"nodes_truenodeids": []int64{1, 0, 0}, "nodes_falsenodeids": []int64{2, 0, 0},
		prefix + "_treeids": make([]int64, len(ids)), prefix + "_nodeids": leaves, prefix + "_ids": ids, prefix + "_weights": weights,
	}
	for k, v := range more {
		a[k] = v
	}
	return a
}

// TestDefinition: what ONNX Runtime gets wrong, by ONNX's definition. Rows are 0.1, left of the threshold, and 0.9.
func TestDefinition(t *testing.T) {
	two := graph.Attrs{"classlabels_int64s": []int64{5, 7}}
	with := func(more graph.Attrs) graph.Attrs {
		a := graph.Attrs{}
		for _, m := range []graph.Attrs{two, more} {
			for k, v := range m {
				a[k] = v
			}
		}
		return a
	}
	sig := func(x float64) float32 { return float32(1 / (1 + math.Exp(-x))) }
	for _, c := range []struct {
		name, op string
		attrs    graph.Attrs
		labels   []int64
		scores   []float32
	}{
		{"votes for both", "TreeEnsembleClassifier", stump("class", []int64{1, 1, 2, 2}, []int64{0, 1, 0, 1}, []float32{.3, .7, .9, .1}, two),
			[]int64{7, 5}, []float32{.3, .7, .9, .1}},
		{"base values for both", "TreeEnsembleClassifier", stump("class", []int64{1, 2}, []int64{0, 0}, []float32{-.3, .6},
			with(graph.Attrs{"base_values": []float32{.5, .25}})), []int64{7, 5}, []float32{.2, .25, 1.1, .25}},
		{"a class that no leaf votes for", "TreeEnsembleClassifier", stump("class", []int64{1, 2}, []int64{0, 1}, []float32{-.5, -.25},
			graph.Attrs{"classlabels_int64s": []int64{1, 2, 3}}), []int64{2, 1}, []float32{-.5, 0, 0, 0, -.25, 0}},
		{"logistic of positive votes", "TreeEnsembleClassifier", stump("class", []int64{1, 2}, []int64{0, 0}, []float32{.25, .75},
			with(graph.Attrs{"post_transform": "LOGISTIC"})), []int64{7, 7}, []float32{sig(-.25), sig(.25), sig(-.75), sig(.75)}},
		{"probit of two", "TreeEnsembleClassifier", stump("class", []int64{1, 2}, []int64{0, 0}, []float32{.5, .5},
			with(graph.Attrs{"post_transform": "PROBIT"})), []int64{5, 5}, []float32{0, 0, 0, 0}},
		{"one label", "TreeEnsembleClassifier", stump("class", []int64{1, 2}, []int64{0, 0}, []float32{-.5, .5},
			graph.Attrs{"classlabels_int64s": []int64{4}}), []int64{4, 4}, []float32{-.5, .5}},
		{"votes of a branch", "TreeEnsembleClassifier", stump("class", []int64{0, 1, 2}, []int64{0, 1, 0}, []float32{9, .5, .5}, two),
			[]int64{7, 5}, []float32{0, .5, .5, 0}},
		{"logistic of one target", "TreeEnsembleRegressor", stump("target", []int64{1, 2}, []int64{0, 0}, []float32{-.25, 2},
			graph.Attrs{"post_transform": "LOGISTIC"}), nil, []float32{sig(-.25), sig(2)}},
		{"base value without a vote", "TreeEnsembleRegressor", stump("target", []int64{1, 2}, []int64{0, 1}, []float32{.5, .25},
			graph.Attrs{"n_targets": int64(2), "base_values": []float32{10, 20}}), nil, []float32{10.5, 20, 10, 20.25}},
		{"logistic of one target", "LinearRegressor", graph.Attrs{"coefficients": []float32{2}, "post_transform": "LOGISTIC"}, nil,
			[]float32{sig(.2), sig(1.8)}},
		{"logistic", "SVMRegressor", graph.Attrs{"coefficients": []float32{2}, "rho": []float32{1}, "post_transform": "LOGISTIC"}, nil,
			[]float32{sig(1.2), sig(2.8)}},
	} {
		outs := 1
		if c.labels != nil {
			outs = 2
		}
		t.Run(c.op+"/"+c.name, func(t *testing.T) {
			x := tensor.From([]float32{.1, .9}, 2, 1)
			g, n, err := node(c.op, 1, c.attrs, outs, x)
			if err != nil {
				t.Fatal(err)
			}
			out, err := compute(g, 1, n.Out, x)
			if err != nil {
				t.Fatal(err)
			}
			if want := tensor.From(c.scores, 2, len(c.scores)/2); !same(out[outs-1], want, 1e-6) {
				t.Errorf("scores %v, want %v", shown(out[outs-1]), c.scores)
			}
			if c.labels != nil && !slices.Equal(out[0].I64(), c.labels) {
				t.Errorf("labels %v, want %v", out[0].I64(), c.labels)
			}
		})
	}
}

// TestTreeEnsemble compares random ensembles, with branches of every mode, with a walk written from the definition.
func TestTreeEnsemble(t *testing.T) {
	const targets, features, rows = 3, 4, 40
	for _, how := range []int{0, 1, 2, 3} {
		for _, double := range []bool{false, true} {
			t.Run(fmt.Sprint(how, double), func(t *testing.T) {
				r := rand.New(rand.NewPCG(uint64(how), 5))
				var modes []uint8
				var splits, weights, membership []float64
				var feature, yes, no, yesLeaf, noLeaf, missing, roots, ids []int64
				sets := map[int64][]float64{}
				var grow func(depth int) (int64, int64)
				grow = func(depth int) (id, leaf int64) {
					if depth == 0 || depth < 3 && r.IntN(4) == 0 {
						weights, ids = append(weights, float64(r.IntN(64)-32)/8), append(ids, int64(r.IntN(targets)))
						return int64(len(weights) - 1), 1
					}
					at := int64(len(modes))
					m := uint8(r.IntN(7))
					modes, splits = append(modes, m), append(splits, float64(r.IntN(5)-2))
					feature, missing = append(feature, int64(r.IntN(features))), append(missing, int64(r.IntN(2)))
					if m == 6 {
						sets[at] = []float64{float64(r.IntN(5) - 2), float64(r.IntN(5) - 2)}
						membership = append(membership, append(sets[at], math.NaN())...)
					}
					yes, no, yesLeaf, noLeaf = append(yes, 0), append(no, 0), append(yesLeaf, 0), append(noLeaf, 0)
					yes[at], yesLeaf[at] = grow(depth - 1)
					no[at], noLeaf[at] = grow(depth - 1)
					return at, 0
				}
				for range 70 {
					root, _ := grow(3)
					roots = append(roots, root)
				}
				d := tensor.Float32
				if double {
					d = tensor.Float64
				}
				as := func(x []float64) *tensor.Tensor {
					y, err := tensor.From(x, len(x)).Convert(d)
					if err != nil {
						t.Fatal(err)
					}
					return y
				}
				xs := make([]float64, rows*features)
				for i := range xs {
					if xs[i] = float64(r.IntN(5) - 2); r.IntN(6) == 0 {
						xs[i] = math.NaN()
					}
				}
				g, n, err := node("TreeEnsemble", 5, graph.Attrs{
					"aggregate_function": int64(how), "n_targets": int64(targets), "nodes_modes": tensor.From(modes, len(modes)),
					"nodes_splits": as(splits), "leaf_weights": as(weights), "leaf_targetids": ids, "nodes_featureids": feature,
					"nodes_truenodeids": yes, "nodes_falsenodeids": no, "nodes_trueleafs": yesLeaf, "nodes_falseleafs": noLeaf,
					"nodes_missing_value_tracks_true": missing, "tree_roots": roots, "membership_values": as(membership),
				}, 1, as(nil))
				if err != nil {
					t.Fatal(err)
				}
				for _, size := range []int{1, 2, rows} {
					want := make([]float64, size*targets)
					for row := range size {
						votes := make([][]float64, targets)
						for _, at := range roots {
							for leaf := int64(0); ; {
								v, s := xs[row*features+int(feature[at])], splits[at]
								ok := []bool{v <= s, v < s, v >= s, v > s, v == s, v != s, slices.Contains(sets[at], v)}[modes[at]]
								next := no[at]
								if leaf = noLeaf[at]; ok || v != v && missing[at] == 1 {
									next, leaf = yes[at], yesLeaf[at]
								}
								if at = next; leaf == 1 {
									votes[ids[at]] = append(votes[ids[at]], weights[at])
									break
								}
							}
						}
						for k, v := range votes {
							if len(v) == 0 {
								continue
							}
							sum := 0.0
							for _, w := range v {
								sum += w
							}
							want[row*targets+k] = []float64{sum / float64(len(roots)), sum, slices.Min(v), slices.Max(v)}[how]
						}
					}
					x, err := tensor.From(xs[:size*features], size, features).Convert(d)
					if err != nil {
						t.Fatal(err)
					}
					for _, threads := range []int{1, 2} {
						out, err := compute(g, threads, n.Out, x)
						if err != nil {
							t.Fatal(err)
						}
						y, err := tensor.From(want, size, targets).Convert(d)
						if err != nil {
							t.Fatal(err)
						}
						if !same(out[0], y, 0) { // the numbers are eighths, so that sums are exact
							t.Errorf("%d rows: %v, want %v", size, shown(out[0]), want)
						}
					}
				}
			})
		}
	}
}

// TestForestErrors: what is wrong with a forest is told when it is read.
func TestForestErrors(t *testing.T) {
	base := func() graph.Attrs { return stump("target", []int64{1, 2}, []int64{0, 0}, []float32{1, 2}, nil) }
	for _, c := range []struct {
		name  string
		value any
		want  string
	}{
		{"nodes_truenodeids", []int64{0, 0, 0}, "below no root"},
		{"nodes_truenodeids", []int64{2, 0, 0}, "two roots"},
		{"nodes_falsenodeids", []int64{7, 0, 0}, "which the tree does not have"},
		{"nodes_nodeids", []int64{0, 1, 1}, "there twice"},
		{"nodes_modes", []string{"BRANCH_LEQ", "LEAF", "BRANCH_MEMBER"}, "mode"},
		{"nodes_modes", []string{"LEAF"}, "nodes_modes has 1 elements"},
		{"nodes_featureids", []int64{-1, 0, 0}, "feature -1"},
		{"nodes_values", []float32{1}, "nodes_values has 1 elements"},
		{"nodes_missing_value_tracks_true", []int64{1}, "nodes_missing_value_tracks_true"},
		{"target_ids", []int64{0, 1}, "target_ids has 1"},
		{"target_nodeids", []int64{1, 9}, "node 9"},
		{"target_weights", []float32{1}, "target_weights"},
		{"aggregate_function", "MEDIAN", "MEDIAN"},
		{"post_transform", "EXP", "EXP"},
		{"n_targets", int64(-3), "n_targets"},
		{"base_values", []float32{1, 2}, "base_values"},
		{"nodes_values_as_tensor", tensor.From([]float64{1, 2, 3}, 3), "both given"},
		{"base_values_as_tensor", tensor.From([]int64{1}, 1), "base_values_as_tensor"},
	} {
		a := base()
		a[c.name] = c.value
		_, _, err := node("TreeEnsembleRegressor", 3, a, 1, tensor.New(tensor.Float32, 1, 1))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s = %v: error %v, want one with %q", c.name, c.value, err, c.want)
		}
	}
	cycle := graph.Attrs{
		"nodes_treeids": []int64{0, 0, 0, 0}, "nodes_nodeids": []int64{0, 1, 2, 3}, "nodes_featureids": []int64{0, 0, 0, 0},
		"nodes_modes": []string{"BRANCH_LEQ", "BRANCH_LT", "BRANCH_LT", "LEAF"}, "nodes_values": make([]float32, 4),
		"nodes_truenodeids": []int64{1, 2, 1, 0}, "nodes_falsenodeids": []int64{3, 3, 3, 0},
	}
	if _, _, err := node("TreeEnsembleRegressor", 1, cycle, 1, tensor.New(tensor.Float32, 1, 1)); err == nil ||
		!strings.Contains(err.Error(), "leads back to itself") {
		t.Errorf("a cycle: %v", err)
	}
	x := tensor.New(tensor.Float32, 3, 1)
	a := base()
	a["nodes_featureids"] = []int64{4, 0, 0}
	g, n, err := node("TreeEnsembleRegressor", 1, a, 1, x)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := compute(g, 1, n.Out, x); err == nil || !strings.Contains(err.Error(), "feature 4") {
		t.Errorf("too few columns: %v", err)
	}
	if _, err := compute(g, 1, n.Out, tensor.New(tensor.Float32, 2, 3, 4)); err == nil || !strings.Contains(err.Error(), "[N,C]") {
		t.Errorf("three axes: %v", err)
	}
	five := graph.Attrs{"nodes_modes": tensor.From([]uint8{0}, 1), "nodes_splits": tensor.From([]float32{0}, 1),
		"leaf_weights": tensor.From([]float32{1}, 1), "leaf_targetids": []int64{0}, "nodes_featureids": []int64{0},
		"nodes_truenodeids": []int64{0}, "nodes_falsenodeids": []int64{0}, "nodes_trueleafs": []int64{1}, "nodes_falseleafs": []int64{1},
		"tree_roots": []int64{0}}
	for _, c := range []struct {
		name  string
		value any
		want  string
	}{
		{"tree_roots", []int64{1}, "tree_roots has 1"},
		{"nodes_trueleafs", []int64{0}, "leads back"},
		{"nodes_truenodeids", []int64{5}, "leads to 5"},
		{"nodes_modes", tensor.From([]uint8{6}, 1), "membership_values"},
		{"nodes_modes", tensor.From([]uint8{9}, 1), "nodes_modes has 9"},
		{"nodes_modes", tensor.From([]int64{0}, 1), "uint8"},
		{"membership_values", tensor.From([]float32{1}, 1), "sets more"},
		{"leaf_targetids", []int64{1}, "leaf_targetids"},
		{"aggregate_function", int64(9), "aggregate_function"},
		{"post_transform", int64(-1), "post_transform"},
	} {
		a := graph.Attrs{}
		for k, v := range five {
			a[k] = v
		}
		if _, _, err := node("TreeEnsemble", 5, a, 1, x); err != nil {
			t.Fatal(err)
		}
		a[c.name] = c.value
		if _, _, err := node("TreeEnsemble", 5, a, 1, x); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s = %v: error %v, want one with %q", c.name, c.value, err, c.want)
		}
	}
}
