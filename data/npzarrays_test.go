package data

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// TestNPZUsualNames has archives that name their arrays otherwise than x and y.
func TestNPZUsualNames(t *testing.T) {
	x, y := tensor.From([]float32{1, 2, 3, 4, 5, 6}, 3, 2), tensor.From([]int64{1, 0, 1}, 3)
	for name, c := range map[string]struct {
		arrays []tensor.Named
		tail   string
		note   string
	}{
		"scikit-learn": {[]tensor.Named{named("data", x), named("target", y)}, "",
			"target is taken for y\nthe array data is taken for x"},
		"images": {[]tensor.Named{named("images", x), named("labels", y)}, "", "the array images is taken for x"},
		"inputs": {[]tensor.Named{named("inputs", x), named("targets", y), named("mean", tensor.New(tensor.Float32, 2))}, "",
			"targets is taken for y"},
		"features":         {[]tensor.Named{named("Features", x), named("label", y)}, "", "Features is taken for x"},
		"x beside targets": {[]tensor.Named{named("x", x), named("target", y)}, "", "target is taken for y"},
		"splits": {[]tensor.Named{named("data_train", tensor.New(tensor.Float32, 5, 2)),
			named("target_train", tensor.New(tensor.Int64, 5)),
			named("data_test", x), named("target_test", y)}, "#test",
			"the array target_test is taken for y\nthe array data is taken for x"},
		"Keras": {[]tensor.Named{named("train_images", tensor.New(tensor.Float32, 5, 2)),
			named("train_labels", tensor.New(tensor.Int64, 5)),
			named("test_images", x), named("test_labels", y)}, "#test", "the array images is taken for x"},
		"train_x": {[]tensor.Named{named("train_x", x), named("train_y", y), named("test_x", tensor.New(tensor.Float32, 5, 2))}, "",
			"another split"},
		"without names": {[]tensor.Named{named("arr_0", x), named("arr_1", y)}, "",
			"the array arr_1 is taken for y\nthe array arr_0 is taken for x"},
	} {
		ds, err := openArrays(t, c.tail, Options{}, c.arrays...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		e := must(ds.Example(2))(t)
		if e.X == nil || !slices.Equal(e.X.F32(), []float32{5, 6}) || e.Label != 1 || !strings.Contains(say(ds), c.note) ||
			e.Fields != nil {
			t.Errorf("%s: %+v, notes %q", name, e, Notes(ds))
		}
	}
	ds := must(openArrays(t, "", Options{}, named("src", x), named("target", x)))(t)
	if e := must(ds.Example(0))(t); e.Fields["src"] == nil || e.Y == nil {
		t.Errorf("an array of another name: %+v", e)
	}
	ds = must(openArrays(t, "", Options{}, named("data", x), named("weights", x), named("y", y)))(t)
	if e := must(ds.Example(0))(t); e.X != nil || len(e.Fields) != 2 {
		t.Errorf("two arrays: %+v", e)
	}
	ds = must(openArrays(t, "", Options{}, named("target", x)))(t)
	if e := must(ds.Example(0))(t); e.Fields["target"] == nil || e.Y != nil {
		t.Errorf("a target alone is an input: %+v", e)
	}
	ds = must(openArrays(t, "", Options{}, named("data", x), named("target", y),
		named("target_names", tensor.FromStrings([]string{"no", "yes"}, 2)),
		named("feature_names", tensor.FromStrings([]string{"a", "b"}, 2))))(t)
	if !slices.Equal(ds.Classes(), []string{"no", "yes"}) || !slices.Equal(FeatureNames(ds), []string{"a", "b"}) {
		t.Errorf("names %v %v", ds.Classes(), FeatureNames(ds))
	}
	ds = must(openArrays(t, "", Options{}, named("images", tensor.New(tensor.Uint8, 3, 4, 4)), named("labels", y)))(t)
	if e := must(ds.Example(0))(t); !e.Picture || !Augmentable(ds) || !strings.Contains(say(ds), "?as=tensor") {
		t.Errorf("pictures: %+v, notes %q", e, Notes(ds))
	}
	_, err := openArrays(t, "", Options{}, named("x", x), named("y", y), named("classes", tensor.FromStrings([]string{"a", "a"}, 2)))
	wantFormatError(t, err, "classes", `"a" comes twice`)
	ds = must(openArrays(t, "", Options{}, named("x", x), named("test_flag", x), named("y", tensor.From([]float32{1, 0, 1}, 3))))(t)
	if e := must(ds.Example(0))(t); e.Fields["test_flag"] == nil {
		t.Errorf("a name that begins like a split: %+v", e)
	}
	ds = must(openArrays(t, "", Options{}, named("x", tensor.New(tensor.Uint8, 4, 8, 8, 4)),
		named("y", tensor.From([]float32{1, 0, 1, 0}, 4))))(t)
	if got := say(ds); !strings.Contains(got, "pictures have 1 or 3 channels") ||
		!strings.Contains(got, "y holds whole numbers as fractions") {
		t.Errorf("four channels: %q", got)
	}
	ds = must(openArrays(t, "", Options{}, named("x", tensor.New(tensor.Uint8, 3, 16, 3)), named("y", y)))(t)
	if !strings.Contains(say(ds), "uint8 [3,16,3]: taken for grey pictures; ?as=tensor feeds it as it is") {
		t.Errorf("ids of bytes: %q", Notes(ds))
	}
}

// TestNPZRows has arrays that are a row short.
func TestNPZRows(t *testing.T) {
	f, y := func(n int) *tensor.Tensor { return tensor.New(tensor.Float32, n, 2) }, func(n int) *tensor.Tensor {
		return tensor.New(tensor.Int64, n)
	}
	for name, c := range map[string]struct {
		arrays []tensor.Named
		want   []string
	}{
		"labels":      {[]tensor.Named{named("x", f(20)), named("labels", y(19))}, []string{"labels:", "19 rows where x has 20"}},
		"labels, few": {[]tensor.Named{named("x", f(4)), named("y", y(3))}, []string{"y:", "3 rows where x has 4"}},
		"no axis":     {[]tensor.Named{named("x", f(4)), named("y", tensor.Scalar(int64(1)))}, []string{"y:", "no rows where x has 4"}},
		"an input": {[]tensor.Named{named("ids", f(18)), named("mask", f(19)), named("y", y(19))},
			[]string{"ids:", "18 rows where y has 19"}},
		"beside x": {[]tensor.Named{named("x", f(100)), named("aux", f(97)), named("y", y(100))},
			[]string{"aux:", "97 rows where x has 100"}},
		"data, target": {[]tensor.Named{named("data", f(19)), named("target", y(20))}, []string{"target:", "20 rows where data has 19"}},
		"all inputs": {[]tensor.Named{named("ids", f(5)), named("mask", f(5)), named("y", y(4))},
			[]string{"y:", "4 rows where the others have 5"}},
	} {
		_, err := openArrays(t, "", Options{}, c.arrays...)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		wantFormatError(t, err, c.want...)
	}
	ds := must(openArrays(t, "", Options{}, named("x", f(20)), named("y", y(20)), named("extra", tensor.New(tensor.Int64, 7))))(t)
	if !strings.Contains(say(ds), "not numbers of 20 rows are left out: extra [7]") {
		t.Errorf("notes %q", Notes(ds))
	}
}

// TestNPZClassesOfPositions has names of classes go with positions and pixels, to where a given list has them.
func TestNPZClassesOfPositions(t *testing.T) {
	names := named("classes", tensor.FromStrings([]string{"sky", "road", "car"}, 3))
	given := Options{Classes: []string{"car", "sky", "tree", "road"}}
	x := named("x", tensor.New(tensor.Float32, 2, 1, 1, 4))
	pictures := named("x", tensor.New(tensor.Uint8, 2, 1, 4))
	for name, c := range map[string]struct {
		x, y   tensor.Named
		o      Options
		want   string
		unlike bool // the classes are those of the file
	}{
		"positions": {x, named("y", tensor.From([]int64{0, 1, 2, NoLabel, 2, 2, 0, NoLabel}, 2, 1, 4)), given,
			"int64 [0 0 1 -100]", false},
		"bytes": {x, named("y", tensor.From([]uint8{0, 1, 2, 255, 2, 2, 0, 255}, 2, 1, 4)), given, "int64 [0 0 1 -100]", false},
		"own names": {x, named("y", tensor.From([]uint8{0, 1, 2, 255, 2, 2, 0, 255}, 2, 1, 4)), Options{}, "uint8 [2 2 0 255]",
			true},
		"masks": {pictures, named("y", tensor.From([]int64{0, 1, 2, NoLabel, 2, 2, 0, NoLabel}, 2, 1, 4)), given,
			"mask [0 0 1 255]", false},
		"masks, bytes": {pictures, named("y", tensor.From([]uint8{0, 1, 2, 255, 2, 2, 0, 255}, 2, 1, 4)), Options{},
			"mask [2 2 0 255]", true},
		"masks of bools": {pictures, named("y", tensor.From([]bool{true, true, false, false, true, false, true, true}, 2, 1, 4)),
			Options{}, "mask [1 0 1 1]", true},
		"masks, channel": {pictures, named("y", tensor.From([]int64{0, 1, 2, 0, 2, 2, 0, 1}, 2, 1, 1, 4)),
			Options{Task: "segmentation"}, "mask [2 2 0 1]", true},
		"masks, last axis": {pictures, named("y", tensor.From([]bool{true, true, false, false, true, false, true, true}, 2, 1, 4, 1)),
			Options{}, "mask [1 0 1 1]", true},
		"masks, floats": {pictures, named("y", tensor.From([]float32{0, 1, 2, 0, 2, 2, 0, 1}, 2, 1, 4)), Options{Task: "segmentation"},
			"mask [2 2 0 1]", true},
		"black and white": {pictures, named("y", tensor.From([]uint8{0, 255, 255, 0, 255, 255, 0, 0}, 2, 1, 4)), Options{},
			"mask [1 1 0 0]", true},
		"white, in int64": {pictures, named("y", tensor.From([]int64{0, 255, 255, 0, 255, 255, 0, 0}, 2, 1, 4)), Options{},
			"mask [1 1 0 0]", true},
	} {
		ds, err := openArrays(t, "", c.o, c.x, c.y, names)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		e := must(ds.Example(1))(t)
		got := ""
		if e.Mask != nil {
			got = fmt.Sprint("mask ", e.Mask.Bytes())
		} else {
			got = fmt.Sprint(e.Y.DType(), " ", e.Y.Float64s())
		}
		want := c.o.Classes
		if c.unlike {
			want = names.Tensor.Strings()
		}
		if got != c.want || !slices.Equal(ds.Classes(), want) || (e.Mask != nil) != Masked(ds) {
			t.Errorf("%s: %s of %v, want %s of %v", name, got, ds.Classes(), c.want, want)
		}
	}
	_, err := openArrays(t, "", Options{Classes: []string{"sky", "rode"}}, x,
		named("y", tensor.From([]int64{0, 1, 0, 0, 0, 0, 0, 0}, 2, 1, 4)), names)
	wantFormatError(t, err, `"road" is not among`)
	ds := must(openArrays(t, "", Options{}, x, named("y", tensor.From([]int64{0, 1, 7, 0, 0, 0, 0, 0}, 2, 1, 4)), names))(t)
	if !strings.Contains(say(ds), "names 3 classes, and class numbers reach 7") || ds.Classes() != nil {
		t.Errorf("too few names: %v, notes %q", ds.Classes(), Notes(ds))
	}
	_, err = openArrays(t, "", Options{}, named("x", tensor.New(tensor.Uint8, 2, 4, 4)), named("y", tensor.New(tensor.Uint8, 2, 1, 4, 4)))
	wantFormatError(t, err, "y:", "--task segmentation")
}
