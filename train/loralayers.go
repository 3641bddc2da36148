package train

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// loraForm is how a layer reads its weight, and with that how its adapter is written.
type loraForm int

const (
	loraRight  loraForm = iota // x·W, W [...,K,N]: A [...,K,r], B [...,r,N]
	loraLeft                   // W·x, W [...,N,K]: A [...,r,K], B [...,N,r]
	loraTransB                 // x·Wᵀ, W [N,K]: A [K,r], B [r,N]
	loraConv                   // W [M,C,k...]: A [r,C,k...], B [M,r,1...]
	loraGroups                 // a Conv in groups, W [M,C/g,k...] as a matrix [M,n]: A [r,n], B [M,r]
)

// loraWeight is a weight with the layers that read it, which all read it in one form.
type loraWeight struct {
	key     string // name in the file
	reads   []loraRead
	shape   tensor.Shape // as it is read
	dtype   tensor.DType
	form    loraForm
	group   int
	quant   bool
	integer bool   // the layer multiplies integers
	views   string // how it is read, to compare
	refuse  string // why it gets no adapter, "" when it may
}

// loraRead is a layer and the input that the weight is.
type loraRead struct {
	n     *onnxpb.NodeProto
	input int

	// Of a layer that several nodes make, n is the one that reads the weight.
	x    string            // what comes in, "" for the first input of n
	last *onnxpb.NodeProto // whose output is the layer's, nil for n
}

// end is the node whose output is the layer's.
func (r loraRead) end() *onnxpb.NodeProto {
	if r.last != nil {
		return r.last
	}
	return r.n
}

// matrix is the size of the matrix that the weight is, and how many there are.
func (w *loraWeight) matrix() (rows, cols, count int) {
	s := w.shape
	if w.form == loraConv || w.form == loraGroups {
		return s[0], s[1:].Len(), 1
	}
	k := len(s) - 2
	return s[k], s[k+1], s[:k].Len()
}

// tooSmall is why an adapter of that rank is pointless, "" when it is not.
func (w *loraWeight) tooSmall(rank int) string {
	rows, cols, _ := w.matrix()
	if rank*(rows+cols) < rows*cols {
		return ""
	}
	return fmt.Sprintf("an adapter of rank %d would be no smaller than its %d×%d weight", rank, rows, cols)
}

// adapter is one of that rank beside w, with names that are free.
func (w *loraWeight) adapter(f *finder, rank int) *Adapter {
	x := &Adapter{Weight: w.key, A: w.key + loraA, B: w.key + loraB, Rank: rank, Quantised: w.quant, shape: w.shape, dtype: w.dtype,
		form: w.form, group: w.group, integer: w.integer}
	for f.taken(x.A) || f.taken(x.B) {
		x.A, x.B = x.A+"~", x.B+"~"
	}
	for _, r := range w.reads {
		x.Nodes = append(x.Nodes, nodeName(r.n))
	}
	return x
}

// shapes are those of A and B.
func (x *Adapter) shapes() (a, b tensor.Shape) {
	s, r := x.shape, x.Rank
	k := len(s) - 2
	lead := func(rows, cols int) tensor.Shape { return append(slices.Clone(s[:k]), rows, cols) }
	switch x.form {
	case loraRight:
		return lead(s[k], r), lead(r, s[k+1])
	case loraLeft:
		return lead(r, s[k+1]), lead(s[k], r)
	case loraTransB:
		return lead(s[k+1], r), lead(r, s[k])
	case loraConv:
		a, b = slices.Clone(s), slices.Clone(s)
		a[0], b[1] = r, r
		for i := 2; i < len(b); i++ {
			b[i] = 1
		}
		return a, b
	}
	return tensor.Shape{r, s[1:].Len()}, tensor.Shape{s[0], r}
}

// fanIn is how many numbers each of A's outputs is a sum over.
func (x *Adapter) fanIn() int {
	s := x.shape
	switch x.form {
	case loraRight:
		return s[len(s)-2]
	case loraLeft, loraTransB:
		return s[len(s)-1]
	}
	return s[1:].Len()
}

func nodeName(n *onnxpb.NodeProto) string {
	if n.GetName() == "" && len(n.GetOutput()) > 0 {
		return n.GetOutput()[0]
	}
	return n.GetName()
}

