package ops

import (
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// lossAttrs are the attributes of the losses over classes.
type lossAttrs struct {
	Reduction string `onnx:"reduction,default=mean"`
	Ignore    *int   `onnx:"ignore_index"`
}

// LossReduction are the attributes of SoftmaxCrossEntropyLoss and NegativeLogLikelihoodLoss for a reduction: none, mean or sum.
func LossReduction(reduction string) any { return &lossAttrs{Reduction: reduction} }

// ClassLoss is LossReduction with a class number that is left out of the loss.
func ClassLoss(reduction string, ignore int) any {
	return &lossAttrs{Reduction: reduction, Ignore: &ignore}
}

// ClassLossGrad is the gradient of a loss over classes by scores X [N,C,…]: with k = target[n,…] and w[k] the weight of that class, 1
// without weights, over what the reduction divides by,
//
//	dX[n,j,…] = dY·w[k]·(prob·e^logp[n,j,…] - hot·[j = k]);  0 where k is ignored.
//
// Inputs logp [N,C,…], target [N,…], weights [C] or none, and dY: [N,…] for reduction none, else a scalar. The gradient of
// SoftmaxCrossEntropyLoss has prob and hot, that of NegativeLogLikelihoodLoss only hot; only prob occurs in second derivatives.
var ClassLossGrad = new(graph.Spec)

type classLossGradAttrs struct {
	Reduction string `onnx:"reduction,default=mean"`
	Ignore    *int   `onnx:"ignore_index"`
	Prob      bool   `onnx:"prob,default=1"`
	Hot       bool   `onnx:"hot,default=1"`
}

func init() {
	define(ClassLossGrad, graph.Def[classLossGradAttrs]{
		Domain: Private, Name: "ClassLossGrad", Since: []int{1}, Doc: "gradient of SoftmaxCrossEntropyLoss and NegativeLogLikelihoodLoss",
		In: []graph.Formal{
			{Name: "logp", Types: floats}, {Name: "target", Types: indexes, NoGrad: true},
			{Name: "weights", Types: floats, Optional: true, NoGrad: true}, {Name: "dY", Types: floats},
		},
		Out: []graph.Formal{{Name: "dX"}}, InPlace: [][2]int{{0, 0}},
		Infer: func(a *classLossGradAttrs, c *graph.InferCtx) error {
			d, err := lossDims(c, a.Reduction)
			if err != nil {
				return err
			}
			if c.Shape(3).Len() != d.losses(a.Reduction) {
				return fmt.Errorf("dY has shape %v for %d losses", c.Shape(3), d.losses(a.Reduction))
			}
			c.Scratch(c.DType(0).Size(d.outer * d.inner))
			c.Out(0, c.Shape(0)...)
			return nil
		},
		Run: func(a *classLossGradAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				return runClassLossGrad[float64](a, c)
			}
			return runClassLossGrad[float32](a, c)
		},
		Grad: func(a *classLossGradAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			dx := make([]graph.Value, n.NumIn)
			with := func(prob, hot bool, dloss graph.Value) graph.Value {
				k := *a
				k.Prob, k.Hot = prob, hot
				return b.Add(ClassLossGrad, &k, n.In[0], n.In[1], n.In[2], dloss)
			}
			if need[0] && a.Prob {
				dx[0] = mul(b, dy[0], with(true, false, n.In[3]))
			}
			if need[3] {
				each := mul(b, dy[0], with(a.Prob, a.Hot, Fill(b, n.In[3], 1)))
				if a.Reduction == "none" {
					dx[3] = b.Add(ReduceSum, KeepDims(false), each, b.Ints(1))
				} else {
					dx[3] = b.Add(ReshapeLike, nil, b.Add(ReduceSum, KeepDims(false), each), n.In[3])
				}
			}
			return dx, nil
		},
		Lower: lowerClassLossGrad,
	})
}

