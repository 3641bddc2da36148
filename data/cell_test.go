package data

import (
	"bytes"
	"encoding/csv"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// Cells come back as they were, and none of those that are written is a formula.
func TestCells(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "cat": "cat", "a=b": "a=b", "it's": "it's", "'quoted'": "'quoted'", "-5": "-5", "+1.5e-3": "+1.5e-3", "1-2": "1-2",
		"=1+1": "'=1+1", "+a": "'+a", "-a": "'-a", "@SUM(A1)": "'@SUM(A1)", "\tx": "'\tx", "\r=x": "'\r=x", "\n=x": "'\n=x", "＝x": "'＝x",
		"-": "'-", "+-": "'+-", "-1|2": "'-1|2", "--1": "'--1", "'=x": "''=x", "''=x": "'''=x", "'-5": "'-5", "-Inf": "'-Inf",
	} {
		got := EncodeCell(in)
		if got != want {
			t.Errorf("%q is written %q, want %q", in, got, want)
		}
		if back := DecodeCell(got); back != in {
			t.Errorf("%q is written %q and read as %q", in, got, back)
		}
	}
}

// A list of labels that gtk wrote finds its examples, whatever their ids and classes are called.
func TestHostileRelabel(t *testing.T) {
	ids := []string{"=1+1", "'=1+1", "a\nb", `"a\nb"`, "c\r\nd", "-x,\"y\"", "'", "''", " pad ", "\ttab", "@", "\x1b[31m", "#no", "a,=b"}
	classes := []string{"=cat", "'=cat", "dog\nmeow"}
	n := len(ids)
	ds := &memory{dtype: tensor.Uint8, shape: tensor.Shape{1}, raw: make([]byte, n), n: n, ids: ids, classes: classes,
		labels: make([]int32, n)}
	for i := range ids {
		ds.labels[i] = int32(i % 3)
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Write([]string{"id", "label", "suggested"})
	for i, id := range ids {
		w.Write([]string{EncodeCell(id), EncodeCell(classes[(i+1)%3]), ""})
	}
	w.Flush()
	got, err := relabel("list.csv", &b, ds, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range ids {
		if got.Label(i) != (i+1)%3 {
			t.Errorf("%q has the label %d, want %d", ids[i], got.Label(i), (i+1)%3)
		}
	}
	// and a keep-list
	b.Reset()
	for i := range ids {
		b.WriteString(EncodeID(ids[len(ids)-1-i]) + "\n")
	}
	index, err := parseKeep("keep.txt", b.Bytes(), ds)
	if err != nil {
		t.Fatal(err)
	}
	for k, i := range index {
		if i != len(ids)-1-k {
			t.Errorf("line %d finds %q, want %q", k+1, ids[i], ids[len(ids)-1-k])
		}
	}
}
