package train

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// Operator set of the chain and the blocks. Their operators mean the same from NoPropLeastOpset on, so that a chain can be put behind older
// models.
const (
	NoPropOpset      = 17
	NoPropLeastOpset = 9
)

// chainGraph is a chain or a block under construction.
type chainGraph struct {
	n      *NoPropNet
	g      *onnxpb.GraphProto
	r      *rand.Rand
	have   map[string]*tensor.Tensor // initializers
	see    map[string]string         // what a block makes of the example, by its prefix
	params []string                  // that are trained
}

// Names of the inputs and the output of a block by itself.
const (
	blockX    = "x"
	blockZ    = "z"
	blockTime = "time"
	blockLeft = "left" // [N,1]: how long it still is, where fm learns its embedding
	blockOut  = "out"
	blockNear = "near" // logits [N,K] where the way would end, likewise
)

// build makes the chain and the blocks.
func (n *NoPropNet) build() {
	c := n.graph("noprop", n.In.Name)
	c.chain()
	n.Chain, n.Params = onnx.NewModel(c.g, NoPropOpset), c.params
	n.blocks = nil
	for k := range n.Blocks() {
		b := n.graph("noprop_block", blockX)
		b.input(blockZ, n.dim())
		time := ""
		if n.plan.times != nil {
			b.input(blockTime, timeWidth)
			time = blockTime
		}
		b.finish(b.block(k, "", b.example(blockX), blockZ, time), blockOut, n.dim())
		if n.Variant == NoPropFM && n.Learned > 0 {
			b.input(blockLeft, 1)
			end := b.node("Add", "end", []string{blockZ, b.node("Mul", "rest", []string{blockOut, blockLeft})})
			b.finish(b.classify(end), blockNear, n.In.Classes)
		}
		n.blocks = append(n.blocks, onnx.NewModel(b.g, NoPropOpset))
	}
	if n.Variant != NoPropFM {
		h := n.empty("noprop_head")
		h.input(blockZ, n.dim())
		h.finish(h.classify(blockZ), blockNear, n.In.Classes)
		n.blocks = append(n.blocks, onnx.NewModel(h.g, NoPropOpset))
	}
}

func (n *NoPropNet) empty(name string) *chainGraph {
	const purpose = 0x6e6f70726f70 // "noprop"
	return &chainGraph{n: n, g: &onnxpb.GraphProto{Name: &name}, r: rand.New(rand.NewPCG(n.Seed, purpose)),
		have: map[string]*tensor.Tensor{}, see: map[string]string{}}
}

// graph begins a graph with the input that an example is.
func (n *NoPropNet) graph(name, input string) *chainGraph {
	c := n.empty(name)
	dims := []any{"N"}
	for _, d := range n.In.Shape {
		dims = append(dims, d)
	}
	c.g.Input = append(c.g.Input, onnx.ValueInfo(input, n.In.DType, dims...))
	return c
}

func (c *chainGraph) input(name string, width int) {
	c.g.Input = append(c.g.Input, onnx.ValueInfo(name, tensor.Float32, "N", width))
}

// finish makes x the output.
func (c *chainGraph) finish(x, name string, width int) {
	last := c.g.Node[len(c.g.Node)-1]
	if len(last.Output) != 1 || last.Output[0] != x {
		panic("train: noprop: the output is not made last")
	}
	last.Output[0] = name
	c.g.Output = append(c.g.Output, onnx.ValueInfo(name, tensor.Float32, "N", width))
}

// node adds a node called name, which with the prefix is its output too.
func (c *chainGraph) node(op, name string, in []string, attrs ...*onnxpb.AttributeProto) string {
	name = c.n.prefix + name
	c.g.Node = append(c.g.Node, onnx.NewNode(op, name, in, []string{name}, attrs...))
	return name
}

// store adds an initializer, unless it is there.
func (c *chainGraph) store(name string, t func() *tensor.Tensor) string {
	name = c.n.prefix + name
	if c.have[name] == nil {
		c.have[name] = t()
		c.g.Initializer = append(c.g.Initializer, onnx.TensorToProto(name, c.have[name]))
	}
	return name
}

// param adds a trained parameter, unless it is there, drawn uniformly from ±bound.
func (c *chainGraph) param(name string, bound float64, shape ...int) string {
	return c.drawn(name, func() float32 { return float32((2*c.r.Float64() - 1) * bound) }, shape...)
}

func (c *chainGraph) drawn(name string, draw func() float32, shape ...int) string {
	full := c.n.prefix + name
	if c.have[full] == nil {
		c.params = append(c.params, full)
	}
	return c.store(name, func() *tensor.Tensor {
		t := tensor.New(tensor.Float32, shape...)
		for i := range t.F32() {
			t.F32()[i] = draw()
		}
		return t
	})
}

// filled adds numbers that are all v; they are trained if trained says so.
func (c *chainGraph) filled(name string, v float32, trained bool, n int) string {
	all := func() float32 { return v }
	if trained {
		return c.drawn(name, all, n)
	}
	return c.store(name, func() *tensor.Tensor {
		t := tensor.New(tensor.Float32, n)
		for i := range t.F32() {
			t.F32()[i] = v
		}
		return t
	})
}

