package train

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// ClassifierHead is the last layer before an output: a Gemm, a MatMul, a Conv or a ConvTranspose with its bias, and a BatchNormalization
// or a scale behind it. Its outputs are classes of an example, [N,K], or of each position, [N,K,H,W], [N,T,K], or one number.
type ClassifierHead struct {
	Node       string   // name of the node, or of its output
	Op         string   // Gemm, MatMul, Conv or ConvTranspose
	Classes    int      // extent of its output: K
	Axis       int      // of the classes in the model's output; -1 for the last where the rank is not known
	Squeezed   bool     // the one class has no axis in the model's output, [N] for [N,1]
	Activation string   // behind it: "Softmax", "LogSoftmax", "Sigmoid", or ""
	Params     []string // parameters that belong to it, as the engine has them: weight, then bias, then those of what follows
	Note       string   // of ReplaceHead: what else was changed, "" for nothing

	reader *onnxpb.NodeProto // the layer, also where its weight is none that could be replaced
	weight *operand
	axis   int // of the classes in the weight as it is read
	bias   *operand
	norm   []*operand // scale, bias, mean and variance of a BatchNormalization behind the layer
	scales []*operand // of Add, Sub, Mul and Div behind the layer, K numbers each
	after  []*step    // from the layer to the output
	output *onnxpb.ValueInfoProto
}

// step is a node, or a written-out activation, between the layer and the output.
type step struct {
	node       *onnxpb.NodeProto
	from       string // the value that it is of: input 0 of node, but for an activation that is written out
	activation string // "Softmax", "LogSoftmax" or "Sigmoid"
	in, out    int    // axis of the classes before and after, -1 for the last where the rank is not known
	rank       int    // of what comes in, 0 where it is not known
	drops      bool   // it takes the axis of the one class away
}

// FindHead finds the last layer before the named output, or before the first one when output is "". It looks through views, activations,
// pools, means over positions, shifts and scales, and into functions.
func FindHead(m *onnx.Model, output string) (*ClassifierHead, error) {
	if len(m.Proto.GetFunctions()) == 0 {
		if hasFused(m) {
			m = m.Clone() // what lies on the way is taken apart
		}
		return newFinder(m).head(output)
	}
	f := newFinder(m.Clone())
	if f.inlineAll() != nil { // those on the way may do all the same
		f = newFinder(m.Clone())
	}
	return f.head(output)
}

func (f *finder) head(output string) (*ClassifierHead, error) {
	h := &ClassifierHead{}
	for _, o := range f.m.Proto.GetGraph().GetOutput() {
		if output == "" || o.GetName() == output {
			h.output = o
			break
		}
	}
	if h.output == nil {
		return nil, fmt.Errorf("train: head: the model has no output %q", output)
	}
	end := h.output.GetName()
	name := end
	met := map[*onnxpb.NodeProto]bool{}
	for {
		n := f.makers[name]
		switch {
		case n == nil:
			return nil, fmt.Errorf("train: head: walking back from output %q ends at %q, with no layer that could be replaced", end, name)
		case f.m.Function(n) != nil:
			if err := f.m.Inline(n); err != nil {
				return nil, fmt.Errorf("train: head: %w", err)
			}
			f.index()
			continue
		case met[n] || len(met) > maxInlined:
			return nil, fmt.Errorf("train: head: walking back from output %q comes to %s again: the model has a cycle", end, label(n))
		}
		met[n] = true
		if f.unfuse(n) {
			continue
		}
		if f.role(n) == graph.Linear {
			slices.Reverse(h.after)
			return h, f.layer(h, n)
		}
		s, ok := f.step(h, n)
		if !ok {
			return nil, fmt.Errorf("train: head: %s before output %q is not a layer that could be replaced (Gemm, MatMul or Conv), nor "+
				"may it follow one",
				label(n), end)
		}
		h.after = append(h.after, s)
		name = s.from
	}
}

// maxInlined bounds the nodes of a graph that functions were put into.
const maxInlined = 1 << 17

