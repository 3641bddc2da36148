package tokens

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/convert"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
	"google.golang.org/protobuf/proto"
)

// leastOpset is the operator set from which on the operators that are put in are written here in one way; newOpset is what older files
// are brought to.
const leastOpset, newOpset = 13, 17

// plainFile is a copy of m in which whole attention, in ONNX's operator or ONNX Runtime's, is written out as products and softmaxes, and
// functions as their nodes, for operator set 13 or later. The notes say what became of it. Nodes that are none of these stay as they are.
func plainFile(m *onnx.Model, threads int) (*onnx.Model, []string, error) {
	file := m.Clone()
	notes, err := fixExtents(file, threads)
	if err != nil {
		return nil, nil, err
	}
	if v := file.Opset(""); v < leastOpset {
		types, _ := engine.Types(file, engine.WithThreads(threads))
		c, _, err := convert.To(file, newOpset, convert.Options{Types: types})
		if err != nil {
			return nil, nil, &RefusedError{Why: fmt.Sprintf("operator set %d: %v", v, err)}
		}
		file = c
		notes = append(notes, fmt.Sprintf("operator set %d becomes %d, which the new nodes need", v, newOpset))
	}
	if len(file.Proto.GetFunctions()) > 0 {
		if err := file.InlineAll(convert.MaxNodes); err != nil {
			return nil, nil, err
		}
		file.Proto.Functions = nil
	}
	g := file.Proto.GetGraph()
	if !slices.ContainsFunc(g.GetNode(), whole) {
		return file, notes, nil
	}
	types, err := engine.Types(file, engine.WithThreads(threads)) // and shapes
	if err != nil {
		return nil, nil, &RefusedError{Why: fmt.Sprintf("the shapes of the values are not known: %v", err)}
	}
	for _, io := range slices.Concat(g.GetInput(), g.GetValueInfo()) {
		if types[io.GetName()] == nil {
			types[io.GetName()] = io.GetType()
		}
	}
	if err := guessed(file, types, threads); err != nil {
		return nil, nil, err
	}
	out := make([]*onnxpb.NodeProto, 0, len(g.GetNode()))
	written, made := map[string]int{}, map[*onnxpb.NodeProto]bool{}
	for _, n := range g.GetNode() {
		if !whole(n) {
			out = append(out, n)
			continue
		}
		if n.GetOpType() == "Einsum" {
			if nodes := einsum(n); nodes != nil {
				out = append(out, nodes...)
				written["Einsum"]++
			} else {
				out = append(out, n)
			}
			continue
		}
		nodes, inits, err := writtenOut(file, n, types)
		if err != nil {
			return nil, nil, &RefusedError{Node: label(n), Why: fmt.Sprintf("it cannot be written out: %v", err)}
		}
		for _, m := range nodes {
			made[m] = true
		}
		out = append(out, nodes...)
		g.Initializer = append(g.Initializer, inits...)
		written[n.GetOpType()]++
	}
	g.Node = out
	for _, op := range slices.Sorted(maps.Keys(written)) {
		notes = append(notes, fmt.Sprintf("%d of %s are written out as simpler operators", written[op], op))
	}
	return file, notes, tidy(file, made, threads)
}

// fixExtents fixes the axes of inputs that are free beside the batch, such as height and width of pictures, at the sizes that the rest of
// the model asks for: their number of tokens must be known.
func fixExtents(file *onnx.Model, threads int) ([]string, error) {
	m, err := engine.Load(file, engine.WithThreads(threads))
	if err != nil {
		return nil, err
	}
	defer m.Close()
	var notes []string
	sizes := m.Sizes(1)
	batch := ""
	for k, in := range m.Inputs() {
		for _, v := range file.Inputs() {
			if v.GetName() != in.Name {
				continue
			}
			for i, d := range v.GetType().GetTensorType().GetShape().GetDim() {
				if i >= len(in.Dims) || in.Dims[i].Size >= 0 || i == 0 {
					if i == 0 && k == 0 && len(in.Dims) > 0 {
						batch = in.Dims[0].Symbol
					}
					continue
				}
				if batch != "" && in.Dims[i].Symbol == batch {
					continue
				}
				d.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(sizes[k][i])}
				notes = append(notes, fmt.Sprintf("axis %d of input %s is free, and becomes %d: the number of tokens must be known", i,
					shown.Name(in.Name), sizes[k][i]))
			}
		}
	}
	return notes, nil
}

