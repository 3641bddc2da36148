package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// GlobalLpPool is the p-norm of X [N,C,i…] over space: Y [N,C,1…]. The gradient of zeros is 0.
//
// Source: https://onnx.ai/onnx/operators/onnx__GlobalLpPool.html
var GlobalLpPool = new(graph.Spec)

var globalLpPool1 = new(graph.Spec)

type globalLpPoolAttrs struct {
	P int `onnx:"p,default=2"`
}

type globalLpPool1Attrs struct {
	P float32 `onnx:"p,default=2"`
}

func init() {
	const doc = "https://onnx.ai/onnx/operators/onnx__GlobalLpPool.html"
	in, out := []graph.Formal{{Name: "X", Types: floats}}, []graph.Formal{{Name: "Y"}}
	define(GlobalLpPool, graph.Def[globalLpPoolAttrs]{
		Name: "GlobalLpPool", Role: graph.Pool, Since: []int{2, 22}, Doc: doc, In: in, Out: out,
		Check: func(a *globalLpPoolAttrs, _ *graph.Node) error { return checkNorm(float64(a.P)) },
		Infer: func(_ *globalLpPoolAttrs, c *graph.InferCtx) error { return inferGlobalPool(c) },
		Run:   func(a *globalLpPoolAttrs, c *graph.RunCtx) error { return runGlobalLpPool(c, float64(a.P)) },
		Lower: func(a *globalLpPoolAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{globalLpNorm(b, n.In[0], float64(a.P))}, nil
		},
	})
	define(globalLpPool1, graph.Def[globalLpPool1Attrs]{
		Name: "GlobalLpPool", Role: graph.Pool, Since: []int{1}, Doc: doc, In: in, Out: out,
		Check: func(a *globalLpPool1Attrs, _ *graph.Node) error { return checkNorm(float64(a.P)) },
		Infer: func(_ *globalLpPool1Attrs, c *graph.InferCtx) error { return inferGlobalPool(c) },
		Run:   func(a *globalLpPool1Attrs, c *graph.RunCtx) error { return runGlobalLpPool(c, float64(a.P)) },
		Lower: func(a *globalLpPool1Attrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{globalLpNorm(b, n.In[0], float64(a.P))}, nil
		},
	})
}

// globalLpNorm sums over the axes from 2 to the rank.
func globalLpNorm(b *graph.Builder, x graph.Value, p float64) graph.Value {
	count := func(n int64) graph.Value { return b.Const(tensor.Scalar(n)) }
	space := b.Add(Range, nil, count(2), b.Add(Size, nil, b.Add(Shape, nil, x)), count(1))
	return lpNorm(b, x, p, func(v graph.Value) graph.Value {
		return b.Add(ReduceSum, &reduceAttrs{KeepDims: true, NoopEmpty: true}, v, space)
	})
}

func runGlobalLpPool(c *graph.RunCtx, p float64) error {
	if c.In[0].DType() == tensor.Float64 {
		globalLpPool[float64](c, p)
	} else {
		globalLpPool[float32](c, p)
	}
	return nil
}

func globalLpPool[T real](c *graph.RunCtx, p float64) {
	x, y := tensor.Data[T](c.In[0]), tensor.Data[T](c.Out[0])
	k := len(x) / max(len(y), 1)
	c.Pool.For(len(y), max(1, 1<<12/max(k, 1)), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			sum := 0.0
			for _, v := range x[i*k : (i+1)*k] {
				switch w := math.Abs(float64(v)); p {
				case 1:
					sum += w
				case 2:
					sum += w * w
				default:
					sum += math.Pow(w, p)
				}
			}
			y[i] = T(math.Pow(sum, 1/p))
		}
	})
}