// step reads n as one that may follow the last layer.
func (f *finder) step(h *ClassifierHead, n *onnxpb.NodeProto) (*step, bool) {
	if len(n.GetInput()) == 0 {
		return nil, false
	}
	s := &step{node: n, from: n.GetInput()[0]}
	if act, z, _ := ops.Written(f, n.GetOutput()[0]); act != "" {
		s.from, s.activation = z, act
		return s, true
	}
	switch f.role(n) {
	case graph.Probability:
		s.activation = n.GetOpType()
	case graph.View, graph.Activation, graph.Pool:
	case graph.Reduction:
		if !f.is(n, ops.ReduceMean) && !f.is(n, ops.ReduceMax) && !f.is(n, ops.ReduceSum) {
			return nil, false
		}
	case graph.Normalisation:
		if !f.is(n, ops.BatchNormalization) || h.norm != nil || len(n.GetInput()) < 5 {
			return nil, false
		}
		for i := 1; i <= 4; i++ {
			o := f.operand(n, i)
			if o == nil {
				return nil, false
			}
			h.norm = append(h.norm, o)
		}
	case graph.Arithmetic:
		if len(n.GetInput()) != 2 {
			return nil, false
		}
		for i := range 2 {
			if o := f.operand(n, i); o != nil {
				if i == 0 && f.is(n, ops.Div) {
					return nil, false // a quotient by the outputs
				}
				h.scales = append([]*operand{o}, h.scales...)
				s.from = n.GetInput()[1-i]
				return s, true
			}
		}
		return nil, false
	default:
		return nil, false
	}
	return s, true
}

func label(n *onnxpb.NodeProto) string {
	name := n.GetName()
	if name == "" && len(n.GetOutput()) > 0 {
		name = n.GetOutput()[0]
	}
	return fmt.Sprintf("node %q (%s)", name, n.GetOpType())
}

// layer fills h from the node of the last layer.
func (f *finder) layer(h *ClassifierHead, n *onnxpb.NodeProto) error {
	h.reader = n
	w := f.operand(n, 1)
	if w == nil {
		return fmt.Errorf("train: head: %s has no weight that is stored: input 1 is computed, or quantised", label(n))
	}
	h.Node, h.Op, h.weight = n.GetName(), n.GetOpType(), w
	if h.Node == "" {
		h.Node = n.GetOutput()[0]
	}
	switch conv := f.is(n, ops.Conv) || f.is(n, ops.ConvTranspose); {
	case conv && (w.value.Rank() < 3 || intAttr(n, "group", 1) != 1):
		return fmt.Errorf("train: head: %s is not a convolution over all channels", label(n))
	case !conv && w.value.Rank() != 2:
		return fmt.Errorf("train: head: the weight of %s has shape %v, want a matrix", label(n), w.value.Shape())
	}
	h.axis = f.outAxis(n, w.value.Rank())
	if !w.value.DType().IsFloat() {
		return fmt.Errorf("train: head: the weight of %s is stored as %v, and only real numbers can be trained", label(n), w.value.DType())
	}
	h.Classes = w.value.Dim(h.axis)
	if !f.is(n, ops.MatMul) && len(n.GetInput()) > 2 && n.GetInput()[2] != "" {
		if h.bias = f.operand(n, 2); h.bias == nil {
			return fmt.Errorf("train: head: the bias %q of %s is computed", n.GetInput()[2], label(n))
		}
		if h.bias.value.Len() != h.Classes {
			if h.bias.value.Len() != 1 {
				return fmt.Errorf("train: head: the bias of %s has shape %v for %d classes", label(n), h.bias.value.Shape(), h.Classes)
			}
			h.bias = nil // one number for all
		}
	}
	if err := f.follow(h, n); err != nil {
		return err
	}
	return f.parameters(h, n)
}

// outAxis is the axis of the weight, of the given rank, along which the outputs of the layer n are counted.
func (f *finder) outAxis(n *onnxpb.NodeProto, rank int) int {
	switch {
	case f.is(n, ops.Conv), f.is(n, ops.Gemm) && intAttr(n, "transB", 0) != 0:
		return 0
	case f.is(n, ops.ConvTranspose):
		return 1
	}
	return rank - 1
}

// parameters sorts out what is added and multiplied behind the layer n, and lists what belongs to the head.
func (f *finder) parameters(h *ClassifierHead, n *onnxpb.NodeProto) error {
	var scales []*operand
	for _, o := range h.scales {
		switch {
		case o.value.Len() == h.Classes && o.param != "" && h.bias == nil && f.is(o.reader, ops.Add) && o.reader == h.after[0].node &&
			o.value.Rank() > 0:
			h.bias = o
		case o.value.Len() == 1:
		case o.value.Len() == h.Classes:
			scales = append(scales, o)
		default:
			return fmt.Errorf("train: head: %s behind %s has a constant of shape %v for %d classes", label(o.reader), label(n),
				o.value.Shape(),
				h.Classes)
		}
	}
	h.scales = scales
	add := func(o *operand) {
		if o != nil && o.param != "" && o.value.DType().IsFloat() {
			h.Params = append(h.Params, o.param)
		}
	}
	add(h.weight)
	add(h.bias)
	for i, o := range h.norm {
		if o.value.Len() != h.Classes {
			return fmt.Errorf("train: head: the BatchNormalization behind %s has %v parameters for %d classes", label(n), o.value.Shape(),
				h.Classes)
		}
		if i < 2 {
			add(o)
		}
	}
	for _, o := range h.scales {
		add(o)
	}
	for _, s := range h.after {
		if s.activation != "" {
			h.Activation = s.activation
		}
	}
	return nil
}