func lowerClassLossGrad(a *classLossGradAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	logp, target := n.In[0], n.In[1]
	d := b.DType(logp)
	shape := b.Add(Shape, nil, target)
	w := b.Add(ConstantOfShape, &constantOfShapeAttrs{Value: floatScalar(d, 1).Reshape(1)}, shape)
	if a.Ignore != nil {
		number := func(k int) graph.Value {
			if b.DType(target) == tensor.Int32 {
				return b.Const(tensor.Scalar(int32(k)))
			}
			return b.Const(tensor.Scalar(int64(k)))
		}
		skip := b.Add(Equal, nil, target, number(*a.Ignore))
		w = truth(b, b.Add(Not, nil, skip), logp)
		target = b.Add(Where, nil, skip, number(0), target)
	}
	if n.In[2] != 0 {
		w = mul(b, w, b.Add(Gather, nil, n.In[2], target))
	}
	factor := mul(b, w, n.In[3])
	if a.Reduction == "mean" {
		factor = div(b, factor, b.Add(ReduceSum, KeepDims(false), w))
	}
	if a.Reduction != "none" {
		factor = inShape(b, factor, shape)
	}
	var diff graph.Value
	if a.Prob {
		diff = b.Add(Exp, nil, logp)
	}
	if a.Hot {
		place := b.Add(Unsqueeze, nil, target, b.Ints(1)) // [N,1,…]
		full := func(v float64, s graph.Value) graph.Value {
			return b.Add(ConstantOfShape, &constantOfShapeAttrs{Value: floatScalar(d, v).Reshape(1)}, s)
		}
		hot := b.Add(ScatterElements, &scatterAttrs{Axis: 1, Reduction: "none"}, full(0, b.Add(Shape, nil, logp)), place,
			full(1, b.Add(Shape, nil, place)))
		if diff == 0 {
			diff = neg(b, hot)
		} else {
			diff = sub(b, diff, hot)
		}
	}
	return []graph.Value{mul(b, diff, b.Add(Unsqueeze, nil, factor, b.Ints(1)))}, nil
}

// lossSize are the extents of a loss: scores [outer, n, inner].
type lossSize struct{ outer, n, inner int }

func (d lossSize) losses(reduction string) int {
	if reduction == "none" {
		return d.outer * d.inner
	}
	return 1
}

// lossDims checks the shapes of inputs 0 to 2: scores, target, weights.
func lossDims(c *graph.InferCtx, reduction string) (lossSize, error) {
	s, t := c.Shape(0), c.Shape(1)
	if reduction != "none" && reduction != "mean" && reduction != "sum" {
		return lossSize{}, fmt.Errorf("attribute reduction is %q, want none, mean or sum", reduction)
	}
	if len(s) < 2 {
		return lossSize{}, fmt.Errorf("scores have shape %v, want [N,C,…]", s)
	}
	if want := slices.Delete(slices.Clone(s), 1, 2); !t.Equal(want) {
		return lossSize{}, fmt.Errorf("target has shape %v, want %v for scores of shape %v", t, want, s)
	}
	if c.Has(2) && !c.Shape(2).Equal(tensor.Shape{s[1]}) {
		return lossSize{}, fmt.Errorf("weights have shape %v for %d classes", c.Shape(2), s[1])
	}
	return lossSize{s[0], s[1], product(s[2:])}, nil
}

func sizeOf(s tensor.Shape) lossSize { return lossSize{s[0], s[1], product(s[2:])} }

type floatElem interface {
	kernel.Float
	tensor.Elem
}

// scratchOf is the working memory as numbers of type T, from element lo on.
func scratchOf[T floatElem](c *graph.RunCtx, d tensor.DType, lo, n int) []T {
	t, err := tensor.FromBytes(d, []int{n}, c.Scratch[d.Size(lo):d.Size(lo+n)])
	if err != nil {
		panic(err)
	}
	return tensor.Data[T](t)
}

// weightsOf is input 2, nil when it is absent.
func weightsOf[T floatElem](c *graph.RunCtx) []T {
	if c.Has(2) {
		return tensor.Data[T](c.In[2])
	}
	return nil
}

func ignored(p *int) int64 {
	if p == nil {
		return kernel.NoIgnore
	}
	return int64(*p)
}

func errLabel(t *tensor.Tensor, at, classes int) error {
	return fmt.Errorf("target %v at position %d is not one of the %d classes", t.Reshape(t.Len()).At(at), at, classes)
}

