package naive

import (
	"math"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// single computes an operator of the first inputs' type.
func single(t *testing.T, op string, attrs graph.Attrs, outs int, in ...*tensor.Tensor) ([]*tensor.Tensor, error) {
	t.Helper()
	g := graph.New("")
	b := graph.NewBuilder(g)
	spec := specOf("", op)
	a, err := spec.DecodeAttrs(attrs)
	if err != nil {
		t.Fatal(err)
	}
	feeds := map[string]*tensor.Tensor{}
	var vs []graph.Value
	for _, x := range in {
		if x == nil {
			vs = append(vs, 0)
			continue
		}
		v := g.AddInput("in", x.DType(), nil)
		vs, feeds[g.Info(v).Name] = append(vs, v), x
	}
	n := b.AddNode("the node", spec, a, vs, []bool{true, true, true}[:outs])
	if n == nil {
		t.Fatal(b.Err())
	}
	m, err := Fetch(g, feeds, n.Out)
	if err != nil {
		return nil, err
	}
	var out []*tensor.Tensor
	for _, v := range n.Out {
		out = append(out, m[g.Info(v).Name])
	}
	return out, nil
}

// TestByHand compares the oracle with what its operators give by hand, since without ONNX's own cases nothing else judges it.
func TestByHand(t *testing.T) {
	f := func(shape []int, v ...float64) *tensor.Tensor { return tensor.From(v, shape...) }
	i := func(v ...int64) *tensor.Tensor { return tensor.From(v, len(v)) }
	e := math.Exp
	for _, c := range []struct {
		op    string
		attrs graph.Attrs
		in    []*tensor.Tensor
		want  *tensor.Tensor
	}{
		{"Add", nil, []*tensor.Tensor{f([]int{2, 1}, 1, 2), f([]int{3}, 10, 20, 30)}, f([]int{2, 3}, 11, 21, 31, 12, 22, 32)},
		{"Relu", nil, []*tensor.Tensor{f([]int{3}, -1, 0, 2)}, f([]int{3}, 0, 0, 2)},
		{"MatMul", nil, []*tensor.Tensor{f([]int{2, 1, 2}, 1, 2, 3, 4), f([]int{2, 2}, 1, 0, 1, 1)}, f([]int{2, 1, 2}, 3, 2, 7, 4)},
		{"Gemm", graph.Attrs{"transB": int64(1), "alpha": float32(2), "beta": float32(0.5)},
			[]*tensor.Tensor{f([]int{1, 2}, 1, 2), f([]int{2, 2}, 1, 0, 1, 1), f([]int{2}, 4, 8)}, f([]int{1, 2}, 4, 10)},
		{"Softmax", nil, []*tensor.Tensor{f([]int{1, 2}, 0, 1)}, f([]int{1, 2}, 1/(1+e(1)), e(1)/(1+e(1)))},
		{"ReduceMean", graph.Attrs{"keepdims": int64(0)}, []*tensor.Tensor{f([]int{2, 2}, 1, 2, 3, 6), i(1)}, f([]int{2}, 1.5, 4.5)},
		{"Conv", graph.Attrs{"pads": []int64{1, 0, 0, 0}}, []*tensor.Tensor{f([]int{1, 1, 2, 3}, 1, 2, 3, 4, 5, 6), f([]int{1, 1, 2, 2}, 1, 10,
			100, 1000), f([]int{1}, 0.5)},
			f([]int{1, 1, 2, 2}, 2100.5, 3200.5, 5421.5, 6532.5)},
		{"MaxPool", graph.Attrs{"kernel_shape": []int64{2}, "strides": []int64{2}}, []*tensor.Tensor{f([]int{1, 1, 4}, 1, 3, -2, -5)},
			f([]int{1, 1, 2}, 3, -2)},
		{"AveragePool", graph.Attrs{"kernel_shape": []int64{2}, "pads": []int64{1, 0}}, []*tensor.Tensor{f([]int{1, 1, 2}, 4, 8)}, f([]int{1, 1,
			2}, 4, 6)},
		{"BatchNormalization", graph.Attrs{"epsilon": float32(0)},
			[]*tensor.Tensor{f([]int{1, 2}, 5, 6), f([]int{2}, 2, 3), f([]int{2}, 1, 1), f([]int{2}, 3, 2), f([]int{2}, 4, 16)}, f([]int{1, 2}, 3,
				4)},
		{"LayerNormalization", graph.Attrs{"epsilon": float32(0)}, []*tensor.Tensor{f([]int{1, 2}, 1, 3), f([]int{2}, 2, 2), f([]int{2}, 0, 5)},
			f([]int{1, 2}, -2, 7)},
		{"Transpose", nil, []*tensor.Tensor{f([]int{2, 3}, 1, 2, 3, 4, 5, 6)}, f([]int{3, 2}, 1, 4, 2, 5, 3, 6)},
		{"Concat", graph.Attrs{"axis": int64(1)}, []*tensor.Tensor{f([]int{2, 1}, 1, 2), f([]int{2, 2}, 3, 4, 5, 6)}, f([]int{2, 3}, 1, 3, 4, 2,
			5, 6)},
		{"Slice", nil, []*tensor.Tensor{f([]int{4}, 1, 2, 3, 4), i(-1), i(-9), i(0), i(-2)}, f([]int{2}, 4, 2)},
		{"Gather", graph.Attrs{"axis": int64(0)}, []*tensor.Tensor{f([]int{3, 1}, 1, 2, 3), i(2, -3)}, f([]int{2, 1}, 3, 1)},
		{"Reshape", nil, []*tensor.Tensor{f([]int{2, 2}, 1, 2, 3, 4), i(0, 1, -1)}, f([]int{2, 1, 2}, 1, 2, 3, 4)},
	} {
		out, err := single(t, c.op, c.attrs, 1, c.in...)
		if err != nil {
			t.Errorf("%s: %v", c.op, err)
			continue
		}
		if ok, rep := tensor.AllClose(out[0], c.want, 1e-12, 1e-12); !ok {
			t.Errorf("%s: %v, want %v: %v", c.op, tensor.Format(out[0]), tensor.Format(c.want), rep)
		}
	}
}

// TestErrors gives the oracle what it cannot compute: the error names the node, and is no panic.
func TestErrors(t *testing.T) {
	f := func(shape ...int) *tensor.Tensor { return tensor.New(tensor.Float32, shape...) }
	for _, c := range []struct {
		op   string
		in   []*tensor.Tensor
		want string
	}{
		{"Add", []*tensor.Tensor{f(2), f(3)}, "do not broadcast"},
		{"NoSuchThing", []*tensor.Tensor{f(2)}, "the oracle has no operator NoSuchThing"},
		{"Conv", []*tensor.Tensor{f(2)}, ""},
	} {
		_, err := single(t, c.op, nil, 1, c.in...)
		if err == nil || !strings.Contains(err.Error(), `node "the node" (`+c.op+`)`) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.op, err, c.want)
		}
	}
	g := graph.New("")
	g.Outputs = []graph.Value{g.AddInput("x", tensor.Float32, nil)}
	if _, err := Run(g, nil); err == nil || !strings.Contains(err.Error(), `input "x" is missing`) {
		t.Errorf("a missing input: %v", err)
	}
}
