// Package graphgen makes random graphs for tests: what a plan, a rewrite or a gradient must be right for whatever the graph is. A
// program is the same for the same source of random numbers.
package graphgen

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// Options say what a program may contain.
type Options struct {
	Nodes   int  // how many steps, each of one to four operators; 20 when 0
	Bodies  int  // how deep If and Loop may nest; none when 0
	Dynamic bool // shapes that only a run can tell
	Smooth  bool // no kinks: central differences are right
	Apart   bool // the examples of a batch do not meet
	Memory  bool // recurrent layers, which need working memory and have no second derivative

	Exported bool // normalisations and GELUs as exporters write them out
}

// Program is a graph over a batch of pictures "x" [N,3,8,8] and of rows "r" [N,6], with parameters, and a condition where it has bodies.
// Its outputs are some of its values, the last one among them.
type Program struct {
	G      *graph.Graph
	Params []graph.Value // those that a gradient may be asked for
	Floats []graph.Value // computed, in the order of the graph, all with the batch on axis 0
	Loss   graph.Value   // one number for each example, [N], that depends on the last values
}

// New makes a program.
func New(r *rand.Rand, o Options) *Program {
	if o.Nodes == 0 {
		o.Nodes = 20
	}
	g := graph.New("generated")
	m := &maker{r: r, o: o, b: graph.NewBuilder(g), depth: o.Bodies}
	m.vals = []val{{g.AddInput("x", tensor.Float32, nil), []int{3, 8, 8}}, {g.AddInput("r", tensor.Float32, nil), []int{6}}}
	if o.Bodies > 0 || o.Dynamic {
		m.conds = []graph.Value{g.AddInput("c", tensor.Bool, nil)}
	}
	inputs := len(m.vals)
	for range o.Nodes {
		m.step()
	}
	p := &Program{G: g, Params: m.params}
	for _, v := range m.vals[inputs:] {
		p.Floats = append(p.Floats, v.v)
	}
	p.Loss = m.loss(m.vals[max(inputs, len(m.vals)-4):])
	for range 3 {
		p.G.Outputs = append(p.G.Outputs, p.Floats[r.IntN(len(p.Floats))])
	}
	p.G.Outputs = append(p.G.Outputs, p.Floats[len(p.Floats)-1], p.Loss)
	if err := m.b.Err(); err != nil {
		panic(fmt.Sprintf("graphgen: %v", err))
	}
	return p
}

// Feeds are inputs for a batch of n, in the order of the graph's inputs.
func (p *Program) Feeds(r *rand.Rand, n int) []*tensor.Tensor {
	var feeds []*tensor.Tensor
	for _, v := range p.G.Inputs {
		switch p.G.Info(v).Name {
		case "x":
			feeds = append(feeds, normal(r, 1, n, 3, 8, 8))
		case "r":
			feeds = append(feeds, normal(r, 1, n, 6))
		default:
			feeds = append(feeds, tensor.Scalar(r.IntN(2) == 0))
		}
	}
	return feeds
}

// Named are feeds by the names of the graph's inputs.
func (p *Program) Named(feeds []*tensor.Tensor) map[string]*tensor.Tensor {
	m := map[string]*tensor.Tensor{}
	for i, v := range p.G.Inputs {
		m[p.G.Info(v).Name] = feeds[i]
	}
	return m
}