// find is a copy of m's file, without functions and fused layers, and the weights in it that may get an adapter. What does not is noted
// in a.
func (l LoRA) find(m *engine.Model, a *Adapters) (*finder, []*loraWeight, error) {
	f := newFinder(a.base.Clone())
	if v := f.m.Opset(""); v < 7 {
		return nil, nil, fmt.Errorf("train: LoRA: the model is of operator set %d, whose sums and products do not broadcast: convert it to "+
			"a later one first (gtk import MODEL --opset 17 -o NEW)", v)
	}
	if err := f.inlineAll(); err != nil {
		return nil, nil, fmt.Errorf("train: LoRA: %w", err)
	}
	f.unfuseAll()
	learned := map[string]string{} // why it is not, by parameter
	for p := range m.Params() {
		if learned[p.Name] = p.Why; !p.Trainable && p.Why == "" {
			learned[p.Name] = "it is not trained"
		}
	}
	var list []*loraWeight
	byKey := map[string]*loraWeight{}
	uses := f.allUses()
	roots := map[string][]string{} // values that a weight is stored as: one, or one for each call of a function
	for _, n := range f.m.Proto.GetGraph().GetNode() {
		w, root, why := f.integerWeight(n, uses)
		if w == nil && f.role(n) != graph.Linear && !isNBits(n) {
			switch {
			case slices.Contains(integerProducts, n.GetOpType()):
				why = fmt.Sprintf("a %s multiplies integers, and an adapter needs what it is given as real numbers: those stand before a "+
					"layer behind DequantizeLinear, or a MatMulNBits", n.GetOpType())
			case f.hasMatrices(n):
				why = formless(n)
			}
			if why != "" && l.chosen(nodeName(n)) {
				a.known = append(a.known, nodeName(n))
				a.skip(nodeName(n), why)
			}
			continue
		}
		if w == nil {
			w, root, why = f.loraWeight(n, learned)
		}
		if w != nil {
			a.known = append(a.known, w.key, nodeName(n))
		}
		if w == nil {
			if why != "" && l.chosen(nodeName(n)) {
				a.skip(nodeName(n), why)
			}
			continue
		}
		old := byKey[w.key]
		if old == nil {
			byKey[w.key] = w
			list = append(list, w)
			old = w
			if w.quant {
				a.few += w.shape.Len()
			}
		} else {
			old.reads = append(old.reads, w.reads...)
			if old.views != w.views || old.form != w.form || !old.shape.Equal(w.shape) {
				old.refuse = fmt.Sprintf("%s and %s read it in different forms", label(old.reads[0].n), label(w.reads[0].n))
			}
		}
		if why != "" && old.refuse == "" {
			old.refuse = why
		}
		if !slices.Contains(roots[w.key], root) {
			roots[w.key] = append(roots[w.key], root)
		}
	}
	f.m.Walk(func(g *onnxpb.GraphProto, n *onnxpb.NodeProto) {
		if name := nodeName(n); isBody(f.m, g) && l.chosen(name) && f.role(n) == graph.Linear && len(n.GetInput()) > 1 &&
			(f.inits[n.GetInput()[1]] != nil || slices.ContainsFunc(g.GetInitializer(), func(t *onnxpb.TensorProto) bool {
				return t.GetName() == n.GetInput()[1]
			})) {
			a.known = append(a.known, name)
			a.skip(name, "it lies in a body of an If, Loop or Scan")
		}
	})
	whole := in(l.Whole)
	list = slices.DeleteFunc(list, func(w *loraWeight) bool {
		names := []string{w.key}
		for _, r := range w.reads {
			names = append(names, nodeName(r.n))
		}
		if whole(w.key) || !slices.ContainsFunc(names, l.chosen) || slices.ContainsFunc(names, l.excluded) {
			return true
		}
		if w.refuse == "" {
			w.refuse = f.foreign(w, roots[w.key], uses)
		}
		if w.refuse != "" {
			a.skip(w.key, w.refuse, w.reads...)
		}
		return w.refuse != ""
	})
	return f, list, nil
}

// integerProducts are operators with quantised weights whose inputs, or outputs, are integers too.
var integerProducts = []string{"MatMulInteger", "ConvInteger", "QLinearMatMul", "QLinearConv", "QGemm", "MatMulIntegerToFloat",
	"DynamicQuantizeMatMul"}

// formless says that the operator of n has no form for adapters.
func formless(n *onnxpb.NodeProto) string {
	return fmt.Sprintf("adapters are for Gemm, MatMul and Conv, and it is a layer of another kind, %s", n.GetOpType())
}

// hasMatrices reports whether n, no layer of one matrix, keeps matrices of weights inside, as an LSTM or a fused Attention.
func (f *finder) hasMatrices(n *onnxpb.NodeProto) bool {
	spec := f.spec(n)
	if spec == nil || spec.Role != graph.Recurrent && n.GetDomain() != fusedDomain {
		return false
	}
	for i := range n.GetInput() {
		if formal := spec.FormalIn(i); formal == nil || !formal.Weight {
			continue
		}
		if o := f.operand(n, i); o != nil && o.value.Rank() >= 2 && o.value.DType().IsFloat() {
			return true
		}
	}
	return false
}