// rankOf is how many axes a value has, as far as declarations and the nodes before it tell; 0 when they do not.
func (f *finder) rankOf(name string, depth int) int {
	if r, ok := f.ranks[name]; ok || depth > 1000 {
		return r
	}
	f.ranks[name] = 0 // on a cycle
	r := f.findRank(name, depth)
	f.ranks[name] = r
	return r
}

func (f *finder) findRank(name string, depth int) int {
	n := f.makers[name]
	if n == nil {
		for _, vi := range f.m.Proto.GetGraph().GetInput() {
			if vi.GetName() == name && vi.GetType().GetTensorType().GetShape() != nil {
				return len(vi.GetType().GetTensorType().GetShape().GetDim())
			}
		}
		return 0
	}
	if len(n.GetInput()) == 0 {
		return 0
	}
	before := func(i int) int {
		if o := f.operand(n, i); o != nil {
			return o.value.Rank()
		}
		return f.rankOf(n.GetInput()[i], depth+1)
	}
	switch r := f.role(n); {
	case f.is(n, ops.Gemm), f.is(n, ops.Flatten):
		return 2
	case f.is(n, ops.Conv), f.is(n, ops.ConvTranspose):
		if o := f.operand(n, 1); o != nil {
			return o.value.Rank()
		}
		return before(0)
	case f.is(n, ops.Reshape):
		if t, ok := f.target(n); ok {
			return len(t)
		}
		_, t := f.joined(n)
		return len(t)
	case f.is(n, ops.Gather) && len(n.GetInput()) == 2:
		if a, b := before(0), before(1); a > 0 && (b > 0 || f.operand(n, 1) != nil) {
			return a - 1 + b
		}
		return 0
	case f.is(n, ops.Squeeze), f.is(n, ops.Unsqueeze):
		axes, ok := f.axes(n)
		k := before(0)
		switch {
		case !ok || k == 0 || len(axes) == 0:
			return 0
		case f.is(n, ops.Squeeze):
			return max(0, k-len(axes))
		}
		return k + len(axes)
	case r == graph.Reduction:
		axes, ok := f.axes(n)
		k := before(0)
		switch {
		case !ok || k == 0:
			return 0
		case intAttr(n, "keepdims", 1) != 0:
			return k
		case len(axes) == 0:
			return 0
		}
		return max(0, k-len(axes))
	case r == graph.Arithmetic && len(n.GetInput()) == 2:
		a, b := before(0), before(1)
		if a == 0 || b == 0 {
			return 0
		}
		return max(a, b)
	case r == graph.View, r == graph.Activation, r == graph.Probability, r == graph.Pool, r == graph.Normalisation, r == graph.Linear:
		return before(0)
	}
	return 0
}

// follow finds the axis of the classes at each step from the layer n to the output, and fails where they are cut apart.
func (f *finder) follow(h *ClassifierHead, n *onnxpb.NodeProto) error {
	rank, axis := f.rankOf(n.GetOutput()[0], 0), 1
	if f.is(n, ops.MatMul) {
		axis = -1
		if rank > 0 {
			axis = rank - 1
		}
	}
	for _, s := range h.after {
		s.in, s.out, s.rank = axis, axis, rank
		if s.node.GetInput()[0] == s.from || s.activation == "" {
			if err := f.through(h, s); err != nil {
				return err
			}
		}
		axis = s.out
		h.Squeezed = h.Squeezed || s.drops
		rank = f.rankOf(s.node.GetOutput()[0], 0)
		if rank > 0 && axis < 0 && !h.Squeezed {
			axis = rank - 1
		}
	}
	if dims := h.output.GetType().GetTensorType().GetShape().GetDim(); axis < 0 && !h.Squeezed && len(dims) > 0 {
		axis = len(dims) - 1
	}
	h.Axis = axis
	return nil
}