// tidy takes out, of nodes that were written for others, what does nothing: reshapes to the shape that is there already, and numbers that
// are computed from extents that never change.
func tidy(file *onnx.Model, made map[*onnxpb.NodeProto]bool, threads int) error {
	v, err := newView(file, threads)
	if err != nil {
		return &RefusedError{Why: err.Error()}
	}
	defer v.close()
	g := file.Proto.GetGraph()
	renamed := map[string]string{}
	var kept []*onnxpb.NodeProto
	for _, n := range g.GetNode() {
		for i, in := range n.GetInput() {
			if to, ok := renamed[in]; ok {
				n.Input[i] = to
			}
		}
		if !made[n] {
			kept = append(kept, n)
			continue
		}
		o := n.GetOutput()[0]
		if n.GetOpType() == "Reshape" && v.shapes[o] != nil && v.shapes[o].Equal(v.shapes[at(n, 0)]) {
			if d, err := v.model.DType(o); err == nil && !slices.ContainsFunc(g.GetOutput(), func(p *onnxpb.ValueInfoProto) bool {
				return p.GetName() == o
			}) && d.IsFloat() {
				renamed[o] = at(n, 0)
				continue
			}
		}
		if t := v.number(n); t != nil {
			g.Initializer = append(g.Initializer, onnx.TensorToProto(o, t))
			continue
		}
		kept = append(kept, n)
	}
	g.Node = kept
	dropDead(file, made)
	return nil
}

// number is the real number that n computes from extents that do not change, nil where it does not.
func (v *view) number(n *onnxpb.NodeProto) *tensor.Tensor {
	o := n.GetOutput()[0]
	d, err := v.model.DType(o)
	if s := v.shapes[o]; err != nil || !d.IsFloat() || s == nil || len(s) > 1 || len(s) == 1 && s[0] != 1 {
		return nil
	}
	t, same, err := v.look(o)
	if err != nil || !same {
		return nil
	}
	if v.free {
		s, err := v.model.Session(engine.Query{Fetch: []string{o}})
		if err != nil {
			return nil
		}
		r, err := s.Run(context.Background(), wanted(s, v.random(3, 1)))
		if err != nil || !tensor.Equal(r.Value(o), t) {
			return nil
		}
	}
	return t
}

// dropDead takes out nodes of among whose outputs nothing reads.
func dropDead(file *onnx.Model, among map[*onnxpb.NodeProto]bool) {
	g := file.Proto.GetGraph()
	used := map[string]bool{}
	for _, o := range g.GetOutput() {
		used[o.GetName()] = true
	}
	keep := make([]bool, len(g.GetNode()))
	for i, n := range slices.Backward(g.GetNode()) {
		live := !among[n]
		for _, o := range n.GetOutput() {
			live = live || o != "" && used[o]
		}
		if !live {
			continue
		}
		keep[i] = true
		for _, in := range slices.Concat(n.GetInput(), captured(n)) {
			used[in] = true
		}
	}
	var nodes []*onnxpb.NodeProto
	for i, n := range g.GetNode() {
		if keep[i] {
			nodes = append(nodes, n)
		}
	}
	g.Node = nodes
}

// whole reports whether n is an operator whose inside has to be seen: all of ONNX Runtime's but those that work element by element, and
// attention.
func whole(n *onnxpb.NodeProto) bool {
	switch n.GetDomain() {
	case "", "ai.onnx":
		return slices.Contains([]string{"Attention", "Einsum"}, n.GetOpType())
	case "com.microsoft":
		return !elementwise[n.GetOpType()] && rules[n.GetOpType()] == nil
	}
	return false
}

