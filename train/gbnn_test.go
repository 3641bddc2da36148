package train

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// boostRun is a boosting on the features of an untrained network, and its model.
func boostRun(t *testing.T, units, step int) (*engine.Model, data.Dataset, Config, BoostConfig) {
	t.Helper()
	site, err := FindGBNNSite(built(t, "mlp", models.Options{Seed: 3, Hidden: 24}), "", "")
	if err != nil {
		t.Fatal(err)
	}
	file, g, err := site.Put(GBNNUnits{Units: units, Step: step, Outputs: 10, Shape: tensor.Shape{24}, DType: tensor.Float32})
	if err != nil {
		t.Fatal(err)
	}
	ds := open(t, "digits#train")
	p := data.Suggested(ds)
	return load(t, file), ds, Config{Preprocess: &p, Val: open(t, "digits#test"), Seed: 7},
		BoostConfig{GBNN: g, Eta: 0.5, Share: 0.5, Iters: 40, Alpha: 1e-4}
}

// written is what a boosting writes.
func writtenUnits(t *testing.T, m *engine.Model, r *BoostResult) *onnx.Model {
	t.Helper()
	file, err := m.Save()
	if err == nil {
		err = r.Finish(file)
	}
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// The first units of a model are the model that training had after them, in loss and accuracy, and what the curve says.
func TestBoostStaged(t *testing.T) {
	m, ds, c, bc := boostRun(t, 12, 3)
	r, err := Boost(context.Background(), m, ds, c, bc)
	if err != nil {
		t.Fatal(err)
	}
	if r.Steps != 4 || len(r.History) != 4 || r.Start.Val == nil || math.Abs(r.Start.TrainLoss-math.Log(10)) > 1e-6 {
		t.Errorf("%d steps, %d of history, start %+v", r.Steps, len(r.History), r.Start)
	}
	if a := r.After.Accuracy; a < 0.6 {
		t.Errorf("accuracy %v", a)
	}
	file := writtenUnits(t, m, r)
	for i, h := range r.History {
		kept, was, err := KeepUnits(file, 3*(i+1))
		if err != nil {
			t.Fatal(err)
		}
		if g, err := ReadGBNN(kept); err != nil || g.Units != 3*(i+1) || was.Units != 12 {
			t.Errorf("kept %+v of %+v: %v", g, was, err)
		}
		for _, x := range []struct {
			ds             data.Dataset
			loss, accuracy float64
		}{{c.Val, h.Val.Loss, h.Val.Accuracy}, {ds, h.TrainLoss, h.TrainAcc}} {
			v, err := Evaluate(context.Background(), load(t, kept), x.ds, EvalConfig{Preprocess: c.Preprocess})
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(v.Loss-x.loss) > 1e-5 || math.Abs(v.Accuracy-x.accuracy) > 1e-9 {
				t.Errorf("%d units: loss %v accuracy %v, the curve says %v and %v", 3*(i+1), v.Loss, v.Accuracy, x.loss, x.accuracy)
			}
		}
	}
	for n, want := range map[int]string{0: "keep 1 to 12", 13: "keep 1 to 12", 2: "keep 3", 7: "keep 6 or 9"} {
		if _, _, err := KeepUnits(file, n); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("keeping %d: %v, want %q", n, err, want)
		}
	}
	var none *NotGBNNError
	_, _, err = KeepUnits(built(t, "mlp", models.Options{}), 3)
	if !errors.As(err, &none) || !strings.Contains(err.Error(), "--method gbnn") {
		t.Errorf("another model: %v", err)
	}
	g, _ := ReadGBNN(file)
	w, _ := file.Tensor(file.Initializer(g.Out.Weight))
	w = w.Clone()
	w.F32()[0]++
	if err := file.SetInitializer(g.Out.Weight, w); err != nil {
		t.Fatal(err)
	}
	if _, _, err := KeepUnits(file, 3); !errors.As(err, &none) || !strings.Contains(err.Error(), "changed after") {
		t.Errorf("changed units: %v", err)
	}
}

