package testkit

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// recorder stands in for a test and records how it ended.
type recorder struct {
	testing.TB
	failed, fatal, skipped bool
	log                    string
}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(f string, a ...any) {
	r.failed = true
	r.log += fmt.Sprintf(f, a...)
}
func (r *recorder) Fatalf(f string, a ...any) {
	r.fatal = true
	r.log += fmt.Sprintf(f, a...)
	panic(r)
}
func (r *recorder) Skipf(f string, a ...any) {
	r.skipped = true
	r.log += fmt.Sprintf(f, a...)
	panic(r)
}
func (r *recorder) Skip(a ...any) { r.Skipf("%s", fmt.Sprint(a...)) }

// record runs f with a recorder.
func record(f func(t testing.TB)) (r *recorder) {
	r = &recorder{}
	defer func() {
		if p := recover(); p != nil && p != r {
			panic(p)
		}
	}()
	f(r)
	return r
}

func TestGolden(t *testing.T) {
	path := filepath.Join(t.TempDir(), "testdata", "x.golden")
	if r := record(func(t testing.TB) { Golden(t, path, []byte("a\nb\n")) }); !r.fatal {
		t.Error("a missing golden file did not end the test")
	}
	*update = true
	Golden(t, path, []byte("a\nb\n"))
	*update = false
	Golden(t, path, []byte("a\nb\n"))
	for got, want := range map[string]string{"a\nc\n": "line 2", "a\nb\nd": "line 3", "a": "line 2", "": "line 1"} {
		if r := record(func(t testing.TB) { Golden(t, path, []byte(got)) }); !r.failed || !strings.Contains(r.log, want) {
			t.Errorf("%q: %q", got, r.log)
		}
	}
}

