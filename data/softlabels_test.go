package data

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// TestSoftLabels has fractions as labels, from arrays and from tables.
func TestSoftLabels(t *testing.T) {
	cat := []string{"cat", "dog", "owl"}
	for name, c := range map[string]struct {
		y     *tensor.Tensor // [2,3]
		o     Options
		names []string
		want  string // Y of the second example
	}{
		"probabilities": {tensor.From([]float32{.5, .25, .25, 0, .125, .875}, 2, 3), Options{Task: "multiclass"}, nil,
			"float32[3] [0 0.125 0.875]"},
		"doubles": {tensor.From([]float64{.5, .25, .25, 0, .125, .875}, 2, 3), Options{Task: "classification"}, cat,
			"float64[3] [0 0.125 0.875]"},
		"moved": {tensor.From([]float32{.5, .25, .25, 0, .125, .875}, 2, 3),
			Options{Task: "multiclass", Classes: []string{"owl", "bee", "dog", "cat"}}, cat, "float32[4] [0.875 0 0.125 0]"},
		"without a task": {tensor.From([]float32{.5, .25, .25, 0, .125, .875}, 2, 3), Options{Classes: []string{"owl", "dog", "cat"}},
			cat, "float32[3] [0.875 0.125 0]"},
		"smoothed": {tensor.From([]float32{.05, .95, .95, .95, .95, .05}, 2, 3), Options{Task: "multilabel"}, cat,
			"float32[3] [0.95 0.95 0.05]"},
		"not known":      {tensor.From([]int64{1, 0, 1, 1, NoLabel, 0}, 2, 3), Options{Task: "multilabel"}, cat, "float32[3] [1 -100 0]"},
		"not known, int": {tensor.From([]int64{1, 0, 1, 1, NoLabel, 0}, 2, 3), Options{}, nil, "int64[3] [1 -100 0]"},
		"all known":      {tensor.From([]float32{1, 0, 1, 1, 0, 0}, 2, 3), Options{Task: "multilabel"}, cat, "int64[3] [1 0 0]"},
		"targets": {tensor.From([]float32{.5, .25, .25, 0, .125, .875}, 2, 3), Options{Task: "regression"}, cat,
			"float32[3] [0 0.125 0.875]"},
	} {
		arrays := []tensor.Named{named("x", tensor.New(tensor.Float32, 2, 1)), named("y", c.y)}
		if c.names != nil {
			arrays = append(arrays, named("classes", tensor.FromStrings(c.names, len(c.names))))
		}
		ds, err := openArrays(t, "", c.o, arrays...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		round := func(v []float64) (r []float64) {
			for _, f := range v {
				r = append(r, math.Round(f*1000)/1000)
			}
			return r
		}
		e := must(ds.Example(1))(t)
		if got := fmt.Sprint(e.Y, round(e.Y.Float64s())); got != c.want || e.Label != -1 {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		if want := c.o.Classes; c.o.Task != "regression" && c.names != nil {
			if want == nil {
				want = c.names
			}
			if !slices.Equal(ds.Classes(), want) {
				t.Errorf("%s: classes %v, want %v", name, ds.Classes(), want)
			}
		}
		if c.names == nil || c.o.Classes != nil {
			continue
		}
		text := "f,cat,dog,owl\n" // the same as a table
		for i := range 2 {
			text += "1"
			for _, v := range c.y.Float64s()[3*i : 3*i+3] {
				text += fmt.Sprint(",", v)
			}
			text += "\n"
		}
		c.o.LabelColumns = cat
		if ds, err = readTable(t, text, c.o); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if e, y := must(ds.Example(1))(t), e.Y; !slices.Equal(round(e.Y.Float64s()), round(y.Float64s())) ||
			e.Y.DType().IsFloat() != y.DType().IsFloat() {
			t.Errorf("%s: as a table %v %v", name, e.Y, e.Y.Float64s())
		}
	}
	for _, c := range []struct {
		text string
		o    Options
		want []string
	}{
		{"f,a,b\n1,0.5,0.5\n2,0.5,0.25\n", Options{Task: "multiclass"}, []string{"row 1", "sum to 0.75", "--task multilabel"}},
		{"f,a,b\n1,0.5,0.5\n2,1.5,-0.5\n", Options{Task: "multiclass"}, []string{"row 1", "label 1.5"}},
		{"f,a,b,c\n1,0.5,0.5,0\n", Options{Task: "binary"}, []string{"3 classes", "multiclass"}},
		{"f,a,b\n1,0.5,0.5\n2,0.5,-1\n", Options{Task: "multilabel"}, []string{"row 1", "label -1", "-100"}},
		{"f,a,b\n1,1,0\n2,,1\n", Options{Task: "multilabel"}, []string{"row 1, column a", "no label", "-100"}},
		{"f,a,b\n1,0.5,0.5\n", Options{Task: "multiclass", Classes: []string{"a", "c"}}, []string{`"b"`, "not among the 2 given"}},
	} {
		c.o.LabelColumns = []string{"a", "b"}
		if c.text[4:6] == "b," {
			c.o.LabelColumns = []string{"a", "b", "c"}
		}
		_, err := readTable(t, c.text, c.o)
		wantFormatError(t, err, c.want...)
	}
	ds := must(readTable(t, "f,a,b\n1,1,-100\n2,0,1\n", Options{LabelColumns: []string{"a", "b"}}))(t)
	if e := must(ds.Example(0))(t); e.Y.String() != "int64[2]" || e.Y.I64()[1] != NoLabel {
		t.Errorf("not known, without a task: %v", e.Y)
	}
	ds = must(readTable(t, "f,a\n1,0.75\n2,-100\n", Options{Task: "multilabel"}))(t)
	if e := must(ds.Example(0))(t); e.Y.String() != "float32[1]" || e.Y.F32()[0] != 0.75 {
		t.Errorf("one label: %v", e.Y)
	}
	_, err := openArrays(t, "", Options{Task: "multilabel"}, named("x", tensor.New(tensor.Float32, 2, 1)),
		named("y", tensor.New(tensor.Int64, 2, 3)),
		named("classes", tensor.FromStrings(cat[:2], 2)))
	wantFormatError(t, err, "3 labels", "2 names")
}

// TestLabelLists has lists of labels in one column, in the order of classes that are given.
func TestLabelLists(t *testing.T) {
	o := Options{Task: "multilabel", LabelColumn: "tags", Classes: []string{"dev", "art", "bio"}}
	for name, text := range map[string]string{
		"bars":       "f,tags\n1,art|dev\n2,\n3,dev\n",
		"semicolons": "f,tags\n1,art; dev\n2,\n3,dev\n",
		"commas":     "f,tags\n1,\"art, dev\"\n2,\n3,dev\n",
		"Python":     "f,tags\n1,\"['art', 'dev']\"\n2,[]\n3,\"[\"\"dev\"\"]\"\n",
		"tabs":       "f\ttags\n1\tart,dev\n2\t\n3\tdev\n",
	} {
		ds, err := readTable(t, text, o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []int64
		for i := range 3 {
			got = append(got, must(ds.Example(i))(t).Y.I64()...)
		}
		if !slices.Equal(got, []int64{1, 1, 0, 0, 0, 0, 1, 0, 0}) || !slices.Equal(ds.Classes(), o.Classes) {
			t.Errorf("%s: %v of %v", name, got, ds.Classes())
		}
	}
	_, err := readTable(t, "f,tags\n1,art|law\n", o)
	wantFormatError(t, err, `"law" is not among the 3 given classes`)
	ds := must(readTable(t, "f,tags\n1,art|dev\n2,art\n3,dev\n", Options{}))(t)
	if got := say(ds); got != `the labels of the column tags, such as "art|dev", are one class each; --task multilabel takes them for lists` {
		t.Errorf("lists without a task: %q", got)
	}
	_, err = readTable(t, "f,tags\n1,art|dev\n2,\n", Options{})
	wantFormatError(t, err, "line 3, column tags: no label", "--task multilabel")
	ds = must(readTable(t, "f,tags\n1,art dev\n2,art\n", Options{Task: "multilabel"}))(t)
	if got := say(ds); got != "the column tags is taken for one label a row: | divides lists, blanks do not" {
		t.Errorf("blanks: %q", got)
	}
}
