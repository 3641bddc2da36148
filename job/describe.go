package job

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// Description is what Import and Inspect say of a model.
type Description struct {
	Schema      string           `json:"schema"`
	Model       string           `json:"model"`
	IRVersion   int64            `json:"ir_version"`
	Producer    string           `json:"producer"`
	Opsets      []Opset          `json:"opsets"`
	Inputs      []IOReport       `json:"inputs"`
	Outputs     []IOReport       `json:"outputs"`
	Parameters  int              `json:"parameters"`
	State       int              `json:"state"`        // numbers in running statistics
	WeightBytes int64            `json:"weight_bytes"` // parameters, running statistics and constants in memory
	Nodes       int              `json:"nodes"`
	Ops         []OpCount        `json:"ops"`
	Runs        bool             `json:"runs"`
	Trains      bool             `json:"trains"`
	Why         string           `json:"why"` // it does not run or train
	MACs        int64            `json:"macs"`
	PeakBytes   int64            `json:"activation_bytes"`
	At          map[string][]int `json:"at"`              // input shapes of macs and activation_bytes
	Batch       *BatchReport     `json:"batch"`           // null when it is not known
	Task        *TaskReport      `json:"task"`            // what the outputs seem to mean; null when the model does not run
	Tasks       []*TaskReport    `json:"tasks,omitempty"` // of each of several outputs
	NotTrained  []FixedReport    `json:"not_trained"`
	Labels      int              `json:"labels"`
	Preprocess  *data.Preprocess `json:"preprocess"`
	Warnings    []string         `json:"warnings"`

	LoadErr error `json:"-"` // why the engine cannot load it

	inspection *engine.Inspection
}

// FixedReport is a tensor of the file that is not trained, and why.
type FixedReport struct {
	Name  string `json:"name"`
	DType string `json:"dtype"`
	Shape []int  `json:"shape"`
	Why   string `json:"why"`
	State bool   `json:"state"` // running statistics
}

// Opset is an operator set that a model uses.
type Opset struct {
	Domain  string `json:"domain"`
	Version int64  `json:"version"`
}

// IOReport is an input or output of a model.
type IOReport struct {
	Name  string `json:"name"`
	DType string `json:"dtype"`
	Shape []any  `json:"shape"` // extents, symbols, "?"; null when the rank is not declared
	Text  string `json:"-"`     // name of the type, and shape
}

// OpCount is how often a model uses an operator, and what gtk knows of it.
type OpCount struct {
	Domain   string `json:"domain"`
	Op       string `json:"op"`
	Count    int    `json:"count"`
	Forward  bool   `json:"forward"`
	Gradient bool   `json:"gradient"` // false also for operators through which no gradient flows, such as Shape
	HasNone  bool   `json:"-"`        // no input is differentiable
}

// describe looks at a model; shapes are inferred for inputs, nil for sizes of its own choice. A model that the engine cannot load is
// described as far as possible, with LoadErr set.
func describe(m *onnx.Model, threads int, inputs []tensor.Shape) (*Description, error) {
	p := m.Proto
	d := &Description{Model: m.Path, IRVersion: p.GetIrVersion(),
		Producer: strings.TrimSpace(p.GetProducerName() + " " + p.GetProducerVersion()),
		Opsets:   []Opset{}, Inputs: ioReports(m.Inputs()), Outputs: ioReports(m.Outputs()), Ops: opReports(m),
		Nodes:    len(p.GetGraph().GetNode()),
		Warnings: append([]string{}, m.Warnings()...), At: map[string][]int{}, NotTrained: []FixedReport{}}
	for _, o := range p.GetOpsetImport() {
		d.Opsets = append(d.Opsets, Opset{cmp.Or(o.GetDomain(), "ai.onnx"), o.GetVersion()})
	}
	if s, ok := m.Metadata(LabelsKey); ok {
		var labels []string
		if json.Unmarshal([]byte(s), &labels) == nil {
			d.Labels = len(labels)
		}
	}
	if s, ok := m.Metadata(data.MetadataKey); ok {
		q, err := data.ParsePreprocess(s)
		if err != nil {
			d.warn("metadata %s: %v", data.MetadataKey, err)
		} else {
			d.Preprocess = &q
		}
	}
	em, err := engine.Load(m, engine.WithThreads(threads))
	if err != nil {
		var missing *engine.UnsupportedError
		if !errors.As(err, &missing) {
			return nil, badInput(err)
		}
		d.LoadErr, d.Why = badInput(err), err.Error()
		return d, nil
	}
	defer em.Close()
	d.Runs = true
	in, err := em.Inspect(inputs)
	switch {
	case err != nil && inputs != nil:
		return nil, badInput(err)
	case err != nil:
		d.warn("shapes, MACs and memory are not known: the sizes that were tried for the inputs do not fit (%v); gtk inspect --input "+
			"NAME=SHAPE takes others", err)
		in = em.Weights()
	}
	d.inspection = in
	d.Parameters, d.State, d.WeightBytes, d.MACs, d.PeakBytes = in.Parameters, in.State, in.WeightBytes, in.MACs, in.PeakBytes
	ins := em.Inputs()
	for i, s := range in.Inputs {
		d.At[ins[i].Name] = append([]int{}, s...)
	}
	states := map[string]bool{}
	for p := range em.Params() {
		states[p.Name] = p.State
	}
	for _, u := range in.NotTrained {
		d.NotTrained = append(d.NotTrained, FixedReport{Name: u.Name, DType: u.DType.String(), Shape: append([]int{}, u.Shape...),
			Why: u.Why, State: states[u.Name]})
	}
	d.Batch = batchOf(em)
	d.meanings(em)
	d.Why = trains(em)
	d.Trains = d.Why == ""
	d.advise(em)
	return d, nil
}

