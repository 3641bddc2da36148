package explain

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestInputKinds: what an input is, and how it is seen, follows from what the model does with it.
func TestInputKinds(t *testing.T) {
	weights := map[string][]int{"w6": {6, 3}, "w3": {3, 4}, "w30": {30, 4}, "k1": {2, 6, 3}, "k1s": {2, 1, 3}, "k2": {2, 1, 3, 3},
		"k2c": {2, 3, 3, 3}, "k11": {2, 6, 1, 1}, "rw": {1, 9, 6}, "rr": {1, 9, 3}, "table": {9, 3}, "onehot": {9, 3}}
	pool := []*onnxpb.NodeProto{nodeOf("ReduceMean", "c", "y", onnx.AttrInt("keepdims", 0), onnx.AttrInts("axes", -1))}
	ids := onnx.ValueInfo("x", tensor.Int64, "N", 5)
	for name, tc := range map[string]struct {
		in    *onnxpb.ValueInfoProto
		x     tensor.Shape
		nodes []*onnxpb.NodeProto
		kind  Kind
		view  string
		seen  tensor.Shape
	}{
		"table": {reals("x", 6), tensor.Shape{2, 6}, []*onnxpb.NodeProto{nodeOf("MatMul", "x w6", "y")}, KindTable,
			"nl 1x6", tensor.Shape{1, 1, 6}},
		"table, written as a picture": {reals("x", 6, 1, 1), tensor.Shape{2, 6, 1, 1}, []*onnxpb.NodeProto{nodeOf("Flatten", "x", "f"),
			nodeOf("MatMul", "f w6", "y")}, KindTable, "gathered 1x6", tensor.Shape{1, 1, 6}},
		"table, by a convolution": {reals("x", 6, 1, 1), tensor.Shape{2, 6, 1, 1}, []*onnxpb.NodeProto{nodeOf("Conv", "x k11", "c"),
			nodeOf("Flatten", "c", "y")}, KindTable, "gathered 1x6", tensor.Shape{1, 1, 6}},
		"signal of one channel": {reals("x", 1, 6), tensor.Shape{2, 1, 6},
			append([]*onnxpb.NodeProto{nodeOf("Conv", "x k1s", "c")}, pool...), KindSeries, "ncl 1x6", tensor.Shape{1, 1, 6}},
		"signal": {reals("x", 6), tensor.Shape{2, 6},
			append([]*onnxpb.NodeProto{nodeOf("Unsqueeze", "x one", "u"), nodeOf("Conv", "u k1s", "c")},
				pool...), KindSeries, "nl 1x6", tensor.Shape{1, 1, 6}},
		"series, channels 1st": {reals("x", 6, 8), tensor.Shape{2, 6, 8},
			append([]*onnxpb.NodeProto{nodeOf("Conv", "x k1", "c")}, pool...), KindSeries, "ncl 1x8", tensor.Shape{6, 1, 8}},
		"series, channels last": {reals("x", 8, 6), tensor.Shape{2, 8, 6},
			append([]*onnxpb.NodeProto{nodeOf("Transpose", "x", "u", onnx.AttrInts("perm", 0, 2, 1)), nodeOf("Conv", "u k1", "c")},
				pool...), KindSeries, "nlc 1x8",
			tensor.Shape{6, 1, 8}},
		"steps of features": {reals("x", 8, 6), tensor.Shape{2, 8, 6},
			[]*onnxpb.NodeProto{nodeOf("MatMul", "x w6", "c"),
				nodeOf("ReduceMean", "c", "y", onnx.AttrInt("keepdims", 0), onnx.AttrInts("axes", 1))}, KindSeries, "nlc 1x8",
			tensor.Shape{6, 1, 8}},
		"steps of features, the last state": {reals("x", 8, 6), tensor.Shape{2, 8, 6},
			[]*onnxpb.NodeProto{nodeOf("Transpose", "x", "u", onnx.AttrInts("perm", 1, 0, 2)), onnx.NewNode("GRU", "g",
				[]string{"u", "rw", "rr"}, []string{"", "h"}, onnx.AttrInt("hidden_size", 3)), nodeOf("Squeeze", "h zero", "y")}, KindSeries,
			"nlc 1x8", tensor.Shape{6, 1, 8}},
		"grey picture": {reals("x", 5, 6), tensor.Shape{2, 5, 6},
			[]*onnxpb.NodeProto{nodeOf("Flatten", "x", "f"), nodeOf("MatMul", "f w30", "y")}, KindPicture, "nhw 5x6",
			tensor.Shape{1, 5, 6}},
		"channels last": {reals("x", 5, 6, 3), tensor.Shape{2, 5, 6, 3},
			[]*onnxpb.NodeProto{nodeOf("Transpose", "x", "u", onnx.AttrInts("perm", 0, 3, 1, 2)), nodeOf("Conv", "u k2c", "c"),
				nodeOf("GlobalAveragePool", "c", "p"), nodeOf("Flatten", "p", "y")},
			KindPicture, "nhwc 5x6", tensor.Shape{3, 5, 6}},
		// six channels, or a picture three wide: only the convolution tells
		"channels first, narrow": {reals("x", 6, 5, 3), tensor.Shape{2, 6, 5, 3},
			[]*onnxpb.NodeProto{nodeOf("Conv", "x k6", "c"), nodeOf("GlobalAveragePool", "c", "p"), nodeOf("Flatten", "p", "y")},
			KindPicture, "nchw 5x3", tensor.Shape{6, 5, 3}},
		"tokens": {ids, tensor.Shape{2, 5}, []*onnxpb.NodeProto{nodeOf("Gather", "table x", "e"),
			nodeOf("ReduceMean", "e", "y", onnx.AttrInt("keepdims", 0),
				onnx.AttrInts("axes", 1))}, KindTokens, "nl 1x5", tensor.Shape{1, 1, 5}},
		"one-hot": {ids, tensor.Shape{2, 5}, []*onnxpb.NodeProto{nodeOf("Unsqueeze", "x two", "u"), nodeOf("Equal", "u all", "b"),
			nodeOf("Cast", "b", "h", onnx.AttrInt("to", int64(tensor.Float64))), nodeOf("MatMul", "h onehot", "e"),
			nodeOf("ReduceMean", "e", "y", onnx.AttrInt("keepdims", 0), onnx.AttrInts("axes", 1))}, KindTokens, "nl 1x5", tensor.Shape{1, 1, 5}},
		"bytes": {onnx.ValueInfo("x", tensor.Uint8, "N", 3, 5, 6), tensor.Shape{2, 3, 5, 6},
			[]*onnxpb.NodeProto{nodeOf("Cast", "x", "f", onnx.AttrInt("to", int64(tensor.Float64))), nodeOf("Conv", "f k2c", "c"),
				nodeOf("GlobalAveragePool", "c", "p"), nodeOf("Flatten", "p", "y")}, KindPicture, "nchw 5x6", tensor.Shape{3, 5, 6}},
		"plane 2d": {reals("x", 7, 6), tensor.Shape{2, 7, 6},
			[]*onnxpb.NodeProto{nodeOf("Unsqueeze", "x one", "u"), nodeOf("Conv", "u k2", "c"), nodeOf("GlobalAveragePool", "c", "p"),
				nodeOf("Flatten", "p", "y")}, KindPicture, "nhw 7x6", tensor.Shape{1, 7, 6}},
	} {
		weights["k6"] = []int{2, 6, 3, 3}
		m := graphOf(t, []*onnxpb.ValueInfoProto{tc.in}, []*onnxpb.ValueInfoProto{{Name: new("y"), Type: reals("y", "").Type}}, weights,
			tc.nodes...)
		e := explainer(t, m, Config{Requests: []Request{{"gradient", nil}}})
		x := tensor.New(tensor.Float32, tc.x...)
		for i := range x.F32() {
			x.F32()[i] = float32((i*7 + i/3) % 9)
		}
		feed, err := x.Convert(m.Inputs()[0].DType)
		if err != nil {
			t.Fatal(err)
		}
		images, err := e.Explain(context.Background(), only(m, feed))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if e.Kind() != tc.kind || e.net.src.fed.String() != tc.view || !images[1].Input.Equal(tc.seen) {
			t.Errorf("%s: a %s read as %v, seen as %v; want a %s, %s, %v", name, e.Kind(), e.net.src.fed, images[1].Input, tc.kind,
				tc.view, tc.seen)
		}
		if got := images[1].Maps[0]; got.H != tc.seen[1] || got.W != tc.seen[2] || got.Constant && tc.kind != KindTable &&
			tc.kind != KindTokens && tc.kind != KindSeries {
			t.Errorf("%s: map of size %dx%d, constant %v", name, got.H, got.W, got.Constant)
		}
	}
}

