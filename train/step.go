package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// StepKey is the metadata property of a model that is a training step: a StepInfo as JSON.
const StepKey = "gtk.train_step"

// Next ends the name of an output that the next step takes as the input of the name before it.
const Next = ":next"

// StepConfig says what a training step does.
type StepConfig struct {
	Params    []string         // what is trained (see Select); nil: every weight
	Optimizer *optim.Optimizer // its chain of rules; what it remembers is not looked at
	Rule      string           // its name, for StepInfo
	LR        float64          // default of the input that is the learning rate
	BN        engine.BNMode
	NoDecay1D bool // no weight decay on parameters of one axis
}

// StepInfo says what the inputs and outputs of a training step are.
type StepInfo struct {
	Schema    string            `json:"schema"`
	Optimizer string            `json:"optimizer"`
	Loss      string            `json:"loss"`             // output: the mean loss of the batch, a scalar
	LossName  string            `json:"loss_name"`        // what it is
	Output    string            `json:"output"`           // output: what the model gives for the batch, before the step
	Labels    string            `json:"labels,omitempty"` // input: class numbers
	Target    string            `json:"target,omitempty"` // input: real numbers
	Weight    string            `json:"weight,omitempty"` // input: what the loss of each example is multiplied by before it is summed
	LR        string            `json:"lr"`               // input: the learning rate
	Step      string            `json:"step"`             // input: steps done so far
	Feedback  map[string]string `json:"feedback"`         // output → input of the next step
	Grads     map[string]string `json:"grads"`            // trained parameter → output that is its gradient
	Unused    []string          `json:"unused,omitempty"` // parameters on which the loss does not depend: they stay as they are
}

// StepModel is the forward pass of m with the loss of t, its gradient by the trained parameters and a step of the optimiser as one ONNX
// model in ONNX's own operators. It takes the inputs of m and the truth (task.LabelInput or task.TargetInput, and task.WeightInput where
// examples differ in their number of terms, see task.Task.Total); trained parameters, what the optimiser remembers of each ("NAME:m"),
// "lr" and "step" are inputs with defaults. It gives "loss", the gradients as "grad:NAME", the output of the task, and for each thing that
// a step changes NAME:next, to be fed back as NAME; StepKey of the metadata says which. An *engine.UnsupportedError lists the operators
// whose gradient has no form in ONNX's operators.
func StepModel(m *engine.Model, t *task.Task, c StepConfig) (*onnx.Model, error) {
	if c.Optimizer == nil {
		return nil, errors.New("train: no optimiser is given")
	}
	if c.Params == nil {
		var err error
		if c.Params, err = Select(m, nil, false); err != nil {
			return nil, err
		}
	}
	s := &stepBuild{m: m, c: c, info: StepInfo{
		Schema: StepKey + "/1", Optimizer: c.Rule, Loss: "loss", LossName: t.Name, Output: t.Fetch(), LR: "lr", Step: "step",
		Feedback: map[string]string{}, Grads: map[string]string{},
	}}
	loss := t.Mean()
	if t.Uneven() {
		loss, s.info.Weight = t.Total(), task.WeightInput
	}
	if t.Loss.Classes() {
		s.info.Labels = task.LabelInput
	} else {
		s.info.Target = task.TargetInput
	}
	om, err := m.Export(engine.Query{Loss: loss, Grad: c.Params, Fetch: []string{t.Fetch()}, BN: c.BN, Derive: s.derive})
	if err != nil {
		return nil, fmt.Errorf("train: a training step cannot be written: %w", err)
	}
	if err := s.finish(om); err != nil {
		return nil, err
	}
	return om, nil
}

// stepBuild is a training step under construction.
type stepBuild struct {
	m     *engine.Model
	c     StepConfig
	info  StepInfo
	slots []tensor.Named // defaults of inputs that the graph has no values of
}

