package data

import (
	"slices"
	"strings"
	"testing"
)

// TestCSVAbove has comments and titles above a table.
func TestCSVAbove(t *testing.T) {
	for name, c := range map[string]struct {
		text, note string
		features   string
	}{
		"comment": {"# made by R\na,b,label\n1,2,x\n3,4,y\n", "line 1 above the table: left out", "a b"},
		"comments": {"# made by \"R\", it's\n#\n\n# 2024, May\na,b,label\n1,2,x\n3,4,y\n", "3 lines from line 1 on above",
			"a b"},
		"as many fields":     {"# 2024, May, 3\na,b,label\n1,2,x\n3,4,y\n", "line 1 above", "a b"},
		"header in comment":  {"# a,b,label\n1,2,x\n3,4,y\n", "", "a b"},
		"two comments":       {"# values of 2024\n# a,b,label\n1,2,x\n3,4,y\n", "line 1 above", "a b"},
		"blanks":             {"# a b label\n1 2 x\n3 4 y\n", "", "a b"},
		"no header":          {"# made by R\n1,2,x\n3,4,y\n", "line 1 above", ""},
		"numbers of rows":    {"#,a,b,label\n1,1,2,x\n2,3,4,y\n", "numbers the rows", "a b"},
		"title":              {"Sales 2024\na,b,label\n1,2,x\n3,4,y\n", "line 1 above", "a b"},
		"title of Excel":     {"Sales 2024;;;\r\n;;;\r\na;b;c;label\r\n1;2,5;3;x\r\n3;4,5;1;y\r\n", "line 1 above", "a b c"},
		"sep and comment":    {"sep=;\n# x\na;b;label\n1;2;x\n3;4;y\n", "line 2 above", "a b"},
		"comments below":     {"a,b,label\n1,2,x\n# half\n3,4,y\n# end\n", "2 comments among the rows are left out", "a b"},
		"end mark of DOS":    {"a,b,label\r\n1,2,x\r\n3,4,y\r\n\x1a", "", "a b"},
		"colours":            {"#ff0000,1,2,x\n#00ff00,3,4,y\n", "is text: a group", ""},
		"colours and header": {"k,a,b,label\n#ff0000,1,2,x\n#00ff00,3,4,y\n", "the column k is text", "a b"},
	} {
		ds, err := readTable(t, c.text, Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		e := must(ds.Example(1))(t)
		if ds.Len() != 2 || e.Label != 1 || e.X.F32()[0] != 3 || !strings.Contains(say(ds), c.note) || c.note == "" && say(ds) != "" {
			t.Errorf("%s: %d examples, %+v %v, notes %q", name, ds.Len(), e, e.X.F32(), Notes(ds))
		}
		if names := strings.Join(FeatureNames(ds), " "); c.features != "" && names != c.features {
			t.Errorf("%s: features %s", name, names)
		}
	}
	_, err := readTable(t, "sep=;\n# one\n# two\na;b;label\n1;2;x\n3;many;y\n5;6;x\n", Options{})
	wantFormatError(t, err, "line 6, column b")
	_, err = readTable(t, "# one\n# two\na,b\n1,\"2\n", Options{})
	wantFormatError(t, err, "line 4")
	_, err = readTable(t, "# one\n", Options{})
	wantFormatError(t, err, "no rows")
	for text, want := range map[string]string{
		"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n": "git lfs pull",
		"<!DOCTYPE html>\n<p>404, not found\n":                                      "web page",
		"[{\"a\":1,\"b\":2}]\n":                                                     "JSON", "PK\x03\x04\x14\x00\x06\x00": "Excel",
	} {
		_, err := readTable(t, text, Options{})
		wantFormatError(t, err, want)
	}
}

// TestCSVGuesses has what is said of labels and numbers.
func TestCSVGuesses(t *testing.T) {
	for text, want := range map[string]string{
		"a,b,stars\n1,2,0\n3,4,1\n": "the last column, stars, is taken for the label; --label-column names another " +
			"one, or none",
		"a,b,kind\n1,2,x\n3,4,y\n":       "",
		"a,label,target\n1,x,0\n2,y,1\n": "the column label is the label and target is not; --label-column names it",
		"t,a,label\n1700000000001,1,x\n170000002,2,y\n": "the column t: whole numbers beyond 2^24 are rounded to float32; subtract the " +
			"smallest, or divide",
		"t,label\n20240102,x\n16777216,y\n": "",
		"t,label\n\u22122.5,x\n\u22121,y\n": "",
	} {
		if ds := must(readTable(t, text, Options{}))(t); say(ds) != want || len(FeatureNames(ds)) == 0 {
			t.Errorf("%q: notes %q", text, Notes(ds))
		}
	}
	for _, unit := range []string{"5%", "$5.50", "5,5 €", "-£3"} {
		_, err := readTable(t, "a;price;label\n1;"+unit+";x\n2;"+unit+";y\n", Options{})
		wantFormatError(t, err, "line 2, column price", "number with a unit", "--group-by")
	}
}

// TestCSVIDNames has first columns that are called ids.
func TestCSVIDNames(t *testing.T) {
	for head, features := range map[string]string{
		"PassengerId": "a", "customerID": "a", "row_id": "a", "Customer Id": "a", "humid": "humid a", "Grid": "Grid a", "RowNumber": "a",
		"No": "a",
	} {
		ds := must(readTable(t, head+",a,label\n1,5,x\n2,6,y\n3,7,x\n", Options{}))(t)
		if got := strings.Join(FeatureNames(ds), " "); got != features || features == "a" &&
			(ds.ID(2) != "3" || !strings.Contains(say(ds), "numbers the rows: the ids")) {
			t.Errorf("%s: features %s, id %s, notes %q", head, got, ds.ID(2), Notes(ds))
		}
	}
	ds := must(readTable(t, "store_id,a,label\n1,5,x\n1,6,y\n3,7,x\n", Options{}))(t)
	if len(FeatureNames(ds)) != 2 {
		t.Error("numbers that come twice are no ids")
	}
	ds = must(readTable(t, "RowNumber,CustomerId,a,label\n1,778,5,x\n2,912,6,y\n", Options{}))(t)
	if !slices.Equal(FeatureNames(ds), []string{"a"}) || ds.ID(1) != "2" {
		t.Errorf("two numbers of rows: %v", FeatureNames(ds))
	}
}