// lossWeights is f(i, w) for the position i of each target that is not ignored, w its weight. It fails for a target that is no class.
func lossWeights[T floatElem](c *graph.RunCtx, ignore int64, classes int, f func(i, k int, w T)) error {
	if t := c.In[1]; t.DType() == tensor.Int32 {
		return lossWeightsAs(c, tensor.Data[int32](t), ignore, classes, f)
	}
	return lossWeightsAs(c, c.In[1].I64(), ignore, classes, f)
}

func lossWeightsAs[T floatElem, I int32 | int64](c *graph.RunCtx, target []I, ignore int64, classes int, f func(i, k int, w T)) error {
	weight := weightsOf[T](c)
	for i, k := range target {
		if int64(k) == ignore {
			continue
		}
		if k < 0 || int64(k) >= int64(classes) {
			return errLabel(c.In[1], i, classes)
		}
		w := T(1)
		if weight != nil {
			w = weight[k]
		}
		f(i, int(k), w)
	}
	return nil
}

// lossDivisor is what the mean divides by: the weights of all targets that are not ignored.
func lossDivisor[T floatElem](c *graph.RunCtx, ignore int64, classes int) (float64, error) {
	sum := 0.0
	err := lossWeights(c, ignore, classes, func(_, _ int, w T) { sum += float64(w) })
	return sum, err
}

// reduceLoss writes Out[0] from the loss of each position.
func reduceLoss[T floatElem](c *graph.RunCtx, each []T, reduction string, ignore int64, classes int) error {
	out := tensor.Data[T](c.Out[0])
	if reduction == "none" {
		return nil // each is the output
	}
	total := 0.0
	for _, x := range each {
		total += float64(x)
	}
	if reduction == "mean" {
		n, err := lossDivisor[T](c, ignore, classes)
		if err != nil {
			return err
		}
		total /= n
	}
	out[0] = T(total)
	return nil
}

func runClassLossGrad[T floatElem](a *classLossGradAttrs, c *graph.RunCtx) error {
	d, ignore := sizeOf(c.In[0].Shape()), ignored(a.Ignore)
	dloss, logp, dx := tensor.Data[T](c.In[3]), tensor.Data[T](c.In[0]), tensor.Data[T](c.Out[0])
	if a.Reduction != "none" {
		v := dloss[0]
		if a.Reduction == "mean" {
			n, err := lossDivisor[T](c, ignore, d.n)
			if err != nil {
				return err
			}
			v = T(float64(v) / n)
		}
		dloss = scratchOf[T](c, c.In[0].DType(), 0, d.outer*d.inner)
		for i := range dloss {
			dloss[i] = v
		}
	}
	if a.Prob && a.Hot {
		bad := -1
		if t := c.In[1]; t.DType() == tensor.Int32 {
			bad = kernel.SoftmaxCrossEntropyGrad(c.Pool, dx, logp, dloss, tensor.Data[int32](t), weightsOf[T](c), ignore, d.outer, d.n,
				d.inner)
		} else {
			bad = kernel.SoftmaxCrossEntropyGrad(c.Pool, dx, logp, dloss, t.I64(), weightsOf[T](c), ignore, d.outer, d.n, d.inner)
		}
		if bad >= 0 {
			return errLabel(c.In[1], bad, d.n)
		}
		return nil
	}
	if a.Prob {
		// Factors of the positions, 0 where ignored.
		f := make([]T, d.outer*d.inner)
		if err := lossWeights(c, ignore, d.n, func(i, _ int, w T) { f[i] = dloss[i] * w }); err != nil {
			return err
		}
		if l, ok := any(logp).([]float32); ok {
			kernel.ExpF32(c.Pool, any(dx).([]float32), l)
		} else {
			l, y := any(logp).([]float64), any(dx).([]float64)
			kernel.Map(c.Pool, y, l, math.Exp)
		}
		c.Pool.For(d.outer*d.n, max(1, 1<<14/max(d.inner, 1)), func(lo, hi int) {
			for r := lo; r < hi; r++ {
				for i := range d.inner {
					dx[r*d.inner+i] *= f[r/d.n*d.inner+i]
				}
			}
		})
		return nil
	}
	clear(dx)
	return lossWeights(c, ignore, d.n, func(i, k int, w T) {
		dx[(i/d.inner*d.n+k)*d.inner+i%d.inner] = -dloss[i] * w
	})
}
