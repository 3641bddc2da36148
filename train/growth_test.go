package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/tensor"
)

// labelled is a data set of rows and class numbers.
type labelled struct {
	x *tensor.Tensor
	y []int
}

func (l labelled) Len() int        { return len(l.y) }
func (l labelled) ID(i int) string { return fmt.Sprint(i) }
func (l labelled) Label(i int) int { return l.y[i] }
func (l labelled) Classes() []string {
	return []string{"a", "b", "c"}
}

func (l labelled) Example(i int) (data.Example, error) {
	k := l.x.Dim(1)
	return data.Example{ID: l.ID(i), X: tensor.From(l.x.F32()[i*k:(i+1)*k], k), Label: l.y[i]}, nil
}

// twice is the data of the vectors two times over, so that batches of them can grow.
func (v *growthVectors) twice() labelled {
	x := tensorOf([]any(append(v.X[:6:6], v.X...)))
	return labelled{x, append(v.Y[:6:6], v.Y...)}
}

// What a step measures on the vectors' model is what they say: by each test and form, with a batch at once and in parts.
func TestGrowthMeasured(t *testing.T) {
	v := readGrowthVectors(t)
	official := (BatchGrowth{Test: BothTests}).With(100)
	for _, c := range []struct {
		test, form string
		part       int
		want       float64
	}{
		{NormTest, ExactForm, 0, v.Settings.Norm},
		{NormTest, ExactForm, 4, v.Settings.Norm},
		{NormTest, LayersForm, 2, v.Settings.Norm},
		{NormTest, PartsForm, 1, v.Settings.Norm},
		{InnerTest, ExactForm, 0, v.Settings.Inner},
		{InnerTest, ExactForm, 1, v.Settings.Inner},
		{BothTests, ExactForm, 0, max(v.Settings.Inner, v.Settings.Orth)},
		{BothTests, ExactForm, 4, max(v.Settings.Inner, v.Settings.Orth)},
		{InnerTest, LayersForm, 0, v.Settings.Official[1].(float64) / (0.25 * v.GG * v.GG)},
		{BothTests, LayersForm, 2, official.need(&spread{count: 6, groups: v.byLayer(t)})},
	} {
		t.Run(fmt.Sprintf("%s %s in parts of %d", c.test, c.form, c.part), func(t *testing.T) {
			m := load(t, dense(v.W, v.B))
			f, err := newFit(context.Background(), m, v.twice(), Config{
				BatchSize: 6, MicroBatch: c.part, MaxSteps: 1, Optimizer: rule(t, "sgd", optim.Config{}), Schedule: optim.Constant(1e-3),
				Growth: &BatchGrowth{Test: c.test, Form: c.form},
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.run(context.Background()); err != nil {
				t.Fatal(err)
			}
			if got := f.growth.need; math.Abs(got-c.want) > 1e-5*c.want {
				t.Errorf("%v examples are asked for, want %v", got, c.want)
			}
			if want := v.Var / (6 * v.GG); math.Abs(f.growth.noise-want) > 1e-5*want {
				t.Errorf("the share of noise is %v, want %v", f.growth.noise, want)
			}
			if want := min(12, int(math.Ceil(c.want))); f.size != want {
				t.Errorf("the next batch has %d examples, want %d", f.size, want)
			}
		})
	}
}

// A batch in parts makes the step of the batch at once, but for rounding; with a loss whose terms have weights too.
func TestMicroBatches(t *testing.T) {
	ds := open(t, "shapes?n=40&size=16#train")
	p := data.Suggested(ds)
	for _, loss := range []string{"cross-entropy", "cross-entropy:weights=1,2,3,4,5,6,7,8", "cross-entropy:smoothing=0.1"} {
		var want map[string]*tensor.Tensor
		var losses []float64
		for _, part := range []int{0, 64, 7, 1} {
			m := load(t, built(t, "resnet8", models.Options{Seed: 1, Classes: 8, ImageSize: 16}))
			r, err := Fit(context.Background(), m, ds, Config{
				Preprocess: &p, Epochs: 2, BatchSize: 16, MicroBatch: part, Shuffle: true, Loss: loss,
				Optimizer: rule(t, "sgd", optim.Config{}), Schedule: optim.Constant(0.01),
			})
			if err != nil {
				t.Fatal(err)
			}
			losses = append(losses, r.TrainLoss)
			got := weights(m)
			if want == nil {
				want = got
				continue
			}
			if d := math.Abs(losses[0] - r.TrainLoss); d > 1e-5*losses[0] {
				t.Errorf("%s in parts of %d: the loss is %v, want %v", loss, part, r.TrainLoss, losses[0])
			}
			for n, w := range want {
				a, b := got[n].Float64s(), w.Float64s()
				for i := range a {
					if math.Abs(a[i]-b[i]) > 2e-5*max(1, math.Abs(b[i])) {
						t.Fatalf("%s in parts of %d: %s[%d] is %v, want %v", loss, part, n, i, a[i], b[i])
					}
				}
			}
		}
	}
}

// growing is a training whose batches grow, on a net with convolutions.
func growing(t *testing.T) (*engine.Model, data.Dataset, Config) {
	m, ds, c := shapesRun(t)
	c.BN, c.BatchSize, c.MicroBatch, c.Epochs = engine.BNFrozen, 4, 6, 5
	c.Optimizer = rule(t, "schedulefree-adamw", optim.Config{})
	c.Growth = &BatchGrowth{Test: BothTests, Theta: 0.5, Nu: 0.7, Factor: 1.4}
	return m, ds, c
}

// Batches grow by the factor at most and never shrink, an epoch shows each example once, and the rate follows the examples.
func TestGrowing(t *testing.T) {
	m, ds, c := growing(t)
	seen, last, total := 0, c.BatchSize, c.Epochs*ds.Len()
	var sizes []int
	c.Step = func(p Progress) error {
		if want := c.Schedule.LR(seen+(p.BatchSize+1)/2, total); p.LR != want {
			t.Errorf("step %d: the rate is %v, want %v", p.Step, p.LR, want)
		}
		if seen += p.BatchSize; seen != p.Examples {
			t.Errorf("step %d: %d examples, want %d", p.Step, p.Examples, seen)
		}
		if short := seen%ds.Len() == 0; p.BatchSize < last && !short || p.BatchSize > int(math.Ceil(1.4*float64(last))) {
			t.Errorf("step %d: %d examples after %d", p.Step, p.BatchSize, last)
		}
		last = max(last, p.BatchSize)
		sizes = append(sizes, p.BatchSize)
		return nil
	}
	r, err := Fit(context.Background(), m, ds, c)
	if err != nil {
		t.Fatal(err)
	}
	if r.Epochs != c.Epochs || seen != total || last <= 2*c.BatchSize {
		t.Errorf("%d epochs of %d examples in batches of %v", r.Epochs, seen, sizes)
	}
	for i, h := range r.History {
		if h.Examples != (i+1)*ds.Len() || h.Measures["batch.size"] < float64(c.BatchSize) || !(h.Measures["batch.noise"] > 0) {
			t.Errorf("epoch %d: %d examples, %v", i+1, h.Examples, h.Measures)
		}
	}
	for i, x := range r.Sizes[1:] {
		if x.Size <= r.Sizes[i].Size || x.Step <= r.Sizes[i].Step || sizes[x.Step-2] == 0 {
			t.Errorf("sizes %v", r.Sizes)
		}
	}
}

// Killed after any step and resumed, a training whose batches grow ends bit for bit where an undisturbed one does.
func TestGrowingKilled(t *testing.T) {
	m, ds, c := growing(t)
	whole, err := Fit(context.Background(), m, ds, c)
	if err != nil {
		t.Fatal(err)
	}
	want, killed := weights(m), errors.New("killed")
	for at := 1; at < whole.Steps; at += 3 {
		path := t.TempDir() + "/c.npz"
		m, ds, c := growing(t)
		c.SaveEvery = 1
		c.Save = func(k *Checkpoint) error { // a step is told before it is saved
			if err := k.Write(path); err != nil || k.Step < at {
				return err
			}
			return killed
		}
		if _, err := Fit(context.Background(), m, ds, c); !errors.Is(err, killed) {
			t.Fatal(err)
		}
		m, ds, c = growing(t)
		if c.Resume, err = ReadCheckpoint(path); err != nil {
			t.Fatal(err)
		}
		c.Save = func(*Checkpoint) error { return nil }
		r, err := Fit(context.Background(), m, ds, c)
		if err != nil {
			t.Fatal(err)
		}
		sameWeights(t, fmt.Sprintf("killed at step %d of %d", at, whole.Steps), weights(m), want)
		if told(r.History) != told(whole.History) || fmt.Sprint(r.Sizes) != fmt.Sprint(whole.Sizes) {
			t.Errorf("killed at step %d: %s%v, want\n%s%v", at, told(r.History), r.Sizes, told(whole.History), whole.Sizes)
		}
	}
}

func TestGrowthRefused(t *testing.T) {
	v := readGrowthVectors(t)
	plain := func() *onnx.Model { return dense(v.W, v.B) }
	// y = x·Wᵀ + b of rows from which the mean over the batch is taken
	mixing := func() *onnx.Model {
		return graphModel([]any{"N", 3}, []any{"N", 3},
			[]*onnxpb.NodeProto{
				onnx.NewNode("ReduceMean", "mean", []string{"x"}, []string{"m"}, onnx.AttrInts("axes", 0), onnx.AttrInt("keepdims", 1)),
				onnx.NewNode("Sub", "sub", []string{"x", "m"}, []string{"c"}),
				onnx.NewNode("Gemm", "fc", []string{"c", "w", "b"}, []string{"y"}, onnx.AttrInt("transB", 1)),
			}, map[string]*tensor.Tensor{"w": tensorOf(v.W), "b": tensorOf(v.B)})
	}
	for want, x := range map[string]struct {
		m *onnx.Model
		c Config
	}{
		"no test \"x\"":           {plain(), Config{Growth: &BatchGrowth{Test: "x"}}},
		"no form \"x\"":           {plain(), Config{Growth: &BatchGrowth{Form: "x"}}},
		"positive numbers":        {plain(), Config{Growth: &BatchGrowth{Eta: -1}}},
		"more than 1":             {plain(), Config{Growth: &BatchGrowth{Factor: 1}}},
		"has no variance":         {plain(), Config{BatchSize: 1, Growth: &BatchGrowth{}}},
		"first batch has 6":       {plain(), Config{Growth: &BatchGrowth{Max: 5}}},
		"norm test only":          {plain(), Config{MicroBatch: 2, Growth: &BatchGrowth{Form: PartsForm, Test: InnerTest}}},
		"at most 3":               {plain(), Config{Growth: &BatchGrowth{Form: PartsForm}}},
		"no example has":          {plain(), Config{BN: engine.BNTrain, Growth: &BatchGrowth{}}},
		"and --optimizer mezo":    {plain(), Config{Optimizer: rule(t, "mezo", optim.Config{}), Growth: &BatchGrowth{}}},
		"mixes the examples":      {mixing(), Config{Growth: &BatchGrowth{}}},
		"must not be negative":    {plain(), Config{MicroBatch: -1}},
		"parts of one example":    {plain(), Config{MicroBatch: 1, BN: engine.BNTrain}},
		"--batch-form parts with": {mixing(), Config{Growth: &BatchGrowth{Test: InnerTest}}},
	} {
		if x.c.Schedule, x.c.Epochs = optim.Constant(0.1), 1; x.c.Optimizer == nil {
			x.c.Optimizer = rule(t, "sgd", optim.Config{})
		}
		if x.c.BatchSize == 0 {
			x.c.BatchSize = 6
		}
		_, err := Fit(context.Background(), load(t, x.m), v.twice(), x.c)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want one with %q", err, want)
		}
	}
}

// The masks of dropout are those of the first pass when the products are taken, in each part: the products of all examples with the mean
// gradient add up to its squared norm, times their number. So they do where examples are mixed.
func TestGrowthProductsAddUp(t *testing.T) {
	v := readGrowthVectors(t)
	ratio := tensor.Scalar(float32(0.4))
	file := graphModel([]any{"N", 3}, []any{"N", 3},
		[]*onnxpb.NodeProto{
			onnx.NewNode("Gemm", "first", []string{"x", "w", "b"}, []string{"z"}, onnx.AttrInt("transB", 1)),
			onnx.NewNode("Dropout", "drop", []string{"z", "ratio"}, []string{"d"}),
			onnx.NewNode("Gemm", "fc", []string{"d", "v", "c"}, []string{"y"}, onnx.AttrInt("transB", 1)),
		}, map[string]*tensor.Tensor{"w": tensorOf(v.W), "b": tensorOf(v.B), "v": tensorOf(v.W), "c": tensorOf(v.B), "ratio": ratio})
	for _, form := range []string{ExactForm, LayersForm} {
		for _, part := range []int{0, 4} {
			f, err := newFit(context.Background(), load(t, file), v.twice(), Config{
				BatchSize: 8, MicroBatch: part, MaxSteps: 1, Dropout: true, Optimizer: rule(t, "sgd", optim.Config{}),
				Schedule: optim.Constant(1e-3), Growth: &BatchGrowth{Test: BothTests, Form: form}, Augment: augmented(t, "mixup"), Seed: 3,
			})
			if err != nil {
				t.Fatal(err)
			}
			var got *spread
			f.c.Reduce = func(context.Context, []*optim.Param) error {
				got = f.now.gauge.got
				return nil
			}
			if _, err := f.run(context.Background()); err != nil {
				t.Fatal(err)
			}
			for k, g := range got.groups {
				sum := 0.0
				for _, s := range g.s {
					sum += s
				}
				if want := got.count * g.gg; math.Abs(sum-want) > 1e-5*max(want, 1e-3) {
					t.Errorf("%s in parts of %d, group %d: products add up to %v, want %v", form, part, k, sum, want)
				}
			}
		}
	}
}
