package onnx

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
	"google.golang.org/protobuf/proto"
)

// addModel computes x + w with w [n], stored raw.
func addModel(n int) *Model {
	w := tensor.New(tensor.Float32, n)
	for i := range w.F32() {
		w.F32()[i] = float32(i)
	}
	return NewModel(&onnxpb.GraphProto{
		Name:        new("g"),
		Input:       []*onnxpb.ValueInfoProto{ValueInfo("x", tensor.Float32, "N", n)},
		Output:      []*onnxpb.ValueInfoProto{ValueInfo("y", tensor.Float32, "N", n)},
		Initializer: []*onnxpb.TensorProto{TensorToProto("w", w), TensorToProto("small", tensor.From([]float32{1}, 1))},
		Node: []*onnxpb.NodeProto{
			NewNode("Add", "add", []string{"x", "w"}, []string{"h"}),
			NewNode("Mul", "mul", []string{"h", "small"}, []string{"y"}),
		},
	}, 17)
}

// externalModel writes addModel(n) with external data and reads it.
func externalModel(t *testing.T, dir string, n int) (*Model, string) {
	t.Helper()
	path := filepath.Join(dir, "m.onnx")
	if err := addModel(n).WriteFile(path, WriteOptions{ExternalData: true}); err != nil {
		t.Fatal(err)
	}
	m, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Check(); err != nil {
		t.Fatal(err)
	}
	return m, path
}

func values(t *testing.T, m *Model, name string) []float32 {
	t.Helper()
	v, err := m.Tensor(m.Initializer(name))
	if err != nil {
		t.Fatal(err)
	}
	return v.F32()
}

