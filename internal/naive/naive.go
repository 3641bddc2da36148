// Package naive is the oracle of the tests: it computes a graph.Graph in float64, node by node, with the plainest loops that the
// definitions of ONNX allow. It shares no code with the operators and kernels of the engine, and reads attributes as ONNX names
// them, so that a mistake there is not repeated here.
//
// Every floating-point type is computed, and returned, as float64 without rounding; only Cast and QuantizeLinear round.
package naive

import (
	"fmt"
	"maps"
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// value is a tensor: F for floating-point types, I for integers and bool, S for strings.
type value struct {
	d     tensor.DType
	shape []int
	f     []float64
	i     []int64
	s     []string
}

// call is one node with its inputs.
type call struct {
	name   string
	opset  int
	attrs  graph.Attrs
	in     []*value
	nout   int
	body   func(k int, in []*value) []*value
	result func(k, o int) tensor.DType // element type of output o of body k
	bodies []string                    // attribute names of the bodies
}

type operator func(c *call) []*value

// operators maps "domain.name", the domain left out for ai.onnx, to the operator.
var operators = map[string]operator{}

func register(m map[string]operator) { maps.Copy(operators, m) }

// Has reports whether the oracle knows the operator.
func Has(domain, name string) bool {
	_, ok := operators[key(domain, name)]
	return ok
}

func key(domain, name string) string {
	if domain == "" || domain == "ai.onnx" {
		return name
	}
	return domain + "." + name
}

// failure is what a call panics with; Run turns it into an error.
type failure struct{ err error }

func fail(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

// Run computes the outputs of g, by name. feeds gives its inputs and may replace parameters and constants, by name; a
// floating-point feed may have any floating-point type. Floating-point outputs are float64 tensors.
func Run(g *graph.Graph, feeds map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
	return Fetch(g, feeds, g.Outputs)
}

// Fetch is Run for any values of g.
func Fetch(g *graph.Graph, feeds map[string]*tensor.Tensor, fetch []graph.Value) (out map[string]*tensor.Tensor, err error) {
	var at *graph.Node
	defer func() {
		if r := recover(); r != nil {
			f, ok := r.(failure)
			if !ok {
				f.err = fmt.Errorf("%v", r)
			}
			out, err = nil, fmt.Errorf("naive: %w", f.err)
			if at != nil {
				out, err = nil, fmt.Errorf("naive: %s: %w", at.Label(), f.err)
			}
		}
	}()
	vals := make([]*value, g.NumValues())
	for v, info := range g.Values {
		if t := feeds[info.Name]; t != nil {
			vals[v] = fromTensor(t)
			if vals[v].d.IsFloat() {
				vals[v].d = info.DType
			}
		} else if info.Data != nil {
			vals[v] = fromTensor(info.Data)
		}
	}
	for _, v := range g.Inputs {
		if vals[v] == nil {
			return nil, fmt.Errorf("naive: input %q is missing", g.Info(v).Name)
		}
	}
	runNodes(g, vals, &at)
	out = map[string]*tensor.Tensor{}
	for _, v := range fetch {
		if vals[v] == nil {
			return nil, fmt.Errorf("naive: value %q is not computed", g.Info(v).Name)
		}
		out[g.Info(v).Name] = vals[v].tensor()
	}
	return out, nil
}

func runNodes(g *graph.Graph, vals []*value, at **graph.Node) {
	for _, n := range g.Nodes {
		*at = n
		op := operators[key(n.Op.Domain, n.Op.Name)]
		if op == nil {
			fail("the oracle has no operator %s", n.Op.Name)
		}
		c := &call{name: n.Op.Name, opset: opsetOf(n), attrs: graph.EncodeAttrs(n.Attrs), nout: len(n.Out)}
		for _, v := range n.In[:n.NumIn] {
			if v == 0 {
				c.in = append(c.in, nil)
				continue
			}
			if vals[v] == nil {
				fail("value %q is not computed", g.Info(v).Name)
			}
			c.in = append(c.in, vals[v])
		}
		for _, b := range n.Bodies {
			c.bodies = append(c.bodies, b.Attr)
		}
		c.body = func(k int, in []*value) []*value {
			b := n.Bodies[k]
			sub := make([]*value, b.G.NumValues())
			for v, info := range b.G.Values {
				if info.Data != nil {
					sub[v] = fromTensor(info.Data)
				}
			}
			for i, v := range in {
				sub[b.G.Inputs[i]] = v
			}
			captured := n.Captured(k)
			for i, v := range b.G.Inputs[b.Formals:] {
				sub[v] = vals[captured[i]]
			}
			runNodes(b.G, sub, at)
			*at = n
			out := make([]*value, len(b.G.Outputs))
			for i, v := range b.G.Outputs {
				out[i] = sub[v]
			}
			return out
		}
		c.result = func(k, o int) tensor.DType { return n.Bodies[k].G.Info(n.Bodies[k].G.Outputs[o]).DType }
		out := op(c)
		for i, v := range n.Out {
			if v == 0 {
				continue
			}
			if i >= len(out) || out[i] == nil {
				fail("output %d is not computed", i)
			}
			vals[v] = out[i]
		}
	}
}

// opsetOf is the operator-set version that n is written for: that of the newest definition its operator implements when it
// does not say.
func opsetOf(n *graph.Node) int {
	if n.Opset > 0 {
		return n.Opset
	}
	return n.Op.Since[len(n.Op.Since)-1]
}

func fromTensor(t *tensor.Tensor) *value {
	v := &value{d: t.DType(), shape: append([]int{}, t.Shape()...)}
	switch {
	case v.d == tensor.String:
		v.s = t.Strings()
	case v.d.IsFloat():
		v.f = t.Float64s()
	case v.d == tensor.Bool:
		for _, b := range tensor.Data[bool](t) {
			v.i = append(v.i, b2i(b))
		}
	default:
		x, err := t.Convert(tensor.Int64)
		if t.DType() == tensor.Uint64 {
			for _, u := range tensor.Data[uint64](t) {
				v.i = append(v.i, int64(u))
			}
			return v
		}
		if err != nil {
			fail("%v", err)
		}
		v.i = append(v.i, x.I64()...)
	}
	return v
}

func (v *value) tensor() *tensor.Tensor {
	switch {
	case v.d == tensor.String:
		return tensor.FromStrings(v.s, v.shape...)
	case v.d.IsFloat():
		return tensor.From(v.f, v.shape...)
	case v.d == tensor.Bool:
		b := make([]bool, len(v.i))
		for k, x := range v.i {
			b[k] = x != 0
		}
		return tensor.From(b, v.shape...)
	case v.d == tensor.Uint64:
		u := make([]uint64, len(v.i))
		for k, x := range v.i {
			u[k] = uint64(x)
		}
		return tensor.From(u, v.shape...)
	}
	t, err := tensor.From(v.i, v.shape...).Convert(v.d)
	if err != nil {
		fail("%v", err)
	}
	return t
}

func b2i(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// one is a call's result of a single output.
func one(v *value) []*value { return []*value{v} }

// zeros is a value of zeros, or of empty strings.
func zeros(d tensor.DType, shape ...int) *value {
	v := &value{d: d, shape: append([]int{}, shape...)}
	n := size(shape)
	if n < 0 || n > 1<<28 {
		fail("impossible shape %v", shape)
	}
	switch {
	case d == tensor.String:
		v.s = make([]string, n)
	case d.IsFloat():
		v.f = make([]float64, n)
	default:
		v.i = make([]int64, n)
	}
	return v
}

func size(shape []int) int {
	n := 1
	for _, d := range shape {
		if d < 0 {
			fail("negative extent in %v", shape)
		}
		n *= d
	}
	return n
}

func (v *value) len() int      { return size(v.shape) }
func (v *value) isFloat() bool { return v.d.IsFloat() }

// at is element k as a number.
func (v *value) at(k int) float64 {
	switch {
	case v.f != nil:
		return v.f[k]
	case v.d == tensor.Uint64:
		return float64(uint64(v.i[k]))
	}
	return float64(v.i[k])
}

// set stores a number as element k, wrapped to the width of an integer type.
func (v *value) set(k int, x float64) {
	if v.f != nil {
		v.f[k] = x
	} else {
		v.i[k] = wrap(v.d, int64(x))
	}
}

// copy stores element k of src as element j.
func (v *value) copy(j int, src *value, k int) {
	switch {
	case v.s != nil:
		v.s[j] = src.s[k]
	case v.f != nil:
		v.f[j] = src.f[k]
	default:
		v.i[j] = src.i[k]
	}
}

// with is v with another shape.
func (v *value) with(shape ...int) *value {
	c := *v
	c.shape = append([]int{}, shape...)
	if size(shape) != v.len() {
		fail("%v does not reshape to %v", v.shape, shape)
	}
	return &c
}

func wrap(d tensor.DType, x int64) int64 {
	switch d {
	case tensor.Int8:
		return int64(int8(x))
	case tensor.Uint8:
		return int64(uint8(x))
	case tensor.Int16:
		return int64(int16(x))
	case tensor.Uint16:
		return int64(uint16(x))
	case tensor.Int32:
		return int64(int32(x))
	case tensor.Uint32:
		return int64(uint32(x))
	}
	return x
}

// strides of a row-major shape.
func strides(shape []int) []int {
	s := make([]int, len(shape))
	n := 1
	for i := len(shape) - 1; i >= 0; i-- {
		s[i] = n
		n *= shape[i]
	}
	return s
}

// each calls f for every index of shape in row-major order, with its position.
func each(shape []int, f func(idx []int, pos int)) {
	idx := make([]int, len(shape))
	for pos := range size(shape) {
		f(idx, pos)
		for i := len(shape) - 1; i >= 0; i-- {
			if idx[i]++; idx[i] < shape[i] {
				break
			}
			idx[i] = 0
		}
	}
}

// pos is the position of idx in a row-major shape.
func pos(shape, idx []int) int {
	p := 0
	for i, d := range shape {
		p = p*d + idx[i]
	}
	return p
}

func axisOf(a, rank int) int {
	if a < 0 {
		a += rank
	}
	if a < 0 || a >= max(rank, 1) {
		fail("axis %d is outside rank %d", a, rank)
	}
	return a
}

// Inputs and attributes.

func (c *call) has(i int) bool { return i < len(c.in) && c.in[i] != nil }

func (c *call) hasAttr(name string) bool { _, ok := c.attrs[name]; return ok }

func (c *call) int(name string, def int) int {
	if x, ok := c.attrs[name].(int64); ok {
		return int(x)
	}
	return def
}

func (c *call) float(name string, def float64) float64 {
	if x, ok := c.attrs[name].(float32); ok {
		return float64(x)
	}
	return def
}

func (c *call) str(name, def string) string {
	if x, ok := c.attrs[name].(string); ok {
		return x
	}
	return def
}

func (c *call) strs(name string) []string {
	x, _ := c.attrs[name].([]string)
	return x
}

func (c *call) floats(name string) []float64 {
	x, ok := c.attrs[name].([]float32)
	if !ok {
		return nil
	}
	out := make([]float64, len(x))
	for i, f := range x {
		out[i] = float64(f)
	}
	return out
}

// ints is an attribute, nil when it is absent.
func (c *call) ints(name string) []int {
	x, ok := c.attrs[name].([]int64)
	if !ok {
		return nil
	}
	out := make([]int, len(x))
	for i, n := range x {
		out[i] = int(n)
	}
	return out
}

// intsAt is the content of the integer input i, nil when it is absent.
func (c *call) intsAt(i int) []int {
	if !c.has(i) {
		return nil
	}
	out := make([]int, len(c.in[i].i))
	for k, x := range c.in[i].i {
		out[k] = int(x)
	}
	return out
}

// intsOf is the attribute, or where that is absent the content of input i: a list that moved from one to the other.
func (c *call) intsOf(name string, i int) []int {
	if c.hasAttr(name) {
		return c.ints(name)
	}
	return c.intsAt(i)
}

// scalar is the only element of input i, or def when it is absent.
func (c *call) scalar(i int, def float64) float64 {
	if !c.has(i) {
		return def
	}
	if c.in[i].len() != 1 {
		fail("input %d has shape %v, want one element", i, c.in[i].shape)
	}
	return c.in[i].at(0)
}

var inf = math.Inf(1)
