package feed

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/memory"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// input is an input of a test model.
type input struct {
	name string
	d    tensor.DType
	dims []any
}

// model is a model that hands each input on as an output of the same name with a prefix.
func model(t testing.TB, ins ...input) *engine.Model {
	t.Helper()
	name := "test"
	g := &onnxpb.GraphProto{Name: &name}
	for _, in := range ins {
		g.Input = append(g.Input, onnx.ValueInfo(in.name, in.d, in.dims...))
		g.Output = append(g.Output, onnx.ValueInfo("out."+in.name, in.d, in.dims...))
		if in.dims == nil { // not declared
			g.Input[len(g.Input)-1].GetType().GetTensorType().Shape, g.Output[len(g.Output)-1].GetType().GetTensorType().Shape = nil, nil
		}
		g.Node = append(g.Node, onnx.NewNode("Identity", "n."+in.name, []string{in.name}, []string{"out." + in.name}))
	}
	m, err := engine.Load(onnx.NewModel(g, 13), engine.WithThreads(1))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func example(x bool, fields ...string) data.Example {
	e := data.Example{}
	if x {
		e.X = tensor.From([]float32{1, 2}, 2)
	}
	for _, f := range fields {
		if e.Fields == nil {
			e.Fields = map[string]*tensor.Tensor{}
		}
		e.Fields[f] = tensor.From([]int64{1, 2}, 2)
	}
	return e
}

func TestBinding(t *testing.T) {
	ids, mask, x := input{"input_ids", tensor.Int64, []any{"N", "T"}}, input{"attention_mask", tensor.Int64, []any{"N", "T"}},
		input{"x", tensor.Float32, []any{"N", 2}}
	for _, c := range []struct {
		name string
		ins  []input
		e    data.Example
		o    Options
		want []string // source of each input: the array, "-" for the one without a name, "=" for a constant
		says string
		note string
	}{
		{"the only one", []input{{"input.1", tensor.Float32, []any{"N", 2}}}, example(true), Options{}, []string{"-"}, "", ""},
		{"by name", []input{ids, mask}, example(false, "attention_mask", "input_ids"), Options{}, []string{"input_ids", "attention_mask"},
			"", ""},
		{"by name but for case and punctuation", []input{{"Input.1:0", tensor.Float32, []any{"N", 2}}, mask},
			example(false, "input_1", "attention-mask"), Options{}, []string{"input_1", "attention-mask"}, "", ""},
		{"x and a named one", []input{x, mask}, example(true, "attention_mask"), Options{}, []string{"-", "attention_mask"}, "", ""},
		{"a single named array for the only input", []input{x}, example(false, "pixels"), Options{}, []string{"pixels"}, "", ""},
		{"a mask that is not given", []input{ids, mask}, example(true), Options{}, nil,
			"input attention_mask int64[N,T]; x can feed one input, such as input_ids", ""},
		{"... with its shape and the way out", []input{ids, mask}, example(false, "input_ids"), Options{}, nil,
			"attention_mask int64[N,T]", ""},
		{"... as a constant", []input{ids, mask}, example(false, "input_ids"),
			Options{Set: map[string]*tensor.Tensor{"attention_mask": tensor.Scalar(int64(1))}}, []string{"input_ids", "="}, "", ""},
		{"renamed", []input{ids, mask}, example(false, "a", "b"),
			Options{From: map[string]string{"input_ids": "b", "attention_mask": "a"}}, []string{"b", "a"}, "", ""},
		{"renamed from nothing", []input{ids}, example(false, "tokens"), Options{From: map[string]string{"input_ids": "token"}}, nil,
			`did you mean "tokens"`, ""},
		{"a constant for nothing", []input{x}, example(true), Options{Set: map[string]*tensor.Tensor{"y": tensor.Scalar(int64(1))}}, nil,
			"no such input", ""},
		{"an array that nothing takes", []input{x}, example(true, "age"), Options{}, []string{"-"}, "", `"age"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := New(model(t, c.ins...), c.e, c.o)
			if c.want == nil {
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Fatalf("error %v, want one that says %q", err, c.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range p.sources {
				switch {
				case s.fill != nil:
					got = append(got, "=")
				case s.field == "":
					got = append(got, "-")
				default:
					got = append(got, s.field)
				}
			}
			if !slices.Equal(got, c.want) || !strings.Contains(strings.Join(p.Notes(), ";"), c.note) {
				t.Errorf("sources %v, want %v; notes %v", got, c.want, p.Notes())
			}
		})
	}
	var unbound *UnboundError
	if _, err := New(model(t, ids, mask), example(false, "input_ids"), Options{}); !errors.As(err, &unbound) ||
		unbound.Input.Name != "attention_mask" {
		t.Errorf("%v is no UnboundError", err)
	}
}

func TestConvert(t *testing.T) {
	for _, c := range []struct {
		x    *tensor.Tensor
		d    tensor.DType
		fits bool
	}{
		{tensor.From([]int64{1, 2, -3}, 3), tensor.Int32, true},
		{tensor.From([]int64{1 << 40}, 1), tensor.Int32, false},
		{tensor.From([]uint8{0, 255}, 2), tensor.Float32, true},
		{tensor.From([]float32{3, 7}, 2), tensor.Int64, true},
		{tensor.From([]float32{3.5}, 1), tensor.Int64, false},
		{tensor.From([]float64{0.1}, 1), tensor.Float32, true},
		{tensor.From([]float32{0.1}, 1), tensor.Float16, true},
		{tensor.From([]int64{1<<24 + 1}, 1), tensor.Float32, true},
		{tensor.From([]int64{2049}, 1), tensor.Float16, false},
		{tensor.From([]int64{0, 1}, 2), tensor.Bool, true},
		{tensor.From([]int64{2}, 1), tensor.Bool, false},
		{tensor.From([]bool{true}, 1), tensor.Float32, true},
		{tensor.FromStrings([]string{"1"}, 1), tensor.Float32, false},
	} {
		y, err := Convert(c.x, c.d)
		if (err == nil) != c.fits {
			t.Errorf("%v as %v: %v, %v", c.x, c.d, y, err)
		}
		if err == nil && (y.DType() != c.d || !y.Shape().Equal(c.x.Shape())) {
			t.Errorf("%v as %v is %v", c.x, c.d, y)
		}
	}
}

func TestAdapt(t *testing.T) {
	dims := func(d ...int) (out []graph.Dim) {
		for _, k := range d {
			out = append(out, graph.Dim{Size: k})
		}
		return out
	}
	for _, c := range []struct {
		in      []graph.Dim
		x, want tensor.Shape
	}{
		{dims(-1, 4, 1, 1), tensor.Shape{3, 4}, tensor.Shape{3, 4, 1, 1}},
		{dims(-1, 1, 8, 8), tensor.Shape{3, 8, 8}, tensor.Shape{3, 1, 8, 8}},
		{dims(-1, 1, -1, -1), tensor.Shape{3, 8, 9}, tensor.Shape{3, 1, 8, 9}},
		{dims(-1, -1, 1), tensor.Shape{3, 7}, tensor.Shape{3, 7, 1}},
		{dims(-1, -1), tensor.Shape{3, 7, 1}, tensor.Shape{3, 7}},
		{dims(-1), tensor.Shape{3, 1}, tensor.Shape{3}},
		{dims(-1, 4), tensor.Shape{3, 2, 2}, tensor.Shape{3, 4}},
		{dims(-1, 5), tensor.Shape{3, 2, 2}, tensor.Shape{3, 2, 2}}, // for the engine to refuse
		{dims(-1, -1, 3), tensor.Shape{3, 7}, tensor.Shape{3, 7}},
	} {
		y, err := Adapt(engine.IO{Name: "x", DType: tensor.Float32, Dims: c.in}, tensor.New(tensor.Float32, c.x...))
		if err != nil || !y.Shape().Equal(c.want) {
			t.Errorf("%v for %v: %v, %v; want %v", c.x, c.in, y, err, c.want)
		}
	}
}

func TestConstants(t *testing.T) {
	m := model(t, input{"x", tensor.Int64, []any{"N", "T"}}, input{"mask", tensor.Float32, []any{"N", "T"}},
		input{"state", tensor.Float32, []any{2, "N", 3}}, input{"rate", tensor.Int64, []any{}},
		input{"each", tensor.Float32, []any{"N", 2}})
	p, err := New(m, data.Example{X: tensor.From([]int64{1, 2, 3}, 3)}, Options{Set: map[string]*tensor.Tensor{
		"mask": tensor.Scalar(int64(1)), "state": tensor.Scalar(0.5), "rate": tensor.Scalar(int64(16000)),
		"each": tensor.From([]float64{7, 8}, 2),
	}})
	if err != nil {
		t.Fatal(err)
	}
	feeds, err := p.Feeds(&data.Batch{IDs: []string{"a", "b"}, X: tensor.From([]int64{1, 2, 3, 4, 5, 6}, 2, 3)})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"x": "int64[2,3]", "mask": "float32[2,3]", "state": "float32[2,2,3]", "rate": "int64[]",
		"each": "float32[2,2]"} {
		if got := feeds[name].String(); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if !slices.Equal(feeds["each"].F32(), []float32{7, 8, 7, 8}) || feeds["state"].F32()[11] != 0.5 {
		t.Errorf("%v, %v", feeds["each"].F32(), feeds["state"].F32())
	}
}

// A model of a fixed batch is fed parts of that size; what is made up is not seen.
func TestFixedBatch(t *testing.T) {
	m := model(t, input{"x", tensor.Float32, []any{4, 1}}, input{"scale", tensor.Float32, []any{2}})
	scale := tensor.From([]float32{5, 6}, 2)
	p, err := New(m, data.Example{X: tensor.From([]float32{1}, 1)}, Options{Set: map[string]*tensor.Tensor{"scale": scale}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Session(engine.Query{Loss: func(b *engine.Build) (graph.Value, error) {
		b.Input("label", tensor.Int64, nil)
		return b.Input("weight", tensor.Float32, nil), nil
	}, Fetch: []string{"out.x", "out.scale"}})
	if err != nil {
		t.Fatal(err)
	}
	n := 6
	b := &data.Batch{IDs: make([]string, n), X: tensor.From([]float32{0, 1, 2, 3, 4, 5}, n, 1)}
	rows := Rows{Same: map[string]*tensor.Tensor{"label": tensor.From([]int64{0, 1, 2, 3, 4, 5}, n)},
		Weight: map[string]*tensor.Tensor{"weight": tensor.From([]float32{1, 1, 1, 1, 1, 1}, n)}}
	var out *tensor.Tensor
	sum, parts := 0.0, 0
	err = p.Run(context.Background(), s, b, rows, func(part Part) error {
		parts++
		for _, v := range part.Loss().Float64s() {
			sum += v
		}
		if !slices.Equal(part.Value("out.scale").F32(), scale.F32()) {
			t.Errorf("the constant is %v", part.Value("out.scale").F32())
		}
		var err error
		out, err = Gather(out, "out.x", part.Value("out.x"), part, n)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if parts != 2 || sum != 6 || !slices.Equal(out.F32(), []float32{0, 1, 2, 3, 4, 5}) {
		t.Errorf("%d parts, weights of %v in all, %v", parts, sum, out.F32())
	}
	if _, err := Gather(nil, "v", tensor.New(tensor.Float32, 3, 2), Part{Size: 4, Hi: 4}, 4); !errors.Is(err, ErrMixed) {
		t.Errorf("a value of another first axis: %v", err)
	}
}

// A batch that only the model claims is not filled up in memory.
func TestHugeFixedBatch(t *testing.T) {
	m := model(t, input{"x", tensor.Float32, []any{min(1<<40, math.MaxInt), 8}})
	p, err := New(m, data.Example{X: tensor.New(tensor.Float32, 8)}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Session(engine.Query{})
	if err != nil {
		t.Fatal(err)
	}
	b := &data.Batch{IDs: make([]string, 2), X: tensor.New(tensor.Float32, 2, 8)}
	err = p.Run(context.Background(), s, b, Rows{}, func(Part) error { return nil })
	if e, ok := errors.AsType[*memory.Error](err); !ok || e.Need != 1<<45 || !strings.Contains(err.Error(), "and 2 are there") {
		t.Errorf("%v", err)
	}
}

// What is at hand is cut by the axis that the model says is that of the examples: a constant with as many numbers as there are examples is
// fed whole.
func TestDirect(t *testing.T) {
	m := model(t, input{"x", tensor.Float32, []any{4, 1}}, input{"levels", tensor.Float32, []any{6}})
	s, err := m.Session(engine.Query{Fetch: []string{"out.x", "out.levels"}})
	if err != nil {
		t.Fatal(err)
	}
	x := tensor.From([]float32{0, 1, 2, 3, 4, 5}, 6, 1)
	feeds := map[string]*tensor.Tensor{"x": x, "levels": x.Reshape(6)}
	for size, p := range map[int]*Plan{4: Direct(m), 1: Direct(m).Singly()} {
		var got *tensor.Tensor
		parts := 0
		err := p.RunFeeds(context.Background(), s, feeds, 6, Rows{}, func(part Part) (err error) {
			if parts++; part.Value("out.levels").Len() != 6 {
				t.Errorf("a constant of 6 numbers is %v", part.Value("out.levels"))
			}
			got, err = Gather(got, "out.x", part.Value("out.x"), part, 6)
			return err
		})
		if size == 1 {
			if err == nil || !strings.Contains(err.Error(), "batches of 4") {
				t.Errorf("one at a time of a model of four: %v", err)
			}
			continue
		}
		if err != nil || p.Batch() != 4 || parts != 2 || !tensor.Equal(got, x) {
			t.Errorf("%d parts, %v: %v", parts, got, err)
		}
	}
	free := model(t, input{"x", tensor.Float32, []any{"N", 1}})
	if s, err = free.Session(engine.Query{Fetch: []string{"out.x"}}); err != nil {
		t.Fatal(err)
	}
	parts := 0
	err = Direct(free).Singly().RunFeeds(context.Background(), s, map[string]*tensor.Tensor{"x": x}, 6, Rows{}, func(part Part) error {
		parts++
		return nil
	})
	if err != nil || parts != 6 {
		t.Errorf("one at a time: %d parts, %v", parts, err)
	}
}

// The examples of a state lie where the symbol of the batch is.
func TestBatchAxis(t *testing.T) {
	m := model(t, input{"x", tensor.Float32, []any{"batch", 1}}, input{"state", tensor.Float32, []any{2, "batch", 3}},
		input{"levels", tensor.Float32, []any{3}})
	for name, want := range map[string]int{"x": 0, "state": 1, "levels": -1, "no": -1} {
		if got := m.BatchAxis(name); got != want {
			t.Errorf("%s: axis %d, want %d", name, got, want)
		}
	}
	s, err := m.Session(engine.Query{Fetch: []string{"out.state"}})
	if err != nil {
		t.Fatal(err)
	}
	state := tensor.New(tensor.Float32, 2, 4, 3)
	for i := range state.F32() {
		state.F32()[i] = float32(i)
	}
	x := tensor.New(tensor.Float32, 4, 1)
	feeds := map[string]*tensor.Tensor{"x": x, "state": state, "levels": tensor.New(tensor.Float32, 3)}
	for _, p := range []*Plan{Direct(m), Direct(m).Singly()} {
		err := p.RunFeeds(context.Background(), s, feeds, 4, Rows{}, func(part Part) error {
			var want []float32
			for o := range 2 {
				want = append(want, state.F32()[(o*4+part.Lo)*3:(o*4+part.Hi)*3]...)
			}
			if got := part.Value("out.state"); !slices.Equal(got.F32(), want) || got.Dim(1) != part.Hi-part.Lo {
				t.Errorf("examples %d to %d: %v, want %v", part.Lo, part.Hi, got, want)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A constant for an input that declares no shape is fed as it is, also when it has as many numbers as there are examples.
func TestConstantWithoutShape(t *testing.T) {
	m := model(t, input{"x", tensor.Float32, []any{"batch", 1}}, input{"levels", tensor.Float32, nil})
	s, err := m.Session(engine.Query{Fetch: []string{"out.levels"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{3, 4} {
		p, err := bind(m, []string{"x"}, false, Options{Set: map[string]*tensor.Tensor{"levels": tensor.New(tensor.Float32, n)}})
		if err != nil {
			t.Fatal(err)
		}
		feeds := map[string]*tensor.Tensor{"x": tensor.New(tensor.Float32, 4, 1), "levels": tensor.New(tensor.Float32, n)}
		err = p.Singly().RunFeeds(context.Background(), s, feeds, 4, Rows{}, func(part Part) error {
			if got := part.Value("out.levels"); got.Len() != n {
				t.Errorf("a constant of %d numbers is fed as %v", n, got)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestTextRows: strings go with their rows, in parts, filled-up parts and parts put together.
func TestTextRows(t *testing.T) {
	words := tensor.FromStrings([]string{"a", "b", "c"}, 3, 1)
	if p := part(words, 1, 3); !slices.Equal(p.Strings(), []string{"b", "c"}) {
		t.Errorf("part: %q", p.Strings())
	}
	s, err := slab(words, 1, 2, 3, true)
	if err != nil || !slices.Equal(s.Strings(), []string{"b", "a", "a"}) {
		t.Errorf("filled up: %v, %v", s, err)
	}
	if k := Take(words, 0, []int{2, 0}); !slices.Equal(k.Strings(), []string{"c", "a"}) {
		t.Errorf("taken: %q", k.Strings())
	}
	var all *tensor.Tensor
	for _, p := range []Part{{Lo: 0, Hi: 2, Size: 3}, {Lo: 2, Hi: 4, Size: 3}} {
		if all, err = Gather(all, "y", words, p, 4); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(all.Strings(), []string{"a", "b", "a", "b"}) {
		t.Errorf("gathered: %q", all.Strings())
	}
	if _, err := Convert(words, tensor.Float32); err == nil || !strings.Contains(err.Error(), "have text") {
		t.Errorf("text as numbers: %v", err)
	}
}

// An error of a node says what was fed along an axis that the file leaves open, but where the numbers themselves are at fault.
func TestErrorOfAnOpenAxis(t *testing.T) {
	g := &onnxpb.GraphProto{Name: new("test"), Input: []*onnxpb.ValueInfoProto{onnx.ValueInfo("ids", tensor.Int64, "N", "T")},
		Output: []*onnxpb.ValueInfoProto{onnx.ValueInfo("y", tensor.Float32, "N", "T", 2)}, Node: []*onnxpb.NodeProto{
			onnx.NewNode("Gather", "embed", []string{"table", "ids"}, []string{"e"}),
			onnx.NewNode("Add", "places", []string{"e", "rows"}, []string{"y"})}}
	g.Initializer = []*onnxpb.TensorProto{onnx.TensorToProto("table", tensor.New(tensor.Float32, 5, 2)),
		onnx.TensorToProto("rows", tensor.New(tensor.Float32, 3, 2))}
	m, err := engine.Load(onnx.NewModel(g, 13), engine.WithThreads(1))
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Session(engine.Query{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		ids  []int64
		want string
		open bool
	}{{[]int64{1, 2, 3}, "", false}, {[]int64{1, 2, 3, 4}, "int64[1,4] for ids int64[N,T]", true}, {[]int64{1, 2, 5}, "index 5", false}} {
		err := Direct(m).RunFeeds(t.Context(), s, map[string]*tensor.Tensor{"ids": tensor.From(c.ids, 1, len(c.ids))}, 1, Rows{},
			func(Part) error { return nil })
		switch {
		case c.want == "" && err == nil:
		case err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "?length=N") != c.open:
			t.Errorf("%v: %v", c.ids, err)
		}
	}
}
