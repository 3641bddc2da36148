package tensor_test

import (
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/tensor"
)

// readProto reads dims, data_type and raw_data of a TensorProto file.
func readProto(t *testing.T, path string) *tensor.Tensor {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var shape []int
	var raw []byte
	var d tensor.DType
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatalf("%s: %v", path, protowire.ParseError(n))
		}
		b = b[n:]
		size := protowire.ConsumeFieldValue(num, typ, b)
		if size < 0 {
			t.Fatalf("%s: %v", path, protowire.ParseError(size))
		}
		switch num {
		case 1:
			v, _ := protowire.ConsumeVarint(b)
			shape = append(shape, int(v))
		case 2:
			v, _ := protowire.ConsumeVarint(b)
			d = tensor.DType(v)
		case 9:
			raw, _ = protowire.ConsumeBytes(b)
		}
		b = b[size:]
	}
	x, err := tensor.FromBytes(d, shape, raw)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return x
}

// Every Cast case of the official ONNX suite, bit for bit.
func TestCastConformance(t *testing.T) {
	if testing.Short() {
		t.Skip("unpacks an archive")
	}
	ran := 0
	for _, c := range testkit.OfficialSuite(t) {
		if c.Suite != "node" || !strings.HasPrefix(c.Name, "test_cast_") {
			continue
		}
		ran++
		in, want := readProto(t, c.Sets[0].Inputs[0]), readProto(t, c.Sets[0].Outputs[0])
		got, err := in.ConvertSaturate(want.DType(), !strings.Contains(c.Name, "no_saturate"))
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		if !tensor.Equal(got, want) {
			_, report := tensor.AllClose(got, want, 0, 0)
			t.Errorf("%s: % x, want % x: %v", c.Name, got.Bytes(), want.Bytes(), report)
		}
	}
	if ran < 60 {
		t.Errorf("only %d cases", ran)
	}
}
