package engine

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/registry"
	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
	"google.golang.org/protobuf/proto"
)

// importer turns the protobuf form of a model into a graph.
type importer struct {
	m        *onnx.Model
	set      *graph.Set
	opsets   opsets // of the model or of the function being expanded
	depth    int    // of bodies
	calls    int    // of functions, on the way to the one being expanded
	taken    int    // values that bodies captured
	named    int    // names in read
	left     int    // nodes that may still be added
	bytes    int64  // of names and attributes that may still be copied
	guessed  int    // operators for which it was looked for what was meant
	distinct int64  // bytes of different contents that may still be met
	prefix   string // of names inside the function being expanded: the calls on the way to it
	missing  []Missing

	main     *frame
	known    map[any]*onnx.Weight          // weights of the file by *onnxpb.TensorProto or, of Constant nodes, by *onnxpb.AttributeProto
	values   map[*onnx.Weight]graph.Value  // that were met, in the main graph
	origin   map[graph.Value]origin        // of parameters
	own      map[*graph.Node]bool          // Identity nodes of the main graph of the file
	still    map[graph.Value]string        // parameters that an operator without a kernel reads where no gradient goes, and why
	other    []Untrained                   // tensors of real numbers that are no parameters
	captured map[*graph.Body][]graph.Value // what bodies capture of the graph around them, until their node has it
	stored   map[any]*tensor.Tensor        // contents as the engine has them, by onnx.Model.ContentID
	failed   error                         // of a sparse tensor that was looked up
	halves   map[graph.Value]bool          // of the main graph that are in half precision in the file, and widened here
	narrowed map[graph.Value]graph.Value   // of those, what a Cast of the file narrows to them

	imports map[*onnxpb.FunctionProto]map[string]int // see opsetsOf
	read    map[*onnxpb.NodeProto]map[string]bool    // see reads
	specs   map[operator]found
}

// origin says where the content of a parameter came from.
type origin struct {
	weight *onnx.Weight
	dtype  tensor.DType // in the file
}

func newImporter(m *onnx.Model, set *graph.Set) *importer {
	im := &importer{
		m: m, set: set, opsets: opsets{model: map[string]int{}}, known: map[any]*onnx.Weight{}, values: map[*onnx.Weight]graph.Value{},
		origin: map[graph.Value]origin{}, own: map[*graph.Node]bool{}, still: map[graph.Value]string{}, stored: map[any]*tensor.Tensor{},
		halves: map[graph.Value]bool{}, narrowed: map[graph.Value]graph.Value{},
		imports: map[*onnxpb.FunctionProto]map[string]int{}, read: map[*onnxpb.NodeProto]map[string]bool{}, specs: map[operator]found{},
	}
	for _, w := range m.Weights() {
		if w.Attr != nil {
			im.known[w.Attr] = w
		} else {
			im.known[w.Proto] = w
		}
	}
	return im
}

// graph imports the main graph.
func (im *importer) graph(p *onnxpb.GraphProto) (*graph.Graph, []IO, []IO, error) {
	g := graph.New(p.GetName())
	im.main = &frame{g: g, count: &im.taken}
	s := newScope(im, im.main, nil)
	if err := im.initializers(s, p); err != nil {
		return nil, nil, nil, err
	}
	var inputs, outputs []IO
	for _, vi := range p.GetInput() {
		if s.has(vi.GetName()) {
			continue // an initializer
		}
		io, err := ioOf(vi)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("engine: input %w", err)
		}
		if io.DType == tensor.Undefined {
			return nil, nil, nil, fmt.Errorf("engine: input %q: %w", io.Name, &onnx.UnsupportedError{Feature: "an input without a type"})
		}
		v := g.AddInput(io.Name, io.DType, io.Dims)
		s.names[io.Name] = im.widen(s, v)
		if io.DType == tensor.Float16 {
			im.halves[s.names[io.Name]] = true
		}
		inputs = append(inputs, io)
	}
	if err := im.nodes(s, p.GetNode()); err != nil {
		return nil, nil, nil, err
	}
	for _, vi := range p.GetOutput() {
		v, ok := s.lookup(vi.GetName())
		if im.failed != nil {
			return nil, nil, nil, im.failed
		}
		if !ok {
			if len(im.missing) > 0 {
				continue
			}
			return nil, nil, nil, fmt.Errorf("engine: %w", &onnx.FormatError{Msg: fmt.Sprintf("graph output %q is produced by no node",
				vi.GetName())})
		}
		io, err := ioOf(vi)
		if err != nil || io.DType == tensor.Undefined {
			io = IO{Name: vi.GetName(), DType: g.Info(v).DType}
		}
		if half(io.DType) && !half(g.Info(v).DType) {
			if g.Info(v).Kind == graph.Computed {
				g.Rename(v, io.Name+" (before it is narrowed)") // the name is that of the output
			}
			v = castTo(s.b, io.DType, v)
			g.Rename(v, io.Name)
		}
		g.Outputs = append(g.Outputs, v)
		outputs = append(outputs, io)
	}
	im.roundHalves(g)
	if err := s.b.Err(); err != nil {
		return nil, nil, nil, fmt.Errorf("engine: %w", err)
	}
	return g, inputs, outputs, nil
}

