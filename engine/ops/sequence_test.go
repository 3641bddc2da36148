package ops_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/engine/rewrite"
	"github.com/gtk-onnx/gtk/tensor"
)

// twin is a function of two tensors x, y [3,4] by way of containers, and the same without.
type twin struct {
	name  string
	boxed func(b *graph.Builder, x, y graph.Value) graph.Value
	plain func(b *graph.Builder, x, y graph.Value) graph.Value
}

func attrs(t *testing.T, op *graph.Spec, a graph.Attrs) any {
	t.Helper()
	x, err := op.DecodeAttrs(a)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func at(b *graph.Builder, i int) graph.Value { return b.Const(tensor.Scalar(int64(i))) }

// mapped is a SequenceMap over s that multiplies each element by k, of the graph around it, and by z, the same for all.
func mapped(b *graph.Builder, s, z, k graph.Value) graph.Value {
	g := graph.New("body")
	e, f, c := g.AddInput("e", b.DType(k), nil), g.AddInput("f", b.DType(k), nil), g.AddInput("c", b.DType(k), nil)
	in := graph.NewBuilder(g)
	g.Outputs = []graph.Value{in.Add(ops.Mul, nil, in.Add(ops.Mul, nil, e, f), in.Add(ops.Tanh, nil, c))}
	n := b.AddControl("", ops.SequenceMap, nil, []graph.Value{s, z}, []bool{true}, []*graph.Body{{Attr: "body", G: g, Formals: 2}},
		[]graph.Value{k})
	if n == nil {
		return 0
	}
	return n.Out[0]
}

func twins(t *testing.T) []twin {
	join := attrs(t, ops.ConcatFromSequence, graph.Attrs{"axis": int64(0)})
	pile := attrs(t, ops.ConcatFromSequence, graph.Attrs{"axis": int64(-1), "new_axis": int64(1)})
	columns := attrs(t, ops.SplitToSequence, graph.Attrs{"axis": int64(1), "keepdims": int64(0)})
	rows := attrs(t, ops.SplitToSequence, graph.Attrs{"axis": int64(0)})
	concat := attrs(t, ops.Concat, graph.Attrs{"axis": int64(0)})
	square := func(b *graph.Builder, x graph.Value) graph.Value { return b.Add(ops.Mul, nil, x, x) }
	pair := func(b *graph.Builder, x, y graph.Value) graph.Value { return b.Add(ops.SequenceConstruct, nil, x, y) }
	return []twin{
		{"construct and concat", func(b *graph.Builder, x, y graph.Value) graph.Value {
			return square(b, b.Add(ops.ConcatFromSequence, join, pair(b, x, square(b, y))))
		}, func(b *graph.Builder, x, y graph.Value) graph.Value {
			return square(b, b.Add(ops.Concat, concat, x, square(b, y)))
		}},
		{"at, from both ends", func(b *graph.Builder, x, y graph.Value) graph.Value {
			s := pair(b, square(b, x), y)
			return b.Add(ops.Mul, nil, b.Add(ops.SequenceAt, nil, s, at(b, 0)), square(b, b.Add(ops.SequenceAt, nil, s, at(b, -1))))
		}, func(b *graph.Builder, x, y graph.Value) graph.Value {
			return b.Add(ops.Mul, nil, square(b, x), square(b, y))
		}},
		{"insert and erase", func(b *graph.Builder, x, y graph.Value) graph.Value {
			s := b.Add(ops.SequenceInsert, nil, pair(b, x, y), square(b, x), at(b, -1)) // x, x², y
			s = b.Add(ops.SequenceInsert, nil, s, square(b, y))                         // x, x², y, y²
			s = b.Add(ops.SequenceErase, nil, s, at(b, -2))                             // x, x², y²
			s = b.Add(ops.SequenceInsert, nil, s, y, at(b, 0))                          // y, x, x², y²
			s = b.Add(ops.SequenceErase, nil, s)                                        // y, x, x²
			return square(b, b.Add(ops.ConcatFromSequence, join, s))
		}, func(b *graph.Builder, x, y graph.Value) graph.Value {
			return square(b, b.Add(ops.Concat, concat, y, x, square(b, x)))
		}},
		{"columns", func(b *graph.Builder, x, y graph.Value) graph.Value {
			s := b.Add(ops.SplitToSequence, columns, b.Add(ops.Mul, nil, x, y))
			return square(b, b.Add(ops.ConcatFromSequence, pile, s))
		}, func(b *graph.Builder, x, y graph.Value) graph.Value { return square(b, b.Add(ops.Mul, nil, x, y)) }},
		{"parts of given extents", func(b *graph.Builder, x, y graph.Value) graph.Value {
			s := b.Add(ops.SplitToSequence, rows, x, b.Ints(1, 2))
			s = b.Add(ops.SequenceInsert, nil, s, square(b, y))
			return square(b, b.Add(ops.ConcatFromSequence, join, s))
		}, func(b *graph.Builder, x, y graph.Value) graph.Value {
			return square(b, b.Add(ops.Concat, concat, x, square(b, y)))
		}},
		{"parts of two", func(b *graph.Builder, x, y graph.Value) graph.Value {
			s := b.Add(ops.SplitToSequence, rows, b.Add(ops.Mul, nil, x, y), at(b, 2))
			return square(b, b.Add(ops.ConcatFromSequence, join, s))
		}, func(b *graph.Builder, x, y graph.Value) graph.Value { return square(b, b.Add(ops.Mul, nil, x, y)) }},
		{"optional", func(b *graph.Builder, x, y graph.Value) graph.Value {
			o := b.Add(ops.Optional, nil, pair(b, x, square(b, y)))
			s := b.Add(ops.OptionalGetElement, nil, b.Add(ops.Identity, nil, o))
			return square(b, b.Add(ops.ConcatFromSequence, join, s))
		}, func(b *graph.Builder, x, y graph.Value) graph.Value {
			return square(b, b.Add(ops.Concat, concat, x, square(b, y)))
		}},
		{"map", func(b *graph.Builder, x, y graph.Value) graph.Value {
			return b.Add(ops.ConcatFromSequence, join, mapped(b, pair(b, x, square(b, y)), y, x))
		}, func(b *graph.Builder, x, y graph.Value) graph.Value {
			k := b.Add(ops.Mul, nil, y, b.Add(ops.Tanh, nil, x))
			return b.Add(ops.Concat, concat, b.Add(ops.Mul, nil, x, k), b.Add(ops.Mul, nil, square(b, y), k))
		}},
	}
}

// TestSequences compares functions through containers, their gradients and the gradients of these with the same functions of tensors.
func TestSequences(t *testing.T) {
	reached := map[string]bool{}
	for _, c := range twins(t) {
		t.Run(c.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 7))
			random := func() *tensor.Tensor {
				x := tensor.New(tensor.Float64, 3, 4)
				for i := range tensor.Data[float64](x) {
					tensor.Data[float64](x)[i] = r.NormFloat64()
				}
				return x
			}
			feeds := []*tensor.Tensor{random(), random()}
			boxed, plain := values(t, c.boxed, feeds, reached), values(t, c.plain, feeds, nil)
			for k, what := range []string{"value", "gradient by x", "gradient by y", "second by x", "second by y"} {
				if ok, rep := tensor.AllClose(boxed[k], plain[k], 1e-12, 1e-12); !ok {
					t.Errorf("%s: %v", what, rep)
				}
			}
		})
	}
	for _, name := range boxed {
		if none := []string{"SequenceEmpty", "OptionalHasElement", "CastItems"}; !reached[name] && !slices.Contains(none, name) {
			t.Errorf("no function goes through %s", name)
		}
	}
}

