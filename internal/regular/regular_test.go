package regular

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
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

// A file of many gigabytes without content is refused before anything of it is read.
func TestReadSparse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sparse")
	if err := errors.Join(os.WriteFile(path, nil, 0o666), os.Truncate(path, 1<<40)); err != nil {
		t.Skip(err)
	}
	if _, err := Read(path, 1<<20); !errors.Is(err, ErrSize) || !strings.Contains(err.Error(), "1099511627776 bytes, 1048576 are allowed") {
		t.Error(err)
	}
}

func TestAll(t *testing.T) {
	text := strings.Repeat("0123456789", 1000)
	for _, expect := range []int64{0, 1, 9999, 10000, 10001, 1 << 40} {
		b, err := All(iotest.HalfReader(strings.NewReader(text)), expect, 10000, nil)
		if err != nil || string(b) != text {
			t.Errorf("expecting %d: %d bytes, %v", expect, len(b), err)
		}
		if _, err := All(strings.NewReader(text), expect, 9999, nil); err != ErrSize {
			t.Errorf("expecting %d: %v", expect, err)
		}
	}
	if _, err := All(io.MultiReader(strings.NewReader(text), iotest.ErrReader(io.ErrClosedPipe)), 0, 1<<20, nil); err != io.ErrClosedPipe {
		t.Error(err)
	}
	full := errors.New("full")
	asked := int64(0)
	_, err := All(bytes.NewReader(make([]byte, 1<<20)), 0, 1<<20, func(older, n int64) error {
		if asked = max(asked, n); n > 1<<16 {
			return full
		}
		return nil
	})
	if err != full || asked < 1<<16 {
		t.Errorf("%v after %d bytes were asked for", err, asked)
	}
}

func TestGrow(t *testing.T) {
	s := []int64{1, 2}
	s = s[:2:2]
	s, _ = Grow(s, 1, nil)
	if len(s) != 2 || cap(s) != 4 || s[0] != 1 || s[1] != 2 {
		t.Errorf("%v of %d", s, cap(s))
	}
	size := 0
	stop := errors.New("no")
	big := make([]byte, 0, 3*step) // never touched
	if _, err := Grow(big[:cap(big)], 1, func(_, n int64) error { size = int(n); return stop }); err != stop || size != 4*step {
		t.Errorf("%v: %d bytes for one more beside %d", err, size, 3*step)
	}
}
