package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// VerifyConfig says what a model is compared with: recorded outputs, or another model.
type VerifyConfig struct {
	Model string // file, or builtin:NAME; required
	ModelOptions
	Golden     string   // folder of input_0.pb, …, output_0.pb, … , or of such folders
	Other      string   // another model, when Golden is ""
	Rtol, Atol float64  // |a-b| <= Atol + Rtol·|b|; 0 and 0 want the same numbers
	Inputs     []string // two models: NAME=SHAPE or NAME=FILE of what is fed
	Batch      int      // two models: batch size; 0 means 1
	Cases      int      // two models: how many random inputs; 0 means 3
	Seed       uint64
	Runtime    string // recorded outputs: what runs the model, one of Runtimes; "" means the engine
}

// VerifyReport is the comparison of each output of each case.
type VerifyReport struct {
	Schema  string         `json:"schema"`
	Model   string         `json:"model"`
	Against string         `json:"against"`
	Runtime string         `json:"runtime,omitempty"` // that ran the model, when it is not the engine
	Pass    bool           `json:"pass"`
	Rtol    float64        `json:"rtol"`
	Atol    float64        `json:"atol"`
	Outputs []VerifyOutput `json:"outputs"`
}

// VerifyOutput is the comparison of one output: |a-b| <= atol + rtol·|b| for each number.
type VerifyOutput struct {
	Case   string `json:"case"`
	Name   string `json:"name"`
	Pass   bool   `json:"pass"`
	MaxAbs Number `json:"max_abs"` // null when not finite
	MaxRel Number `json:"max_rel"`
	Bad    int    `json:"bad"`
	Total  int    `json:"total"`
	Detail string `json:"detail,omitempty"`
}

// Verify compares a model with recorded outputs, or with another model on the same random inputs. Numbers agree when
// |a-b| <= Atol + Rtol·|b|; where they do not, the report comes with a NoError.
func Verify(ctx context.Context, c VerifyConfig, rep Reporter) (*VerifyReport, error) {
	rep = orQuiet(rep)
	c.Batch, c.Cases = cmp.Or(c.Batch, 1), cmp.Or(c.Cases, 3)
	r := &VerifyReport{Schema: "gtk.verify/1", Model: c.Model, Against: cmp.Or(c.Golden, c.Other), Rtol: c.Rtol, Atol: c.Atol,
		Outputs: []VerifyOutput{}}
	if r.Rtol < 0 || r.Atol < 0 {
		return nil, usagef("--rtol and --atol must not be negative")
	}
	if r.Against == "" {
		return nil, usagef("there is nothing to compare with: give recorded outputs, --golden DIR, or another model")
	}
	runtime, err := runtimeOf(c.Runtime)
	if err != nil {
		return nil, err
	}
	if runtime != nil {
		r.Runtime = c.Runtime
		if c.Golden == "" {
			return nil, usagef("--runtime %s compares with recorded outputs: give --golden DIR", c.Runtime)
		}
	}
	a, err := openModel(c.Model, c.ModelOptions, rep)
	if err != nil {
		return nil, err
	}
	if c.Golden != "" {
		var run Runner
		if run, err = a.runner(c.Runtime, runtime); err == nil {
			err = r.golden(ctx, rep, a, run, c.Golden)
		}
	} else {
		var b *Model
		if b, err = openModel(c.Other, c.ModelOptions, rep); err == nil {
			err = r.models(ctx, c, a, b)
		}
	}
	if err != nil {
		return nil, err
	}
	r.Pass = len(r.Outputs) > 0
	for _, o := range r.Outputs {
		r.Pass = r.Pass && o.Pass
	}
	if !r.Pass {
		return r, &NoError{"the outputs differ"}
	}
	return r, nil
}

// compare adds the row of one output: got against want.
func (r *VerifyReport) compare(name, output string, got, want *tensor.Tensor) {
	ok, rep := tensor.AllClose(got, want, r.Rtol, r.Atol)
	o := VerifyOutput{Case: name, Name: output, Pass: ok, MaxAbs: Number(rep.MaxAbs), MaxRel: Number(rep.MaxRel), Bad: rep.Bad,
		Total: rep.Total}
	if !ok {
		o.Detail = rep.String()
	}
	r.Outputs = append(r.Outputs, o)
}

// goldenCase is one folder of recorded tensors.
type goldenCase struct {
	name            string
	inputs, outputs []tensor.Named
}

// golden runs m on the recorded cases of dir.
func (r *VerifyReport) golden(ctx context.Context, rep Reporter, m *Model, run Runner, dir string) error {
	cases, err := readGolden(dir, m)
	if err != nil {
		return err
	}
	bar := rep.Stage("verify", len(cases))
	defer bar.End()
	for i, g := range cases {
		feeds := map[string]*tensor.Tensor{}
		for k, in := range m.Inputs() {
			t := find(g.inputs, in.Name, k)
			if t == nil {
				return badInput(fmt.Errorf("%s: no recorded input for %v; there are %s", filepath.Join(dir, g.name), in,
					namesOf(g.inputs)))
			}
			feeds[in.Name] = t
		}
		res, err := run.Run(ctx, feeds)
		if err != nil {
			return fmt.Errorf("case %s: %w", g.name, err)
		}
		compared := 0
		for k, out := range m.Outputs() {
			if want := find(g.outputs, out.Name, k); want != nil {
				got := res[out.Name]
				if got == nil {
					return badInput(fmt.Errorf("case %s: output %q was not computed", g.name, out.Name))
				}
				r.compare(g.name, out.Name, got, want)
				compared++
			}
		}
		if compared == 0 {
			return badInput(fmt.Errorf("%s: none of the recorded outputs %s is an output of the model", filepath.Join(dir, g.name),
				namesOf(g.outputs)))
		}
		bar.Set(i+1, "")
	}
	return nil
}