// derive adds the step of the optimiser to the graph.
func (s *stepBuild) derive(b *engine.Build) (engine.Outputs, error) {
	taken := map[string]bool{}
	for _, n := range b.G.Names() {
		taken[n] = true
	}
	if in := slices.IndexFunc(s.m.Inputs(), func(in engine.IO) bool { return in.Name == s.info.Loss }); in >= 0 {
		return nil, fmt.Errorf("the model has an input %q, which is the name of an output of a training step: rename it", s.info.Loss)
	}
	for _, name := range []*string{&s.info.LR, &s.info.Step} {
		if taken[*name] {
			*name = "gtk." + *name
		}
	}
	a := &algebra{b: b.Builder}
	scalar := []graph.Dim{}
	step := b.Input(s.info.Step, tensor.Int64, scalar)
	lr := b.Input(s.info.LR, tensor.Float32, scalar)
	next := b.Add(ops.Add, nil, step, b.Const(tensor.Scalar(int64(1))))
	s.slots = append(s.slots, tensor.Named{Name: s.info.Step, Tensor: tensor.Scalar(int64(0))},
		tensor.Named{Name: s.info.LR, Tensor: tensor.Scalar(float32(s.c.LR))})
	outs := engine.Outputs{s.info.Step + Next: next}
	s.info.Feedback[s.info.Step+Next] = s.info.Step

	var vs []*optim.Variable
	names := slotNames(s.c.Optimizer)
	for _, name := range s.c.Params {
		p, err := s.m.Param(name)
		if err != nil {
			return nil, err
		}
		g := b.Gradient(name)
		if g == 0 {
			s.info.Unused = append(s.info.Unused, name)
			continue
		}
		w, err := b.Value(name)
		if err != nil {
			return nil, err
		}
		v := &optim.Variable{Name: name, W: a.tensor(w), G: a.tensor(g), Decay: !s.c.NoDecay1D || p.Value.Rank() > 1}
		for _, slot := range names {
			in := name + ":" + slot
			if taken[in] {
				return nil, fmt.Errorf("the model has a value %q, which is what the optimiser's memory of %q is called: rename it", in, name)
			}
			d := b.DType(w)
			v.Slot = append(v.Slot, a.tensor(b.Input(in, d, dims(p.Value.Shape()))))
			s.slots = append(s.slots, tensor.Named{Name: in, Tensor: tensor.New(d, p.Value.Shape()...)})
		}
		s.info.Grads[name] = "grad:" + name
		vs = append(vs, v)
	}
	if len(vs) == 0 {
		return nil, errors.New("the loss depends on none of the trained parameters")
	}
	if err := s.c.Optimizer.Express(a, a.number(b.Add(ops.Cast, ops.CastTo(tensor.Float64), next)), a.number(lr), vs); err != nil {
		return nil, err
	}
	for _, v := range vs {
		s.feed(outs, v.Name, a.of[v.W].v)
		for i, slot := range names {
			s.feed(outs, v.Name+":"+slot, a.of[v.Slot[i]].v)
		}
	}
	return outs, nil
}

// feed has v be what the input name is in the next step.
func (s *stepBuild) feed(outs engine.Outputs, name string, v graph.Value) {
	outs[name+Next] = v
	s.info.Feedback[name+Next] = name
}

// slotNames are the slots of an optimiser, without their rule where that leaves them apart.
func slotNames(o *optim.Optimizer) []string {
	short := map[string]int{}
	all := o.Slots()
	for _, s := range all {
		_, slot, _ := strings.Cut(s, ".")
		short[slot]++
	}
	for i, s := range all {
		if _, slot, _ := strings.Cut(s, "."); short[slot] == 1 {
			all[i] = slot
		}
	}
	return all
}

func dims(s tensor.Shape) []graph.Dim {
	d := make([]graph.Dim, len(s))
	for i, n := range s {
		d[i] = graph.Dim{Size: n}
	}
	return d
}

// finish makes what is fed back inputs with defaults, names and orders the outputs, and writes the metadata.
func (s *stepBuild) finish(om *onnx.Model) error {
	g := om.Proto.GetGraph()
	renamed := map[string]string{} // running statistics
	for _, o := range g.Output {
		if name, ok := strings.CutPrefix(o.GetName(), "state:"); ok {
			renamed[o.GetName()] = name + Next
			s.info.Feedback[name+Next] = name
			o.Name = new(name + Next)
		}
	}
	for _, n := range g.Node {
		for _, list := range [][]string{n.Input, n.Output} {
			for i, x := range list {
				if to, ok := renamed[x]; ok {
					list[i] = to
				}
			}
		}
	}
	has := map[string]*onnxpb.TensorProto{}
	for _, t := range g.Initializer {
		has[t.GetName()] = t
	}
	for _, x := range s.slots {
		g.Initializer = append(g.Initializer, onnx.TensorToProto(x.Name, x.Tensor))
	}
	in := map[string]bool{}
	for _, v := range g.Input {
		in[v.GetName()] = true
	}
	for _, o := range g.Output {
		name, fed := s.info.Feedback[o.GetName()]
		if !fed || in[name] {
			continue
		}
		t := has[name]
		if t == nil {
			return fmt.Errorf("train: %q is changed by a step, and the model that is written has no initializer of it", name)
		}
		ds := make([]any, len(t.GetDims()))
		for i, d := range t.GetDims() {
			ds[i] = d
		}
		g.Input = append(g.Input, onnx.ValueInfo(name, tensor.DType(t.GetDataType()), ds...))
	}
	rank := func(name string) int {
		return slices.IndexFunc([]bool{name == s.info.Loss, name == s.info.Output, strings.HasPrefix(name, "grad:"), true},
			func(is bool) bool { return is })
	}
	slices.SortStableFunc(g.Output, func(x, y *onnxpb.ValueInfoProto) int { return rank(x.GetName()) - rank(y.GetName()) })
	for _, p := range s.m.File().Proto.GetMetadataProps() {
		om.SetMetadata(p.GetKey(), p.GetValue())
	}
	raw, err := json.Marshal(s.info)
	if err != nil {
		return err
	}
	om.SetMetadata(StepKey, string(raw))
	return nil
}