func TestShared(t *testing.T) {
	root := t.TempDir()
	deep := filepath.Join(root, "module", "internal", "x")
	for _, d := range []string{deep, filepath.Join(root, "shared", "spec")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("GTK_SHARED", "")
	t.Chdir(deep)
	want, err := filepath.EvalSymlinks(filepath.Join(root, "shared"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := filepath.EvalSymlinks(Shared(t)); err != nil || got != want {
		t.Error(got, err)
	}
	if r := record(func(t testing.TB) { SharedFile(t, "data", "none") }); !r.skipped {
		t.Error("a missing file did not skip the test")
	}
	t.Setenv("GTK_SHARED", deep)
	if r := record(func(t testing.TB) { Shared(t) }); !r.fatal {
		t.Error("a wrong GTK_SHARED did not end the test")
	}
	t.Setenv("GTK_SHARED", filepath.Join(root, "shared"))
	if Shared(t) != filepath.Join(root, "shared") {
		t.Error("GTK_SHARED was not taken")
	}
	if err := os.RemoveAll(filepath.Join(root, "shared")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GTK_SHARED", "")
	for up := root; up != filepath.Dir(up); up = filepath.Dir(up) {
		if isDir(filepath.Join(up, "shared", "spec")) {
			t.Skipf("%s has a shared folder: what happens without one cannot be tried", up)
		}
	}
	if r := record(func(t testing.TB) { Shared(t) }); !r.skipped || !strings.Contains(r.log, "GTK_SHARED") {
		t.Error("no shared folder did not skip the test")
	}
}

func TestRandom(t *testing.T) {
	x := RandN(7, 100, 100)
	if !tensor.Equal(x, RandN(7, 100, 100)) || tensor.Equal(x, RandN(8, 100, 100)) {
		t.Error("not a function of the seed")
	}
	// Pinned: other tests keep numbers that were computed from these.
	if got, want := RandN(1, 3).F32(), []float32{-2.336845, -0.90610653, 1.10143}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	var mean, square float64
	for _, v := range x.Float64s() {
		mean += v / 1e4
		square += v * v / 1e4
	}
	if math.Abs(mean) > 0.04 || math.Abs(square-1) > 0.06 {
		t.Errorf("mean %v, variance %v", mean, square)
	}
	for _, v := range RandUniform(1, -2, 3, 1000).F32() {
		if v < -2 || v > 3 {
			t.Fatal(v)
		}
	}
	if got := LightInput(1, 4).F32(); !slices.Equal(got, []float32{0, 0.25, 0.5, 0.75}) {
		t.Error(got)
	}
	seen := map[int64]bool{}
	for _, v := range RandInts(1, -1, 2, 100).I64() {
		seen[v] = true
	}
	if len(seen) != 3 || !seen[-1] || !seen[1] {
		t.Error(seen)
	}
}

func TestClose(t *testing.T) {
	x := RandN(1, 4)
	y := x.Clone()
	y.F32()[2] += 1e-3
	if !Close(t, "same", x, x, 0, 0) || !Close(t, "near", x, y, 0, 2e-3) {
		t.Error("close tensors are not")
	}
	d, err := x.Convert(tensor.Float64)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*tensor.Tensor{y, x.Reshape(2, 2), d, nil} {
		if r := record(func(t testing.TB) { Close(t, "logits", x, c, 0, 1e-4) }); !r.failed || !strings.HasPrefix(r.log, "logits: ") {
			t.Errorf("%v: %q", c, r.log)
		}
	}
}

func TestVectors(t *testing.T) {
	dir := t.TempDir()
	write := func(s string) string {
		p := filepath.Join(dir, "v.json")
		if err := os.WriteFile(p, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	v := Vectors(t, write(`{"a/b":{"shape":[1,2],"data":[0.5,-1e-3],"desc":"d"},"s":{"shape":[],"data":[2.0],"desc":""},
		"w":{"conv.bias":{"shape":[0],"data":[]}}}`))
	if len(v) != 3 || v["a/b"].Desc != "d" || !tensor.Equal(v["a/b"].Tensor, tensor.From([]float32{0.5, -1e-3}, 1, 2)) ||
		v["s"].Tensor.Rank() != 0 || v["w/conv.bias"].Tensor.Len() != 0 {
		t.Error(v)
	}
	for _, bad := range []string{``, `[]`, `{"a":{"shape":[2],"data":[1]}}`, `{"a":{"shape":[-1],"data":[1]}}`, `{"a":{"data":[1]}}`, `{"a":1}`, `{"a":{"b":{"c":{}}}}`} {
		if r := record(func(t testing.TB) { Vectors(t, write(bad)) }); !r.fatal {
			t.Errorf("%s: accepted", bad)
		}
	}
}

// The vectors of the explanation methods, and the same arrays as NPY files written by NumPy.
func TestSharedVectorsAndNPY(t *testing.T) {
	dir := SharedFile(t, "spec", "vectors", "explain")
	for name, want := range map[string]int{"common": 36, "netA": 375, "netB": 375} {
		if v := Vectors(t, filepath.Join(dir, name+".json")); len(v) != want {
			t.Errorf("%s: %d vectors, want %d", name, len(v), want)
		}
	}
	common := Vectors(t, filepath.Join(dir, "common.json"))
	files, err := filepath.Glob(filepath.Join(dir, "npy", "*.npy"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	compared := 0
	for _, p := range files {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		arrays, err := tensor.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := tensor.WriteNPY(&out, arrays[0].Tensor); err != nil || !bytes.Equal(out.Bytes(), b) {
			t.Errorf("%s: written again, it differs from what NumPy wrote (%v)", p, err)
		}
		if v, ok := common[arrays[0].Name]; ok {
			compared++
			Close(t, p, arrays[0].Tensor, v.Tensor, 1e-6, 1e-7)
		}
	}
	if compared < 3 {
		t.Errorf("only %d arrays are in both forms", compared)
	}
}

func TestCases(t *testing.T) {
	dir := t.TempDir()
	touch := func(elem ...string) {
		p := filepath.Join(append([]string{dir}, elem...)...)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	touch("node", "test_b", "model.onnx")
	for i := range 11 { // more than nine: numbers, not text, order them
		touch("node", "test_b", "test_data_set_0", fmt.Sprintf("input_%d.pb", i))
	}
	touch("node", "test_b", "test_data_set_0", "output_0.pb")
	touch("node", "test_b", "test_data_set_1", "output_0.pb")
	touch("node", "test_a", "model.onnx")
	touch("light", "light_x.onnx")
	touch("light", "light_x_output_0.pb")
	touch("light", "README.md")
	cases, err := Cases(dir)
	if err != nil || len(cases) != 3 {
		t.Fatal(cases, err)
	}
	if c := cases[0]; c.Suite != "light" || c.Name != "light_x" || len(c.Sets) != 1 || len(c.Sets[0].Inputs) != 0 || len(c.Sets[0].Outputs) != 1 {
		t.Errorf("%+v", c)
	}
	if c := cases[1]; c.Name != "test_a" || len(c.Sets) != 0 {
		t.Errorf("%+v", c)
	}
	if c := cases[2]; c.Name != "test_b" || len(c.Sets) != 2 || len(c.Sets[0].Inputs) != 11 || filepath.Base(c.Sets[0].Inputs[10]) != "input_10.pb" || len(c.Sets[1].Inputs) != 0 {
		t.Errorf("%+v", c)
	}
	touch("node", "test_a", "test_data_set_0", "input_1.pb")
	if _, err := Cases(dir); err == nil || !strings.Contains(err.Error(), "test_a") {
		t.Errorf("a gap in the numbers: %v", err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "node", "test_a")); err != nil {
		t.Fatal(err)
	}
	touch("node", "test_c", "other.onnx")
	if _, err := Cases(dir); err == nil || !strings.Contains(err.Error(), "test_c") {
		t.Errorf("a case without a model: %v", err)
	}
	if _, err := Cases(filepath.Join(dir, "none")); err == nil {
		t.Error("no error for a missing folder")
	}
}

func TestOfficialSuite(t *testing.T) {
	if testing.Short() {
		t.Skip("unpacks an archive")
	}
	cases := OfficialSuite(t)
	count := map[string]int{}
	for _, c := range cases {
		count[c.Suite]++
		for _, s := range c.Sets {
			if len(s.Outputs) == 0 {
				t.Errorf("%s/%s: a data set without outputs", c.Suite, c.Name)
			}
		}
	}
	want := map[string]int{"node": 1765, "pytorch-converted": 82, "pytorch-operator": 35, "simple": 23, "light": 9}
	for s, n := range want {
		if count[s] != n {
			t.Errorf("%s: %d cases, want %d", s, count[s], n)
		}
	}
	if again := OfficialSuite(t); len(again) != len(cases) || again[0].Model != cases[0].Model {
		t.Error("the second call differs")
	}
}

func TestUnpackOnceLeavesNothing(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("HOME", cache)
	bad := filepath.Join(t.TempDir(), "bad.tar.xz")
	if err := os.WriteFile(bad, []byte("no archive"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := unpackOnce(bad); err == nil {
		t.Fatal("no error")
	}
	left, err := filepath.Glob(filepath.Join(cache, "*", "*"))
	if err != nil || len(left) != 0 {
		t.Error(left, err)
	}
}

func TestKnownFailures(t *testing.T) {
	path := filepath.Join(t.TempDir(), "known.txt")
	write := func(s string) {
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# why\n\ntest_a  # the operator is missing\ntest_b # also # with a second mark\n")
	k := ReadKnownFailures(t, path)
	if k.Reason("test_a") != "the operator is missing" || k.Reason("test_b") != "also # with a second mark" || k.Reason("test_c") != "" {
		t.Error(k)
	}
	bad := errors.New("wrong")
	for _, c := range []struct {
		name            string
		err             error
		failed, skipped bool
	}{{"test_a", bad, false, true}, {"test_a", nil, true, false}, {"test_c", nil, false, false}, {"test_c", bad, true, false}} {
		if r := record(func(t testing.TB) { k.Check(t, c.name, c.err) }); r.failed != c.failed || r.skipped != c.skipped {
			t.Errorf("%+v: %+v", c, r)
		}
	}
	if r := record(func(t testing.TB) { k.CheckStale(t) }); !r.failed || !strings.Contains(r.log, "test_b") || strings.Contains(r.log, "test_a") {
		t.Error(r.log)
	}
	for _, s := range []string{"test_a\n", "test_a #\n", "a b # c\n", "a # b\na # c\n"} {
		write(s)
		if r := record(func(t testing.TB) { ReadKnownFailures(t, path) }); !r.fatal {
			t.Errorf("%q was accepted", s)
		}
	}
}
