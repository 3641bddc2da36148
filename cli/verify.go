package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register(command(&ucli.Command{
		Name: "verify", Usage: "compare a model with recorded outputs, or with another model", ArgsUsage: "MODEL.onnx --golden DIR | A.onnx B.onnx",
		Description: "DIR holds input_0.pb, …, output_0.pb, … (the form of ONNX's own tests), or one folder of those per case. Two models are run on the same random inputs.\n" +
			"Numbers agree when |a-b| <= atol + rtol·|b|. Exit code 1 when they do not.",
		Flags: []ucli.Flag{
			&ucli.StringFlag{Name: "golden", Usage: "`FOLDER` of recorded inputs and outputs"},
			&ucli.Float64Flag{Name: "rtol", Value: 1e-3, Usage: "relative tolerance"},
			&ucli.Float64Flag{Name: "atol", Value: 1e-5, Usage: "absolute tolerance"},
			&ucli.StringSliceFlag{Name: "input", Usage: "two models: `NAME=SHAPE` or NAME=FILE of what is fed"},
			&ucli.IntFlag{Name: "batch", Value: 1, Usage: "two models: batch size"},
			&ucli.IntFlag{Name: "cases", Value: 3, Usage: "two models: how many random inputs"},
		},
	}, verifyCommand))
}

type verifyReport struct {
	Schema  string         `json:"schema"`
	Model   string         `json:"model"`
	Against string         `json:"against"`
	Pass    bool           `json:"pass"`
	Rtol    float64        `json:"rtol"`
	Atol    float64        `json:"atol"`
	Outputs []verifyOutput `json:"outputs"`
}

type verifyOutput struct {
	Case   string `json:"case"`
	Name   string `json:"name"`
	Pass   bool   `json:"pass"`
	MaxAbs number `json:"max_abs"` // null when not finite
	MaxRel number `json:"max_rel"`
	Bad    int    `json:"bad"`
	Total  int    `json:"total"`
	Detail string `json:"detail,omitempty"`
}

func verifyCommand(ctx context.Context, e *env, c *ucli.Context) error {
	what, golden := []string{"A.onnx", "B.onnx (or --golden DIR)"}, c.String("golden")
	if golden != "" {
		what = []string{"MODEL.onnx"}
	}
	args, err := nArgs(c, what...)
	if err != nil {
		return err
	}
	r := &verifyReport{Schema: "gtk.verify/1", Model: args[0], Against: golden, Rtol: c.Float64("rtol"), Atol: c.Float64("atol"), Outputs: []verifyOutput{}}
	if r.Rtol < 0 || r.Atol < 0 {
		return usagef("--rtol and --atol must not be negative")
	}
	a, err := e.loadModel(c, args[0])
	if err != nil {
		return err
	}
	if golden != "" {
		err = r.golden(ctx, e, a, golden)
	} else {
		r.Against = args[1]
		var b *loaded
		if b, err = e.loadModel(c, args[1]); err == nil {
			err = r.models(ctx, e, c, a, b)
		}
	}
	if err != nil {
		return err
	}
	return r.finish(e)
}

func (r *verifyReport) finish(e *env) error {
	t := e.newTable(3, 4)
	t.row("case", "output", "", "max abs", "max rel", "")
	r.Pass = len(r.Outputs) > 0
	bad := 0
	for _, o := range r.Outputs {
		verdict := "ok"
		if !o.Pass {
			r.Pass, verdict = false, "DIFFERS"
			bad++
		}
		t.row(o.Case, o.Name, verdict, fmt.Sprintf("%.3g", float64(o.MaxAbs)), fmt.Sprintf("%.3g", float64(o.MaxRel)), o.Detail)
	}
	if err := t.flush(); err != nil {
		return err
	}
	if err := e.emit(r); err != nil {
		return err
	}
	if !r.Pass {
		e.printf("%d of %d outputs differ from %s by more than rtol %g, atol %g\n", bad, len(r.Outputs), r.Against, r.Rtol, r.Atol)
		return &noError{"the outputs differ"}
	}
	e.printf("all %d outputs agree with %s within rtol %g, atol %g\n", len(r.Outputs), r.Against, r.Rtol, r.Atol)
	return nil
}

