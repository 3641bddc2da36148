package train

import (
	"context"
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// quantised is a constant of few bits that a layer reads as real numbers: an initializer behind a DequantizeLinear, perhaps through views.
type quantised struct {
	chain []*onnxpb.NodeProto // views from the layer to dq
	dq    *onnxpb.NodeProto
	key   string // the initializer
	root  string // likewise, as a value
	shape tensor.Shape
	dtype tensor.DType
}

// isNBits reports whether n is a product with a weight of 2, 4 or 8 bits in blocks, as ONNX Runtime's tools write it.
func isNBits(n *onnxpb.NodeProto) bool {
	return n.GetDomain() == fusedDomain && n.GetOpType() == "MatMulNBits"
}

// dequantises reports whether n makes real numbers of quantised ones.
func (f *finder) dequantises(n *onnxpb.NodeProto) bool {
	return f.is(n, ops.DequantizeLinear) || n.GetDomain() == fusedDomain && n.GetOpType() == "DequantizeLinear"
}

// loraOperand is input i of n, a constant of real numbers or a quantised one.
func (f *finder) loraOperand(n *onnxpb.NodeProto, i int) (*operand, *quantised) {
	if i >= len(n.GetInput()) || n.GetInput()[i] == "" {
		return nil, nil
	}
	if o := f.operand(n, i); o != nil {
		return o, nil
	}
	q := &quantised{}
	name := n.GetInput()[i]
	for range 64 {
		at := f.makers[name]
		if at == nil || len(at.GetInput()) == 0 {
			return nil, nil
		}
		if f.dequantises(at) {
			q.dq = at
			break
		}
		if f.role(at) != graph.View {
			return nil, nil
		}
		q.chain = append(q.chain, at)
		name = at.GetInput()[0]
	}
	if q.dq == nil || len(q.dq.GetInput()) < 2 {
		return nil, nil
	}
	codes, scale := f.operand(q.dq, 0), f.operand(q.dq, 1)
	if codes == nil || scale == nil || !scale.value.DType().IsFloat() {
		return nil, nil
	}
	q.key, q.root, q.dtype = codes.root, codes.root, scale.value.DType()
	t := tensor.New(q.dtype, codes.value.Shape()...)
	for i := len(q.chain) - 1; i >= 0; i-- {
		if t = f.view(q.chain[i], t); t == nil {
			return nil, nil
		}
	}
	q.shape, q.dtype = t.Shape(), t.DType()
	return nil, q
}

// nbitsWeight reads a MatMulNBits, whose weight stands for a matrix [K,N].
func (f *finder) nbitsWeight(n *onnxpb.NodeProto) (w *loraWeight, root, why string) {
	k, cols := int(intAttr(n, "K", 0)), int(intAttr(n, "N", 0))
	codes, scales := f.operand(n, 1), f.operand(n, 2)
	if codes == nil || scales == nil || k < 1 || cols < 1 {
		return nil, "", "its weight is computed"
	}
	w = &loraWeight{
		key: codes.root, reads: []loraRead{{n: n, input: 1}},
		shape: tensor.Shape{k, cols}, dtype: scales.value.DType(), form: loraRight, group: 1,
		quant: true, views: viewsOf(codes.chain),
	}
	if !w.dtype.IsFloat() {
		why = "its scales are no real numbers"
	}
	return w, codes.root, why
}

// dequantise is a copy of m in which the quantised weights with adapters are real numbers, W + scale·B·A: an initializer in the place of
// each DequantizeLinear, a MatMul with its bias in that of each MatMulNBits.
func (a *Adapters) dequantise(m, trained *onnx.Model) error {
	f := newFinder(m)
	for _, n := range slices.Clone(m.Proto.GetGraph().GetNode()) {
		for i := range min(2, len(n.GetInput())) {
			x, q := (*Adapter)(nil), (*quantised)(nil)
			if isNBits(n) && i == 1 {
				if codes := f.operand(n, 1); codes != nil {
					x = a.of(codes.root)
				}
			} else if _, q = f.loraOperand(n, i); q != nil {
				x = a.of(q.key)
			}
			if x == nil || !slices.Contains(x.Nodes, nodeName(n)) {
				continue
			}
			d, err := x.delta(trained, a.Scale)
			if err == nil && q != nil {
				err = f.realWeight(q, d)
			} else if err == nil {
				err = f.realProduct(n, d)
			}
			if err != nil {
				return fmt.Errorf("train: LoRA: weight %q: %w", x.Weight, err)
			}
			f.index()
		}
	}
	left := newFinder(m)
	for _, n := range m.Proto.GetGraph().GetNode() {
		for i := range min(2, len(n.GetInput())) {
			if _, q := left.loraOperand(n, i); q != nil && a.of(q.key) != nil || isNBits(n) && a.of(n.GetInput()[1]) != nil {
				return fmt.Errorf("train: LoRA: %s still reads a quantised weight", label(n))
			}
		}
	}
	return nil
}

// realWeight puts an initializer of real numbers in the place of the DequantizeLinear of q, with d, as the layer reads it, added. One that
// was replaced for another layer has it already.
func (f *finder) realWeight(q *quantised, d *tensor.Tensor) error {
	out := q.dq.GetOutput()[0]
	w, err := f.computed(q.dq, nil)
	if err != nil {
		return err
	}
	if d, err = f.unview(&operand{reader: q.dq, chain: q.chain, root: out}, d); err != nil {
		return err
	}
	if !w.Shape().Equal(d.Shape()) {
		return fmt.Errorf("its views cannot be undone")
	}
	if w, err = summed(w, d); err != nil {
		return err
	}
	old := f.operands(q.dq)
	if err := f.m.ReplaceNodeByInitializer(out, w); err != nil {
		return err
	}
	f.pruneAll(old)
	return nil
}

// operands are the constants that n reads.
func (f *finder) operands(n *onnxpb.NodeProto) []*operand {
	var list []*operand
	for i := range n.GetInput() {
		if o := f.operand(n, i); o != nil {
			list = append(list, o)
		}
	}
	return list
}

// pruneAll takes away what nobody reads any more.
func (f *finder) pruneAll(list []*operand) {
	f.index()
	for _, o := range list {
		f.prune(o)
		f.index()
	}
}

// realProduct makes the MatMulNBits n a MatMul by real numbers, with d added to its weight.
func (f *finder) realProduct(n *onnxpb.NodeProto, d *tensor.Tensor) error {
	k := int(intAttr(n, "K", 0))
	one := tensor.New(tensor.Float32, k, k)
	for i := range k {
		one.F32()[i*k+i] = 1
	}
	w, err := f.computed(n, one)
	if err == nil {
		w, err = summed(w, d)
	}
	if err != nil {
		return err
	}
	name := n.GetInput()[1] + "/real"
	for f.taken(name) {
		name += "~"
	}
	f.addInitializer(name, w)
	bias := ""
	if len(n.GetInput()) > 5 {
		bias = n.GetInput()[5]
	}
	old := f.operands(n)
	n.Domain, n.OpType, n.Attribute, n.Input = nil, new("MatMul"), nil, []string{n.GetInput()[0], name}
	if bias != "" {
		y := n.GetOutput()[0]
		n.Output[0] = y + "/product"
		g := f.m.Proto.GetGraph()
		sum := onnx.NewNode("Add", nodeName(n)+"/bias", []string{n.Output[0], bias}, []string{y})
		g.Node = slices.Insert(g.Node, slices.Index(g.Node, n)+1, sum)
	}
	f.pruneAll(old)
	return nil
}

// computed is what the node n, a DequantizeLinear of constants, gives, or a MatMulNBits without its bias for the input x.
func (f *finder) computed(n *onnxpb.NodeProto, x *tensor.Tensor) (*tensor.Tensor, error) {
	alone := onnx.NewNode(n.GetOpType(), "", nil, []string{"y"}, n.GetAttribute()...)
	alone.Domain = n.Domain
	g := &onnxpb.GraphProto{Name: new("weight"), Node: []*onnxpb.NodeProto{alone}}
	d := tensor.Float32
	feeds := map[string]*tensor.Tensor{}
	for i, name := range n.GetInput() {
		in := ""
		switch o := f.operand(n, i); {
		case name == "" || x != nil && i == 5:
		case x != nil && i == 0:
			in = "x"
		case o == nil:
			return nil, fmt.Errorf("input %d of %s is computed", i, label(n))
		default:
			in = fmt.Sprintf("c%d", i)
			g.Initializer = append(g.Initializer, onnx.TensorToProto(in, o.value))
			if (x != nil && i == 2 || x == nil && i == 1) && o.value.DType().IsFloat() {
				d = o.value.DType()
			}
		}
		alone.Input = append(alone.Input, in)
	}
	if x != nil {
		of, err := x.Convert(d)
		if err != nil {
			return nil, err
		}
		feeds["x"] = of
		g.Input = append(g.Input, onnx.ValueInfo("x", d, x.Dim(0), x.Dim(1)))
	}
	g.Output = append(g.Output, onnx.ValueInfo("y", d))
	m := onnx.NewModel(g, f.m.Opset(""))
	m.Proto.OpsetImport = f.m.Proto.OpsetImport
	em, err := engine.Load(m)
	if err != nil {
		return nil, err
	}
	defer em.Close()
	s, err := em.Session(engine.Query{})
	if err != nil {
		return nil, err
	}
	r, err := s.Run(context.Background(), feeds)
	if err != nil {
		return nil, err
	}
	return r.Value("y").Clone(), nil
}
