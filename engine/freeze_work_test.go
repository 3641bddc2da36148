package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// forwardNodes describes the nodes of a compiled session that are no part of a gradient, up to the one that computes last.
func forwardNodes(s *engine.Session, last string) []string {
	g := s.Graph()
	var out []string
	for _, n := range g.Nodes {
		if n.For == nil && n.Op.Domain == "" {
			out = append(out, fmt.Sprintf("%s %s of %d", n.Op.Name, g.Info(n.Out[0]).Name, n.NumIn))
		}
		if g.Info(n.Out[0]).Name == last {
			return out
		}
	}
	return append(out, "no "+last)
}

// TestFrozenBackboneIsInference: what nothing is differentiated through runs as it does in inference.
func TestFrozenBackboneIsInference(t *testing.T) {
	built := func(name string) *onnx.Model {
		m, err := models.New(name, models.Options{ImageSize: 32})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for _, c := range []struct {
		name, head string // the last value of the backbone
		m          *onnx.Model
		layer      string // an inner layer, and
		before     string // the last value that is fused as in inference when that is differentiated by
	}{
		{"stack", "flat", stack(), "r2", "r2"},
		{"residual", "flat", residual(), "r2", "r2"},
		{"depthwise", "flat", depthwise(), "n3", "n3"},
		{"resnet18", "flatten_1_out", built("resnet18"), "layer4.1.conv2_out", "relu_16_out"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := load(t, c.m)
			names := trainable(m)
			inference, err := m.Session(engine.Query{})
			if err != nil {
				t.Fatal(err)
			}
			last := names[len(names)-2:]
			for what, q := range map[string]engine.Query{
				"last layer":             {Loss: crossEntropy(m), Grad: last},
				"last layer per example": {Loss: crossEntropyEach(m), PerExample: last},
				"last layer, dropout":    {Loss: crossEntropy(m), Grad: last, Dropout: true},
			} {
				s, err := m.Session(q)
				if err != nil {
					t.Fatal(err)
				}
				got, want := forwardNodes(s, c.head), forwardNodes(inference, c.head)
				if !slices.Equal(got, want) {
					t.Errorf("%s: runs\n%v\nwhere inference runs\n%v", what, got, want)
				}
				for _, n := range s.Graph().Nodes {
					if n.Op.Name == "BatchNormalization" {
						t.Errorf("%s: %s is left", what, n.Label())
					}
				}
			}
			s, err := m.Session(engine.Query{Loss: crossEntropy(m), Fetch: []string{c.layer}, Grad: []string{c.layer}})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := forwardNodes(s, c.before), forwardNodes(inference, c.before); !slices.Equal(got, want) {
				t.Errorf("at %s: runs\n%v\nwhere inference runs\n%v", c.layer, got, want)
			}
		})
	}
}

// TestFoldedOnTheGradientsWay: the gradient by the input goes through convolutions that have taken in their normalisation.
func TestFoldedOnTheGradientsWay(t *testing.T) {
	m := load(t, residual())
	count := func(q engine.Query) (norms int) {
		s, err := m.Session(q)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range s.Graph().Nodes {
			if n.Op.Name == "BatchNormalization" || n.Op.Name == "BatchNormGrad" {
				norms++
			}
		}
		return norms
	}
	loss := crossEntropy(m)
	for what, c := range map[string]struct {
		q    engine.Query
		want int
	}{
		"by the input":                      {engine.Query{Loss: loss, Grad: []string{"input"}}, 0},
		"guided":                            {engine.Query{Loss: loss, Grad: []string{"input"}, Override: guided}, 0},
		"at a convolution":                  {engine.Query{Loss: loss, Fetch: []string{"c1"}, Grad: []string{"c1"}}, 2},
		"at a convolution that is not seen": {engine.Query{Loss: loss, Grad: []string{"c2"}}, 2},
		"at a normalisation":                {engine.Query{Loss: loss, Fetch: []string{"n1"}, Grad: []string{"n1"}}, 0},
		"with a convolution in sight":       {engine.Query{Loss: loss, Fetch: []string{"c1"}, Grad: []string{"input"}}, 2},
		"by the weight of one":              {engine.Query{Loss: loss, Grad: []string{"c2.w"}}, 2},
		"by a normalisation":                {engine.Query{Loss: loss, Grad: []string{"n2.scale"}}, 2},
		"by all":                            {engine.Query{Loss: loss, Grad: trainable(m)}, 4},
	} {
		if got := count(c.q); got != c.want {
			t.Errorf("%s: %d nodes of batch normalisation are left, want %d", what, got, c.want)
		}
	}
}

