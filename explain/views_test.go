package explain

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// viewGolden is a file of testdata/views, written by testdata/gen/views.py.
type viewGolden struct {
	Feeds map[string]struct {
		vector
		DType string
	}
	Logits    vector
	Class     []int
	Explained string
	Input     vector
	Layers    map[string]struct {
		View      string
		Act, Grad vector
	}
}

func (g viewGolden) feeds(t testing.TB) map[string]*tensor.Tensor {
	t.Helper()
	out := map[string]*tensor.Tensor{}
	for name, v := range g.Feeds {
		x := v.tensor(len(v.Shape))
		if v.DType == "int64" {
			var err error
			if x, err = x.Convert(tensor.Int64); err != nil {
				t.Fatal(err)
			}
		}
		out[name] = x
	}
	return out
}

// viewNet is a net of testdata/views.
func viewNet(t testing.TB, name string) (*engine.Model, viewGolden) {
	t.Helper()
	f, err := os.Open("testdata/views/" + name + ".onnx.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Read(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	var g viewGolden
	readGzipJSON(t, "testdata/views/"+name+".json.gz", &g)
	return load(t, m), g
}

var viewNets = []string{"swin", "vit", "deit", "convnext", "keras", "conv1d", "lstm", "bert"}

// TestViewsAgainstAutograd: which layer auto takes, how it and others are read, and activations and gradients there and at the input are
// those that PyTorch has at the module meant, put into [N,C,h,w] by hand.
func TestViewsAgainstAutograd(t *testing.T) {
	for _, name := range viewNets {
		t.Run(name, func(t *testing.T) {
			m, g := viewNet(t, name)
			for at, want := range g.Layers {
				e := explainer(t, m, Config{Requests: []Request{{"gradient", nil}, {"gradcam", nil}}, Layers: []string{at}})
				var pass *Pass
				for i := range e.bound {
					e.bound[i].run = func(ctx context.Context, p *Probe) ([]Output, error) {
						var err error
						pass, err = p.Clean(ctx)
						return nil, err
					}
				}
				images, err := e.Explain(context.Background(), g.feeds(t))
				if err != nil {
					t.Fatal(err)
				}
				for i, img := range images {
					if img.Top[0].Class != g.Class[i] {
						t.Errorf("class of example %d is %d, want %d", i, img.Top[0].Class, g.Class[i])
					}
				}
				if e.Input() != g.Explained {
					t.Errorf("input %q is explained, want %q", e.Input(), g.Explained)
				}
				label := e.Layers()[0]
				v := e.View(label)
				if v.Name != want.View {
					t.Errorf("%s: layer %q is read as %v, want %s", at, label, v, want.View)
				}
				if s := tensor.Shape(want.Act.Shape); !pass.Act[0].Shape().Equal(s) {
					t.Fatalf("%s: layer %q is %v, want %v", at, label, pass.Act[0], s)
				}
				near(t, at+" activation at "+label, pass.Act[0].F32(), want.Act)
				near(t, at+" gradient at "+label, pass.Grad[0].F32(), want.Grad)
				if !pass.InputGrad.Shape().Equal(tensor.Shape(g.Input.Shape)) {
					t.Fatalf("gradient by the input is %v, want %v", pass.InputGrad, g.Input.Shape)
				}
				near(t, "input", pass.InputGrad.F32(), g.Input)
			}
		})
	}
}

// TestMapsOfViews: maps are of the input's size whatever the layout, the same for two examples together and one by one, and the same at
// the tensor before and after it is put in another order.
func TestMapsOfViews(t *testing.T) {
	for _, name := range viewNets {
		m, g := viewNet(t, name)
		c := Config{Requests: []Request{{"gradient", nil}, {"gradcam", nil}, {"normgrad", nil}}}
		both, err := explainer(t, m, c).Explain(context.Background(), g.feeds(t))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i := range both {
			one := map[string]*tensor.Tensor{}
			for k, x := range g.feeds(t) {
				one[k] = rowsOf(x, 0, []int{i})
			}
			alone, err := explainer(t, m, c).Explain(context.Background(), one)
			if err != nil {
				t.Fatal(err)
			}
			h, w := g.Input.Shape[2], g.Input.Shape[3]
			for k, got := range both[i].Maps {
				if got.H != h || got.W != w || len(got.Heat) != h*w {
					t.Errorf("%s: %s is of size %dx%d, want %dx%d", name, got.Method, got.H, got.W, h, w)
				}
				if got.Constant {
					t.Errorf("%s: %s at %q of example %d is constant", name, got.Method, got.Layer, i)
				}
				want := vector{}
				for _, v := range alone[0].Maps[k].Raw.F32() {
					want.Data = append(want.Data, float64(v))
				}
				near(t, name+" "+got.Method, got.Raw.F32(), want)
			}
		}
	}
}

func TestViewsByHand(t *testing.T) {
	m, g := viewNet(t, "keras")
	c := Config{Requests: []Request{{"gradcam", nil}}}
	maps := map[string]vector{}
	for _, layer := range []string{"auto", "auto@nhwc", "auto@nchw"} {
		c.Layers = []string{layer}
		images, err := explainer(t, m, c).Explain(context.Background(), g.feeds(t))
		if err != nil {
			t.Fatal(err)
		}
		raw := images[0].Maps[0].Raw
		v := vector{Shape: raw.Shape()}
		for _, x := range raw.F32() {
			v.Data = append(v.Data, float64(x))
		}
		maps[layer] = v
	}
	near(t, "auto@nhwc", maps["auto@nhwc"].f32(), maps["auto"])
	if got := maps["auto@nchw"].Shape; !slices.Equal(got, []int{1, 8, 10}) { // what it would be without views
		t.Errorf("auto@nchw has shape %v", got)
	}
	c.Layers = []string{"auto", "auto@nhwc", "auto@nchw"}
	images, err := explainer(t, m, c).Explain(context.Background(), g.feeds(t))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(images[0].Maps); n != 2 || !images[0].Maps[1].Raw.Shape().Equal(tensor.Shape{1, 8, 10}) {
		t.Errorf("%d maps of a layer read in two ways, the second time as another", n)
	}
	vit, vg := viewNet(t, "vit")
	for layer, want := range map[string]string{
		"/encoder/layers/encoder_layer_0/Add_1_output_0@tokens:2":     "",
		"/encoder/layers/encoder_layer_0/Add_1_output_0@tokens:1:2x8": "tokens:1 2x8",
		"/encoder/layers/encoder_layer_0/Add_1_output_0@tokens:1:3x8": "cannot",
		"/encoder/layers/encoder_layer_0/Add_1_output_0@tokens:17":    "fewer than 17",
		"/encoder/layers/encoder_layer_0/Add_1_output_0@nlc":          "nlc 1x17",
		"/encoder/layers/encoder_layer_0/Add_1_output_0@nchw":         "cannot be read as nchw",
		"/encoder/layers/encoder_layer_0/Add_1_output_0@nhcw":         "no view",
		"/conv_proj/Conv_output_0":                                    "nchw 4x4",
	} {
		e := explainer(t, vit, Config{Requests: []Request{{"gradcam", nil}}, Layers: []string{layer}})
		_, err := e.Explain(context.Background(), vg.feeds(t))
		if err != nil {
			if want == "" || !strings.Contains(err.Error(), want) &&
				!(want == "cannot" && strings.Contains(err.Error(), "are not the axis")) {
				t.Errorf("%s: %v, want %q", layer, err, want)
			}
			continue
		}
		if got := e.View(e.Layers()[0]).String(); got != want && want != "" {
			t.Errorf("%s is read as %s, want %s", layer, got, want)
		}
	}
}

// TestTokens: the relevance of a token is the norm of the gradient by its embedding, whatever the mask and the other inputs.
func TestTokens(t *testing.T) {
	m, g := viewNet(t, "bert")
	images, err := explainer(t, m, Config{Requests: []Request{{"gradient", nil}, {"gradient", Options{"reduce": "sum"}},
		{"normgrad", Options{"phase1": "scaling", "phase2": "sum"}}}}).Explain(context.Background(), g.feeds(t))
	if err != nil {
		t.Fatal(err)
	}
	c, w := g.Input.Shape[1], g.Input.Shape[3]
	act := g.Layers["auto"].Act
	for i, img := range images {
		if img.Kind != KindTokens || img.Seen != nil {
			t.Errorf("example %d is %s, seen as %v", i, img.Kind, img.Seen)
		}
		l2, sum, product := vector{}, vector{}, vector{}
		for u := range w {
			var a, b, p float64
			for k := range c {
				j := (i*c+k)*w + u
				a += g.Input.Data[j] * g.Input.Data[j]
				b += g.Input.Data[j]
				p += g.Input.Data[j] * act.Data[j]
			}
			l2.Data, sum.Data, product.Data = append(l2.Data, math.Sqrt(a)), append(sum.Data, b), append(product.Data, p)
		}
		near(t, "l2", img.Maps[0].Raw.F32(), l2)
		near(t, "sum", img.Maps[1].Raw.F32(), sum)
		near(t, "gradient x embedding", img.Maps[2].Raw.F32(), product)
	}
	// attention hides the tokens that the mask hides
	for u, v := range images[1].Maps[0].Up {
		if (v == 0) != (u >= 6) {
			t.Errorf("relevance of token %d, of which 6 are there, is %g", u, v)
		}
	}
}

// TestViewThereAndBack: Inverse puts every element back where Forward took it from, and 0 elsewhere.
func TestViewThereAndBack(t *testing.T) {
	for _, name := range viewNets {
		m, g := viewNet(t, name)
		shapes := map[string]tensor.Shape{}
		for k, x := range g.feeds(t) {
			shapes[k] = x.Shape()
		}
		layers, err := ListLayers(m, shapes, Config{})
		if err != nil {
			t.Fatal(err)
		}
		kinds := map[string]bool{}
		for _, l := range layers {
			if kinds[l.View.Name] {
				continue
			}
			kinds[l.View.Name] = true
			for _, n := range []int{1, 3} {
				x := tensor.New(tensor.Float32, n, l.View.C, l.View.H, l.View.W)
				for i := range x.F32() {
					x.F32()[i] = float32(i + 1)
				}
				y, err := l.View.Inverse(x)
				if err != nil {
					t.Fatal(err)
				}
				back, err := l.View.Forward(y)
				if err != nil || !tensor.Equal(back, x) {
					t.Errorf("%s: %s %v for %d rows: there and back: %v", name, l.Name, l.View, n, err)
				}
				sum := 0.0
				for _, v := range y.F32() {
					sum += float64(v)
				}
				if k := float64(x.Len()); sum != k*(k+1)/2 {
					t.Errorf("%s: %s %v: the inverse adds up to %g, want %g", name, l.Name, l.View, sum, k*(k+1)/2)
				}
			}
		}
		if len(kinds) == 0 {
			t.Errorf("%s has no layers", name)
		}
	}
}

// A layer that holds a part of the input has its map there and nothing elsewhere; one whose places are those of the first of several that
// were joined covers all of it.
func TestPartsOfTheInput(t *testing.T) {
	pads := onnx.AttrInts("pads", 1, 1, 1, 1)
	ints := func(name string, v ...int64) *onnxpb.NodeProto {
		return nodeOf("Constant", "", name, onnx.AttrInts("value_ints", v...))
	}
	m := graphOf(t, []*onnxpb.ValueInfoProto{reals("x", 3, 8, 12)}, []*onnxpb.ValueInfoProto{reals("y", 4)},
		map[string][]int{"k": {6, 3, 3, 3}, "w": {12, 4}}, nodeOf("Conv", "x k", "c", pads), nodeOf("Relu", "c", "r"),
		ints("from", 4, 0), ints("to", 8, 6), ints("on", 2, 3), nodeOf("Slice", "r from to on", "part"),
		ints("f0", 0, 0), ints("f1", 1, 1), ints("end", 4, 6), ints("step", 2, 2), ints("f0on", 2, 3),
		nodeOf("Slice", "part f0 end f0on step", "a"), nodeOf("Slice", "part f1 end f0on step", "b"),
		nodeOf("Concat", "a b", "joined", onnx.AttrInt("axis", 1)), nodeOf("GlobalAveragePool", "joined", "g"), nodeOf("Flatten", "g", "q"),
		nodeOf("MatMul", "q w", "y"))
	c := Config{Requests: []Request{{"normgrad", nil}}, Layers: []string{"r", "part", "joined"}}
	images, err := explainer(t, m, c).Explain(context.Background(), only(m, double(1, 1, 3, 8, 12)))
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range images[0].Maps {
		h, w := got.Raw.Dim(1), got.Raw.Dim(2)
		want := make([]float32, 8*12)
		copy(want, got.Raw.F32())
		if got.Layer != "r" {
			want = make([]float32, 8*12)
			inside := Bilinear(got.Raw.F32(), h, w, 4, 6)
			for y := range 4 {
				copy(want[(4+y)*12:], inside[y*6:(y+1)*6])
			}
		}
		if !slices.Equal(got.Up, want) {
			t.Errorf("at %s [%d,%d]:\n%v\nwant\n%v", got.Layer, h, w, got.Up, want)
		}
	}
}
