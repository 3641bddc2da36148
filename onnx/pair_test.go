package onnx

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// shifted is addModel(n) with v added to its weights.
func shifted(n int, v float32) *Model {
	m := addModel(n)
	w := tensor.New(tensor.Float32, n)
	for i := range w.F32() {
		w.F32()[i] = float32(i) + v
	}
	if err := m.SetInitializer("w", w); err != nil {
		panic(err)
	}
	return m
}

// first is the first weight of the model in a file.
func first(t *testing.T, path string) float32 {
	t.Helper()
	m, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	v, err := m.Tensor(m.Initializer("w"))
	if err != nil {
		t.Fatal(err)
	}
	return v.F32()[0]
}

// files are the names in dir, with the digits of hashes as #.
func files(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, regexp.MustCompile(`\.[0-9a-f]{16}\.`).ReplaceAllString(e.Name(), ".#."))
	}
	return strings.Join(all, " ")
}

// However often a pair is replaced, with or without data, by others or by itself, there is one model and one data file, and what was read
// from the old ones goes on reading them.
func TestPairs(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "p.onnx")
	write := func(m *Model, o WriteOptions) {
		t.Helper()
		o.Force = true
		if err := m.WriteFile(path, o); err != nil {
			t.Fatal(err)
		}
	}
	external := WriteOptions{ExternalData: true}
	want := func(v float32, names string) {
		t.Helper()
		if got := first(t, path); got != v || files(t, dir) != names {
			t.Errorf("the weight is %v, want %v; there are %s, want %s", got, v, files(t, dir), names)
		}
	}
	write(shifted(1000, 0), external)
	want(0, "p.onnx p.onnx.data")
	old, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(shifted(1000, 1), external)
	want(1, "p.onnx p.onnx.#.data")
	write(shifted(1000, 2), external)
	want(2, "p.onnx p.onnx.#.data")
	if v, err := old.Tensor(old.Initializer("w")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the model that was read before has %v (%v), want an error", v, err)
	}
	write(shifted(1000, 0), external)
	want(0, "p.onnx p.onnx.#.data")
	again, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(again.Clone(), WriteOptions{})
	want(0, "p.onnx p.onnx.#.data")
	write(again.Clone(), WriteOptions{DataName: "w.bin"})
	want(0, "p.onnx p.onnx.#.data w.bin") // of another name: nobody knows whose it is
	write(again, WriteOptions{Inline: true})
	want(0, "p.onnx w.bin")
	if v := values(t, again, "w"); v[0] != 0 {
		t.Errorf("the model that was written over its own files has %v, want 0", v[0])
	}
	write(shifted(1000, 3), external)
	write(shifted(1000, 4), WriteOptions{})
	want(4, "p.onnx w.bin")
}

// Data that another model in the folder refers to stay.
func TestPairShared(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "p.onnx"), filepath.Join(dir, "q.onnx")
	if err := shifted(1000, 5).WriteFile(path, WriteOptions{ExternalData: true}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(other, b, 0o666); err != nil {
		t.Fatal(err)
	}
	for v := range 3 {
		if err := shifted(1000, float32(v)).WriteFile(path, WriteOptions{ExternalData: true, Force: true}); err != nil {
			t.Fatal(err)
		}
		if a, b := first(t, path), first(t, other); a != float32(v) || b != 5 {
			t.Errorf("the weights are %v and %v, want %d and 5", a, b, v)
		}
	}
	if got := files(t, dir); got != "p.onnx p.onnx.#.data p.onnx.data q.onnx" {
		t.Errorf("there are %s", got)
	}
}

func TestRefers(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.onnx")
	const name = "w.onnx.data"
	for text, want := range map[string]bool{
		"\x0b" + name: true, "./" + name: true, `"` + name: true, "v" + name: false, name: false, "": false,
		strings.Repeat("a", 1<<20-7) + "\x0b" + name:                           true,
		strings.Repeat("a", 1<<20-2) + "\x0b" + name + "b":                     true,
		strings.Repeat("a", 1<<20-2) + "\x0a" + name + "b":                     false,
		strings.Repeat("v"+name, 200000) + strings.Repeat("b", 9) + "/" + name: true,
	} {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if got := refers(path, name); got != want {
			t.Errorf("%d bytes that end in %q: %v", len(text), text[max(0, len(text)-20):], got)
		}
	}
	if refers(filepath.Join(dir, "none.onnx"), name) {
		t.Error("a file that is not there refers to something")
	}
}

