package job

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
	"github.com/gtk-onnx/gtk/train"
)

// AdapterOptions say which adapters Export puts onto the model.
type AdapterOptions struct {
	File   string // NAME.onnx_adapter of ONNX Runtime, or NAME.onnx, a patch that Finetune wrote
	Form   string // one of AdapterForms; "" means merged
	Anyway bool   // also onto a model with other weights than those that the patch was made for
}

// AdapterForms are the forms of a model with adapters: those of LoRAForms, and inputs, a model that is fed them by ONNX Runtime and
// computes without them as it did before.
var AdapterForms = append(slices.Clone(LoRAForms), "inputs")

// AdapterReport says what adapters were put on.
type AdapterReport struct {
	File       string   `json:"file"`
	Form       string   `json:"form"`
	Weights    []string `json:"weights"` // with an adapter
	Parameters int      `json:"parameters"`
	Whole      int      `json:"whole"` // tensors that were replaced
}

// exportAdapter writes a model with adapters. What is written is compared with the model that has them beside its weights, or as inputs
// with the model without.
func exportAdapter(ctx context.Context, c ExportConfig) (*ExportReport, error) {
	a := &AdapterReport{File: c.Adapter.File, Form: cmp.Or(c.Adapter.Form, AdapterForms[0])}
	if !slices.Contains(AdapterForms, a.Form) {
		return nil, usagef("--adapter-form %q: want one of %v", a.Form, AdapterForms)
	}
	r := &ExportReport{Schema: "gtk.export/1", From: c.From, Out: c.Out, DryRun: c.DryRun, Adapter: a}
	path, err := modelOfRun(c.From)
	in := append(reads(path, ModelOptions{}), read{"--adapter", a.File, false})
	release, cerr := claim(in, output{flag: "--out", path: r.Out, force: c.Force})
	if err = cmp.Or(cerr, err); err != nil {
		return nil, err
	}
	defer release()
	r.Path = path
	source, err := ReadModel(path)
	if err != nil {
		return nil, err
	}
	m, as, err := c.withAdapters(ctx, source, a)
	if err != nil {
		return nil, err
	}
	if c.Opset != 0 {
		if m, _, err = converted(m, c.Opset, c.Threads); err != nil {
			return nil, err
		}
	}
	r.Opset = m.Opset("")
	return c.write(ctx, r, m, as)
}

// withAdapters is source with the adapters, and what it must compute.
func (c ExportConfig) withAdapters(ctx context.Context, source *onnx.Model, a *AdapterReport) (*onnx.Model, *exported, error) {
	patch, file, err := readAdapters(a.File)
	if err != nil {
		return nil, nil, err
	}
	if is, err := patch.IsFor(source); err != nil {
		return nil, nil, err
	} else if !is && !c.Adapter.Anyway {
		return nil, nil, badInput(fmt.Errorf("%s was made for a model with other weights than %s: give that model, or --adapter-anyway",
			a.File, c.From))
	}
	base := source.Clone()
	if takesAdapters(base, patch) {
		return c.intoInputs(ctx, base, patch, a)
	}
	if err := base.SetWeights(patch.Whole); err != nil {
		return nil, nil, badInput(fmt.Errorf("%s: %w", a.File, err))
	}
	if file != nil {
		for _, p := range file.Proto.GetMetadataProps() {
			if p.GetKey() != train.LoRAKey {
				base.SetMetadata(p.GetKey(), p.GetValue())
			}
		}
	}
	m, err := engine.Load(base, engine.WithThreads(c.Threads))
	if err != nil {
		return nil, nil, badInput(err)
	}
	beside, list, err := train.LoRA{Given: patch.Adapters}.Add(m)
	if err != nil {
		return nil, nil, badInput(fmt.Errorf("%s: %w", a.File, err))
	}
	for _, x := range list.List {
		a.Weights = append(a.Weights, x.Weight)
	}
	a.Parameters, a.Whole = list.Len(), len(patch.Whole)
	out, truth := beside, beside
	switch a.Form {
	case "merged", "dequantised":
		if q := list.Quantised(); len(q) > 0 && a.Form == "merged" {
			return nil, nil, quantisedMerge("--adapter-form", q)
		}
		if err := integerMerge("--adapter-form", list); err != nil {
			return nil, nil, err
		}
		out, err = list.Merge(beside, a.Form == "dequantised")
	case "inputs":
		truth = base
		out, err = list.WithInputs(beside)
	}
	if err != nil {
		return nil, nil, err
	}
	as, err := outputsForExport(ctx, c, truth)
	as.loose = a.Form == "merged" || a.Form == "dequantised"
	return out, as, err
}

