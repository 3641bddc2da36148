//go:build linux

package torture

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
	"google.golang.org/protobuf/proto"
)

// build is a model in the making: of x float32[1,1,8,8], and of y, whose shape is open.
type build struct {
	g     *onnxpb.GraphProto
	m     *onnxpb.ModelProto
	opset int64
}

func newBuild() *build {
	y := onnx.ValueInfo("y", tensor.Float32)
	y.GetType().GetTensorType().Shape = nil
	g := &onnxpb.GraphProto{Name: proto.String("g"), Input: []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", tensor.Float32, 1, 1, 8, 8)},
		Output: []*onnxpb.ValueInfoProto{y}}
	return &build{g: g, m: &onnxpb.ModelProto{Graph: g, IrVersion: proto.Int64(10)}, opset: 17}
}

// node is written `OP in,in -> out,out`.
func node(s string, attrs ...*onnxpb.AttributeProto) *onnxpb.NodeProto {
	head, outs, _ := strings.Cut(s, " -> ")
	op, ins, _ := strings.Cut(head, " ")
	n := &onnxpb.NodeProto{OpType: &op, Attribute: attrs}
	if ins != "" {
		n.Input = strings.Split(ins, ",")
	}
	if outs != "" {
		n.Output = strings.Split(outs, ",")
	}
	return n
}

func (b *build) node(s string, attrs ...*onnxpb.AttributeProto) *build {
	b.g.Node = append(b.g.Node, node(s, attrs...))
	return b
}

// nodef is node of a format.
func (b *build) nodef(format string, args ...any) *build { return b.node(fmt.Sprintf(format, args...)) }

// ints is an int64 constant of rank 1, or 0 for one number without a rank.
func (b *build) ints(name string, v ...int64) *build { return b.constant(name, tensor.From(v, len(v))) }

func (b *build) number(name string, v int64) *build { return b.constant(name, tensor.From([]int64{v})) }

// ones is a float32 constant of ones.
func (b *build) ones(name string, shape ...int) *build {
	x := tensor.New(tensor.Float32, shape...)
	for i := range x.F32() {
		x.F32()[i] = 1
	}
	return b.constant(name, x)
}

func (b *build) constant(name string, x *tensor.Tensor) *build {
	b.g.Initializer = append(b.g.Initializer, onnx.TensorToProto(name, x))
	return b
}

// input is a further input.
func (b *build) input(name string, d tensor.DType, dims ...any) *build {
	b.g.Input = append(b.g.Input, onnx.ValueInfo(name, d, dims...))
	return b
}

// save writes the model to model.onnx in the folder of a trial.
func (b *build) save(t *trial) {
	b.m.OpsetImport = append(b.m.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: proto.String(""), Version: &b.opset})
	file, err := proto.Marshal(b.m)
	if err != nil {
		t.fail("torture", "%v", err)
		return
	}
	t.write("model.onnx", file)
}

// write writes a file of the trial.
func (t *trial) write(name string, b []byte) {
	path := filepath.Join(t.dir, name)
	err := os.MkdirAll(filepath.Dir(path), 0o777)
	if err == nil {
		err = os.WriteFile(path, b, 0o666)
	}
	if err != nil {
		t.fail("torture", "%v", err)
	}
}

// hole writes a file of n bytes that takes no room.
func (t *trial) hole(name string, n int64) {
	path := filepath.Join(t.dir, name)
	t.write(name, nil)
	if err := os.Truncate(path, n); err != nil {
		t.fail("torture", "%v", err)
	}
}

// tensorFile writes a .npy file.
func (t *trial) tensorFile(name string, x *tensor.Tensor) {
	if err := writeNPY(filepath.Join(t.dir, name), x); err != nil {
		t.fail("torture", "%v", err)
	}
}
