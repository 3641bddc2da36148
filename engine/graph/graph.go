// Package graph is the intermediate representation of the engine: a graph of operator nodes over
// values in single-assignment form, the description of an operator (Def, Spec) and the builder with
// which operators, gradients and rewrites add nodes.
//
// A Graph knows no shapes. Element types are known when a node is added; shapes are inferred by package exec
// for the concrete shapes of a run, so one graph serves every batch size.
package graph

import (
	"fmt"
	"iter"
	"slices"

	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/tensor"
)

// Value is the name of one tensor in a Graph. The zero Value means none: an optional input or output
// that is absent, or a gradient that is zero.
type Value int32

// Kind says where the content of a value comes from.
type Kind uint8

// The kinds of values.
const (
	Computed  Kind = iota // the output of a node
	Input                 // fed at each run; in a body also a formal or captured value
	Constant              // a tensor that never changes
	Parameter             // a tensor of the model that training or a state update may change in place
)

// Dim is one axis of the declared shape of an input: an extent, or a symbol when Size is negative.
type Dim struct {
	Size   int
	Symbol string
}

// Info describes a value.
type Info struct {
	Name  string         // the ONNX name, or one derived from it; unique in the graph
	DType tensor.DType   // element type
	Kind  Kind           //
	Dims  []Dim          // declared shape of an Input, or of what a body returns; nil when the rank is unknown
	Data  *tensor.Tensor // content of a Constant or Parameter
	Def   *Node          // node that computes it, nil for other kinds
	Index int            // which output of Def
}

// Node is one application of an operator.
type Node struct {
	ID     int     // unique in the graph, increasing with the order of creation
	Name   string  // ONNX node name or a derived one; for messages
	Op     *Spec   //
	Attrs  any     // *A of the operator's Def[A]
	In     []Value // NumIn operator inputs, then the captured values of each body
	Out    []Value // 0 where an optional output is absent
	NumIn  int     //
	Bodies []*Body // subgraphs of If, Loop, Scan
	For    *Node   // the forward node that this node is part of the gradient of, or nil
	Frozen bool    // excluded from in-place and fusion by a rewrite that needs its output
	Opset  int     // version of the operator set that the node was written for
}

// Label is how messages name the node: `node "conv1" (Conv)`.
func (n *Node) Label() string {
	op := n.Op.Name
	if n.Op.Domain != "" {
		op = n.Op.Domain + "." + op
	}
	if n.Name == "" && n.For != nil {
		return fmt.Sprintf("node #%d (%s) for %s", n.ID, shown.Name(op), n.For.Label())
	}
	return fmt.Sprintf("node %s (%s)", shown.Quote(n.Name), shown.Name(op))
}

// Graph is a list of nodes in an order in which each value is defined before it is used.
type Graph struct {
	Name    string
	Inputs  []Value
	Outputs []Value
	Nodes   []*Node
	Given   int // bytes of weights and constants in the file that the graph came from; 0 when it did not come from one
	Folded  int // bytes of the constants that were computed from others so far

	info   []Info // by Value; info[0] is unused
	byName map[string]Value
	number map[string]int // that was appended last to a name that was taken
	nextID int
}

// New is an empty graph.
func New(name string) *Graph {
	return &Graph{Name: name, info: make([]Info, 1), byName: map[string]Value{}}
}

// DataBytes is the storage of the constants and parameters of g and of its bodies.
func (g *Graph) DataBytes() int {
	total := 0
	for _, in := range g.info[1:] {
		if in.Data != nil {
			total += StorageBytes(in.Data.DType(), in.Data.Len())
		}
	}
	for _, n := range g.Nodes {
		for _, b := range n.Bodies {
			total += b.G.DataBytes()
		}
	}
	return total
}

// StorageBytes is what n elements of type d take in memory, a string or container counted as its header.
func StorageBytes(d tensor.DType, n int) int {
	switch {
	case d == tensor.String:
		return 16 * n
	case d.IsContainer():
		return 64 * n
	}
	return d.Size(n)
}

// NumValues is one more than the largest Value of g.
func (g *Graph) NumValues() int { return len(g.info) }

// Info is the description of v, which must be a value of g and not 0. The result may be changed in place
// except for Name.
func (g *Graph) Info(v Value) *Info { return &g.info[v] }

// Lookup is the value called name, or 0.
func (g *Graph) Lookup(name string) Value { return g.byName[name] }

// Values yields all values in the order of creation.
func (g *Graph) Values(yield func(Value, *Info) bool) {
	for i := 1; i < len(g.info); i++ {
		if !yield(Value(i), &g.info[i]) {
			return
		}
	}
}

// Names lists the names of all values, for suggestions in error messages.
func (g *Graph) Names() []string {
	var names []string
	for i := 1; i < len(g.info); i++ {
		names = append(names, g.info[i].Name)
	}
	return names
}

// unique is name if it is free, else name with a number appended.
func (g *Graph) unique(name string) string {
	if _, taken := g.byName[name]; !taken && name != "" {
		return name
	}
	if name == "" {
		name = "v"
	}
	for i := max(len(g.info), g.number[name]+1); ; i++ {
		s := fmt.Sprintf("%s~%d", name, i)
		if _, taken := g.byName[s]; taken {
			continue
		}
		if g.number == nil {
			g.number = map[string]int{}
		}
		g.number[name] = i
		return s
	}
}

// NewValue adds a value. A name that is taken gets a number appended.
func (g *Graph) NewValue(in Info) Value {
	in.Name = g.unique(in.Name)
	g.info = append(g.info, in)
	v := Value(len(g.info) - 1)
	g.byName[in.Name] = v
	return v
}

