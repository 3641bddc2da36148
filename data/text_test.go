package data

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// textFile is a file with the content s.
func textFile(t *testing.T, s string) string {
	path := filepath.Join(t.TempDir(), "book.txt")
	if err := os.WriteFile(path, []byte(s), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestText(t *testing.T) {
	path := textFile(t, "abcdefghijklmnopqrst")
	for _, c := range []struct {
		tail  string
		n, at int
		id    string
		x, y  []int64
		notes int
	}{
		{"?length=4", 5, 1, "4", []int64{'e', 'f', 'g', 'h'}, []int64{'f', 'g', 'h', 'i'}, 0},
		{"?length=4", 5, 4, "16", []int64{'q', 'r', 's', 't'}, []int64{'r', 's', 't', NoLabel}, 0},
		{"?length=8", 2, 1, "8", []int64{'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p'}, []int64{'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q'}, 1},
		{"?length=4&stride=2", 9, 1, "2", []int64{'c', 'd', 'e', 'f'}, []int64{'d', 'e', 'f', 'g'}, 0},
		{"?length=4&split=0.5&tokens=bytes#train", 2, 1, "4", []int64{'e', 'f', 'g', 'h'}, []int64{'f', 'g', 'h', 'i'}, 1},
		{"?length=5&split=0.5#train", 2, 1, "5", []int64{'f', 'g', 'h', 'i', 'j'}, []int64{'g', 'h', 'i', 'j', NoLabel}, 0},
		{"?length=5&split=0.5#test", 2, 0, "10", []int64{'k', 'l', 'm', 'n', 'o'}, []int64{'l', 'm', 'n', 'o', 'p'}, 0},
	} {
		ds, err := Open("text:"+path+c.tail, Options{})
		if err != nil {
			t.Errorf("%s: %v", c.tail, err)
			continue
		}
		e := must(ds.Example(c.at))(t)
		if ds.Len() != c.n || e.ID != c.id || !slices.Equal(e.X.I64(), c.x) || !slices.Equal(e.Y.I64(), c.y) || e.Label != -1 ||
			e.Picture {
			t.Errorf("%s: %d examples; %+v with X %v, Y %v", c.tail, ds.Len(), e, e.X.I64(), e.Y.I64())
		}
		if len(Notes(ds)) != c.notes {
			t.Errorf("%s: notes %q", c.tail, Notes(ds))
		}
	}
}

// TestTextOnce predicts every byte but the first of a part exactly once, and none of the other part.
func TestTextOnce(t *testing.T) {
	path := textFile(t, strings.Repeat("0123456789", 10))
	seen := map[int]int{}
	for _, part := range []string{"train", "test"} {
		ds := must(Open("text:"+path+"?length=10&split=0.7#"+part, Options{}))(t)
		for i := range ds.Len() {
			e := must(ds.Example(i))(t)
			first, end := ds.(Ordered).Span(i)
			if end-first != 10 {
				t.Errorf("span %d to %d", first, end)
			}
			for k, y := range e.Y.I64() {
				if y != NoLabel {
					seen[first+k+1]++
				}
			}
		}
	}
	for at := range 100 {
		if want := b2i(at != 0 && at != 70); seen[at] != want {
			t.Errorf("byte %d is a label %d times", at, seen[at])
		}
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestTextSplitsInOrder(t *testing.T) {
	ds := must(Open("text:"+textFile(t, strings.Repeat("x", 100))+"?length=10&stride=5", Options{}))(t)
	train, val, err := SplitIndex(ds, 0.2, 1)
	if err != nil {
		t.Fatal(err)
	}
	_, end := ds.(Ordered).Span(slices.Max(train))
	first, _ := ds.(Ordered).Span(slices.Min(val))
	if end > first {
		t.Errorf("training reads bytes up to %d, validation from %d on", end, first)
	}
}

func TestTextErrors(t *testing.T) {
	path := textFile(t, "0123456789")
	for tail, want := range map[string]string{
		"":                       "10 bytes, a piece 64",
		"?length=11":             "shorter pieces or a longer text",
		"?length=0":              "length=0: need a whole number from 1",
		"?length=4&stride=x":     "stride=x",
		"?length=4&tokens=bpe":   "need bytes",
		"?length=4&split=1":      "split=1",
		"?length=4#val":          `no split "val"`,
		"?length=4#test":         "the part test has 1 byte,",
		"?size=4":                `no setting "size"`,
		"?length=4&stride=-1":    "stride=-1",
		"?length=99999999999999": "whole number",
	} {
		_, err := Open("text:"+path+tail, Options{})
		var f *FormatError
		if !errors.As(err, &f) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", tail, err, want)
		}
	}
	if _, err := Open("text:"+path+"?length=4", Options{Task: "regression"}); err == nil ||
		!strings.Contains(err.Error(), "language-model") {
		t.Errorf("task: %v", err)
	}
	if _, err := Open("text:"+path+"?length=4", Options{Inputs: map[string][]string{"x": {"a"}}}); err == nil {
		t.Error("columns of a text")
	}
	if _, err := Open("text:"+textFile(t, ""), Options{}); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("empty: %v", err)
	}
	if _, err := Open("text:"+path+"?length=4", Options{Limits: Limits{Bytes: 5}}); err == nil ||
		!strings.Contains(err.Error(), "over the limit of 5 bytes") {
		t.Errorf("limit: %v", err)
	}
	if _, err := Open("text:"+filepath.Join(t.TempDir(), "none"), Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestTextCompressed(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	fmt.Fprint(z, "héllo wörld")
	z.Close()
	ds := must(Open("text:"+textFile(t, b.String())+"?length=13", Options{}))(t)
	if e := must(ds.Example(0))(t); e.X.I64()[1] != 0xC3 {
		t.Errorf("%v", e.X.I64())
	}
	cut := textFile(t, b.String()[:b.Len()-1])
	for _, limit := range []int64{13, 14} { // as many bytes as there are, and more
		_, err := Open("text:"+cut+"?length=5", Options{Limits: Limits{Bytes: limit}})
		wantFormatError(t, err, "cannot be read")
	}
}

func FuzzText(f *testing.F) {
	f.Add([]byte("hello, world"), "?length=3&stride=2")
	f.Add([]byte{0x1F, 0x8B, 8, 0}, "?length=1")
	f.Add([]byte{0xFF}, "?length=1&split=.5#train")
	f.Fuzz(func(t *testing.T, b []byte, tail string) {
		path := filepath.Join(t.TempDir(), "t")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		spec := Spec{Format: "text", Path: path}
		if s, err := ParseSpec("text:" + path + tail); err == nil && s.Path == path {
			spec = s
		}
		ds, err := openText(spec, Options{Limits: fuzzLimits}, 0)
		if err != nil {
			return
		}
		for i := range min(ds.Len(), 50) {
			e, err := ds.Example(i)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range append(e.X.I64(), e.Y.I64()...) {
				if v != NoLabel && (v < 0 || v > 255) {
					t.Fatalf("token %d", v)
				}
			}
		}
		use(t, ds)
	})
}

// A text without its format in front could be a table too, and is refused with both ways.
func TestTextWithoutFormat(t *testing.T) {
	for name, want := range map[string][]string{"a.txt": {"text:FILE", "csv:FILE"}, "b.md": {"text:FILE"}, "c.html": {"text:FILE"}} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte("Once upon a time"), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if _, err := Open(path, Options{}); err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v, want %q", name, err, w)
			}
		}
	}
}