// A checkpoint of any step goes on bit for bit, with the same history, best step and biases; any number of threads gives the same.
func TestBoostResume(t *testing.T) {
	run := func(c func(*Config), threads int) (*engine.Model, *BoostResult, []byte) {
		t.Helper()
		m, ds, cfg, bc := boostRun(t, 10, 2)
		if threads > 1 {
			var err error
			if m, err = engine.Load(m.File(), engine.WithThreads(threads)); err != nil {
				t.Fatal(err)
			}
		}
		c(&cfg)
		r, err := Boost(context.Background(), m, ds, cfg, bc)
		if err != nil && !errors.Is(err, errStop) {
			t.Fatal(err)
		}
		if err != nil {
			return m, r, nil
		}
		b, err := writtenUnits(t, m, r).Bytes()
		if err != nil {
			t.Fatal(err)
		}
		return m, r, b
	}
	_, whole, want := run(func(*Config) {}, 1)
	if _, r, got := run(func(*Config) {}, 3); !slices.Equal(got, want) || told(r.History) != told(whole.History) {
		t.Error("three threads give another model than one")
	}
	for at := 1; at <= 5; at++ {
		path := filepath.Join(t.TempDir(), "c.npz")
		run(func(c *Config) {
			c.Save = func(k *Checkpoint) error { return k.Write(path) }
			c.Step = func(p Progress) error {
				if p.Step > at {
					return errStop
				}
				return nil
			}
		}, 1)
		k, err := ReadCheckpoint(path)
		if err != nil {
			t.Fatal(err)
		}
		if k.Step != at {
			t.Fatalf("the checkpoint is of step %d, want %d", k.Step, at)
		}
		m, r, got := run(func(c *Config) { c.Resume = k }, 1)
		if !slices.Equal(got, want) {
			t.Errorf("from step %d: another model", at)
		}
		if told(r.History) != told(whole.History) || r.Resumed != at || r.Best.Step != whole.Best.Step || r.After.Loss != whole.After.Loss {
			t.Errorf("from step %d: resumed %d, best %d, loss %v; want best %d, loss %v", at, r.Resumed, r.Best.Step, r.After.Loss,
				whole.Best.Step, whole.After.Loss)
		}
		if err := r.Best.Restore(m); err != nil {
			t.Fatal(err)
		}
		if g, err := ReadGBNN(writtenUnits(t, m, r)); err != nil || g.Units != 2*whole.Best.Step {
			t.Errorf("the best step is written as %+v: %v", g, err)
		}
	}
}

var errStop = errors.New("stop here")

