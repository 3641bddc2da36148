package engine_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// torchNet is an architecture of the literature as PyTorch exports it, with PyTorch's numbers; see testdata/gen/nets/make.py.
type torchNet struct {
	file            *onnx.Model
	feeds           map[string]*tensor.Tensor
	cotangent, out  *tensor.Tensor
	grads, examples map[string]*tensor.Tensor
	train           bool    // by the statistics of the batch
	float32         float64 // how far PyTorch's own float32 is off
}

func openTorchNet(t *testing.T, stem string) *torchNet {
	t.Helper()
	f, err := os.Open(stem + ".onnx.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	n := &torchNet{feeds: map[string]*tensor.Tensor{}, grads: map[string]*tensor.Tensor{}, examples: map[string]*tensor.Tensor{}}
	if n.file, err = onnx.Read(bytes.NewReader(raw)); err != nil {
		t.Fatal(err)
	}
	for name, v := range readArrays(t, stem+".npz") {
		kind, rest, _ := strings.Cut(name, ":")
		switch kind {
		case "in":
			n.feeds[rest] = v
		case "grad":
			n.grads[rest] = v
		case "examples":
			n.examples[rest] = v
		case "cotangent":
			n.cotangent = v
		case "out":
			n.out = v
		case "float32":
			n.float32 = v.Float64s()[0]
		}
	}
	n.train = strings.HasSuffix(stem, "train") || filepath.Base(stem) == "resnet50"
	return n
}

// loss is the sum of the output times the cotangent, or that of each example.
func (n *torchNet) loss(each bool) engine.Loss {
	return func(b *engine.Build) (graph.Value, error) {
		y, err := b.Value("output")
		if err != nil {
			return 0, err
		}
		v := b.Add(ops.Mul, nil, y, b.Input("cotangent", b.DType(y), nil))
		if !each {
			return b.Add(ops.ReduceSum, nil, v), nil
		}
		flat := b.Add(ops.Flatten, nil, v)
		return b.Add(ops.ReduceSum, nil, flat, b.Const(tensor.From([]int64{1}, 1))), nil
	}
}

// distance is the Euclidean norm of x, or of the difference of x and y.
func distance(x, y []float64) float64 {
	sum := 0.0
	for i, v := range x {
		if y != nil {
			v -= y[i]
		}
		sum += v * v
	}
	return math.Sqrt(sum)
}

// compare runs a net and asserts that outputs agree within 1e-5 and the gradients of all parameters within 1e-3 of their norms, or of 1e-4
// of the largest where a gradient is zero but for rounding. It returns the worst.
func (n *torchNet) compare(t *testing.T) (worst string) {
	t.Helper()
	m, err := engine.Load(n.file, engine.WithThreads(2))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var learned, golden []string
	for p := range m.Params() {
		if p.Trainable {
			learned = append(learned, p.Name)
		} else if n.grads[p.Name] != nil {
			t.Errorf("%s is not learned: %s", p.Name, p.Why)
		}
	}
	top := 0.0
	for name, g := range n.grads {
		golden = append(golden, name)
		top = max(top, distance(g.Float64s(), nil))
		if !slices.Contains(learned, name) {
			t.Errorf("%s is not learned", name)
		}
	}
	slices.Sort(golden)
	for _, name := range learned {
		if n.grads[name] == nil {
			t.Errorf("%s is learned and no parameter of PyTorch", name)
		}
	}
	q := engine.Query{Fetch: []string{"output"}, Loss: n.loss(false), Grad: learned}
	if n.train {
		q.BN = engine.BNTrain
	}
	s, err := m.Session(q)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Run(t.Context(), n.fed())
	if err != nil {
		t.Fatal(err)
	}
	y := n.out.Float64s()
	off := distance(r.Value("output").Float64s(), y) / distance(y, nil)
	if !(off <= 1e-5) {
		t.Errorf("output off by %.3g", off)
	}
	where, far := "", -1.0
	for _, name := range golden {
		want, g := n.grads[name], r.Grad(name)
		if g == nil {
			if distance(want.Float64s(), nil) != 0 {
				t.Errorf("%s has no gradient", name)
			}
			continue
		}
		if !slices.Equal(g.Shape(), want.Shape()) {
			t.Errorf("%s: gradient of shape %v, want %v", name, g.Shape(), want.Shape())
			continue
		}
		w := want.Float64s()
		d := distance(g.Float64s(), w) / max(distance(w, nil), 1e-4*top)
		if !(d <= 1e-3) {
			t.Errorf("%s: gradient off by %.3g of its norm %.3g", name, d, distance(w, nil))
		}
		if d > far {
			where, far = name, d
		}
	}
	return fmt.Sprintf("%d gradients, worst %.1e at %s; output off by %.1e", len(golden), far, where, off)
}

// widen makes n a model of float64.
func (n *torchNet) widen(t *testing.T) {
	n.file = double(t, n.file)
	wide := func(x *tensor.Tensor) *tensor.Tensor {
		y, err := x.Convert(tensor.Float64)
		if err != nil {
			t.Fatal(err)
		}
		return y
	}
	for k, v := range n.feeds {
		n.feeds[k] = wide(v)
	}
	n.cotangent = wide(n.cotangent)
}

func (n *torchNet) fed() map[string]*tensor.Tensor {
	feeds := map[string]*tensor.Tensor{"cotangent": n.cotangent}
	for k, v := range n.feeds {
		feeds[k] = v
	}
	return feeds
}

// torchNets are the architectures of testdata/nets: the number of their parameters as the file has them, and whether there are norms per
// example.
var torchNets = map[string]struct {
	params   int
	examples bool
}{"resnet50": {50, false}, "densenet121": {42, false}, "efficientnet_b0": {44, false}, "mobilenet_v3": {42, false},
	"convnext_tiny": {39, false}, "swin_t": {63, false}, "vit": {32, true}, "unet": {46, true}, "lstm": {19, true}, "gru": {9, true},
	"bert": {41, true}, "gpt2": {28, true}, "llama": {21, true}, "mamba": {23, true}}

// Architectures as torchvision and the papers define them, in the forms that PyTorch's exporter gives them, have PyTorch's outputs and the
// gradients of all parameters. With GTK_NETS a folder that make.py filled, in full size or with all options of the exporter, those are
// compared too.
func TestTorchNets(t *testing.T) {
	stems := []string{}
	for name := range torchNets {
		stems = append(stems, filepath.Join("testdata", "nets", name))
	}
	if dir := os.Getenv("GTK_NETS"); dir != "" {
		more, err := filepath.Glob(filepath.Join(dir, "*.npz"))
		if err != nil || len(more) == 0 {
			t.Fatal("no nets in ", dir, err)
		}
		for _, path := range more {
			stems = append(stems, strings.TrimSuffix(path, ".npz"))
		}
	}
	slices.Sort(stems)
	for _, stem := range stems {
		t.Run(filepath.Base(stem), func(t *testing.T) {
			n := openTorchNet(t, stem)
			want, known := torchNets[filepath.Base(stem)]
			if known && (len(n.grads) != want.params || len(n.examples) > 0 != want.examples) {
				t.Fatalf("%d gradients and %d norms per example", len(n.grads), len(n.examples))
			}
			if n.float32 > 2e-4 { // so many activations are next to the kink of a ReLU that rounding decides
				n.widen(t)
			}
			t.Log(n.compare(t))
			if len(n.examples) > 0 {
				t.Log(n.comparePerExample(t))
			}
		})
	}
}

// comparePerExample asserts that the norms of the gradients of each example, by each parameter, are those of a batch of one within 1e-4.
func (n *torchNet) comparePerExample(t *testing.T) string {
	t.Helper()
	m, err := engine.Load(n.file, engine.WithThreads(2))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var names []string
	top := 0.0
	for name, v := range n.examples {
		names = append(names, name)
		top = max(top, slices.Max(v.Float64s()))
	}
	slices.Sort(names)
	s, err := m.Session(engine.Query{Loss: n.loss(true), PerExample: names})
	if err != nil {
		t.Errorf("per example: %v", err)
		return ""
	}
	r, err := s.Run(t.Context(), n.fed())
	if err != nil {
		t.Errorf("per example: %v", err)
		return ""
	}
	far, where := -1.0, ""
	for _, name := range names {
		want := n.examples[name].Float64s()
		got := make([]float64, len(want))
		if v := r.Norm2(name); v != nil {
			got = v.Float64s()
		}
		if len(got) != len(want) {
			t.Errorf("%s: %d norms for %d examples", name, len(got), len(want))
			continue
		}
		for i, w := range want {
			d := math.Abs(math.Sqrt(max(got[i], 0))-math.Sqrt(w)) / max(math.Sqrt(w), 1e-5*math.Sqrt(top))
			if !(d <= 1e-4) {
				t.Errorf("%s: norm %.6g for example %d, want %.6g", name, math.Sqrt(got[i]), i, math.Sqrt(w))
			}
			if d > far {
				far, where = d, name
			}
		}
	}
	return fmt.Sprintf("%d norms per example, worst %.1e at %s", len(names), far, where)
}
