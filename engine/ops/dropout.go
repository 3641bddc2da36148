package ops

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Dropout is the identity in inference, with a mask of ones. In training, asked for by the input training_mode, it drops each element
// with the probability ratio and divides the others by 1 - ratio; the mask tells which are kept.
//
// Masks differ from run to run. Those of a node with the attribute seed are, one after the other, what numpy.random.uniform draws after
// numpy.random.seed, as in ONNX's reference; others follow from the place of the node in its graph.
//
// Source: https://onnx.ai/onnx/operators/onnx__Dropout.html. Deviation: versions before 12 are the identity, also where the
// version 1 or 6 has is_test=0, which converters left at its default.
var Dropout = new(graph.Spec)

var dropoutOld, dropoutOldest = new(graph.Spec), new(graph.Spec)

// DropoutTrain is Dropout in training: inputs data and a seed (an int64 scalar, whose runs are counted, or [2]: it and the number of the
// run), outputs the result and the factor of each element, 0 or 1/(1 - ratio). The factors follow from the seed, the salt, and how many
// runs there were with this seed.
var DropoutTrain = new(graph.Spec)

type dropoutAttrs struct {
	Seed *int `onnx:"seed"`
}

type dropoutOldAttrs struct {
	Ratio  float32 `onnx:"ratio,default=0.5"`
	IsTest bool    `onnx:"is_test,default=0"`
}

type dropoutTrainAttrs struct {
	Ratio float32 `onnx:"ratio,default=0.5"`
	Salt  int     `onnx:"salt,default=0"`
}

func init() {
	doc := "https://onnx.ai/onnx/operators/onnx__Dropout.html"
	data := graph.Formal{Name: "data", Types: floats}
	out := []graph.Formal{{Name: "output"}, {Name: "mask", Optional: true, NoGrad: true}}
	define(Dropout, graph.Def[dropoutAttrs]{
		Name: "Dropout", Role: graph.View, Since: []int{12, 13, 22}, Doc: doc, Random: true,
		In: []graph.Formal{data, {Name: "ratio", Optional: true, NoGrad: true, Types: floats},
			{Name: "training_mode", Optional: true, NoGrad: true, Types: bools}}, Out: out,
		InPlace: [][2]int{{0, 0}}, Infer: sameShape[dropoutAttrs],
		Types: func(_ *dropoutAttrs, in, out []tensor.DType) error {
			out[0] = in[0]
			for i := range out[1:] {
				out[i+1] = tensor.Bool
			}
			return nil
		},
		Run: func(a *dropoutAttrs, c *graph.RunCtx) error {
			for i, name := range []string{"ratio", "training_mode"} {
				if c.Has(i+1) && c.In[i+1].Len() != 1 {
					return fmt.Errorf("%s has %d elements, want one", name, c.In[i+1].Len())
				}
			}
			if !c.Has(2) || !tensor.Data[bool](c.In[2])[0] {
				keepAll(c)
				return nil
			}
			ratio := 0.5
			if c.Has(1) {
				ratio = c.In[1].Float64s()[0]
			}
			if err := checkRatio(ratio); err != nil {
				return err
			}
			var keep func(int) bool
			if a.Seed != nil {
				keep = seededMask(c, uint32(*a.Seed), ratio)
			} else {
				keep = dropoutMask(c, 0, uint64(c.Node.ID), ratio)
			}
			if c.Want(1) {
				m := tensor.Data[bool](c.Out[1])
				for i := range m {
					m[i] = keep(i)
				}
			}
			if c.In[0].DType() == tensor.Float64 {
				dropOut(tensor.Data[float64](c.Out[0]), tensor.Data[float64](c.In[0]), keep, 1/(1-ratio))
			} else {
				dropOut(c.Out[0].F32(), c.In[0].F32(), keep, 1/(1-ratio))
			}
			return nil
		},
		Grad: func(_ *dropoutAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			mode := input(n, 2)
			if mode == 0 {
				return only(n, 0, dy[0]), nil
			}
			in := b.G.Info(mode)
			if in.Kind != graph.Constant {
				return nil, fmt.Errorf("training_mode is known only at run time: %w", graph.ErrNoGradient)
			}
			if in.Data.Len() != 1 {
				return nil, fmt.Errorf("training_mode has %d elements, want one", in.Data.Len())
			}
			if !tensor.Data[bool](in.Data)[0] {
				return only(n, 0, dy[0]), nil
			}
			d := b.DType(dy[0])
			keep := b.Scalar(d, 0.5)
			if ratio := input(n, 1); ratio != 0 {
				keep = sub(b, b.Scalar(d, 1), b.Add(Cast, CastTo(d), ratio))
			}
			return only(n, 0, b.Add(Where, nil, b.ExtraOutput(n, 1), div(b, dy[0], keep), b.Scalar(d, 0))), nil
		},
	})
	old := graph.Def[dropoutOldAttrs]{
		Name: "Dropout", Role: graph.View, Since: []int{10}, Doc: doc, In: []graph.Formal{data}, Out: out,
		InPlace: [][2]int{{0, 0}}, Infer: sameShape[dropoutOldAttrs],
		Types: func(_ *dropoutOldAttrs, in, out []tensor.DType) error {
			out[0] = in[0]
			for i := range out[1:] {
				out[i+1] = tensor.Bool
			}
			return nil
		},
		Run: func(_ *dropoutOldAttrs, c *graph.RunCtx) error {
			keepAll(c)
			return nil
		},
		Grad: func(_ *dropoutOldAttrs, _ *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, dy[0]), nil
		},
	}
	define(dropoutOld, old)
	old.Since, old.Types = []int{1, 6, 7}, nil // the mask has the type of data
	define(dropoutOldest, old)

	define(DropoutTrain, graph.Def[dropoutTrainAttrs]{
		Domain: Private, Name: "DropoutTrain", Since: []int{1}, Doc: doc, Random: true,
		In:      []graph.Formal{data, {Name: "seed", NoGrad: true, Types: int64s}},
		Out:     []graph.Formal{{Name: "output"}, {Name: "factor", Optional: true, NoGrad: true}},
		InPlace: [][2]int{{0, 0}}, Infer: sameShape[dropoutTrainAttrs],
		Run: func(a *dropoutTrainAttrs, c *graph.RunCtx) error {
			ratio := float64(a.Ratio)
			if err := checkRatio(ratio); err != nil {
				return err
			}
			seed := c.In[1].I64()
			var keep func(int) bool
			if len(seed) > 1 {
				keep = maskOf(uint64(seed[0]), uint64(a.Salt), uint64(seed[1]), ratio)
			} else {
				keep = dropoutMask(c, uint64(seed[0]), uint64(a.Salt), ratio)
			}
			if c.In[0].DType() == tensor.Float64 {
				dropOutFactor(c, tensor.Data[float64], keep, 1/(1-ratio))
			} else {
				dropOutFactor(c, tensor.Data[float32], keep, 1/(1-ratio))
			}
			return nil
		},
		Grad: func(_ *dropoutTrainAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return only(n, 0, mul(b, dy[0], b.ExtraOutput(n, 1))), nil
		},
	})
}