// initializers adds the constant tensors of p; those of real numbers become parameters of the model.
func (im *importer) initializers(s *scope, p *onnxpb.GraphProto) error {
	for _, tp := range p.GetInitializer() {
		t, from, err := im.tensor(tp)
		if err != nil {
			return fmt.Errorf("engine: initializer %q: %w", tp.GetName(), err)
		}
		if s.has(tp.GetName()) {
			return fmt.Errorf("engine: %w", &onnx.FormatError{Msg: fmt.Sprintf("initializer %q is defined twice", tp.GetName())})
		}
		im.constant(s, tp.GetName(), t, from, im.known[tp])
		if im.known[tp] == nil {
			im.leaveOut(tp.GetName(), from, t.Shape(), dependsOnCall)
		}
	}
	for _, sp := range p.GetSparseInitializer() {
		im.sparse(s, sp.GetValues().GetName(), sp, fmt.Sprintf("sparse initializer %q", sp.GetValues().GetName()))
	}
	return nil
}

// tensor is the content of tp as the engine has it, half precision as float32, and the type that it has in the file. It is made once for
// each content, so that what a function holds does not multiply with its calls, nor a file of weights with the names on it.
func (im *importer) tensor(tp *onnxpb.TensorProto) (t *tensor.Tensor, from tensor.DType, err error) {
	from = tensor.DType(tp.GetDataType())
	id := im.m.ContentID(tp)
	if t := im.stored[id]; t != nil {
		return t, from, nil
	}
	if t, err = im.m.Tensor(tp); err == nil {
		if im.distinct -= int64(len(t.Bytes())); im.distinct < 0 {
			return nil, from, &onnx.FormatError{Msg: "the tensors up to here are together far larger than what holds them: ranges of " +
				"external " +
				"data overlap"}
		}
		t, err = wide(t, tp.GetName())
	}
	if err != nil {
		return nil, from, err
	}
	im.stored[id] = t
	return t, from, nil
}

// sparse names a sparse tensor in s. It stays as it is until something reads it.
func (im *importer) sparse(s *scope, name string, sp *onnxpb.SparseTensorProto, where string) {
	from := tensor.DType(sp.GetValues().GetDataType())
	shape := make(tensor.Shape, len(sp.GetDims()))
	for i, d := range sp.GetDims() {
		shape[i] = int(d)
	}
	im.leaveOut(name, from, shape, "it is stored sparsely")
	if s.late == nil {
		s.late = map[string]func() error{}
	}
	s.late[name] = func() error {
		t, err := im.m.SparseTensor(sp)
		if err == nil {
			t, err = wide(t, name)
		}
		if err != nil {
			return fmt.Errorf("engine: %s: %w", where, err)
		}
		im.constant(s, name, t, from, nil)
		return nil
	}
}