// linear adds a Gemm with weights w.weight [out,in] and w.bias, drawn as PyTorch's Linear draws them.
func (c *chainGraph) linear(x, at, w string, in, out int) string {
	bound := 1 / math.Sqrt(float64(in))
	return c.node("Gemm", at, []string{x, c.param(w+".weight", bound, out, in), c.param(w+".bias", bound, out)},
		onnx.AttrInt("transB", 1))
}

// norm adds a BatchNormalization where blocks have one.
func (c *chainGraph) norm(x, at, w string, width int) string {
	if c.n.plan.times != nil {
		return x
	}
	return c.node("BatchNormalization", at, []string{x, c.filled(w+".weight", 1, true, width), c.filled(w+".bias", 0, true, width),
		c.filled(w+".running_mean", 0, false, width), c.filled(w+".running_var", 1, false, width)},
		onnx.AttrFloat("epsilon", 1e-5), onnx.AttrFloat("momentum", 0.9))
}

// layer adds a dense layer with its normalisation, and a Relu.
func (c *chainGraph) layer(x, at, w string, in, out int) string {
	x = c.norm(c.linear(x, at, w, in, out), at+".norm", w+".norm", out)
	return c.node("Relu", at+".relu", []string{x})
}

// example is the input as the blocks take it: float32, with channels first.
func (c *chainGraph) example(x string) string {
	in := c.n.In
	if in.DType != tensor.Float32 {
		x = c.node("Cast", "float", []string{x}, onnx.AttrInt("to", int64(tensor.Float32)))
	}
	if in.Last && len(in.Shape) == 3 {
		x = c.node("Transpose", "first", []string{x}, onnx.AttrInts("perm", 0, 3, 1, 2))
	}
	return x
}

// leastPicture is the side from which pictures go through convolutions.
const leastPicture = 16

// picture is the channels and sides of an example that goes through convolutions.
func (n *NoPropNet) picture() (c, h, w int, ok bool) {
	s := n.In.Shape
	if len(s) != 3 {
		return 0, 0, 0, false
	}
	if c, h, w = s[0], s[1], s[2]; n.In.Last {
		h, w, c = s[0], s[1], s[2]
	}
	return c, h, w, h >= leastPicture && w >= leastPicture
}

// seen is what a block makes of an example x [N,…] before it sees z: pictures go through three convolutions of 32, 64 and 128 channels
// with pools, all else through a dense layer alone.
func (c *chainGraph) seen(x, at, w string) string {
	width := c.n.In.Shape.Len()
	if in, h, wide, ok := c.n.picture(); ok {
		for i, out := range []int{32, 64, 128} {
			name := fmt.Sprintf("conv%d", i+1)
			bound := 1 / math.Sqrt(float64(9*in))
			x = c.node("Conv", at+name, []string{x, c.param(w+name+".weight", bound, out, in, 3, 3), c.param(w+name+".bias", bound, out)},
				onnx.AttrInts("kernel_shape", 3, 3), onnx.AttrInts("pads", 1, 1, 1, 1))
			x = c.node("Relu", at+name+".relu", []string{x})
			x = c.node("MaxPool", at+name+".pool", []string{x}, onnx.AttrInts("kernel_shape", 2, 2), onnx.AttrInts("strides", 2, 2))
			in, h, wide = out, h/2, wide/2
		}
		width = in * h * wide
	}
	x = c.node("Flatten", at+"flat", []string{x}, onnx.AttrInt("axis", 1))
	return c.layer(x, at+"x", w+"x", width, c.n.Hidden)
}

// block adds block k on the example x and z, and gives its estimate of the embedding, or the way there; at tells its place in the chain
// where it stands there more than once, and time [N,64] or [1,64] is "" for dt.
func (c *chainGraph) block(k int, at, x, z, time string) string {
	n, h := c.n, c.n.Hidden
	w := "block."
	if n.Variant == NoPropDT {
		w = fmt.Sprintf("block%d.", k+1)
	}
	at = w + at
	half := max(1, h/2)
	if c.see[w] == "" { // the same at all times
		c.see[w] = c.seen(x, w, w)
	}
	x = c.see[w]
	first := c.layer(z, at+"z1", w+"z1", n.dim(), h)
	z = c.layer(first, at+"z2", w+"z2", h, h)
	z = c.norm(c.linear(z, at+"z3", w+"z3", h, h), at+"z3.norm", w+"z3.norm", h)
	z = c.node("Add", at+"z", []string{z, first})
	y := c.linear(c.node("Concat", at+"xz", []string{x, z}, onnx.AttrInt("axis", 1)), at+"both", w+"both", 2*h, h)
	if time != "" {
		y = c.node("Add", at+"timed", []string{y, c.linear(time, at+"time", w+"time", timeWidth, h)})
	}
	y = c.node("Relu", at+"both.relu", []string{c.norm(y, at+"both.norm", w+"both.norm", h)})
	y = c.layer(y, at+"last", w+"last", h, half)
	if n.Variant == NoPropFM {
		return c.linear(y, at+"out", w+"out", half, n.dim())
	}
	y = c.node("Softmax", at+"p", []string{c.linear(y, at+"logits", w+"logits", half, n.In.Classes)}, onnx.AttrInt("axis", 1))
	if n.Learned == 0 {
		return y
	}
	return c.node("MatMul", at+"u", []string{y, c.embedding()})
}

