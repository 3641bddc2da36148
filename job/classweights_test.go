package job

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestClassWeights(t *testing.T) {
	dir := t.TempDir()
	file := func(text string) string {
		path := filepath.Join(dir, "w.txt")
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	classes := []string{"cat", "dog, small", "eel"}
	for spec, want := range map[string]string{"": "", "balanced": "balanced", "1, 2,0.5": "1, 2,0.5", "balance": "want balanced"} {
		got, err := classWeights(spec, classes)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%q: %s, want %s", spec, got, want)
		}
	}
	for text, want := range map[string]string{
		"1\n2\n0.5\n": "1,2,0.5", "eel,3\r\ncat: 1\ndog, small\t2": "1,2,3", "cat,1\neel,2": `no weight for the class "dog, small"`,
		"cat,1\neal,2": `did you mean "eel"`, "cat,1\n2": "some lines have a name", "cat,-1": "line 1", "cat,1\ncat,1": "twice", "": "no weight",
	} {
		got, err := classWeights(file(text), classes)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	if _, err := classWeights(file("cat,1"), nil); err == nil || !strings.Contains(err.Error(), "have no names") {
		t.Errorf("names of nothing: %v", err)
	}
}
