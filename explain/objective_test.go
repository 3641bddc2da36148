package explain

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// graphOf is a model of nodes, with weights of type double by name and shape.
func graphOf(t testing.TB, in, out []*onnxpb.ValueInfoProto, weights map[string][]int, nodes ...*onnxpb.NodeProto) *engine.Model {
	t.Helper()
	g := &onnxpb.GraphProto{Input: in, Output: out}
	seed := uint64(3)
	var names []string
	for name := range weights {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		w, err := testkit.RandN(seed, weights[name]...).Convert(tensor.Float64)
		if err != nil {
			t.Fatal(err)
		}
		g.Initializer = append(g.Initializer, onnx.TensorToProto(name, w))
		seed++
	}
	for i, n := range nodes {
		if n.GetName() == "" {
			n.Name = new(fmt.Sprintf("n%d", i))
		}
	}
	for name, v := range map[string][]int64{
		"axes": {2}, "shape": {-1, 3, 4}, "rows": {-1, 6, 4}, "zero": {0}, "one": {1}, "two": {2}, "all": {0, 1, 2, 3, 4, 5, 6, 7,
			8}, "rowshape": {-1, 3}, "one1": {2}, "flat2": {-1, 2, 16}, "flat4": {-1, 4, 16},
	} {
		g.Initializer = append(g.Initializer, onnx.TensorToProto(name, tensor.From(v, len(v))))
	}
	g.Node = append(g.Node, nodes...)
	return load(t, onnx.NewModel(g, 17))
}

func reals(name string, dims ...any) *onnxpb.ValueInfoProto {
	return onnx.ValueInfo(name, tensor.Float64, append([]any{"N"}, dims...)...)
}

func nodeOf(op string, in, out string, attrs ...*onnxpb.AttributeProto) *onnxpb.NodeProto {
	return onnx.NewNode(op, "", strings.Fields(in), strings.Fields(out), attrs...)
}

// double is a random input of type double.
func double(seed uint64, shape ...int) *tensor.Tensor {
	x, _ := testkit.RandN(seed, shape...).Convert(tensor.Float64)
	return x
}

// checkDerivative compares the gradient by the input with central differences of the number that is explained, and returns the maps.
func checkDerivative(t *testing.T, m *engine.Model, c Config, x *tensor.Tensor) []Image {
	t.Helper()
	c.Requests = []Request{{"gradient", Options{"reduce": "none"}}}
	e := explainer(t, m, c)
	at := func(x *tensor.Tensor) []Image {
		images, err := e.Explain(context.Background(), only(m, x))
		if err != nil {
			t.Fatal(err)
		}
		return images
	}
	images := at(x)
	row := x.Len() / x.Dim(0)
	for i := range x.Dim(0) {
		for j := range row {
			const h = 1e-5
			var score [2]float64
			for k, s := range []float64{h, -h} {
				y := x.Clone()
				tensor.Data[float64](y)[i*row+j] += s
				score[k] = at(y)[i].Maps[0].Score
			}
			want := (score[0] - score[1]) / (2 * h)
			v := images[i].Maps[0].Raw
			// the map is [C,H,W]; inputs here are laid out so
			if got := float64(v.F32()[j]); math.Abs(got-want) > 1e-4*(1+math.Abs(want)) {
				t.Errorf("example %d: gradient by number %d is %g, central difference %g", i, j, got, want)
				return images
			}
		}
	}
	return images
}

