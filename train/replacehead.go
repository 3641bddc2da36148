package train

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// NewHead says what the last layer before an output is to be replaced by.
type NewHead struct {
	Output  string // "" means the first
	Classes int    // 1 or more
	Seed    uint64
	// Activation is what the output shall end in: "Softmax", "Sigmoid" or "none". "" keeps what is there, but that a Sigmoid of one number
	// becomes a Softmax of several classes, which exclude each other, and a Softmax becomes a Sigmoid of one number.
	Activation string
}

// ReplaceHead is a copy of m whose last layer before the first output has classes outputs; see NewHead.Replace.
func ReplaceHead(m *onnx.Model, classes int, seed uint64) (*onnx.Model, *ClassifierHead, error) {
	return NewHead{Classes: classes, Seed: seed}.Replace(m)
}

// Replace is a copy of m whose last layer has r.Classes outputs, freshly initialised from the seed: weights uniform in ±sqrt(1/fan-in), as
// PyTorch's Linear and Conv2d, biases zero, scales one. What names the old number of classes behind the layer is changed with it: targets
// of Reshape, sizes of Resize, the shape of the output. An encoder (FeaturesKey) gets a layer behind its features. A
// function that the layer lies in is put in the place of its call; other calls of it stay.
func (r NewHead) Replace(m *onnx.Model) (*onnx.Model, *ClassifierHead, error) {
	if r.Classes < 1 {
		return nil, nil, fmt.Errorf("train: head: %d classes; a head has at least 1", r.Classes)
	}
	if !slices.Contains([]string{"", "Softmax", "Sigmoid", "none"}, r.Activation) {
		return nil, nil, fmt.Errorf("train: head: activation %q is not Softmax, Sigmoid or none", r.Activation)
	}
	if features := encoderFeatures(m); features != "" && (r.Output == "" || r.Output == features) {
		return r.appendTo(m, features)
	}
	out := m.Clone()
	f := newFinder(out)
	h, err := f.head(r.Output)
	if err != nil {
		return nil, nil, err
	}
	if err := f.behind(h, r.Classes); err != nil {
		return nil, nil, err
	}
	if err := f.weights(h, r); err != nil {
		return nil, nil, err
	}
	note := f.activation(h, r)
	f.declare(h, r.Classes)
	fresh, err := FindHead(out, r.Output)
	if err != nil {
		return nil, nil, err
	}
	fresh.Note = note
	out.DropMetadata(task.MetadataKey) // what it was trained for is no more
	return out, fresh, nil
}

// weights draws the weights of the layer and resets what belongs to it.
func (f *finder) weights(h *ClassifierHead, r NewHead) error {
	shape := slices.Clone(h.weight.value.Shape())
	shape[h.axis] = r.Classes
	fanIn := max(1, h.weight.value.Len()/max(1, h.Classes))
	w := tensor.New(tensor.Float32, shape...)
	rnd := rand.New(rand.NewPCG(r.Seed, 0x6865616421))
	bound := float32(math.Sqrt(1 / float64(fanIn)))
	for i := range w.F32() {
		w.F32()[i] = (2*rnd.Float32() - 1) * bound
	}
	if err := f.replace(h.weight, w); err != nil {
		return err
	}
	vector := func(o *operand, v float32) error {
		s := slices.Clone(o.value.Shape())
		axis := len(s) - 1
		for i := len(s) - 1; i >= 0; i-- {
			if s[i] == h.Classes {
				axis = i
				break
			}
		}
		if len(s) == 0 {
			s, axis = tensor.Shape{1}, 0
		}
		if h.Classes == 1 && len(s) > 1 && h.Axis >= 0 { // all are one: the axis is that of the classes, counted from the end
			if k := f.rankOf(o.reader.GetOutput()[0], 0); k > 0 && f.axisAt(h, o) >= k-len(s) {
				axis = f.axisAt(h, o) - (k - len(s))
			}
		}
		s[axis] = r.Classes
		t := tensor.New(tensor.Float32, s...)
		for i := range t.F32() {
			t.F32()[i] = v
		}
		return f.replace(o, t)
	}
	if h.bias != nil {
		if err := vector(h.bias, 0); err != nil {
			return err
		}
	}
	for i, o := range h.norm {
		if err := vector(o, []float32{1, 0, 0, 1}[i]); err != nil {
			return err
		}
	}
	for _, o := range h.scales {
		v := float32(1)
		if f.is(o.reader, ops.Add) || f.is(o.reader, ops.Sub) {
			v = 0
		}
		if err := vector(o, v); err != nil {
			return err
		}
	}
	return nil
}

