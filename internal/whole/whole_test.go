package whole

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
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
	if err := Write(path, func(w io.Writer) error { _, err := io.WriteString(w, text); return err }); err != nil {
		t.Fatal(err)
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a", "b", "c.txt")
	put(t, path, "old")
	bad := errors.New("no more")
	err := Write(path, func(w io.Writer) error {
		io.WriteString(w, "half")
		return bad
	})
	if b, _ := os.ReadFile(path); !errors.Is(err, bad) || string(b) != "old" {
		t.Errorf("%v; the file holds %q", err, b)
	}
	err = Write(path, func(w io.Writer) error {
		w.(*File).f.Close()
		_, err := io.WriteString(w, "x")
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
	locked := filepath.Join(dir, "locked")
	put(t, locked, "x")
	if err := os.Chmod(locked, 0o444); err != nil {
		t.Fatal(err)
	}
	if err := Check(locked); err == nil {
		t.Error("a file that is read-only may be replaced")
	}
	if err := os.Remove(locked); err != nil {
		t.Fatal(err)
	}
	if err := CheckFolder(file); err == nil {
		t.Error("a file was taken for a folder")
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("left behind: %v", got)
	}
}

// again makes the next sweep happen although there was one a moment ago.
func again() {
	sweeping.Lock()
	clear(swept)
	sweeping.Unlock()
}

// child runs the test of that name as another process, which is to print a line and to live until it is killed.
func child(t *testing.T, test, value string) (line string, kill func()) {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run", "^"+test+"$")
	c.Env = append(os.Environ(), "WHOLE_TEST_PATH="+value)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		_ = c.Process.Kill()
		_ = c.Wait() // killed
	})
	t.Cleanup(kill)
	s := bufio.NewScanner(out)
	if !s.Scan() {
		t.Fatalf("the child says nothing")
	}
	return s.Text(), kill
}

