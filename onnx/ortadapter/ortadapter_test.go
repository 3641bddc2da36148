package ortadapter

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

func example() *Adapter {
	half, _ := tensor.From([]float32{1, -2, 0.5}, 3, 1).Convert(tensor.Float16)
	return &Adapter{Version: 1, ModelVersion: 7, Parameters: []tensor.Named{
		{Name: "fc1.weight.lora_A", Tensor: tensor.From([]float32{1, 2, 3, 4, 5, 6}, 2, 3)}, {Name: "h", Tensor: half},
		{Name: "scalar", Tensor: tensor.Scalar(int64(-5))}, {Name: "none", Tensor: tensor.New(tensor.Float32, 0, 4)},
	}}
}

func written(t testing.TB, a *Adapter) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := a.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	want := example()
	b := written(t, want)
	if string(b[4:8]) != "TORT" {
		t.Errorf("identifier %q", b[4:8])
	}
	got, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if got.Version != 1 || got.ModelVersion != 7 || len(got.Parameters) != len(want.Parameters) {
		t.Fatalf("%+v", got)
	}
	for i, p := range got.Parameters {
		w := want.Parameters[i]
		if p.Name != w.Name || p.Tensor.String() != w.Tensor.String() || !bytes.Equal(p.Tensor.Bytes(), w.Tensor.Bytes()) {
			t.Errorf("parameter %d: %v, want %v", i, p, w)
		}
		// ONNX Runtime maps the file and reads the numbers where they lie.
		if raw := w.Tensor.Bytes(); len(raw) > 8 {
			if at := bytes.Index(b, raw); at%8 != 0 {
				t.Errorf("%s lies at byte %d, which is not a multiple of 8", p.Name, at)
			}
		}
	}
	if _, err := (&Adapter{}).parsed(t); err != nil {
		t.Error(err)
	}
	bad := &Adapter{Parameters: []tensor.Named{{Name: "s", Tensor: tensor.FromStrings([]string{"x"}, 1)}}}
	if err := bad.Write(&bytes.Buffer{}); err == nil {
		t.Error("strings were written")
	}
}

func (a *Adapter) parsed(t testing.TB) (*Adapter, error) { return Parse(written(t, a)) }

// Damaged files are errors, whatever byte of them is wrong.
func TestDamaged(t *testing.T) {
	b := written(t, example())
	for _, bad := range [][]byte{nil, b[:7], []byte("ONNX model, or anything"), append([]byte{1, 0, 0, 0}, b[4:]...)} {
		if _, err := Parse(bad); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v", bad[:min(8, len(bad))], err)
		}
	}
	for n := range b {
		if a, err := Parse(b[:n]); err == nil {
			check(t, a, n)
		}
		for _, v := range []byte{0, 1, 0x7f, 0x80, 0xff} {
			c := bytes.Clone(b)
			c[n] = v
			if a, err := Parse(c); err == nil {
				check(t, a, len(c))
			}
		}
	}
	twice := example()
	twice.Parameters[1].Name = twice.Parameters[0].Name
	if _, err := twice.parsed(t); !errors.Is(err, ErrFormat) {
		t.Errorf("two of a name: %v", err)
	}
}

func check(t testing.TB, a *Adapter, size int) {
	t.Helper()
	for _, p := range a.Parameters {
		if n := p.Tensor.Len() * p.Tensor.DType().Bits() / 8; n > size || n != len(p.Tensor.Bytes()) {
			t.Errorf("%q has %d bytes of a file of %d", p.Name, n, size)
		}
	}
}

func FuzzParse(f *testing.F) {
	b := written(f, example())
	f.Add(b)
	f.Add(binary.LittleEndian.AppendUint32(nil, 1<<31))
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := Parse(b); err == nil {
			check(t, a, len(b))
		}
	})
}