// TestSeveralInputs: the largest real input is explained unless one is named, masks last; the others are fed along.
func TestSeveralInputs(t *testing.T) {
	in := []*onnxpb.ValueInfoProto{reals("age", 1), reals("big_mask", 4, 4), reals("x", 6), onnx.ValueInfo("ids", tensor.Int64, "N", 5),
		onnx.ValueInfo("flag", tensor.Bool, "N")}
	m := graphOf(t, in, []*onnxpb.ValueInfoProto{reals("y", 3)}, map[string][]int{"w": {6, 3}, "table": {9, 3}},
		nodeOf("MatMul", "x w", "a"), nodeOf("Gather", "table ids", "e"), nodeOf("ReduceMean", "e", "b", onnx.AttrInt("keepdims", 0),
			onnx.AttrInts("axes", 1)),
		nodeOf("Add", "a b", "c"), nodeOf("Mul", "c age", "d"), nodeOf("ReduceMean", "big_mask", "m", onnx.AttrInt("keepdims", 0),
			onnx.AttrInts("axes", 1, 2)), nodeOf("Unsqueeze", "m one", "n"),
		nodeOf("Cast", "flag", "g", onnx.AttrInt("to", int64(tensor.Float64))), nodeOf("Unsqueeze", "g one", "h"), nodeOf("Add", "d n",
			"k"), nodeOf("Add", "k h", "y"))
	feeds := map[string]*tensor.Tensor{
		"age": double(1, 2, 1), "big_mask": double(2, 2, 4, 4), "x": double(3, 2,
			6), "ids": tensor.From([]int32{1, 2, 3, 4, 5, 8, 7, 6, 0, 0}, 2, 5), "flag": tensor.From([]float32{1, 0}, 2),
	}
	for input, want := range map[string]string{"": "x", "ids": "ids", "age": "age", "big_mask": "big_mask"} {
		e := explainer(t, m, Config{Requests: []Request{{"gradient", nil}}, Input: input})
		both, err := e.Explain(context.Background(), feeds)
		if err != nil {
			t.Fatalf("%s: %v", input, err)
		}
		if e.Input() != want {
			t.Errorf("input %q: %q is explained, want %q", input, e.Input(), want)
		}
		one := map[string]*tensor.Tensor{}
		for k, x := range feeds {
			one[k] = rowsOf(x, 0, []int{1})
		}
		alone, err := e.Explain(context.Background(), one)
		if err != nil || !tensor.Equal(alone[0].Maps[0].Raw, both[1].Maps[0].Raw) {
			t.Errorf("%s: the second example alone differs: %v", input, err)
		}
	}
	for change, want := range map[string]string{
		"x": `input x float64[N,6] is not given`, "+z": `no input "z"`,
		"rows": `input "x" has 1 examples, others have 2`, "half": "numbers of type float32 do not fit int64",
	} {
		bad := map[string]*tensor.Tensor{}
		for k, v := range feeds {
			bad[k] = v
		}
		switch change {
		case "+z":
			bad["z"] = feeds["x"]
		case "rows":
			bad["x"] = double(3, 1, 6)
		case "half":
			bad["ids"] = tensor.From([]float32{1, 2, 3.5, 4, 5, 8, 7, 6, 0, 0}, 2, 5)
		default:
			delete(bad, change)
		}
		_, err := explainer(t, m, Config{Requests: []Request{{"gradient", nil}}}).Explain(context.Background(), bad)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", change, err, want)
		}
	}
	if _, err := explainer(t, m, Config{Requests: []Request{{"gradient", nil}}, Input: "flag"}).Explain(context.Background(),
		feeds); err != nil {
		t.Errorf("a flag cast to real: %v", err)
	}
	if _, err := explainer(t, m, Config{Requests: []Request{{"gradient", nil}}, Input: "agee"}).Explain(context.Background(),
		feeds); err == nil || !strings.Contains(err.Error(), `did you mean "age"`) {
		t.Errorf("an input that is not there: %v", err)
	}
}