// guessed adds to types what no signature says, as of values behind operators of ONNX Runtime: they are real numbers of the kind of the
// weights.
func guessed(file *onnx.Model, types map[string]*onnxpb.TypeProto, threads int) error {
	m, err := engine.Load(file, engine.WithThreads(threads))
	if err != nil {
		return err
	}
	defer m.Close()
	kind := tensor.Float32
	for _, t := range file.Proto.GetGraph().GetInitializer() {
		if d := tensor.DType(t.GetDataType()); d == tensor.Float16 || d == tensor.BFloat16 {
			kind = d
			break
		}
	}
	var names []string
	for _, n := range file.Proto.GetGraph().GetNode() {
		for _, o := range n.GetOutput() {
			if o != "" && types[o] == nil && m.Graph().Lookup(o) != 0 {
				names = append(names, o)
			}
		}
	}
	dims, err := m.Symbolic(names...)
	if err != nil {
		return err
	}
	for i, name := range names {
		d, err := m.DType(name)
		if err != nil || d.IsContainer() {
			continue
		}
		if d == tensor.Float32 {
			d = kind
		}
		if types[name] = onnx.TypeOf(d); dims[i] == nil {
			continue
		}
		s := &onnxpb.TensorShapeProto{}
		for _, x := range dims[i] {
			p := &onnxpb.TensorShapeProto_Dimension{}
			if x.Size >= 0 {
				p.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(x.Size)}
			} else if x.Symbol != "" {
				p.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: x.Symbol}
			}
			s.Dim = append(s.Dim, p)
		}
		types[name].GetTensorType().Shape = s
	}
	return nil
}

// writtenOut is what n stands for: a model of this node alone is read, which writes it out, and written again.
func writtenOut(file *onnx.Model, n *onnxpb.NodeProto, types map[string]*onnxpb.TypeProto) (nodes []*onnxpb.NodeProto,
	inits []*onnxpb.TensorProto, err error) {
	g := &onnxpb.GraphProto{Name: proto.String("node"), Node: []*onnxpb.NodeProto{n}}
	known := map[string]bool{}
	for _, in := range n.GetInput() {
		if in == "" || known[in] {
			continue
		}
		known[in] = true
		if t := file.Initializer(in); t != nil {
			x, err := file.Tensor(t)
			if err != nil {
				return nil, nil, err
			}
			g.Initializer = append(g.Initializer, onnx.TensorToProto(in, x))
			continue
		}
		if types[in] == nil {
			return nil, nil, fmt.Errorf("the type of its input %s is not known", shown.Quote(in))
		}
		g.Input = append(g.Input, &onnxpb.ValueInfoProto{Name: proto.String(in), Type: types[in]})
	}
	fetch := []string{}
	for _, o := range n.GetOutput() {
		if o != "" {
			g.Output = append(g.Output, &onnxpb.ValueInfoProto{Name: proto.String(o), Type: types[o]})
			fetch = append(fetch, o)
		}
	}
	one := onnx.NewModel(g, file.Opset(""))
	one.Proto.IrVersion = proto.Int64(file.Proto.GetIrVersion())
	one.Proto.OpsetImport = file.Proto.GetOpsetImport()
	m, err := engine.Load(one, engine.WithThreads(1))
	if err != nil {
		return nil, nil, err
	}
	defer m.Close()
	w, err := m.Export(engine.Query{Fetch: fetch})
	if err != nil {
		return nil, nil, err
	}
	if w.Opset("") != file.Opset("") {
		t, _ := engine.Types(w, engine.WithThreads(1))
		if w, _, err = convert.To(w, file.Opset(""), convert.Options{Types: t}); err != nil {
			return nil, nil, err
		}
	}
	return renamed(w.Proto.GetGraph(), n, known)
}

// renamed are the nodes and initializers of g with names of their own in the file that n is in, but for what n reads and gives.
func renamed(g *onnxpb.GraphProto, n *onnxpb.NodeProto, known map[string]bool) ([]*onnxpb.NodeProto, []*onnxpb.TensorProto,
	error) {
	stays := maps.Clone(known)
	for _, o := range n.GetOutput() {
		stays[o] = true
	}
	base := n.GetName()
	if base == "" {
		base = n.GetOutput()[0]
	}
	name := func(s string) string {
		if s == "" || stays[s] {
			return s
		}
		return base + "/" + strings.TrimPrefix(s, base+"/")
	}
	var inits []*onnxpb.TensorProto
	for _, t := range g.GetInitializer() {
		if stays[t.GetName()] {
			continue // of the file
		}
		t.Name = proto.String(name(t.GetName()))
		inits = append(inits, t)
	}
	for _, m := range g.GetNode() {
		if slices.Contains(m.GetOutput(), "") && len(m.GetOutput()) == 1 {
			return nil, nil, fmt.Errorf("%s has no output", label(m))
		}
		m.Name = proto.String(name(m.GetName()))
		for i, in := range m.GetInput() {
			m.Input[i] = name(in)
		}
		for i, o := range m.GetOutput() {
			m.Output[i] = name(o)
		}
	}
	return g.GetNode(), inits, nil
}
