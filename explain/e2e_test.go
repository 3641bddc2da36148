package explain

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
	"google.golang.org/protobuf/proto"
)

// file reads testdata/NAME.onnx.
func file(t testing.TB, name string) *onnx.Model {
	t.Helper()
	m, err := onnx.ReadFile("testdata/" + name + ".onnx")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func load(t testing.TB, f *onnx.Model) *engine.Model {
	t.Helper()
	m, err := engine.Load(f)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func explainer(t testing.TB, m *engine.Model, c Config) *Explainer {
	t.Helper()
	e, err := New(m, c)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func run(t testing.TB, e *Explainer, x *tensor.Tensor) []Image {
	t.Helper()
	out, err := e.Explain(context.Background(), only(e.net.m, x))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// only is x as the feed of the one input of m.
func only(m *engine.Model, x *tensor.Tensor) map[string]*tensor.Tensor {
	return map[string]*tensor.Tensor{m.Inputs()[0].Name: x}
}

// shapesOf is the shape of the one input of m.
func shapesOf(m *engine.Model, s tensor.Shape) map[string]tensor.Shape {
	return map[string]tensor.Shape{m.Inputs()[0].Name: s}
}

// find is the map of a method at a layer ("" is the input).
func find(t testing.TB, img Image, method, layer string) Map {
	t.Helper()
	for _, m := range img.Maps {
		if m.Method == method && m.Layer == layer {
			return m
		}
	}
	t.Fatalf("no map of %s at %q", method, layer)
	return Map{}
}

// concat is the rows of all ts.
func concat(ts ...*tensor.Tensor) *tensor.Tensor {
	var x []float32
	n := 0
	for _, t := range ts {
		x = append(x, t.F32()...)
		n += t.Dim(0)
	}
	return tensor.From(x, append([]int{n}, ts[0].Shape()[1:]...)...)
}

var everything = []Request{
	{"gradient", Options{"reduce": "none"}}, {"gradient", nil}, {"gradient", Options{"reduce": "sum"}},
	{"gradient", Options{"reduce": "abs-sum"}},
	{"gradcam", nil}, {"gradcam", Options{"relu": "false"}}, {"gradcam++", nil}, {"gradcam++", Options{"variant": "sumAg3"}},
	{"normgrad", Options{"phase1": "all", "phase2": "all"}},
}

// keyOf is where the vectors have the map of m, "" when they have none.
func keyOf(m Map) string {
	switch m.Base {
	case "gradient":
		return map[string]string{"none": "input/gradient", "auto": "input/gradient_absmax", "abs-max": "input/gradient_absmax",
			"sum": "input/gradient_sum", "abs-sum": "input/gradient_abs_sum"}[m.Options["reduce"]]
	case "gradcam":
		if m.Options["relu"] == "false" {
			return m.Layer + "/gradcam_prerelu"
		}
		return m.Layer + "/gradcam"
	case "gradcam++":
		return m.Layer + "/gradcampp_" + m.Options["variant"]
	case "normgrad":
		return m.Layer + "/normgrad/" + m.Options["phase1"] + "/" + m.Options["phase2"]
	}
	return ""
}

func TestEndToEnd(t *testing.T) {
	x := need(t, vectors(t, "common"), "input").tensor(4)
	for _, net := range nets {
		vs := vectors(t, net)
		e := explainer(t, load(t, file(t, net)), Config{Requests: everything, Layers: layersOf(vs)})
		img := run(t, e, x)[0]
		if want := int(need(t, vs, "target_argmax").Data[0]); img.Top[0].Class != want {
			t.Fatalf("%s: class %d, want %d", net, img.Top[0].Class, want)
		}
		compared := 0
		for _, m := range img.Maps {
			if want, ok := vs[keyOf(m)]; ok {
				near(t, net+"/"+keyOf(m), m.Raw.F32(), want)
				compared++
			}
			if m.Base == "gradcam" && m.Options["relu"] == "true" {
				near(t, net+"/"+m.Layer+"/gradcam_weights", m.Weights, need(t, vs, m.Layer+"/gradcam_weights"))
				if want, ok := vs[m.Layer+"/gradcam_up_norm"]; ok {
					near(t, net+"/"+m.Layer+"/gradcam_up_norm", m.Heat, want)
				}
			}
		}
		if want := 4 + 4*len(layersOf(vs)) + 3*20; compared != want {
			t.Errorf("%s: %d maps compared, want %d", net, compared, want)
		}
		var logits []float32
		for k := range vs["logits"].Data {
			i := slices.IndexFunc(img.Top, isClass(k))
			logits = append(logits, img.Top[i].Logit)
			if p := need(t, vs, "softmax").Data[k]; abs64(img.Top[i].Prob-p) > 1e-5 {
				t.Errorf("%s: probability of class %d is %g, want %g", net, k, img.Top[i].Prob, p)
			}
		}
		near(t, net+"/logits", logits, need(t, vs, "logits"))
	}
}

func abs64(x float64) float64 { return max(x, -x) }

// probeOf runs one method that hands out the clean pass.
func cleanPass(t *testing.T, e *Explainer, x *tensor.Tensor) *Pass {
	t.Helper()
	var got *Pass
	for i := range e.bound {
		e.bound[i].run = func(ctx context.Context, p *Probe) ([]Output, error) {
			pass, err := p.Clean(ctx)
			got = pass
			return nil, err
		}
	}
	run(t, e, x)
	return got
}

func TestActivationsAndGradients(t *testing.T) {
	x := need(t, vectors(t, "common"), "input").tensor(4)
	for _, net := range nets {
		vs := vectors(t, net)
		m := load(t, file(t, net))
		for _, tc := range []struct {
			score      Score
			target     Target
			key, input string
		}{
			{Logit, Argmax, "/grad", "input/gradient"},
			{Prob, Argmax, "/grad_softmax_target", "input/gradient_softmax_target"},
			{Logit, Target{kind: targetArgmin}, "", "input/gradient_argmin_class"},
		} {
			e := explainer(t, m, Config{Requests: []Request{{"gradient", nil}, {"gradcam", nil}}, Layers: layersOf(vs), Score: tc.score,
				Targets: []Target{tc.target}})
			pass := cleanPass(t, e, x)
			near(t, net+"/"+tc.input, pass.InputGrad.F32(), need(t, vs, tc.input))
			for i, l := range layersOf(vs) {
				near(t, net+"/"+l+"/act", pass.Act[i].F32(), need(t, vs, l+"/act"))
				if tc.key != "" {
					near(t, net+"/"+l+tc.key, pass.Grad[i].F32(), need(t, vs, l+tc.key))
				}
			}
		}
	}
}

func TestSmoothGradCAMppReplay(t *testing.T) {
	common := vectors(t, "common")
	x, noise := need(t, common, "input").tensor(4), need(t, common, "noise_sigma0.3_n4").tensor(4)
	layers := []string{"relu1", "relu2", "relu3"}
	for _, net := range nets {
		vs := vectors(t, net)
		m := load(t, file(t, net))
		for key, o := range map[string]Options{
			"gtk": nil, "paper": {"variant": "paper"}, "gtk_channels_0_2": {"channels": "0,2"},
			"gtk_neurons_rows1-2_cols0-1": {"neurons": "1:3,0:2"}, "gtk_neurons_outmask": {"neurons": "1:3,0:2", "neurons-mode": "mask"},
		} {
			for _, batch := range []int{1, 3, 16} {
				e := explainer(t, m, Config{Requests: []Request{{"smooth-gradcam++", o}}, Layers: layers, Noise: noise, Batch: batch})
				for _, got := range run(t, e, x)[0].Maps {
					near(t, net+"/"+got.Layer+"/smoothgradcampp/"+key, got.Raw.F32(), need(t, vs, got.Layer+"/smoothgradcampp/"+key))
				}
			}
		}
		// one sample without noise is Grad-CAM++
		e := explainer(t, m, Config{Requests: []Request{{"smooth-gradcam++", Options{"n": "1", "noise-sigma": "0"}}}, Layers: layers})
		for _, got := range run(t, e, x)[0].Maps {
			near(t, net+"/"+got.Layer+" n=1 sigma=0", got.Raw.F32(), need(t, vs, got.Layer+"/gradcampp_paper"))
		}
	}
}

func TestBatchIsRunsOfOne(t *testing.T) {
	common := vectors(t, "common")
	a, b := need(t, common, "input").tensor(4), need(t, common, "input2").tensor(4)
	requests := append(slices.Clone(everything), Request{"smooth-gradcam++", Options{"n": "5"}})
	for _, net := range nets {
		m := load(t, file(t, net))
		c := Config{Requests: requests, Layers: []string{"relu1", "relu3"}, Targets: []Target{{kind: targetTop, class: 2}, Class(0)}, Seed: 7}
		all := run(t, explainer(t, m, c), concat(a, b, a))
		for i, x := range []*tensor.Tensor{a, b, a} {
			one := run(t, explainer(t, m, c), x)[0]
			if len(one.Maps) != len(all[i].Maps) || len(one.Maps) < 2*len(requests) {
				t.Fatalf("%s: image %d has %d maps in the batch, %d alone", net, i, len(all[i].Maps), len(one.Maps))
			}
			for k, want := range one.Maps {
				got := all[i].Maps[k]
				if got.Method != want.Method || got.Layer != want.Layer || got.Target.Class != want.Target.Class {
					t.Fatalf("%s: image %d map %d is %s %s %v, want %s %s %v", net, i, k, got.Method, got.Layer, got.Target, want.Method, want.Layer,
						want.Target)
				}
				w := vector{}
				for _, v := range want.Raw.F32() {
					w.Data = append(w.Data, float64(v))
				}
				near(t, net+"/"+got.Method+"/"+got.Layer, got.Raw.F32(), w)
			}
		}
		again := run(t, explainer(t, m, c), concat(a, b, a))
		for i := range all {
			for k := range all[i].Maps {
				if !tensor.Equal(all[i].Maps[k].Raw, again[i].Maps[k].Raw) {
					t.Fatalf("%s: the same seed gave another %s", net, all[i].Maps[k].Method)
				}
			}
		}
	}
}

// appended is the model with nodes put after its output "logits", of which the last one makes the new output.
func appended(f *onnx.Model, nodes ...*onnxpb.NodeProto) *onnx.Model {
	f = f.Clone()
	g := f.Proto.Graph
	g.Node = append(g.Node, nodes...)
	g.Output = []*onnxpb.ValueInfoProto{onnx.ValueInfo(nodes[len(nodes)-1].Output[0], tensor.Float32)}
	g.Output[0].Type.GetTensorType().Shape = nil
	return f
}

func TestFinalActivation(t *testing.T) {
	x := need(t, vectors(t, "common"), "input").tensor(4)
	requests := []Request{{"gradient", nil}, {"gradcam", nil}, {"normgrad", nil}}
	for _, net := range nets {
		want := run(t, explainer(t, load(t, file(t, net)), Config{Requests: requests}), x)[0]
		for name, nodes := range map[string][]*onnxpb.NodeProto{
			"Softmax": {onnx.NewNode("Softmax", "end", []string{"logits"}, []string{"prob"})},
			"Softmax then views": {onnx.NewNode("Softmax", "end", []string{"logits"}, []string{"p"}), onnx.NewNode("Flatten", "f", []string{"p"},
				[]string{"q"}), onnx.NewNode("Identity", "i", []string{"q"}, []string{"prob"})},
		} {
			e := explainer(t, load(t, appended(file(t, net), nodes...)), Config{Requests: requests})
			if e.Head().Activation != "Softmax" || e.Head().Logits != "logits" {
				t.Errorf("%s, %s: score %+v", net, name, e.Head())
			}
			got := run(t, e, x)[0]
			for k, m := range got.Maps {
				if !tensor.Equal(m.Raw, want.Maps[k].Raw) {
					t.Errorf("%s, %s: %s at %q differs from that of the logits", net, name, m.Method, m.Layer)
				}
			}
		}
	}
}

func TestAutoLayerAndList(t *testing.T) {
	x := need(t, vectors(t, "common"), "input").tensor(4)
	for _, net := range nets {
		m := load(t, file(t, net))
		e := explainer(t, m, Config{Requests: []Request{{"gradcam", nil}}})
		if got := run(t, e, x)[0].Maps[0].Layer; got != "relu3_out" {
			t.Errorf("%s: auto is %s, want relu3_out", net, got)
		}
		layers, err := ListLayers(m, shapesOf(m, x.Shape()), Config{})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, l := range layers {
			names = append(names, l.Name)
			if l.Auto != (l.Name == "relu3_out") {
				t.Errorf("%s: %s is auto: %v", net, l.Name, l.Auto)
			}
			if l.Name == "relu2_out" && (l.Op != "Relu" || l.Node != "relu2" || l.Shape.Len() != len(vectors(t, net)["relu2/act"].Data)) {
				t.Errorf("%s: %+v", net, l)
			}
		}
		if len(names) < 8 || names[0] != "conv1_out" {
			t.Errorf("%s: layers %v", net, names)
		}
	}
	netA := load(t, file(t, "netA"))
	if _, err := ListLayers(netA, shapesOf(netA, tensor.Shape{1, 3}), Config{}); err == nil || !strings.HasPrefix(err.Error(), "explain: ") {
		t.Errorf("layers for an input of rank 2: %v", err)
	}
	f := file(t, "netA") // an input that the file gives no rank
	f.Proto.Graph.Input[0].Type.GetTensorType().Shape = nil
	if _, err := ListLayers(load(t, f), map[string]tensor.Shape{f.Proto.Graph.Input[0].GetName(): nil}, Config{}); err == nil ||
		!strings.Contains(err.Error(), "no known axis 0") {
		t.Errorf("layers for an input of unknown rank: %v", err)
	}
	// the residual branch is no layer that every path passes through
	netB := load(t, file(t, "netB"))
	s, err := explainer(t, netB, Config{Requests: []Request{{"gradcam", nil}}}).survey(netB, only(netB, x))
	if err != nil {
		t.Fatal(err)
	}
	var cut []string
	for _, v := range s.cuts() {
		cut = append(cut, s.g.Info(v).Name)
	}
	if got := strings.Join(cut, " "); !strings.HasPrefix(got, "conv1_out relu1_out add_out relu3_out avgpool_out") {
		t.Errorf("netB: every path passes through %s", got)
	}
}

func TestConfigErrors(t *testing.T) {
	x := need(t, vectors(t, "common"), "input").tensor(4)
	m := load(t, file(t, "netA"))
	gradcam := []Request{{"gradcam", nil}}
	for name, tc := range map[string]struct {
		c    Config
		x    *tensor.Tensor
		want string
	}{
		"no method": {Config{}, x, "no method"},
		"twice":     {Config{Requests: append(gradcam, gradcam...)}, x, "twice"},
		"score":     {Config{Requests: gradcam, Score: "logits"}, x, "want logit"},
		"layer":     {Config{Requests: gradcam, Layers: []string{"relu3_ot"}}, x, `did you mean "relu3_out"`},
		"node":      {Config{Requests: gradcam, Layers: []string{"convv3"}}, x, "did you mean"},
		"not 4-D":   {Config{Requests: gradcam, Layers: []string{"flatten"}}, x, "cannot be read as channels at positions"},
		"a weight":  {Config{Requests: gradcam, Layers: []string{"conv1.weight"}}, x, "layer"},
		"class":     {Config{Requests: gradcam, Targets: []Target{Class(5)}}, x, "classes 0 to 4"},
		"noise": {Config{Requests: []Request{{"smooth-gradcam++", nil}}, Noise: tensor.New(tensor.Float32, 2, 3, 4, 4)}, x,
			"recorded noise"},
		"channel":        {Config{Requests: []Request{{"smooth-gradcam++", Options{"channels": "8"}}}}, x, "channels 0 to 7"},
		"neurons":        {Config{Requests: []Request{{"smooth-gradcam++", Options{"neurons": "0:9,0:1"}}}}, x, "4 high and 3 wide"},
		"input channels": {Config{Requests: gradcam}, tensor.New(tensor.Float32, 1, 4, 16, 12), ""},
		"input rank":     {Config{Requests: gradcam}, tensor.New(tensor.Float32, 1, 3, 16, 12, 2), "shape"},
		"not finite": {Config{Requests: gradcam}, tensor.From(slices.Repeat([]float32{float32(math.NaN())}, 3*16*12), 1, 3, 16, 12),
			"not finite"},
		"empty": {Config{Requests: gradcam}, tensor.New(tensor.Float32, 0, 3, 16, 12), "need one or more examples"},
	} {
		e, err := New(m, tc.c)
		if err == nil {
			_, err = e.Explain(context.Background(), only(m, tc.x))
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.HasPrefix(err.Error(), "explain: ") {
			t.Errorf("%s: error %v, want one with %q", name, err, tc.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := explainer(t, m, Config{Requests: gradcam}).Explain(ctx, only(m, x)); err == nil {
		t.Error("a cancelled run gave a result")
	}
}

func TestConstantMapWarns(t *testing.T) {
	x := need(t, vectors(t, "common"), "input").tensor(4)
	var warnings []string
	e := explainer(t, load(t, file(t, "netA")), Config{
		Requests: []Request{{"normgrad", Options{"phase1": "bias"}}}, Layers: []string{"relu3"},
		Warn: func(s string) { warnings = append(warnings, s) },
	})
	for range 2 {
		m := run(t, e, x)[0].Maps[0]
		if !m.Constant || slices.ContainsFunc(m.Heat, func(v float32) bool { return v != 0 }) {
			t.Errorf("constant map: %v, %v", m.Constant, m.Heat[:4])
		}
		near(t, "relu3/normgrad/bias/norm", m.Raw.F32(), need(t, vectors(t, "netA"), "relu3/normgrad/bias/norm"))
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "constant") {
		t.Errorf("warnings %q, want one", warnings)
	}
}

// withBatch is netA that insists on a batch size, by its input and by a Reshape.
func withBatch(t *testing.T, n int64) *onnx.Model {
	f := file(t, "netA")
	f.Proto.Graph.Input[0].Type.GetTensorType().Shape.Dim[0].Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: n}
	return f
}

func TestFixedBatch(t *testing.T) {
	common := vectors(t, "common")
	a, b := need(t, common, "input").tensor(4), need(t, common, "input2").tensor(4)
	c := Config{Requests: []Request{{"gradient", nil}, {"gradcam", nil}, {"smooth-gradcam++", Options{"n": "3"}}}}
	want := run(t, explainer(t, load(t, file(t, "netA")), c), concat(a, b, a))
	for _, n := range []int64{1, 2, 4} {
		got := run(t, explainer(t, load(t, withBatch(t, n)), c), concat(a, b, a))
		if len(got) != 3 {
			t.Fatalf("batch %d: %d images, want 3", n, len(got))
		}
		for i := range got {
			for k, m := range got[i].Maps {
				w := vector{}
				for _, v := range want[i].Maps[k].Raw.F32() {
					w.Data = append(w.Data, float64(v))
				}
				near(t, m.Method, m.Raw.F32(), w)
			}
		}
	}
}

func TestChannelsLast(t *testing.T) {
	x := need(t, vectors(t, "common"), "input").tensor(4)
	v, err := parseView("nhwc", tensor.Shape{1, 16, 12, 3}, 1, [2]int{})
	if err != nil {
		t.Fatal(err)
	}
	nhwc, err := v.Inverse(x)
	if err != nil {
		t.Fatal(err)
	}
	if want := (tensor.Shape{1, 16, 12, 3}); !nhwc.Shape().Equal(want) {
		t.Fatalf("shape %v, want %v", nhwc.Shape(), want)
	}
	if got, at := nhwc.F32()[(5*12+7)*3+2], x.F32()[(2*16+5)*12+7]; got != at {
		t.Errorf("element [5,7,2] is %g, want %g", got, at)
	}
	back, err := v.Forward(nhwc)
	if err != nil || !tensor.Equal(back, x) {
		t.Errorf("there and back: %v, %v", back, err)
	}
	f := file(t, "netA").Clone()
	g := f.Proto.Graph
	in := g.Input[0]
	name := in.GetName()
	in.Name = proto.String("nhwc")
	d := in.Type.GetTensorType().Shape.Dim
	d[1], d[2], d[3] = d[2], d[3], d[1]
	g.Node = append([]*onnxpb.NodeProto{onnx.NewNode("Transpose", "t", []string{"nhwc"}, []string{name}, onnx.AttrInts("perm", 0, 3, 1, 2))},
		g.Node...)
	c := Config{Requests: []Request{{"gradient", nil}, {"gradcam", nil}}}
	img := run(t, explainer(t, load(t, f), c), nhwc)[0]
	vs := vectors(t, "netA")
	near(t, "gradient", find(t, img, "gradient", "").Raw.F32(), need(t, vs, "input/gradient_absmax"))
	near(t, "gradcam", find(t, img, "gradcam", "relu3_out").Raw.F32(), need(t, vs, "relu3/gradcam"))
}
