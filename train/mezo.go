package train

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/tensor"
)

// roomToEstimate gives the parameters room for the gradients that optim.MeZO wants estimated from two forward passes, so that what has no
// gradient is trained, and nothing of the way back takes memory:
//
//	g = (L(w + ε·z) − L(w − ε·z))/(2ε) · z,  z standard normal, drawn anew from seed and step
//
// with the same batch and the same dropout in both passes. The optimiser takes g for the gradient; the paper's is plain descent, which
// needs a learning rate that is smaller by about the number of trained parameters than that of a true gradient. The loss of a step is
// the mean of both passes.
//
// Weights are copied and given back, where the paper adds and subtracts ε·z in place: rounding would leave them elsewhere, and a run that
// is stopped between two passes could not be resumed bit for bit.
//
// Source: Malladi et al. 2023, "Fine-Tuning Language Models with Just Forward Passes", https://arxiv.org/abs/2305.17333, algorithm 1; the
// estimator is Spall's SPSA, https://doi.org/10.1109/9.119632.
func (f *fit) roomToEstimate() error {
	for _, p := range f.params {
		if d := p.W.DType(); d != tensor.Float32 && d != tensor.Float64 {
			return fmt.Errorf("train: mezo: parameter %q is %v; only float32 and float64 can be trained", p.Name, d)
		}
		t, err := tensor.Make("the estimated gradient of "+p.Name, p.W.DType(), p.W.Shape()...)
		if err != nil {
			return fmt.Errorf("train: mezo: %w", err)
		}
		f.sums[p.Name] = t
	}
	return nil
}

// estimate makes the gradients of a batch from two passes, and gives the loss; each is shown the parts of the first one.
func (f *fit) estimate(ctx context.Context, eps float64, b *data.Batch, rows feed.Rows,
	each func(feed.Part) error) (mean float64, err error) {
	for _, p := range f.params { // until the passes are done, the gradient's room holds the weights
		copy(f.sums[p.Name].Bytes(), p.W.Bytes())
	}
	defer f.m.Changed(f.c.Params...)
	var loss [2]float64
	for i, a := range []float64{eps, -eps} {
		f.direct(func(k int, z func() float64) {
			move(f.params[k].W, f.sums[f.params[k].Name], a, z)
		})
		f.m.Changed(f.c.Params...)
		f.s.SetSeed(f.seed(f.now.at))
		err = f.c.Feed.Run(ctx, f.s, b, rows, func(p feed.Part) error {
			loss[i] += p.Loss().Float64s()[0]
			if i > 0 {
				return nil
			}
			return each(p)
		})
		if err != nil {
			break
		}
	}
	for _, p := range f.params {
		p.G = f.sums[p.Name]
		copy(p.W.Bytes(), p.G.Bytes())
	}
	if err != nil {
		return 0, err
	}
	slope := (loss[0] - loss[1]) / (2 * eps)
	f.direct(func(k int, z func() float64) { move(f.params[k].G, nil, slope, z) })
	return (loss[0] + loss[1]) / 2, nil
}

// direct shows the numbers of the direction z of this step, parameter by parameter: the same each time, whatever came before.
func (f *fit) direct(use func(k int, z func() float64)) {
	for k := range f.params {
		const name = 0x6d657a6f // "mezo"
		use(k, rand.New(rand.NewPCG(f.c.Seed^name<<32, uint64(f.step)<<24^uint64(k))).NormFloat64)
	}
}

// move sets w to from + a·z; from may be nil for zeros.
func move(w, from *tensor.Tensor, a float64, z func() float64) {
	if w.DType() == tensor.Float64 {
		x := tensor.Data[float64](w)
		for i := range x {
			x[i] = a * z()
			if from != nil {
				x[i] += tensor.Data[float64](from)[i]
			}
		}
		return
	}
	x := w.F32()
	if from == nil {
		for i := range x {
			x[i] = float32(a * z())
		}
		return
	}
	for i, v := range from.F32() {
		x[i] = float32(float64(v) + a*z())
	}
}