// Operators are the names of the operators of g and its bodies, each once, sorted.
func Operators(g *graph.Graph) []string {
	var names []string
	for _, n := range g.Nodes {
		names = append(names, n.Op.Name)
		for _, b := range n.Bodies {
			names = append(names, Operators(b.G)...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// val is a value [N, shape...].
type val struct {
	v     graph.Value
	shape []int
}

// maker adds random nodes to one graph, a body or the whole.
type maker struct {
	r        *rand.Rand
	o        Options
	b        *graph.Builder
	vals     []val
	conds    []graph.Value
	params   []graph.Value
	depth    int           // of bodies that may still be nested
	outer    *maker        // of a body
	captured []graph.Value // what it reads of the graph around it
}

func normal(r *rand.Rand, scale float64, shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, shape...)
	for i := range t.F32() {
		t.F32()[i] = float32(scale * r.NormFloat64())
	}
	return t
}

// param is a new parameter.
func (m *maker) param(scale float64, shape ...int) graph.Value {
	return m.weights(normal(m.r, scale, shape...))
}

// positive is a new parameter of numbers between 0.5 and 1.5.
func (m *maker) positive(n int) graph.Value { return m.weights(m.positives(n)) }

func (m *maker) positives(n int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, n)
	for i := range t.F32() {
		t.F32()[i] = 0.5 + m.r.Float32()
	}
	return t
}

// weights is a new parameter; a body has it as a constant, or captures a constant or parameter.
func (m *maker) weights(t *tensor.Tensor) graph.Value {
	if m.outer == nil {
		for _, v := range m.params { // sometimes one is used twice
			if m.r.IntN(6) == 0 && m.b.G.Info(v).Data.Shape().Equal(t.Shape()) && (least(t) > 0) == (least(m.b.G.Info(v).Data) > 0) {
				return v
			}
		}
		v := m.b.G.AddParam(fmt.Sprintf("w%d", len(m.params)), t)
		m.params = append(m.params, v)
		return v
	}
	switch m.r.IntN(3) {
	case 0:
		return m.b.Const(t)
	case 1:
		return m.capture(m.outer.b.Const(t), tensor.Float32)
	}
	return m.capture(m.outer.weights(t), tensor.Float32)
}

func least(t *tensor.Tensor) float32 { return slices.Min(append([]float32{0.5}, t.F32()...)) }

// statistics is a new parameter without a gradient, as the running mean and variance of a normalisation are.
func (m *maker) statistics(t *tensor.Tensor) graph.Value {
	if m.outer != nil {
		return m.b.Const(t)
	}
	return m.b.G.AddParam("statistics", t)
}

// capture makes the value v of the graph around m, a body, readable in it.
func (m *maker) capture(v graph.Value, d tensor.DType) graph.Value {
	m.captured = append(m.captured, v)
	return m.b.G.AddInput("captured", d, nil)
}

// pick is a value for which ok holds, a late one rather than an early one; ok false when there is none.
func (m *maker) pick(ok func(s []int) bool) (val, bool) {
	var fit []val
	for _, v := range m.vals {
		if ok(v.shape) {
			fit = append(fit, v)
		}
	}
	if len(fit) == 0 {
		return val{}, false
	}
	k := min(m.r.IntN(len(fit)), m.r.IntN(len(fit)))
	return fit[len(fit)-1-k], true
}

func anyShape([]int) bool { return true }

func rank(n int) func([]int) bool { return func(s []int) bool { return len(s) == n } }

func like(shape []int) func([]int) bool {
	return func(s []int) bool { return slices.Equal(s, shape) }
}

func (m *maker) push(v graph.Value, shape ...int) val {
	m.vals = append(m.vals, val{v, slices.Clone(shape)})
	return m.vals[len(m.vals)-1]
}

// add is a node with the given attributes.
func (m *maker) add(op *graph.Spec, attrs graph.Attrs, in ...graph.Value) graph.Value {
	return m.addN(op, attrs, 1, in...)[0]
}

func (m *maker) addN(op *graph.Spec, attrs graph.Attrs, outs int, in ...graph.Value) []graph.Value {
	a, err := op.DecodeAttrs(attrs)
	if err != nil {
		m.b.Fail(err)
		return make([]graph.Value, outs)
	}
	return m.b.AddN(op, a, outs, in...)
}

// loss is Σ over vs of the mean of each example's squares, [N].
func (m *maker) loss(vs []val) graph.Value {
	var sum graph.Value
	for _, v := range vs {
		flat := m.add(ops.Flatten, graph.Attrs{"axis": int64(1)}, v.v)
		one := m.add(ops.ReduceMean, graph.Attrs{"keepdims": int64(0)}, m.b.Add(ops.Mul, nil, flat, flat), m.b.Ints(1))
		if sum == 0 {
			sum = one
		} else {
			sum = m.b.Add(ops.Add, nil, sum, one)
		}
	}
	return sum
}
