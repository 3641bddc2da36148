package compress

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// silence is the model of p whose weights have zeros where the units that keep has not are made and read: it computes what the cut model
// does.
func silence(t *testing.T, p *pruning, keep map[int32]bool) *onnx.Model {
	t.Helper()
	out := p.net.m.Clone()
	n := &net{m: out, g: out.Proto.GetGraph(), known: map[string]*tensor.Tensor{}}
	n.index()
	silent := map[string]string{}
	zero := func(name string, k int) {
		if name == "" || !p.weight[name] || p.axes.of[name][k] == nil {
			return
		}
		of := name
		if now := silent[name]; now != "" {
			name = now
		}
		v := n.constant(name)
		if v == nil {
			v = p.constant(name)
		}
		v = v.Clone()
		inner := 1
		for _, d := range v.Shape()[k+1:] {
			inner *= d
		}
		for i := range v.F32() {
			e := p.axes.of[of][k][i/inner%v.Dim(k)]
			if u := p.of[p.root(e)]; u != nil && !keep[u.root] {
				v.F32()[i] = 0
			}
		}
		if n.inits[name] == nil { // made of stored numbers
			now := n.store(name+"_silent", v)
			for _, x := range n.g.Node {
				for i, in := range x.Input {
					if in == name {
						x.Input[i] = now
					}
				}
			}
			silent[name] = now
			return
		}
		*n.inits[name] = onnxpb.TensorProto{}
		q := onnx.TensorToProto(name, v)
		n.inits[name].Name, n.inits[name].Dims, n.inits[name].DataType, n.inits[name].RawData, n.inits[name].FloatData = q.Name, q.Dims,
			q.DataType, q.RawData, q.FloatData
		n.known[name] = v
	}
	for _, x := range p.g.Node {
		switch {
		case is(x, "Conv"):
			if number(x, "group", 1) == 1 {
				zero(in(x, 1), 1)
			}
			zero(in(x, 1), 0)
			if in(x, 2) != "" {
				zero(in(x, 2), 0)
			}
		case is(x, "ConvTranspose"):
			zero(in(x, 1), 0)
			zero(in(x, 1), 1)
		case is(x, "Gemm"):
			zero(in(x, 1), 0)
			zero(in(x, 1), 1)
		case is(x, "MatMul") && p.weight[in(x, 1)]:
			zero(in(x, 1), 0)
			zero(in(x, 1), 1)
		case is(x, "Add") && p.weight[in(x, 1)] && len(p.axes.of[in(x, 1)]) == 1:
			zero(in(x, 1), 0)
		}
	}
	n.sweep()
	return out
}

// outputsOf runs m on made-up inputs.
func outputsOf(t *testing.T, m *onnx.Model) []*tensor.Tensor {
	t.Helper()
	e, err := engine.Load(m, engine.WithThreads(1))
	if err != nil {
		t.Fatal(err)
	}
	s, err := e.Session(engine.Query{})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(7, 7))
	feeds := map[string]*tensor.Tensor{}
	sizes := e.Sizes(2)
	for i, x := range e.Inputs() {
		v := tensor.New(x.DType, sizes[i]...)
		if x.DType == tensor.Float32 {
			for j := range v.F32() {
				v.F32()[j] = float32(r.NormFloat64())
			}
		}
		feeds[x.Name] = v
	}
	res, err := s.Run(context.Background(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	var out []*tensor.Tensor
	for _, o := range e.Outputs() {
		out = append(out, res.Value(o.Name).Clone())
	}
	return out
}

// pruneAtRandom takes a third of the units of m away, at random, and compares with what computes the same.
func pruneAtRandom(t *testing.T, m *onnx.Model) *pruning {
	t.Helper()
	ctx := context.Background()
	e, err := engine.Load(m, engine.WithThreads(1))
	if err != nil {
		t.Fatal(err)
	}
	c := methodOf(t, "channels:share=0.6").(*Channels)
	p, err := c.open(ctx, &Subject{Model: e})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 3))
	for _, u := range p.units {
		u.score = r.Float64()
	}
	keep := p.keepers(c.Share)
	small, err := p.cut(keep)
	if err != nil {
		t.Fatal(err)
	}
	want, got := outputsOf(t, silence(t, p, keep)), outputsOf(t, small)
	for i := range want {
		most, scale := 0.0, 1e-6
		for j, v := range want[i].Float64s() {
			scale = max(scale, math.Abs(v))
			most = max(most, math.Abs(v-got[i].Float64s()[j]))
		}
		if !(most <= 2e-5*scale) {
			t.Errorf("output %d differs by %g of %g", i, most, scale)
		}
	}
	before, after := 0, 0
	for _, l := range p.report(keep).Layers {
		before, after = before+l.Before, after+l.After
	}
	if after >= before {
		t.Errorf("%d of %d channels stay", after, before)
	}
	again, err := p.cut(keep)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := small.Bytes()
	b, _ := again.Bytes()
	if string(a) != string(b) {
		t.Error("a second cut gives another model")
	}
	return p
}

func methodOf(t *testing.T, spec string) Method {
	t.Helper()
	m, err := New(spec)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestChannelsOfBuilders(t *testing.T) {
	for _, x := range []struct {
		name   string
		o      models.Options
		layers int // that can lose channels
	}{
		{"lenet", models.Options{}, 4},
		{"mlp", models.Options{}, 2},
		{"resnet8", models.Options{}, 9},
		{"mobilenet_v2", models.Options{ImageSize: 32, Classes: 10}, 52},
		{"unet", models.Options{ImageSize: 32}, 0},
		{"vit_tiny", models.Options{ImageSize: 32, Layers: 2}, 0},
	} {
		t.Run(x.name, func(t *testing.T) {
			m, err := models.New(x.name, x.o)
			if err != nil {
				t.Fatal(err)
			}
			p := pruneAtRandom(t, m)
			n := len(p.makes) - len(p.whole)
			t.Logf("%d of %d layers; whole: %v", n, len(p.makes), p.whole)
			if x.layers > 0 && n != x.layers {
				t.Errorf("%d layers can lose channels, want %d", n, x.layers)
			}
		})
	}
}

func TestChannelsOfSharedModels(t *testing.T) {
	dir := filepath.Join(testkit.Shared(t), "data")
	for _, name := range []string{"models/cifar10_resnet20.onnx", "models/mobilenet_v1_0.25_224.onnx", "models/squeezenet1.1_fp32_opset7.onnx",
		"models/mnist_bn_opset16.onnx", "models/mnist-7_cntk.onnx", "models/kair_dncnn_25.onnx", "modern/timm_test_vit/model.onnx",
		"modern/vit_hf/model.onnx",
		"modern/unet/model.onnx", "modern/timm_test_resnet/model.onnx", "modern/timm_test_efficientnet/model.onnx", "modern/bert/model.onnx",
		"modern/segformer/model.onnx", "modern/gpt2/model.onnx", "modern/llama/model.onnx",
		"modern/enc23/model.onnx", "modern/clip/model.onnx", "modern/whisper_enc/model.onnx", "modern/patchtst/model.onnx",
		"modern/mamba/model.onnx"} {
		t.Run(filepath.Base(filepath.Dir(name))+"/"+filepath.Base(name), func(t *testing.T) {
			path := filepath.Join(dir, name)
			if _, err := os.Stat(path); err != nil {
				t.Skip("not there")
			}
			m, err := onnx.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			p := pruneAtRandom(t, m)
			t.Logf("%d units, %d families, %d of %d layers; whole: %v", len(p.units), len(p.families), len(p.makes)-len(p.whole), len(p.makes),
				p.whole)
		})
	}
}
