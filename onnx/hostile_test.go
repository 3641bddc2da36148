package onnx

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// allocated is how many bytes f allocates in all, freed or not: an upper bound of the memory it needs.
func allocated(f func()) uint64 {
	var a, b runtime.MemStats
	runtime.ReadMemStats(&a)
	f()
	runtime.ReadMemStats(&b)
	return b.TotalAlloc - a.TotalAlloc
}

// use does with a model whatever a program may do with one it does not know.
func use(m *Model) {
	_ = m.Check()
	for r := range m.Tensors() {
		_, _ = m.Tensor(r.Proto)
	}
	for _, s := range m.Proto.GetGraph().GetSparseInitializer() {
		_, _ = m.SparseTensor(s)
	}
	_ = m.Inputs()
	_ = m.Warnings()
	_ = m.Opset("")
	_ = CompareModels(m, m.Clone()).String()
	if b, err := m.Bytes(); err == nil {
		_, _ = Parse(b)
	}
}

// wrap puts b into length-delimited fields, the innermost first.
func wrap(b []byte, nums ...protowire.Number) []byte {
	for _, n := range nums {
		b = protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), b)
	}
	return b
}

func TestBombs(t *testing.T) {
	repeat := func(n int, b ...byte) []byte { return bytes.Repeat(b, n/len(b)) }
	deep := func(n int) []byte {
		b := []byte{}
		for range n {
			b = wrap(b, 6, 5, 1) // attribute.g in node.attribute in graph.node
		}
		return wrap(b, 7)
	}
	claims := addModel(8)
	for _, dims := range [][]int64{{1 << 60}, {1 << 20, 1 << 20}, {1 << 33}} {
		claims.Proto.Graph.Initializer = append(claims.Proto.Graph.Initializer, &onnxpb.TensorProto{
			Name: new("claim"), DataType: dtype(tensor.Uint8), Dims: dims})
	}
	claims.Proto.Graph.SparseInitializer = []*onnxpb.SparseTensorProto{{
		Values:  TensorToProto("s", tensor.From([]float32{1}, 1)),
		Indices: TensorToProto("", tensor.From([]int64{0}, 1)),
		Dims:    []int64{1 << 50}}}
	claimBytes, err := claims.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	try := func(name string, b []byte) {
		var err error
		var m *Model
		n := allocated(func() {
			if m, err = Parse(b); err == nil {
				for r := range m.Tensors() {
					_, _ = m.Tensor(r.Proto)
				}
				for _, s := range m.Proto.GetGraph().GetSparseInitializer() {
					_, _ = m.SparseTensor(s)
				}
			}
		})
		var fe *FormatError
		var ue *UnsupportedError
		if err != nil && !errors.As(err, &fe) && !errors.As(err, &ue) {
			t.Errorf("%s: %T %v", name, err, err)
		}
		if n > 200<<20 {
			t.Errorf("%s: %d bytes of input, %d MiB allocated (%v)", name, len(b), n>>20, err)
		}
		t.Logf("%s: %d bytes, %d MiB, %v", name, len(b), n>>20, err)
	}
	const size = 9_900_000
	for name, bomb := range map[string]func(n int) []byte{
		"empty nodes":           func(n int) []byte { return wrap(repeat(n, 0x0a, 0), 7) },
		"empty initializers":    func(n int) []byte { return wrap(repeat(n, 0x2a, 0), 7) },
		"empty input names":     func(n int) []byte { return wrap(repeat(n, 0x0a, 0), 1, 7) },
		"empty strings":         func(n int) []byte { return wrap(repeat(n, 0x32, 0), 5, 7) },
		"empty attributes":      func(n int) []byte { return wrap(repeat(n, 0x2a, 0), 1, 7) },
		"empty value infos":     func(n int) []byte { return wrap(repeat(n, 0x5a, 0), 7) },
		"empty dimensions":      func(n int) []byte { return wrap(repeat(n, 0x0a, 0), 2, 1, 2, 11, 7) },
		"dimensions":            func(n int) []byte { return wrap(repeat(n, 0x0a, 2, 0x08, 1), 2, 1, 2, 11, 7) },
		"empty functions":       func(n int) []byte { return append(wrap(nil, 7), repeat(n, 0xca, 1, 0)...) },
		"dims, not packed":      func(n int) []byte { return wrap(repeat(n, 0x08, 1), 5, 7) },
		"int64 data, packed":    func(n int) []byte { return wrap(repeat(n, 1), 7, 5, 7) },
		"int64 data, in pieces": func(n int) []byte { return wrap(repeat(n, 0x3a, 1, 1), 5, 7) },
		"unknown fields":        func(n int) []byte { return append(wrap(nil, 7), repeat(n, 0xf8, 0x7f, 0)...) },
		"unknown groups":        func(n int) []byte { return append(wrap(nil, 7), repeat(n, 0xf3, 0x7f)...) },
		"names of one letter":   func(n int) []byte { return wrap(repeat(n, 0x0a, 3, 0x1a, 1, 'a'), 7) },
	} {
		try(name, bomb(size))
		// The largest that is accepted, from the estimate for a small one.
		small := bomb(10_000)
		sc := scanner{budget: 1 << 40}
		_ = sc.message(layoutOf((&onnxpb.ModelProto{}).ProtoReflect().Descriptor()), small, 0, 1)
		lo := int(min(size, 10_000*(memoryFor(size)/100*97)/sc.cost))
		try(name+", the most", bomb(lo))
	}
	try("graph merged", repeat(size, 0x3a, 0))
	try("nested 34 deep", deep(34))
	try("nested 1000 deep", deep(1000))
	try("claims", claimBytes)
}

