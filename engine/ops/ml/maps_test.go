package ml_test

import (
	"math"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// TestMaps: the operators that take or make maps, on examples of their definitions.
func TestMaps(t *testing.T) {
	mapOf := func(keys, values *tensor.Tensor) *tensor.Tensor {
		m, err := tensor.NewMap(keys, values)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	strs := func(s ...string) *tensor.Tensor { return tensor.FromStrings(s, len(s)) }
	ints := func(x ...int64) *tensor.Tensor { return tensor.From(x, len(x)) }
	floats := func(x ...float32) *tensor.Tensor { return tensor.From(x, len(x)) }
	row := func(x *tensor.Tensor) *tensor.Tensor { return x.Reshape(1, x.Len()) }
	byInt := mapOf(ints(3, 0, 1), floats(30, 0.5, 10))
	words := mapOf(ints(2, 1), strs("2.5", "-1"))
	for _, c := range []struct {
		name, op string
		attrs    graph.Attrs
		in, want *tensor.Tensor
		fails    string
	}{
		{"dense", "CastMap", nil, byInt, row(floats(0.5, 10, 30)), ""},
		{"sparse", "CastMap", graph.Attrs{"map_form": "SPARSE", "max_map": int64(5)}, byInt, row(floats(0.5, 10, 0, 30, 0)), ""},
		{"sparse strings", "CastMap", graph.Attrs{"map_form": "SPARSE", "max_map": int64(4), "cast_to": "TO_STRING"}, byInt,
			row(strs("0.5", "10", "", "30")), ""},
		{"to integers", "CastMap", graph.Attrs{"cast_to": "TO_INT64"}, byInt, row(ints(0, 10, 30)), ""},
		{"from strings", "CastMap", nil, words, row(floats(-1, 2.5)), ""},
		{"no number", "CastMap", nil, mapOf(ints(2, 1), strs("2.5", "x")), nil, "no number"},
		{"beyond", "CastMap", graph.Attrs{"map_form": "SPARSE", "max_map": int64(3)}, byInt, nil, "key 3"},
		{"other", "CastMap", graph.Attrs{"cast_to": "TO_INT8"}, byInt, nil, "TO_INT8"},
		{"huge", "CastMap", graph.Attrs{"map_form": "SPARSE", "max_map": int64(math.MaxInt64)}, byInt, nil, ""},
		{"strings", "DictVectorizer", graph.Attrs{"string_vocabulary": []string{"a", "c", "b", "z"}},
			mapOf(strs("a", "c", "q"), floats(4, 8, 9)), row(floats(4, 8, 0, 0)), ""},
		{"integers", "DictVectorizer", graph.Attrs{"int64_vocabulary": []int64{7, 5}}, mapOf(ints(5, 6), strs("x", "y")),
			row(strs("", "x")), ""},
		{"doubles", "DictVectorizer", graph.Attrs{"int64_vocabulary": []int64{7, 5}}, mapOf(ints(5), tensor.From([]float64{3}, 1)),
			row(tensor.From([]float64{0, 3}, 2)), ""},
		{"other keys", "DictVectorizer", graph.Attrs{"string_vocabulary": []string{"a"}}, byInt, nil, "vocabulary"},
		{"a tensor", "DictVectorizer", graph.Attrs{"string_vocabulary": []string{"a"}}, floats(1), nil, "takes a map"},
		{"columns", "ZipMap", graph.Attrs{"classlabels_int64s": []int64{1, 2, 3}}, row(floats(1, 2)), nil, "3 class labels"},
		{"both", "ZipMap", graph.Attrs{"classlabels_int64s": []int64{1}, "classlabels_strings": []string{"a"}}, row(floats(1)), nil,
			"one of them"},
	} {
		t.Run(c.op+"/"+c.name, func(t *testing.T) {
			g, n, err := node(c.op, 1, c.attrs, 1, c.in)
			var out []*tensor.Tensor
			if err == nil {
				out, err = compute(g, 1, n.Out, c.in)
			}
			switch {
			case c.want == nil && (err == nil || !strings.Contains(err.Error(), c.fails)):
				t.Errorf("error %v, want one with %q", err, c.fails)
			case c.want != nil && err != nil:
				t.Error(err)
			case c.want != nil && !same(out[0], c.want, 0):
				t.Errorf("%v, want %v", shown(out[0]), shown(c.want))
			}
		})
	}

	x := tensor.From([]float32{.25, .75, .5, .5}, 2, 2)
	for _, attrs := range []graph.Attrs{{"classlabels_strings": []string{"no", "yes"}}, {"classlabels_int64s": []int64{0, 1}}} {
		g, n, err := node("ZipMap", 1, attrs, 1, x)
		if err != nil {
			t.Fatal(err)
		}
		out, err := compute(g, 1, n.Out, x)
		if err != nil {
			t.Fatal(err)
		}
		key, keys := tensor.Int64, ints(0, 1)
		if attrs["classlabels_strings"] != nil {
			key, keys = tensor.String, strs("no", "yes")
		}
		z := out[0]
		if want := tensor.SequenceOf(tensor.MapOf(key, tensor.Float32)); z.DType() != want || len(z.Items()) != 2 {
			t.Fatalf("%v with %d maps, want 2 in a %v", z, len(z.Items()), want)
		}
		for i, m := range z.Items() {
			if k, v := m.Items()[0], m.Items()[1]; !same(k, keys, 0) || !same(v, floats(x.F32()[2*i:2*i+2]...), 0) {
				t.Errorf("map %d is %v to %v", i, shown(k), shown(v))
			}
		}
	}
}
