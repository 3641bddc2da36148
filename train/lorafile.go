package train

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// LoRAKey is the metadata property of a patch: a model without nodes whose initializers are adapters.
const LoRAKey = "gtk.lora"

// patchInfo is the value of LoRAKey.
type patchInfo struct {
	Schema   string   `json:"schema"`
	Base     string   `json:"base"`     // digest of the weights that have adapters, as the model without them holds them
	Adapters []string `json:"adapters"` // those weights
	Whole    []string `json:"whole"`    // weights that the patch has whole
}

// Tensors are A and alpha/rank·B of each adapter by name, from trained, a model of Add with other numbers.
func (a *Adapters) Tensors(trained *onnx.Model) ([]tensor.Named, error) {
	var list []tensor.Named
	for _, x := range a.List {
		for i, name := range []string{x.A, x.B} {
			p := trained.Initializer(name)
			if p == nil {
				return nil, fmt.Errorf("train: LoRA: the model has no %q", name)
			}
			t, err := trained.Tensor(p)
			if err != nil {
				return nil, fmt.Errorf("train: LoRA: %w", err)
			}
			if i == 1 && a.Scale != 1 {
				if t, err = scaled(t, a.Scale); err != nil {
					return nil, fmt.Errorf("train: LoRA: %q: %w", name, err)
				}
			}
			list = append(list, tensor.Named{Name: name, Tensor: t})
		}
	}
	return list, nil
}

func scaled(t *tensor.Tensor, factor float64) (*tensor.Tensor, error) {
	x := slices.Clone(t.Float64s())
	for i := range x {
		x[i] *= factor
	}
	return tensor.From(x, t.Shape()...).Convert(t.DType())
}

// WithInputs is trained, a model of Add with other numbers, with the adapters as inputs: A and alpha/rank·B are fed by their names, in any
// rank. Their default is zero, with which the model computes as without them.
func (a *Adapters) WithInputs(trained *onnx.Model) (*onnx.Model, error) {
	out := trained.Clone()
	g := out.Proto.GetGraph()
	for _, k := range a.factors {
		if k.own != 1 {
			if err := setScalar(out, k.name, k.own); err != nil {
				return nil, err
			}
			continue
		}
		at := slices.IndexFunc(g.Node, func(n *onnxpb.NodeProto) bool { return slices.Contains(n.GetOutput(), k.out) })
		if at < 0 {
			return nil, fmt.Errorf("train: LoRA: the model has no value %q", k.out)
		}
		from := g.Node[at].Input[0]
		g.Node = slices.Delete(g.Node, at, at+1)
		for _, n := range g.Node {
			for i, x := range n.Input {
				if x == k.out {
					n.Input[i] = from
				}
			}
		}
		g.Initializer = slices.DeleteFunc(g.Initializer, func(t *onnxpb.TensorProto) bool { return t.GetName() == k.name })
		g.Input = slices.DeleteFunc(g.Input, func(v *onnxpb.ValueInfoProto) bool { return v.GetName() == k.name })
	}
	if v := out.Proto.GetIrVersion(); v < 4 {
		out.Proto.IrVersion = new(int64(4)) // from which on the default of an input may be fed
	}
	for _, x := range a.List {
		sa, sb := x.shapes()
		ra, rb := x.rankAxes()
		for i, name := range []string{x.A, x.B} {
			shape, axis := sa, ra
			if i == 1 {
				shape, axis = sb, rb
			}
			if err := out.SetInitializer(name, tensor.New(x.dtype, shape...)); err != nil {
				return nil, fmt.Errorf("train: LoRA: %w", err)
			}
			dims := make([]any, len(shape))
			for k, d := range shape {
				dims[k] = d
			}
			dims[axis] = "lora_rank"
			g.Input = slices.DeleteFunc(g.Input, func(v *onnxpb.ValueInfoProto) bool { return v.GetName() == name })
			g.Input = append(g.Input, onnx.ValueInfo(name, x.dtype, dims...))
		}
	}
	return out, nil
}

func setScalar(m *onnx.Model, name string, v float64) error {
	p := m.Initializer(name)
	if p == nil {
		return fmt.Errorf("train: LoRA: the model has no %q", name)
	}
	if err := m.SetInitializer(name, scalarOf(v, tensor.DType(p.GetDataType()))); err != nil {
		return fmt.Errorf("train: LoRA: %w", err)
	}
	return nil
}

// rankAxes are the axes of A and B that are the rank.
func (x *Adapter) rankAxes() (a, b int) {
	k := len(x.shape) - 2
	switch x.form {
	case loraRight:
		return k + 1, k
	case loraLeft:
		return k, k + 1
	case loraTransB:
		return 1, 0
	}
	return 0, 1 // convolutions
}

