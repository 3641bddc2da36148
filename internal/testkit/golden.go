// Package testkit is what the tests of several packages share: golden files, reproducible tensors, comparison within a
// tolerance, the shared data folder and what lies in it, the official ONNX cases, and lists of known failures.
//
// Everything takes a testing.TB and ends or skips the test with a clear reason; nothing here is for programs.
package testkit

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write golden files instead of comparing with them")

// Golden compares got with the file at path, by convention under testdata. With the flag -update it writes the file.
func Golden(t testing.TB, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatalf("testkit: golden: %v", err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatalf("testkit: golden: %v", err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("testkit: golden: %v (go test -update writes it)", err)
		return
	}
	if line, a, b, ok := firstDifference(got, want); !ok {
		t.Errorf("testkit: %s: line %d is\n\t%s\nwant\n\t%s\n(go test -update accepts the change)", path, line, a, b)
	}
}

// firstDifference is the first line in which a and b differ.
func firstDifference(a, b []byte) (line int, la, lb []byte, same bool) {
	if bytes.Equal(a, b) {
		return 0, nil, nil, true
	}
	as, bs := bytes.Split(a, []byte("\n")), bytes.Split(b, []byte("\n"))
	for i := 0; ; i++ {
		switch {
		case i == len(as):
			return i + 1, []byte("(end of text)"), bs[i], false
		case i == len(bs):
			return i + 1, as[i], []byte("(end of text)"), false
		case !bytes.Equal(as[i], bs[i]):
			return i + 1, as[i], bs[i], false
		}
	}
}