// chosen reports whether a name is among the targets.
func (l LoRA) chosen(name string) bool {
	return len(l.Target) == 0 || slices.ContainsFunc(l.Target, func(p string) bool { return matchesLayer(p, name) })
}

func (l LoRA) excluded(name string) bool {
	return slices.ContainsFunc(l.Exclude, func(p string) bool { return matchesLayer(p, name) })
}

// loraWeight reads n as a layer with a stored weight; root is the value that is stored. w is nil for a product of computed values; why
// says what is in the way of an adapter.
func (f *finder) loraWeight(n *onnxpb.NodeProto, learned map[string]string) (w *loraWeight, root, why string) {
	if isNBits(n) {
		return f.nbitsWeight(n)
	}
	w = &loraWeight{form: loraRight, group: 1, reads: []loraRead{{n: n, input: 1}}}
	o, q := f.loraOperand(n, 1)
	switch {
	case f.is(n, ops.MatMul):
		if o == nil && q == nil {
			if o, q = f.loraOperand(n, 0); o != nil || q != nil {
				w.form, w.reads[0].input = loraLeft, 0
			}
		}
	case f.is(n, ops.Gemm):
		if intAttr(n, "transB", 0) != 0 {
			w.form = loraTransB
		}
	case f.is(n, ops.Conv):
		w.form = loraConv
		if w.group = int(intAttr(n, "group", 1)); w.group != 1 {
			w.form = loraGroups
		}
	default:
		return nil, "", formless(n)
	}
	switch {
	case q != nil:
		w.key, root, w.shape, w.dtype, w.quant = q.key, q.root, q.shape, q.dtype, true
		w.views = viewsOf(q.chain)
	case o != nil && o.stored != "":
		w.key, root, w.shape, w.dtype = o.stored, o.root, o.value.Shape(), o.value.DType()
		w.views = viewsOf(o.chain)
		if at := learned[o.param]; at != "" && learned[o.stored] != "" {
			why = at
		}
	case f.is(n, ops.MatMul):
		return nil, "", "" // a product of computed values, such as the scores of attention
	default:
		return nil, "", "its weight is computed"
	}
	rank := len(w.shape)
	switch {
	case rank < 2, (w.form == loraConv || w.form == loraGroups) && rank < 3:
		why = fmt.Sprintf("its weight has shape %v", w.shape)
	case w.shape.Len() == 0:
		why = "its weight is empty"
	case !w.dtype.IsFloat():
		why = fmt.Sprintf("it computes in %v", w.dtype)
	}
	return w, root, why
}

// viewsOf names a chain of views, so that two can be compared.
func viewsOf(chain []*onnxpb.NodeProto) string {
	s := ""
	for _, n := range chain {
		if n.GetOpType() != "Identity" {
			s += fmt.Sprintf("%s%v;", n.GetOpType(), n.GetAttribute())
		}
	}
	return s
}

// valueUse is a place where a value is read; n is nil for an output of a graph.
type valueUse struct {
	n     *onnxpb.NodeProto
	input int
	body  bool
}

// allUses lists by value where it is read.
func (f *finder) allUses() map[string][]valueUse {
	uses := map[string][]valueUse{}
	f.m.Walk(func(g *onnxpb.GraphProto, n *onnxpb.NodeProto) {
		for i, x := range n.GetInput() {
			if x != "" {
				uses[x] = append(uses[x], valueUse{n, i, isBody(f.m, g)})
			}
		}
	})
	for g := range f.m.Graphs() {
		for _, o := range g.GetOutput() {
			uses[o.GetName()] = append(uses[o.GetName()], valueUse{nil, 0, isBody(f.m, g)})
		}
	}
	return uses
}

// foreign is why the weight, stored as roots, cannot change: something beside its layers reads it.
func (f *finder) foreign(w *loraWeight, roots []string, uses map[string][]valueUse) string {
	seen := map[string]bool{}
	for todo := slices.Clone(roots); len(todo) > 0; {
		name := todo[0]
		todo = todo[1:]
		if seen[name] {
			continue
		}
		seen[name] = true
		for _, u := range uses[name] {
			switch {
			case u.n == nil:
				return "it is an output of the model too"
			case u.body:
				return fmt.Sprintf("%s, in a body, reads it too", label(u.n))
			case slices.ContainsFunc(w.reads, func(r loraRead) bool { return r.n == u.n && r.input == u.input }):
			case u.input == 0 && (f.role(u.n) == graph.View || f.dequantises(u.n)):
				todo = append(todo, u.n.GetOutput()...)
			default:
				return fmt.Sprintf("%s reads it too: they are tied", label(u.n))
			}
		}
	}
	return ""
}