// values are f, the gradient of the sum of f, and the gradient of a function of that gradient. What computes them is noted in reached.
func values(t *testing.T, f func(b *graph.Builder, x, y graph.Value) graph.Value, feeds []*tensor.Tensor,
	reached map[string]bool) []*tensor.Tensor {
	t.Helper()
	g := graph.New("")
	x, y := g.AddInput("x", tensor.Float64, nil), g.AddInput("y", tensor.Float64, nil)
	b := graph.NewBuilder(g)
	z := f(b, x, y)
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	first, err := grad.Reverse(g, []grad.Seed{grad.Ones(g, z)}, []graph.Value{x, y}, grad.Options{})
	if err != nil {
		t.Fatal(err)
	}
	of := b.Add(ops.Mul, nil, b.Add(ops.Sin, nil, first[0]), first[1])
	second, err := grad.Reverse(g, []grad.Seed{grad.Ones(g, of)}, []graph.Value{x, y}, grad.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if reached != nil {
		for _, n := range g.Nodes {
			reached[n.Op.Name] = true
		}
	}
	p, err := exec.Compile(g, slices.Concat([]graph.Value{z}, first, second), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Run(context.Background(), feeds); err != nil {
		t.Fatal(err)
	}
	out, err := p.Run(context.Background(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	if reached != nil {
		written(t, g, slices.Concat([]graph.Value{z}, first, second), feeds, out)
	}
	return out
}

// written writes g in ONNX's operators, which must compute the same values of fetch.
func written(t *testing.T, g *graph.Graph, fetch []graph.Value, feeds, want []*tensor.Tensor) {
	t.Helper()
	if err := rewrite.LowerPrivate(g); err != nil {
		t.Fatal(err)
	}
	rewrite.Dead(g, fetch)
	for op := range private(g) {
		t.Errorf("%s is left", op.Name)
	}
	p, err := exec.Compile(g, fetch, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Run(context.Background(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if !same(got[i], want[i]) {
			t.Errorf("in ONNX's operators value %d is %v, want %v", i, got[i], want[i])
		}
	}
}

// same reports whether x and y, or what they contain, are close.
func same(x, y *tensor.Tensor) bool {
	if x.DType().IsContainer() {
		return x.DType() == y.DType() && slices.EqualFunc(x.Items(), y.Items(), same)
	}
	ok, _ := tensor.AllClose(x, y, 1e-12, 1e-12)
	return ok
}

// TestItemsWritten runs the private operators of containers beside their forms in ONNX's.
func TestItemsWritten(t *testing.T) {
	m := func(rows int, v float64) *tensor.Tensor {
		x := tensor.New(tensor.Float64, rows, 2)
		for i := range tensor.Data[float64](x) {
			tensor.Data[float64](x)[i] = v + float64(i)
		}
		return x
	}
	seq := func(items ...*tensor.Tensor) *tensor.Tensor {
		s, err := tensor.NewSequence(tensor.Float64, items...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	opt := func(x *tensor.Tensor) *tensor.Tensor {
		o, err := tensor.NewOptional(x.DType(), x)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	position := func(i int32) *tensor.Tensor { return tensor.Scalar(i) }
	three := seq(m(1, 1), m(3, 2), m(2, 3))
	other := seq(m(1, 4), m(3, -2), m(2, 5))
	for _, c := range []struct {
		op    *graph.Spec
		attrs graph.Attrs
		in    []*tensor.Tensor
	}{
		{ops.AddItems, nil, []*tensor.Tensor{three, other}},
		{ops.AddItems, nil, []*tensor.Tensor{seq(), seq()}},
		{ops.AddItems, nil, []*tensor.Tensor{opt(m(2, 1)), opt(m(2, 2))}},
		{ops.AddItems, nil, []*tensor.Tensor{opt(three), opt(other)}},
		{ops.CastItems, graph.Attrs{"to": int64(tensor.Float32)}, []*tensor.Tensor{three}},
		{ops.CastItems, graph.Attrs{"to": int64(tensor.Float32)}, []*tensor.Tensor{opt(three)}},
		{ops.CastItems, graph.Attrs{"to": int64(tensor.Float32)}, []*tensor.Tensor{opt(m(1, 1))}},
		{ops.SumItems, nil, []*tensor.Tensor{seq(m(2, 1), m(2, 2), m(2, 5)), m(2, 9)}},
		{ops.SumItems, nil, []*tensor.Tensor{seq(), m(2, 9)}},
		{ops.RepeatItems, nil, []*tensor.Tensor{three, m(2, 9)}},
		{ops.RepeatItems, nil, []*tensor.Tensor{seq(), m(2, 9)}},
		{ops.SequenceAtGrad, nil, []*tensor.Tensor{three, position(0), m(1, 7)}},
		{ops.SequenceAtGrad, nil, []*tensor.Tensor{three, position(-1), m(2, 7)}},
		{ops.SequenceAtGrad, nil, []*tensor.Tensor{seq(m(2, 1)), position(-1), m(2, 7)}},
		{ops.SequenceEraseGrad, nil, []*tensor.Tensor{three, position(-2), seq(m(1, 7), m(2, 8))}},
		{ops.SequenceEraseGrad, nil, []*tensor.Tensor{three, position(2), seq(m(1, 7), m(3, 8))}},
		{ops.SplitLikeSequence, graph.Attrs{"axis": int64(0)}, []*tensor.Tensor{three, m(6, 1)}},
		{ops.SplitLikeSequence, graph.Attrs{"axis": int64(-2)}, []*tensor.Tensor{seq(m(0, 1), m(2, 1)), m(2, 1)}},
		{ops.SplitLikeSequence, graph.Attrs{"axis": int64(-2), "new_axis": int64(1)},
			[]*tensor.Tensor{seq(m(2, 0), m(2, 0)), m(4, 1).Reshape(2, 2, 2)}},
	} {
		g := graph.New("")
		var in []graph.Value
		for _, x := range c.in {
			in = append(in, g.AddInput("in", x.DType(), nil))
		}
		b := graph.NewBuilder(g)
		n := b.AddNode("n", c.op, attrs(t, c.op, c.attrs), in, []bool{true})
		if n == nil {
			t.Fatal(b.Err())
		}
		p, err := exec.Compile(g, n.Out, nil)
		if err != nil {
			t.Fatal(err)
		}
		want, err := p.Run(context.Background(), c.in)
		if err != nil {
			t.Errorf("%s of %v: %v", c.op.Name, c.in, err)
			continue
		}
		written(t, g, n.Out, c.in, want)
	}
}

// TestSequenceErrors is what containers refuse.
func TestSequenceErrors(t *testing.T) {
	x, two := tensor.From([]float32{1, 2}, 2), tensor.From([]float32{1, 2}, 1, 2)
	seq, err := tensor.NewSequence(tensor.Float32, x, two)
	if err != nil {
		t.Fatal(err)
	}
	empty, _ := tensor.NewSequence(tensor.Float32)
	none, _ := tensor.NewOptional(tensor.Float32, nil)
	position := func(i int64) *tensor.Tensor { return tensor.Scalar(i) }
	for _, c := range []struct {
		op    *graph.Spec
		attrs graph.Attrs
		in    []*tensor.Tensor
		want  string
	}{
		{ops.SequenceAt, nil, []*tensor.Tensor{seq, position(2)}, "position 2 is outside a sequence of 2"},
		{ops.SequenceAt, nil, []*tensor.Tensor{seq, position(-3)}, "position -3 is outside a sequence of 2"},
		{ops.SequenceAt, nil, []*tensor.Tensor{empty, position(0)}, "position 0 is outside a sequence of 0"},
		{ops.SequenceAt, nil, []*tensor.Tensor{x, position(0)}, "is a float32; it takes a sequence"},
		{ops.Relu, nil, []*tensor.Tensor{seq}, "is a sequence(float32); it takes a tensor"},
		{ops.SequenceInsert, nil, []*tensor.Tensor{seq, x, position(3)}, "position 3 is outside"},
		{ops.SequenceInsert, nil, []*tensor.Tensor{seq, position(0)}, "an element is int64[], want float32"},
		{ops.SequenceErase, nil, []*tensor.Tensor{empty}, "no element to erase"},
		{ops.ConcatFromSequence, graph.Attrs{"axis": int64(0)}, []*tensor.Tensor{seq}, "element 1 has rank 2"},
		{ops.ConcatFromSequence, graph.Attrs{"axis": int64(0), "new_axis": int64(1)}, []*tensor.Tensor{seq}, "no new axis goes along both"},
		{ops.ConcatFromSequence, graph.Attrs{"axis": int64(0)}, []*tensor.Tensor{empty}, "is empty"},
		{ops.SplitToSequence, graph.Attrs{"axis": int64(1)}, []*tensor.Tensor{x}, "axis 1 is outside rank 1"},
		{ops.SplitToSequence, nil, []*tensor.Tensor{x, tensor.From([]int64{1, 2}, 2)}, "do not fill an axis of extent 2"},
		{ops.SplitToSequence, nil, []*tensor.Tensor{x, tensor.From([]int64{math.MaxInt64, math.MaxInt64}, 2)}, "do not fill"},
		{ops.SplitToSequence, nil, []*tensor.Tensor{x, position(0)}, "parts of extent 0"},
		{ops.OptionalGetElement, nil, []*tensor.Tensor{none}, "has no value"},
		{ops.Optional, nil, nil, "neither an input nor attribute type"},
		{ops.Optional, nil, []*tensor.Tensor{none}, "it takes a tensor or sequence"},
	} {
		g := graph.New("")
		var in []graph.Value
		for _, x := range c.in {
			in = append(in, g.AddInput("in", x.DType(), nil))
		}
		b := graph.NewBuilder(g)
		n := b.AddNode("n", c.op, attrs(t, c.op, c.attrs), in, []bool{true})
		err := b.Err()
		if err == nil {
			var p *exec.Program
			if p, err = exec.Compile(g, n.Out, nil); err == nil {
				_, err = p.Run(context.Background(), c.in)
			}
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s of %v: error %v, want %q", c.op.Name, c.in, err, c.want)
		}
	}
}

// TestLoopOfSequence carries a sequence through a Loop, and an optional that begins as none.
func TestLoopOfSequence(t *testing.T) {
	start, _ := tensor.NewSequence(tensor.Float32)
	in := []*tensor.Tensor{tensor.Scalar(int64(5)), nil, start}
	out, err := control(t, ops.Loop, nil, 1, in, []tensor.DType{tensor.Int64, tensor.Bool, start.DType()},
		func(b *graph.Builder, x []graph.Value) []graph.Value {
			k := b.Add(ops.Cast, ops.CastTo(tensor.Float32), x[0])
			return []graph.Value{x[1], b.Add(ops.SequenceInsert, nil, x[2], b.Add(ops.Mul, nil, k, k))}
		})
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range out[0].Items() {
		if x.F32()[0] != float32(i*i) {
			t.Errorf("element %d is %v", i, x.F32())
		}
	}
	if len(out[0].Items()) != 5 {
		t.Errorf("%v", out[0])
	}
	if _, err := control(t, ops.Loop, nil, 2, in, []tensor.DType{tensor.Int64, tensor.Bool, start.DType()},
		func(_ *graph.Builder, x []graph.Value) []graph.Value { return []graph.Value{x[1], x[2], x[2]} }); err == nil ||
		!strings.Contains(err.Error(), "only tensors are stacked") {
		t.Errorf("a sequence is stacked: %v", err)
	}
}