// embedding adds the embeddings of the labels [K,D]. Rows that are learned begin with a length of about 1, as one-hot ones have.
func (c *chainGraph) embedding() string {
	n := c.n
	if n.Learned == 0 {
		return c.store("embedding", func() *tensor.Tensor { return oneHot(n.In.Classes) })
	}
	return c.drawn("embedding", func() float32 { return float32(c.r.NormFloat64() / math.Sqrt(float64(n.Learned))) },
		n.In.Classes, n.Learned)
}

// table is the embeddings as they begin.
func (c *chainGraph) table() *tensor.Tensor {
	if c.n.Learned == 0 {
		return oneHot(c.n.In.Classes)
	}
	return c.have[c.embedding()]
}

// number adds one number [1,1].
func (c *chainGraph) number(name string, v float64) string {
	return c.store(name, func() *tensor.Tensor { return tensor.From([]float32{float32(v)}, 1, 1) })
}

// chain adds the whole way from the start to the logits.
func (c *chainGraph) chain() {
	n, d := c.n, c.n.dim()
	x := c.example(n.In.Name)
	start := c.store("start", func() *tensor.Tensor { return tensor.New(tensor.Float32, 1, d) })
	rows := c.node("Gather", "rows", []string{c.node("Shape", "shape", []string{x}),
		c.store("first", func() *tensor.Tensor { return tensor.From([]int64{0}, 1) })}, onnx.AttrInt("axis", 0))
	z := c.node("Expand", "z0", []string{start, c.node("Concat", "extents",
		[]string{rows, c.store("width", func() *tensor.Tensor { return tensor.From([]int64{int64(d)}, 1) })}, onnx.AttrInt("axis", 0))})
	as, bs := c.coefficients()
	for t := range n.Steps {
		at, time := "", ""
		if n.plan.times != nil {
			at = fmt.Sprintf("step%d.", t+1)
			time = c.store(fmt.Sprintf("time%d", t+1), func() *tensor.Tensor {
				row := tensor.New(tensor.Float32, 1, timeWidth)
				sinusoids(n.plan.times[t], row.F32())
				return row
			})
		}
		out := c.node("Mul", fmt.Sprintf("new%d", t+1), []string{c.block(t, at, x, z, time), as(t)})
		z = c.node("Add", fmt.Sprintf("z%d", t+1), []string{out, c.node("Mul", fmt.Sprintf("old%d", t+1), []string{z, bs(t)})})
	}
	c.finish(c.classify(z), n.In.Output, n.In.Classes)
}

// coefficients are what a step is made with.
func (c *chainGraph) coefficients() (a, b func(t int) string) {
	if c.n.Schedule == "learned" {
		return c.schedule()
	}
	return func(t int) string { return c.number(fmt.Sprintf("a%d", t+1), c.n.plan.a[t]) },
		func(t int) string { return c.number(fmt.Sprintf("b%d", t+1), c.n.plan.b[t]) }
}

// nearness multiplies the logits as they begin, and those of fm: they are those of a normal distribution of variance 1/nearness around each
// embedding. Without it a softmax behind a chain that ends in numbers of 0 to 1 is all but even, and a chain that is trained as a whole
// hardly learns.
const nearness = 10

// classify is the logits of z: a layer that is learned and begins as nearness·u·z, or with fm nearness·(u·z − ‖u‖²/2), of which the largest
// is that of the nearest.
func (c *chainGraph) classify(z string) string {
	n := c.n
	if n.Variant != NoPropFM {
		table, i := c.table().F32(), -1
		w := c.drawn("head.weight", func() float32 { i++; return nearness * table[i] }, n.In.Classes, n.dim())
		return c.node("Gemm", "head", []string{z, w, c.filled("head.bias", 0, true, n.In.Classes)}, onnx.AttrInt("transB", 1))
	}
	u := c.embedding()
	half := c.store("half", func() *tensor.Tensor {
		t := tensor.New(tensor.Float32, n.dim(), 1)
		for i := range t.F32() {
			t.F32()[i] = .5
		}
		return t
	})
	norm := c.node("Transpose", "norms", []string{c.node("MatMul", "norm", []string{c.node("Mul", "squares", []string{u, u}), half})},
		onnx.AttrInts("perm", 1, 0))
	dots := c.node("MatMul", "dots", []string{z, c.node("Transpose", "labels", []string{u}, onnx.AttrInts("perm", 1, 0))})
	return c.node("Mul", "near", []string{c.node("Sub", "apart", []string{dots, norm}), c.number("nearness", nearness)})
}