// AddInput adds an input.
func (g *Graph) AddInput(name string, d tensor.DType, dims []Dim) Value {
	v := g.NewValue(Info{Name: name, DType: d, Kind: Input, Dims: dims})
	g.Inputs = append(g.Inputs, v)
	return v
}

// AddConst adds a constant.
func (g *Graph) AddConst(name string, t *tensor.Tensor) Value {
	return g.NewValue(Info{Name: name, DType: t.DType(), Kind: Constant, Data: t})
}

// AddParam adds a parameter whose storage is t.
func (g *Graph) AddParam(name string, t *tensor.Tensor) Value {
	return g.NewValue(Info{Name: name, DType: t.DType(), Kind: Parameter, Data: t})
}

// Rename gives v the name name, with a number appended when it is taken.
func (g *Graph) Rename(v Value, name string) {
	in := &g.info[v]
	if in.Name == name {
		return
	}
	delete(g.byName, in.Name)
	in.Name = g.unique(name)
	g.byName[in.Name] = v
}

// OnlyReaders is, by value, the node that reads it where exactly one does, else nil.
func (g *Graph) OnlyReaders() []*Node {
	only, read := make([]*Node, len(g.info)), make([]bool, len(g.info))
	for v, n := range g.reads() {
		if only[v] = n; read[v] {
			only[v] = nil
		}
		read[v] = true
	}
	return only
}

// Readers lists, by value, the nodes that read it, in graph order.
func (g *Graph) Readers() [][]*Node {
	all := make([][]*Node, len(g.info))
	for v, n := range g.reads() {
		all[v] = append(all[v], n)
	}
	return all
}

// reads yields each value that a node reads with the node, in graph order, each pair once.
func (g *Graph) reads() iter.Seq2[Value, *Node] {
	return func(yield func(Value, *Node) bool) {
		last := make([]*Node, len(g.info)) // reader of a value that was met last
		for _, n := range g.Nodes {
			for _, v := range n.In {
				if v == 0 || last[v] == n {
					continue
				}
				last[v] = n
				if !yield(v, n) {
					return
				}
			}
		}
	}
}

// Clone is a copy of g, bodies included, that shares attributes and the storage of constants and parameters.
// Values and nodes keep their numbers.
func (g *Graph) Clone() *Graph {
	c := &Graph{
		Name: g.Name, Inputs: slices.Clone(g.Inputs), Outputs: slices.Clone(g.Outputs), Given: g.Given, Folded: g.Folded,
		info: slices.Clone(g.info), byName: make(map[string]Value, len(g.byName)), nextID: g.nextID,
	}
	for k, v := range g.byName {
		c.byName[k] = v
	}
	old := make(map[*Node]*Node, len(g.Nodes))
	c.Nodes = make([]*Node, len(g.Nodes))
	for i, n := range g.Nodes {
		m := *n
		m.In, m.Out, m.Bodies = slices.Clone(n.In), slices.Clone(n.Out), slices.Clone(n.Bodies)
		for k, b := range m.Bodies {
			m.Bodies[k] = b.Clone()
		}
		if n.For != nil {
			if f, ok := old[n.For]; ok {
				m.For = f
			}
		}
		c.Nodes[i] = &m
		old[n] = &m
	}
	for i := range c.info {
		if d := c.info[i].Def; d != nil {
			c.info[i].Def = old[d]
		}
	}
	return c
}

// Replace makes every reader of old, and the graph's outputs, read v instead.
func (g *Graph) Replace(old, v Value) {
	for _, n := range g.Nodes {
		for i, x := range n.In {
			if x == old {
				n.In[i] = v
			}
		}
	}
	for i, x := range g.Outputs {
		if x == old {
			g.Outputs[i] = v
		}
	}
}

// Alias makes v be what computes w: the node of w writes v, so that what is fetched keeps its name. Only nodes of made can read w.
func (g *Graph) Alias(made []*Node, v, w Value) {
	def, k := g.info[w].Def, g.info[w].Index
	def.Out[k] = v
	g.info[v].Def, g.info[v].Index = def, k
	for _, n := range made {
		for i, x := range n.In {
			if x == w {
				n.In[i] = v
			}
		}
	}
}

// Sort brings the nodes into an order in which each value is defined before it is used, keeping the present
// order where it can. It fails, naming a node, when the graph has a cycle.
func (g *Graph) Sort() error {
	pending := make(map[*Node]int, len(g.Nodes))
	readers := map[Value][]*Node{}
	var ready []*Node
	for v, n := range g.reads() {
		if g.info[v].Def != nil {
			pending[n]++
			readers[v] = append(readers[v], n)
		}
	}
	pos := make(map[*Node]int, len(g.Nodes))
	inOrder := true
	for i, n := range g.Nodes {
		pos[n] = i
		for _, v := range n.In {
			if v != 0 && g.info[v].Def != nil {
				if p, ok := pos[g.info[v].Def]; !ok || p >= i {
					inOrder = false
				}
			}
		}
	}
	if inOrder {
		return nil
	}
	for _, n := range g.Nodes {
		if pending[n] == 0 {
			ready = append(ready, n)
		}
	}
	var out []*Node
	for len(ready) > 0 {
		n := ready[0]
		ready = ready[1:]
		out = append(out, n)
		for _, v := range n.Out {
			for _, r := range readers[v] {
				if pending[r]--; pending[r] == 0 {
					ready = append(ready, r)
				}
			}
		}
	}
	if len(out) != len(g.Nodes) {
		for _, n := range g.Nodes {
			if pending[n] > 0 {
				return fmt.Errorf("graph: %s is on a cycle", n.Label())
			}
		}
	}
	g.Nodes = out
	return nil
}