// compare adds the row of one output: got against want.
func (r *verifyReport) compare(name, output string, got, want *tensor.Tensor) {
	ok, rep := tensor.AllClose(got, want, r.Rtol, r.Atol)
	o := verifyOutput{Case: name, Name: output, Pass: ok, MaxAbs: number(rep.MaxAbs), MaxRel: number(rep.MaxRel), Bad: rep.Bad, Total: rep.Total}
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
func (r *verifyReport) golden(ctx context.Context, e *env, m *loaded, dir string) error {
	cases, err := readGolden(dir)
	if err != nil {
		return err
	}
	s, err := m.Session(engine.Query{})
	if err != nil {
		return badInput(err)
	}
	bar := e.newProgress("verify", len(cases))
	defer bar.end()
	for i, g := range cases {
		feeds := map[string]*tensor.Tensor{}
		for k, in := range m.Inputs() {
			t := find(g.inputs, in.Name, k)
			if t == nil {
				return badInput(fmt.Errorf("%s: no recorded input for %v; there are %s", filepath.Join(dir, g.name), in, namesOf(g.inputs)))
			}
			feeds[in.Name] = t
		}
		res, err := s.Run(ctx, feeds)
		if err != nil {
			return fmt.Errorf("case %s: %w", g.name, err)
		}
		compared := 0
		for k, out := range m.Outputs() {
			if want := find(g.outputs, out.Name, k); want != nil {
				r.compare(g.name, out.Name, res.Value(out.Name), want)
				compared++
			}
		}
		if compared == 0 {
			return badInput(fmt.Errorf("%s: none of the recorded outputs %s is an output of the model", filepath.Join(dir, g.name), namesOf(g.outputs)))
		}
		bar.set(i+1, "")
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
		s = append(s, strconv.Quote(t.Name))
	}
	return strings.Join(s, ", ")
}

// readGolden reads the case in dir, or the cases in its folders.
func readGolden(dir string) ([]goldenCase, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	g, err := readCase(dir)
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
		if g, err = readCase(filepath.Join(dir, d.Name())); err != nil {
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
func readCase(dir string) (*goldenCase, error) {
	var g goldenCase
	for _, kind := range []struct {
		name string
		into *[]tensor.Named
	}{{"input", &g.inputs}, {"output", &g.outputs}} {
		for k := 0; ; k++ {
			path := filepath.Join(dir, fmt.Sprintf("%s_%d.pb", kind.name, k))
			name, t, err := onnx.ReadTensorFile(path)
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
func (r *verifyReport) models(ctx context.Context, e *env, c *ucli.Context, a, b *loaded) error {
	var diff []string
	names := func(ios []engine.IO) (s []string) {
		for _, io := range ios {
			s = append(s, io.Name+" "+io.DType.String())
		}
		slices.SortFunc(s, cmp.Compare[string])
		return s
	}
	if x, y := names(a.Inputs()), names(b.Inputs()); !slices.Equal(x, y) {
		diff = append(diff, fmt.Sprintf("inputs %s and %s", strings.Join(x, ", "), strings.Join(y, ", ")))
	}
	if x, y := names(a.Outputs()), names(b.Outputs()); !slices.Equal(x, y) {
		diff = append(diff, fmt.Sprintf("outputs %s and %s", strings.Join(x, ", "), strings.Join(y, ", ")))
	}
	if len(diff) > 0 {
		return badInput(fmt.Errorf("the models have different %s", strings.Join(diff, "; ")))
	}
	if c.Int("cases") < 1 {
		return usagef("--cases %d: must be at least 1", c.Int("cases"))
	}
	ins, err := synthetic(a.Model, c.StringSlice("input"), c.Int("batch"))
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
	for k := range c.Int("cases") {
		feeds, err := fill(ins, e.Seed+uint64(k))
		if err != nil {
			return err
		}
		ra, err := sa.Run(ctx, feeds)
		if err != nil {
			return chosenSizes(a.Model, c, fmt.Errorf("%s: %w", a.Path, err))
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