// TestBudgetIsUpperBound compares the estimate with what decoding allocates.
func TestBudgetIsUpperBound(t *testing.T) {
	m := addModel(8)
	for range 2000 {
		m.Proto.Graph.Node = append(m.Proto.Graph.Node, NewNode("Conv", "some.name", []string{"a", "b", "c"}, []string{"y"},
			AttrInts("kernel_shape", 3, 3), AttrInt("group", 1), AttrString("auto_pad", "VALID")))
	}
	b, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	s := scanner{budget: 1 << 40}
	if err := s.message(layoutOf(m.Proto.ProtoReflect().Descriptor()), b, 0, 1); err != nil {
		t.Fatal(err)
	}
	n := allocated(func() { _ = proto.Unmarshal(b, &onnxpb.ModelProto{}) })
	if int64(n) > s.cost || s.cost > 3*int64(n) {
		t.Errorf("estimate %d, allocated %d", s.cost, n)
	}
	if _, err := Parse(b, MaxMemory(s.cost/2)); err == nil || !strings.Contains(err.Error(), "MaxMemory") {
		t.Errorf("half the memory: %v", err)
	}
	if _, err := Parse(b, MaxMemory(s.cost)); err != nil {
		t.Errorf("just the memory: %v", err)
	}
	if _, err := Read(bytes.NewReader(b), MaxBytes(int64(len(b)-1))); err == nil {
		t.Error("MaxBytes is not heeded")
	}
}

// varied is a model that has a bit of everything.
func varied(t testing.TB) []byte {
	m := addModel(20)
	g := m.Proto.Graph
	for i, s := range storages() {
		p := proto.CloneOf(s.p)
		p.Name = new(strings.ReplaceAll(s.name, " ", ".") + string(rune('a'+i%26)))
		g.Initializer = append(g.Initializer, p)
	}
	g.SparseInitializer = []*onnxpb.SparseTensorProto{{Values: TensorToProto("sp", tensor.From([]float32{1}, 1)),
		Indices: TensorToProto("", tensor.From([]int64{2}, 1)), Dims: []int64{4}}}
	g.Node = append(g.Node, NewNode("If", "if", []string{"x"}, []string{"z"},
		AttrGraph("then_branch", &onnxpb.GraphProto{Name: new("t"),
			Node:   []*onnxpb.NodeProto{NewNode("Relu", "", []string{"h"}, []string{"a"})},
			Output: []*onnxpb.ValueInfoProto{ValueInfo("a", tensor.Float32, "")}}),
		AttrGraph("else_branch", &onnxpb.GraphProto{Name: new("e"),
			Node:   []*onnxpb.NodeProto{NewNode("Abs", "", []string{"w"}, []string{"a"})},
			Output: []*onnxpb.ValueInfoProto{ValueInfo("a", tensor.Float32, "")}})))
	g.Node = append(g.Node, &onnxpb.NodeProto{OpType: new("F"), Domain: new("my"), Input: []string{"z"}, Output: []string{"f"},
		Attribute: []*onnxpb.AttributeProto{AttrFloat("alpha", 2)}})
	m.Proto.OpsetImport = append(m.Proto.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: new("my"), Version: new(int64(1))})
	m.Proto.Functions = []*onnxpb.FunctionProto{{Name: new("F"), Domain: new("my"), Input: []string{"i"}, Output: []string{"o"},
		Attribute:   []string{"alpha"},
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: new(int64(17))}},
		Node: []*onnxpb.NodeProto{NewNode("LeakyRelu", "", []string{"i"}, []string{"o"},
			&onnxpb.AttributeProto{Name: new("alpha"), Type: onnxpb.AttributeProto_FLOAT.Enum(), RefAttrName: new("alpha")})}}}
	m.SetMetadata("k", "v")
	if err := m.Check(); err != nil {
		t.Fatal(err)
	}
	b, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestDamage cuts a model at many places, flips many bits, and puts in random bytes: an error or a model, nothing else.
