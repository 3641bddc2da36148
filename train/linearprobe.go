package train

import (
	"context"
	"math"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/lbfgs"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// probeSteps bounds the steps of a linear probe.
const probeSteps = 100

// linearProbe fits a multinomial logistic regression on bank and is its accuracy on val. Features are brought to mean 0 and deviation 1
// over the bank; what is minimised is the mean cross-entropy plus |W|²/(2n), as scikit-learn's LogisticRegression with C = 1 does, by
// L-BFGS from zero: the same features have the same accuracy.
func linearProbe(ctx context.Context, bank, val *table, threads int) (float64, error) {
	n, f := len(bank.labels), bank.width()
	k := max(bank.classes(), val.classes(), 2)
	mean, scale := moments(bank)
	x := standardised(bank, mean, scale)
	p, err := newLinearClassifier(f, k, threads)
	if err != nil {
		return 0, err
	}
	defer p.m.Close()
	y := make([]int64, n)
	for i, l := range bank.labels {
		y[i] = int64(l)
	}
	feeds := map[string]*tensor.Tensor{"x": x, probeLabels: tensor.From(y, n)}
	decay := 1 / float64(n)
	at := func(theta, grad []float64) (float64, error) {
		p.set(theta)
		r, err := p.fit.Run(ctx, feeds)
		if err != nil {
			return 0, err
		}
		loss := r.Loss().Float64s()[0]
		w, b := r.Grad("w").F32(), r.Grad("b").F32()
		for i, v := range w {
			grad[i] = float64(v) + decay*theta[i]
			loss += decay / 2 * theta[i] * theta[i]
		}
		for i, v := range b {
			grad[len(w)+i] = float64(v)
		}
		return loss, nil
	}
	theta := make([]float64, k*f+k)
	if err := lbfgs.Minimise(ctx, theta, at, lbfgs.Options{Steps: probeSteps, Gain: 1e-6}); err != nil {
		return 0, err
	}
	p.set(theta)
	r, err := p.say.Run(ctx, map[string]*tensor.Tensor{"x": standardised(val, mean, scale)})
	if err != nil {
		return 0, err
	}
	z, hits := r.Value("z").F32(), 0
	for i, l := range val.labels {
		best := 0
		for c := range k {
			if z[i*k+c] > z[i*k+best] {
				best = c
			}
		}
		hits += b2i(best == l)
	}
	return float64(hits) / float64(max(1, len(val.labels))), nil
}

// moments are mean and one over the deviation of each feature; of one that is always the same, 0.
func moments(t *table) (mean, scale []float64) {
	n, f := float64(len(t.labels)), t.width()
	mean, scale = make([]float64, f), make([]float64, f)
	for i := range t.labels {
		for j, v := range t.row(i) {
			mean[j] += float64(v) / n
		}
	}
	for i := range t.labels {
		for j, v := range t.row(i) {
			d := float64(v) - mean[j]
			scale[j] += d * d / n
		}
	}
	for j, v := range scale {
		if scale[j] = 0; v > 1e-12*(1+mean[j]*mean[j]) {
			scale[j] = 1 / math.Sqrt(v)
		}
	}
	return mean, scale
}

func standardised(t *table, mean, scale []float64) *tensor.Tensor {
	x := tensor.New(tensor.Float32, len(t.labels), t.width())
	for i := range t.labels {
		to := x.F32()[i*t.width():]
		for j, v := range t.row(i) {
			to[j] = float32((float64(v) - mean[j]) * scale[j])
		}
	}
	return x
}

// probeLabels is the input of the linear probe with its classes.
const probeLabels = "labels"

// linearClassifier is a linear classifier of k classes.
type linearClassifier struct {
	m        *engine.Model
	w, b     *engine.Param
	fit, say *engine.Session
}

func newLinearClassifier(f, k, threads int) (*linearClassifier, error) {
	g := &onnxpb.GraphProto{Name: new("probe"), Input: []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", tensor.Float32, "N", f)},
		Output: []*onnxpb.ValueInfoProto{onnx.ValueInfo("z", tensor.Float32, "N", k)},
		Initializer: []*onnxpb.TensorProto{onnx.TensorToProto("w", tensor.New(tensor.Float32, k, f)),
			onnx.TensorToProto("b", tensor.New(tensor.Float32, k))},
		Node: []*onnxpb.NodeProto{onnx.NewNode("Gemm", "", []string{"x", "w", "b"}, []string{"z"}, onnx.AttrInt("transB", 1))}}
	p := &linearClassifier{}
	var err error
	if p.m, err = engine.Load(onnx.NewModel(g, 13), engine.WithThreads(threads)); err != nil {
		return nil, err
	}
	p.m.Thaw()
	loss := func(b *engine.Build) (graph.Value, error) {
		z, err := b.Value("z")
		if err != nil {
			return 0, err
		}
		y := b.Input(probeLabels, tensor.Int64, []graph.Dim{{Size: -1, Symbol: "N"}})
		return b.Add(ops.SoftmaxCrossEntropyLoss, ops.LossReduction("mean"), z, y), b.Err()
	}
	if p.fit, err = p.m.Session(engine.Query{Loss: loss, Grad: []string{"w", "b"}}); err != nil {
		return nil, err
	}
	if p.say, err = p.m.Session(engine.Query{}); err != nil {
		return nil, err
	}
	if p.w, err = p.m.Param("w"); err != nil {
		return nil, err
	}
	p.b, err = p.m.Param("b")
	return p, err
}

// set gives the classifier the numbers of theta: weights, then biases.
func (p *linearClassifier) set(theta []float64) {
	w, b := p.w.Value.F32(), p.b.Value.F32()
	for i := range w {
		w[i] = float32(theta[i])
	}
	for i := range b {
		b[i] = float32(theta[len(w)+i])
	}
	p.m.Changed("w", "b")
}