func TestClassScores(t *testing.T) {
	x := double(1, 2, 6)
	in, out := []*onnxpb.ValueInfoProto{reals("x", 6)}, []*onnxpb.ValueInfoProto{reals("y", 5)}
	for end, each := range map[string]bool{"": false, "Softmax": false, "LogSoftmax": false, "Sigmoid": true} {
		nodes := []*onnxpb.NodeProto{nodeOf("MatMul", "x w", "h"), nodeOf("Tanh", "h", "a"), nodeOf("MatMul", "a v", "z")}
		if end == "" {
			nodes = append(nodes, nodeOf("Identity", "z", "y"))
		} else {
			nodes = append(nodes, nodeOf(end, "z", "y"))
		}
		m := graphOf(t, in, out, map[string][]int{"w": {6, 4}, "v": {4, 5}}, nodes...)
		for _, s := range Scores {
			for _, target := range []Target{Argmax, Class(3), {kind: targetArgmin}} {
				images := checkDerivative(t, m, Config{Score: s, Targets: []Target{target}}, x)
				for _, img := range images {
					got := img.Maps[0]
					var z []float32
					for k := range 5 {
						z = append(z, img.Top[slices.IndexFunc(img.Top, isClass(k))].Logit)
					}
					k := got.Target.Class
					if target.kind == targetClass && k != 3 || target.kind == targetArgmax && k != ranked(z)[0] ||
						target.kind == targetArgmin && k != ranked(z)[4] {
						t.Errorf("%s: target %v is class %d of %v", end, target, k, z)
					}
					p := probabilities(z, each)[k]
					want := map[Score]float64{Logit: float64(z[k]), Prob: p, LogProb: math.Log(p)}[s]
					if math.Abs(got.Score-want) > 1e-5*(1+math.Abs(want)) || math.Abs(got.Target.Prob-p) > 1e-6 {
						t.Errorf("%s: %s of class %d is %g, want %g; probability %g, want %g", end, s, k, got.Score, want,
							got.Target.Prob, p)
					}
				}
			}
		}
	}
}

// One run finds the highest class and its gradient; no forward pass is made for it.
func TestOneRun(t *testing.T) {
	x := need(t, vectors(t, "common"), "input").tensor(4)
	m := load(t, file(t, "netA"))
	for _, targets := range [][]Target{nil, {Argmax, Class(1), Class(4)}} {
		e := explainer(t, m, Config{Requests: []Request{{"gradcam", nil}, {"gradient", nil}}, Targets: targets})
		img := run(t, e, x)[0]
		if e.net.forward != nil {
			t.Error("a forward pass was made")
		}
		if want := int(need(t, vectors(t, "netA"), "target_argmax").Data[0]); img.Maps[0].Target.Class != want {
			t.Errorf("class %d, want %d", img.Maps[0].Target.Class, want)
		}
		seen := map[string]bool{}
		for _, m := range img.Maps {
			key := fmt.Sprint(m.Method, m.Target.Class)
			if seen[key] {
				t.Errorf("%s of class %d twice", m.Method, m.Target.Class)
			}
			seen[key] = true
		}
	}
}

func TestOneOutputBothWays(t *testing.T) {
	x := double(2, 3, 6)
	for _, end := range []string{"Sigmoid", "Identity"} {
		m := graphOf(t, []*onnxpb.ValueInfoProto{reals("x", 6)}, []*onnxpb.ValueInfoProto{reals("y", 1)}, map[string][]int{"w": {6, 1}},
			nodeOf("MatMul", "x w", "z"), nodeOf(end, "z", "y"))
		up := checkDerivative(t, m, Config{Targets: []Target{Positive}}, x)
		down := checkDerivative(t, m, Config{Targets: []Target{Class(0)}}, x)
		mine := checkDerivative(t, m, Config{}, x)
		for i := range up {
			for k, v := range up[i].Maps[0].Raw.F32() {
				if down[i].Maps[0].Raw.F32()[k] != -v {
					t.Errorf("%s: gradient against is %g, for %g", end, down[i].Maps[0].Raw.F32()[k], v)
				}
			}
			z := up[i].Maps[0].Score
			want := 1
			if z <= 0 && end == "Sigmoid" {
				want = 0
			}
			if got := mine[i].Maps[0].Target; got.Class != want || (got.Value == nil) != (end == "Sigmoid") {
				t.Errorf("%s: of %g class %d (%s %s) is explained", end, z, got.Class, got.Name(), got.Figure())
			}
		}
		if end == "Sigmoid" {
			for _, s := range []Score{Prob, LogProb} {
				checkDerivative(t, m, Config{Score: s, Targets: []Target{Negative}}, x)
			}
			if p := up[0].Top[0].Prob + up[0].Top[1].Prob; math.Abs(p-1) > 1e-9 {
				t.Errorf("probabilities add up to %g", p)
			}
		} else {
			_, err := explainer(t, m, Config{Requests: []Request{{"gradient", nil}}, Score: Prob}).Explain(context.Background(),
				only(m, x))
			if err == nil || !strings.Contains(err.Error(), "no probability") {
				t.Errorf("probability of a value: %v", err)
			}
			if _, err := explainer(t, m, Config{Requests: []Request{{"gradient", nil}}, Objective: Objective{Kind: BinaryScore},
				Score: Prob}).Explain(context.Background(), only(m, x)); err != nil {
				t.Errorf("probability of a logit that is said to be one: %v", err)
			}
		}
		if _, err := explainer(t, m, Config{Requests: []Request{{"gradient", nil}},
			Targets: []Target{Class(2)}}).Explain(context.Background(), only(m, x)); err == nil ||
			!strings.Contains(err.Error(), "positive") {
			t.Errorf("class 2 of one output: %v", err)
		}
	}
}

