package ops

import (
	"math"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// evaluate computes op once.
func evaluate(t *testing.T, op *graph.Spec, attrs any, outs int, in ...*tensor.Tensor) ([]*tensor.Tensor, error) {
	t.Helper()
	g := graph.New("")
	vs := make([]graph.Value, len(in))
	for i, x := range in {
		if x != nil {
			vs[i] = g.AddConst("c", x)
		}
	}
	b := graph.NewBuilder(g)
	want := make([]bool, outs)
	for i := range want {
		want[i] = true
	}
	n := b.AddNode("n", op, attrs, vs, want)
	if n == nil {
		return nil, b.Err()
	}
	return graph.Evaluate(g, n, in)
}

// The per-example gradient of an embedding adds up the positions with the same entry before it is squared.
func TestGatherPerExample(t *testing.T) {
	// Two examples of three positions; the first uses entry 1 twice.
	idx := tensor.From([]int64{1, 3, 1, 0, -1, 2}, 2, 3)
	dy := tensor.From([]float64{1, 2, 3, 4, 5, 6, 1, 0, 0, 2, 3, 0}, 2, 3, 2)
	table := tensor.New(tensor.Float64, 4, 2)
	out, err := evaluate(t, GatherPerExample, nil, 1, dy, idx, table)
	if err != nil {
		t.Fatal(err)
	}
	want := tensor.From([]float64{0, 0, 6, 8, 0, 0, 3, 4, 1, 0, 0, 0, 3, 0, 0, 2}, 2, 4, 2)
	if !tensor.Equal(out[0], want) {
		t.Errorf("gradient %v, want %v", tensor.Format(out[0]), tensor.Format(want))
	}
	out, err = evaluate(t, GatherPerExampleNorm2, nil, 1, dy, idx, table)
	if err != nil {
		t.Fatal(err)
	}
	if got := tensor.Data[float64](out[0]); math.Abs(got[0]-125) > 1e-12 || math.Abs(got[1]-14) > 1e-12 {
		t.Errorf("norms %v, want [125 14]", got)
	}
}

// What is the same for every example does not depend on the content of an input.
func TestFromInput(t *testing.T) {
	g := graph.New("")
	tokens := g.AddInput("tokens", tensor.Int64, nil)
	b := graph.NewBuilder(g)
	positions := b.Add(Reshape, nil, b.Add(Shape, nil, tokens), b.Ints(1, -1))
	for _, c := range []struct {
		indices graph.Value
		ok      bool
	}{{tokens, true}, {b.Add(Identity, nil, tokens), true}, {positions, false}, {b.Ints(1, 2), false}} {
		if FromInput(g, c.indices) != c.ok {
			t.Errorf("indices %q: from an input: %v", g.Info(c.indices).Name, !c.ok)
		}
	}
}

func TestIndexErrors(t *testing.T) {
	x := tensor.New(tensor.Float32, 3, 2)
	for _, c := range []struct {
		op  *graph.Spec
		in  []*tensor.Tensor
		say string
	}{
		{Gather, []*tensor.Tensor{x, tensor.From([]int64{3}, 1)}, "index 3"},
		{Gather, []*tensor.Tensor{x, tensor.From([]int32{-4}, 1)}, "index -4"},
		{GatherElements, []*tensor.Tensor{x, tensor.From([]int64{0, 5}, 1, 2)}, "index 5"},
		{GatherElements, []*tensor.Tensor{x, tensor.From([]int64{0, 0, 0}, 1, 3)}, "do not address"},
		{GatherND, []*tensor.Tensor{x, tensor.From([]int64{1, 2}, 1, 2)}, "index [1 2]"},
		{GatherND, []*tensor.Tensor{x, tensor.From([]int64{1, 0, 0}, 1, 3)}, "do not address"},
		{ScatterND, []*tensor.Tensor{x, tensor.From([]int64{3}, 1, 1), tensor.New(tensor.Float32, 1, 2)}, "index [3]"},
		{ScatterND, []*tensor.Tensor{x, tensor.From([]int64{0}, 1, 1), tensor.New(tensor.Float32, 1, 1)}, "updates"},
		{Tile, []*tensor.Tensor{x, tensor.From([]int64{1}, 1)}, "repeats"},
		{Tile, []*tensor.Tensor{x, tensor.From([]int64{1, -1}, 2)}, "cannot be repeated"},
		{Tile, []*tensor.Tensor{x, tensor.From([]int64{1 << 62, 1 << 62}, 2)}, "cannot be repeated"},
		{Expand, []*tensor.Tensor{x, tensor.From([]int64{-1, 2}, 2)}, "broadcast"},
		{ConstantOfShape, []*tensor.Tensor{tensor.From([]int64{1 << 40, 1 << 40}, 2)}, "impossible"},
		{Pad, []*tensor.Tensor{x, tensor.From([]int64{0, 0, 0}, 3)}, "3 pads"},
		{Pad, []*tensor.Tensor{x, tensor.From([]int64{-2, 0, -2, 0}, 4)}, "cut more"},
		{Range, []*tensor.Tensor{tensor.Scalar(int64(0)), tensor.Scalar(int64(math.MaxInt64)), tensor.Scalar(int64(1))}, "too many"},
		{Range, []*tensor.Tensor{tensor.Scalar(int64(0)), tensor.Scalar(int64(1)), tensor.Scalar(int64(0))}, "delta is 0"},
		{Range, []*tensor.Tensor{tensor.Scalar(float32(0)), tensor.Scalar(float32(1)), tensor.Scalar(float32(0))}, "no range"},
		{Resize, []*tensor.Tensor{x, nil, tensor.From([]float32{1, -2}, 2)}, "scale -2"},
		{Resize, []*tensor.Tensor{x}, "exactly one"},
	} {
		_, err := evaluate(t, c.op, nil, 1, c.in...)
		if err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: error %v, want one with %q", c.op.Name, err, c.say)
		}
	}
}

