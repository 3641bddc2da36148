package tokens

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// editor puts nodes into a copy of the file of a ViT.
type editor struct {
	t      *ViT
	file   *onnx.Model
	g      *onnxpb.GraphProto
	nodes  []*onnxpb.NodeProto // those of the copy, in the places of the file's
	before map[int][]*onnxpb.NodeProto
	after  map[int][]*onnxpb.NodeProto
	live   map[*onnxpb.NodeProto]bool // nodes of the file that something reads

	into   *[]*onnxpb.NodeProto // where new nodes go
	prefix string               // of new names
	taken  map[string]bool
	consts map[string]string

	counts []int    // tokens after each layer
	sizes  []string // after each layer: [B,N] in float32, how many patches each token stands for; "" where all are one
	logs   map[string]string

	rowMask string // soft models: what the rows of attention count for the importance; "" for all the same
}

// edit begins a copy of the file.
func (t *ViT) edit() *editor {
	file := t.v.file.Clone()
	e := &editor{t: t, file: file, g: file.Proto.GetGraph(), before: map[int][]*onnxpb.NodeProto{}, after: map[int][]*onnxpb.NodeProto{},
		live: map[*onnxpb.NodeProto]bool{}, taken: map[string]bool{}, consts: map[string]string{}, logs: map[string]string{}}
	e.nodes = slices.Clone(e.g.GetNode())
	used := map[string]bool{}
	for _, o := range e.g.GetOutput() {
		used[o.GetName()] = true
	}
	for _, n := range e.nodes {
		for _, in := range slices.Concat(n.GetInput(), captured(n)) {
			used[in] = true
			e.taken[in] = true
		}
	}
	for _, n := range e.nodes {
		e.taken[n.GetName()] = true
		for _, o := range n.GetOutput() {
			e.taken[o] = true
			e.live[n] = e.live[n] || used[o]
		}
	}
	for _, i := range e.g.GetInitializer() {
		e.taken[i.GetName()] = true
	}
	return e
}

// of is the copy of a node of the file.
func (e *editor) of(n *onnxpb.NodeProto) *onnxpb.NodeProto { return e.nodes[e.t.v.place[n]] }

// put has f add nodes after, or before, a node of the file, with prefix in their names.
func (e *editor) put(n *onnxpb.NodeProto, after bool, prefix string, f func() error) error {
	where := e.before
	if after {
		where = e.after
	}
	i := e.t.v.place[n]
	list := where[i]
	e.into, e.prefix = &list, prefix
	err := f()
	where[i] = list
	return err
}

// fresh is a name that is not taken.
func (e *editor) fresh(name string) string {
	name = e.prefix + "/" + name
	for i, base := 2, name; e.taken[name]; i++ {
		name = fmt.Sprintf("%s_%d", base, i)
	}
	e.taken[name] = true
	return name
}

// add adds a node with one output, called by name.
func (e *editor) add(op, name string, ins []string, attrs ...*onnxpb.AttributeProto) string {
	return e.adds(op, name, 1, ins, attrs...)[0]
}

// adds adds a node with k outputs.
func (e *editor) adds(op, name string, k int, ins []string, attrs ...*onnxpb.AttributeProto) []string {
	var outs []string
	for i := range k {
		o := name
		if i > 0 {
			o = fmt.Sprintf("%s.%d", name, i)
		}
		outs = append(outs, e.fresh(o))
	}
	*e.into = append(*e.into, onnx.NewNode(op, outs[0], ins, outs, attrs...))
	return outs
}

// tensor is an initializer; equal ones are one.
func (e *editor) tensor(t *tensor.Tensor) string {
	key := fmt.Sprint(t.DType(), t.Shape(), string(t.Bytes()))
	if name, ok := e.consts[key]; ok {
		return name
	}
	name := fmt.Sprintf("tokens/%v_%d", t.DType(), len(e.consts))
	for e.taken[name] {
		name += "_"
	}
	e.taken[name] = true
	e.consts[key] = name
	e.g.Initializer = append(e.g.Initializer, onnx.TensorToProto(name, t))
	return name
}

