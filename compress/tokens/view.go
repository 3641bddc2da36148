package tokens

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/onnx/typing"
	"github.com/gtk-onnx/gtk/tensor"
)

// batchSize stands for the free extent of the batch in shapes: a prime that no extent of a model has as a factor, so that an extent that it
// divides is one of examples.
const batchSize = 1009

// view is the main graph of a file with the shapes of its values.
type view struct {
	file   *onnx.Model
	g      *onnxpb.GraphProto
	model  *engine.Model
	opset  int64
	free   bool // the batch is free
	inputs []tensor.Shape

	maker  map[string]*onnxpb.NodeProto
	place  map[*onnxpb.NodeProto]int
	reader map[string][]*onnxpb.NodeProto
	shapes map[string]tensor.Shape
	seen   map[string][2]*tensor.Tensor // values that were looked at
	types  *typing.Scope
	live   map[*onnxpb.NodeProto]bool // nodes that an output depends on
}

// newView loads file and infers its shapes. The caller closes the view.
func newView(file *onnx.Model, threads int) (*view, error) {
	m, err := engine.Load(file, engine.WithThreads(threads))
	if err != nil {
		return nil, err
	}
	v := &view{file: file, g: file.Proto.GetGraph(), model: m, opset: file.Opset(""), maker: map[string]*onnxpb.NodeProto{},
		place: map[*onnxpb.NodeProto]int{}, reader: map[string][]*onnxpb.NodeProto{}, shapes: map[string]tensor.Shape{},
		seen: map[string][2]*tensor.Tensor{}}
	if err := v.infer(); err != nil {
		m.Close()
		return nil, err
	}
	return v, nil
}

func (v *view) close() { v.model.Close() }

// infer indexes the nodes and works out the shapes.
func (v *view) infer() error {
	names := []string{}
	for i, n := range v.g.GetNode() {
		v.place[n] = i
		for _, o := range n.GetOutput() {
			if o != "" {
				v.maker[o] = n
				if v.model.Graph().Lookup(o) != 0 {
					names = append(names, o)
				}
			}
		}
		for _, in := range n.GetInput() {
			if in != "" {
				v.reader[in] = append(v.reader[in], n)
			}
		}
		for _, a := range n.GetAttribute() {
			if a.GetG() != nil || len(a.GetGraphs()) > 0 {
				for _, in := range captured(n) {
					v.reader[in] = append(v.reader[in], n)
				}
				break
			}
		}
	}
	v.live = map[*onnxpb.NodeProto]bool{}
	wants := map[string]bool{}
	for _, o := range v.g.GetOutput() {
		wants[o.GetName()] = true
	}
	for _, n := range slices.Backward(v.g.GetNode()) {
		if v.live[n] = slices.ContainsFunc(n.GetOutput(), func(o string) bool { return o != "" && wants[o] }); v.live[n] {
			for _, in := range slices.Concat(n.GetInput(), captured(n)) {
				wants[in] = true
			}
		}
	}
	var symbol string
	for k, in := range v.model.Inputs() {
		s := tensor.Shape{}
		for i, d := range in.Dims {
			switch {
			case d.Size >= 0:
				s = append(s, d.Size)
			case k == 0 && i == 0, i == 0 && d.Symbol == "", d.Symbol != "" && d.Symbol == symbol:
				if k == 0 {
					symbol, v.free = d.Symbol, true
				}
				s = append(s, batchSize)
			default:
				return fmt.Errorf("axis %d of input %s has no fixed extent: the number of tokens must be known", i, shown.Name(in.Name))
			}
		}
		v.inputs = append(v.inputs, s)
	}
	all, err := v.model.Shapes(v.inputs, names...)
	if err != nil {
		return err
	}
	for i, n := range names {
		if all[i] != nil {
			v.shapes[n] = all[i]
		}
	}
	v.types = typing.Declared(v.g, nil)
	typing.Nodes(v.g.GetNode(), v.types, v.file.Opset, nil, nil)
	for _, in := range v.g.GetInitializer() {
		s := tensor.Shape{}
		for _, d := range in.GetDims() {
			s = append(s, int(d))
		}
		v.shapes[in.GetName()] = s
	}
	for i, in := range v.model.Inputs() {
		v.shapes[in.Name] = v.inputs[i]
	}
	return nil
}

// dtype is the element type of a value in the file.
func (v *view) dtype(name string) tensor.DType {
	if t := v.file.Initializer(name); t != nil {
		return tensor.DType(t.GetDataType())
	}
	if d := tensor.DType(v.types.Of[name].GetTensorType().GetElemType()); d != tensor.Undefined {
		return d
	}
	d, err := v.model.DType(name)
	if err != nil {
		return tensor.Float32
	}
	return d
}

