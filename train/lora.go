package train

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/registry"
	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// LoRA trains low-rank adapters beside the weights of Gemm, MatMul and Conv, which stay as they are: the layer of a weight W computes with
//
//	W + (alpha/rank)·B·A
//
// where A begins uniform in ±1/sqrt(fan-in) and B at zero, so that the model begins as it was. In a convolution A is one over the same
// window to rank channels and B one over single positions.
//
// Source: Hu et al. 2022, "LoRA: Low-Rank Adaptation of Large Language Models" (arXiv 2106.09685), section 4.1; the uniform start (Kaiming
// with a = sqrt 5) and the convolutional form are those of its authors' code and of PEFT.
type LoRA struct {
	Rank    int
	Alpha   float64  // 0: Rank, so that the factor is 1
	Target  []string // globs (engine.Match) of weights or nodes that get an adapter; nil: every layer that can have one
	Exclude []string // globs of those that get none
	Whole   []string // parameters that are trained as they are, and get none, such as a fresh head
	Seed    uint64
	// Given are A and B by their names, "WEIGHT.lora_A" and "WEIGHT.lora_B", of adapters that are there already, in the place of fresh
	// ones: Rank, Target and Seed are not looked at. It is an error when one of them has no place.
	Given map[string]*tensor.Tensor
}

// Adapter is what is trained beside one weight.
type Adapter struct {
	Weight    string   // as the file has it
	Nodes     []string // layers that read it
	A, B      string   // parameters of the model with adapters
	Rank      int
	Quantised bool // the weight is stored in numbers of few bits

	shape tensor.Shape // as the layers read it
	dtype tensor.DType // in which the layers compute
	form  loraForm
	group int

	integer bool // the layer multiplies integers, its input is quantised too
}

// Skipped is a weight without an adapter, or a layer whose weight is not stored, and why.
type Skipped struct {
	Name, Why string
	Nodes     []string // layers that read the weight
}

// Adapters are those of a model.
type Adapters struct {
	List    []*Adapter
	Skipped []Skipped // layers that were asked for, or all; in file order
	Scale   float64   // alpha/rank
	few     int       // numbers in quantised weights of layers
	base    *onnx.Model
	factors []loraFactor
	known   []string          // names of all layers and weights that could be asked for
	names   map[string]string // of the weights of the base by those of the model with adapters
}

// Params are the names of the adapters' parameters.
func (a *Adapters) Params() []string {
	var names []string
	for _, x := range a.List {
		names = append(names, x.A, x.B)
	}
	return names
}

// Len is how many numbers they have.
func (a *Adapters) Len() int {
	n := 0
	for _, x := range a.List {
		sa, sb := x.shapes()
		n += sa.Len() + sb.Len()
	}
	return n
}

// QuantisedLen is how many numbers the quantised weights of Gemm, MatMul and Conv have, which are no parameters of the model.
func (a *Adapters) QuantisedLen() int { return a.few }

// Quantised are the names of quantised weights with an adapter.
func (a *Adapters) Quantised() []string {
	var names []string
	for _, x := range a.List {
		if x.Quantised {
			names = append(names, x.Weight)
		}
	}
	return names
}

// Add is a copy of m's file with adapters beside its layers, as nodes of ONNX's own. Functions are put in the place of their calls, and
// layers that ONNX Runtime fused are taken apart. It fails when no layer can have an adapter, or none that a glob matches.
func (l LoRA) Add(m *engine.Model) (*onnx.Model, *Adapters, error) {
	alpha := l.Alpha
	if l.Given != nil {
		l.Rank, l.Target, alpha = 1, nil, 1
		if l.Alpha != 0 {
			alpha = l.Alpha
		}
	}
	if alpha == 0 {
		alpha = float64(l.Rank)
	}
	if l.Rank < 1 || !(alpha > 0) || math.IsInf(alpha, 0) {
		return nil, nil, fmt.Errorf("train: LoRA: rank %d and alpha %v: both must be positive", l.Rank, l.Alpha)
	}
	a := &Adapters{base: m.File(), Scale: alpha / float64(l.Rank)}
	f, found, err := l.find(m, a)
	if err != nil {
		return nil, nil, err
	}
	for _, w := range found {
		if l.Given != nil {
			x, err := w.given(f, l.Given)
			if err != nil {
				return nil, nil, err
			}
			if x != nil {
				a.List = append(a.List, x)
			}
			continue
		}
		if why := w.tooSmall(l.Rank); why != "" {
			a.skip(w.key, why, w.reads...)
			continue
		}
		a.List = append(a.List, w.adapter(f, l.Rank))
	}
	for _, pattern := range l.Exclude {
		hit := func(name string) bool { return matchesLayer(pattern, name) }
		if slices.ContainsFunc(a.known, hit) {
			continue
		}
		var names []string
		for p := range m.Params() {
			names = append(names, p.Name)
		}
		if _, err := matching("freeze", pattern, names); err != nil {
			return nil, nil, err
		}
	}
	if l.Given != nil {
		err = a.homeless(l.Given)
	} else {
		err = l.unmatched(a)
	}
	if err != nil {
		return nil, nil, err
	}
	b := newLoRABuild(f)
	for i, w := range slices.DeleteFunc(slices.Clone(found), func(w *loraWeight) bool { return a.of(w.key) == nil }) {
		x := a.List[i]
		first, second := l.Given[x.A], l.Given[x.B]
		if l.Given == nil {
			first, second = l.initial(x)
		}
		if err := b.add(w, x, a.Scale, first, second); err != nil {
			return nil, nil, err
		}
	}
	a.factors = b.factors
	a.name(f)
	return f.m, a, nil
}

