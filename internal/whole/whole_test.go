package whole

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// names are the entries of a folder.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := Write(path, func(f *os.File) error { _, err := f.WriteString(text); return err }); err != nil {
		t.Fatal(err)
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a", "b", "c.txt")
	put(t, path, "old")
	bad := errors.New("no more")
	err := Write(path, func(f *os.File) error {
		f.WriteString("half")
		return bad
	})
	if b, _ := os.ReadFile(path); !errors.Is(err, bad) || string(b) != "old" {
		t.Errorf("%v; the file holds %q", err, b)
	}
	err = Write(path, func(f *os.File) error {
		f.Close()
		_, err := f.WriteString("x")
		return err
	})
	var p *fs.PathError
	if !errors.As(err, &p) || p.Path != path {
		t.Errorf("the error is %v and does not name %s", err, path)
	}
	put(t, path, "new")
	if b, _ := os.ReadFile(path); string(b) != "new" || len(names(t, filepath.Dir(path))) != 1 {
		t.Errorf("the file holds %q; %v are there", b, names(t, filepath.Dir(path)))
	}
	put(t, filepath.Join(dir, strings.Repeat("n", 250)), "long")
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	put(t, file, "x")
	for _, path := range []string{filepath.Join(dir, "new"), filepath.Join(dir, "no", "folder", "yet"), file} {
		if err := Check(path); err != nil {
			t.Error(err)
		}
	}
	if err := CheckFolder(filepath.Join(dir, "out", "maps")); err != nil {
		t.Error(err)
	}
	bad := []string{dir, filepath.Join(file, "x"), filepath.Join(file, "x", "y")}
	if runtime.GOOS == "linux" {
		bad = append(bad, "/proc/x.onnx", "/proc/x/y.onnx", os.DevNull)
	}
	for _, path := range bad {
		var p *fs.PathError
		if err := Check(path); !errors.As(err, &p) || p.Path != path {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := CheckFolder(file); err == nil {
		t.Error("a file was taken for a folder")
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("left behind: %v", got)
	}
}

// What a process that was killed has left is taken away by the next that writes the file; what is being written is not.
func TestSweep(t *testing.T) {
	if path := os.Getenv("WHOLE_TEST_PATH"); path != "" {
		f, err := Create(path)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("MADE", f.Name())
		time.Sleep(time.Minute) // until it is killed
	}
	path := filepath.Join(t.TempDir(), "x.npz")
	c := exec.Command(os.Args[0], "-test.run", "^TestSweep$")
	c.Env = append(os.Environ(), "WHOLE_TEST_PATH="+path)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	s := bufio.NewScanner(out)
	if !s.Scan() || !strings.HasPrefix(s.Text(), "MADE") {
		t.Fatalf("the child says %q", s.Text())
	}
	put(t, path, "x")
	if got := names(t, filepath.Dir(path)); len(got) != 2 {
		t.Errorf("while another process writes there are %v", got)
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // killed
	mine, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := names(t, filepath.Dir(path)); len(got) != 2 {
		t.Errorf("after the other process was killed there are %v, want the file and %s", got, mine.Name())
	}
	put(t, path, "y")
	if err := mine.Commit(); err != nil {
		t.Errorf("a file in the making was swept away: %v", err)
	}
	old := filepath.Join(filepath.Dir(path), fmt.Sprintf(".x.npz.%d.0123456789abcdef.tmp", os.Getppid()))
	for _, n := range []string{old, filepath.Join(filepath.Dir(path), ".x.npz.mine.tmp"),
		filepath.Join(filepath.Dir(path), ".y.npz.1.0123456789abcdef.tmp")} {
		if err := os.WriteFile(n, nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(old, time.Time{}, time.Now().Add(-2*stale)); err != nil {
		t.Fatal(err)
	}
	put(t, path, "z")
	if got := names(t, filepath.Dir(path)); len(got) != 3 {
		t.Errorf("there are %v, want the file and two of other names", got)
	}
}
