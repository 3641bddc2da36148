package onnx

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"google.golang.org/protobuf/proto"
)

// shared is the folder of test data that is not part of the module; the test is skipped when it is not there.
func shared(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv("GTK_SHARED"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if s := filepath.Join(dir, "shared", "data"); isDir(s) {
			return filepath.Join(dir, "shared")
		}
	}
	t.Skip("no folder shared/ beside the module and GTK_SHARED is not set: test data is absent")
	return ""
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

// roundTrip reads b, writes it, and reads that again; it reports whether the bytes are the same too.
func roundTrip(t *testing.T, name string, b []byte) (*Model, bool) {
	t.Helper()
	m, err := Parse(b)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return nil, false
	}
	out, err := m.Bytes()
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return nil, false
	}
	want := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(b, want); err != nil {
		t.Fatal(err)
	}
	got := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(out, got); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(want, got) {
		t.Errorf("%s: written again, the model differs", name)
	}
	if c := m.Clone(); !proto.Equal(c.Proto, m.Proto) {
		t.Errorf("%s: the clone differs", name)
	}
	if d := CompareModels(m, m.Clone()); !d.Empty() {
		t.Errorf("%s: a model differs from its clone:\n%v", name, d)
	}
	for r := range m.Tensors() {
		if _, err := m.Tensor(r.Proto); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	return m, bytes.Equal(b, out)
}

func TestSharedModels(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(shared(t), "data", "models", "*.onnx"))
	if err != nil || len(files) == 0 {
		t.Skipf("no models in the shared folder: %v", err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		m, same := roundTrip(t, f, b)
		if m == nil {
			continue
		}
		if err := m.Check(); err != nil {
			t.Errorf("%s: %v", f, err)
		}
		if !same {
			t.Logf("%s: same message, other bytes", filepath.Base(f))
		}
	}
	pbs, _ := filepath.Glob(filepath.Join(shared(t), "data", "models", "golden", "*", "*", "*.pb"))
	for _, f := range pbs {
		if _, _, err := ReadTensorFile(f); err != nil {
			t.Error(err)
		}
	}
}

// officialSuite yields the files of ONNX's own test suite.
func officialSuite(t *testing.T, f func(name string, b []byte)) {
	archives, _ := filepath.Glob(filepath.Join(shared(t), "data", "onnx-backend-tests", "*.tar.xz"))
	if len(archives) == 0 {
		t.Skip("the archive of ONNX's test suite is absent")
	}
	xz, err := exec.LookPath("xz")
	if err != nil {
		t.Skip("no xz command to unpack ONNX's test suite")
	}
	cmd := exec.Command(xz, "-dc", archives[0])
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(out)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		f(h.Name, b)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}

// TestOfficialSuite reads, checks and writes every model of ONNX's test suite and reads every value, by the types that
// the models give.
func TestOfficialSuite(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	models := map[string]*Model{}
	values := map[string][]byte{}
	same, peak := 0, 0.0
	officialSuite(t, func(name string, b []byte) {
		switch {
		case strings.HasSuffix(name, ".onnx"):
			m, equal := roundTrip(t, name, b)
			if m == nil {
				return
			}
			if equal {
				same++
			}
			if err := m.Check(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			s := scanner{budget: 1 << 40}
			if err := s.message(layoutOf(m.Proto.ProtoReflect().Descriptor()), b, 0, 1); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			peak = max(peak, float64(s.cost)/float64(len(b)))
			models[filepath.Dir(name)] = m
		case strings.HasSuffix(name, ".pb"):
			values[name] = b
		}
	})
	dir := t.TempDir()
	read := 0
	for name, b := range values {
		m := models[filepath.Dir(filepath.Dir(name))]
		if m == nil {
			t.Logf("%s: no model beside it", name)
			continue
		}
		var k int
		list := m.Inputs()
		base := filepath.Base(name)
		base, isIn := strings.CutPrefix(strings.TrimSuffix(base, ".pb"), "input_")
		if !isIn {
			base, list = strings.TrimPrefix(base, "output_"), m.Outputs()
		}
		for _, c := range base {
			k = k*10 + int(c-'0')
		}
		var typ *onnxpb.TypeProto
		if k < len(list) {
			typ = list[k].GetType()
		}
		path := filepath.Join(dir, "v.pb")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := DTypeOf(typ)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := ReadValueFile(path, d); err != nil {
			t.Errorf("%s (%v): %v", name, d, err)
		}
		read++
	}
	t.Logf("%d models, %d of them with the same bytes; %d values; at most %.1f bytes of memory for one of a file", len(models), same,
		read, peak)
	if len(models) < 1900 || same < len(models)*9/10 {
		t.Errorf("%d models, %d written with the same bytes", len(models), same)
	}
	if read != 6347 {
		t.Errorf("%d values, want 6347", read)
	}
}