// What a process that was killed has left is taken away by the next that writes anything in the folder, whatever its name, age and number
// of process; what is being written is not.
func TestSweep(t *testing.T) {
	if path := os.Getenv("WHOLE_TEST_PATH"); path != "" {
		if _, err := Create(path); err != nil {
			t.Fatal(err)
		}
		if _, err := CreateFolder(filepath.Join(filepath.Dir(path), "folder")); err != nil {
			t.Fatal(err)
		}
		if _, err := Acquire(path); err != nil {
			t.Fatal(err)
		}
		fmt.Println("MADE")
		time.Sleep(time.Minute) // until it is killed
	}
	dir := t.TempDir()
	_, kill := child(t, "TestSweep", filepath.Join(dir, "x.npz"))
	old := time.Now().Add(-48 * time.Hour)
	for _, n := range names(t, dir) {
		if err := os.Chtimes(filepath.Join(dir, n), old, old); err != nil {
			t.Fatal(err)
		}
	}
	put(t, filepath.Join(dir, "other.txt"), "x")
	if got := names(t, dir); len(got) != 4 {
		t.Errorf("while another process writes there are %v", got)
	}
	kill()
	again()
	mine, err := Create(filepath.Join(dir, "x.npz"))
	if err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); len(got) != 2 {
		t.Errorf("after the other process was killed there are %v, want other.txt and %s", got, mine.Name())
	}
	again()
	put(t, filepath.Join(dir, "x.npz"), "y")
	if err := mine.Commit(); err != nil {
		t.Errorf("a file in the making was swept away: %v", err)
	}
	// The number of a process that runs says nothing; a name that is not of this form is nobody's business.
	for _, n := range []string{
		fmt.Sprintf(".x.npz.%d.0123456789abcdef.gtk.tmp", os.Getppid()), ".x.npz.mine.tmp", ".x.npz.1.0123456789abcdef.tmp",
	} {
		if err := os.WriteFile(filepath.Join(dir, n), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	again()
	put(t, filepath.Join(dir, "z"), "z")
	if got := names(t, dir); len(got) != 5 {
		t.Errorf("there are %v, want three files and two of other names", got)
	}
}

func TestLock(t *testing.T) {
	if path := os.Getenv("WHOLE_TEST_PATH"); path != "" {
		l, err := Acquire(path)
		if err != nil {
			t.Fatal(err)
		}
		l.Note("word")
		fmt.Println(os.Getpid())
		time.Sleep(time.Minute) // until it is killed
	}
	var recovered []string
	defer Recover(recovery)
	Recover(func(path, word string) { recovered = append(recovered, filepath.Base(path)+" "+word) })
	dir := filepath.Join(t.TempDir(), "new", "folder")
	path := filepath.Join(dir, "x.onnx")
	pid, kill := child(t, "TestLock", path)
	var busy *BusyError
	var at *fs.PathError
	if _, err := Acquire(path); !errors.As(err, &busy) || !errors.As(err, &at) || at.Path != path || fmt.Sprint(busy.PID) != pid {
		t.Errorf("%v, want that process %s writes it", err, pid)
	}
	again()
	put(t, filepath.Join(dir, "y"), "y")
	if _, err := Acquire(path); !errors.As(err, &busy) {
		t.Errorf("a lock that is held was swept away: %v", err)
	}
	kill()
	l, err := Acquire(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(recovered) != 1 || recovered[0] != "x.onnx word" {
		t.Errorf("recovered %v", recovered)
	}
	if _, err := Acquire(path); !errors.As(err, &busy) || busy.PID != os.Getpid() {
		t.Errorf("twice in one process: %v", err)
	}
	done := make(chan error)
	go func() {
		m, err := Wait(path)
		m.Release()
		done <- err
	}()
	l.Release()
	l.Release()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("left behind: %v", got)
	}
	gone := filepath.Join(t.TempDir(), "a")
	if l, err = Acquire(filepath.Join(gone, "b", "c")); err != nil {
		t.Fatal(err)
	}
	l.Release()
	if _, err := os.Stat(gone); err == nil {
		t.Error("a folder was left behind")
	}
}

func TestFolder(t *testing.T) {
	root := t.TempDir()
	content := func(dir string) string {
		var all []string
		err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(p)
			rel, _ := filepath.Rel(dir, p)
			all = append(all, filepath.ToSlash(rel)+"="+string(b))
			return err
		})
		if err != nil {
			return err.Error()
		}
		return strings.Join(all, " ")
	}
	fill := func(dir, text string, files ...string) *Folder {
		t.Helper()
		f, err := CreateFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range files {
			if err := MakeFolder(filepath.Dir(filepath.Join(f.Path, n))); err != nil {
				t.Fatal(err)
			}
			if err := WriteNew(filepath.Join(f.Path, n), strings.NewReader(text)); err != nil {
				t.Fatal(err)
			}
		}
		return f
	}
	commit := func(f *Folder, heads ...string) {
		t.Helper()
		if err := f.Commit(heads...); err != nil {
			t.Fatal(err)
		}
	}
	fresh := filepath.Join(root, "up", "fresh")
	f := fill(fresh, "1", "a", "sub/b", "head")
	if _, err := os.Stat(fresh); err == nil {
		t.Error("the folder is there before it is whole")
	}
	commit(f, "head")
	f.Discard()
	if got := content(fresh); got != "a=1 head=1 sub/b=1" {
		t.Errorf("the new folder holds %s", got)
	}
	f = fill(fresh, "2", "a", "sub/c", "head")
	if got := content(filepath.Join(fresh, "sub")); got != "b=1" {
		t.Errorf("before it is whole there is %s", got)
	}
	put(t, filepath.Join(fresh, "mine"), "0")
	commit(f, "head")
	if got := content(fresh); got != "a=2 head=2 mine=0 sub/c=2" {
		t.Errorf("the old folder holds %s", got)
	}
	empty := filepath.Join(root, "empty")
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	commit(fill(empty, "1", "a"))
	if got := content(empty); got != "a=1" {
		t.Errorf("the empty folder holds %s", got)
	}
	if st, err := os.Stat(empty); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("the folder that was there is %v now", st.Mode())
	}
	f = fill(filepath.Join(root, "no"), "1", "a")
	err := WriteNew(filepath.Join(f.Path, "a"), strings.NewReader(""))
	var named *fs.PathError
	if !errors.As(err, &named) || named.Path != filepath.Join(root, "no", "a") {
		t.Errorf("the error is %v and does not name the file as it would be called", err)
	}
	f.Discard()
	t.Chdir(empty)
	commit(fill(".", "2", "b"))
	if got := content("."); got != "a=1 b=2" {
		t.Errorf("the folder that the process is in holds %s", got)
	}
	if got := names(t, root); len(got) != 2 {
		t.Errorf("there are %v", got)
	}
	put(t, filepath.Join(root, "file"), "x")
	var at *fs.PathError
	if _, err := CreateFolder(filepath.Join(root, "file", "x")); !errors.As(err, &at) || at.Path != filepath.Join(root, "file", "x") {
		t.Errorf("a folder in a file: %v", err)
	}
}
