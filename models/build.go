package models

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// net is a graph under construction. Its methods add a layer and return the name of the layer's output.
type net struct {
	g     *onnxpb.GraphProto
	r     *rand.Rand
	opset int64
	count map[string]int
}

func newNet(name string, opset int64, seed uint64) *net {
	return &net{g: &onnxpb.GraphProto{Name: &name}, r: rand.New(rand.NewPCG(seed, 0x6d6f64656c)), opset: opset, count: map[string]int{}}
}

// input adds an input image or sequence.
func (b *net) input(name string, dims ...any) string {
	b.g.Input = append(b.g.Input, onnx.ValueInfo(name, tensor.Float32, dims...))
	return name
}

// tokens adds an input of token numbers int64 [N,T].
func (b *net) tokens(name string) string {
	b.g.Input = append(b.g.Input, onnx.ValueInfo(name, tensor.Int64, "N", "T"))
	return name
}

// finish names x the output of the model.
func (b *net) finish(x, name string, dims ...any) *onnx.Model {
	last := b.g.Node[len(b.g.Node)-1]
	for i, o := range last.Output {
		if o == x {
			last.Output[i] = name
		}
	}
	b.g.Output = append(b.g.Output, onnx.ValueInfo(name, tensor.Float32, dims...))
	return onnx.NewModel(b.g, b.opset)
}

// node adds a node with one output, named after the operator and counted.
func (b *net) node(op string, in []string, attrs ...*onnxpb.AttributeProto) string {
	b.count[op]++
	return b.named(op, fmt.Sprintf("%s_%d", lower(op), b.count[op]), in, attrs...)
}

func (b *net) named(op, name string, in []string, attrs ...*onnxpb.AttributeProto) string {
	b.g.Node = append(b.g.Node, onnx.NewNode(op, name, in, []string{name + "_out"}, attrs...))
	return name + "_out"
}

func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// param adds an initializer filled by f.
func (b *net) param(name string, f func() float32, shape ...int) string {
	t := tensor.New(tensor.Float32, shape...)
	d := t.F32()
	for i := range d {
		d[i] = f()
	}
	b.g.Initializer = append(b.g.Initializer, onnx.TensorToProto(name, t))
	return name
}

// ints adds an int64 initializer.
func (b *net) ints(name string, v ...int64) string {
	b.g.Initializer = append(b.g.Initializer, onnx.TensorToProto(name, tensor.From(v, len(v))))
	return name
}

func constant(v float32) func() float32 { return func() float32 { return v } }

// uniform draws from ±1/√fanIn, the default of PyTorch's Linear, Conv and recurrent layers.
func (b *net) uniform(fanIn int) func() float32 {
	bound := 1 / math.Sqrt(float64(fanIn))
	return func() float32 { return float32((2*b.r.Float64() - 1) * bound) }
}

// normal draws from a normal distribution of the given deviation.
func (b *net) normal(sigma float64) func() float32 {
	return func() float32 { return float32(b.r.NormFloat64() * sigma) }
}

// conv adds a Conv with square kernel; he chooses the normal initialisation of residual networks by fan-out (He et al. 2015).
func (b *net) conv(x, name string, in, out, k, stride, pad, group int, bias, he bool) string {
	fanIn := in / group * k * k
	draw := b.uniform(fanIn)
	if he {
		draw = b.normal(math.Sqrt(2 / float64(out/group*k*k)))
	}
	ins := []string{x, b.param(name+".weight", draw, out, in/group, k, k)}
	if bias {
		ins = append(ins, b.param(name+".bias", b.uniform(fanIn), out))
	}
	s, p, kk := int64(stride), int64(pad), int64(k)
	return b.named("Conv", name, ins, onnx.AttrInts("dilations", 1, 1), onnx.AttrInt("group", int64(group)),
		onnx.AttrInts("kernel_shape", kk, kk),
		onnx.AttrInts("pads", p, p, p, p), onnx.AttrInts("strides", s, s))
}

// norm adds a BatchNormalization in inference mode with fresh statistics.
func (b *net) norm(x, name string, c int) string {
	return b.named("BatchNormalization", name, []string{
		x, b.param(name+".weight", constant(1), c), b.param(name+".bias", constant(0), c),
		b.param(name+".running_mean", constant(0), c), b.param(name+".running_var", constant(1), c),
	}, onnx.AttrFloat("epsilon", 1e-5), onnx.AttrFloat("momentum", 0.9))
}

// linear adds a Gemm with weight [out,in].
func (b *net) linear(x, name string, in, out int) string {
	return b.named("Gemm", name, []string{x, b.param(name+".weight", b.uniform(in), out, in), b.param(name+".bias", b.uniform(in), out)},
		onnx.AttrInt("transB", 1))
}

// dense adds a MatMul with weight [in,out] and an Add, for inputs of any rank.
func (b *net) dense(x, name string, in, out int, draw func() float32) string {
	y := b.product(x, name, in, out, draw)
	return b.named("Add", name, []string{y, b.param(name+".bias", constant(0), out)})
}

// product adds a MatMul with weight [in,out].
func (b *net) product(x, name string, in, out int, draw func() float32) string {
	return b.named("MatMul", name+".matmul", []string{x, b.param(name+".weight", draw, in, out)})
}

func (b *net) relu(x string) string { return b.node("Relu", []string{x}) }

func (b *net) pool(x string, k, stride, pad int) string {
	kk, s, p := int64(k), int64(stride), int64(pad)
	return b.node("MaxPool", []string{x}, onnx.AttrInts("kernel_shape", kk, kk), onnx.AttrInts("strides", s, s),
		onnx.AttrInts("pads", p, p, p, p))
}

func (b *net) flatten(x string) string {
	return b.node("Flatten", []string{x}, onnx.AttrInt("axis", 1))
}

// pooled adds a global average pool and a Flatten.
func (b *net) pooled(x string) string { return b.flatten(b.node("GlobalAveragePool", []string{x})) }

// scalar adds a rank-0 int64 initializer.
func (b *net) scalar(name string, v int64) string {
	b.g.Initializer = append(b.g.Initializer, onnx.TensorToProto(name, tensor.Scalar(v)))
	return name
}