// find is the tensor called name, or the k-th one when it has no name.
func find(ts []tensor.Named, name string, k int) *tensor.Tensor {
	for _, t := range ts {
		if t.Name == name {
			return t.Tensor
		}
	}
	if k < len(ts) && ts[k].Name == "" {
		return ts[k].Tensor
	}
	return nil
}

func namesOf(ts []tensor.Named) string {
	var s []string
	for _, t := range ts {
		s = append(s, t.Name)
	}
	return shown.Quoted(s, 12)
}

// readGolden reads the case in dir, or the cases in its folders.
func readGolden(dir string, a *Model) ([]goldenCase, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	g, err := readCase(dir, a)
	if err != nil {
		return nil, err
	}
	if g != nil {
		g.name = filepath.Base(dir)
		return []goldenCase{*g}, nil
	}
	var cases []goldenCase
	for _, d := range entries {
		if !d.IsDir() {
			continue
		}
		if g, err = readCase(filepath.Join(dir, d.Name()), a); err != nil {
			return nil, err
		}
		if g != nil {
			g.name = d.Name()
			cases = append(cases, *g)
		}
	}
	if len(cases) == 0 {
		return nil, badInput(fmt.Errorf("%s has no recorded tensors: want input_0.pb, output_0.pb, … in it or in its folders", dir))
	}
	return cases, nil
}

// readCase reads the tensors of one folder, nil when it has none.
func readCase(dir string, a *Model) (*goldenCase, error) {
	var g goldenCase
	for _, kind := range []struct {
		name string
		into *[]tensor.Named
		are  []engine.IO
	}{{"input", &g.inputs, a.Inputs()}, {"output", &g.outputs, a.Outputs()}} {
		for k := 0; ; k++ {
			path := filepath.Join(dir, fmt.Sprintf("%s_%d.pb", kind.name, k))
			var d tensor.DType
			if k < len(kind.are) {
				d = kind.are[k].DType
			}
			name, t, err := onnx.ReadValueFile(path, d)
			if errors.Is(err, fs.ErrNotExist) {
				break
			}
			if err != nil {
				return nil, err
			}
			*kind.into = append(*kind.into, tensor.Named{Name: name, Tensor: t})
		}
	}
	if len(g.outputs) == 0 {
		return nil, nil
	}
	return &g, nil
}

// models runs a and b on the same random inputs.
func (r *VerifyReport) models(ctx context.Context, c VerifyConfig, a, b *Model) error {
	var diff []string
	names := func(ios []engine.IO) (s []string) {
		for _, io := range ios {
			s = append(s, io.Name+" "+io.DType.String())
		}
		slices.SortFunc(s, cmp.Compare[string])
		return s
	}
	if x, y := names(a.Inputs()), names(b.Inputs()); !slices.Equal(x, y) {
		diff = append(diff, fmt.Sprintf("inputs %s and %s", shown.Names(x, 12), shown.Names(y, 12)))
	}
	if x, y := names(a.Outputs()), names(b.Outputs()); !slices.Equal(x, y) {
		diff = append(diff, fmt.Sprintf("outputs %s and %s", shown.Names(x, 12), shown.Names(y, 12)))
	}
	if len(diff) > 0 {
		return badInput(fmt.Errorf("the models have different %s", strings.Join(diff, "; ")))
	}
	if c.Cases < 1 {
		return usagef("--cases %d: must be at least 1", c.Cases)
	}
	if len(c.Inputs) == 0 && c.Batch <= 1 {
		ctx = exec.MadeUp(ctx)
	}
	ins, err := synthetic(a.Model, c.Inputs, c.Batch)
	if err != nil {
		return err
	}
	sa, err := a.Session(engine.Query{})
	if err != nil {
		return badInput(err)
	}
	sb, err := b.Session(engine.Query{})
	if err != nil {
		return badInput(err)
	}
	for k := range c.Cases {
		feeds, err := fill(ins, c.Seed+uint64(k))
		if err != nil {
			return err
		}
		ra, err := sa.Run(ctx, feeds)
		if err != nil {
			return chosenSizes(a.Model, c.Inputs, c.Batch, fmt.Errorf("%s: %w", a.Path, err))
		}
		rb, err := sb.Run(ctx, feeds)
		if err != nil {
			return fmt.Errorf("%s: %w", b.Path, err)
		}
		for _, o := range a.Outputs() {
			r.compare(fmt.Sprintf("random %d", k), o.Name, ra.Value(o.Name), rb.Value(o.Name))
		}
	}
	return nil
}