// constant names the tensor t in s: a parameter, which lies in the main graph and is captured from there, when it is the weight w of the
// file, else a constant. from is its type in the file.
func (im *importer) constant(s *scope, name string, t *tensor.Tensor, from tensor.DType, w *onnx.Weight) {
	if v, ok := im.values[w]; ok && w != nil { // of a function that is called again
		s.names[name] = s.f.bring(v)
		return
	}
	if w == nil {
		s.names[name] = s.g.AddConst(name, t)
		if s.g == im.main.g && from == tensor.Float16 {
			im.halves[s.names[name]] = true
		}
		return
	}
	if v := im.main.g.Lookup(w.Name); v != 0 { // a value inside a function or body that has the same name
		im.main.g.Rename(v, w.Name+"~")
	}
	v := im.main.g.AddParam(w.Name, t)
	im.values[w], im.origin[v] = v, origin{w, from}
	if from == tensor.Float16 {
		im.halves[v] = true
	}
	s.names[name] = s.f.bring(v)
}

// dependsOnCall is why a tensor inside a function is not trained whose node is another one at each call.
const dependsOnCall = "its node takes attributes from the call of its function"

// leaveOut notes that a tensor, if it is of real numbers, is no parameter.
func (im *importer) leaveOut(name string, d tensor.DType, shape tensor.Shape, why string) {
	switch d {
	case tensor.Float32, tensor.Float64, tensor.Float16, tensor.BFloat16:
		im.other = append(im.other, Untrained{im.prefix + name, d, shape, why})
	}
}

// nodes adds the nodes of a graph or function in an order in which each name is defined before it is used.
func (im *importer) nodes(s *scope, nodes []*onnxpb.NodeProto) error {
	order, err := im.sorted(nodes)
	if err != nil {
		return err
	}
	for _, np := range order {
		if err := im.node(s, np); err != nil {
			return err
		}
		if err := s.b.Err(); err != nil {
			return fmt.Errorf("engine: %w", err)
		}
	}
	return nil
}

// sorted orders nodes so that definitions come first, keeping the file's order where that is one.
func (im *importer) sorted(nodes []*onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
	maker := map[string]int{}
	for i, n := range nodes {
		for _, o := range n.GetOutput() {
			if o == "" {
				continue
			}
			if _, dup := maker[o]; dup {
				return nil, fmt.Errorf("engine: %w", &onnx.FormatError{Msg: fmt.Sprintf("value %q is produced by two nodes", o)})
			}
			maker[o] = i
		}
	}
	pending, readers := make([]int, len(nodes)), make([][]int, len(nodes))
	good := true
	for i, n := range nodes {
		for name := range im.reads(n, 1) {
			m, ok := maker[name]
			if !ok || m == i && !slices.Contains(n.GetInput(), name) {
				continue
			}
			if m >= i {
				good = false
			}
			pending[i]++
			readers[m] = append(readers[m], i)
		}
	}
	if good {
		return nodes, nil
	}
	var ready []int
	for i := range nodes {
		if pending[i] == 0 {
			ready = append(ready, i)
		}
	}
	var out []*onnxpb.NodeProto
	for len(ready) > 0 {
		i := ready[0]
		ready = ready[1:]
		out = append(out, nodes[i])
		for _, r := range readers[i] {
			if pending[r]--; pending[r] == 0 {
				ready = append(ready, r)
			}
		}
	}
	if len(out) != len(nodes) {
		for i, n := range nodes {
			if pending[i] > 0 {
				return nil, fmt.Errorf("engine: %w",
					&onnx.FormatError{Msg: label(n, n.GetOpType()) + " is on a cycle"})
			}
		}
	}
	return out, nil
}

func domainOf(d string) string {
	if d == "ai.onnx" {
		return ""
	}
	return d
}

// operator is an operator as a node names it.
type operator struct {
	domain, name string
	opset        int
}

// found is the operator that a name means, or why there is none.
type found struct {
	spec *graph.Spec
	why  string
}

// spec is the operator in the version that the file imports, or why there is none.
func (im *importer) spec(domain, name string) (*graph.Spec, string) {
	opset, _ := im.opsets.of(domain)
	key := operator{domain, name, opset}
	f, known := im.specs[key]
	if !known {
		f = im.find(key)
		im.specs[key] = f
	}
	return f.spec, f.why
}

// mostGuesses is for how many operators it is looked for what was probably meant: as many as a person would read.
const mostGuesses = 64