// Where features are taken, and what becomes of the rest of the model.
func TestGBNNSite(t *testing.T) {
	r := func(shape ...int) *tensor.Tensor { return testkit.RandN(1, shape...) }
	for name, x := range map[string]struct {
		in, out, features string
		init              map[string]*tensor.Tensor
		nodes             []string
		take              string // features are named
		units             GBNNUnits
		ops               string // of the model with units
		shape             tensor.Shape
		none              bool // no last layer is found
	}{
		"dense": {in: "x[N,4]", out: "y[N,3]", init: map[string]*tensor.Tensor{"w": r(4, 3)}, nodes: []string{"h = Relu(x)", "y = MatMul(h, w)"},
			features: "h", units: GBNNUnits{Outputs: 3, Shape: tensor.Shape{4}}, ops: "Relu Gemm Sigmoid Gemm", shape: tensor.Shape{2, 3}},
		"the input itself": {in: "x[N,4]", out: "y[N,3]", init: map[string]*tensor.Tensor{"w": r(4, 3)}, nodes: []string{"y = Gemm(x, w)"},
			features: "x", units: GBNNUnits{Outputs: 5, Shape: tensor.Shape{4}, Activation: "Softmax"}, ops: "Gemm Sigmoid Gemm Softmax",
			shape: tensor.Shape{2, 5}},
		"pooled after the layer": {in: "x[N,4,5,5]", out: "y[N,3]", init: map[string]*tensor.Tensor{"w": r(3, 4, 1, 1)},
			nodes:    []string{"h = Relu(x)", "c = Conv(h, w)", "a = Relu(c)", "p = GlobalAveragePool(a)", "y = Flatten(p)"},
			features: "h", units: GBNNUnits{Outputs: 2, Shape: tensor.Shape{4, 5, 5}}, ops: "Relu GlobalAveragePool Flatten Gemm Sigmoid Gemm",
			shape: tensor.Shape{2, 2}},
		"one position": {in: "x[N,4,1,1]", out: "y[N,3]", init: map[string]*tensor.Tensor{"w": r(3, 4, 1, 1)},
			nodes:    []string{"c = Conv(x, w)", "f = Flatten(c)", "y = Softmax(f; axis=1)"},
			features: "x", units: GBNNUnits{Outputs: 3, Shape: tensor.Shape{4, 1, 1}, Activation: "LogSoftmax"},
			ops: "Flatten Gemm Sigmoid Gemm LogSoftmax", shape: tensor.Shape{2, 3}},
		"tokens": {in: "x[N,6,4]", out: "y[N,3]", init: map[string]*tensor.Tensor{"w": r(4, 3)},
			nodes:    []string{"h = Relu(x)", "z = MatMul(h, w)", "y = ReduceMean(z; axes=[1], keepdims=0)"},
			features: "h", units: GBNNUnits{Outputs: 1, Shape: tensor.Shape{6, 4}, Activation: "Sigmoid"},
			ops: "Relu Transpose GlobalAveragePool Flatten Gemm Sigmoid Gemm Sigmoid", shape: tensor.Shape{2, 1}},
		"named": {in: "x[N,6,4]", out: "y[N,6,4]", nodes: []string{"h = Relu(x)", "y = Tanh(h)"}, take: "h", none: true,
			features: "h", units: GBNNUnits{Outputs: 2, Shape: tensor.Shape{6, 4}}, ops: "Relu Flatten Cast Gemm Sigmoid Gemm",
			shape: tensor.Shape{2, 2}},
		"another output stays": {in: "x[N,4]", out: "y[N,3] h[N,4]", init: map[string]*tensor.Tensor{"w": r(4, 3)},
			nodes: []string{"h = Relu(x)", "y = MatMul(h, w)"}, features: "h", units: GBNNUnits{Outputs: 3, Shape: tensor.Shape{4}},
			ops: "Relu Gemm Sigmoid Gemm", shape: tensor.Shape{2, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			m := &onnx.Model{Proto: testkit.Text{In: []string{x.in}, Out: strings.Fields(x.out), Init: x.init, Nodes: x.nodes}.Model(t)}
			if _, err := FindGBNNSite(m, "", ""); (err != nil) != x.none {
				t.Fatalf("the last layer: %v", err)
			}
			site, err := FindGBNNSite(m, "", x.take)
			if err != nil {
				t.Fatal(err)
			}
			if site.Features != x.features {
				t.Errorf("features %q, want %q", site.Features, x.features)
			}
			x.units.Units, x.units.Step, x.units.DType = 4, 2, tensor.Float32
			file, g, err := site.Put(x.units)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, n := range file.Proto.GetGraph().GetNode() {
				got = append(got, n.GetOpType())
			}
			if s := strings.Join(got, " "); s != x.ops {
				t.Errorf("nodes %s, want %s", s, x.ops)
			}
			if len(file.Proto.GetGraph().GetInitializer()) != 4 {
				t.Errorf("initializers %v", file.InitializerNames())
			}
			if err := file.Check(); err != nil {
				t.Error(err)
			}
			em := load(t, file)
			s, err := em.Session(engine.Query{Fetch: []string{g.Features, site.Output}})
			if err != nil {
				t.Fatal(err)
			}
			in := em.Inputs()[0]
			shape := []int{2}
			for _, d := range in.Dims[1:] {
				shape = append(shape, d.Size)
			}
			res, err := s.Run(context.Background(), map[string]*tensor.Tensor{in.Name: r(shape...)})
			if err != nil {
				t.Fatal(err)
			}
			if v := res.Value(site.Output); !v.Shape().Equal(x.shape) {
				t.Errorf("output %v, want %v", v, x.shape)
			}
			if v := res.Value(g.Features); v.Len() != 2*g.Width {
				t.Errorf("features %v, want %d of each example", v, g.Width)
			}
		})
	}
	m := built(t, "mlp", models.Options{})
	if _, err := FindGBNNSite(m, "", "nothing"); err == nil || !strings.Contains(err.Error(), `no value "nothing"`) {
		t.Errorf("a name that is not there: %v", err)
	}
}

// Values of any unit are learned, several of an example too.
func TestBoostRegression(t *testing.T) {
	site, err := FindGBNNSite(&onnx.Model{Proto: testkit.Text{In: []string{"x[N,4]"}, Out: []string{"y[N,3]"},
		Init: map[string]*tensor.Tensor{"w": tensor.New(tensor.Float32, 4, 3)}, Nodes: []string{"y = MatMul(x, w)"}}.Model(t)}, "", "")
	if err != nil {
		t.Fatal(err)
	}
	file, g, err := site.Put(GBNNUnits{Units: 12, Step: 4, Outputs: 3, Shape: tensor.Shape{4}, DType: tensor.Float32})
	if err != nil {
		t.Fatal(err)
	}
	ds := thirds().(regression)
	for i, v := range ds.y.F32() {
		ds.y.F32()[i] = 5000 + 1e4*v*float32(i%3+1)
	}
	m := load(t, file)
	r, err := Boost(context.Background(), m, ds, Config{}, BoostConfig{GBNN: g, Eta: 1, Share: 1, Iters: 100, Alpha: 1e-4})
	if err != nil {
		t.Fatal(err)
	}
	if !(r.TrainLoss < r.Start.TrainLoss/4) {
		t.Errorf("mean squared error %v, of the mean %v", r.TrainLoss, r.Start.TrainLoss)
	}
	v, err := Evaluate(context.Background(), load(t, writtenUnits(t, m, r)), ds, EvalConfig{Loss: "mse"})
	if err != nil || math.Abs(v.Loss-r.TrainLoss) > 1e-4*r.TrainLoss {
		t.Errorf("the written model has a loss of %v, training said %v (%v)", v, r.TrainLoss, err)
	}
}
