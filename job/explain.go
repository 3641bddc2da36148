package job

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/explain"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// ExplainConfig says what is explained, and how.
type ExplainConfig struct {
	Model string // file, or builtin:NAME; required
	ModelOptions
	Files       []string     // pictures, or tensor files with one or more examples along axis 0
	Data        string       // data set, FORMAT:PATH[#SPLIT]; a built-in model without Files and Data takes its own
	DataOptions data.Options // of reading
	UseOptions               // what inputs and outputs mean
	N           int          // how many examples of Data; 0 means 4

	Requests []explain.Request // methods; nil means DefaultRequests
	Optional bool              // see explain.Config.Optional; nil Requests at no named layer mean it
	Layers   []string          // layers to make maps at, LAYER or LAYER@VIEW; nil means auto
	Targets  []string          // classes to explain: argmax, argmin, top3, a number, a label, positive or negative; nil means argmax
	Aim                        // which number of which input
	Score    string            // what is differentiated: logit, prob or logprob; "" means logit
	Noise    string            // .npy file with recorded noise [n,C,H,W] to use instead of random numbers
	Batch    int               // inputs in one pass; 0 means 16
	Seed     uint64

	Render  *explain.Render // how maps look; nil means explain.DefaultRender
	Panel   bool            // also write panel.png, all maps on one sheet
	MapJSON bool            // also write a .json file for each map
	Replay  []byte          // content of the run.yaml that is written beside them; nil for none
	Out     string          // folder for the pictures, maps and report.html; required
	Force   bool            // write into a folder that is not empty, overwrite files
}

// Aim says which number of the outputs is explained, by which input. The zero value leaves it to the model and the task.
type Aim struct {
	Objective string // formula over the outputs, see explain.ParseFormula
	Region    string // positions of an output with classes at positions, see explain.Objective
	Position  *int   // position of a token, likewise
	Explained string // name of the input; "" the largest
	Vocab     string // file with the tokens of a text by number: one a line, vocab.json or tokenizer.json; or "bytes"
}

// DefaultRequests are the methods that are taken unless others are named.
func DefaultRequests() []explain.Request {
	return []explain.Request{{Method: "gradient"}, {Method: "gradcam"}}
}

// ExplainReport is what a decision is based on.
type ExplainReport struct {
	Schema    string                `json:"schema"`
	Model     string                `json:"model"`
	Objective explain.ObjectiveKind `json:"objective"` // class, binary, value, region, position or expression
	Score     string                `json:"score"`     // what is differentiated: logit, prob, logprob, value or the expression
	Layers    []string              `json:"layers"`
	Images    []ExplainedInput      `json:"images"`
	Maps      []explain.Written     `json:"maps"`
	Report    string                `json:"report"`
	Panel     string                `json:"panel,omitempty"`
	Notes     []string              `json:"notes,omitempty"`
}

// ExplainedInput is one input with its best classes.
type ExplainedInput struct {
	Image string               `json:"image"`
	Top   []explain.Prediction `json:"top"`
	Truth string               `json:"truth,omitempty"`
}

// Explain makes heat maps and writes overlays (PNG), raw maps (.npy) and one self-contained report.html.
func Explain(ctx context.Context, c ExplainConfig, rep Reporter) (*ExplainReport, error) {
	rep = orQuiet(rep)
	if c.Out == "" {
		return nil, usagef("the output folder is missing: give -o DIR")
	}
	in := and(and(reads(c.Model, c.ModelOptions, c.Data), "an input", c.Files...), "--noise", c.Noise)
	release, err := claim(and(in, "--vocab", c.Vocab), output{flag: "--out", path: c.Out, folder: true, force: c.Force})
	if err != nil {
		return nil, err
	}
	defer release()
	l, err := openModel(c.Model, c.ModelOptions, rep)
	if err != nil {
		return nil, err
	}
	c.UseOptions = c.UseOptions.remembered(l)
	requests := c.Requests
	if requests == nil {
		requests, c.Optional = DefaultRequests(), c.Optional || c.Layers == nil
	}
	vocab, err := readVocab(c.Vocab)
	if err != nil {
		return nil, err
	}
	if _, err := c.objective(nil); err != nil { // before data are read
		return nil, err
	}
	targets, err := explainTargets(c.Targets, l.Labels)
	if err != nil {
		return nil, err
	}
	r := &ExplainReport{Schema: "gtk.explain/1", Model: c.Model, Layers: []string{}, Maps: []explain.Written{}}
	note := func(s string) {
		if s != "" && !slices.Contains(r.Notes, s) {
			r.Notes = append(r.Notes, s)
			rep.Note(s)
		}
	}
	inputs, err := explainInputs(ctx, c, l, note)
	if err != nil {
		return nil, err
	}
	aim, err := c.objective(inputs.task)
	if err != nil {
		return nil, err
	}
	inputs.vocab = vocab
	cfg := explain.Config{
		Input: c.Explained, Objective: aim,
		Requests: requests, Optional: c.Optional, Layers: c.Layers, Targets: targets, Score: cmp.Or(explain.Score(c.Score), explain.Logit),
		Labels: l.Labels, Tokens: vocab, Batch: c.Batch, Seed: c.Seed, Warn: note,
	}
	if c.Noise != "" {
		if cfg.Noise, err = readTensors(c.Noise, ""); err != nil {
			return nil, fmt.Errorf("--noise: %w", err)
		}
	}
	return r, explainAll(ctx, c, l, cfg, inputs, r, rep)
}

