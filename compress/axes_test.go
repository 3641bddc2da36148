package compress

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// sketch builds small models.
type sketch struct {
	g *onnxpb.GraphProto
	r *rand.Rand
}

func newSketch(shape ...any) *sketch {
	s := &sketch{&onnxpb.GraphProto{Name: new("sketch")}, rand.New(rand.NewPCG(2, 2))}
	s.g.Input = []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", tensor.Float32, shape...)}
	return s
}

func (s *sketch) put(name string, t *tensor.Tensor) string {
	s.g.Initializer = append(s.g.Initializer, onnx.TensorToProto(name, t))
	return name
}

func (s *sketch) node(op, out string, ins []string, attrs ...*onnxpb.AttributeProto) string {
	s.g.Node = append(s.g.Node, onnx.NewNode(op, out, ins, []string{out}, attrs...))
	return out
}

// conv is a convolution with 1×1 or 3×3 weights and a bias.
func (s *sketch) conv(out, x string, from, to, k, group int) string {
	ins := []string{x, s.put(out+".w", draw(s.r, 0.4, to, from/group, k, k)), s.put(out+".b", draw(s.r, 0.2, to))}
	return s.node("Conv", out, ins, onnx.AttrInts("pads", int64(k/2), int64(k/2), int64(k/2), int64(k/2)), onnx.AttrInt("group", int64(group)))
}

func (s *sketch) ints(name string, v ...int64) string { return s.put(name, tensor.From(v, len(v))) }

// head ends the model in five classes.
func (s *sketch) head(x string, from int) *onnx.Model {
	x = s.node("Flatten", "flat", []string{s.node("GlobalAveragePool", "gap", []string{x})})
	s.node("Gemm", "y", []string{x, s.put("fc.w", draw(s.r, 0.4, 5, from)), s.put("fc.b", draw(s.r, 0.2, 5))}, onnx.AttrInt("transB", 1))
	s.g.Output = []*onnxpb.ValueInfoProto{onnx.ValueInfo("y", tensor.Float32, "N", 5)}
	return onnx.NewModel(s.g, 13)
}

func TestChannelsOfShapes(t *testing.T) {
	for _, x := range []struct {
		name  string
		make  func() *onnx.Model
		units int
	}{
		// Groups of channels that a Reshape and a Transpose mix, as in ShuffleNet: channel k of one group goes with channel k of the others.
		{"shuffle", func() *onnx.Model {
			s := newSketch("N", 3, 8, 8)
			a := s.conv("c1", "x", 3, 18, 3, 1)
			a = s.conv("c2", a, 18, 18, 1, 3)
			a = s.node("Reshape", "s1", []string{a, s.ints("to1", 0, 3, 6, 8, 8)})
			a = s.node("Transpose", "s2", []string{a}, onnx.AttrInts("perm", 0, 2, 1, 3, 4))
			a = s.node("Reshape", "s3", []string{a, s.ints("to2", -1, 18, 8, 8)})
			a = s.conv("c3", a, 18, 18, 3, 18)
			a = s.conv("c4", s.node("Relu", "r", []string{a}), 18, 18, 1, 3)
			return s.head(a, 18)
		}, 6 + 2 + 6},
		// As TorchScript writes x.view(x.size(0), -1, …): the shape is computed.
		{"computed shape", func() *onnx.Model {
			s := newSketch("N", 3, 8, 8)
			a := s.conv("c1", "x", 3, 6, 3, 1)
			n := s.node("Gather", "n", []string{s.node("Shape", "shape", []string{a}), s.ints("first", 0)})
			to := s.node("Concat", "to", []string{n, s.ints("rest", 384)}, onnx.AttrInt("axis", 0))
			a = s.node("Reshape", "flat", []string{a, to})
			s.node("Gemm", "y", []string{a, s.put("fc.w", draw(s.r, 0.1, 384, 5))})
			s.g.Output = []*onnxpb.ValueInfoProto{onnx.ValueInfo("y", tensor.Float32, "N", 5)}
			return onnx.NewModel(s.g, 13)
		}, 6},
		{"split", func() *onnx.Model {
			s := newSketch("N", 3, 8, 8)
			a := s.conv("c1", "x", 3, 10, 3, 1)
			s.g.Node = append(s.g.Node, onnx.NewNode("Split", "sp", []string{a}, []string{"p", "q"}, onnx.AttrInt("axis", 1)))
			b := s.conv("c2", "q", 5, 5, 3, 1)
			c := s.node("Concat", "cat", []string{"p", s.node("Mul", "m", []string{b, "p"})}, onnx.AttrInt("axis", 1))
			c = s.node("Gather", "g", []string{c, s.ints("order", 0, 5, 1, 6, 2, 7, 3, 8, 4, 9)}, onnx.AttrInt("axis", 1))
			return s.head(c, 10)
		}, 10},
		{"slice and pad", func() *onnx.Model {
			s := newSketch("N", 3, 8, 8)
			a := s.conv("c1", "x", 3, 6, 3, 1)
			b := s.node("Slice", "cut", []string{a, s.ints("from", 2), s.ints("until", 1<<62), s.ints("along", 1)})
			b = s.node("Pad", "pad", []string{b, s.ints("pads", 0, 1, 0, 0, 0, 1, 0, 0)})
			c := s.node("Add", "sum", []string{a, b})
			return s.head(s.conv("c2", c, 6, 4, 1, 1), 4)
		}, 2 + 4},
		{"up", func() *onnx.Model {
			s := newSketch(2, 3, 8, 8)
			a := s.conv("c1", "x", 3, 6, 3, 1)
			b := s.node("ConvTranspose", "up", []string{a, s.put("up.w", draw(s.r, 0.4, 6, 7, 2, 2)), s.put("up.b", draw(s.r, 0.2, 7))},
				onnx.AttrInts("strides", 2, 2))
			d := s.node("Resize", "big", []string{s.conv("c2", a, 6, 7, 1, 1), "", "", s.ints("size", 2, 7, 16, 16)})
			return s.head(s.node("Add", "sum", []string{b, d}), 7)
		}, 6 + 7},
		{"squeeze and excite", func() *onnx.Model {
			s := newSketch("N", 3, 8, 8)
			a := s.conv("c1", "x", 3, 8, 3, 1)
			g := s.node("ReduceMean", "mean", []string{a}, onnx.AttrInts("axes", 2, 3))
			g = s.node("Sigmoid", "gate", []string{s.conv("c3", s.node("Relu", "r", []string{s.conv("c2", g, 8, 4, 1, 1)}), 4, 8, 1, 1)})
			a = s.node("Mul", "scaled", []string{a, g})
			return s.head(s.node("PRelu", "p", []string{a, s.put("slope", draw(s.r, 0.3, 8, 1, 1))}), 8)
		}, 8 + 4},
		{"depthwise multiplier", func() *onnx.Model {
			s := newSketch("N", 3, 8, 8)
			a := s.conv("c1", "x", 3, 4, 3, 1)
			a = s.conv("c2", a, 4, 8, 3, 4)
			return s.head(a, 8)
		}, 4},
	} {
		t.Run(x.name, func(t *testing.T) {
			p := pruneAtRandom(t, x.make())
			if len(p.units) != x.units {
				t.Errorf("%d units, want %d; whole: %v", len(p.units), x.units, p.whole)
			}
		})
	}
}

