package task_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

func f32(shape ...int) *tensor.Tensor { return tensor.New(tensor.Float32, shape...) }

// reals are targets that are no labels.
func reals(shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, shape...)
	for i := range t.F32() {
		t.F32()[i] = float32(i)*0.5 - 1
	}
	return t
}

func i64(shape []int, x ...int64) *tensor.Tensor { return tensor.From(x, shape...) }

func TestWhatItIs(t *testing.T) {
	zeroOne := []int{0, 1, 1, 0}
	up := []int{0, 1, 2, 0}
	one := out{name: "y", dims: []any{"N", 1}}
	three := out{name: "y", dims: []any{"N", 3}}
	seg := out{name: "y", dims: []any{"N", 3, 2, 2}}
	tok := out{name: "y", dims: []any{"N", 2, 3}}
	act := func(o out, a string) out { o.act = a; return o }
	mask := tensor.New(tensor.Uint8, 4, 2, 2)
	for _, c := range []struct {
		name string
		s    set
		outs []out
		o    task.Options
		want task.Kind
		loss string
		k    int
		says string // of the error, when there is no kind
	}{
		{"logit", set{x: f32(4, 1), labels: zeroOne}, []out{one}, task.Options{}, task.Binary, "bce", 1, ""},
		{"sigmoid", set{x: f32(4, 1), labels: zeroOne}, []out{act(one, "Sigmoid")}, task.Options{}, task.Binary, "bce", 1, ""},
		{"sigmoid, 0 and 1 as real targets", set{x: f32(4, 1), y: tensor.From([]float32{0, 1, 1, 0}, 4, 1)}, []out{act(one, "Sigmoid")},
			task.Options{}, task.Binary, "bce", 1, ""},
		{"sigmoid, targets between", set{x: f32(4, 1), y: tensor.From([]float32{0, 1, .5, 0}, 4, 1)}, []out{act(one, "Sigmoid")},
			task.Options{}, task.Regression, "mse", 1, ""},
		{"one number, more classes", set{x: f32(4, 1), labels: up}, []out{one}, task.Options{}, "", "", 0, "--num-classes 3"},
		{"softmax", set{x: f32(4, 3), labels: up}, []out{act(three, "Softmax")}, task.Options{}, task.Multiclass, "cross-entropy", 3, ""},
		{"five sigmoids, one class", set{x: f32(4, 3), labels: up}, []out{act(three, "Sigmoid")}, task.Options{}, task.Multiclass, "bce",
			3, ""},
		{"more classes than scores", set{x: f32(4, 3), labels: []int{0, 1, 2, 5}}, []out{three}, task.Options{}, "", "", 0,
			"--num-classes 6"},
		{"a distribution as target", set{x: f32(4, 3), y: tensor.From([]float32{.2, .3, .5, 1, 0, 0, 0, 1, 0, 0, .5, .5}, 4, 3)},
			[]out{act(three, "Softmax")}, task.Options{}, task.Multiclass, "cross-entropy", 3, ""},
		{"labels", set{x: f32(4, 3), y: i64([]int{4, 3}, 0, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 1)}, []out{three}, task.Options{},
			task.Multilabel, "bce", 3, ""},
		{"counts are no labels", set{x: f32(4, 3), y: i64([]int{4, 3}, 0, 1, 1, 0, 7, 0, 1, 1, 1, 0, 0, 1)}, []out{three}, task.Options{},
			task.Regression, "mse", 3, ""},
		{"real targets", set{x: f32(4, 3), y: reals(4, 3)}, []out{three}, task.Options{}, task.Regression, "mse", 3, ""},
		{"fewer targets", set{x: f32(4, 3), y: tensor.From([]float32{-1, 2.5, 3, 1, 1, 1, 1, 1}, 4, 2)}, []out{three}, task.Options{}, "",
			"", 0, "as many numbers"},
		{"class numbers as floats", set{x: f32(4, 3), y: tensor.From([]float32{0, 1, 2, 0}, 4)}, []out{three}, task.Options{},
			task.Multiclass, "cross-entropy", 3, ""},
		{"segmentation", set{x: f32(4, 3, 2, 2), y: i64([]int{4, 2, 2}, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, -100, 1, 2, 0)}, []out{seg},
			task.Options{}, task.Dense, "cross-entropy", 3, ""},
		{"segmentation, a class for each example", set{x: f32(4, 3, 2, 2), labels: up}, []out{seg}, task.Options{}, "", "", 0,
			"--objective"},
		{"a picture as output is no segmentation", set{x: f32(4, 3, 2, 2), labels: up, masks: mask}, []out{seg}, task.Options{}, "", "",
			0, "--output"},
		{"... unless it is said", set{x: f32(4, 3, 2, 2), labels: up, masks: mask}, []out{seg}, task.Options{Kind: "segmentation"},
			task.Dense, "cross-entropy", 3, ""},
		{"... or it ends in a softmax", set{x: f32(4, 3, 2, 2), labels: up, masks: mask}, []out{act(seg, "Softmax")}, task.Options{},
			task.Dense, "cross-entropy", 3, ""},
		{"tokens", set{x: f32(4, 2, 3), y: i64([]int{4, 2}, 0, 1, 2, -100, 1, 0, 2, 2)}, []out{tok}, task.Options{}, task.Dense,
			"cross-entropy", 3, ""},
		{"tokens of one logit", set{x: f32(4, 2, 1), y: i64([]int{4, 2}, 0, 1, 1, -100, 1, 0, 0, 1)},
			[]out{{name: "y", dims: []any{"N", 2, 1}}}, task.Options{}, task.Dense, "bce", 1, ""},
		{"a mask of one logit", set{x: f32(4, 1, 2, 2), y: i64([]int{4, 2, 2}, 0, 1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 1, 0, 0, 0, 0)},
			[]out{{name: "y", dims: []any{"N", 1, 2, 2}}}, task.Options{}, task.Dense, "bce", 1, ""},
		{"labels of scores with axes of one", set{x: f32(4, 3, 1, 1), y: i64([]int{4, 3}, 0, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 1)},
			[]out{{name: "y", dims: []any{"N", 3, 1, 1}}}, task.Options{}, task.Multilabel, "bce", 3, ""},
		{"one-hot", set{x: f32(4, 3), y: i64([]int{4, 3}, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1)}, []out{three}, task.Options{},
			task.Multiclass, "cross-entropy", 3, ""},
		{"one-hot, wanted as labels", set{x: f32(4, 3), y: i64([]int{4, 3}, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1)}, []out{three},
			task.Options{Kind: "multilabel"}, task.Multilabel, "bce", 3, ""},
		{"several labels on a softmax", set{x: f32(4, 3), y: i64([]int{4, 3}, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1)},
			[]out{act(three, "Softmax")}, task.Options{}, "", "", 0, "Targets must"},
		{"a soft distribution on logits", set{x: f32(4, 3), y: tensor.From([]float32{.2, .3, .5, 1, 0, 0, 0, 1, 0, 0, .5, .5}, 4, 3)},
			[]out{three}, task.Options{}, task.Multiclass, "cross-entropy", 3, ""},
		{"targets beyond a sigmoid", set{x: f32(4, 1), y: tensor.From([]float32{0, 3, .5, 0}, 4, 1)}, []out{act(one, "Sigmoid")},
			task.Options{}, "", "", 0, "never reaches"},
		{"no label at all", set{x: f32(4, 2, 3), y: i64([]int{4, 2}, -100, -100, -100, -100, -100, -100, -100, -100)}, []out{tok},
			task.Options{}, "", "", 0, "All of its labels"},
		{"a class too many at positions", set{x: f32(4, 2, 3), y: i64([]int{4, 2}, 0, 1, 2, -100, 1, 3, 2, 2)}, []out{tok},
			task.Options{}, "", "", 0, "--num-classes 4"},
		{"targets of another order of axes", set{x: f32(4, 2, 3), y: reals(4, 3, 2)}, []out{tok}, task.Options{}, "", "", 0,
			"as many numbers"},
		{"a detector", set{x: f32(4, 2, 3), labels: zeroOne}, []out{tok, {name: "boxes", dims: []any{"N", 2, 3}}}, task.Options{}, "", "",
			0, "detector"},
		{"no labels", set{x: f32(4, 3)}, []out{three}, task.Options{}, "", "", 0, "with labels or targets"},
		{"another kind", set{x: f32(4, 3), labels: up}, []out{three}, task.Options{Kind: "regression"}, "", "", 0,
			"regression task needs"},
		{"a kind that there is not", set{x: f32(4, 3), labels: up}, []out{three}, task.Options{Kind: "regresion"}, "", "", 0,
			`did you mean "regression"`},
		{"two heads", set{x: f32(4, 3), labels: up}, []out{three, {name: "aux", dims: []any{"N", 3}}}, task.Options{}, task.Multiclass,
			"cross-entropy", 3, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := []any{"N"}
			for _, k := range c.s.x.Shape()[1:] {
				in = append(in, k)
			}
			got, _, err := of(t, net(t, tensor.Float32, in, c.outs...), c.s, c.o)
			if c.want == "" {
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Fatalf("%v, error %v; want one that says %q", got, err, c.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Kind != c.want || got.Name != c.loss || got.K != c.k || len(got.Why) == 0 || got.Head.Output != "y" {
				t.Errorf("%v: loss %s, K = %d, because %v", got, got.Name, got.K, got.Why)
			}
		})
	}
}

// An exported classifier may give the class number first and the scores second.
func TestNumberFirstScoresSecond(t *testing.T) {
	name := "test"
	g := &onnxpb.GraphProto{
		Name: &name, Input: []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", tensor.Float32, "N", 3)},
		Node: []*onnxpb.NodeProto{
			onnx.NewNode("Softmax", "p", []string{"x"}, []string{"scores"}, onnx.AttrInt("axis", 1)),
			onnx.NewNode("ArgMax", "a", []string{"scores"}, []string{"label"}, onnx.AttrInt("axis", 1), onnx.AttrInt("keepdims", 0)),
		},
		Output: []*onnxpb.ValueInfoProto{onnx.ValueInfo("label", tensor.Int64, "N"), onnx.ValueInfo("scores", tensor.Float32, "N", 3)},
	}
	m := load(t, g)
	got, _, err := of(t, m, set{x: f32(4, 3), labels: []int{0, 1, 2, 0}}, task.Options{})
	if err != nil || got.Head.Output != "scores" || got.Head.Logits != "x" {
		t.Fatalf("%v, %v", got, err)
	}
	if got, err := task.OfModel(m, task.Options{}); err != nil || got.Head.Output != "scores" || got.Kind != task.Multiclass {
		t.Fatalf("without data: %v, %v", got, err)
	}
}

func TestOfModel(t *testing.T) {
	for _, c := range []struct {
		in   []any
		outs []out
		o    task.Options
		want task.Kind
	}{
		{[]any{"N", 1}, []out{{name: "y", dims: []any{"N", 1}, act: "Sigmoid"}}, task.Options{}, task.Binary},
		{[]any{"N", 1}, []out{{name: "y", dims: []any{"N", 1}}}, task.Options{}, task.Regression},
		{[]any{"N", 1}, []out{{name: "y", dims: []any{"N", 1}}}, task.Options{Kind: "binary"}, task.Binary},
		{[]any{"N", 4}, []out{{name: "y", dims: []any{"N", 4}}}, task.Options{}, task.Multiclass},
		{[]any{"N", 4}, []out{{name: "y", dims: []any{"N", 4}, act: "Sigmoid"}}, task.Options{}, task.Multilabel},
		{[]any{"N", 3, 8, 8}, []out{{name: "y", dims: []any{"N", 3, 8, 8}}}, task.Options{}, task.Regression},
		{[]any{"N", 3, 8, 8}, []out{{name: "y", dims: []any{"N", 3, 8, 8}, act: "Softmax"}}, task.Options{}, task.Dense},
		{[]any{"N", 5, 8}, []out{{name: "hidden", dims: []any{"N", 5, 8}}}, task.Options{}, ""},
		{[]any{"N", 5, 8}, []out{{name: "hidden", dims: []any{"N", 5, 8}}}, task.Options{Kind: "tokens"}, task.Dense},
		{[]any{"N", 5, 8}, []out{{name: "logits", dims: []any{"N", 5, 8}}}, task.Options{}, task.Dense},
		{[]any{"N", 5, 8}, []out{{name: "y", dims: []any{"N", 5, 8}},
			{name: "pool", dims: []any{"N", 8}, op: "ReduceMean",
				attrs: []*onnxpb.AttributeProto{onnx.AttrInts("axes", 1), onnx.AttrInt("keepdims", 0)}}}, task.Options{}, ""},
		{[]any{"N", 5, 8}, []out{{name: "y", dims: []any{"N", 5, 8}},
			{name: "pool", dims: []any{"N", 8}, op: "ReduceMean",
				attrs: []*onnxpb.AttributeProto{onnx.AttrInts("axes", 1), onnx.AttrInt("keepdims", 0)}}}, task.Options{Output: "pool"},
			task.Multiclass},
	} {
		got, err := task.OfModel(net(t, tensor.Float32, c.in, c.outs...), c.o)
		var unknown *task.UnknownError
		switch {
		case c.want == "" && !errors.As(err, &unknown):
			t.Errorf("%v: %v, %v", c.in, got, err)
		case c.want != "" && (err != nil || got.Kind != c.want):
			t.Errorf("%v: %v, %v, want %v", c.in, got, err, c.want)
		}
	}
}