func TestDamage(t *testing.T) {
	b := varied(t)
	cut := 0
	for i := 0; i < len(b); i += 2 {
		m, err := Parse(b[:i])
		if err != nil {
			cut++
			var fe *FormatError
			if !errors.As(err, &fe) {
				t.Fatalf("cut at %d: %T %v", i, err, err)
			}
			continue
		}
		use(m)
	}
	if cut < len(b)*9/20 {
		t.Errorf("%d of %d cuts were noticed", cut, len(b)/2)
	}
	step := 5
	if testing.Short() {
		step = 29
	}
	for i := 0; i < 8*len(b); i += step {
		c := bytes.Clone(b)
		c[i/8] ^= 1 << (i % 8)
		if m, err := Parse(c); err == nil {
			use(m)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		c := bytes.Clone(b)
		for range 1 + r.IntN(8) {
			c[r.IntN(len(c))] = byte(r.Uint32())
		}
		if m, err := Parse(c); err == nil {
			use(m)
		}
	}
}

func TestErrorPlace(t *testing.T) {
	b := varied(t)
	_, err := Parse(b[:len(b)/3])
	if err == nil || !strings.Contains(err.Error(), "onnx: graph") || !strings.Contains(err.Error(), "cut short") {
		t.Errorf("%v", err)
	}
	bad := wrap(append(wrap(nil, 1), wrap([]byte{0x0a, 5, 'a'}, 1)...), 7)
	_, err = Parse(bad)
	if err == nil || err.Error() != "onnx: graph.node[1].input[0]: length 5 at byte 7 runs past the end, 1 bytes are left: the file is "+
		"cut short or damaged" {
		t.Errorf("%v", err)
	}
}

func TestNotONNX(t *testing.T) {
	dir := t.TempDir()
	for want, b := range map[string]string{
		"empty":                "",
		"git lfs pull":         "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n",
		"HTML":                 "\n<!DOCTYPE html><html>",
		"OpenVINO":             "<?xml version=\"1.0\"?>",
		"text form":            "<ir_version: 8>",
		"JSON":                 "{\"ir_version\": 8}",
		"PyTorch checkpoint (": "PK\x03\x04........archive/data.pkl",
		"zip archive":          "PK\x03\x04........model.onnx",
		"gzip":                 "\x1f\x8b\x08",
		"xz":                   "\xfd7zXZ\x00",
		"zstd":                 "\x28\xb5\x2f\xfd",
		"pickle (":             "\x80\x02\x8a\nl\xfc",
		"Keras":                "\x89HDF\r\n\x1a\n",
		"Lite":                 "\x1c\x00\x00\x00TFL3",
		"ONNX Runtime":         "\x1c\x00\x00\x00ORTM",
		"safetensors":          "\x10\x00\x00\x00\x00\x00\x00\x00{\"__metadata__\"",
		"NumPy":                "\x93NUMPY\x01",
		"tar archive":          strings.Repeat("\x00", 257) + "ustar",
		"no graph":             "\x08\x08",
	} {
		path := filepath.Join(dir, "m.onnx")
		if err := os.WriteFile(path, []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := ReadFile(path)
		var fe *FormatError
		if !errors.As(err, &fe) || fe.File != path || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
	if _, err := ReadFile(dir); err == nil || !strings.Contains(err.Error(), "folder") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := ReadFile(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := Read(io.MultiReader(strings.NewReader("\x08\x08"), errReader{})); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a reader that fails: %v", err)
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

func FuzzRead(f *testing.F) {
	f.Add(varied(f))
	f.Add([]byte("\x08\x08\x3a\x00"))
	f.Add(wrap(wrap([]byte{0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x10, 1}, 5), 7))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			return
		}
		out, err := m.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(out)
		if err != nil {
			t.Fatalf("written, it cannot be read: %v", err)
		}
		if out2, _ := again.Bytes(); !bytes.Equal(out, out2) {
			t.Fatal("written twice, the bytes differ")
		}
		use(m)
	})
}

func FuzzTensor(f *testing.F) {
	for _, s := range storages() {
		b, err := proto.Marshal(s.p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p := &onnxpb.TensorProto{}
		if decode(b, p, memoryFor(len(b)), false) != nil {
			return
		}
		v, err := TensorFromProto(p)
		if err != nil {
			return
		}
		w, err := TensorFromProto(TensorToProto("", v))
		if err != nil || !sameValues(v, w) || !v.Shape().Equal(w.Shape()) {
			t.Fatalf("%v: by way of TensorToProto: %v %v", v, w, err)
		}
		if err := setValues(p, v); err != nil {
			t.Fatal(err)
		}
		if w, err = TensorFromProto(p); err != nil || !sameValues(v, w) {
			t.Fatalf("%v: set to its own values: %v", v, err)
		}
	})
}
