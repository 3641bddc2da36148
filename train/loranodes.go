package train

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// loraBuild writes adapters into the graph of a finder.
type loraBuild struct {
	f     *finder
	taken map[string]bool // names of values
	added []*onnxpb.NodeProto
	one   *onnxpb.NodeProto // layer that is worked on

	factors []loraFactor
}

// loraFactor is a product with a factor behind an adapter: alpha/rank times what the layer itself multiplies by.
type loraFactor struct {
	out, name string  // of the product and of the initializer
	own       float64 // the layer's part of it
}

func newLoRABuild(f *finder) *loraBuild {
	b := &loraBuild{f: f, taken: map[string]bool{}}
	g := f.m.Proto.GetGraph()
	for _, v := range g.GetInput() {
		b.taken[v.GetName()] = true
	}
	for _, t := range g.GetInitializer() {
		b.taken[t.GetName()] = true
	}
	for _, n := range g.GetNode() {
		for _, o := range n.GetOutput() {
			b.taken[o] = true
		}
	}
	return b
}

// add writes the adapter x, with the numbers first for A and second for B, beside the layers of w. Each layer y = f(x, W) becomes
// y = f(x, W) + factor·g(x, A, B); a Conv in groups reads W + factor·B·A.
func (b *loraBuild) add(w *loraWeight, x *Adapter, factor float64, first, second *tensor.Tensor) error {
	for _, p := range []struct {
		name string
		t    *tensor.Tensor
	}{{x.A, first}, {x.B, second}} {
		t, err := p.t.Convert(x.dtype)
		if err != nil {
			return fmt.Errorf("train: LoRA: %s: %w", p.name, err)
		}
		b.f.addInitializer(p.name, t)
		b.taken[p.name] = true
	}
	for _, r := range w.reads {
		b.one, b.added = r.n, nil
		g := b.f.m.Proto.GetGraph()
		if x.form == loraGroups {
			sum := b.inGroups(x, r, factor)
			at := slices.Index(g.Node, r.n)
			g.Node = slices.Insert(g.Node, at, b.added...)
			r.n.Input[r.input] = sum
			continue
		}
		delta := b.beside(x, r, factor)
		end := r.end()
		y := end.Output[0]
		plain := b.free(y + "/base")
		b.node("Add", "sum", []string{plain, delta})
		b.added[len(b.added)-1].Output[0] = y
		end.Output[0] = plain
		at := slices.Index(g.Node, end)
		g.Node = slices.Insert(g.Node, at+1, b.added...)
	}
	b.f.index()
	return nil
}

// beside is factor·g(x, A, B) of a layer.
func (b *loraBuild) beside(x *Adapter, r loraRead, factor float64) string {
	n := r.n
	in := cmp.Or(r.x, n.GetInput()[0])
	var y string
	own := 1.0
	switch x.form {
	case loraLeft:
		y = b.node("MatMul", "lora_A", []string{x.A, n.GetInput()[1]})
		y = b.node("MatMul", "lora_B", []string{x.B, y})
	case loraConv:
		y = b.node("Conv", "lora_A", []string{in, x.A}, kept(n, "auto_pad", "dilations", "kernel_shape", "pads", "strides")...)
		y = b.node("Conv", "lora_B", []string{y, x.B})
	default:
		if b.f.is(n, ops.Gemm) {
			own = float64(floatAttr(n, "alpha", 1))
			if intAttr(n, "transA", 0) != 0 {
				in = b.node("Transpose", "lora_x", []string{in}, onnx.AttrInts("perm", 1, 0))
			}
		}
		y = b.node("MatMul", "lora_A", []string{in, x.A})
		y = b.node("MatMul", "lora_B", []string{y, x.B})
	}
	return b.times(y, factor, own, x.dtype)
}

// inGroups is the weight of a Conv in groups with its adapter in it.
func (b *loraBuild) inGroups(x *Adapter, r loraRead, factor float64) string {
	y := b.times(b.node("MatMul", "lora_BA", []string{x.B, x.A}), factor, 1, x.dtype)
	shape := b.free(nodeName(r.n) + "/lora_shape")
	b.f.addInitializer(shape, tensor.From(int64s(x.shape), len(x.shape)))
	y = b.node("Reshape", "lora_W", []string{y, shape})
	return b.node("Add", "weight", []string{r.n.GetInput()[r.input], y})
}

// times is factor·own·y.
func (b *loraBuild) times(y string, factor, own float64, d tensor.DType) string {
	if factor*own == 1 {
		return y
	}
	name := b.free(nodeName(b.one) + "/lora_factor")
	b.f.addInitializer(name, scalarOf(factor*own, d))
	y = b.node("Mul", "lora_scaled", []string{y, name})
	b.factors = append(b.factors, loraFactor{y, name, own})
	return y
}

// scalarOf is a number in a type of real numbers.
func scalarOf(x float64, d tensor.DType) *tensor.Tensor {
	t, err := tensor.Scalar(x).Convert(d)
	if err != nil {
		return tensor.Scalar(float32(x))
	}
	return t
}

// node adds a node behind those added before, named after the layer; the result is its output.
func (b *loraBuild) node(op, what string, ins []string, attrs ...*onnxpb.AttributeProto) string {
	name := nodeName(b.one) + "/" + what
	out := b.free(name)
	b.added = append(b.added, onnx.NewNode(op, name, ins, []string{out}, attrs...))
	return out
}

// free is a name that no value has, which it takes.
func (b *loraBuild) free(name string) string {
	for b.taken[name] {
		name += "~"
	}
	b.taken[name] = true
	return name
}

func floatAttr(n *onnxpb.NodeProto, name string, def float32) float32 {
	for _, a := range n.GetAttribute() {
		if a.GetName() == name {
			return a.GetF()
		}
	}
	return def
}
