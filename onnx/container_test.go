package onnx_test

import (
	"path/filepath"
	"testing"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

func must(t *testing.T) func(*tensor.Tensor, error) *tensor.Tensor {
	return func(x *tensor.Tensor, err error) *tensor.Tensor {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
}

// TestValueFiles writes values of every kind and reads them back by their types.
func TestValueFiles(t *testing.T) {
	ok := must(t)
	x, s := tensor.From([]float32{1, 2, 3}, 3), tensor.FromStrings([]string{"a", "é"}, 2)
	seq := ok(tensor.NewSequence(tensor.Float32, x, tensor.From([]float32{4}, 1, 1)))
	ids := ok(tensor.NewMap(tensor.From([]int64{-1, 7}, 2), tensor.From([]float32{0.5, 0.25}, 2)))
	for i, v := range []*tensor.Tensor{x, s, seq, ok(tensor.NewSequence(tensor.String, s)), ok(tensor.NewSequence(tensor.Int8)), ids,
		ok(tensor.NewMap(s, tensor.From([]int64{1, 2}, 2))), ok(tensor.NewSequence(ids.DType(), ids, ids)),
		ok(tensor.NewOptional(tensor.Float32, x)),
		ok(tensor.NewOptional(tensor.Float32, nil)), ok(tensor.NewOptional(seq.DType(), seq)), ok(tensor.NewOptional(ids.DType(), ids)),
		ok(tensor.NewSequence(seq.DType(), seq)), ok(tensor.NewOptional(tensor.SequenceOf(ids.DType()), nil)),
		ok(tensor.NewMap(s, s)), ok(tensor.NewSequence(tensor.OptionalOf(tensor.Float32), ok(tensor.NewOptional(tensor.Float32, nil))))} {
		path := filepath.Join(t.TempDir(), "v.pb")
		if err := onnx.WriteValueFile(path, "v", v, onnx.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		name, got, err := onnx.ReadValueFile(path, v.DType())
		if err != nil || name != "v" || !tensor.Equal(got, v) {
			t.Errorf("%d: %v comes back as %v called %q, %v", i, v, got, name, err)
		}
		if d, err := onnx.DTypeOf(onnx.TypeOf(v.DType())); err != nil || d != v.DType() {
			t.Errorf("type %v comes back as %v, %v", v.DType(), d, err)
		}
		if err := onnx.WriteValueFile(path, "v", v, onnx.WriteOptions{}); err == nil {
			t.Errorf("%d: a file is overwritten", i)
		}
	}
}
