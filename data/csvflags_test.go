package data

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestCSVFlags has columns of true and false, which are features 0 and 1.
func TestCSVFlags(t *testing.T) {
	for name, words := range map[string][2]string{
		"pandas": {"False", "True"}, "R": {"FALSE", "TRUE"}, "JSON": {"false", "true"}, "yes": {"No", "yes"}, "letters": {"f", "t"},
		"n": {"N", "Y"}, "off": {"off", "On"},
	} {
		text := fmt.Sprintf("a,b,label\n1,%s,x\n2,%s,y\n3,%[1]s,x\n", words[0], words[1])
		ds := must(readTable(t, text, Options{}))(t)
		if got := must(ds.Example(1))(t).X.F32(); !slices.Equal(got, []float32{2, 1}) ||
			!strings.Contains(say(ds), "the column b of yes and no: 1 and 0") {
			t.Errorf("%s: %v, notes %q", name, got, Notes(ds))
		}
		if got := must(ds.Example(2))(t).X.F32(); got[1] != 0 {
			t.Errorf("%s: no is %v", name, got)
		}
		ds = must(readTable(t, text, Options{Inputs: map[string][]string{"in": {"b"}}}))(t)
		if got := must(ds.Example(1))(t).Fields["in"]; got.String() != "int64[1]" || got.I64()[0] != 1 {
			t.Errorf("%s: input %v", name, got)
		}
		ds = must(readTable(t, text, Options{GroupBy: []string{"b"}}))(t)
		if GroupOf(ds, 1, "b") != words[1] || len(FeatureNames(ds)) != 1 {
			t.Errorf("%s: as groups %v", name, FeatureNames(ds))
		}
	}
	ds := must(readTable(t, "a,dir,label\n1,N,x\n2,N,y\n", Options{}))(t)
	if len(FeatureNames(ds)) != 1 {
		t.Error("a letter alone is no flag")
	}
	_, err := readTable(t, "a,b,label\n1,True,x\n2,False,y\n"+strings.Repeat("2,False,y\n", lookAhead)+"1,maybe,x\n", Options{})
	wantFormatError(t, err, fmt.Sprintf("line %d, column b", lookAhead+4), `"maybe" in a column of false and true`, "--group-by")
	ds = must(readTable(t, "x,cat,dog\n1,True,False\n2,False,False\n3,True,True\n", Options{LabelColumn: "cat,dog"}))(t) // get_dummies
	if e := must(ds.Example(2))(t); e.Y.String() != "int64[2]" || !slices.Equal(e.Y.I64(), []int64{1, 1}) {
		t.Errorf("labels %v", e.Y)
	}
	ds = must(readTable(t, "x,cat,dog\n1,True,False\n2,False,True\n", Options{LabelColumn: "cat,dog", Task: "multiclass"}))(t)
	if ds.Label(1) != 1 || ds.Classes()[1] != "dog" {
		t.Errorf("one-hot: %d of %v", ds.Label(1), ds.Classes())
	}
	ds = must(readTable(t, "x,label\n1,True\n2,False\n", Options{Task: "regression"}))(t)
	if e := must(ds.Example(0))(t); e.Y.F32()[0] != 1 {
		t.Errorf("target %v", e.Y)
	}
	ds = must(readTable(t, "x,label\n1,True\n2,False\n", Options{}))(t)
	if ds.Label(0) != 1 || ds.Classes()[0] != "False" {
		t.Errorf("classes %v", ds.Classes())
	}
	if ds, err = readTable(t, "a,b,species\nTrue,no,x\nFalse,yes,y\n", Options{}); err != nil || ds.Len() != 2 ||
		len(FeatureNames(ds)) != 2 {
		t.Errorf("a header above true and false: %v", err)
	}
	ds = must(readTable(t, "a,town,day,label\n1,Rome,2024-01-02,x\n2,Bonn,2024-01-03,y\n", Options{}))(t)
	if say(ds) != "the columns town, day are text: groups, not features; --group-by names groups" {
		t.Errorf("notes %q", Notes(ds))
	}
}

// TestCSVQuotedCommas has decimal commas in quotes between commas.
func TestCSVQuotedCommas(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		o    Options
		want string // the first row or part of the error
	}{
		"quoted":            {"\"a\",\"b\",\"k\"\n\"1,5\",\"-2,25\",x\n\"3\",\"1,234\",y\n", Options{}, "[1.5 -2.25]"},
		"ambiguous":         {"a,b,k\n\"1,234\",1,x\n\"5,678\",2,y\n", Options{}, "thousand or a fraction"},
		"ambiguous, said":   {"a,b,k\n\"1,234\",1,x\n\"5,678\",2,y\n", Options{Decimal: ","}, "[1.234 1]"},
		"points elsewhere":  {"a,b,k\n1.5,\"2,5\",x\n2.5,\"3,5\",y\n", Options{}, "line 2, column b: \"2,5\" has a comma where others"},
		"lists elsewhere":   {"a,b,k\n1.5,\"2,5,7\",x\n2.5,\"3,5\",y\n", Options{}, "[1.5]"},
		"Excel's thousands": {"a,b,k\n\"1,234.5\",1,x\n2.5,2,y\n", Options{}, "thousands separators"},
	} {
		ds, err := readTable(t, c.text, c.o)
		if err != nil {
			wantFormatError(t, err, c.want)
			continue
		}
		if got := fmt.Sprint(must(ds.Example(0))(t).X.F32()); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