// captured are the values of the graph around it that the bodies of n read.
func captured(n *onnxpb.NodeProto) []string {
	var names []string
	var walk func(g *onnxpb.GraphProto)
	walk = func(g *onnxpb.GraphProto) {
		for _, m := range g.GetNode() {
			names = append(names, m.GetInput()...)
			for _, a := range m.GetAttribute() {
				if a.GetG() != nil {
					walk(a.GetG())
				}
				for _, b := range a.GetGraphs() {
					walk(b)
				}
			}
		}
		for _, o := range g.GetOutput() {
			names = append(names, o.GetName())
		}
	}
	for _, a := range n.GetAttribute() {
		if a.GetG() != nil {
			walk(a.GetG())
		}
		for _, b := range a.GetGraphs() {
			walk(b)
		}
	}
	return names
}

// label names a node in messages.
func label(n *onnxpb.NodeProto) string {
	name := n.GetName()
	if name == "" && len(n.GetOutput()) > 0 {
		name = n.GetOutput()[0]
	}
	return fmt.Sprintf("node %s (%s)", shown.Quote(name), n.GetOpType())
}

// at is the i-th input of n, "" where it has none.
func at(n *onnxpb.NodeProto, i int) string {
	if i < len(n.GetInput()) {
		return n.GetInput()[i]
	}
	return ""
}

// attr is an attribute of n, nil where it has none.
func attr(n *onnxpb.NodeProto, name string) *onnxpb.AttributeProto {
	for _, a := range n.GetAttribute() {
		if a.GetName() == name {
			return a
		}
	}
	return nil
}

// attrInt is a whole number among the attributes of n.
func attrInt(n *onnxpb.NodeProto, name string, otherwise int) int {
	if a := attr(n, name); a != nil {
		return int(a.GetI())
	}
	return otherwise
}

// constant is the value of an initializer or of a Constant node, nil for others.
func (v *view) constant(name string) *tensor.Tensor {
	if name == "" {
		return nil
	}
	if t := v.file.Initializer(name); t != nil {
		if x, err := v.file.Tensor(t); err == nil {
			return x
		}
		return nil
	}
	n := v.maker[name]
	if n == nil || n.GetOpType() != "Constant" {
		return nil
	}
	if id := v.model.Graph().Lookup(name); id != 0 {
		return v.model.Graph().Info(id).Data
	}
	return nil
}

// ints are the whole numbers of a value that no example changes.
func (v *view) ints(name string) ([]int, bool) {
	t := v.constant(name)
	if t == nil {
		x, same, err := v.look(name)
		if err != nil || !same {
			return nil, false
		}
		t = x
	}
	c, err := t.Convert(tensor.Int64)
	if err != nil {
		return nil, false
	}
	out := make([]int, c.Len())
	for i, x := range c.I64() {
		out[i] = int(x)
	}
	return out, true
}

// look is a value for a random batch of two, and whether another one gives the same.
func (v *view) look(name string) (*tensor.Tensor, bool, error) {
	got, ok := v.seen[name]
	if !ok {
		s, err := v.model.Session(engine.Query{Fetch: []string{name}})
		if err != nil {
			return nil, false, err
		}
		for k := range got {
			r, err := s.Run(context.Background(), wanted(s, v.random(2, uint64(k+1))))
			if err != nil {
				return nil, false, err
			}
			if r.Value(name) == nil {
				return nil, false, errors.New("no value")
			}
			got[k] = r.Value(name).Clone()
		}
		v.seen[name] = got
	}
	return got[0], tensor.Equal(got[0], got[1]), nil
}

// random are inputs of n examples, or of as many as the file declares: normal numbers, and small whole ones.
func (v *view) random(n int, seed uint64) map[string]*tensor.Tensor {
	return randomInputs(v.model, n, seed)
}

func randomInputs(m *engine.Model, n int, seed uint64) map[string]*tensor.Tensor {
	r := rand.New(rand.NewPCG(seed, 7))
	feeds := map[string]*tensor.Tensor{}
	for k, s := range m.Sizes(n) {
		in := m.Inputs()[k]
		t := tensor.New(tensor.Float64, s...)
		for i := range tensor.Data[float64](t) {
			if in.DType.IsFloat() {
				tensor.Data[float64](t)[i] = r.NormFloat64()
			} else {
				tensor.Data[float64](t)[i] = float64((i + int(seed)) % 2) // another number for every seed and its neighbour
			}
		}
		if x, err := t.Convert(in.DType); err == nil {
			feeds[in.Name] = x
		}
	}
	return feeds
}

// wanted are those of the feeds that s takes.
func wanted(s *engine.Session, feeds map[string]*tensor.Tensor) map[string]*tensor.Tensor {
	maps.DeleteFunc(feeds, func(name string, _ *tensor.Tensor) bool { return !slices.Contains(s.Feeds(), name) })
	return feeds
}