func (e *editor) ints(v ...int) string {
	x := make([]int64, len(v))
	for i, n := range v {
		x[i] = int64(n)
	}
	return e.tensor(tensor.From(x, len(x)))
}

func (e *editor) float(v float32) string { return e.tensor(tensor.Scalar(v)) }

// reduce is a reduction over axes, whose form changed with operator set 13 or 18.
func (e *editor) reduce(op, name, x string, keep bool, axes ...int) string {
	k := onnx.AttrInt("keepdims", 0)
	if keep {
		k = onnx.AttrInt("keepdims", 1)
	}
	if op == "ReduceSum" || e.t.v.opset >= 18 {
		return e.add(op, name, []string{x, e.ints(axes...)}, k)
	}
	a := make([]int64, len(axes))
	for i, n := range axes {
		a[i] = int64(n)
	}
	return e.add(op, name, []string{x}, onnx.AttrInts("axes", a...), k)
}

// slice is entries from to to of an axis.
func (e *editor) slice(name, x string, axis, from, to int) string {
	return e.add("Slice", name, []string{x, e.ints(from), e.ints(to), e.ints(axis)})
}

func (e *editor) cast(name, x string, d tensor.DType) string {
	return e.add("Cast", name, []string{x}, onnx.AttrInt("to", int64(d)))
}

// finish puts all nodes in order and takes out what nothing reads any more.
func (e *editor) finish() *onnx.Model {
	var nodes []*onnxpb.NodeProto
	for i, n := range e.nodes {
		nodes = append(append(append(nodes, e.before[i]...), n), e.after[i]...)
	}
	e.g.Node = inOrder(nodes)
	for _, list := range []map[int][]*onnxpb.NodeProto{e.before, e.after} {
		for _, l := range list {
			for _, n := range l {
				e.live[n] = true
			}
		}
	}
	had := map[string]bool{}
	for _, n := range e.t.v.g.GetNode() {
		for _, in := range n.GetInput() {
			had[in] = true
		}
	}
	dropDead(e.file, e.live)
	used := map[string]bool{}
	for _, n := range e.g.GetNode() {
		for _, in := range slices.Concat(n.GetInput(), captured(n)) {
			used[in] = true
		}
	}
	for _, o := range e.g.GetOutput() {
		used[o.GetName()] = true
	}
	gone := func(name string) bool { return had[name] && !used[name] }
	e.g.Initializer = slices.DeleteFunc(e.g.Initializer, func(t *onnxpb.TensorProto) bool { return gone(t.GetName()) })
	e.g.ValueInfo = slices.DeleteFunc(e.g.ValueInfo, func(v *onnxpb.ValueInfoProto) bool {
		_, tracked := e.t.at[v.GetName()]
		return tracked || gone(v.GetName()) || strings.HasPrefix(v.GetName(), "tokens/")
	})
	return e.file
}

// inOrder is nodes with each after those that it reads, else as they are.
func inOrder(nodes []*onnxpb.NodeProto) []*onnxpb.NodeProto {
	maker := map[string]*onnxpb.NodeProto{}
	for _, n := range nodes {
		for _, o := range n.GetOutput() {
			if o != "" {
				maker[o] = n
			}
		}
	}
	var out []*onnxpb.NodeProto
	done := map[*onnxpb.NodeProto]bool{}
	var visit func(n *onnxpb.NodeProto)
	visit = func(n *onnxpb.NodeProto) {
		if n == nil || done[n] {
			return
		}
		done[n] = true
		for _, in := range slices.Concat(n.GetInput(), captured(n)) {
			visit(maker[in])
		}
		out = append(out, n)
	}
	for _, n := range nodes {
		visit(n)
	}
	return out
}
