package data

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// passengers is a table such as that of the Titanic.
const passengers = "PassengerId,Survived,Pclass,Name,Sex,Age,Fare,Cabin,Embarked\n" +
	"1,0,3,\"Braund, Mr. Owen\",male,22,7.25,,S\n2,1,1,\"Cumings, Mrs. J\",female,38,71.5,C85,C\n3,1,3,\"Heik, Miss. " +
	"L\",female,,7.75,,S\n" +
	"4,1,1,\"Futrelle, Mrs. J\",female,36,53,C123,S\n5,0,3,\"Moran, Mr. J\",male,NA,nan,,Q\n"

func TestCSVMissing(t *testing.T) {
	o := Options{LabelColumn: "Survived"}
	_, err := readTable(t, passengers, o)
	wantFormatError(t, err, "line 4, column Age: missing value", "?missing=drop, mean or zero")
	for way, c := range map[string]struct {
		n    int
		last string
		note string
	}{
		"drop": {3, "[1 36 53]", "2 of 5 rows have missing values and are left out"},
		"zero": {5, "[3 0 0]", "missing values are 0: 2 of Age, 1 of Fare"},
		"mean": {5, "[3 32 34.875]", "missing values are the mean of the column in this file: 2 of Age, 1 of Fare"},
	} {
		o.Missing = way
		ds := must(readTable(t, passengers, o))(t)
		e := must(ds.Example(c.n - 1))(t)
		if ds.Len() != c.n || fmt.Sprint(e.X.F32()) != c.last || !strings.Contains(say(ds), c.note) {
			t.Errorf("%s: %d examples, last %v, notes %q", way, ds.Len(), e.X.F32(), Notes(ds))
		}
		if want := []string{"1", "4", "5"}[min(2, c.n-2)]; ds.ID(c.n-1) != want ||
			!slices.Equal(FeatureNames(ds), []string{"Pclass", "Age", "Fare"}) ||
			!strings.Contains(say(ds), "the columns Name, Sex, Cabin, Embarked are text") {
			t.Errorf("%s: id %s, features %v, notes %q", way, ds.ID(c.n-1), FeatureNames(ds), Notes(ds))
		}
	}
	path := write1(t, filepath.Join(t.TempDir(), "p.csv"), []byte(passengers))
	ds := must(Open("csv:"+path+"?missing=drop&label=Survived", Options{}))(t)
	if ds.Len() != 3 {
		t.Errorf("by the specification: %d", ds.Len())
	}
	for _, c := range []struct {
		text, way string
		want      []string
	}{
		{passengers, "median", []string{`no way "median"`, "drop, mean, zero"}},
		{"a,b,label\n1,,x\n2,NA,y\n", "mean", []string{"column b", "no row has a value"}},
		{"a,b,label\n1,,x\n2,NA,y\n", "drop", []string{"all 2 rows"}},
		{"a,b,label\n1,2,x\n2,3,\n", "zero", []string{"line 3, column label: no label", "?missing=drop"}},
		{"a,b,kind\n1,2,x\n2,3,\n", "", []string{"line 3, column kind: no label", "the last column", "--label-column"}},
		{"a,b,target\n1,2,3.5\n2,3,NA\n3,4,1.25\n", "", []string{"row 1, column target", `"NA" among numbers`, "?missing=drop"}},
		{"a,b,target\n1,2,0\n2,3,?\n3,4,1\n", "", []string{"row 1, column target", `"?" among numbers`, "--task classification"}},
		{"a,b,target\n1,2,3.5\n2,3,abc\n3,4,1.25\n", "", []string{"row 1, column target", `"abc" among numbers`}},
	} {
		_, err := readTable(t, c.text, Options{Missing: c.way})
		wantFormatError(t, err, c.want...)
	}
	ds = must(readTable(t, "a,b,target\n1,2,3.5\n2,3,NA\n3,4,1.25\n", Options{Missing: "drop"}))(t)
	if e := must(ds.Example(1))(t); ds.Len() != 2 || e.Y.F32()[0] != 1.25 {
		t.Errorf("without a target: %d, %v", ds.Len(), e.Y)
	}
	ds = must(readTable(t, "a,land\n1,NA\n2,DE\n3,US\n", Options{}))(t)
	if ds.Len() != 3 || !slices.Equal(ds.Classes(), []string{"DE", "NA", "US"}) {
		t.Errorf("NA among texts: %v", ds.Classes())
	}
	ds = must(readTable(t, "a,tags\n1,x|y\n2,\n,x\n", Options{Task: "multilabel", Missing: "drop"}))(t)
	if ds.Len() != 2 || must(ds.Example(1))(t).Y.I64()[0] != 0 {
		t.Errorf("an empty list of labels is dropped: %d", ds.Len())
	}
	ds = must(readTable(t, "u,b,label\n7,1,x\n,2,y\n9,3,x\n",
		Options{Missing: "mean", Inputs: map[string][]string{"u": {"u"}, "b": {"b"}}}))(t)
	if e := must(ds.Example(1))(t); e.Fields["u"].String() != "float32[1]" || e.Fields["u"].F32()[0] != 8 || e.Fields["b"].I64()[0] != 2 {
		t.Errorf("inputs %v", e.Fields)
	}
	_, err = Open("window:"+write1(t, filepath.Join(t.TempDir(), "w.csv"), []byte("v\n1\nnan\n3\n4\n"))+"?in=1&out=1", Options{})
	wantFormatError(t, err, "?fill=previous")
}

// TestCSVMissingLine checks that errors in a row name its line, whatever else is said of its label column.
func TestCSVMissingLine(t *testing.T) {
	_, err := readTable(t, "a,label\n1,\"1,234\"\n2,5\n3,5\n4,5\nbad,6\n", Options{Task: "classification", Missing: "drop"})
	wantFormatError(t, err, `line 6, column a: "bad"`)
}
