package data

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// openArrays writes arrays to a new archive and opens it.
func openArrays(t *testing.T, tail string, o Options, arrays ...tensor.Named) (Dataset, error) {
	t.Helper()
	path := write1(t, filepath.Join(t.TempDir(), "a.npz"), npzOf(t, arrays...))
	return Open(path+tail, o)
}

func named(name string, t *tensor.Tensor) tensor.Named { return tensor.Named{Name: name, Tensor: t} }

func zeros[T tensor.Elem](n int) []T { return make([]T, n) }

func TestNPZInputsByName(t *testing.T) {
	ids := named("input_ids", tensor.From([]int32{1, 2, 3, 4, 5, 6}, 3, 2))
	mask := named("attention_mask", tensor.From([]bool{true, false, true, true, true, false}, 3, 2))
	half := named("weight", tensor.New(tensor.Float16, 3))
	y := named("labels", tensor.From([]uint8{1, 0, 1}, 3))
	ds := must(openArrays(t, "", Options{}, ids, mask, half, y, named("table", tensor.New(tensor.Float32, 5, 2)),
		named("scale", tensor.Scalar(float32(2)))))(t)
	e := must(ds.Example(1))(t)
	if e.X != nil || e.Picture || e.Label != 0 || ds.Len() != 3 || len(e.Fields) != 3 {
		t.Fatalf("%+v", e)
	}
	if got := e.Fields["input_ids"]; !tensor.Equal(got, tensor.From([]int32{3, 4}, 2)) {
		t.Errorf("ids %v", got)
	}
	if e.Fields["attention_mask"].String() != "bool[2]" || e.Fields["weight"].String() != "float16[]" {
		t.Errorf("types %v", e.Fields)
	}
	if !strings.Contains(say(ds), "not numbers of 3 rows are left out: table [5,2], scale []") {
		t.Errorf("notes %q", Notes(ds))
	}
	ds = must(openArrays(t, "", Options{}, named("X", tensor.New(tensor.Float64, 3, 4)), ids,
		named("Y", tensor.From([]int64{0, 1, 2}, 3))))(t)
	if e = must(ds.Example(2))(t); e.X.String() != "float64[4]" || len(e.Fields) != 1 || e.Label != 2 {
		t.Errorf("x beside others: %+v", e)
	}
	split := []tensor.Named{
		named("ids_train", tensor.From([]int64{1, 2, 3}, 3, 1)), named("y_train", tensor.From([]int64{0, 1, 0}, 3)),
		named("ids_test", tensor.From([]int64{4, 5}, 2, 1)), named("y_test", tensor.From([]int64{1, 0}, 2)),
		named("classes", tensor.FromStrings([]string{"a", "b"}, 2)),
	}
	for tail, n := range map[string]int{"": 3, "#train": 3, "#test": 2} {
		ds = must(openArrays(t, tail, Options{}, split...))(t)
		if e = must(ds.Example(0))(t); ds.Len() != n || e.Fields["ids"] == nil || len(e.Fields) != 1 || e.Label != 3-n ||
			ds.Classes()[1] != "b" {
			t.Errorf("split %q: %d examples, %+v", tail, ds.Len(), e)
		}
	}
	if ds = must(openArrays(t, "", Options{}, split...))(t); !strings.Contains(say(ds), "another split") {
		t.Errorf("notes %q", Notes(ds))
	}
	_, err := openArrays(t, "#val", Options{}, split...)
	wantFormatError(t, err, `no array "x_val"`)
	_, err = openArrays(t, "", Options{}, ids, named("other", tensor.New(tensor.Float32, 5, 2)))
	wantFormatError(t, err, "3 rows of input_ids and 5 of other", "input_ids [3,2], other [5,2]")
	_, err = openArrays(t, "", Options{}, named("a", tensor.FromStrings([]string{"a"}, 1)))
	wantFormatError(t, err, "no array that can be fed")
	ds = must(openArrays(t, "", Options{}, ids, named("id", tensor.From([]int64{30, 10, 20}, 3))))(t)
	if ds.ID(1) != "10" {
		t.Errorf("numbers as ids: %q", ds.ID(1))
	}
}