// through sets what the step s makes of the axis of the classes.
func (f *finder) through(h *ClassifierHead, s *step) error {
	n, k := s.node, h.Classes
	cut := func(how string) error {
		return fmt.Errorf("train: head: %s behind %q %s the %d outputs of that layer: it is no head that gives one number for each class",
			label(n), h.Node, how, k)
	}
	if h.Squeezed { // there is no axis to follow
		if r := f.role(n); f.is(n, ops.Reshape) || f.is(n, ops.Transpose) || r == graph.Reduction {
			return cut("rearranges what was squeezed out of")
		}
		return nil
	}
	switch {
	case f.is(n, ops.Transpose):
		perm := permOf(n, s.rank)
		if s.in < 0 {
			s.in = len(perm) - 1
		}
		if s.out = slices.Index(perm, s.in); s.out < 0 {
			return cut("rearranges")
		}
	case f.is(n, ops.Flatten):
		at := int(intAttr(n, "axis", 1))
		if at < 0 && s.rank > 0 {
			at += s.rank
		}
		if s.in >= 0 && s.in < at {
			return cut("merges the batch with")
		}
		s.out = 1
	case f.is(n, ops.Squeeze), f.is(n, ops.Unsqueeze):
		return f.throughAxes(s, k, cut)
	case f.is(n, ops.Reshape):
		return f.throughReshape(s, k, cut)
	case f.role(n) == graph.Reduction:
		axes, ok := f.axes(n)
		if !ok {
			return cut("reduces, over computed axes,")
		}
		if len(axes) == 0 && intAttr(n, "noop_with_empty_axes", 0) == 0 {
			return cut("reduces")
		}
		shift := 0
		for _, a := range axes {
			if a < 0 && (s.rank > 0 || s.in < 0) {
				a += max(s.rank, 0)
			}
			if a == s.in {
				return cut("reduces")
			}
			if a < s.in && a >= 0 {
				shift++
			}
		}
		if intAttr(n, "keepdims", 1) == 0 && s.in >= 0 {
			s.out = s.in - shift
		}
	}
	return nil
}

// throughAxes follows a Squeeze or Unsqueeze.
func (f *finder) throughAxes(s *step, k int, cut func(string) error) error {
	axes, ok := f.axes(s.node)
	if !ok {
		return cut("rearranges, by computed axes,")
	}
	squeeze := f.is(s.node, ops.Squeeze)
	if squeeze && len(axes) == 0 { // whatever is one: positions, and one class
		if k == 1 {
			s.drops = true
		}
		if s.in > 1 {
			s.out = -1
		}
		return nil
	}
	rank := s.rank
	if !squeeze && rank > 0 {
		rank += len(axes)
	}
	shift := 0
	for _, a := range axes {
		if a < 0 {
			if rank == 0 {
				if squeeze && a == s.in {
					s.drops = true
				}
				continue
			}
			a += rank
		}
		switch {
		case squeeze && (a == s.in || s.in < 0 && rank == 0 && k == 1):
			s.drops = true
		case s.in >= 0 && squeeze && a < s.in:
			shift--
		case s.in >= 0 && !squeeze && a <= s.in+shift:
			shift++
		}
	}
	if s.drops && k != 1 {
		return cut("squeezes")
	}
	if s.in >= 0 {
		s.out = s.in + shift
	} else if !squeeze && slices.Contains(axes, -1) {
		return cut("adds an axis behind")
	}
	return nil
}

// throughReshape follows a Reshape: the classes must keep an axis of their own, or be followed by axes of one position only.
func (f *finder) throughReshape(s *step, k int, cut func(string) error) error {
	target, ok := f.target(s.node)
	if !ok {
		if _, target = f.joined(s.node); target == nil { // computed in another way
			if s.out = s.in; s.rank > 0 && s.in == s.rank-1 {
				s.out = -1
			}
			return nil
		}
	}
	at := s.in
	if at < 0 {
		at = len(target) - 1
	}
	switch {
	case at < len(target) && target[at] == k:
		s.out = at
	case at < len(target) && target[at] == free && !slices.Contains(target, k):
		s.out = at
	case k > 1 && slices.Contains(target, k):
		s.out = slices.Index(target, k)
	case k == 1 && len(target) == 1, k == 1 && s.rank > len(target) && !slices.Contains(target, 1):
		s.drops = true
	case k == 1 && slices.Contains(target, 1):
		s.out = slices.Index(target, 1)
		if i := s.out; i == 0 && slices.Contains(target[1:], 1) {
			s.out = 1 + slices.Index(target[1:], 1)
		}
	case at < len(target) && (target[at] == -1 || target[at] == 0 && s.in >= 0):
		// [N,K,1,1] to [N,-1]: whatever else is in the axis must be one.
		others := slices.Delete(slices.Clone(target), at, at+1)
		if at != len(target)-1 && slices.ContainsFunc(others, func(d int) bool { return d > 1 }) {
			return cut("cuts apart")
		}
		s.out = at
	default:
		return cut("cuts apart")
	}
	return nil
}