func (im *importer) find(o operator) found {
	spec, known := im.set.Find(o.domain, o.name, o.opset)
	switch {
	case spec != nil:
		return found{spec: spec}
	case known:
		return found{why: fmt.Sprintf("operator is not supported in the version of opset %d", o.opset)}
	}
	why := "operator is not supported"
	if advice := domainAdvice(o.domain); advice != "" {
		return found{why: why + "; " + advice}
	}
	if graph.SinceAt(o.domain, o.name, o.opset) > 0 || im.guessed == mostGuesses {
		return found{why: why}
	}
	im.guessed++
	if near := registry.Suggest(o.name, im.set.Names(o.domain)); len(near) > 0 {
		why += fmt.Sprintf(" (did you mean %s?)", near[0])
	}
	return found{why: why}
}

// node adds one node, or what the function of that name is made of.
func (im *importer) node(s *scope, np *onnxpb.NodeProto) error {
	domain, name := domainOf(np.GetDomain()), np.GetOpType()
	where := label(np, name)
	if im.left--; im.left < 0 {
		return fmt.Errorf("engine: %w", &onnx.FormatError{Msg: where + ": functions expand to too many nodes"})
	}
	in := make([]graph.Value, len(np.GetInput()))
	for i, x := range np.GetInput() {
		if x == "" {
			continue
		}
		v, ok := s.lookup(x)
		if im.failed != nil {
			return im.failed
		}
		if !ok {
			if len(im.missing) > 0 {
				why := "" // follows from what was missing before
				if im.m.Function(np) == nil && (domain != "" || name != "Constant") {
					_, why = im.spec(domain, name)
				}
				im.unsupported(np, why)
				return nil
			}
			return fmt.Errorf("engine: %w",
				&onnx.FormatError{Msg: fmt.Sprintf("%s: input %d %q is produced by no node and is no input or initializer", where, i, x)})
		}
		if in[i] = v; max(im.taken, im.named) > maxCaptured {
			return im.malformed(where, fmt.Sprintf("graphs in attributes take more than %d values from the graphs around them",
				maxCaptured))
		}
	}
	if f := im.m.Function(np); f != nil {
		return im.function(s, np, f, in)
	}
	if domain == ops.Private {
		im.unsupported(np, "the domain is private to this program and not for files")
		return nil
	}
	opset, ok := im.opsets.of(domain)
	if !ok {
		return fmt.Errorf("engine: %w", &onnx.FormatError{Msg: fmt.Sprintf("%s: the model imports no operator set of domain %q", where,
			np.GetDomain())})
	}
	var err error
	spec, why := im.spec(domain, name)
	if spec != nil {
		in = in[:len(present(np.GetInput(), spec.In))]
	}
	var formals []tensor.DType // of bodies
	if spec != nil && spec.FormalTypes != nil {
		var types []tensor.DType
		for _, v := range in {
			types = append(types, s.b.DType(v))
		}
		formals = spec.FormalTypes(types)
	}
	isConstant := domain == "" && name == "Constant"
	switch {
	case isConstant:
		err = constantArity(np)
	case spec != nil:
		err = arityOf(spec, np)
	}
	if err != nil {
		return im.malformed(where, err.Error())
	}
	if isConstant {
		if err := im.constantNode(s, np, where); err != nil {
			return fmt.Errorf("engine: %s: %w", where, err)
		}
		return nil
	}
	attrs, bodies, err := im.attributes(s, np, formals)
	if err != nil {
		return fmt.Errorf("engine: %s: %w", where, err)
	}
	if spec == nil {
		im.unsupported(np, why)
		return nil
	}
	a, err := spec.DecodeAttrs(attrs)
	if err != nil {
		return im.malformed(where, err.Error())
	}
	if r, ok := a.(graph.Resolver); ok {
		if err := r.Resolve(s.lookup); err != nil && len(im.missing) > 0 {
			im.unsupported(np, "") // follows from what was missing before
			return nil
		} else if err != nil {
			return im.malformed(where, err.Error())
		}
	}
	want := present(np.GetOutput(), spec.Out)
	n := s.b.AddNode(im.prefix+labelOf(np), spec, a, in, want, bodies...)
	if n == nil {
		err := s.b.Err()
		s.b = graph.NewBuilder(s.g)
		im.unsupported(np, err.Error())
		return nil
	}
	n.Opset = opset
	if n.Op == ops.Identity && s.f == im.main && im.depth == 0 {
		im.own[n] = true
	}
	for _, b := range bodies {
		n.In = append(n.In, im.captured[b]...)
	}
	if s.g == im.main.g {
		im.isHalf(n, a)
	}
	if !n.Op.HasRun() {
		if err := im.lower(s, n); err != nil {
			return err
		}
	}
	for i, o := range np.GetOutput() {
		if o == "" {
			continue
		}
		if err := im.spend(len(im.prefix) + len(o)); err != nil {
			return err
		}
		v := im.widen(s, n.Out[i])
		if v != n.Out[i] && s.g == im.main.g && s.g.Info(n.Out[i]).DType == tensor.Float16 {
			im.halves[v] = true
			if n.Op == ops.Cast && s.g.Info(n.In[0]).DType == tensor.Float32 && !im.halves[n.In[0]] {
				im.narrowed[v] = n.In[0]
			}
		}
		s.g.Rename(v, im.prefix+o)
		s.names[o] = v
	}
	return nil
}

