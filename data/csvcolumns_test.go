package data

import (
	"errors"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// say is the notes of ds in one text.
func say(ds Dataset) string { return strings.Join(Notes(ds), "\n") }

func TestCSVNumbers(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		o    Options
		want string // part of the error, or of the first row
	}{
		"thousands in quotes": {"a,b,k\n\"1,234\",1,x\n\"5,678\",2,y\n", Options{},
			`line 2, column a: "1,234" is a thousand or a fraction`},
		"decimal comma in quotes": {"a,b,k\n\"1,5\",1,x\n2,2,y\n", Options{}, "[1.5 1]"},
		"thousands":               {"a;b;k\n1.234,5;1;x\n", Options{}, `"1.234,5" has thousands separators`},
		"many thousands":          {"a;b;k\n1,234,567;1;x\n", Options{}, "thousands separators"},
		"apostrophes":             {"a;b;k\n1'234.5;1;x\n", Options{}, "thousands separators"},
		"narrow blanks":           {"a;b;k\n1\u202f234;1,5;x\n", Options{}, "thousands separators"},
		"thousand or fraction": {"a;b;k\n1,234;1;x\n5,678;2;y\n", Options{},
			"line 2, column a: \"1,234\" is a thousand or a fraction"},
		"thousand or fraction, said":    {"a;b;k\n1,234;1;x\n5,678;2;y\n", Options{Decimal: ","}, "[1.234 1]"},
		"thousand or fraction, by rest": {"a;b;k\n1,234;0,5;x\n5,678;2;y\n", Options{}, "[1.234 0.5]"},
		"comma among points": {"a;b;k\n1.5;1;x\n2,25;2;y\n", Options{Decimal: "."},
			`line 3, column a: "2,25" has a comma where others have a decimal point`},
		"point among commas": {"a;b;k\n1,5;1;x\n2.25;2;y\n", Options{},
			`line 3, column a: "2.25" has a point where others have a decimal comma`},
		"not a mark":               {"a;b;k\n1;1;x\n", Options{Decimal: "'"}, "decimal mark"},
		"missing in the first row": {"a,b,k\nNA,1,x\n2,2,y\n3,3,x\n", Options{}, "line 2, column a: missing value"},
		"missing later":            {"a,b,k\n1,1,x\nn/a,2,y\n", Options{}, "line 3, column a: missing value"},
		"missing, allowed":         {"a,b,k\nNA,1,x\n2,2,y\n", Options{AllowNonFinite: true}, "[NaN 1]"},
		"text among numbers":       {"a,b,k\n1,1,x\nmany,2,y\n3,3,y\n", Options{}, `line 3, column a: "many" is not a number`},
		"number among texts":       {"a,b,k\nA1,1,x\n12,2,y\nB3,3,y\n", Options{}, "[1]"},
	} {
		ds, err := readTable(t, c.text, c.o)
		if err != nil {
			wantFormatError(t, err, c.want, "t.csv")
			continue
		}
		if got := fmt.Sprint(must(ds.Example(0))(t).X.F32()); got != c.want {
			t.Errorf("%s: first row %s, want %s", name, got, c.want)
		}
	}
}