func TestExternalData(t *testing.T) {
	dir := t.TempDir()
	m, path := externalModel(t, dir, 1000)
	w := m.Initializer("w")
	if !isExternal(w) || isExternal(m.Initializer("small")) || w.RawData != nil {
		t.Fatalf("stored as %v", w)
	}
	if v := values(t, m, "w"); v[999] != 999 {
		t.Errorf("w[999] = %v", v[999])
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 2 || entries[1].Name() != "m.onnx.data" {
		t.Errorf("files: %v", entries)
	}

	// New values: seen by Tensor, by clones, by Bytes (inside) and by WriteFile (outside), not by the file.
	v := tensor.New(tensor.Float32, 1000)
	v.F32()[5] = -5
	if err := m.SetInitializer("w", v); err != nil {
		t.Fatal(err)
	}
	if values(t, m, "w")[5] != -5 || values(t, m.Clone(), "w")[5] != -5 {
		t.Error("the new values are not seen")
	}
	b, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	in, err := Parse(b)
	if err != nil || values(t, in, "w")[5] != -5 {
		t.Errorf("by way of Bytes: %v", err)
	}
	other := filepath.Join(t.TempDir(), "o.onnx")
	if err := m.WriteFile(other, WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	out, err := ReadFile(other)
	if err != nil || !isExternal(out.Initializer("w")) || values(t, out, "w")[5] != -5 {
		t.Errorf("written: %v %v", err, out)
	}
	again, _ := ReadFile(path)
	if values(t, again, "w")[5] != 5 {
		t.Error("the file that was read has changed")
	}

	// In place, and back inside.
	if err := m.WriteFile(path, WriteOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	if again, _ = ReadFile(path); values(t, again, "w")[5] != -5 {
		t.Error("not overwritten")
	}
	inline := filepath.Join(t.TempDir(), "i.onnx")
	if err := again.WriteFile(inline, WriteOptions{Inline: true}); err != nil {
		t.Fatal(err)
	}
	one, err := ReadFile(inline)
	if err != nil || isExternal(one.Initializer("w")) || values(t, one, "w")[5] != -5 {
		t.Errorf("inline: %v", err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(inline)); len(entries) != 1 {
		t.Errorf("files: %v", entries)
	}
}

func TestExternalTypedAndUnchanged(t *testing.T) {
	dir := t.TempDir()
	m := addModel(4)
	g := m.Proto.Graph
	g.Initializer = append(g.Initializer, &onnxpb.TensorProto{Name: new("h16"), DataType: dtype(tensor.Float16), Dims: []int64{600},
		Int32Data: make([]int32, 600)})
	g.Initializer[2].Int32Data[599] = 0x3c00
	path := filepath.Join(dir, "t.onnx")
	before, _ := m.Bytes()
	if err := m.WriteFile(path, WriteOptions{ExternalData: true}); err != nil {
		t.Fatal(err)
	}
	if after, _ := m.Bytes(); !bytes.Equal(before, after) {
		t.Error("writing changed the model")
	}
	r, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	v, err := r.Tensor(r.Initializer("h16"))
	if err != nil || tensor.Data[uint16](v)[599] != 0x3c00 {
		t.Errorf("%v %v", v, err)
	}
	if isExternal(r.Initializer("w")) {
		t.Error("a small tensor is external")
	}
}

func TestWriteRefusals(t *testing.T) {
	dir := t.TempDir()
	m := addModel(1000)
	path := filepath.Join(dir, "a.onnx")
	if err := os.WriteFile(path+".data", []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := m.WriteFile(path, WriteOptions{ExternalData: true}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("data file there: %v", err)
	}
	if err := m.WriteFile(path, WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := m.WriteFile(path, WriteOptions{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("model file there: %v", err)
	}
	if err := m.WriteFile(dir, WriteOptions{Force: true}); err == nil || !strings.Contains(err.Error(), "folder") {
		t.Errorf("a folder: %v", err)
	}
	if err := m.WriteFile(filepath.Join(dir, "new", "folder", "a.onnx"), WriteOptions{}); err != nil {
		t.Errorf("a folder that is missing: %v", err)
	}
	var at *fs.PathError
	if under := filepath.Join(path, "a.onnx"); !errors.As(m.WriteFile(under, WriteOptions{}), &at) || at.Path != under {
		t.Errorf("under a file: %v", at)
	}
	if err := m.WriteFile(path, WriteOptions{Force: true, ExternalData: true, DataName: "../x"}); err == nil {
		t.Error("data file in another folder: no error")
	}
	if b, _ := os.ReadFile(path + ".data"); string(b) != "mine" {
		t.Errorf("data file overwritten: %q", b)
	}
	// A failure half way leaves nothing behind.
	bad := addModel(1000)
	bad.Proto.Graph.Initializer[0].RawData = make([]byte, 3999)
	empty := t.TempDir()
	if err := bad.WriteFile(filepath.Join(empty, "b.onnx"), WriteOptions{ExternalData: true}); err == nil {
		t.Error("a broken tensor was written")
	}
	if entries, _ := os.ReadDir(empty); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestExternalRefusals(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "in")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	m, path := externalModel(t, dir, 1000)
	data, err := os.ReadFile(path + ".data")
	if err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(filepath.Dir(dir), "secret")
	if err := os.WriteFile(secret, make([]byte, 8000), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"link": "../secret", "abs": secret, "good": "m.onnx.data", "up": ".."} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Skipf("no symbolic links: %v", err)
		}
	}
	sum := sha1.Sum(data)
	set := func(kv ...string) *onnxpb.TensorProto {
		p := proto.CloneOf(m.Initializer("w"))
		p.ExternalData = nil
		for i := 0; i < len(kv); i += 2 {
			p.ExternalData = append(p.ExternalData, &onnxpb.StringStringEntryProto{Key: &kv[i], Value: &kv[i+1]})
		}
		return p
	}
	for _, c := range []struct {
		p    *onnxpb.TensorProto
		want string // "" for success
	}{
		{set("location", "m.onnx.data"), ""},
		{set("location", "good", "offset", "0"), ""},
		{set("location", "m.onnx.data", "length", "0"), ""},
		{set("location", "m.onnx.data", "checksum", hex.EncodeToString(sum[:])), ""},
		{set("location", "m.onnx.data", "checksum", "00"), "SHA-1"},
		{set("location", "m.onnx.data", "offset", "1"), "cut short"},
		{set("location", "m.onnx.data", "offset", "9223372036854775807"), "cut short"},
		{set("location", "m.onnx.data", "offset", "-1"), "not a size"},
		{set("location", "m.onnx.data", "length", "99999999999999999999"), "not a size"},
		{set("location", "m.onnx.data", "length", "3999"), "length is 3999"},
		{set("location", "../secret"), "outside the model's folder"},
		{set("location", "a/../../secret"), "outside the model's folder"},
		{set("location", `..\secret`), "outside the model's folder"},
		{set("location", secret), "outside the model's folder"},
		{set("location", "link"), "symbolic link out of"},
		{set("location", "abs"), "symbolic link out of"},
		{set("location", "up/secret"), "external data"},
		{set("location", "."), "not a file"},
		{set("location", "nothere"), "beside the model"},
		{set("location", ""), "without a location"},
		{set(), "without a location"},
	} {
		v, err := m.Tensor(c.p)
		switch {
		case c.want == "" && (err != nil || v.F32()[7] != 7):
			t.Errorf("%v: %v", c.p.ExternalData, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%v: %v, want %s", c.p.ExternalData, err, c.want)
		}
	}
	huge := set("location", "m.onnx.data")
	huge.Dims = []int64{1 << 50}
	if _, err := m.Tensor(huge); err == nil || !strings.Contains(err.Error(), "cut short") {
		t.Errorf("a claim of 2^50 elements: %v", err)
	}
	str := set("location", "m.onnx.data")
	str.DataType = dtype(tensor.String)
	if _, err := m.Tensor(str); err == nil || !strings.Contains(err.Error(), "strings cannot") {
		t.Errorf("strings: %v", err)
	}
	wide, err := ReadFile(path, DataRoot(filepath.Dir(dir)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wide.Tensor(set("location", "link")); err != nil {
		t.Errorf("with a wider root: %v", err)
	}
	if _, err := wide.Tensor(set("location", "../secret")); err == nil {
		t.Error("with a wider root, a path with ..: no error")
	}
	if _, err := ReadFile(path, DataRoot(t.TempDir())); err == nil {
		t.Error("a root elsewhere: no error")
	}
	if err := os.Remove(path + ".data"); err != nil {
		t.Fatal(err)
	}
	if err := m.Check(); err == nil || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Check with the data file gone: %v", err)
	}
}

func TestOffsetsAligned(t *testing.T) {
	m := addModel(1000)
	m.Proto.Graph.Initializer = append(m.Proto.Graph.Initializer, TensorToProto("w2", tensor.New(tensor.Float32, 500)))
	path := filepath.Join(t.TempDir(), "a.onnx")
	if err := m.WriteFile(path, WriteOptions{ExternalData: true}); err != nil {
		t.Fatal(err)
	}
	r, _ := ReadFile(path)
	for _, e := range r.Initializer("w2").ExternalData {
		if e.GetKey() == "offset" {
			if n, _ := strconv.Atoi(e.GetValue()); n != 4096 {
				t.Errorf("offset %d", n)
			}
		}
	}
}