// labelOf is the name of np, or of its first output where it has none.
func labelOf(np *onnxpb.NodeProto) string {
	if np.GetName() == "" && len(np.GetOutput()) > 0 {
		return np.GetOutput()[0]
	}
	return np.GetName()
}

// unsupported records that np cannot be had, and gives its outputs no value.
func (im *importer) unsupported(np *onnxpb.NodeProto, why string) {
	opset, _ := im.opsets.of(domainOf(np.GetDomain()))
	im.missing = append(im.missing, Missing{
		Node: np.GetName(), Op: np.GetOpType(), Domain: np.GetDomain(), Opset: opset, Why: why,
	})
}

// attributes converts the attributes of np, and its subgraphs to bodies whose formal inputs have those types.
func (im *importer) attributes(s *scope, np *onnxpb.NodeProto, formals []tensor.DType) (graph.Attrs, []*graph.Body, error) {
	attrs := graph.Attrs{}
	var bodies []*graph.Body
	for _, a := range np.GetAttribute() {
		if err := im.spend(listBytes(a)); err != nil {
			return nil, nil, err
		}
		var v any
		switch kind := onnx.AttrType(a); kind {
		case onnxpb.AttributeProto_INT:
			v = a.GetI()
		case onnxpb.AttributeProto_FLOAT:
			v = a.GetF()
		case onnxpb.AttributeProto_STRING:
			v = string(a.GetS())
		case onnxpb.AttributeProto_INTS:
			v = append([]int64{}, a.GetInts()...)
		case onnxpb.AttributeProto_FLOATS:
			v = append([]float32{}, a.GetFloats()...)
		case onnxpb.AttributeProto_STRINGS:
			ss := make([]string, len(a.GetStrings()))
			for i, x := range a.GetStrings() {
				ss[i] = string(x)
			}
			v = ss
		case onnxpb.AttributeProto_TENSOR:
			if err := im.spend(proto.Size(a.GetT())); err != nil {
				return nil, nil, err
			}
			t, err := im.m.Tensor(a.GetT())
			if err != nil {
				return nil, nil, fmt.Errorf("attribute %s: %w", a.GetName(), err)
			}
			v = t
		case onnxpb.AttributeProto_TYPE_PROTO:
			d, err := onnx.DTypeOf(a.GetTp())
			if err != nil {
				return nil, nil, fmt.Errorf("attribute %s: %w", a.GetName(), err)
			}
			v = wideOf(d)
		case onnxpb.AttributeProto_GRAPH:
			b, err := im.body(s, a.GetName(), a.GetG(), formals)
			if err != nil {
				return nil, nil, fmt.Errorf("attribute %s: %w", a.GetName(), err)
			}
			bodies = append(bodies, b)
			continue
		default:
			return nil, nil, &onnx.UnsupportedError{Feature: fmt.Sprintf("attribute %s of type %v", a.GetName(), kind)}
		}
		attrs[a.GetName()] = v
	}
	return attrs, bodies, nil
}

// label is how messages name a node of the file.
func label(n *onnxpb.NodeProto, op string) string {
	return fmt.Sprintf("node %s (%s)", shown.Quote(n.GetName()), shown.Name(op))
}