// Killed or failing at any step, a replacement leaves the old pair or the new one, and the next that writes in the folder leaves nothing
// else.
func TestPairFailpoints(t *testing.T) {
	if dir := os.Getenv("ONNX_TEST_PAIR"); dir != "" {
		o := WriteOptions{ExternalData: os.Getenv("ONNX_TEST_INLINE") == "", Force: true}
		if err := shifted(1000, 2).WriteFile(filepath.Join(dir, "p.onnx"), o); err != nil {
			fmt.Println("ERROR", err)
		}
		return
	}
	if testing.Short() {
		t.Skip("starts a program many times")
	}
	child := func(dir, fail string, inline bool) string {
		c := exec.Command(os.Args[0], "-test.run", "^TestPairFailpoints$")
		c.Env = append(os.Environ(), "ONNX_TEST_PAIR="+dir, "GTK_FAILPOINT="+fail)
		if inline {
			c.Env = append(c.Env, "ONNX_TEST_INLINE=1")
		}
		out, err := c.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return string(out)
	}
	begin := func(before int) string { // 0: nothing is there, 1: one pair, 2: one whose data has a hash
		dir := t.TempDir()
		for v := range before {
			o := WriteOptions{ExternalData: true, Force: true}
			if err := shifted(1000, float32(v)).WriteFile(filepath.Join(dir, "p.onnx"), o); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	for before := range 3 {
		for _, inline := range []bool{false, true} {
			log, dir := filepath.Join(t.TempDir(), "log"), begin(before)
			child(dir, "log:"+log, inline)
			b, err := os.ReadFile(log)
			if err != nil {
				t.Fatal(err)
			}
			steps := strings.Count(string(b), "\n")
			if steps < 4 || first(t, filepath.Join(dir, "p.onnx")) != 2 {
				t.Fatalf("%d steps; there are %s", steps, files(t, dir))
			}
			for n := range steps {
				for _, action := range []string{"kill", "half", "error"} {
					dir := begin(before)
					path := filepath.Join(dir, "p.onnx")
					out := child(dir, fmt.Sprintf("any:%d:%s", n+1, action), inline)
					what := fmt.Sprintf("%d before, inline %v, %s at %s: %s", before, inline, action, strings.Split(string(b), "\n")[n],
						out)
					if _, err := os.Stat(path); !(before == 0 && errors.Is(err, fs.ErrNotExist)) {
						if v := first(t, path); v != float32(before-1) && v != 2 {
							t.Errorf("%s: the weight is %v", what, v)
						}
					}
					if action == "error" && strings.Contains(files(t, dir), "tmp") {
						t.Errorf("%s: there are %s", what, files(t, dir))
					}
					// Another program writes something else in the folder.
					c := exec.Command(os.Args[0], "-test.run", "^TestWriteAnother$")
					c.Env = append(os.Environ(), "ONNX_TEST_ANOTHER="+dir)
					if out, err := c.CombinedOutput(); err != nil {
						t.Fatalf("%v\n%s", err, out)
					}
					if action == "error" {
						continue // no data are taken away from a folder whose writer lived to see the error
					}
					left := files(t, dir)
					if !slices.Contains([]string{"other.onnx", "other.onnx p.onnx", "other.onnx p.onnx p.onnx.data",
						"other.onnx p.onnx p.onnx.#.data"}, left) {
						t.Errorf("%s: there are %s", what, left)
					}
				}
			}
		}
	}
}

func TestWriteAnother(t *testing.T) {
	if dir := os.Getenv("ONNX_TEST_ANOTHER"); dir != "" {
		if err := shifted(10, 0).WriteFile(filepath.Join(dir, "other.onnx"), WriteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// A hole in external data stays one, and what is copied is the same byte for byte.
func TestHoles(t *testing.T) {
	dir := t.TempDir()
	const size = 64 << 20
	m := shifted(size/4, 0)
	path := filepath.Join(dir, "a.onnx")
	if err := m.WriteFile(path, WriteOptions{ExternalData: true}); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path + ".data") // a hole
	if err != nil {
		t.Fatal(err)
	}
	for at, s := range map[int64]string{0: "first", 5<<20 + 3: "in the middle", size - 8<<20: "and then nothing"} {
		if _, err := f.WriteAt([]byte(s), at); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
		t.Fatal(err)
	}
	r, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, "b.onnx")
	if err := r.WriteFile(copied, WriteOptions{ExternalData: true}); err != nil {
		t.Fatal(err)
	}
	want, err1 := os.ReadFile(path + ".data")
	got, err2 := os.ReadFile(copied + ".data")
	if err := errors.Join(err1, err2); err != nil || !bytes.Equal(got, want) {
		t.Fatal("the copy differs", err)
	}
	if runtime.GOOS != "linux" {
		return
	}
	old, err := os.Open(path + ".data")
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if lo, hi := nextData(old, 0, size); lo != 0 || hi == size {
		t.Skip("a file system without holes")
	}
	now, err := os.Open(copied + ".data")
	if err != nil {
		t.Fatal(err)
	}
	defer now.Close()
	if _, hi := nextData(now, 0, size); hi > 2<<20 {
		t.Errorf("the first %d bytes are written", hi)
	}
}