func checkRatio(r float64) error {
	if !(r >= 0 && r < 1) {
		return fmt.Errorf("ratio is %v, want 0 <= ratio < 1", r)
	}
	return nil
}

// keepAll is Dropout in inference.
func keepAll(c *graph.RunCtx) {
	copy(c.Out[0].Bytes(), c.In[0].Bytes())
	if !c.Want(1) {
		return
	}
	if m := c.Out[1]; m.DType() == tensor.Bool {
		b := tensor.Data[bool](m)
		for i := range b {
			b[i] = true
		}
	} else {
		fill(m, floatScalar(m.DType(), 1))
	}
}

// dropoutRuns counts the runs with one seed.
type dropoutRuns struct{ seed, runs uint64 }

// dropoutMask tells for each index whether it is kept. It follows from the seed, the salt and the number of runs with that seed before.
func dropoutMask(c *graph.RunCtx, seed, salt uint64, ratio float64) func(i int) bool {
	st, ok := (*c.Cache).(*dropoutRuns)
	switch {
	case !ok || st.seed != seed:
		st = &dropoutRuns{seed: seed}
		*c.Cache = st
	default:
		st.runs++
	}
	return maskOf(seed, salt, st.runs, ratio)
}

// maskOf says which elements a node drops in a run with seed, after so many others.
func maskOf(seed, salt, runs uint64, ratio float64) func(i int) bool {
	key := mix(mix(mix(seed)+salt) + runs)
	limit := uint64(math.Ldexp(ratio, 53))
	return func(i int) bool { return mix(key+uint64(i))>>11 >= limit }
}

// seededMask draws a number for each element.
func seededMask(c *graph.RunCtx, seed uint32, ratio float64) func(i int) bool {
	m, ok := (*c.Cache).(*mersenne)
	if !ok {
		m = newMersenne(seed)
		*c.Cache = m
	}
	kept := make([]bool, c.In[0].Len())
	for i := range kept {
		kept[i] = m.float64() >= ratio
	}
	return func(i int) bool { return kept[i] }
}

// mix scatters the bits of x.
//
// Source: Steele, Lea and Flood 2014, "Fast Splittable Pseudorandom Number Generators" (SplitMix64), whose output function this is.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func dropOut[T float32 | float64](out, in []T, keep func(int) bool, k float64) {
	for i, x := range in {
		out[i] = 0
		if keep(i) {
			out[i] = x * T(k)
		}
	}
}

func dropOutFactor[T float32 | float64](c *graph.RunCtx, data func(*tensor.Tensor) []T, keep func(int) bool, k float64) {
	x, y := data(c.In[0]), data(c.Out[0])
	var f []T
	if c.Want(1) {
		f = data(c.Out[1])
	}
	c.Pool.For(len(y), 1<<14, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			w := T(0)
			if keep(i) {
				w = T(k)
			}
			y[i] = x[i] * w
			if f != nil {
				f[i] = w
			}
		}
	})
}

// SetDropoutTraining makes n, when it is a Dropout in inference whose mask is not used and whose ratio is known, drop elements; seed is
// an int64 scalar. It reports whether it did.
func SetDropoutTraining(g *graph.Graph, n *graph.Node, seed graph.Value) bool {
	if len(n.Out) > 1 && n.Out[1] != 0 {
		return false
	}
	k := &dropoutTrainAttrs{Ratio: 0.5, Salt: n.ID}
	switch n.Op {
	case Dropout:
		if ratio := input(n, 1); ratio != 0 {
			in := g.Info(ratio)
			if in.Data == nil || in.Data.Len() != 1 {
				return false
			}
			k.Ratio = float32(in.Data.Float64s()[0])
		}
	case dropoutOld, dropoutOldest:
		k.Ratio = n.Attrs.(*dropoutOldAttrs).Ratio
	default:
		return false
	}
	n.Op, n.Attrs, n.In, n.NumIn = DropoutTrain, k, []graph.Value{n.In[0], seed}, 2
	return true
}