// axisAt is the axis of the classes where o is read.
func (f *finder) axisAt(h *ClassifierHead, o *operand) int {
	for _, s := range h.after {
		if s.node == o.reader {
			return s.in
		}
	}
	return 1
}

// behind changes what names the old number of classes behind the layer.
func (f *finder) behind(h *ClassifierHead, classes int) error {
	for _, s := range h.after {
		n := s.node
		switch {
		case s.drops && classes > 1: // the one class had no axis of its own
			f.keepAxis(s, classes)
		case f.is(n, ops.Reshape):
			if target, ok := f.target(n); ok && s.out >= 0 && s.out < len(target) && target[s.out] == h.Classes && !s.drops {
				f.retarget(n, 1, target, s.out, classes)
			} else if !ok && !s.drops {
				f.rejoin(n, s.out, h.Classes, classes)
			}
		case f.role(n) == graph.Pool: // sizes of a Resize
			for i := range n.GetInput() {
				o := f.operand(n, i)
				if i == 0 || o == nil || o.value.DType() != tensor.Int64 || s.in < 0 || o.value.Len() <= s.in ||
					o.value.I64()[s.in] != int64(h.Classes) {
					continue
				}
				sizes, err := o.value.Ints()
				if err != nil {
					return fmt.Errorf("train: head: %w", err)
				}
				f.retarget(n, i, sizes, s.in, classes)
			}
		}
	}
	f.index()
	return nil
}

// rejoin changes an extent of the target of the Reshape n, which a Concat computes.
func (f *finder) rejoin(n *onnxpb.NodeProto, k, old, classes int) {
	concat, extents := f.joined(n)
	if k < 0 || k >= len(extents) || extents[k] != old {
		return
	}
	if readers(f.m, concat.GetOutput()[0]) > 1 { // by other Reshapes
		name := n.GetOutput()[0] + "_target"
		for f.taken(name) {
			name += "_"
		}
		c := onnx.NewNode("Concat", name, slices.Clone(concat.Input), []string{name}, concat.Attribute...)
		g := f.m.Proto.GetGraph()
		g.Node = slices.Insert(g.Node, slices.Index(g.Node, concat)+1, c)
		for i, x := range n.Input {
			if x == concat.Output[0] {
				n.Input[i] = name
			}
		}
		f.index()
		concat = c
	}
	f.setInts(concat, k, []int{classes})
}

// keepAxis makes the step s, which drops the axis of the one class, keep it for several classes.
func (f *finder) keepAxis(s *step, classes int) {
	n := s.node
	set := func(op string, attrs ...*onnxpb.AttributeProto) {
		n.OpType, n.Domain, n.Attribute, n.Input = &op, nil, attrs, n.Input[:1]
	}
	if f.is(n, ops.Squeeze) {
		axes, _ := f.axes(n)
		rest := slices.DeleteFunc(slices.Clone(axes), func(a int) bool {
			return a == s.in || s.rank > 0 && a+s.rank == s.in || s.in < 0 &&
				len(axes) == 1
		})
		switch {
		case len(axes) == 0 && s.rank > 2:
			set("Flatten", onnx.AttrInt("axis", 1))
		case len(rest) == 0:
			set("Identity")
		case len(n.GetInput()) > 1:
			f.setInts(n, 1, rest)
		default:
			n.Attribute = []*onnxpb.AttributeProto{onnx.AttrInts("axes", int64s(rest)...)}
		}
		return
	}
	if s.rank == 2 {
		set("Identity")
		return
	}
	f.retarget(n, 1, []int{-1, 1}, 1, classes)
}