func TestValues(t *testing.T) {
	x := double(2, 2, 6)
	m := graphOf(t, []*onnxpb.ValueInfoProto{reals("x", 6)}, []*onnxpb.ValueInfoProto{reals("y", 3)}, map[string][]int{"w": {6, 3}},
		nodeOf("MatMul", "x w", "y"))
	o := Objective{Kind: OutputValue}
	for target, k := range map[Target]int{Argmax: 0, Class(2): 2} {
		got := checkDerivative(t, m, Config{Objective: o, Targets: []Target{target}}, x)[1].Maps[0]
		if b, err := json.Marshal(got.Target); err != nil || !strings.Contains(string(b), `"prob":null`) ||
			!strings.Contains(string(b), `"value":`) {
			t.Errorf("in JSON: %s, %v", b, err)
		}
		if got.Target.Class != k || got.Target.Value == nil || float64(*got.Target.Value) != float64(float32(got.Score)) {
			t.Errorf("target %v: %+v, score %g", target, got.Target, got.Score)
		}
	}
	// A value is what the output gives, behind its sigmoid.
	end := graphOf(t, []*onnxpb.ValueInfoProto{reals("x", 6)}, []*onnxpb.ValueInfoProto{reals("y", 1)}, map[string][]int{"w": {6, 1}},
		nodeOf("MatMul", "x w", "z"), nodeOf("Sigmoid", "z", "y"))
	for kind, between := range map[ObjectiveKind]bool{OutputValue: true, BinaryScore: false} {
		e := explainer(t, end, Config{Requests: []Request{{"gradient", nil}}, Objective: Objective{Kind: kind}, Targets: []Target{Class(1)}})
		images, err := e.Explain(context.Background(), only(end, x))
		if err != nil {
			t.Fatal(err)
		}
		z, g := images[0].Maps[0].Score, float64(images[0].Maps[0].Raw.F32()[0])
		w, err := end.Param("w")
		if err != nil {
			t.Fatal(err)
		}
		want := w.Value.Float64s()[0]
		if between {
			want *= z * (1 - z)
		}
		if math.Abs(g-want) > 1e-6 || (e.Head().Activation == "") != between {
			t.Errorf("%s: score %g, derivative %g, want %g; head %+v", kind, z, g, want, e.Head())
		}
	}
}

