package ops

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Interval holds every number that a value can take; NaN apart.
type Interval struct{ Lo, Hi float64 }

var anywhere = Interval{math.Inf(-1), math.Inf(1)}

// Ranged is an attribute struct that says in which interval output out of its node lies, where those of its inputs do, whatever they are.
type Ranged interface {
	Range(out int, in func(i int) Interval) Interval
}

// Anywhere is the interval of all numbers.
func Anywhere() Interval { return anywhere }

func (i Interval) union(j Interval) Interval { return Interval{min(i.Lo, j.Lo), max(i.Hi, j.Hi)} }

// mostRanged bounds the numbers of a constant that are looked at.
const mostRanged = 256

// Ranger finds intervals that hold every number of a value of a graph, whatever the inputs of the graph are, by interval arithmetic
// through the nodes behind it: a value behind a Sigmoid, a Slice of it or one less it lies in [0,1]. What is not known can be anywhere.
// It remembers what it found; the graph must not change meanwhile.
type Ranger struct {
	g    *graph.Graph
	seen map[graph.Value]Interval
}

// NewRanger is a Ranger for the values of g.
func NewRanger(g *graph.Graph) *Ranger { return &Ranger{g, map[graph.Value]Interval{}} }

// Of is the interval of v.
func (r *Ranger) Of(v graph.Value) Interval {
	if v == 0 {
		return anywhere
	}
	if i, ok := r.seen[v]; ok {
		return i
	}
	i := r.find(v)
	if math.IsNaN(i.Lo) || math.IsNaN(i.Hi) {
		i = anywhere
	}
	r.seen[v] = i
	return i
}

func (r *Ranger) find(v graph.Value) Interval {
	info := r.g.Info(v)
	if info.Data != nil {
		return rangeOf(info)
	}
	n := info.Def
	if n == nil || len(n.Bodies) > 0 {
		return anywhere
	}
	in := func(i int) Interval {
		if i >= n.NumIn {
			return anywhere
		}
		return r.Of(n.In[i])
	}
	if a, ok := n.Attrs.(Ranged); ok {
		return a.Range(info.Index, in)
	}
	if n.Op.Domain != "" {
		return anywhere
	}
	switch {
	case n.Op == DequantizeLinear: // of what was quantised, that of the numbers before
		if q := r.g.Info(n.In[0]).Def; q != nil && q.Op == QuantizeLinear {
			return r.Of(q.In[0])
		}
		return anywhere
	case n.Op == QuantizeLinear:
		return anywhere
	case n.Op.Role == graph.View:
		return in(0)
	}
	return r.byName(n, in)
}

// rangeOf is that of a constant; a parameter may change.
func rangeOf(info *graph.Info) Interval {
	if info.Kind != graph.Constant || info.Data.Len() == 0 || info.Data.Len() > mostRanged || !info.Data.DType().IsFloat() &&
		!info.Data.DType().IsInt() {
		return anywhere
	}
	i := Interval{math.Inf(1), math.Inf(-1)}
	for _, x := range info.Data.Float64s() {
		i = i.union(Interval{x, x})
	}
	return i
}

// byName is the range of what n gives. Only operators that bound it, or hand bounds on, are here.
func (r *Ranger) byName(n *graph.Node, in func(int) Interval) Interval {
	each := func(f func(float64) float64) Interval { // of a function that grows
		x := in(0)
		return Interval{f(x.Lo), f(x.Hi)}
	}
	switch n.Op.Name {
	case Sigmoid.Name, HardSigmoid.Name, Softmax.Name, Hardmax.Name:
		return Interval{0, 1}
	case LogSoftmax.Name:
		return Interval{math.Inf(-1), 0}
	case Tanh.Name, Softsign.Name, Erf.Name, Sin.Name, Cos.Name:
		return Interval{-1, 1}
	case Exp.Name:
		return each(math.Exp)
	case Sqrt.Name:
		return each(func(x float64) float64 { return math.Sqrt(max(x, 0)) })
	case Relu.Name:
		return each(func(x float64) float64 { return max(x, 0) })
	case Abs.Name:
		x := in(0)
		return Interval{0, max(math.Abs(x.Lo), math.Abs(x.Hi))}
	case Neg.Name:
		x := in(0)
		return Interval{-x.Hi, -x.Lo}
	case Clip.Name:
		return r.clip(n, in(0))
	case Slice.Name, Split.Name, Gather.Name, GatherElements.Name, GatherND.Name, Expand.Name, Tile.Name, ReduceMean.Name,
		ReduceMax.Name, ReduceMin.Name, MaxPool.Name, GlobalAveragePool.Name, GlobalMaxPool.Name:
		return in(0)
	case AveragePool.Name:
		return in(0).union(Interval{0, 0}) // padding may count
	case Concat.Name, Max.Name, Min.Name, Mean.Name:
		all := in(0)
		for i := 1; i < n.NumIn; i++ {
			all = all.union(in(i))
		}
		return all
	case Where.Name:
		return in(1).union(in(2))
	case Add.Name, Sum.Name:
		if n.NumIn != 2 {
			return anywhere
		}
		a, b := in(0), in(1)
		return Interval{a.Lo + b.Lo, a.Hi + b.Hi}
	case Sub.Name:
		a, b := in(0), in(1)
		return Interval{a.Lo - b.Hi, a.Hi - b.Lo}
	case Mul.Name:
		return productOf(in(0), in(1))
	case Div.Name:
		if b := in(1); b.Lo > 0 || b.Hi < 0 {
			return productOf(in(0), Interval{1 / b.Hi, 1 / b.Lo})
		}
	}
	return anywhere
}

// clip is x within the bounds of a Clip.
func (r *Ranger) clip(n *graph.Node, x Interval) Interval {
	lo, hi := math.Inf(-1), math.Inf(1)
	if a, ok := n.Attrs.(*clipOldAttrs); ok {
		if a.Min != nil {
			lo = float64(*a.Min)
		}
		if a.Max != nil {
			hi = float64(*a.Max)
		}
	}
	bound := func(i int, to *float64) {
		if i < n.NumIn && n.In[i] != 0 {
			if t := r.g.Info(n.In[i]).Data; t != nil && t.Len() == 1 && t.DType() != tensor.String {
				*to = t.Float64s()[0]
			}
		}
	}
	bound(1, &lo)
	bound(2, &hi)
	return Interval{min(max(x.Lo, lo), hi), max(min(x.Hi, hi), lo)}
}

func productOf(a, b Interval) Interval {
	i := Interval{math.Inf(1), math.Inf(-1)}
	for _, x := range []float64{a.Lo, a.Hi} {
		for _, y := range []float64{b.Lo, b.Hi} {
			p := x * y
			if x == 0 || y == 0 {
				p = 0
			}
			i = i.union(Interval{p, p})
		}
	}
	return i
}