func (d *Description) warn(format string, args ...any) {
	d.Warnings = append(d.Warnings, fmt.Sprintf(format, args...))
}

// advise adds what a user of m should know.
func (d *Description) advise(m *engine.Model) {
	ins := m.Inputs()
	if d.Preprocess == nil && len(ins) == 1 && len(ins[0].Dims) == 4 {
		if _, _, err := completePreprocess(nil, ins[0]); err == nil {
			d.warn("it takes pictures and does not say how they are prepared: give --image-size, --resize, --channels, --scale, --mean, " +
				"--std to gtk import -o, and no later command needs them")
		}
	}
	if d.Task != nil && d.Labels > 0 && d.Task.Kind != "" && d.Task.Kind != task.Regression && d.Labels != d.Task.Classes {
		d.warn("%s given, and output %q has %s", units.Of(d.Labels, "the name of 1 class is", "the names of %d classes are"),
			d.Task.Output, units.Plural(d.Task.Classes, "class"))
	}
	if d.inspection.Unknown > 0 {
		d.warn("%s known only when it runs, and missing from MACs and memory",
			units.Of(d.inspection.Unknown, "the shape of 1 layer is", "the shapes of %d layers are"))
	}
}

func ioReports(vs []*onnxpb.ValueInfoProto) []IOReport {
	out := []IOReport{}
	for _, v := range vs {
		r := IOReport{Name: v.GetName(), DType: onnx.TypeString(v.GetType()), Text: onnx.TypeString(v.GetType())}
		if t := v.GetType().GetTensorType(); t != nil {
			r.DType = tensor.DType(t.GetElemType()).String()
			if t.Shape != nil {
				r.Shape = []any{}
				for _, dim := range t.GetShape().GetDim() {
					switch x := dim.GetValue().(type) {
					case *onnxpb.TensorShapeProto_Dimension_DimValue:
						r.Shape = append(r.Shape, x.DimValue)
					case *onnxpb.TensorShapeProto_Dimension_DimParam:
						r.Shape = append(r.Shape, x.DimParam)
					default:
						r.Shape = append(r.Shape, "?")
					}
				}
			}
		}
		out = append(out, r)
	}
	return out
}

// opReports counts the operators of the file, subgraphs and functions included.
func opReports(m *onnx.Model) []OpCount {
	type key struct{ domain, op string }
	count := map[key]*OpCount{}
	m.Walk(func(_ *onnxpb.GraphProto, n *onnxpb.NodeProto) {
		k := key{strings.TrimPrefix(n.GetDomain(), "ai.onnx"), n.GetOpType()}
		if strings.HasPrefix(n.GetDomain(), "ai.onnx.") {
			k.domain = n.GetDomain()
		}
		r := count[k]
		if r == nil {
			r = &OpCount{Domain: cmp.Or(k.domain, "ai.onnx"), Op: k.op}
			spec, _ := ops.Standard.Find(k.domain, k.op, int(m.Opset(k.domain)))
			switch {
			case k.domain == "" && k.op == "Constant":
				r.Forward, r.HasNone = true, true
			case m.Function(n) != nil:
				r.Forward, r.Gradient = true, true
			case spec != nil:
				r.Forward, r.Gradient, r.HasNone = spec.HasRun() || spec.HasLower(), spec.HasGrad(), !differentiable(spec)
			}
			count[k] = r
		}
		r.Count++
	})
	out := []OpCount{}
	for _, r := range count {
		out = append(out, *r)
	}
	slices.SortFunc(out, func(a, b OpCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Op, b.Op), cmp.Compare(a.Domain, b.Domain))
	})
	return out
}

// differentiable reports whether a gradient can flow through an operator at all: it has an input and an output of real numbers that its
// specification does not exclude.
func differentiable(s *graph.Spec) bool {
	real := func(f graph.Formal) bool {
		return !f.NoGrad && (f.Types == nil || slices.ContainsFunc(f.Types, tensor.DType.IsFloat))
	}
	return slices.ContainsFunc(s.In, real) && slices.ContainsFunc(s.Out, real)
}

// dimsOf is a shape of extents, symbols, and "?" for what is not known; nil when the rank is not.
func dimsOf(dims []graph.Dim) []any {
	if dims == nil {
		return nil
	}
	out := make([]any, len(dims))
	for i, d := range dims {
		switch {
		case d.Size >= 0:
			out[i] = d.Size
		case d.Symbol != "":
			out[i] = d.Symbol
		default:
			out[i] = "?"
		}
	}
	return out
}

// opName is the name of an operator with its domain.
func opName(domain, op string) string {
	if domain == "" {
		return op
	}
	return domain + "." + op
}