func TestRegions(t *testing.T) {
	x := double(4, 2, 2, 5, 6)
	conv := func(out string) *onnxpb.NodeProto {
		return nodeOf("Conv", "x k", out, onnx.AttrInts("pads", 1, 1, 1, 1))
	}
	in := []*onnxpb.ValueInfoProto{reals("x", 2, 5, 6)}
	first := graphOf(t, in, []*onnxpb.ValueInfoProto{reals("y", 4, 5, 6)}, map[string][]int{"k": {4, 2, 3, 3}}, conv("y"))
	last := graphOf(t, in, []*onnxpb.ValueInfoProto{reals("y", 5, 6, 4)}, map[string][]int{"k": {4, 2, 3, 3}}, conv("c"),
		nodeOf("Transpose", "c", "y", onnx.AttrInts("perm", 0, 2, 3, 1)))
	one := graphOf(t, in, []*onnxpb.ValueInfoProto{reals("y", 1, 5, 6)}, map[string][]int{"k": {1, 2, 3, 3}}, conv("c"),
		nodeOf("Sigmoid", "c", "y"))
	for _, region := range []string{"", "1:3,0:2", "4,5"} {
		for _, s := range Scores {
			for _, target := range []Target{Argmax, Class(1)} {
				c := Config{Objective: Objective{Region: region}, Score: s, Targets: []Target{target}}
				a, b := checkDerivative(t, first, c, x), checkDerivative(t, last, c, x)
				checkDerivative(t, one, c, x)
				for i := range a {
					if !tensor.Equal(a[i].Maps[0].Raw, b[i].Maps[0].Raw) || a[i].Maps[0].Score != b[i].Maps[0].Score ||
						a[i].Top[0] != b[i].Top[0] {
						t.Errorf("%s of %q: classes first and classes last differ: %v %v", s, region, a[i].Top[0], b[i].Top[0])
					}
				}
			}
		}
	}
	// the score by hand
	s, err := first.Session(engine.Query{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Run(context.Background(), only(first, x))
	if err != nil {
		t.Fatal(err)
	}
	z := tensor.Data[float64](r.Value("y"))
	images := checkDerivative(t, first, Config{}, x)
	for i, img := range images {
		best, sum, share := img.Maps[0].Target.Class, 0.0, 0.0
		area := make([]int, 4)
		for u := range 30 {
			top := 0
			for k := range 4 {
				if z[(i*4+k)*30+u] > z[(i*4+top)*30+u] {
					top = k
				}
			}
			area[top]++
			if top == best {
				sum += z[(i*4+top)*30+u]
				share++
			}
		}
		if area[best] != slices.Max(area) || math.Abs(img.Maps[0].Score-sum/share) > 1e-9 ||
			math.Abs(img.Top[0].Prob-share/30) > 1e-9 || !img.Top[0].Share {
			t.Errorf("example %d: class %d of areas %v, score %g, want %g; share %g", i, best, area, img.Maps[0].Score, sum/share,
				img.Top[0].Prob)
		}
	}
	for region, want := range map[string]string{"0:2": "y0:y1,x0:x1", "0:9,0:1": "positions [5 6]", "2:1,0:1": "half-open",
		"a,b": "want"} {
		_, err := explainer(t, first, Config{Requests: []Request{{"gradient", nil}},
			Objective: Objective{Region: region}}).Explain(context.Background(), only(first, x))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("region %q: %v", region, err)
		}
	}
}

func TestNoPositions(t *testing.T) {
	m := graphOf(t, []*onnxpb.ValueInfoProto{reals("x", 6)}, []*onnxpb.ValueInfoProto{reals("y", 3)}, map[string][]int{"w": {6, 3}},
		nodeOf("MatMul", "x w", "y"))
	for _, o := range []Objective{{Region: "0:1"}, {Position: new(0)}, {Kind: RegionScore, Region: "0:1,0:1"},
		{Kind: ClassScore, Position: new(1)}} {
		_, err := explainer(t, m, Config{Requests: []Request{{"gradient", nil}}, Objective: o}).Explain(context.Background(),
			only(m, double(1, 1, 6)))
		if err == nil || !strings.Contains(err.Error(), "no positions") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestPositions(t *testing.T) {
	x := double(5, 2, 7, 3)
	m := graphOf(t, []*onnxpb.ValueInfoProto{reals("x", 7, 3)}, []*onnxpb.ValueInfoProto{reals("y", 7, 4)},
		map[string][]int{"w": {3, 4}}, nodeOf("MatMul", "x w", "y"))
	c := Config{Objective: Objective{Kind: PositionScore, Position: new(-3)}, Score: LogProb,
		Requests: []Request{{"gradient", Options{"reduce": "abs-sum"}}}}
	images, err := explainer(t, m, c).Explain(context.Background(), only(m, x))
	if err != nil {
		t.Fatal(err)
	}
	for _, img := range images {
		for u, v := range img.Maps[0].Up {
			if (v != 0) != (u == 4) {
				t.Errorf("relevance of step %d for position 4 is %g", u, v)
			}
		}
	}
	// tokens: the last position that the mask shows
	ids := graphOf(t, []*onnxpb.ValueInfoProto{onnx.ValueInfo("ids", tensor.Int64, "N", 5),
		onnx.ValueInfo("attention_mask", tensor.Int64, "N", 5)}, []*onnxpb.ValueInfoProto{reals("y", 5, 4)},
		map[string][]int{"table": {9, 3}, "w": {3, 4}},
		nodeOf("Gather", "table ids", "e"), nodeOf("Cast", "attention_mask", "f",
			onnx.AttrInt("to", int64(tensor.Float64))), nodeOf("Unsqueeze", "f axes", "g"),
		nodeOf("Mul", "e g", "h"), nodeOf("MatMul", "h w", "y"))
	feeds := map[string]*tensor.Tensor{
		"ids":            tensor.From([]int64{1, 2, 3, 4, 5, 8, 7, 6, 0, 0}, 2, 5),
		"attention_mask": tensor.From([]int64{1, 1, 1, 1, 1, 1, 1, 1, 0, 0}, 2, 5),
	}
	var notes []string
	e := explainer(t, ids, Config{Requests: []Request{{"gradient", nil}, {"normgrad", nil}},
		Warn: func(s string) { notes = append(notes, s) }})
	images, err = e.Explain(context.Background(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	if e.Kind() != KindTokens || e.Input() != "ids" || e.Layers()[0] != "e" || len(notes) == 0 ||
		!strings.Contains(notes[0], "not masked") {
		t.Errorf("%s %q is explained at %v, notes %q", e.Kind(), e.Input(), e.Layers(), notes)
	}
	for i, img := range images {
		last := []int{4, 2}[i]
		for _, m := range img.Maps {
			if m.H != 1 || m.W != 5 || !img.Input.Equal(tensor.Shape{1, 1, 5}) {
				t.Fatalf("%s: map of size %dx%d, input %v", m.Method, m.H, m.W, img.Input)
			}
			for u, v := range m.Up {
				if (v != 0) != (u == last) {
					t.Errorf("example %d, %s: relevance of token %d is %g; the score is that of token %d", i, m.Method, u, v, last)
				}
			}
		}
	}
	_, err = explainer(t, ids, Config{Requests: []Request{{"smooth-gradcam++", nil}}}).Explain(context.Background(), feeds)
	if err == nil || !strings.Contains(err.Error(), "choose a method without noise") {
		t.Errorf("noise for tokens: %v", err)
	}
	delete(feeds, "attention_mask")
	if _, err = explainer(t, ids, Config{Requests: []Request{{"gradient", nil}}}).Explain(context.Background(), feeds); err == nil ||
		!strings.Contains(err.Error(), `input attention_mask int64[N,5] is not given`) {
		t.Errorf("an input left out: %v", err)
	}
}

// expressionNet has outputs of several ranks.
func expressionNet(t *testing.T) *engine.Model {
	in := []*onnxpb.ValueInfoProto{reals("x", 6)}
	out := []*onnxpb.ValueInfoProto{reals("y", 4), reals("boxes/out:0", 3, 4)}
	return graphOf(t, in, out, map[string][]int{"w": {6, 4}, "v": {6, 12}},
		nodeOf("MatMul", "x w", "a"), nodeOf("Tanh", "a", "y"), nodeOf("MatMul", "x v", "b"), nodeOf("Reshape", "b shape", "boxes/out:0"))
}

func TestExpressions(t *testing.T) {
	m := expressionNet(t)
	x := double(6, 2, 6)
	s, err := m.Session(engine.Query{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Run(context.Background(), only(m, x))
	if err != nil {
		t.Fatal(err)
	}
	y := slices.Clone(tensor.Data[float64](r.Value("y")))
	b := slices.Clone(tensor.Data[float64](r.Value("boxes/out:0")))
	at := func(i, j, k int) float64 { return b[(i*3+j)*4+k] }
	for f, want := range map[string]func(i int) float64{
		"y[0,2]":                                 func(i int) float64 { return y[i*4+2] },
		"y[:,-1]":                                func(i int) float64 { return y[i*4+3] },
		"y[...,1]":                               func(i int) float64 { return y[i*4+1] },
		"boxes/out:0[0,1,3]":                     func(i int) float64 { return at(i, 1, 3) },
		"'boxes/out:0' [ : , -2 , 3]":            func(i int) float64 { return at(i, 1, 3) },
		"sum(y)":                                 func(i int) float64 { return y[i*4] + y[i*4+1] + y[i*4+2] + y[i*4+3] },
		"mean(boxes/out:0[:,2,1:3])":             func(i int) float64 { return (at(i, 2, 1) + at(i, 2, 2)) / 2 },
		"sum(boxes/out:0[0,:2,0])-2.5e-1*y[0,3]": func(i int) float64 { return at(i, 0, 0) + at(i, 1, 0) - 0.25*y[i*4+3] },
		"-(y[0,0] - -y[0,1]) * 2 + 1":            func(i int) float64 { return -(y[i*4]+y[i*4+1])*2 + 1 },
		"max(boxes/out:0[0])":                    func(i int) float64 { return slices.Max(b[i*12 : i*12+12]) },
		"min(y * y[:,1])": func(i int) float64 {
			return slices.Min([]float64{y[i*4] * y[i*4+1], y[i*4+1] * y[i*4+1], y[i*4+2] * y[i*4+1], y[i*4+3] * y[i*4+1]})
		},
		"norm(boxes/out:0[0,0]-boxes/out:0[0,1])": func(i int) float64 {
			var s float64
			for k := range 4 {
				s += (at(i, 0, k) - at(i, 1, k)) * (at(i, 0, k) - at(i, 1, k))
			}
			return math.Sqrt(s)
		},
		"sum(boxes/out:0 * y)": func(i int) float64 {
			var s float64
			for j := range 3 {
				for k := range 4 {
					s += at(i, j, k) * y[i*4+k]
				}
			}
			return s
		},
	} {
		images := checkDerivative(t, m, Config{Objective: Objective{Expression: f}}, x)
		for i, img := range images {
			got := img.Maps[0]
			if math.Abs(got.Score-want(i)) > 1e-9 || got.Target.Name() != f || got.Target.Value == nil {
				t.Errorf("%s of example %d is %g (%s), want %g", f, i, got.Score, got.Target.Name(), want(i))
			}
		}
	}
	for f, want := range map[string]string{
		"y":                         "[4] numbers for each example",
		"y[2,1]":                    "write 0 or : for it",
		"y[0,4]":                    "indices 0 to 3",
		"y[0,1,1]":                  "is given 3 indices",
		"y[0,1:1]":                  "indices 0 to 3",
		"y[0,...,...]":              "two ellipses",
		"boxes/out:1[0,1,1]":        `did you mean "boxes/out:0"`,
		"sum(y[0,1]":                `want ")"`,
		"sum()":                     "at 5",
		"summ(y)":                   `did you mean "sum"`,
		"y[0,1] y[0,2]":             "unexpected",
		"y[0,1":                     `want "]"`,
		"y[0,a]":                    "want an index",
		"3":                         "names no output",
		"3x[0]":                     "in quotes",
		"'y[0,1]":                   "not closed",
		"":                          "",
		"y[0,1]/2":                  "",
		"sum(y*boxes/out:0[0,:,0])": "do not broadcast",
		strings.Repeat("(", 200):    "deep",
	} {
		e, err := New(m, Config{Requests: []Request{{"gradient", nil}}, Objective: Objective{Expression: f, Kind: ExpressionOf}})
		if err == nil {
			_, err = e.Explain(context.Background(), only(m, x))
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "explain: ") {
			t.Errorf("%s: %v, want %q", f, err, want)
		}
	}
	_, err = explainer(t, m, Config{Requests: []Request{{"gradient", nil}}, Objective: Objective{Expression: "sum(y)"},
		Targets: []Target{Class(1)}}).Explain(context.Background(), only(m, x))
	if err == nil || !strings.Contains(err.Error(), "without classes") {
		t.Errorf("a class of a formula: %v", err)
	}
	if _, err := New(m, Config{Requests: []Request{{"gradient", nil}}, Objective: Objective{Output: "boxes"}}); err == nil ||
		!strings.Contains(err.Error(), "boxes/out:0") {
		t.Errorf("an output that is not there: %v", err)
	}
}

// What gtk cannot know the meaning of is refused with the way out.
func TestRefusals(t *testing.T) {
	k := map[string][]int{"k": {1, 1, 3, 3}, "k3": {3, 3, 3, 3}, "w": {6, 24}}
	pads := onnx.AttrInts("pads", 1, 1, 1, 1)
	for name, tc := range map[string]struct {
		m    *engine.Model
		x    *tensor.Tensor
		want string
	}{
		"denoiser": {graphOf(t, []*onnxpb.ValueInfoProto{reals("x", 1, 8, 8)}, []*onnxpb.ValueInfoProto{reals("y", 1, 8, 8)}, k,
			nodeOf("Conv", "x k", "y", pads)),
			double(1, 1, 1, 8, 8), "one number at each of 64 positions"},
		"style": {graphOf(t, []*onnxpb.ValueInfoProto{reals("x", 3, 8, 8)}, []*onnxpb.ValueInfoProto{reals("y", 3, 8, 8)}, k,
			nodeOf("Conv", "x k3", "y", pads)),
			double(1, 1, 3, 8, 8), "a picture more likely"},
		"boxes": {graphOf(t, []*onnxpb.ValueInfoProto{reals("x", 6)}, []*onnxpb.ValueInfoProto{reals("y", 6, 4)}, k,
			nodeOf("MatMul", "x w", "z"), nodeOf("Reshape", "z rows", "y")),
			double(1, 1, 6), "not one row of class scores"},
		"detector": {graphOf(t, []*onnxpb.ValueInfoProto{reals("x", 3, 4, 4)},
			[]*onnxpb.ValueInfoProto{reals("y", 16, 2), reals("boxes", 16, 4)}, map[string][]int{"s": {2, 3, 1, 1}, "b": {4, 3, 1, 1}},
			nodeOf("Conv", "x s", "sc"), nodeOf("Reshape", "sc flat2", "sf"), nodeOf("Transpose", "sf", "y",
				onnx.AttrInts("perm", 0, 2, 1)),
			nodeOf("Conv", "x b", "bc"), nodeOf("Reshape", "bc flat4", "bf"), nodeOf("Transpose", "bf", "boxes",
				onnx.AttrInts("perm", 0, 2, 1))),
			double(1, 1, 3, 4, 4), "scores of boxes"},
		"boxes of a detector": {graphOf(t, []*onnxpb.ValueInfoProto{reals("x", 3, 4, 4)},
			[]*onnxpb.ValueInfoProto{reals("y", 16, 4), reals("s", 16, 2)}, map[string][]int{"s2": {2, 3, 1, 1}, "b": {4, 3, 1, 1}},
			nodeOf("Conv", "x s2", "sc"), nodeOf("Reshape", "sc flat2", "sf"), nodeOf("Transpose", "sf", "s",
				onnx.AttrInts("perm", 0, 2, 1)),
			nodeOf("Conv", "x b", "bc"), nodeOf("Reshape", "bc flat4", "bf"), nodeOf("Transpose", "bf", "y",
				onnx.AttrInts("perm", 0, 2, 1))),
			double(1, 1, 3, 4, 4), "corners of boxes"},
		"boxes and scores in one": {graphOf(t, []*onnxpb.ValueInfoProto{reals("x", 3, 4, 4)}, []*onnxpb.ValueInfoProto{reals("y", 4, 16)},
			map[string][]int{"b": {4, 3, 1, 1}}, nodeOf("Conv", "x b", "c"), nodeOf("Reshape", "c flat4", "y")),
			double(1, 1, 3, 4, 4), "lie on one axis"},
		"features": {graphOf(t, []*onnxpb.ValueInfoProto{reals("x", 3, 8, 8)}, []*onnxpb.ValueInfoProto{reals("y", 2, 8, 8)},
			map[string][]int{"f": {2, 3, 3, 3}}, nodeOf("Conv", "x f", "c", pads), nodeOf("Relu", "c", "y")),
			double(1, 1, 3, 8, 8), "hidden states more likely"},
		"hidden states, the norm in parts": {graphOf(t, []*onnxpb.ValueInfoProto{reals("x", 8, 3)}, []*onnxpb.ValueInfoProto{reals("y", 8, 2)},
			map[string][]int{"f": {3, 2}, "g": {2}}, nodeOf("MatMul", "x f", "h"), nodeOf("ReduceMean", "h", "m", onnx.AttrInts("axes", -1)),
			nodeOf("Sub", "h m", "d"), nodeOf("Mul", "d d", "q"), nodeOf("ReduceMean", "q", "v", onnx.AttrInts("axes", -1)),
			nodeOf("Sqrt", "v", "s"), nodeOf("Div", "d s", "n"), nodeOf("Mul", "n g", "y")),
			double(1, 1, 8, 3), "hidden states more likely"},
		"volume": {graphOf(t, []*onnxpb.ValueInfoProto{reals("x", 1, 2, 2, 2)}, []*onnxpb.ValueInfoProto{reals("y", 8)}, k,
			nodeOf("Flatten", "x", "y")),
			double(1, 1, 1, 2, 2, 2), "volumes cannot be shown"},
	} {
		_, err := explainer(t, tc.m, Config{Requests: []Request{{"gradient", nil}}}).Explain(context.Background(), only(tc.m, tc.x))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
		if name == "volume" {
			continue
		}
		for _, flag := range []string{"--objective", "--output", "--task", "--target"} {
			if !strings.Contains(err.Error(), flag) {
				t.Errorf("%s: %v does not name %s", name, err, flag)
			}
		}
		if _, err := explainer(t, tc.m, Config{Requests: []Request{{"gradient", nil}},
			Objective: Objective{Expression: "mean(y)"}}).Explain(context.Background(), only(tc.m, tc.x)); err != nil {
			t.Errorf("%s with an objective: %v", name, err)
		}
	}
}