func int64s(x []int) []int64 {
	out := make([]int64, len(x))
	for i, v := range x {
		out[i] = int64(v)
	}
	return out
}

// retarget makes input i of n, or the attribute shape of an old Reshape, the vector x with classes at place k.
func (f *finder) retarget(n *onnxpb.NodeProto, i int, x []int, k, classes int) {
	x = slices.Clone(x)
	x[k] = classes
	if i >= len(n.GetInput()) {
		n.Attribute = []*onnxpb.AttributeProto{onnx.AttrInts("shape", int64s(x)...)}
		return
	}
	f.setInts(n, i, x)
}

// setInts makes input i of n, a constant, the vector x, in an initializer of its own.
func (f *finder) setInts(n *onnxpb.NodeProto, i int, x []int) {
	old := f.operand(n, i)
	name := n.GetOutput()[0] + "_shape"
	for f.taken(name) {
		name += "_"
	}
	n.Input[i] = name
	f.addInitializer(name, tensor.From(int64s(x), len(x)))
	if old != nil {
		f.prune(old)
	}
	f.index()
}

// activation makes the output end in what r asks for, and says what was changed.
func (f *finder) activation(h *ClassifierHead, r NewHead) string {
	var last *step
	for _, s := range h.after {
		if s.activation != "" {
			last = s
		}
	}
	want := r.Activation
	if want == "" {
		switch {
		case last == nil:
			return ""
		case h.Classes == 1 && r.Classes > 1 && last.activation == "Sigmoid":
			want = "Softmax"
		case r.Classes == 1 && h.Classes > 1 && last.activation != "Sigmoid":
			want = "Sigmoid"
		default:
			return ""
		}
	}
	if last == nil {
		if want == "none" {
			return ""
		}
		return f.appendActivation(h, want)
	}
	if want == last.activation {
		return ""
	}
	n, axis := last.node, last.in
	set := func(op string, attrs ...*onnxpb.AttributeProto) {
		unread := f.unread()
		n.OpType, n.Domain, n.Attribute, n.Input = &op, nil, attrs, []string{last.from}
		f.dropUnread(unread)
	}
	was := fmt.Sprintf("the final %s (%s)", last.activation, label(n))
	if want == "Softmax" && f.flattens(axis, f.rankOf(last.from, 0)) {
		want = "none"
		set("Identity")
		return was + " was dropped: before operator set 13 a Softmax cannot run over the classes of each position alone; the output is scores"
	}
	switch want {
	case "none":
		set("Identity")
		return was + " was dropped: the output is scores"
	case "Softmax":
		set("Softmax", onnx.AttrInt("axis", int64(axis)))
		return fmt.Sprintf("%s became a Softmax over the %d classes", was, r.Classes)
	}
	set("Sigmoid")
	return was + " became a Sigmoid"
}

// flattens reports whether a Softmax over the axis of a value of the given rank would run over the axes behind it too.
func (f *finder) flattens(axis, rank int) bool {
	if axis < 0 {
		return f.m.Opset("") < 11
	}
	return f.m.Opset("") < 13 && axis != rank-1
}

// appendActivation adds an activation before the output.
func (f *finder) appendActivation(h *ClassifierHead, op string) string {
	g := f.m.Proto.GetGraph()
	end := h.output.GetName()
	if op == "Softmax" && f.flattens(h.Axis, f.rankOf(end, 0)) {
		return "no Softmax was added: before operator set 13 it cannot run over the classes of each position alone; the output is scores"
	}
	name := end + "_scores"
	for f.taken(name) {
		name += "_"
	}
	for _, n := range g.GetNode() {
		for _, list := range [][]string{n.Output, n.Input} {
			for i, x := range list {
				if x == end {
					list[i] = name
				}
			}
		}
	}
	n := onnx.NewNode(op, name+"_"+op, []string{name}, []string{end})
	if op == "Softmax" {
		n.Attribute = append(n.Attribute, onnx.AttrInt("axis", int64(h.Axis)))
	}
	g.Node = append(g.Node, n)
	f.index()
	return fmt.Sprintf("a %s was added behind the last layer", op)
}

