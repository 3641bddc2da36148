package regular

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := os.WriteFile(path, []byte("12345"), 0o666); err != nil {
		t.Fatal(err)
	}
	if b, err := Read(path, 5); err != nil || string(b) != "12345" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := Read(path, 4); !errors.Is(err, ErrSize) || !strings.Contains(err.Error(), path) {
		t.Error(err)
	}
	if _, err := Read(filepath.Join(dir, "b"), 4); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	for _, p := range []string{dir, os.DevNull} {
		if _, err := Read(p, 4); !errors.Is(err, ErrKind) || !strings.Contains(err.Error(), p) {
			t.Error(p, err)
		}
	}
}