// TestAffineIsFolded: of what is affine in each channel behind a layer with constant weights nothing is left, in inference, on the way of
// the gradient, and below a head that is trained.
func TestAffineIsFolded(t *testing.T) {
	m := load(t, affine())
	names := trainable(m)
	for what, q := range map[string]engine.Query{
		"inference":    {},
		"by the input": {Loss: crossEntropy(m), Grad: []string{"input"}},
		"last layer":   {Loss: crossEntropy(m), Grad: names[len(names)-3:]},
	} {
		s, err := m.Session(q)
		if err != nil {
			t.Fatal(err)
		}
		var left []string
		for _, n := range s.Graph().Nodes {
			switch n.Op.Name {
			case "Mul", "Add", "Sub", "Div", "BatchNormalization", "BatchNormGrad":
				left = append(left, n.Name)
			}
		}
		if want := map[bool][]string{true: {"logits", "", ""}}[what == "last layer"]; !slices.Equal(left, want) {
			t.Errorf("%s: %q are left, want %q", what, left, want)
		}
	}
	if folded := foldable(t, "Add", tensor.Shape{3, 1, 1, 1}); folded {
		t.Error("an addition that makes three examples out of one is folded")
	}
	if folded := foldable(t, "Add", tensor.Shape{4, 3}); folded {
		t.Error("an addition along space is folded")
	}
	if folded := foldable(t, "Mul", tensor.Shape{1, 1, 1, 1, 1}); folded {
		t.Error("a multiplication that adds an axis is folded")
	}
}

// TestBodiesAreFused: in the branches of an If layers take in what follows them, and sessions that do so leave the model as it is.
func TestBodiesAreFused(t *testing.T) {
	branch := func(name string) *onnxpb.GraphProto {
		b := newNet()
		b.seed = uint64(len(name))
		b.x = "input"
		b.conv(name+"c", 2, 3, 3, 1, false).bn(name+"n", 3).relu(name + "r")
		b.g.Name, b.g.Input = &name, nil
		b.g.Output = []*onnxpb.ValueInfoProto{onnx.ValueInfo(b.x, tensor.Float32, "N", 3, 5, 5)}
		return b.g
	}
	b := newNet("N", 2, 5, 5)
	b.g.Input = append(b.g.Input, onnx.ValueInfo("which", tensor.Bool))
	b.node("If", "y", []string{"which"}, onnx.AttrGraph("then_branch", branch("then.")), onnx.AttrGraph("else_branch", branch("other.")))
	b.g.Output = []*onnxpb.ValueInfoProto{onnx.ValueInfo("y", tensor.Float32, "N", 3, 5, 5)}
	m := load(t, onnx.NewModel(b.g, 17))
	nodes := func(g *graph.Graph) (count []int) {
		for _, n := range g.Nodes {
			for _, b := range n.Bodies {
				count = append(count, len(b.G.Nodes))
			}
		}
		return count
	}
	before := nodes(m.Graph())
	for _, which := range []bool{true, false} {
		feeds := map[string]*tensor.Tensor{"input": testkit.RandN(2, 3, 2, 5, 5), "which": tensor.Scalar(which)}
		for _, w := range compare(t, m, engine.Query{}, feeds, 2e-5) {
			t.Errorf("%v: %s", which, w)
		}
	}
	s, err := m.Session(engine.Query{})
	if err != nil {
		t.Fatal(err)
	}
	if got := nodes(s.Graph()); !slices.Equal(got, []int{1, 1}) {
		t.Errorf("the branches have %v nodes, want one each", got)
	}
	if after := nodes(m.Graph()); !slices.Equal(after, before) {
		t.Errorf("the branches of the model had %v nodes and have %v", before, after)
	}
}

