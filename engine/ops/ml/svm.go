package ml

import (
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// svmKernel is how alike two rows are, with the parameters gamma, coef0 and degree.
type svmKernel struct {
	name                 string
	gamma, coef0, degree float64
}

var svmKernels = []string{"LINEAR", "POLY", "RBF", "SIGMOID"}

func kernelOf(name string, params []float32) (svmKernel, error) {
	k := svmKernel{name: name, degree: 3}
	switch {
	case !slices.Contains(svmKernels, name):
		return k, fmt.Errorf("attribute kernel_type is %q, want one of %v", name, svmKernels)
	case len(params) == 3:
		k.gamma, k.coef0, k.degree = float64(params[0]), float64(params[1]), float64(params[2])
	case len(params) != 0 || name != "LINEAR":
		return k, fmt.Errorf("attribute kernel_params has %d elements, want gamma, coef0 and degree", len(params))
	}
	return k, nil
}

// of is the kernel of rows x and y.
func (k svmKernel) of(x, y []float64) float64 {
	sum := 0.0
	if k.name == "RBF" {
		for i, v := range x {
			d := v - y[i]
			sum += d * d
		}
		return math.Exp(-k.gamma * sum)
	}
	for i, v := range x {
		sum += v * y[i]
	}
	switch k.name {
	case "POLY":
		return math.Pow(k.gamma*sum+k.coef0, k.degree)
	case "SIGMOID":
		return math.Tanh(k.gamma*sum + k.coef0)
	}
	return sum
}

// svm has count vectors of n features each: support vectors, or weights where the model is linear.
type svm struct {
	kernel  svmKernel
	vectors []float64
	count   int
	n       int
}

func svmOf(kernel string, params, vectors []float32, count int) (*svm, error) {
	k, err := kernelOf(kernel, params)
	if err != nil {
		return nil, err
	}
	if count < 1 || len(vectors) == 0 || len(vectors)%count != 0 {
		return nil, fmt.Errorf("%d elements for %d vectors: want as many for each", len(vectors), count)
	}
	return &svm{k, widened(vectors), count, len(vectors) / count}, nil
}

// rows is the number of rows of the input, which must have the model's columns.
func (m *svm) rows(c *graph.InferCtx) (int, error) {
	rows, columns, err := table(c.Shape(0))
	if err == nil && columns != m.n {
		err = fmt.Errorf("the input has %d columns, the model is for %d", columns, m.n)
	}
	return rows, err
}

// run hands done the kernels of every row with all vectors.
func (m *svm) run(c *graph.RunCtx, done func(row int, k []float64)) error {
	x, err := numbersOf[float64](c.In[0])
	if err != nil {
		return err
	}
	c.Pool.For(len(x)/m.n, max(1, 1<<13/len(m.vectors)), func(lo, hi int) {
		k := make([]float64, m.count)
		for r := lo; r < hi && (c.Context == nil || c.Context.Err() == nil); r++ {
			for i := range k {
				k[i] = m.kernel.of(x[r*m.n:(r+1)*m.n], m.vectors[i*m.n:(i+1)*m.n])
			}
			done(r, k)
		}
	})
	if c.Context != nil {
		return c.Context.Err()
	}
	return nil
}

// oneColumn is the shape rule of a regressor with one target: [N,1].
func oneColumn(c *graph.InferCtx, m *svm) error {
	rows, err := m.rows(c)
	c.Out(0, rows, 1)
	return err
}