// Integers are those of Quantised whose layers quantise what comes in too, so that they would compute something else with a weight of real
// numbers.
func (a *Adapters) Integers() []string {
	var names []string
	for _, x := range a.List {
		if x.integer {
			names = append(names, x.Weight)
		}
	}
	return names
}

// of is the adapter of a weight, nil for none.
func (a *Adapters) of(weight string) *Adapter {
	for _, x := range a.List {
		if x.Weight == weight {
			return x
		}
	}
	return nil
}

func (a *Adapters) skip(name, why string, reads ...loraRead) {
	s := Skipped{Name: name, Why: why}
	for _, r := range reads {
		s.Nodes = append(s.Nodes, nodeName(r.n))
	}
	a.Skipped = append(a.Skipped, s)
}

// unmatched is the error of a glob that no adapter came of.
func (l LoRA) unmatched(a *Adapters) error {
	why := func(match func(string) bool) string {
		var list []string
		for _, s := range a.Skipped {
			if match(s.Name) || slices.ContainsFunc(s.Nodes, match) {
				list = append(list, fmt.Sprintf("%s: %s", shown.Line(s.Name, 80), s.Why))
			}
		}
		if n := len(list); n > 5 {
			list = append(list[:5], fmt.Sprintf("and %d more", n-5))
		}
		return strings.Join(list, "; ")
	}
	for _, pattern := range l.Target {
		match := func(name string) bool { return matchesLayer(pattern, name) }
		if slices.ContainsFunc(a.List, func(x *Adapter) bool {
			return match(x.Weight) || slices.ContainsFunc(x.Nodes, match)
		}) {
			continue
		}
		if s := why(match); s != "" {
			return fmt.Errorf("train: LoRA: no layer that %q matches can have an adapter: %s", pattern, s)
		}
		hint := ""
		if near := registry.Suggest(pattern, a.known); len(near) > 0 {
			hint = fmt.Sprintf(" (did you mean %q?)", near[0])
		}
		return fmt.Errorf("train: LoRA: %q matches no weight and no node of a Gemm, MatMul or Conv%s", pattern, hint)
	}
	if len(a.List) > 0 {
		return nil
	}
	if s := why(func(string) bool { return true }); s != "" {
		return fmt.Errorf("train: LoRA: no layer can have an adapter: %s", s)
	}
	return fmt.Errorf("train: LoRA: the model has no Gemm, MatMul or Conv with a weight of its own")
}

// matchesLayer reports whether the glob matches the name of a weight or node.
func matchesLayer(pattern, name string) bool {
	ok, _ := engine.Match(pattern, strings.TrimPrefix(name, "/"))
	if !ok {
		ok, _ = engine.Match(pattern, name)
	}
	return ok
}

// initial draws A and makes B of zeros, in the layer's element type. What is drawn depends on the seed and the weight's name alone.
func (l LoRA) initial(x *Adapter) (a, b *tensor.Tensor) {
	sa, sb := x.shapes()
	h := fnv.New64a()
	h.Write([]byte(x.Weight))
	r := rand.New(rand.NewPCG(l.Seed, h.Sum64()))
	a = tensor.New(tensor.Float32, sa...)
	bound := 1 / math.Sqrt(float64(max(1, x.fanIn())))
	for i := range a.F32() {
		a.F32()[i] = float32((2*r.Float64() - 1) * bound)
	}
	return a, tensor.New(tensor.Float32, sb...)
}

// name remembers what the weights of the base are called in f's model.
func (a *Adapters) name(f *finder) {
	a.names = map[string]string{}
	own := in(a.Params())
	for _, w := range f.m.Weights() {
		var key any = w.Proto
		if w.Attr != nil {
			key = w.Attr
		}
		if from, ok := f.names[key]; ok && !own(w.Name) {
			a.names[w.Name] = from
		}
	}
}

// isBody reports whether g is not the main graph of m.
func isBody(m *onnx.Model, g *onnxpb.GraphProto) bool { return g != m.Proto.GetGraph() }