func TestNPZTargets(t *testing.T) {
	x := named("x", tensor.New(tensor.Float32, 2, 3))
	for name, c := range map[string]struct {
		y    *tensor.Tensor
		o    Options
		want string // type of Y and its values in the second example, or the two labels
	}{
		"classes":               {tensor.From([]int64{2, 0}, 2), Options{}, "2 0"},
		"classes, bytes [N,1]":  {tensor.From([]uint8{2, 0}, 2, 1), Options{}, "2 0"},
		"classes, bool":         {tensor.From([]bool{true, false}, 2), Options{}, "1 0"},
		"classes, none":         {tensor.From([]int64{1, NoLabel}, 2), Options{}, "1 -1"},
		"classes, texts":        {tensor.FromStrings([]string{"b", "a"}, 2), Options{}, "1 0"},
		"fractions":             {tensor.From([]float32{2, 1}, 2), Options{}, "float32[] [1]"},
		"fractions [N,1]":       {tensor.From([]float64{2, 1}, 2, 1), Options{}, "float64[1] [1]"},
		"fractions, classes":    {tensor.From([]float64{11, 3}, 2, 1), Options{Task: "classification"}, "11 3"},
		"fractions, multiclass": {tensor.From([]float32{11, 3}, 2), Options{Task: "multiclass"}, "11 3"},
		"fractions, binary":     {tensor.From([]float32{1, 0}, 2), Options{Task: "binary"}, "1 0"},
		"integers, regression":  {tensor.From([]int64{7, 9}, 2), Options{Task: "regression"}, "float32[] [9]"},
		"large, regression":     {tensor.From([]int64{7, 1<<24 + 1}, 2), Options{Task: "regression"}, "float64[] [1.6777217e+07]"},
		"half, regression":      {tensor.New(tensor.Float16, 2, 2), Options{}, "float32[2] [0 0]"},
		"positions":             {tensor.From([]int32{5, 1, NoLabel, 3}, 2, 2), Options{}, "int64[2] [-100 3]"},
		"positions [N,H,W]":     {tensor.From([]int16{5, 1, 2, 3}, 2, 1, 2), Options{}, "int64[1,2] [2 3]"},
		"positions, bytes":      {tensor.From([]uint8{5, 1, 2, 255}, 2, 1, 2), Options{}, "uint8[1,2] [2 255]"},
		"black and white": {tensor.From([]uint8{0, 255, 255, 255}, 2, 1, 2), Options{Task: "segmentation"},
			"uint8[1,2] [255 255]"},
		"classes, black and white": {tensor.From([]uint8{255, 0}, 2), Options{}, "1 0"},
		"one flat label":           {tensor.From([]int64{1, 0}, 2), Options{Task: "multilabel"}, "int64[1] [0]"},
		"positions from fractions": {tensor.From([]float32{5, 1, -100, 3}, 2, 2), Options{Task: "tokens"}, "int64[2] [-100 3]"},
		"labels":                   {tensor.From([]int8{1, 1, 0, 1}, 2, 2), Options{}, "int64[2] [0 1]"},
		"labels, bool":             {tensor.From([]bool{true, true, false, true}, 2, 2), Options{}, "int64[2] [0 1]"},
		"labels from fractions":    {tensor.From([]float32{1, 1, 0, 1}, 2, 2), Options{Task: "multilabel"}, "int64[2] [0 1]"},
		"one label":                {tensor.From([]int64{1, 0}, 2, 1), Options{Task: "multilabel"}, "int64[1] [0]"},
		"one-hot":                  {tensor.From([]float32{0, 0, 1, 1, 0, 0}, 2, 3), Options{Task: "classification"}, "2 0"},
		"0 and 1 of positions":     {tensor.From([]int64{1, 1, 0, 1}, 2, 2), Options{Task: "dense"}, "int64[2] [0 1]"},
		"two classes of positions": {tensor.From([]int64{1, 1, 0, 1}, 2, 2), Options{Classes: []string{"a", "b", "c"}}, "int64[2] [0 1]"},
	} {
		ds, err := openArrays(t, "", c.o, x, named("y", c.y))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		e := must(ds.Example(1))(t)
		got := fmt.Sprint(ds.Label(0), ds.Label(1))
		if e.Y != nil {
			got = fmt.Sprint(e.Y, e.Y.Float64s())
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	for name, c := range map[string]struct {
		y    *tensor.Tensor
		o    Options
		want []string
	}{
		"minus one":            {tensor.From([]int64{1, -1}, 2), Options{}, []string{"y, row 1", "-100"}},
		"fraction for a class": {tensor.From([]float32{1, 1.5}, 2), Options{Task: "classification"}, []string{"y, row 1", "1.5"}},
		"not one-hot": {tensor.From([]float32{1, 0, 1, 1}, 2, 2), Options{Task: "multiclass"},
			[]string{"row 1", "2 labels", "multilabel"}},
		"classes of positions": {tensor.New(tensor.Int64, 2, 2, 2), Options{Task: "multiclass"}, []string{"--task dense"}},
		"not from 0 to 1": {tensor.From([]float32{1, 0, 1.5, 1}, 2, 2), Options{Task: "multilabel"},
			[]string{"row 1, y [2,2]", "0 and 1", "label 1.5"}},
		"three for binary":       {tensor.From([]int64{1, 2}, 2), Options{Task: "binary"}, []string{"class 2", "multiclass"}},
		"negative position":      {tensor.From([]int64{1, 0, -1, 1}, 2, 2), Options{}, []string{"y, row 1", "-100", "regression"}},
		"fraction of a position": {tensor.From([]float32{1, 0, .5, 1}, 2, 2), Options{Task: "tokens"}, []string{"y, row 1", "0.5"}},
		"bad task":               {tensor.From([]int64{1, 2}, 2), Options{Task: "token"}, []string{`did you mean "tokens"`}},
		"texts for a regression": {tensor.FromStrings([]string{"b", "a"}, 2), Options{Task: "regression"},
			[]string{"texts are class names"}},
		"complex": {tensor.New(tensor.Complex64, 2), Options{}, []string{"real numbers"}},
		"other number of classes": {tensor.From([]int8{1, 1, 0, 1}, 2, 2), Options{Task: "multilabel", Classes: []string{"a", "b", "c"}},
			[]string{"2 labels", "3 classes"}},
	} {
		_, err := openArrays(t, "", c.o, x, named("y", c.y))
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		wantFormatError(t, err, c.want...)
	}
	ds := must(openArrays(t, "", Options{}, x, named("y", tensor.From([]float32{1, 0, 0, 1}, 2, 2))))(t)
	if !strings.Contains(say(ds), "multiclass or multilabel") {
		t.Errorf("one-hot fractions: %q", Notes(ds))
	}
}

// TestNPZClassNames has class numbers follow the names that the file gives them.
func TestNPZClassNames(t *testing.T) {
	x, y := named("x", tensor.New(tensor.Float32, 2, 3)), named("y", tensor.From([]int64{0, 1}, 2))
	names := named("classes", tensor.FromStrings([]string{"cat", "dog"}, 2))
	ds := must(openArrays(t, "", Options{Classes: []string{"ape", "dog", "cat"}}, x, y, names))(t)
	if ds.Label(0) != 2 || ds.Label(1) != 1 {
		t.Errorf("labels %d %d", ds.Label(0), ds.Label(1))
	}
	_, err := openArrays(t, "", Options{Classes: []string{"ape", "dogs", "cat"}}, x, y, names)
	wantFormatError(t, err, `"dog"`, `did you mean "dogs"`)
	ds = must(openArrays(t, "", Options{Classes: []string{"class 0", "class 1"}}, x, y, names))(t)
	if ds.Label(1) != 1 || !strings.Contains(say(ds), "taken as they are") {
		t.Errorf("label %d, notes %q", ds.Label(1), Notes(ds))
	}
}

func TestNPZPictures(t *testing.T) {
	grey := named("x", tensor.From(bytes.Repeat([]byte{1, 2, 3, 4, 5, 6}, 2), 2, 2, 3))
	for _, c := range []struct {
		tail    string
		x       tensor.Named
		picture bool
		note    string
	}{
		{"", grey, true, "x is uint8 [2,2,3]: taken for grey pictures; ?as=tensor"},
		{"?as=tensor", grey, false, ""},
		{"?as=pictures", grey, true, ""},
		{"", named("x", tensor.From(zeros[uint8](24), 2, 2, 2, 3)), true, "colour pictures"},
		{"", named("x", tensor.From(zeros[uint8](12), 2, 2, 3, 1)), true, "grey pictures"},
		{"", named("x", tensor.From(zeros[uint8](12), 2, 6)), false, ""},       // bytes of a text
		{"", named("x", tensor.From(zeros[int64](12), 2, 2, 3)), false, ""},    // numbers of tokens
		{"", named("x", tensor.From(zeros[uint8](16), 2, 2, 2, 2)), false, ""}, // two channels
	} {
		ds := must(openArrays(t, c.tail, Options{}, c.x))(t)
		e := must(ds.Example(0))(t)
		if e.Picture != c.picture || !strings.Contains(say(ds), c.note) || c.note == "" && len(Notes(ds)) > 0 {
			t.Errorf("%v%s: picture %v, notes %q", c.x.Tensor, c.tail, e.Picture, Notes(ds))
		}
		if !e.Picture && !e.X.Shape().Equal(c.x.Tensor.Shape()[1:]) {
			t.Errorf("%v%s: %v", c.x.Tensor, c.tail, e.X)
		}
	}
	_, err := openArrays(t, "?as=pictures", Options{}, named("x", tensor.New(tensor.Float32, 2, 3, 4, 4)))
	wantFormatError(t, err, "pictures are bytes", "float32 [3,4,4]")
	_, err = openArrays(t, "?as=picture", Options{}, grey)
	wantFormatError(t, err, `did you mean "pictures"`)
	// A class for each pixel is a mask where x is pictures, so that it is moved with them.
	y := named("y", tensor.From([]int64{0, 1, 2, 3, 4, -100, 0, 1, 2, 3, 4, 255}, 2, 2, 3))
	e := must(must(openArrays(t, "", Options{}, grey, y))(t).Example(0))(t)
	if e.Y != nil || !slices.Equal(e.Mask.Bytes(), []byte{0, 1, 2, 3, 4, Void}) || !e.Mask.Shape().Equal(tensor.Shape{2, 3}) {
		t.Errorf("mask %v, target %v", e.Mask, e.Y)
	}
	if e = must(must(openArrays(t, "?as=tensor", Options{}, grey, y))(t).Example(0))(t); e.Mask != nil || e.Y.String() != "int64[2,3]" {
		t.Errorf("mask %v, target %v", e.Mask, e.Y)
	}
	e = must(must(openArrays(t, "", Options{}, grey, named("mask", y.Tensor), named("y", tensor.From([]int64{0, 1}, 2))))(t).Example(1))(t)
	if e.Mask == nil || e.Label != 1 || e.Fields["mask"] != nil {
		t.Errorf("mask beside a label: %+v", e)
	}
	e = must(must(openArrays(t, "", Options{}, named("ids", tensor.New(tensor.Int64, 2, 3)),
		named("mask", tensor.New(tensor.Int64, 2, 3))))(t).Example(1))(t)
	if e.Mask != nil || e.Fields["mask"] == nil {
		t.Errorf("an input named mask: %+v", e)
	}
	_, err = openArrays(t, "", Options{}, grey, named("y", tensor.From([]int64{0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 300}, 2, 2, 3)))
	wantFormatError(t, err, "y, row 1", "300")
	_, err = openArrays(t, "", Options{}, grey, named("y", tensor.New(tensor.Uint8, 2, 1, 2, 3)))
	wantFormatError(t, err, "targets are not scaled", "float32")
}

// TestExportNPZReadsBack writes sets of every kind and reads them again.
func TestExportNPZReadsBack(t *testing.T) {
	grey := named("x", tensor.From(bytes.Repeat([]byte{1, 2, 3, 4, 5, 6}, 2), 2, 2, 3))
	for name, ds := range map[string]Dataset{
		"fields": must(openArrays(t, "", Options{}, named("a", tensor.From([]int32{1, 2, 3, 4}, 2, 2)),
			named("b", tensor.From([]float32{5, 6}, 2)),
			named("y", tensor.From([]int64{1, NoLabel}, 2))))(t),
		"masks": must(openArrays(t, "", Options{}, grey, named("mask", grey.Tensor), named("y", tensor.From([]int64{1, 0}, 2))))(t),
		"positions": must(openArrays(t, "", Options{}, named("x", tensor.New(tensor.Int64, 2, 3)),
			named("y", tensor.From([]int64{1, 2, -100, 0, 0, 3}, 2, 3))))(t),
		"multilabel": must(readTable(t, "f,a,b\n1,1,0\n2,1,1\n", Options{LabelColumn: "a,b"}))(t),
		"shapes":     must(Open("shapes?n=3&size=16", Options{}))(t),
	} {
		var b bytes.Buffer
		if err := WriteNPZ(&b, ds); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		back := must(Open(write1(t, filepath.Join(t.TempDir(), "x.npz"), b.Bytes()), Options{}))(t)
		if got, want := dump(t, back), dump(t, ds); got != want {
			t.Errorf("%s: reads back as\n%s, want\n%s", name, got, want)
		}
	}
}
