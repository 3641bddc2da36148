package rewrite_test

import (
	"math"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/engine/rewrite"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestTrainBatchNorm normalises by the statistics of the batch and returns the running ones moved towards them, where these are
// parameters.
func TestTrainBatchNorm(t *testing.T) {
	for _, constant := range []bool{false, true} {
		g := graph.New("")
		b := graph.NewBuilder(g)
		x := g.AddInput("x", tensor.Float32, nil)
		scale, shift := g.AddParam("scale", tensor.From([]float32{2, 3}, 2)), g.AddParam("shift", tensor.From([]float32{-1, 1}, 2))
		mean, variance := g.AddParam("mean", tensor.From([]float32{5, 6}, 2)), g.AddParam("var", tensor.From([]float32{7, 8}, 2))
		if constant {
			g.Info(mean).Kind = graph.Constant
		}
		attrs, err := ops.BatchNormalization.DecodeAttrs(graph.Attrs{"momentum": float32(0.75), "epsilon": float32(0.5)})
		if err != nil {
			t.Fatal(err)
		}
		y := b.Add(ops.BatchNormalization, attrs, x, scale, shift, mean, variance)
		updates := rewrite.TrainBatchNorm(g)
		if constant {
			if updates != nil {
				t.Errorf("constant statistics are updated: %v", updates)
			}
			continue
		}
		if len(updates) != 2 || updates[0].Param != mean || updates[1].Param != variance {
			t.Fatalf("updates %v", updates)
		}
		in := testkit.RandN(1, 3, 2, 4)
		out, err := run(g, []graph.Value{y, updates[0].Value, updates[1].Value}, []*tensor.Tensor{in})
		if err != nil {
			t.Fatal(err)
		}
		for c := range 2 {
			var xs []float64
			for n := range 3 {
				for i := range 4 {
					xs = append(xs, float64(in.F32()[(n*2+c)*4+i]))
				}
			}
			m, v := 0.0, 0.0
			for _, x := range xs {
				m += x / 12
			}
			for _, x := range xs {
				v += (x - m) * (x - m) / 12
			}
			close := func(what string, got float32, want float64) {
				if math.Abs(float64(got)-want) > 1e-5 {
					t.Errorf("channel %d: %s is %v, want %v", c, what, got, want)
				}
			}
			close("running mean", out[1].F32()[c], 0.75*[]float64{5, 6}[c]+0.25*m)
			close("running variance", out[2].F32()[c], 0.75*[]float64{7, 8}[c]+0.25*v)
			close("first result", out[0].F32()[c*4], []float64{2, 3}[c]*(xs[0]-m)/math.Sqrt(v+0.5)+[]float64{-1, 1}[c])
		}
	}
}

// TestTrainDropout drops by the seed: the same for the same seed, others for others and from run to run.
func TestTrainDropout(t *testing.T) {
	g := graph.New("")
	b := graph.NewBuilder(g)
	x := g.AddInput("x", tensor.Float32, nil)
	half := b.Const(tensor.Scalar(float32(0.5)))
	y := b.Add(ops.Dropout, nil, x, half)
	z := b.Add(ops.Dropout, nil, y, half)
	masked := b.AddN(ops.Dropout, nil, 2, x, half)
	g.Outputs = []graph.Value{z, masked[1]}
	seed := rewrite.TrainDropout(g)
	if seed == nil {
		t.Fatal("no seed")
	}
	in := tensor.New(tensor.Float32, 400)
	for i := range in.F32() {
		in.F32()[i] = 1
	}
	at := func(s int64) []float32 {
		seed.I64()[0] = s
		out, err := run(g, []graph.Value{z, masked[0]}, []*tensor.Tensor{in})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(out[1].F32(), in.F32()) {
			t.Error("a Dropout whose mask is used drops")
		}
		return out[0].F32()
	}
	one, again, two := at(1), at(1), at(2)
	if !slices.Equal(one, again) || slices.Equal(one, two) {
		t.Errorf("seed 1 twice gives the same: %v; seeds 1 and 2 give the same: %v", slices.Equal(one, again), slices.Equal(one, two))
	}
	kept := 0
	for _, v := range one {
		if v != 0 && v != 4 {
			t.Fatalf("an element became %v, want 0 or 4", v)
		}
		if v != 0 {
			kept++
		}
	}
	if kept < 60 || kept > 140 {
		t.Errorf("%d of 400 are kept by two layers that drop one half, want about 100", kept)
	}
	none := graph.New("")
	graph.NewBuilder(none).Add(ops.Relu, nil, none.AddInput("x", tensor.Float32, nil))
	if rewrite.TrainDropout(none) != nil {
		t.Error("a graph without Dropout has a seed")
	}
}

// TestUnshare gives each Identity of a parameter, where the caller wants it, a parameter of its own.
func TestUnshare(t *testing.T) {
	g := graph.New("")
	b := graph.NewBuilder(g)
	x := g.AddInput("x", tensor.Float32, nil)
	w, c := g.AddParam("w", tensor.From([]float32{3}, 1)), b.Const(tensor.From([]float32{4}, 1))
	var copies []graph.Value
	for _, v := range []graph.Value{w, w, c, x} {
		copies = append(copies, b.Add(ops.Identity, nil, v))
	}
	fetch := []graph.Value{b.Add(ops.Add, nil, copies[0], copies[1]), copies[2], copies[3]}
	made := rewrite.Unshare(g, func(n *graph.Node) bool { return n.Out[0] != copies[1] })
	if len(made) != 1 || made[copies[0]] != w || g.Info(copies[0]).Kind != graph.Parameter || g.Info(copies[1]).Kind != graph.Computed {
		t.Fatalf("made %v", made)
	}
	g.Info(w).Data = tensor.From([]float32{10}, 1)
	out, err := run(g, fetch, []*tensor.Tensor{tensor.From([]float32{5}, 1)})
	if err != nil {
		t.Fatal(err)
	}
	if got := []float32{out[0].F32()[0], out[1].F32()[0], out[2].F32()[0]}; !slices.Equal(got, []float32{13, 4, 5}) {
		t.Errorf("results %v, want 13, 4 and 5", got)
	}
}

// TestFreeze makes constants of the parameters but those that the caller excepts.
func TestFreeze(t *testing.T) {
	g := graph.New("")
	a, b := g.AddParam("a", tensor.Scalar(float32(1))), g.AddParam("b", tensor.Scalar(float32(2)))
	x := g.AddInput("x", tensor.Float32, nil)
	rewrite.Freeze(g, func(v graph.Value) bool { return v == b })
	if g.Info(a).Kind != graph.Constant || g.Info(b).Kind != graph.Parameter || g.Info(x).Kind != graph.Input {
		t.Errorf("kinds %v %v %v", g.Info(a).Kind, g.Info(b).Kind, g.Info(x).Kind)
	}
	rewrite.Freeze(g, nil)
	if g.Info(b).Kind != graph.Constant {
		t.Error("a parameter is left")
	}
}