// unread lists the nodes of the main graph that nobody reads.
func (f *finder) unread() map[*onnxpb.NodeProto]bool {
	read := map[string]bool{}
	f.m.Walk(func(_ *onnxpb.GraphProto, n *onnxpb.NodeProto) {
		for _, x := range n.GetInput() {
			read[x] = true
		}
	})
	for g := range f.m.Graphs() {
		for _, o := range g.GetOutput() {
			read[o.GetName()] = true
		}
	}
	out := map[*onnxpb.NodeProto]bool{}
	for _, n := range f.m.Proto.GetGraph().GetNode() {
		out[n] = !slices.ContainsFunc(n.GetOutput(), func(o string) bool { return o != "" && read[o] })
	}
	return out
}

// dropUnread takes away nodes that nobody reads any more, such as those of an activation that was written out; those of before stay.
func (f *finder) dropUnread(before map[*onnxpb.NodeProto]bool) {
	g := f.m.Proto.GetGraph()
	for {
		k := len(g.Node)
		now := f.unread()
		g.Node = slices.DeleteFunc(g.Node, func(n *onnxpb.NodeProto) bool { return now[n] && !before[n] })
		if len(g.Node) == k {
			break
		}
	}
	f.index()
}

// declare changes the declared shape of the output, and forgets those of the values before it.
func (f *finder) declare(h *ClassifierHead, classes int) {
	g := f.m.Proto.GetGraph()
	behind := map[string]bool{h.weight.name(): true, h.weight.root: true}
	for _, s := range h.after {
		behind[s.from] = true
		for _, o := range s.node.GetOutput() {
			behind[o] = true
		}
	}
	g.ValueInfo = slices.DeleteFunc(g.ValueInfo, func(v *onnxpb.ValueInfoProto) bool {
		return behind[v.GetName()] || v.GetName() == h.Node || f.makers[v.GetName()] == nil && f.inits[v.GetName()] == nil &&
			!f.input(v.GetName())
	})
	squeezed := false
	for _, s := range h.after {
		squeezed = squeezed || s.drops
		if !squeezed {
			resize(f.outputOf(s.from), s.in, classes, false)
			continue
		}
		for _, o := range s.node.GetOutput() {
			if classes > 1 {
				resize(f.outputOf(o), s.out, classes, true)
			}
		}
	}
	if !h.Squeezed {
		resize(h.output, h.Axis, classes, false)
	}
}

// outputOf is the output of the model called name, nil when there is none.
func (f *finder) outputOf(name string) *onnxpb.ValueInfoProto {
	for _, o := range f.m.Proto.GetGraph().GetOutput() {
		if o.GetName() == name {
			return o
		}
	}
	return nil
}

// resize makes the axis of a declared shape classes long, or puts one of that length in.
func resize(vi *onnxpb.ValueInfoProto, axis, classes int, insert bool) {
	shape := vi.GetType().GetTensorType().GetShape()
	if shape == nil {
		return
	}
	dim := &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(classes)}}
	switch {
	case insert:
		if axis < 0 || axis > len(shape.Dim) {
			axis = len(shape.Dim)
		}
		shape.Dim = slices.Insert(shape.Dim, axis, dim)
	case axis < 0 && len(shape.Dim) > 0:
		shape.Dim[len(shape.Dim)-1] = dim
	case axis >= 0 && axis < len(shape.Dim):
		shape.Dim[axis] = dim
	}
}

func (f *finder) input(name string) bool {
	return slices.ContainsFunc(f.m.Proto.GetGraph().GetInput(), func(v *onnxpb.ValueInfoProto) bool { return v.GetName() == name })
}