// Patch is a small model without nodes: A and alpha/rank·B of each adapter, and what was trained whole beside them, as initializers that
// are its outputs. Apply puts it onto the model without adapters. A model whose weights have other shapes than before, such as one with a
// fresh last layer, is no patch of it.
func (a *Adapters) Patch(trained *onnx.Model) (*onnx.Model, error) {
	list, err := a.Tensors(trained)
	if err != nil {
		return nil, err
	}
	info := patchInfo{Schema: LoRAKey + "/1", Adapters: []string{}, Whole: []string{}}
	for _, x := range a.List {
		info.Adapters = append(info.Adapters, x.Weight)
	}
	if info.Base, err = baseDigest(a.base, info.Adapters); err != nil {
		return nil, err
	}
	now := a.base.Clone()
	if err := a.carry(trained, now); err != nil {
		return nil, err
	}
	was, err := weightsOf(a.base)
	if err != nil {
		return nil, err
	}
	is, err := weightsOf(now)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(is)) {
		if old, new := was[name], is[name]; old == nil || !slices.Equal(old.Bytes(), new.Bytes()) {
			info.Whole = append(info.Whole, name)
			list = append(list, tensor.Named{Name: name, Tensor: new})
		}
	}
	g := &onnxpb.GraphProto{Name: new("adapter")}
	for _, x := range list {
		g.Initializer = append(g.Initializer, onnx.TensorToProto(x.Name, x.Tensor))
		dims := make([]any, x.Tensor.Rank())
		for k, d := range x.Tensor.Shape() {
			dims[k] = d
		}
		g.Output = append(g.Output, onnx.ValueInfo(x.Name, x.Tensor.DType(), dims...))
	}
	out := onnx.NewModel(g, max(13, min(a.base.Opset(""), 17)))
	raw, err := json.Marshal(info)
	if err != nil {
		return nil, err
	}
	out.SetMetadata(LoRAKey, string(raw))
	return out, nil
}

// weightsOf are the weights of m by name.
func weightsOf(m *onnx.Model) (map[string]*tensor.Tensor, error) {
	of := map[string]*tensor.Tensor{}
	for _, w := range m.Weights() {
		t, err := m.WeightTensor(w)
		if err != nil {
			return nil, fmt.Errorf("train: LoRA: %w", err)
		}
		of[w.Name] = t
	}
	return of, nil
}

// baseDigest knows the weights of those names; quantised ones are initializers of integers.
func baseDigest(m *onnx.Model, names []string) (string, error) {
	of, err := weightsOf(m)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, name := range slices.Sorted(slices.Values(names)) {
		t := of[name]
		if p := m.Initializer(name); t == nil && p != nil {
			if t, err = m.Tensor(p); err != nil {
				return "", fmt.Errorf("train: LoRA: %w", err)
			}
		}
		if t != nil {
			digestTensor(h, name, t)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// LoRAPatch is what a file of adapters has.
type LoRAPatch struct {
	Adapters map[string]*tensor.Tensor // A and alpha/rank·B by name
	Whole    map[string]*tensor.Tensor // weights that are replaced
	base     string                    // digest, "" where the file has none
}

// ReadPatch reads the content of a patch.
func ReadPatch(m *onnx.Model) (*LoRAPatch, error) {
	raw, ok := m.Metadata(LoRAKey)
	if !ok {
		return nil, fmt.Errorf("train: LoRA: the model is no patch of adapters: its metadata have no %s", LoRAKey)
	}
	var info patchInfo
	if err := json.Unmarshal([]byte(raw), &info); err != nil {
		return nil, fmt.Errorf("train: LoRA: metadata %s: %w", LoRAKey, err)
	}
	p := &LoRAPatch{Adapters: map[string]*tensor.Tensor{}, Whole: map[string]*tensor.Tensor{}, base: info.Base}
	whole := in(info.Whole)
	for _, x := range m.Proto.GetGraph().GetInitializer() {
		t, err := m.Tensor(x)
		if err != nil {
			return nil, fmt.Errorf("train: LoRA: %w", err)
		}
		if whole(x.GetName()) {
			p.Whole[x.GetName()] = t
		} else {
			p.Adapters[x.GetName()] = t
		}
	}
	return p, nil
}

// IsFor reports whether the patch was made for the weights of m, as far as it says.
func (p *LoRAPatch) IsFor(m *onnx.Model) (bool, error) {
	if p.base == "" {
		return true, nil
	}
	var names []string
	for name := range p.Adapters {
		if w, is := strings.CutSuffix(strings.TrimRight(name, "~"), loraA); is {
			names = append(names, w)
		}
	}
	d, err := baseDigest(m, names)
	return d == p.base, err
}

const loraA, loraB = ".lora_A", ".lora_B"

// given is the adapter of w among those that are there, nil for none.
func (w *loraWeight) given(f *finder, list map[string]*tensor.Tensor) (*Adapter, error) {
	x := w.adapter(f, 1)
	a, b := list[x.A], list[x.B]
	if a == nil && b == nil {
		return nil, nil
	}
	if a == nil || b == nil {
		return nil, fmt.Errorf("train: LoRA: of the adapter of %q there is only one of %q and %q", w.key, x.A, x.B)
	}
	k, _ := x.rankAxes()
	if k < a.Rank() {
		x.Rank = a.Dim(k)
	}
	if sa, sb := x.shapes(); !a.Shape().Equal(sa) || !b.Shape().Equal(sb) || x.Rank < 1 {
		return nil, fmt.Errorf("train: LoRA: the adapter of %q has shapes %v and %v, and its weight of shape %v wants %v and %v: it is of "+
			"another model", w.key, a.Shape(), b.Shape(), w.shape, sa, sb)
	}
	return x, nil
}

// homeless is the error of given adapters without a layer.
func (a *Adapters) homeless(given map[string]*tensor.Tensor) error {
	own := in(a.Params())
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if own(name) {
			continue
		}
		w := strings.TrimSuffix(strings.TrimSuffix(name, loraA), loraB)
		for _, s := range a.Skipped {
			if s.Name == w {
				return fmt.Errorf("train: LoRA: the adapter %q has no place: %s", name, s.Why)
			}
		}
		return fmt.Errorf("train: LoRA: the adapter %q has no place: the model has no layer with a weight %q", name, w)
	}
	if len(a.List) == 0 {
		return fmt.Errorf("train: LoRA: there is no adapter")
	}
	return nil
}