// takesAdapters reports whether m has an input for each adapter of p already, as models for ONNX Runtime do.
func takesAdapters(m *onnx.Model, p *train.LoRAPatch) bool {
	for name := range p.Adapters {
		if m.Initializer(name) == nil {
			return false
		}
	}
	return len(p.Adapters) > 0
}

// intoInputs stores adapters in the inputs that base has for them.
func (c ExportConfig) intoInputs(ctx context.Context, base *onnx.Model, p *train.LoRAPatch, a *AdapterReport) (*onnx.Model, *exported,
	error) {
	if a.Form != "beside" {
		return nil, nil, usagef("%s takes these adapters as inputs: --adapter-form beside stores them there; to have them merged, give the "+
			"model that they were trained on", c.From)
	}
	g := base.Proto.GetGraph()
	for i, t := range g.Initializer {
		x := p.Adapters[t.GetName()]
		if x == nil {
			continue
		}
		if was := tensor.DType(t.GetDataType()); was != x.DType() || len(t.GetDims()) != x.Rank() {
			return nil, nil, badInput(fmt.Errorf("%s: %q is %v, and %s takes %v of %d axes", a.File, t.GetName(), x, c.From, was,
				len(t.GetDims())))
		}
		g.Initializer[i] = onnx.TensorToProto(t.GetName(), x)
		a.Parameters += x.Len()
		if w, is := strings.CutSuffix(t.GetName(), ".lora_B"); is {
			a.Weights = append(a.Weights, w)
		}
	}
	g.Input = slices.DeleteFunc(g.Input, func(v *onnxpb.ValueInfoProto) bool { return p.Adapters[v.GetName()] != nil })
	if err := base.SetWeights(p.Whole); err != nil {
		return nil, nil, badInput(fmt.Errorf("%s: %w", a.File, err))
	}
	a.Whole = len(p.Whole)
	if _, err := engine.Load(base, engine.WithThreads(c.Threads)); err != nil {
		return nil, nil, badInput(err)
	}
	as, err := outputsForExport(ctx, c, base)
	return base, as, err
}

// close reports whether x is y but for the rounding of sums in another order; of a model with merged adapters more may differ.
func (x *exported) close(got, want *tensor.Tensor) (bool, tensor.Report) {
	if !x.loose {
		return tensor.AllClose(got, want, 1e-5, 1e-6)
	}
	slack := mergedSlack(want.DType())
	most := 0.0
	if !want.DType().IsContainer() && want.DType().IsFloat() {
		most = largest(want.Float64s())
	}
	return tensor.AllClose(got, want, slack, slack*most)
}

// quantisedMerge is the error of a quantised weight that is to take its adapter in.
func quantisedMerge(flag string, weights []string) error {
	return usagef("the weight %q (of %d) is quantised and cannot take its adapter in: %s beside keeps the adapters as nodes "+
		"beside it, %[3]s dequantised makes it real numbers with the adapter in it", weights[0], len(weights), flag)
}

// integerMerge is the error of layers of integers that are to be made of real numbers, nil where there are none.
func integerMerge(flag string, a *train.Adapters) error {
	k := a.Integers()
	if len(k) == 0 {
		return nil
	}
	return usagef("the layer of the weight %q (of %d) multiplies integers, and with real numbers it would compute something else: %s beside "+
		"keeps the adapters as nodes beside it", k[0], len(k), flag)
}
