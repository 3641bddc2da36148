package tensor_test

import (
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

func TestContainerTypes(t *testing.T) {
	seq := tensor.SequenceOf(tensor.Float32)
	maps := tensor.SequenceOf(tensor.MapOf(tensor.Int64, tensor.Float32))
	opt := tensor.OptionalOf(seq)
	deep := tensor.OptionalOf(tensor.SequenceOf(tensor.MapOf(tensor.String, tensor.Int2)))
	for _, c := range []struct {
		d         tensor.DType
		kind      tensor.Kind
		inner     tensor.DType
		name      string
		key, elem tensor.DType
	}{
		{tensor.Float32, tensor.Plain, tensor.Float32, "float32", 0, tensor.Float32},
		{seq, tensor.Sequence, tensor.Float32, "sequence(float32)", 0, tensor.Float32},
		{opt, tensor.Optional, seq, "optional(sequence(float32))", 0, tensor.Float32},
		{maps, tensor.Sequence, tensor.MapOf(tensor.Int64, tensor.Float32), "sequence(map(int64,float32))", 0, tensor.Float32},
		{maps.Inner(), tensor.Map, tensor.Float32, "map(int64,float32)", tensor.Int64, tensor.Float32},
		{deep, tensor.Optional, deep.Inner(), "optional(sequence(map(string,int2)))", 0, tensor.Int2},
	} {
		if c.d.Kind() != c.kind || c.d.Inner() != c.inner || c.d.String() != c.name || c.d.Key() != c.key || c.d.Element() != c.elem {
			t.Errorf("%v: kind %d, inner %v, key %v, element %v", c.d, c.d.Kind(), c.d.Inner(), c.d.Key(), c.d.Element())
		}
		if c.d.IsContainer() != (c.kind != tensor.Plain) || c.d.Bits() != 0 && c.d.IsContainer() {
			t.Errorf("%v: container %v, %d bits", c.d, c.d.IsContainer(), c.d.Bits())
		}
	}
	if got := deep.WithElement(tensor.Float64).String(); got != "optional(sequence(map(string,float64)))" {
		t.Error(got)
	}
	for _, d := range []tensor.DType{tensor.SequenceOf(deep), tensor.OptionalOf(tensor.Undefined), tensor.MapOf(tensor.Float32, tensor.Int64),
		tensor.MapOf(tensor.Int64, seq)} {
		if d != tensor.Undefined {
			t.Errorf("a type that does not exist is %v", d)
		}
	}
}

func TestContainers(t *testing.T) {
	a, b := tensor.From([]float32{1, 2}, 2), tensor.From([]float32{3}, 1)
	s, err := tensor.NewSequence(tensor.Float32, a, b)
	if err != nil {
		t.Fatal(err)
	}
	if s.String() != "sequence(float32) of 2" || s.Rank() != 0 || s.StorageBytes() != 2*tensor.Overhead+12 || !tensor.Equal(s, s.Clone()) {
		t.Error(s, s.StorageBytes())
	}
	if _, err := tensor.NewSequence(tensor.Float64, a); err == nil {
		t.Error("a sequence of another type takes it")
	}
	near, _ := tensor.NewSequence(tensor.Float32, tensor.From([]float32{1, 2.001}, 2), b)
	if ok, _ := tensor.AllClose(near, s, 0, 1e-6); ok {
		t.Error("what differs is close")
	}
	if ok, r := tensor.AllClose(near, s, 0, 1e-2); !ok || r.Total != 3 {
		t.Error(r)
	}
	if ok, _ := tensor.AllClose(near, near.Items()[0], 1, 1); ok || tensor.Equal(near, s) {
		t.Error("what is not the same is")
	}
	short, _ := tensor.NewSequence(tensor.Float32, a)
	if ok, r := tensor.AllClose(short, s, 0, 0); ok || r.Reason == "" {
		t.Error(r)
	}
	none, err := tensor.NewOptional(s.DType(), nil)
	if err != nil || len(none.Items()) != 0 {
		t.Error(none, err)
	}
	m, err := tensor.NewMap(tensor.FromStrings([]string{"x", "y"}, 2), a)
	if err != nil || m.String() != "map(string,float32) of 2" {
		t.Error(m, err)
	}
	if _, err := tensor.NewMap(tensor.FromStrings([]string{"x"}, 1), a); err == nil {
		t.Error("one key for two values")
	}
}
