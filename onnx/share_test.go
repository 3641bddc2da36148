package onnx

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// externals writes a model whose initializers are ranges of a file of n bytes, and reads it.
func externals(t *testing.T, n int, ranges [][2]int, opts ...Option) *Model {
	t.Helper()
	dir := t.TempDir()
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7)
	}
	if err := os.WriteFile(filepath.Join(dir, "w.bin"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	m := addModel(8)
	for i, r := range ranges {
		p := &onnxpb.TensorProto{Name: new(fmt.Sprintf("w%d", i)), DataType: dtype(tensor.Int32), Dims: []int64{int64(r[1] / 4)}}
		makeExternal(p, int64(r[0]), int64(r[1])).Value = new("w.bin")
		m.Proto.Graph.Initializer = append(m.Proto.Graph.Initializer, p)
	}
	path := filepath.Join(dir, "m.onnx")
	raw, err := marshalModel(m.Proto)
	if err == nil {
		err = os.WriteFile(path, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if m, err = ReadFile(path, opts...); err != nil {
		t.Fatal(err)
	}
	return m
}

// What tensors share of a file is in memory once, at any offset, and has the right bytes.
func TestSharedExternal(t *testing.T) {
	const size = 8 << 20
	var ranges [][2]int
	for i := range 40 {
		ranges = append(ranges, [2]int{i, 7 << 20})
	}
	ranges = append(ranges, [2]int{size - 8, 8}, [2]int{0, size})
	m := externals(t, size, ranges)
	if n := m.ContentBytes(); n < size || n > size+4096 {
		t.Errorf("the content is %d bytes, want those of the file", n)
	}
	var keep []*tensor.Tensor
	n := allocated(func() {
		for i, r := range ranges {
			v, err := m.Clone().Tensor(m.Initializer(fmt.Sprintf("w%d", i)))
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range []int{0, r[1]/2 + 1, r[1] - 1} {
				if v.Bytes()[k] != byte((r[0]+k)*7) {
					t.Fatalf("w%d: byte %d is %d", i, k, v.Bytes()[k])
				}
			}
			keep = append(keep, v)
		}
	})
	if n > 6*size { // the file, three times moved, and some
		t.Errorf("%d MiB were allocated for %d names on %d MiB", n>>20, len(keep), size>>20)
	}
	out := filepath.Join(t.TempDir(), "out.onnx")
	err := m.WriteFile(out, WriteOptions{ExternalData: true})
	if fe, ok := errors.AsType[*FormatError](err); !ok || !strings.Contains(fe.Msg, "overlap") {
		t.Errorf("writing 40 overlapping ranges: %v", err)
	}
	m = externals(t, size, [][2]int{{0, size}, {0, size}, {0, size}, {0, size}, {0, size}, {0, size}, {0, size}})
	if err := m.WriteFile(out, WriteOptions{ExternalData: true}); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(out + ".data"); err != nil || st.Size() != size {
		t.Errorf("the data file: %v %v", st, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	m = externals(t, size, [][2]int{{0, size}}, Context(ctx))
	stop()
	if _, err := m.Tensor(m.Initializer("w0")); !errors.Is(err, context.Canceled) {
		t.Errorf("reading when the context is done: %v", err)
	}
}

// The dense forms of sparse tensors are made once and bounded together.
func TestSparseTotal(t *testing.T) {
	m := addModel(8)
	sparse := func(i, n int) *onnxpb.SparseTensorProto {
		return &onnxpb.SparseTensorProto{Values: TensorToProto(fmt.Sprint("s", i), tensor.From([]float32{1}, 1)),
			Indices: TensorToProto("", tensor.From([]int64{0}, 1)), Dims: []int64{int64(n)}}
	}
	one := sparse(0, 1<<22)
	a, err := m.SparseTensor(one)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := m.SparseTensor(one); err != nil || a != b {
		t.Errorf("asked again: another one, %v", err)
	}
	made := 1
	for i := range 100 {
		if _, err := m.SparseTensor(sparse(i+1, 1<<22)); err == nil {
			made++
		} else if !strings.Contains(err.Error(), "--max-memory") {
			t.Fatal(err)
		}
	}
	if made < 2 || made > 8 {
		t.Errorf("%d of 101 tensors of 16 MiB were made dense", made)
	}
}
