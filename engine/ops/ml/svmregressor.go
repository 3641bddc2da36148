package ml

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// SVMRegressor is Y[i] = Σ coefficients[j]·kernel(X[i], support vector j) + rho for X [N,C]: Y [N,1]; without support vectors
// (n_supports=0), the linear model of the coefficients. With one_class, Y is 1 where that is above 0, else -1.
//
// Source: https://onnx.ai/onnx/operators/onnx_aionnxml_SVMRegressor.html. As defined, and other than in ONNX Runtime, post_transform
// counts.
var SVMRegressor = new(graph.Spec)

type svmRegressorAttrs struct {
	Coefficients   []float32 `onnx:"coefficients"`
	KernelParams   []float32 `onnx:"kernel_params"`
	KernelType     string    `onnx:"kernel_type,default=LINEAR"`
	Supports       int       `onnx:"n_supports,default=0"`
	OneClass       bool      `onnx:"one_class,default=0"`
	PostTransform  string    `onnx:"post_transform,default=NONE"`
	Rho            []float32 `onnx:"rho"`
	SupportVectors []float32 `onnx:"support_vectors"`

	built lazy[*svmRegressor]
}

type svmRegressor struct {
	*svm
	weights []float64 // of the kernels
	rho     float64
	post    transform
}

func (a *svmRegressorAttrs) model() (*svmRegressor, error) {
	return a.built.get(func() (*svmRegressor, error) {
		post, err := transformOf(a.PostTransform)
		if err != nil {
			return nil, err
		}
		m := &svmRegressor{post: post, weights: []float64{1}}
		switch len(a.Rho) {
		case 0:
		case 1:
			m.rho = float64(a.Rho[0])
		default:
			return nil, fmt.Errorf("attribute rho has %d elements, want one", len(a.Rho))
		}
		if a.Supports == 0 {
			if m.svm, err = svmOf("LINEAR", nil, a.Coefficients, 1); err != nil {
				return nil, fmt.Errorf("attribute coefficients: %w", err)
			}
			return m, nil
		}
		m.weights = widened(a.Coefficients)
		if len(m.weights) != a.Supports {
			return nil, fmt.Errorf("attribute coefficients has %d elements, n_supports is %d", len(m.weights), a.Supports)
		}
		if m.svm, err = svmOf(a.KernelType, a.KernelParams, a.SupportVectors, a.Supports); err != nil {
			return nil, fmt.Errorf("attribute support_vectors: %w", err)
		}
		return m, nil
	})
}

func init() {
	define(SVMRegressor, graph.Def[svmRegressorAttrs]{
		Name: "SVMRegressor", Since: []int{1},
		In: []graph.Formal{{Name: "X", Types: numbers}}, Out: []graph.Formal{{Name: "Y"}},
		Types: outType[svmRegressorAttrs](tensor.Float32),
		Check: func(a *svmRegressorAttrs, _ *graph.Node) error {
			_, err := a.model()
			return err
		},
		Infer: func(a *svmRegressorAttrs, c *graph.InferCtx) error {
			m, err := a.model()
			if err != nil {
				return err
			}
			return oneColumn(c, m.svm)
		},
		Run: func(a *svmRegressorAttrs, c *graph.RunCtx) error {
			m, err := a.model()
			if err != nil {
				return err
			}
			y := c.Out[0].F32()
			return m.run(c, func(row int, k []float64) {
				sum := 0.0
				for j, w := range m.weights {
					sum += w * k[j]
				}
				sum += m.rho
				switch {
				case a.OneClass && sum > 0:
					sum = 1
				case a.OneClass:
					sum = -1
				}
				s := []float32{float32(sum)}
				m.post.apply(s)
				y[row] = s[0]
			})
		},
		Lower: lowerSVMRegressor,
	})
}

func lowerSVMRegressor(a *svmRegressorAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	m, err := a.model()
	if err != nil {
		return nil, err
	}
	if a.OneClass {
		return nil, fmt.Errorf("the decision of one class is constant on both sides: %w", graph.ErrNoGradient)
	}
	x, d := floating(b, n.In[0])
	x = asTable(b, x, m.n)
	vectors := make([]float32, len(m.vectors)) // [C,V]
	square := make([]float32, m.count)
	for i, v := range m.vectors {
		vectors[i%m.n*m.count+i/m.n] = float32(v)
		square[i/m.n] += float32(v * v)
	}
	number := func(v float64) graph.Value { return b.Scalar(d, v) }
	k := b.Add(ops.MatMul, nil, x, constant(b, d, vectors, m.n, m.count))
	affine := func() graph.Value {
		return b.Add(ops.Add, nil, b.Add(ops.Mul, nil, k, number(m.kernel.gamma)), number(m.kernel.coef0))
	}
	switch m.kernel.name {
	case "RBF":
		own := with(b, ops.ReduceSum, graph.Attrs{"keepdims": int64(1)}, b.Add(ops.Mul, nil, x, x), b.Ints(-1))
		dist := b.Add(ops.Add, nil, b.Add(ops.Sub, nil, own, b.Add(ops.Mul, nil, k, number(2))), constant(b, d, square, m.count))
		k = b.Add(ops.Exp, nil, b.Add(ops.Mul, nil, dist, number(-m.kernel.gamma)))
	case "POLY":
		k = b.Add(ops.Pow, nil, affine(), number(m.kernel.degree))
	case "SIGMOID":
		k = b.Add(ops.Tanh, nil, affine())
	}
	y := b.Add(ops.MatMul, nil, k, constant(b, d, narrowed(m.weights), m.count, 1))
	y = m.post.lower(b, b.Add(ops.Add, nil, y, number(m.rho)))
	return []graph.Value{cast(b, y, tensor.Float32)}, nil
}