// TestMixedExamples: a model that compares the examples of a batch is explained one example at a time, and one whose first axis is time
// is refused.
func TestMixedExamples(t *testing.T) {
	in := []*onnxpb.ValueInfoProto{reals("x", 6), reals("z", 6)}
	m := graphOf(t, in, []*onnxpb.ValueInfoProto{reals("y", "N")}, map[string][]int{"w": {6, 3}, "v": {6, 3}},
		nodeOf("MatMul", "x w", "a"), nodeOf("MatMul", "z v", "b"), nodeOf("Transpose", "b", "c"), nodeOf("MatMul", "a c", "y"))
	var notes []string
	feeds := map[string]*tensor.Tensor{"x": double(3, 2, 6), "z": double(4, 2, 6)}
	c := Config{Requests: []Request{{"gradient", Options{"reduce": "sum"}}}, Warn: func(s string) { notes = append(notes, s) }}
	images, err := explainer(t, m, c).Explain(context.Background(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	for i, img := range images {
		alone, err := explainer(t, m, c).Explain(context.Background(),
			map[string]*tensor.Tensor{"x": rowsOf(feeds["x"], 0, []int{i}), "z": rowsOf(feeds["z"], 0, []int{i})})
		if err != nil || !tensor.Equal(alone[0].Maps[0].Raw, img.Maps[0].Raw) {
			t.Errorf("example %d alone differs: %v", i, err)
		}
	}
	if !slices.ContainsFunc(notes, func(s string) bool { return strings.Contains(s, "one at a time") }) {
		t.Errorf("notes %q", notes)
	}
	// centred over the batch
	centred := graphOf(t, in[:1], []*onnxpb.ValueInfoProto{reals("y", 3)}, map[string][]int{"w": {6, 3}},
		nodeOf("ReduceMean", "x", "mean", onnx.AttrInts("axes", 0)), nodeOf("Sub", "x mean", "d"), nodeOf("Mul", "mean d",
			"q"), nodeOf("MatMul", "q w", "y"))
	notes = nil
	if _, err := explainer(t, centred, c).Explain(context.Background(), only(centred, feeds["x"])); err != nil || len(notes) == 0 ||
		!strings.Contains(notes[0], `"n0" (ReduceMean) mixes`) {
		t.Errorf("a mean over the batch: %v, notes %q", err, notes)
	}
	time := graphOf(t, []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", tensor.Float64, "T", 1, 4)},
		[]*onnxpb.ValueInfoProto{onnx.ValueInfo("y", tensor.Float64, "T", 1, 3)}, map[string][]int{"w": {1, 9, 4}, "r": {1, 9, 3},
			"s": {3, 3}},
		nodeOf("GRU", "x w r", "g", onnx.AttrInt("hidden_size", 3)), nodeOf("Squeeze", "g one", "h"), nodeOf("MatMul", "h s", "y"))
	_, err = explainer(t, time, Config{Requests: []Request{{"gradient", nil}},
		Objective: Objective{Kind: ClassScore}}).Explain(context.Background(), only(time, double(1, 5, 1, 4)))
	if err == nil || !strings.Contains(err.Error(), "may not be that of the examples") {
		t.Errorf("time first: %v", err)
	}
}

func TestLayerNames(t *testing.T) {
	in := []*onnxpb.ValueInfoProto{reals("x", 3, 8, 8)}
	named := func(op, name, ins, outs string) *onnxpb.NodeProto {
		return onnx.NewNode(op, name, strings.Fields(ins), strings.Fields(outs))
	}
	m := graphOf(t, in, []*onnxpb.ValueInfoProto{reals("y", 4)}, map[string][]int{"k": {6, 3, 3, 3}, "w": {6, 4}},
		named("Conv", "layer", "x k", "c"), named("Relu", "layer", "c", "r"), named("GlobalAveragePool", "pool", "r",
			"p"), named("Flatten", "f", "p", "q"), named("MatMul", "m", "q w", "y"))
	for layer, want := range map[string]string{
		"layer": `two or more nodes are called so; name the tensor: "c" (Conv), "r" (Relu)`,
		"laier": `did you mean "layer"`, "pol": `did you mean "pool"`,
		"y": "input or score itself", "x": "input or score itself", "k": "not between",
		"q": "cannot be read as channels at positions", "c": "", "r@nchw": "", "r@nhwc": "", "pool": "",
		"r@nchv": `layer "r": there is no view "nchv" (did you mean "nchw"?)`, "rr@nchv": `no layer "rr@nchv"`,
		"auto@nhwx": `there is no view "nhwx"`,
	} {
		_, err := explainer(t, m, Config{Requests: []Request{{"gradcam", nil}}, Layers: []string{layer}}).Explain(context.Background(),
			only(m, double(1, 1, 3, 8, 8)))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", layer, err, want)
		}
	}
}

// TestLastPositionsAreDead: auto takes no layer at which the gradient of all positions is zero, which at the last layers of a net that
// reads one token it is.
func TestLastPositionsAreDead(t *testing.T) {
	for _, name := range []string{"vit", "deit"} {
		m, g := viewNet(t, name)
		shapes := map[string]tensor.Shape{"x": g.Feeds["x"].Shape}
		layers, err := ListLayers(m, shapes, Config{})
		if err != nil {
			t.Fatal(err)
		}
		c := Config{Requests: []Request{{"normgrad", Options{"phase1": "bias"}}}}
		auto := ""
		for _, l := range layers {
			if strings.HasPrefix(l.View.Name, "tokens") {
				c.Layers = append(c.Layers, l.Name)
			}
			if l.Auto {
				auto = l.Name
			}
		}
		images, err := explainer(t, m, c).Explain(context.Background(), g.feeds(t))
		if err != nil {
			t.Fatal(err)
		}
		dead, seen := 0, false
		for _, m := range images[0].Maps {
			zero := !slices.ContainsFunc(m.Raw.F32(), func(v float32) bool { return v != 0 })
			switch seen = seen || m.Layer == auto; {
			case zero && m.Layer == auto:
				t.Errorf("%s: the gradient at %s, which auto takes, is zero", name, m.Layer)
			case zero && seen:
				dead++
			case zero:
				t.Errorf("%s: the gradient at %s, before the layer that auto takes, is zero", name, m.Layer)
			}
		}
		if !seen || dead < 5 {
			t.Errorf("%s: auto is among the token layers: %v; %d after it are dead", name, seen, dead)
		}
	}
}

// TestUnknownShapes: a model whose score has a shape that only a run can tell is run once to know it.
func TestUnknownShapes(t *testing.T) {
	m := graphOf(t, []*onnxpb.ValueInfoProto{reals("x", 6)}, []*onnxpb.ValueInfoProto{{Name: new("y"), Type: reals("y", "").Type}},
		map[string][]int{"w": {6, 3}},
		nodeOf("ReduceSum", "x", "s"), nodeOf("Cast", "s", "i", onnx.AttrInt("to", 7)), nodeOf("Sub", "i i", "zero"), nodeOf("Add",
			"zero rowshape", "shape2"),
		nodeOf("Reshape", "shape2 one1", "shape3"), nodeOf("MatMul", "x w", "h"), nodeOf("Reshape", "h shape3", "y"))
	e := explainer(t, m, Config{Requests: []Request{{"gradient", nil}}})
	if _, err := e.Explain(context.Background(), only(m, double(1, 2, 6))); err != nil {
		t.Fatal(err)
	}
	if k := e.net.goal.count(); k != 3 {
		t.Errorf("%d classes, want 3", k)
	}
}

// TestFixedBatchOfSeveral: inputs that all declare one batch size are fed in batches of it, the last one filled up.
func TestFixedBatchOfSeveral(t *testing.T) {
	in := []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", tensor.Float64, 2, 6), onnx.ValueInfo("z", tensor.Float64, 2, 6),
		onnx.ValueInfo("scale", tensor.Float64)}
	m := graphOf(t, in, []*onnxpb.ValueInfoProto{onnx.ValueInfo("y", tensor.Float64, 2, 3)}, map[string][]int{"w": {6, 3}},
		nodeOf("Mul", "x z", "a"), nodeOf("Mul", "a scale", "b"), nodeOf("MatMul", "b w", "y"))
	e := explainer(t, m, Config{Requests: []Request{{"gradient", Options{"reduce": "none"}}}, Input: "x", Targets: []Target{Class(1)}})
	x, z := double(3, 5, 6), double(4, 5, 6)
	images, err := e.Explain(context.Background(), map[string]*tensor.Tensor{"x": x, "z": z, "scale": tensor.Scalar(2.0)})
	if err != nil {
		t.Fatal(err)
	}
	w, err := m.Param("w")
	if err != nil {
		t.Fatal(err)
	}
	for i, img := range images {
		for j, got := range img.Maps[0].Raw.F32() {
			want := 2 * z.Float64s()[i*6+j] * w.Value.Float64s()[j*3+1]
			if math.Abs(float64(got)-want) > 1e-6*(1+math.Abs(want)) {
				t.Errorf("example %d: gradient by number %d is %g, want %g", i, j, got, want)
			}
		}
	}
	if len(images) != 5 {
		t.Errorf("%d images", len(images))
	}
}