// TestCSVRowNumbers has the columns that pandas and R write beside the data.
func TestCSVRowNumbers(t *testing.T) {
	for name, c := range map[string]struct {
		text, ids, note string
	}{
		"pandas":              {",a,b,label\n0,1.5,2,x\n1,2.5,3,y\n", "0 1", "no name, numbers the rows: the ids"},
		"pandas, filtered":    {",a,b,label\n17,1.5,2,x\n4,2.5,3,y\n", "17 4", "the ids"},
		"pandas, texts":       {",a,b,label\nann,1.5,2,x\nbob,2.5,3,y\n", "ann bob", "the ids"},
		"pandas, read again":  {"Unnamed: 0,a,b,label\n0,1.5,2,x\n1,2.5,3,y\n", "0 1", `"Unnamed: 0" numbers the rows`},
		"pandas, twice":       {",Unnamed: 0,a,b,label\n5,0,1.5,2,x\n6,1,2.5,3,y\n", "5 6", `"Unnamed: 0" numbers the rows: left out`},
		"pandas, concat":      {",a,b,label\n0,1.5,2,x\n0,2.5,3,y\n", "0 1", `"0" comes twice`},
		"pandas, reset_index": {"index,a,b,label\n0,1.5,2,x\n1,2.5,3,y\n", "0 1", `"index" numbers the rows`},
		"beside an id":        {",id,a,b,label\n0,p,1.5,2,x\n1,q,2.5,3,y\n", "p q", "left out"},
		"R":                   {"\"a\",\"b\",\"label\"\n\"1\",1.5,2,\"x\"\n\"2\",2.5,3,\"y\"\n", "1 2", "the ids"},
	} {
		ds, err := readTable(t, c.text, Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		e := must(ds.Example(1))(t)
		if !slices.Equal(e.X.F32(), []float32{2.5, 3}) || e.Label != 1 || ds.ID(0)+" "+ds.ID(1) != c.ids ||
			!strings.Contains(say(ds), c.note) {
			t.Errorf("%s: %v, ids %q %q, notes %q", name, e.X.F32(), ds.ID(0), ds.ID(1), Notes(ds))
		}
		if !slices.Equal(FeatureNames(must(Subset(ds, []int{0}))(t)), []string{"a", "b"}) {
			t.Errorf("%s: features %v", name, FeatureNames(ds))
		}
	}
	_, err := readTable(t, ",a,label\n0.5,1,x\n0.7,2,y\n", Options{})
	wantFormatError(t, err, "line 2", "no name")
	ds := must(readTable(t, "index,a,label\n3,1,x\n9,2,y\n", Options{}))(t) // does not count: a feature like any other
	if must(ds.Example(0))(t).X.Len() != 2 {
		t.Error("a column named index that does not count is left out")
	}
}

func TestCSVInputs(t *testing.T) {
	const text = "user,item,price,hour,colour,label\n7,3,1.5,2.0,red,yes\n9000000000,4,2,3.0,blue,no\n"
	ds := must(readTable(t, text, Options{Inputs: map[string][]string{"ids": {"user"}, "pair": {"item", "hour"},
		"x": {"price", "item"}}}))(t)
	e := must(ds.Example(1))(t)
	if e.X != nil || e.Label != 0 || e.Groups["colour"] != "blue" || len(e.Fields) != 3 {
		t.Fatalf("%+v", e)
	}
	for name, want := range map[string]*tensor.Tensor{
		"ids": tensor.From([]int64{9000000000}, 1), "pair": tensor.From([]int64{4, 3}, 2), "x": tensor.From([]float32{2, 4}, 2),
	} {
		if !tensor.Equal(e.Fields[name], want) {
			t.Errorf("%s is %v, want %v", name, e.Fields[name], want)
		}
	}
	if notes := say(ds); notes != "the column colour is text: a group, not a feature; --group-by names groups" {
		t.Errorf("notes %q", notes)
	}
	ds = must(readTable(t, text, Options{Inputs: map[string][]string{"ids": {"user"}}}))(t)
	if !strings.Contains(say(ds), "no input takes: item, price, hour") {
		t.Errorf("notes %q", Notes(ds))
	}
	ds = must(readTable(t, text, Options{Inputs: map[string][]string{"ids": {"user"}, "x": {"*"}}}))(t)
	if e := must(ds.Example(0))(t); !slices.Equal(e.Fields["x"].F32(), []float32{3, 1.5, 2}) {
		t.Errorf("the rest is %v", e.Fields["x"])
	}
	for _, c := range []struct {
		inputs map[string][]string
		want   []string
	}{
		{map[string][]string{"x": {"prise"}}, []string{`no input column "prise"`, `did you mean "price"`}},
		{map[string][]string{"x": {"price", "colour"}}, []string{"column colour", "text", `"red"`, "0 and 1"}},
		{map[string][]string{"x": {"*"}, "z": {"*"}}, []string{`"x" and "z"`}},
		{map[string][]string{"x": {"price", "price"}}, []string{"comes twice"}},
		{map[string][]string{"x": {}}, []string{"no columns"}},
	} {
		_, err := readTable(t, text, Options{Inputs: c.inputs})
		wantFormatError(t, err, c.want...)
	}
}

func TestCSVWindowsPathsAndMasks(t *testing.T) {
	dir := t.TempDir()
	write1(t, filepath.Join(dir, "p", "a.png"), pngOf(flat(4, 3, color.NRGBA{7, 8, 9, 255})))
	write1(t, filepath.Join(dir, `odd\name.png`), pngOf(flat(4, 3, color.NRGBA{1, 8, 9, 255})))
	list := write1(t, filepath.Join(dir, "l.csv"), []byte("file;label\np\\a.png;x\nodd\\name.png;y\n"))
	ds := must(Open(list, Options{}))(t)
	if ds.ID(0) != "p/a.png" || ds.ID(1) != `odd\name.png` || must(ds.Example(0))(t).X.Bytes()[0] != 7 ||
		must(ds.Example(1))(t).X.Bytes()[0] != 1 {
		t.Errorf("ids %q %q", ds.ID(0), ds.ID(1))
	}
	for _, p := range []string{`C:\p\a.png`, `..\a.png`, `\\host\a.png`} {
		write1(t, list, []byte("file,label\n"+p+",x\n"))
		_, err := Open(list, Options{})
		wantFormatError(t, err, "line 2, column file", "leaves the folder")
	}
	write1(t, list, []byte("file,mask\np\\a.png,m\\a.png\n"))
	ds = must(Open(list, Options{}))(t)
	if ds.Label(0) != -1 || ds.Classes() != nil {
		t.Errorf("label %d of %v", ds.Label(0), ds.Classes())
	}
	if _, err := ds.Example(0); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a mask that is not there: %v", err)
	}
	mask := write1(t, filepath.Join(dir, "m", "a.png"), pngOf(greyOf(4, 0, 1, 2, 255, 0, 0, 0, 0, 7, 7, 7, 7)))
	if e := must(ds.Example(0))(t); !slices.Equal(e.Mask.Bytes(), []uint8{0, 1, 2, 255, 0, 0, 0, 0, 7, 7, 7, 7}) || !Masked(ds) {
		t.Errorf("mask %v", e.Mask.Bytes())
	}
	write1(t, mask, pngOf(greyOf(4, 0, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0)))
	if e := must(must(Open(list, Options{}))(t).Example(0))(t); e.Mask.Bytes()[1] != 1 {
		t.Errorf("of 0 and 255: %v", e.Mask.Bytes())
	}
	write1(t, mask, pngOf(greyOf(3, 0, 1, 2)))
	_, err := ds.Example(0)
	wantFormatError(t, err, "size of its picture")
	_, err = readTable(t, "a,mask,label\n1,2,x\n", Options{MaskColumn: "mask"})
	wantFormatError(t, err, "masks without pictures")
}