// explainTargets reads the targets of a config.
func explainTargets(words, labels []string) ([]explain.Target, error) {
	var out []explain.Target
	if words == nil {
		words = []string{"argmax"}
	}
	for _, s := range targetWords(words, labels) {
		t, err := explain.ParseTarget(s, labels)
		if err != nil {
			return nil, usagef("--target: %v", err)
		}
		out = append(out, t)
	}
	return out, nil
}

// objective is what the options and the task t, nil when it is not known, say of the number that is explained.
func (c ExplainConfig) objective(t *task.Task) (explain.Objective, error) {
	o := explain.Objective{Output: c.Output, Region: c.Region, Position: c.Position, Expression: c.Objective}
	if c.Objective != "" {
		if _, err := explain.ParseFormula(c.Objective); err != nil {
			return o, usagef("--objective: %v", err)
		}
		return o, nil
	}
	kind, err := task.ParseKind(c.Task)
	if err != nil {
		return o, usagef("--task: %v", err)
	}
	text := task.TextKind(c.Task)
	if t != nil {
		kind, text = t.Kind, t.Text()
		o.Output = cmp.Or(o.Output, t.Head.Output)
	}
	switch {
	case kind == task.Binary:
		o.Kind = explain.BinaryScore
	case kind == task.Multiclass, kind == task.Multilabel, kind == "classification":
		o.Kind = explain.ClassScore
	case kind == task.Regression:
		o.Kind = explain.OutputValue
	case kind == task.Dense && text && c.Region == "":
		o.Kind = explain.PositionScore
	case kind == task.Dense:
		o.Kind = explain.RegionScore
	}
	return o, nil
}

// LayersReport lists the layers that maps can be made at.
type LayersReport struct {
	Schema string     `json:"schema"`
	Layers []LayerRow `json:"layers"`
}

// LayerRow is a layer that maps can be made at.
type LayerRow struct {
	Name  string `json:"name"`
	Node  string `json:"node"`
	Op    string `json:"op"`
	Shape []int  `json:"shape"`
	View  string `json:"view"` // how it is read as channels at positions
	Auto  bool   `json:"auto"` // taken unless another is named
}

// Layers lists the layers of the model in the file path that maps can be made at.
func Layers(path string, o ModelOptions, u UseOptions, a Aim, rep Reporter) (*LayersReport, error) {
	l, err := openModel(path, o, orQuiet(rep))
	if err != nil {
		return nil, err
	}
	aim, err := ExplainConfig{UseOptions: u.remembered(l), Aim: a}.objective(nil)
	if err != nil {
		return nil, err
	}
	layers, err := explain.ListLayers(l.Model, l.inputShapes(), explain.Config{Input: a.Explained, Objective: aim})
	if err != nil {
		return nil, badInput(err)
	}
	r := &LayersReport{Schema: "gtk.layers/1", Layers: []LayerRow{}}
	for _, x := range layers {
		r.Layers = append(r.Layers, LayerRow{x.Name, x.Node, x.Op, x.Shape, x.View.String(), x.Auto})
	}
	return r, nil
}

// inputShapes are shapes for one example by input.
func (l *Model) inputShapes() map[string]tensor.Shape {
	out := map[string]tensor.Shape{}
	ins := l.Inputs()
	for i, s := range l.Sizes(1) {
		out[ins[i].Name] = s
	}
	return out
}
