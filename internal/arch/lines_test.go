package arch

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestLines: no line of Go has more than 140 characters, but for raw strings, struct tags among them, and files that are generated.
func TestLines(t *testing.T) {
	root, files := filepath.Join("..", ".."), 0
	err := filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && strings.HasPrefix(e.Name(), ".") && path != root {
			return filepath.SkipDir
		}
		if e.IsDir() || filepath.Ext(path) != ".go" {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil || bytes.Contains(b[:min(len(b), 1024)], []byte("// Code generated ")) {
			return err
		}
		files++
		raw := false
		s := bufio.NewScanner(bytes.NewReader(b))
		for n := 1; s.Scan(); n++ {
			quotes := strings.Count(strings.ReplaceAll(s.Text(), "'`'", ""), "`")
			if utf8.RuneCountInString(s.Text()) > 140 && quotes == 0 && !raw {
				t.Errorf("%s:%d: %d characters", path, n, utf8.RuneCountInString(s.Text()))
			}
			raw = raw != (quotes%2 == 1)
		}
		return s.Err()
	})
	if err != nil || files < 1000 {
		t.Errorf("%d files were read: %v", files, err)
	}
}
