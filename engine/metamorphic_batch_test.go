package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/tensor"
)

// row is example i of x, a batch of one.
func row(x *tensor.Tensor, i int) *tensor.Tensor {
	size := len(x.Bytes()) / x.Dim(0)
	y, err := tensor.FromBytes(x.DType(), append(tensor.Shape{1}, x.Shape()[1:]...), slices.Clone(x.Bytes()[i*size:(i+1)*size]))
	if err != nil {
		panic(err)
	}
	return y
}

// batchOf joins rows, which are batches of one.
func batchOf(rows []*tensor.Tensor) *tensor.Tensor {
	var all []byte
	for _, r := range rows {
		all = append(all, r.Bytes()...)
	}
	y, err := tensor.FromBytes(rows[0].DType(), append(tensor.Shape{len(rows)}, rows[0].Shape()[1:]...), all)
	if err != nil {
		panic(err)
	}
	return y
}

// rolled is x with its bytes moved round by i elements of its last axis: another example of the same kind.
func rolled(x *tensor.Tensor, i int) *tensor.Tensor {
	y := x.Clone()
	if x.Rank() < 2 || x.Len() == 0 {
		return y
	}
	wide := x.Dim(x.Rank()-1) * x.DType().Size(1)
	for at := 0; at < len(y.Bytes()); at += wide {
		line := y.Bytes()[at : at+wide]
		k := i % x.Dim(x.Rank()-1) * x.DType().Size(1)
		copy(line, append(slices.Clone(line[k:]), line[:k]...))
	}
	return y
}

// together are the models in which examples meet.
var together = map[string]string{
	"modern/clip/model.onnx": "the model compares each text with each picture of the batch",
	"modern/cond/model.onnx": "the branch that is taken depends on the whole batch",
}

// shaky are the models whose results for an example alone are others than in a batch.
var shaky = map[string]string{
	"models/magika_standard_v3_3.onnx": "its variance is a difference of sums that are nearly equal, and a batch of one adds in another order",
}

// places checks that each example has its own results wherever it stands in a batch, and alone; that the gradient of a sum over the batch
// does not depend on the order; and that squared gradient norms move with the examples.
func (m metaModel) places(t *testing.T, em *engine.Model) {
	const n = 4
	if why := together[m.name]; why != "" {
		t.Skip(why)
	}
	if em.Batch() != 0 {
		t.Skipf("the model takes batches of %d only", em.Batch())
	}
	feeds, err := madeUp(em, m.path, 0)
	if err != nil {
		t.Fatal(err)
	}
	examples := map[string][]*tensor.Tensor{} // of the inputs that have the batch as their first axis
	batch := em.Inputs()[0].Dims
	for i, in := range em.Inputs() {
		for k, d := range in.Dims {
			if k > 0 && len(batch) > 0 && d.Symbol != "" && d.Symbol == batch[0].Symbol {
				t.Skipf("input %q has the batch as axis %d", in.Name, k)
			}
		}
		if len(em.Sizes(n)[i]) == 0 || em.Sizes(n)[i][0] == em.Sizes(n + 1)[i][0] {
			continue
		}
		for e := range n {
			x := feeds[in.Name]
			examples[in.Name] = append(examples[in.Name], rolled(row(x, e%x.Dim(0)), e))
		}
	}
	if len(examples) == 0 {
		t.Skip("no input has a batch as its first axis")
	}
	fed := func(order ...int) map[string]*tensor.Tensor {
		f := map[string]*tensor.Tensor{}
		for name, x := range feeds {
			f[name] = x
		}
		for name, xs := range examples {
			var rows []*tensor.Tensor
			for _, e := range order {
				rows = append(rows, xs[e])
			}
			f[name] = batchOf(rows)
		}
		return f
	}
	// per tells which results belong to single examples.
	check := func(what string, q engine.Query, tol float64, per func(key string) bool) {
		s, err := em.Session(q)
		if err != nil {
			t.Logf("no %s: %v", what, err)
			return
		}
		compare := func(got, want results, order ...int) error {
			placed := results{}
			for key, w := range want {
				if per(key) {
					if w.Rank() == 0 || w.Dim(0) != n {
						return fmt.Errorf("%s of %d examples has shape %v", key, n, w.Shape())
					}
					var rows []*tensor.Tensor
					for _, e := range order {
						rows = append(rows, row(w, e))
					}
					placed[key] = batchOf(rows)
				} else if len(order) == n {
					placed[key] = w
				}
			}
			return got.same(placed, tol)
		}
		if _, err := s.Run(t.Context(), fed(0, 1, 2, 3)); err != nil {
			t.Logf("no %s: %v", what, err)
			return
		}
		want := run(t, s, fed(0, 1, 2, 3))
		orders := [][]int{{2, 0, 3, 1}, {3, 2, 1, 0}}
		for e := range n {
			if shaky[m.name] == "" {
				orders = append(orders, []int{e})
			}
		}
		for _, order := range orders {
			if err := compare(run(t, s, fed(order...)), want, order...); err != nil {
				t.Errorf("%s, examples %v: %v", what, order, err)
			}
		}
	}
	check("outputs", engine.Query{}, 2e-5, func(string) bool { return true })
	if names := trainable(em); len(names) > 0 {
		check("gradients", engine.Query{Loss: sums(em), Grad: names}, 1e-3, func(string) bool { return false })
		check("norms", engine.Query{Loss: sums(em), PerExample: names}, 2e-3, func(key string) bool { return strings.HasPrefix(key, "n") })
	}
}
