package data

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// labelTable is a table of one feature and the given labels, one per row.
func labelTable(sep string, labels ...string) string {
	return "f" + sep + "label\n1" + sep + strings.Join(labels, "\n1"+sep) + "\n"
}

func TestCSVClassNumbers(t *testing.T) {
	list := strings.Fields
	var twelve []string
	for i := range 24 {
		twelve = append(twelve, fmt.Sprintf("%d.0", (i*5)%12))
	}
	for name, c := range map[string]struct {
		sep     string
		labels  []string
		o       Options
		classes string
		want    []int // nil: targets
		note    string
	}{
		"fractions of none":   {",", list("0.0 1.0 2.0 1.0"), Options{}, "0 1 2", []int{0, 1, 2, 1}, ""},
		"decimal comma":       {";", list("0,0 1,0 2,0 1,0"), Options{}, "0 1 2", []int{0, 1, 2, 1}, "decimal comma"},
		"mixed":               {",", list("0 1.0 1 0.0"), Options{}, "0 1", []int{0, 1, 1, 0}, ""},
		"twelve stay numbers": {",", twelve, Options{Task: "classification"}, "0 1 2 3 4 5 6 7 8 9 10 11", []int{0, 5, 10, 3}, ""},
		"exponents":           {",", list("0e0 1e0 1e0 0"), Options{Task: "multiclass"}, "0 1", []int{0, 1, 1, 0}, ""},
		"not from 0": {",", list("3.0 7.0 3.0 7.0"), Options{}, "3 7", []int{0, 1, 0, 1},
			"the numbers 3, 7 of the column label are classes 0 to 1"},
		"none":                  {",", list("1 -100 0 1"), Options{}, "0 1", []int{1, -1, 0, 1}, ""},
		"none at all":           {",", list("-100 -100"), Options{}, "", []int{-1, -1}, ""},
		"minus one is a class":  {",", list("1 -1 1 -1"), Options{}, "-1 1", []int{1, 0, 1, 0}, "in this order"},
		"fractions, sorted":     {",", list("10.5 9.5 10.5 9.5"), Options{Task: "classification"}, "9.5 10.5", []int{1, 0, 1, 0}, ""},
		"binary":                {",", list("b a b a"), Options{Task: "binary"}, "a b", []int{1, 0, 1, 0}, ""},
		"given names of digits": {",", list("2.0 1.0"), Options{Classes: list("1 2 3")}, "1 2 3", []int{1, 0}, ""},
		"given, more than few":  {",", list("2 0 2 0"), Options{Classes: list("x y z")}, "x y z", []int{2, 0, 2, 0}, ""},
		"regression":            {",", list("0.0 1.0 2.0 1.0"), Options{Task: "regression"}, "", nil, ""},
		"fractions":             {",", list("0.0 1.5 2.0 1.0"), Options{}, "", nil, ""},
		"ages":                  {",", list("18 18 20 20"), Options{}, "18 20", []int{0, 0, 1, 1}, "--task regression"},
	} {
		ds, err := readTable(t, labelTable(c.sep, c.labels...), c.o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := strings.Join(ds.Classes(), " "); got != c.classes {
			t.Errorf("%s: classes %q, want %q", name, got, c.classes)
		}
		for i, w := range c.want {
			if ds.Label(i) != w {
				t.Errorf("%s: row %d: label %d, want %d", name, i, ds.Label(i), w)
			}
		}
		if e := must(ds.Example(1))(t); (e.Y != nil) != (c.want == nil) {
			t.Errorf("%s: target %v", name, e.Y)
		}
		if !strings.Contains(say(ds), c.note) || c.note == "" && say(ds) != "" {
			t.Errorf("%s: notes %q", name, Notes(ds))
		}
	}
}

func TestCSVSeveralLabels(t *testing.T) {
	const text = "f,cat,dog,sun\n1.5,1,0,1\n2.5,0,0,0\n3.5,0,1,0\n"
	ds := must(readTable(t, text, Options{LabelColumn: "cat,dog,sun"}))(t)
	e := must(ds.Example(0))(t)
	if e.Label != -1 || e.Y.String() != "int64[3]" || !slices.Equal(e.Y.I64(), []int64{1, 0, 1}) ||
		!slices.Equal(ds.Classes(), []string{"cat", "dog", "sun"}) {
		t.Errorf("multilabel: %+v of %v", e, ds.Classes())
	}
	ds = must(readTable(t, text, Options{LabelColumns: []string{"sun", "2"}, Classes: []string{"moon", "sun", "dog"}}))(t)
	if e = must(ds.Example(2))(t); !slices.Equal(e.Y.I64(), []int64{0, 0, 1}) || len(ds.Classes()) != 3 {
		t.Errorf("in the order of given classes: %v", e.Y.I64())
	}
	ds = must(readTable(t, "f,a,b\n1,0,1\n2,1,0\n", Options{LabelColumns: []string{"a", "b"}, Task: "multiclass"}))(t)
	if ds.Label(0) != 1 || ds.Label(1) != 0 || ds.Classes()[0] != "a" || must(ds.Example(0))(t).Y != nil {
		t.Errorf("one-hot: %d %d", ds.Label(0), ds.Label(1))
	}
	if ds = must(readTable(t, "f,a,b\n1,0,1\n2,1,0\n", Options{LabelColumns: []string{"a", "b"}}))(t); !strings.Contains(say(ds),
		"--task multiclass") {
		t.Errorf("one-hot without a task: %q", Notes(ds))
	}
	ds = must(readTable(t, "f,u,v\n1,0.5,20\n2,1,-30\n", Options{LabelColumn: "u,v"}))(t)
	if e = must(ds.Example(1))(t); e.Y.String() != "float32[2]" || !slices.Equal(e.Y.F32(), []float32{1, -30}) || ds.Classes() != nil ||
		!slices.Equal(TargetNames(ds), []string{"u", "v"}) {
		t.Errorf("regression: %v", e.Y)
	}
	ds = must(readTable(t, "f,p,q\n1,2,-100\n2,0,1\n", Options{LabelColumn: "p,q", Task: "tokens"}))(t)
	if e = must(ds.Example(0))(t); !slices.Equal(e.Y.I64(), []int64{2, -100}) {
		t.Errorf("positions: %v", e.Y)
	}
	ds = must(readTable(t, "f,\"a,b\",k\n1,2,0\n2,3,1\n", Options{LabelColumn: "a,b"}))(t) // a comma in the name
	if must(ds.Example(0))(t).X.Len() != 2 {
		t.Error("a name with a comma is two columns")
	}
	ds = must(readTable(t, "f,tags\n1,dog|cat\n2,\n3, cat ; sun;\n", Options{Task: "multilabel"}))(t)
	if e = must(ds.Example(2))(t); !slices.Equal(ds.Classes(), []string{"cat", "dog", "sun"}) ||
		!slices.Equal(e.Y.I64(), []int64{1, 0, 1}) {
		t.Errorf("names: %v of %v", e.Y.I64(), ds.Classes())
	}
	if e = must(ds.Example(1))(t); !slices.Equal(e.Y.I64(), []int64{0, 0, 0}) {
		t.Errorf("no names: %v", e.Y.I64())
	}
	for _, c := range []struct {
		text string
		o    Options
		want []string
	}{
		{text, Options{LabelColumn: "cat,fog"}, []string{`"fog"`, "did you mean"}},
		{text, Options{LabelColumn: "cat,cat"}, []string{"comes twice"}},
		{text, Options{LabelColumn: "cat,dog,sun", Task: "classification"}, []string{"row 0", "2 labels", "multilabel"}},
		{"f,u,v\n1,0.5,20\n2,1,30\n", Options{LabelColumn: "u,v", Task: "multilabel"}, []string{"0 and 1", "regression"}},
		{"f,u,v\n1,a,20\n2,b,30\n", Options{LabelColumn: "u,v"}, []string{"row 0, column u", `"a"`}},
		{"f,u,v\n1,0.5,2\n2,1,3\n", Options{LabelColumn: "u,v", Task: "dense"}, []string{"whole numbers"}},
		{"f,tags\n1,bird\n", Options{Task: "multilabel", Classes: []string{"cat", "birds"}}, []string{`"bird"`, `did you mean "birds"`}},
		{labelTable(",", "a", "b", "c"), Options{Task: "binary"}, []string{"3 classes for a binary task"}},
		{labelTable(",", "1", "2"), Options{Task: "multiklass"}, []string{`no task "multiklass"`, `did you mean "multiclass"`}},
		{labelTable(";", "100", "\"1,234\"", "5000"), Options{}, []string{`"1,234"`}},
		{labelTable(",", "100", "\"1,234\"", "5000"), Options{}, []string{`line 3, column label: "1,234" is a thousand or a fraction`}},
		{labelTable(",", append(slices.Repeat([]string{"100"}, lookAhead+2), "\"1,5\"", "2.5")...), Options{Header: "true"},
			[]string{`"2.5" among numbers`}},
	} {
		_, err := readTable(t, c.text, c.o)
		wantFormatError(t, err, c.want...)
	}
	var many []string
	for i := range 300 {
		many = append(many, fmt.Sprint(math.Sqrt(float64(i))))
	}
	_, err := readTable(t, labelTable(",", many...), Options{Task: "classification"})
	wantFormatError(t, err, "are no classes", "--task regression")
}