// TestCSVPictureColumn finds the column of picture files by what it holds.
func TestCSVPictureColumn(t *testing.T) {
	dir := t.TempDir()
	for _, f := range []string{"a.png", "b.png"} {
		write1(t, filepath.Join(dir, f), pngOf(flat(2, 2, color.NRGBA{1, 2, 3, 255})))
	}
	for text, want := range map[string]string{
		"image_path,label\na.png,x\nb.png,y\n":       "the column image_path names picture files",
		"a.png x\nb.png y\n":                         "the column 0 names picture files",
		"file,w,h,label\na.png,1,2,x\nb.png,3,4,y\n": "beside pictures the columns w, h: groups, not features; --label-column names targets",
	} {
		ds := must(readTable(t, text, Options{Root: dir, Header: ""}))(t)
		if e := must(ds.Example(1))(t); !e.Picture || FileOf(ds, 1) != filepath.Join(dir, "b.png") || say(ds) != want {
			t.Errorf("%q: %+v, notes %q", text, e, Notes(ds))
		}
	}
	ds := must(readTable(t, "name,a,label\na.png,1,x\nb.txt,2,y\n", Options{}))(t)
	if must(ds.Example(0))(t).Picture {
		t.Error("other files are taken for pictures")
	}
}

// TestCSVTextInputs: columns of text are strings for the input that is given them, in batches and parts of them too, and several inputs get
// the columns of their names.
func TestCSVTextInputs(t *testing.T) {
	const text = "age,city,land,label\n20,Bern,CH,0\n61.5,Rome,IT,1\n40,,IT,1\n"
	for _, o := range []Options{
		{Inputs: map[string][]string{"age": {"age"}, "city": {"city"}}},
		{InputNames: []string{"city", "age"}},
		{InputNames: []string{"city", "age"}, Inputs: map[string][]string{"age": {"age"}, "city": {"city"}}},
	} {
		ds := must(readTable(t, text, o))(t)
		e := must(ds.Example(1))(t)
		if e.X != nil || e.Label != 1 || len(e.Fields) != 2 || !tensor.Equal(e.Fields["age"], tensor.From([]float32{61.5}, 1)) {
			t.Errorf("%+v", e)
		}
		for b, err := range Batches(t.Context(), ds, Sequential(3), 0, BatchOptions{Workers: 1}) {
			if err != nil {
				t.Fatal(err)
			}
			if c := b.Fields["city"]; !slices.Equal(c.Strings(), []string{"Bern", "Rome", ""}) || !c.Shape().Equal(tensor.Shape{3, 1}) {
				t.Errorf("cities %v", c)
			}
			if c := b.Slice(1, 3).Fields["city"]; !slices.Equal(c.Strings(), []string{"Rome", ""}) {
				t.Errorf("the last cities are %v", c)
			}
		}
	}
	two := must(readTable(t, text, Options{Inputs: map[string][]string{"where": {"city", "land"}}}))(t)
	if e := must(two.Example(0))(t); !slices.Equal(e.Fields["where"].Strings(), []string{"Bern", "CH"}) {
		t.Errorf("%v", e.Fields)
	}
	for _, names := range [][]string{{"age"}, {"age", "town"}} { // one input takes all features; not every input has a column
		if e := must(must(readTable(t, text, Options{InputNames: names}))(t).Example(0))(t); e.Fields != nil || e.X == nil {
			t.Errorf("inputs %v: %+v", names, e)
		}
	}
	ds := must(readTable(t, text+",Oslo,NO,0\n", Options{Inputs: map[string][]string{"age": {"age"}, "city": {"city"}}, Missing: "mean"}))(t)
	if e := must(ds.Example(3))(t); e.Fields["age"].F32()[0] != 40.5 || e.Fields["city"].Strings()[0] != "Oslo" {
		t.Errorf("filled: %v", e.Fields)
	}
}
