package ops

import (
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// BatchNormalization is Y = (X - mean)/sqrt(var + epsilon)·scale + B for each channel of X [N,C,…]: with the running statistics in
// inference, with those of the batch in training, which also returns the running statistics updated as
// running·momentum + batch·(1-momentum), the batch variance being that of the population.
//
// Source: https://onnx.ai/onnx/operators/onnx__BatchNormalization.html. Deviation: the form of versions below 9 with spatial=0 is refused.
var BatchNormalization = new(graph.Spec)

var batchNormOld = new(graph.Spec)

// batchNormOldTrain is BatchNormalization of versions below 14 where it trains, which it says by having more than one output.
var batchNormOldTrain *graph.Spec

// BatchNormGrad is the gradient of BatchNormalization in inference: inputs X, scale, mean, var, dY; outputs dX, dscale, dB.
var BatchNormGrad = new(graph.Spec)

// BatchNormTrainGrad is the gradient in training: inputs X, scale, batch mean, 1/sqrt(batch var + epsilon), dY; outputs dX, dscale, dB.
var BatchNormTrainGrad = new(graph.Spec)

type batchNormAttrs struct {
	Epsilon  float32 `onnx:"epsilon,default=1e-5"`
	Momentum float32 `onnx:"momentum,default=0.9"`
	Training bool    `onnx:"training_mode,default=0"`
	Spatial  bool    `onnx:"spatial,default=1"`
	IsTest   bool    `onnx:"is_test,default=0"`

	act *Activation // Y is clamped, set by fusion; of a gradient: dY counts where Y was not
}

// IsBatchNorm reports whether n is a BatchNormalization in inference mode.
func IsBatchNorm(n *graph.Node) bool {
	a, ok := n.Attrs.(*batchNormAttrs)
	return ok && (n.Op == BatchNormalization || n.Op == batchNormOld) && !a.Training
}

// SetBatchNormTraining puts n into training mode.
func SetBatchNormTraining(n *graph.Node) {
	a := *n.Attrs.(*batchNormAttrs)
	a.Training = true
	n.Op, n.Attrs = BatchNormalization, &a
}

func init() {
	in := []graph.Formal{
		{Name: "X", Types: floats}, {Name: "scale", Types: floats, Weight: true}, {Name: "B", Types: floats, Weight: true},
		{Name: "input_mean", Types: floats, NoGrad: true, State: true}, {Name: "input_var", Types: floats, NoGrad: true, State: true},
	}
	def := graph.Def[batchNormAttrs]{
		Name: "BatchNormalization", Role: graph.Normalisation, Since: []int{14, 15},
		Doc: "https://onnx.ai/onnx/operators/onnx__BatchNormalization.html",
		In:  in,
		Out: []graph.Formal{
			{Name: "Y"}, {Name: "running_mean", Optional: true, NoGrad: true}, {Name: "running_var", Optional: true, NoGrad: true},
			{Name: "batch_mean", Optional: true, NoGrad: true, Private: true},
			{Name: "inv_std", Optional: true, NoGrad: true, Private: true},
		},
		Infer: inferBatchNorm, Run: runBatchNorm, Grad: gradBatchNorm,
		PerExample: func(a *batchNormAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, in int) (graph.PerExample, error) {
			if a.Training {
				return graph.PerExample{}, fmt.Errorf("batch normalisation in training mode mixes the examples: %w", graph.ErrNoGradient)
			}
			var g graph.Value
			switch in {
			case 1:
				g = b.Add(PerExampleChannelSum, nil, mul(b, dy[0], normalised(a, b, n)))
			case 2:
				g = b.Add(PerExampleChannelSum, nil, dy[0])
			default:
				return graph.PerExample{}, graph.ErrNoGradient
			}
			return graph.PerExample{Grad: g, Norm2: RowSumSquares(b, g)}, nil
		},
	}
	define(BatchNormalization, def)
	def.Since, def.Out = []int{1, 6, 7, 9}, []graph.Formal{
		{Name: "Y"}, {Name: "mean", Optional: true, NoGrad: true}, {Name: "var", Optional: true, NoGrad: true},
		{Name: "saved_mean", Optional: true, NoGrad: true}, {Name: "saved_var", Optional: true, NoGrad: true},
	}
	def.Check = func(a *batchNormAttrs, n *graph.Node) error {
		if !a.Spatial {
			return fmt.Errorf("attribute spatial is 0, which is not supported: export the model with opset 9 or newer")
		}
		switch trains := slices.ContainsFunc(n.Out[1:], func(v graph.Value) bool { return v != 0 }); {
		case trains && a.IsTest:
			return fmt.Errorf("it has outputs of training, and is_test says that it does not train")
		case trains:
			n.Op = batchNormOldTrain
		}
		return nil
	}
	define(batchNormOld, def)
	def.Check, def.Infer, def.Run, def.Grad, def.PerExample, def.Lower = nil, nil, nil, nil, nil, lowerBatchNormOldTrain
	batchNormOldTrain = def.Spec()

	reluMask := graph.Formal{Name: "Y", Types: floats, NoGrad: true, Optional: true} // of a fused Relu: dY counts where it is positive
	// in the place of Y: that, or what was clipped, is computed again from X
	maskBias := graph.Formal{Name: "B", Types: floats, NoGrad: true, Optional: true}
	dout := []graph.Formal{{Name: "dX", Optional: true}, {Name: "dscale", Optional: true}, {Name: "dB", Optional: true}}
	define(BatchNormGrad, graph.Def[batchNormAttrs]{
		Domain: Private, Name: "BatchNormGrad", Since: []int{1}, Doc: "gradient of BatchNormalization",
		In:  append(append([]graph.Formal{}, in[0], in[1], in[3], in[4]), graph.Formal{Name: "dY", Types: floats}, reluMask, maskBias),
		Out: dout, InPlace: [][2]int{{4, 0}},
		Infer: inferBatchNormGrad,
		Run:   runBatchNormGrad,
		Lower: func(a *batchNormAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			x, scale, dy := n.In[0], n.In[1], n.In[4]
			inv := b.Add(Reciprocal, nil, b.Add(Sqrt, nil, add(b, n.In[3], b.Scalar(b.DType(x), float64(a.Epsilon)))))
			out := make([]graph.Value, 3)
			out[0] = mul(b, dy, b.Add(ChannelVector, nil, mul(b, scale, inv), x))
			xhat := mul(b, sub(b, x, b.Add(ChannelVector, nil, n.In[2], x)), b.Add(ChannelVector, nil, inv, x))
			out[1] = b.Add(ChannelSum, nil, mul(b, dy, xhat))
			out[2] = b.Add(ChannelSum, nil, dy)
			return out, nil
		},
	})
	define(BatchNormTrainGrad, graph.Def[batchNormAttrs]{
		Domain: Private, Name: "BatchNormTrainGrad", Since: []int{1}, Doc: "gradient of BatchNormalization in training",
		In: []graph.Formal{in[0], in[1], {Name: "mean", Types: floats, NoGrad: true}, {Name: "inv_std", Types: floats, NoGrad: true},
			{Name: "dY", Types: floats}, reluMask, maskBias},
		Out: dout, InPlace: [][2]int{{4, 0}}, Infer: inferBatchNormGrad, Run: runBatchNormTrainGrad,
		Lower: lowerBatchNormTrainGrad,
	})
}

// lowerBatchNormTrainGrad is dX = scale/√(var+ε)·(dY − mean dY − x̂·mean(dY·x̂)), with the statistics computed again from X, since those
// that the forward operator keeps are no outputs in ONNX.
//
// Source: Ioffe and Szegedy, https://arxiv.org/abs/1502.03167, section 3.
func lowerBatchNormTrainGrad(a *batchNormAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	x, scale, dy := n.In[0], n.In[1], n.In[4]
	size := func(v graph.Value) graph.Value { return b.Add(Cast, CastTo(b.DType(x)), b.Add(Size, nil, v)) }
	count := b.Add(Div, nil, size(x), size(scale))
	wide := func(v graph.Value) graph.Value { return b.Add(ChannelVector, nil, v, x) }
	total := func(v graph.Value) graph.Value { return b.Add(ChannelSum, nil, v) }
	mean := func(v graph.Value) graph.Value { return b.Add(Div, nil, total(v), count) }
	centred := sub(b, x, wide(mean(x)))
	inv := b.Add(Reciprocal, nil, b.Add(Sqrt, nil, add(b, mean(mul(b, centred, centred)), b.Scalar(b.DType(x), float64(a.Epsilon)))))
	xhat := mul(b, centred, wide(inv))
	out := []graph.Value{0, total(mul(b, dy, xhat)), total(dy)}
	back := sub(b, sub(b, dy, wide(b.Add(Div, nil, out[2], count))), mul(b, xhat, wide(b.Add(Div, nil, out[1], count))))
	out[0] = mul(b, back, wide(mul(b, scale, inv)))
	return out, nil
}

// lowerBatchNormOldTrain is the newest version, whose updated running statistics are the outputs mean and var; saved_mean and saved_var are
// the statistics of the batch, var that of the population.
func lowerBatchNormOldTrain(a *batchNormAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	t := *a
	t.Training = true
	norm := b.AddNode("", BatchNormalization, &t, n.In[:5], []bool{true, true, true})
	if norm == nil {
		return nil, b.Err()
	}
	out := append(slices.Clone(norm.Out), 0, 0)
	if kept := append(slices.Clone(n.Out), 0, 0, 0, 0); kept[3] != 0 || kept[4] != 0 {
		x := n.In[0]
		size := func(v graph.Value) graph.Value { return b.Add(Cast, CastTo(b.DType(x)), b.Add(Size, nil, v)) }
		count := b.Add(Div, nil, size(x), size(n.In[1]))
		mean := func(v graph.Value) graph.Value { return b.Add(Div, nil, b.Add(ChannelSum, nil, v), count) }
		out[3] = mean(x)
		centred := sub(b, x, b.Add(ChannelVector, nil, out[3], x))
		out[4] = mean(mul(b, centred, centred))
	}
	return out, nil
}

// normalised is (X - mean)/sqrt(var + epsilon).
func normalised(a *batchNormAttrs, b *graph.Builder, n *graph.Node) graph.Value {
	x := n.In[0]
	inv := b.Add(Reciprocal, nil, b.Add(Sqrt, nil, add(b, n.In[4], b.Scalar(b.DType(x), float64(a.Epsilon)))))
	return mul(b, sub(b, x, b.Add(ChannelVector, nil, n.In[3], x)), b.Add(ChannelVector, nil, inv, x))
}

func inferBatchNorm(_ *batchNormAttrs, c *graph.InferCtx) error {
	s := c.Shape(0)
	if len(s) < 2 {
		return fmt.Errorf("input X has shape %v, want [N,C,…]", s)
	}
	for i := 1; i < 5; i++ {
		if !c.Shape(i).Equal(tensor.Shape{s[1]}) {
			return fmt.Errorf("input %d has shape %v for %d channels", i, c.Shape(i), s[1])
		}
		c.Out(i, s[1])
	}
	c.Out(0, s...)
	return nil
}

func inferBatchNormGrad(_ *batchNormAttrs, c *graph.InferCtx) error {
	s := c.Shape(0)
	c.Out(0, s...)
	c.Out(1, s[1])
	c.Out(2, s[1])
	return nil
}

func gradBatchNorm(a *batchNormAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
	var out *graph.Node
	want := []bool{need[0], need[1], need[2]}
	if a.Training {
		mean, inv := b.ExtraOutput(n, 3), b.ExtraOutput(n, 4)
		out = b.AddNode("", BatchNormTrainGrad, a, []graph.Value{n.In[0], n.In[1], mean, inv, dy[0]}, want)
	} else {
		out = b.AddNode("", BatchNormGrad, a, []graph.Value{n.In[0], n.In[1], n.In[3], n.In[4], dy[0]}, want)
	}
	if out == nil {
		return nil, b.Err()
	}
	dx := make([]graph.Value, n.NumIn)
	copy(dx, out.Out)
	return dx, nil
}

func runBatchNorm(a *batchNormAttrs, c *graph.RunCtx) error {
	if c.In[0].DType() == tensor.Float64 {
		return batchNorm[float64](a, c)
	}
	return batchNorm[float32](a, c)
}

func batchNorm[T float32 | float64](a *batchNormAttrs, c *graph.RunCtx) error {
	s := c.In[0].Shape()
	n, ch, hw := s[0], s[1], product(s[2:])
	x, gain, bias, mean, variance := tensor.Data[T](c.In[0]), tensor.Data[T](c.In[1]), tensor.Data[T](c.In[2]), tensor.Data[T](c.In[3]),
		tensor.Data[T](c.In[4])
	y := tensor.Data[T](c.Out[0])
	get := func(i int) []T { // an optional output, or room for it
		if i < len(c.Out) && c.Out[i] != nil {
			return tensor.Data[T](c.Out[i])
		}
		return make([]T, ch)
	}
	if !a.Training {
		mul, add := make([]T, ch), make([]T, ch)
		frozenCoefficients(a, mul, add, gain, bias, mean, variance)
		kernel.ChannelAffine(c.Pool, y, x, mul, add, n, ch, hw, (*kernel.Clamp)(a.act))
		return nil
	}
	batchMean, inv, batchVar := get(3), get(4), make([]T, ch)
	kernel.BatchNormTrain(c.Pool, y, batchMean, batchVar, inv, x, gain, bias, n, ch, hw, float64(a.Epsilon), (*kernel.Clamp)(a.act))
	for i, pair := range [][2][]T{{mean, batchMean}, {variance, batchVar}} {
		if i+1 < len(c.Out) && c.Out[i+1] != nil {
			running := tensor.Data[T](c.Out[i+1])
			for k := range running {
				running[k] = pair[0][k]*T(a.Momentum) + pair[1][k]*(1-T(a.Momentum))
			}
		}
	}
	return nil
}

// frozenCoefficients are those of y = x*mul + add by the running statistics.
func frozenCoefficients[T float32 | float64](a *batchNormAttrs, mul, add, gain, bias, mean, variance []T) {
	for k := range mul {
		v := float64(gain[k]) / math.Sqrt(float64(variance[k])+float64(a.Epsilon))
		mul[k], add[k] = T(v), T(float64(bias[k])-v*float64(mean[k]))
	}
}

func runBatchNormGrad(a *batchNormAttrs, c *graph.RunCtx) error {
	if c.In[0].DType() == tensor.Float64 {
		batchNormGrad[float64](a, c, false)
	} else {
		batchNormGrad[float32](a, c, false)
	}
	return nil
}

func runBatchNormTrainGrad(a *batchNormAttrs, c *graph.RunCtx) error {
	if c.In[0].DType() == tensor.Float64 {
		batchNormGrad[float64](a, c, true)
	} else {
		batchNormGrad[float32](a, c, true)
	}
	return nil
}

func batchNormGrad[T float32 | float64](a *batchNormAttrs, c *graph.RunCtx, training bool) {
	s := c.In[0].Shape()
	n, ch, hw := s[0], s[1], product(s[2:])
	inv := tensor.Data[T](c.In[3])
	if !training {
		variance := inv
		inv = make([]T, ch)
		for k, v := range variance {
			inv[k] = T(1 / math.Sqrt(float64(v)+float64(a.Epsilon)))
		}
	}
	out := func(i int) []T {
		if i < len(c.Out) && c.Out[i] != nil {
			return tensor.Data[T](c.Out[i])
		}
		return nil
	}
	var mask []T
	if c.Has(5) {
		mask = tensor.Data[T](c.In[5])
	}
	if c.Has(6) {
		mul, add, scale, bias := make([]T, ch), make([]T, ch), tensor.Data[T](c.In[1]), tensor.Data[T](c.In[6])
		if training {
			kernel.BatchNormCoefficients(mul, add, tensor.Data[T](c.In[2]), inv, scale, bias)
		} else {
			frozenCoefficients(a, mul, add, scale, bias, tensor.Data[T](c.In[2]), tensor.Data[T](c.In[3]))
		}
		x, dy, mean := tensor.Data[T](c.In[0]), tensor.Data[T](c.In[4]), tensor.Data[T](c.In[2])
		if a.act != nil {
			kernel.BatchNormClipGrad(c.Pool, out(0), out(1), out(2), x, dy, mul, add, kernel.Clamp(*a.act), scale, mean, inv, n, ch, hw, training)
		} else {
			kernel.BatchNormReluGrad(c.Pool, out(0), out(1), out(2), x, dy, mul, add, scale, mean, inv, n, ch, hw, training)
		}
		return
	}
	kernel.BatchNormGrad(c.Pool, out(0), out(1), out(2), tensor.Data[T](c.In[0]), tensor.Data[T](c.In[4]), mask,
		tensor.Data[T](c.In[1]), tensor.Data[T](c.In[2]), inv, n, ch, hw, training)
}

func invSqrt(v float64) float64 { return 1 / math.Sqrt(v) }