// Shape arithmetic and movement of nothing and of scalars.
func TestEmpty(t *testing.T) {
	none := tensor.New(tensor.Float32, 0, 3)
	i64 := func(x ...int64) *tensor.Tensor { return tensor.From(x, len(x)) }
	for _, c := range []struct {
		op   *graph.Spec
		in   []*tensor.Tensor
		want tensor.Shape
	}{
		{Transpose, []*tensor.Tensor{none}, tensor.Shape{3, 0}},
		{Transpose, []*tensor.Tensor{tensor.Scalar(float32(1))}, tensor.Shape{}},
		{Gather, []*tensor.Tensor{none, i64()}, tensor.Shape{0, 3}},
		{Gather, []*tensor.Tensor{i64(5, 6), tensor.Scalar(int64(1))}, tensor.Shape{}},
		{Tile, []*tensor.Tensor{none, i64(2, 2)}, tensor.Shape{0, 6}},
		{Tile, []*tensor.Tensor{tensor.New(tensor.Int64, 2, 3), i64(0, 2)}, tensor.Shape{0, 6}},
		{Expand, []*tensor.Tensor{tensor.Scalar(float32(1)), i64()}, tensor.Shape{}},
		{Expand, []*tensor.Tensor{tensor.Scalar(float32(1)), i64(2, 0)}, tensor.Shape{2, 0}},
		{Pad, []*tensor.Tensor{none, i64(1, 0, 1, 0)}, tensor.Shape{2, 3}},
		{ConstantOfShape, []*tensor.Tensor{i64()}, tensor.Shape{}},
		{Range, []*tensor.Tensor{tensor.Scalar(int64(3)), tensor.Scalar(int64(3)), tensor.Scalar(int64(1))}, tensor.Shape{0}},
		{Range, []*tensor.Tensor{tensor.Scalar(int64(math.MaxInt64)), tensor.Scalar(int64(math.MaxInt64 - 3)), tensor.Scalar(int64(-2))},
			tensor.Shape{2}},
		{NonZero, []*tensor.Tensor{none}, tensor.Shape{2, 0}},
		{NonZero, []*tensor.Tensor{tensor.Scalar(true)}, tensor.Shape{0, 1}},
		{Trilu, []*tensor.Tensor{tensor.New(tensor.Float32, 2, 0, 3)}, tensor.Shape{2, 0, 3}},
		{Slice, []*tensor.Tensor{none, i64(0), i64(5)}, tensor.Shape{0, 3}},
		{ScatterND, []*tensor.Tensor{none, tensor.New(tensor.Int64, 0, 1), none}, tensor.Shape{0, 3}},
	} {
		out, err := evaluate(t, c.op, nil, 1, c.in...)
		if err != nil {
			t.Errorf("%s: %v", c.op.Name, err)
		} else if !out[0].Shape().Equal(c.want) {
			t.Errorf("%s: shape %v, want %v", c.op.Name, out[0].Shape(), c.want)
		}
	}
}

// Moving is for every type.
func TestMoveEveryType(t *testing.T) {
	for d := tensor.Float32; d.Valid(); d++ {
		if d == tensor.Float8E8M0 {
			continue // has no zero
		}
		x := counting(t, d, 2, 3)
		check := func(op *graph.Spec, want []int, in ...*tensor.Tensor) {
			t.Helper()
			out, err := evaluate(t, op, nil, 1, append([]*tensor.Tensor{x}, in...)...)
			if err != nil {
				t.Errorf("%s of %v: %v", op.Name, d, err)
				return
			}
			for i, j := range want {
				if got := element(out[0], i); got != element(x, j) {
					t.Errorf("%s of %v: element %d is %s, want %s", op.Name, d, i, got, element(x, j))
				}
			}
		}
		check(Transpose, []int{0, 3, 1, 4, 2, 5})
		check(Slice, []int{2, 1, 5, 4}, tensor.From([]int64{2}, 1), tensor.From([]int64{0}, 1), tensor.From([]int64{1}, 1),
			tensor.From([]int64{-1}, 1))
		check(Gather, []int{3, 4, 5, 0, 1, 2}, tensor.From([]int64{1, 0}, 2))
		check(GatherElements, []int{3, 1, 5}, tensor.From([]int64{1, 0, 1}, 1, 3))
		check(Tile, []int{0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5}, tensor.From([]int64{1, 2}, 2))
		check(ScatterND, []int{3, 4, 5, 3, 4, 5}, tensor.From([]int64{0}, 1, 1), rowOf(t, x, 1))
		out, err := evaluate(t, Pad, &padAttrs{Mode: "reflect"}, 1, x, tensor.From([]int64{0, 1, 0, 0}, 4))
		if err != nil {
			t.Errorf("Pad of %v: %v", d, err)
			continue
		}
		for i, j := range []int{1, 0, 1, 2, 4, 3, 4, 5} {
			if element(out[0], i) != element(x, j) {
				t.Errorf("Pad of %v: element %d is %s, want %s", d, i, element(out[0], i), element(x, j))
			}
		}
	}
}

// rowOf is row i of x as [1,…].
func rowOf(t *testing.T, x *tensor.Tensor, i int) *tensor.Tensor {
	t.Helper()
	out, err := evaluate(t, Gather, nil, 1, x, tensor.From([]int64{int64(i)}, 1))
	if err != nil {
		t.Fatal(err)
	}
	return out[0]
}