func TestChannelsWhole(t *testing.T) {
	s := newSketch("N", 3, 8, 8)
	a := s.conv("c1", "x", 3, 6, 3, 1)
	a = s.node("LRN", "lrn", []string{a}, onnx.AttrInt("size", 3))
	b := s.conv("c2", a, 6, 6, 3, 1)
	b = s.node("Softmax", "soft", []string{b}, onnx.AttrInt("axis", 1))
	m := s.head(s.conv("c3", b, 6, 4, 1, 1), 4)
	e, err := engine.Load(m, engine.WithThreads(1))
	if err != nil {
		t.Fatal(err)
	}
	c := methodOf(t, "channels:share=0.5").(*Channels)
	p, err := c.open(context.Background(), &Subject{Model: e})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"c1": "lrn (LRN) reads it, through which channels are not followed", "c2": "soft (Softmax) goes along it",
		"y": "it is the output y"}
	for _, w := range p.whole {
		if want[w.Node] != w.Why {
			t.Errorf("%s: %q, want %q", w.Node, w.Why, want[w.Node])
		}
		delete(want, w.Node)
	}
	if len(want) > 0 {
		t.Errorf("not said of %v", want)
	}
	if _, err := c.open(context.Background(), &Subject{Model: e, Keep: []string{"c3"}}); err == nil || !strings.Contains(err.Error(),
		"no layer can lose channels") {
		t.Errorf("with the last one kept: %v", err)
	}
	if _, err := methodOf(t, "channels").Compress(context.Background(), &Subject{Model: e, MACs: 0.01}); err == nil ||
		!strings.Contains(err.Error(), "only be taken away down to") {
		t.Errorf("a target that cannot be met: %v", err)
	}
}

// What is taken away first is what counts least, and the target is met from below.
func TestChannelsTarget(t *testing.T) {
	s := newSketch("N", 3, 8, 8)
	a := s.conv("c1", "x", 3, 16, 3, 1)
	m := s.head(s.conv("c2", a, 16, 16, 3, 1), 16)
	for _, p := range m.Proto.GetGraph().GetInitializer() {
		if p.GetName() != "c2.w" {
			continue
		}
		w, err := m.Tensor(p)
		if err != nil {
			t.Fatal(err)
		}
		w = w.Clone()
		for i := range w.F32() { // every second channel is small
			if i/(16*9)%2 == 0 {
				w.F32()[i] *= 0.01
			}
		}
		if err := m.SetInitializer("c2.w", w); err != nil {
			t.Fatal(err)
		}
	}
	for _, spec := range []string{"channels", "channels:scope=global", "channels:importance=l1"} {
		e, err := engine.Load(m, engine.WithThreads(1))
		if err != nil {
			t.Fatal(err)
		}
		res, err := methodOf(t, spec).Compress(context.Background(), &Subject{Model: e, MACs: 0.6})
		if err != nil {
			t.Fatal(err)
		}
		small, err := engine.Load(res.File, engine.WithThreads(1))
		if err != nil {
			t.Fatal(err)
		}
		was, err := e.Inspect(e.Sizes(1))
		if err != nil {
			t.Fatal(err)
		}
		is, err := small.Inspect(small.Sizes(1))
		if err != nil {
			t.Fatal(err)
		}
		if share := float64(is.MACs) / float64(was.MACs); share > 0.6 || share < 0.45 {
			t.Errorf("%s: %.3f of the operations are left", spec, share)
		}
		w, err := small.Param("c2.w_2")
		if err != nil {
			t.Fatal(err)
		}
		old, _ := e.Param("c2.w")
		large := 0
		for o := range w.Value.Dim(0) {
			row := w.Value.F32()[o*w.Value.Shape()[1:].Len():][:w.Value.Shape()[1:].Len()]
			sum := 0.0
			for _, v := range row {
				sum += float64(v * v)
			}
			if sum > 0.1 {
				large++
			}
		}
		if want := min(8, w.Value.Dim(0)); large != want {
			t.Errorf("%s: %d of the %d large channels stay of %v, %d in all", spec, large, want, old.Value.Shape(), w.Value.Dim(0))
		}
	}
}