// foldable tells whether inference folds an operator with a constant of the given shape behind a convolution with output [1,2,4,3].
func foldable(t *testing.T, op string, shape tensor.Shape) bool {
	t.Helper()
	b := newNet(1, 2, 4, 3).conv("c1", 2, 2, 3, 1, false)
	b.node(op, "y", []string{b.x, b.param("c", 1, 0, shape...)})
	b.g.Output = []*onnxpb.ValueInfoProto{onnx.ValueInfo("y", tensor.Float32)}
	b.g.Output[0].Type.GetTensorType().Shape = nil
	m := load(t, onnx.NewModel(b.g, 17))
	for _, w := range compare(t, m, engine.Query{}, map[string]*tensor.Tensor{"input": testkit.RandN(1, 1, 2, 4, 3)}, 1e-6) {
		t.Errorf("%s %v: %s", op, shape, w)
	}
	s, err := m.Session(engine.Query{})
	if err != nil {
		t.Fatal(err)
	}
	return len(s.Graph().Nodes) == 1
}

// TestFrozenFollowsChanges: sessions see each change of what they took as constant, of a trained session's parameters without being told.
func TestFrozenFollowsChanges(t *testing.T) {
	m := load(t, stack())
	m.Thaw()
	x, labels := testkit.RandN(3, 2, 2, 6, 6), tensor.From([]int64{1, 0}, 2)
	feeds := map[string]*tensor.Tensor{"input": x, "labels": labels}
	names := trainable(m)
	last, first := names[len(names)-2:], names[:2]
	sessions := map[string]engine.Query{
		"forward":           {Loss: crossEntropy(m)},
		"head trained":      {Loss: crossEntropy(m), Grad: last},
		"first trained":     {Loss: crossEntropy(m), Grad: first},
		"first looked at":   {Loss: crossEntropy(m), Grad: first, Fixed: true},
		"by the input":      {Loss: crossEntropy(m), Grad: []string{"input"}},
		"norms per example": {Loss: crossEntropyEach(m), PerExample: names},
		"batch statistics":  {Loss: crossEntropy(m), Grad: last, BN: engine.BNTrain},
	}
	all := map[string]*engine.Session{}
	for name, q := range sessions {
		s, err := m.Session(q)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = s
	}
	check := func(when string) {
		t.Helper()
		for name, q := range sessions {
			if name == "batch statistics" {
				continue
			}
			fresh, err := m.PlainSession(q)
			if err != nil {
				t.Fatal(err)
			}
			fed := feeds
			want, err := fresh.Run(t.Context(), fed)
			if err != nil {
				t.Fatal(err)
			}
			got, err := all[name].Run(t.Context(), fed)
			if err != nil {
				t.Fatal(err)
			}
			for key := range fresh.Slots() {
				a, b := got.Fetched(key), want.Fetched(key)
				top := 0.0
				for _, v := range b {
					top = max(top, v, -v)
				}
				for i := range a {
					if d := a[i] - b[i]; d > 2e-5*top || -d > 2e-5*top {
						t.Errorf("%s: %s: %s is %v, want %v", when, name, key, a[i], b[i])
						break
					}
				}
			}
		}
	}
	nudge := func(name string) {
		t.Helper()
		p, err := m.Param(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range p.Value.F32() {
			p.Value.F32()[i] += 0.3
		}
	}
	check("at first")
	for _, n := range append(first, last...) {
		nudge(n)
		m.Changed(n)
		check(n + " changed")
	}
	nudge("n1.mean")
	m.Changed()
	check("something changed")

	// A step of training, which nobody announces.
	if _, err := all["head trained"].Run(t.Context(), feeds); err != nil {
		t.Fatal(err)
	}
	nudge(last[0])
	check("after a step of the head")
	if _, err := all["first trained"].Run(t.Context(), feeds); err != nil {
		t.Fatal(err)
	}
	nudge(first[0])
	check("after a step of the first layer")
	if _, err := all["batch statistics"].Run(t.Context(), feeds); err != nil {
		t.Fatal(err)
	}
	check("after a run that moves the statistics")
}

// TestUntouchedSessionsStay: a change that a session does not read as a constant does not build it anew.
func TestUntouchedSessionsStay(t *testing.T) {
	m := load(t, stack())
	m.Thaw()
	names := trainable(m)
	last := names[len(names)-2:]
	feeds := map[string]*tensor.Tensor{"input": testkit.RandN(3, 2, 2, 6, 6), "labels": tensor.From([]int64{1, 0}, 2)}
	head, err := m.Session(engine.Query{Loss: crossEntropy(m), Grad: last})
	if err != nil {
		t.Fatal(err)
	}
	forward, err := m.Session(engine.Query{})
	if err != nil {
		t.Fatal(err)
	}
	x := map[string]*tensor.Tensor{"input": feeds["input"]}
	step := func(s *engine.Session, feeds map[string]*tensor.Tensor) *graph.Graph {
		t.Helper()
		if _, err := s.Run(t.Context(), feeds); err != nil {
			t.Fatal(err)
		}
		return s.Graph()
	}
	h, f := step(head, feeds), step(forward, x)
	for range 3 {
		if step(head, feeds) != h {
			t.Fatal("training the head builds its session anew")
		}
	}
	m.Changed(last...)
	if step(head, feeds) != h {
		t.Error("the session of the head is built anew because the head changed")
	}
	g := step(forward, x)
	if g == f {
		t.Error("the forward session is not built anew when the head changed")
	}
	if step(forward, x) != g {
		t.Error("the forward session is built anew without a change")
	}
	m.Changed(names[0])
	if step(head, feeds) == h {
		t.Error("the session of the head is not built anew when its backbone changed")
	}
}

// TestDropoutSurvivesRebuild: masks follow the seed also in a session that is built anew, and differ from run to run without one.
func TestDropoutSurvivesRebuild(t *testing.T) {
	b := newNet("N", 2, 6, 6).conv("c1", 2, 4, 3, 1, false).bn("n1", 4).relu("r1")
	b.node("Dropout", "d1", []string{"r1"})
	m := load(t, b.head(4))
	m.Thaw()
	names := trainable(m)
	feeds := map[string]*tensor.Tensor{"input": testkit.RandN(3, 2, 2, 6, 6), "labels": tensor.From([]int64{1, 0}, 2)}
	session := func() *engine.Session {
		s, err := m.Session(engine.Query{Loss: crossEntropy(m), Fetch: []string{"d1"}, Grad: names[len(names)-2:], Dropout: true})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	run := func(s *engine.Session) []float64 {
		t.Helper()
		r, err := s.Run(t.Context(), feeds)
		if err != nil {
			t.Fatal(err)
		}
		return r.Value("d1").Clone().Float64s()
	}
	a, c := session(), session()
	a.SetSeed(5)
	c.SetSeed(5)
	m.Changed()
	if !slices.Equal(run(a), run(c)) {
		t.Error("the same seed gives other masks")
	}
	m.Changed(names[0])
	a.SetSeed(6)
	c.SetSeed(6)
	if x, y := run(a), run(c); !slices.Equal(x, y) {
		t.Error("the same seed gives other masks in a session that was built anew")
	}
	a.SetSeed(6)
	again, next := run(a), run(a)
	a.SetSeed(6)
	if !slices.Equal(again, run(a)) {
		t.Error("the same seed, set once more, gives other masks")
	}
	if slices.Equal(again, next) {
		t.Error("two runs have the same masks")
	}
	d := session()
	first := run(d)
	m.Changed()
	if slices.Equal(first, run(d)) {
		t.Error("without a seed a session that was built anew repeats its masks")
	}
}

// TestConstantsAreBroughtToOrderOnce: kernels keep constant weights in their order for all runs and batch sizes of a program, on the way
// of the gradient too, also where norms per example or gradients that are only looked at are taken by them.
func TestConstantsAreBroughtToOrderOnce(t *testing.T) {
	lstm, err := models.New("lstm", models.Options{Hidden: 20, Layers: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		m    *onnx.Model
		in   tensor.Shape // of one example
	}{
		{"stack", stack(), tensor.Shape{2, 6, 6}},
		{"residual", residual(), tensor.Shape{2, 6, 6}},
		{"transposed", transposed(), tensor.Shape{2, 4, 4}},
		{"dense", dense(), tensor.Shape{6}},
		{"attention", attention(6), tensor.Shape{4, 6}},
		{"lstm", lstm, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := load(t, c.m)
			m.Thaw()
			names := trainable(m)
			for what, q := range map[string]engine.Query{
				"forward":     {Loss: crossEntropyEach(m)},
				"last layer":  {Loss: crossEntropyEach(m), Grad: names[len(names)-1:]},
				"input":       {Loss: crossEntropyEach(m), Grad: []string{"input"}},
				"per example": {Loss: crossEntropyEach(m), PerExample: names},
				"looked at":   {Loss: crossEntropyEach(m), Grad: names, Fixed: true},
				"all":         {Loss: crossEntropyEach(m), Grad: names},
			} {
				s, err := m.Session(q)
				if errors.Is(err, graph.ErrNoGradient) && c.name == "lstm" {
					continue // recurrent layers have no rule per example
				}
				if err != nil {
					t.Fatal(err)
				}
				run := func(n int) {
					t.Helper()
					shape := append(tensor.Shape{n}, c.in...)
					if c.in == nil {
						shape = m.Sizes(n)[0]
					}
					feeds := map[string]*tensor.Tensor{"input": testkit.RandN(2, shape...), "labels": tensor.New(tensor.Int64, n)}
					if _, err := s.Run(t.Context(), feeds); err != nil {
						t.Fatalf("%s: %v", what, err)
					}
				}
				run(3)
				before := s.Program().Kept()
				least := 0
				g := s.Graph()
				seen := map[[2]any]bool{}
				for _, n := range g.Nodes {
					switch n.Op.Name {
					case "Conv", "ConvDX", "ConvTranspose", "ConvTransposeDX", "Gemm", "MatMul", "MatMulDA", "LSTM", "LSTMGrad":
						if k := [2]any{n.Op.Name, n.In[1]}; g.Info(n.In[1]).Kind == graph.Constant && !seen[k] {
							seen[k] = true
							least++
						}
					}
				}
				if before < least || least == 0 != (what == "all") {
					t.Errorf("%s: %d forms are kept for %d uses of constant weights", what, before, least)
				}
				run(3)
				run(5)
				run(1)
				run(3)
				if after := s.Program().Kept(); after != before {
					t.Errorf("%s: %d forms after the first run, %d later", what, before, after)
				}
			}
		})
	}
}

// TestConvFollowsDynamicShapes: a convolution whose input's size follows from data is right when that changes between runs of one plan.
func TestConvFollowsDynamicShapes(t *testing.T) {
	b := newNet("N")
	b.node("NonZero", "at", []string{"input"}).node("Cast", "real", []string{"at"}, onnx.AttrInt("to", int64(tensor.Float32)))
	b.g.Initializer = append(b.g.Initializer, onnx.TensorToProto("axis", tensor.From([]int64{0}, 1)))
	b.g.Initializer = append(b.g.Initializer, onnx.TensorToProto("k", tensor.From([]float32{1, 1}, 1, 1, 2)))
	b.node("Unsqueeze", "signal", []string{"real", "axis"}).node("Conv", "sums", []string{"signal", "k"})
	b.g.Output = []*onnxpb.ValueInfoProto{onnx.ValueInfo("sums", tensor.Float32, 1, 1, "L")}
	s, err := load(t, onnx.NewModel(b.g, 17)).Session(engine.Query{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ x, want []float32 }{
		{[]float32{1, 1, 0, 1, 0, 0}, []float32{1, 4}},
		{[]float32{1, 1, 0, 1, 1, 1}, []float32{1, 4, 7, 9}},
		{[]float32{0, 0, 1, 1, 0, 0}, []float32{5}},
	} {
		r, err := s.Run(t.Context(), map[string]*tensor.Tensor{"input": tensor.From(c.x, 6)})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Value("sums").F32(); !slices.Equal(got, c.want) {
			t.Errorf("sums of the places of %v are %v, want %v", c.x, got, c.want)
		}
	}
}
