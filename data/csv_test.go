package data

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"image/color"
)

func readTable(t *testing.T, text string, o Options) (Dataset, error) {
	t.Helper()
	return readCSV("t.csv", strings.NewReader(text), int64(len(text)), o)
}

func TestCSVForms(t *testing.T) {
	const plain = "5.1,3.5,setosa\n4.9,3.0,virginica\n6,1,setosa\n"
	want := [][]float32{{5.1, 3.5}, {4.9, 3.0}, {6, 1}}
	for name, c := range map[string]struct {
		text string
		o    Options
	}{
		"no header":        {plain, Options{}},
		"header":           {"a,b,kind\n" + plain, Options{}},
		"header said":      {"1,2,3\n" + plain, Options{Header: "true"}},
		"named label":      {"kind,a,b\nsetosa,5.1,3.5\nvirginica,4.9,3.0\nsetosa,6,1\n", Options{LabelColumn: "kind"}},
		"usual name":       {"Label,a,b\nsetosa,5.1,3.5\nvirginica,4.9,3.0\nsetosa,6,1\n", Options{}},
		"index":            {"setosa,5.1,3.5\nvirginica,4.9,3.0\nsetosa,6,1\n", Options{LabelColumn: "0"}},
		"from the end":     {plain, Options{LabelColumn: "-1"}},
		"semicolons":       {strings.ReplaceAll(plain, ",", ";"), Options{}},
		"tabs":             {strings.ReplaceAll(plain, ",", "\t"), Options{}},
		"spaces":           {strings.ReplaceAll(plain, ",", "  "), Options{}},
		"byte order mark":  {"\uFEFFa,b,kind\n" + plain, Options{}},
		"carriage returns": {strings.ReplaceAll(plain, "\n", "\r\n"), Options{}},
		"quotes":           {"\"a\",\"b, c\",kind\n" + plain, Options{}},
		"scikit-learn":     {"3,2,setosa,virginica\n5.1,3.5,0\n4.9,3.0,1\n6,1,0\n", Options{}},
	} {
		ds, err := readTable(t, c.text, c.o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if ds.Len() != 3 || !slices.Equal(ds.Classes(), []string{"setosa", "virginica"}) {
			t.Errorf("%s: %d examples of %v", name, ds.Len(), ds.Classes())
			continue
		}
		for i, w := range want {
			e := must(ds.Example(i))(t)
			if !slices.Equal(e.X.F32(), w) || e.Label != []int{0, 1, 0}[i] || e.Picture {
				t.Errorf("%s: row %d: %v label %d", name, i, e.X.F32(), e.Label)
			}
		}
	}
}

func TestCSVLabels(t *testing.T) {
	for name, c := range map[string]struct {
		labels  string // one per row
		o       Options
		classes []string // nil: targets
		want    []int
	}{
		"counting from 0": {"0 1 2 1", Options{}, []string{"0", "1", "2"}, []int{0, 1, 2, 1}},
		"other integers":  {"10 -1 10 -1", Options{}, []string{"-1", "10"}, []int{1, 0, 1, 0}},
		"text":            {"b a b c", Options{}, []string{"a", "b", "c"}, []int{1, 0, 1, 2}},
		"fractions":       {"0.5 1 2 1", Options{}, nil, nil},
		"many integers":   {"151 75 141 206", Options{}, nil, nil},
		"task":            {"151 75 151 206", Options{Task: "classification"}, []string{"75", "151", "206"}, []int{1, 0, 1, 2}},
		"task regression": {"0 1 0 1", Options{Task: "regression"}, nil, nil},
		"given indices":   {"2 0 2 0", Options{Classes: []string{"x", "y", "z"}}, []string{"x", "y", "z"}, []int{2, 0, 2, 0}},
		"given names":     {"z x z x", Options{Classes: []string{"x", "y", "z"}}, []string{"x", "y", "z"}, []int{2, 0, 2, 0}},
	} {
		var text strings.Builder
		for l := range strings.FieldsSeq(c.labels) {
			text.WriteString("1.5," + l + "\n")
		}
		ds, err := readTable(t, text.String(), c.o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !slices.Equal(ds.Classes(), c.classes) {
			t.Errorf("%s: classes %v, want %v", name, ds.Classes(), c.classes)
		}
		for i, w := range c.want {
			if ds.Label(i) != w {
				t.Errorf("%s: row %d: label %d, want %d", name, i, ds.Label(i), w)
			}
		}
		if e := must(ds.Example(3))(t); (e.Y != nil) != (c.classes == nil) {
			t.Errorf("%s: target %v", name, e.Y)
		}
	}
}

func TestCSVGroupsAndIDs(t *testing.T) {
	ds := must(readTable(t, "id,region,income,a,label\np1,north,3,1,x\np2,south,4,2,y\n", Options{GroupBy: []string{"income"}}))(t)
	if got := GroupColumns(ds); !slices.Equal(got, []string{"region", "income"}) {
		t.Errorf("group columns %v", got)
	}
	e := must(ds.Example(1))(t)
	if e.ID != "p2" || e.Groups["region"] != "south" || e.Groups["income"] != "4" || !slices.Equal(e.X.F32(), []float32{2}) {
		t.Errorf("%+v", e)
	}
	sub := must(Subset(ds, []int{1}))(t)
	if GroupOf(sub, 0, "region") != "south" || GroupOf(sub, 0, "nothing") != "" {
		t.Errorf("groups of a subset")
	}
}

func TestCSVFileList(t *testing.T) {
	dir := t.TempDir()
	write1(t, filepath.Join(dir, "p", "a.png"), pngOf(flat(4, 3, color.NRGBA{7, 8, 9, 255})))
	list := write1(t, filepath.Join(dir, "list.csv"), []byte("file,label,region\np/a.png,cat,north\np/b.png,dog,south\n"))
	ds := must(Open(list, Options{}))(t)
	e := must(ds.Example(0))(t)
	if e.ID != "p/a.png" || !e.Picture || e.X.Bytes()[0] != 7 || e.Groups["region"] != "north" || ds.Classes()[1] != "dog" {
		t.Errorf("%+v", e)
	}
	if FileOf(ds, 0) != filepath.Join(dir, "p", "a.png") {
		t.Errorf("file %s", FileOf(ds, 0))
	}
	if _, err := ds.Example(1); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing picture: %v", err)
	}
	write1(t, list, []byte("a.png,cat\n"))
	ds = must(Open("csv:"+list+"?file=0&label=1&root="+filepath.Join(dir, "p"), Options{}))(t)
	if e := must(ds.Example(0))(t); e.X.Bytes()[0] != 7 {
		t.Errorf("root folder: %v", e)
	}
	for _, p := range []string{"../secret.png", "/etc/passwd", "a/../../x.png"} {
		write1(t, list, []byte("file,label\n"+p+",cat\n"))
		_, err := Open(list, Options{})
		wantFormatError(t, err, "line 2", "leaves the folder")
	}
	write1(t, list, []byte("file,label\na.png,cat\na.png,dog\n"))
	_, err := Open(list, Options{})
	wantFormatError(t, err, "a.png", "twice")
}

func TestCSVRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		o    Options
		want []string
	}{
		"empty":        {"", Options{}, []string{"empty file"}},
		"ragged":       {"1,2,a\n3,4,b\n5,c\n", Options{}, []string{"line 3", "2 columns where the table has 3"}},
		"not a number": {"a,b,k\n1,2,x\n1,two,y\n", Options{}, []string{"line 3", "column b", `"two"`}},
		"missing":      {"a,b,k\n1,2,x\n1,,y\n", Options{}, []string{"line 3", "column b", "missing"}},
		"nan":          {"a,b,k\n1,2,x\n1,NaN,y\n", Options{}, []string{"line 3", "column b", "finite"}},
		"infinite":     {"a,b,k\n1,2,x\n1,1e60,y\n", Options{}, []string{"line 3", "finite"}},
		"no label":     {"a,b,k\n1,2,x\n1,2,\n", Options{}, []string{"line 3", "column k", "no label"}},
		"wrong column": {"sepal,petal,species\n1,2,x\n", Options{LabelColumn: "specie"},
			[]string{`"specie"`, `did you mean "species"`, "sepal, petal"}},
		"wrong index":     {"1,2,x\n", Options{LabelColumn: "7"}, []string{"columns are 0 to 2"}},
		"wrong group":     {"a,label\n1,x\n", Options{GroupBy: []string{"b"}}, []string{"no group column"}},
		"given too few":   {"1,0\n2,5\n3,0\n4,5\n", Options{Classes: []string{"a", "b"}}, []string{"label 5 is out of range", "row 1"}},
		"given unknown":   {"1,a\n2,q\n", Options{Classes: []string{"a", "b"}}, []string{`class "q"`}},
		"quotes":          {"a,b\n1,\"x\n", Options{}, []string{"line"}},
		"twice":           {"a,a,k\n1,2,x\n", Options{}, []string{"two columns"}},
		"same id":         {"id,a,k\n1,2,x\n1,3,y\n", Options{}, []string{"twice"}},
		"no features":     {"name,label\nbob,x\neve,y\n", Options{}, []string{"no numeric feature"}},
		"bad task":        {"1,2\n", Options{Task: "guess"}, []string{"no task"}},
		"infinite target": {"1,0.5\n2,Inf\n", Options{}, []string{"row 1", "Inf"}},
	} {
		_, err := readTable(t, c.text, c.o)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		wantFormatError(t, err, append(c.want, "t.csv")...)
	}
	_, err := readTable(t, strings.Repeat("1,2,a\n", 100), Options{Limits: Limits{Bytes: 50}})
	wantFormatError(t, err, "over the limit")
	ds := must(readTable(t, "1,NaN,a\n", Options{AllowNonFinite: true, Header: "false"}))(t)
	if v := must(ds.Example(0))(t).X.F32()[1]; !math.IsNaN(float64(v)) {
		t.Errorf("allowed NaN is %v", v)
	}
	dir := t.TempDir()
	z := gz([]byte(strings.Repeat("1,2,a\n", 10000)))
	_, err = Open(write1(t, filepath.Join(dir, "x.csv.gz"), z[:len(z)-20]), Options{})
	wantFormatError(t, err, "x.csv.gz", "cut short")
	if ds := must(Open(write1(t, filepath.Join(dir, "y.csv.gz"), z), Options{}))(t); ds.Len() != 10000 {
		t.Errorf("%d rows", ds.Len())
	}
}
