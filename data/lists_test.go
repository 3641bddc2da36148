package data

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// oddIDs are ids that a line of a text file does not carry as they are, and some that it does.
var oddIDs = []string{
	"a", "#a", "# a", " a", "a ", "\ta", "a,b", "a;b", "a@b", `"a"`, `"a`, `a"b`, "'a'", `a\b`, `\`, "a/b", "a b", "é ü", "日本", "\uFEFFa",
	"a\rb", "a\r", "a\nb", "a\x00b",
	"\xff\xfe", "\u00a0a", "\u2028", "?a=b", "a#train", "keep:x@y", "%41", "", "🙂",
	"=1", "'=1", "-1", "-a", "@", "a,=b", "=a\nb",
}

func TestIDsThroughLists(t *testing.T) {
	for _, id := range oddIDs {
		line := EncodeID(id)
		got, ok := DecodeID(line)
		if got != id || !ok || strings.ContainsAny(line, "\r\n") {
			t.Errorf("%q is the line %q and comes back as %q, %v", id, line, got, ok)
		}
	}
	if EncodeID("n01440764/é ü, 'x' #1@2.JPEG") != "n01440764/é ü, 'x' #1@2.JPEG" {
		t.Error("a plain id is quoted")
	}
	n := len(oddIDs)
	ds := &memory{dtype: tensor.Uint8, shape: tensor.Shape{1}, raw: make([]byte, n), n: n, ids: oddIDs}
	for _, end := range []string{"\n", "\r\n"} {
		var b bytes.Buffer
		b.WriteString("\uFEFF# kept" + end)
		for i := range n {
			b.WriteString(EncodeID(ds.ID(n-1-i)) + end)
		}
		index := must(parseKeep("k", b.Bytes(), ds))(t)
		if want := upTo(n); !slices.Equal(index, func() []int { slices.Reverse(want); return want }()) {
			t.Errorf("line ends %q: %v", end, index)
		}
	}
	// Lists from before ids were quoted: what was written as it is still means the same.
	old := must(parseKeep("k", []byte("\"a\"\n\"a\na,b\n  a/b  \n"), ds))(t)
	for k, want := range []string{`"a"`, `"a`, "a,b", "a/b"} {
		if ds.ID(old[k]) != want {
			t.Errorf("old line %d is %q", k, ds.ID(old[k]))
		}
	}
	back := must(parseKeep("k", []byte("a\\b\n"), must(Subset(ds, []int{slices.Index(oddIDs, "a/b")}))(t)))(t)
	if !slices.Equal(back, []int{0}) {
		t.Errorf("backslashes: %v", back)
	}
}

func TestRelabel(t *testing.T) {
	dir := t.TempDir()
	data := write1(t, filepath.Join(dir, "d.csv"), []byte("id,f,kind\n\"p,1\",1,cat\np2,2,dog\n#3,3,cat\np4,4,ape\n"))
	open := func(list string) (Dataset, error) {
		return Open("relabel:"+write1(t, filepath.Join(dir, "fix.csv"), []byte(list))+"@csv:"+data, Options{})
	}
	for name, list := range map[string]string{
		"names":         "id,label\n\"p,1\",dog\n#3,ape\np4,-100\n",
		"numbers":       "id,label\n\"p,1\",2\n#3,0\np4,-100\n",
		"no header":     "\"p,1\",dog\n#3,ape\np4,-100\n",
		"of an audit":   "id,kind,severity,label,suggested\n\"p,1\",label,.9,dog,dog\n#3,label,.8,ape,dog\np4,odd,.1,-100,cat\n",
		"of Excel":      "\uFEFFid;label\r\n\"p,1\";dog\r\n#3;ape\r\np4;-100\r\n",
		"quoted as ids": "id,label\n\"p,1\",dog\n\"\"\"#3\"\"\",ape\np4,-100\n",
	} {
		ds, err := open(list)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i, want := range []int{2, 2, 0, -1} { // of ape, cat, dog
			if e := must(ds.Example(i))(t); ds.Label(i) != want || e.Label != want {
				t.Errorf("%s: row %d is %d, %d, want %d", name, i, ds.Label(i), e.Label, want)
			}
		}
		if !strings.Contains(say(ds), "3 of 3 decisions") || len(FeatureNames(ds)) != 1 {
			t.Errorf("%s: notes %q, features %v", name, Notes(ds), FeatureNames(ds))
		}
	}
	for list, want := range map[string]string{
		"id,label\np2,cow\n":               `"cow"`,
		"id,label\np9,cat\n":               `no example "p9"`,
		"id,label\np2,cat\np2,dog\n":       "already on line 2",
		"id,label\np2,3\n":                 "classes are 0 to 2",
		"id,label\np2,\n":                  "line 2",
		"id,verdict\np2,cat\n":             "need the columns id and label",
		"id,label,suggested\np2,dog,cat\n": "suggested is not applied",
	} {
		_, err := open(list)
		wantFormatError(t, err, "fix.csv", want)
	}
	_, err := Open("relabel:"+data, Options{})
	wantFormatError(t, err, "relabel:LIST@SPEC")
	kept := write1(t, filepath.Join(dir, "k.txt"), []byte("p2\n"))
	fix := write1(t, filepath.Join(dir, "fix.csv"), []byte("id,label\np2,cat\n"))
	ds := must(Open("relabel:"+fix+"@keep:"+kept+"@csv:"+data, Options{}))(t)
	if ds.Len() != 1 || ds.Classes()[ds.Label(0)] != "cat" {
		t.Errorf("stacked: %d examples, %d", ds.Len(), ds.Label(0))
	}
	_, err = Open("relabel:"+fix+"@csv:"+data+"?label=none", Options{})
	wantFormatError(t, err, "data without classes")
	noisy := must(Open("shapes?n=50&size=16&noise=0.3", Options{}))(t)
	planted := Planted(noisy)
	clean := write1(t, fix, []byte("id,label\n"+planted[0]+","+noisy.Classes()[noisy.(Planter).TrueLabel(indexIDs(noisy)[planted[0]])]+
		"\n"))
	if got := Planted(must(Open("relabel:"+clean+"@shapes?n=50&size=16&noise=0.3", Options{}))(t)); len(got) != len(planted)-1 {
		t.Errorf("%d wrong labels left of %d", len(got), len(planted))
	}
}
