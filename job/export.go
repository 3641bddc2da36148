package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/regular"
	"github.com/gtk-onnx/gtk/internal/whole"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/train"
)

// ExportConfig says how a model is written.
type ExportConfig struct {
	From         string    // file, builtin:NAME, or the folder of a training run; required
	Out          string    // file
	W            io.Writer // takes the model, with its weights inside, when Out is ""
	Opset        int64     // operator set of the file; 0 keeps the model's own
	ExternalData bool      // put the weights into a file beside the model
	Inline       bool      // put weights that are beside the model into it
	Force        bool      // replace Out
	DryRun       bool      // check everything, write nothing
	Threads      int       // 0 means all processors
	Seed         uint64    // of the inputs that the comparison runs on

	Step    *StepOptions    // write a training step; nil writes the model
	Adapter *AdapterOptions // put adapters on; nil for none

	// KeepUnits leaves that many of the units that Finetune boosted (GBNNMethod), the first ones; 0 leaves the model as it is.
	KeepUnits int
}

// ExportReport says what was written.
type ExportReport struct {
	Schema string        `json:"schema"`
	From   string        `json:"from"`
	Out    string        `json:"out"`
	Opset  int64         `json:"opset"`
	Bytes  int64         `json:"bytes"`
	DryRun bool          `json:"dry_run,omitempty"`
	Verify *ExportVerify `json:"verify"` // null when the engine cannot run the model

	Adapter *AdapterReport  `json:"adapter,omitempty"`
	Units   *UnitsReport    `json:"gbnn,omitempty"`
	Step    *train.StepInfo `json:"train_step,omitempty"` // inputs and outputs of a training step
	Initial string          `json:"initial,omitempty"`    // file of the model that gives what it begins with

	Path string `json:"-"` // file that was read
}

// ExportVerify compares the file that was written with its source, on made-up inputs.
type ExportVerify struct {
	Pass   bool   `json:"pass"`
	MaxAbs Number `json:"max_abs"`
	Note   string `json:"note,omitempty"`
}

// Export writes a model, reads it back and compares it with its source. Where the outputs differ the report comes with a NoError.
func Export(ctx context.Context, c ExportConfig) (*ExportReport, error) {
	if c.Out == "" && c.W != nil {
		return exportTo(ctx, c)
	}
	switch {
	case c.Out == "":
		return nil, usagef("gtk export: give the file to write: -o FILE")
	case c.ExternalData && c.Inline:
		return nil, usagef("--external-data and --inline exclude each other")
	case c.Step != nil && c.Adapter != nil:
		return nil, usagef("--adapter and --train-step exclude each other: put the adapters on first")
	case c.KeepUnits != 0 && (c.Step != nil || c.Adapter != nil):
		return nil, usagef("--gbnn-keep goes with neither --adapter nor --train-step: keep the units first")
	case c.KeepUnits != 0:
		return exportUnits(ctx, c)
	case c.Adapter != nil:
		return exportAdapter(ctx, c)
	case c.Step == nil:
		return exportModel(ctx, c)
	}
	return exportStep(ctx, c)
}

// begin claims the output and reads the model, that of a run where From is one; release ends the claim.
func (c ExportConfig) begin() (r *ExportReport, m *onnx.Model, release func(), err error) {
	r = &ExportReport{Schema: "gtk.export/1", From: c.From, Out: c.Out, DryRun: c.DryRun}
	path, err := modelOfRun(c.From)
	release, cerr := claim(reads(path, ModelOptions{}), output{flag: "--out", path: r.Out, model: true, force: c.Force})
	if cerr != nil {
		return nil, nil, nil, cerr
	}
	if r.Path = path; err == nil {
		m, err = ReadModel(path)
	}
	if err != nil {
		release()
		return nil, nil, nil, err
	}
	return r, m, release, nil
}

// exportModel writes a model as it is.
func exportModel(ctx context.Context, c ExportConfig) (*ExportReport, error) {
	r, m, release, err := c.begin()
	if err != nil {
		return nil, err
	}
	defer release()
	source := m
	if c.Opset != 0 {
		if m, _, err = converted(source, c.Opset, c.Threads); err != nil {
			return nil, err
		}
	}
	r.Opset = m.Opset("")
	as, err := outputsForExport(ctx, c, source) // before it may be replaced
	if err != nil {
		return nil, err
	}
	return c.write(ctx, r, m, as)
}

// write writes m, reads it back and compares its outputs with those it shall have.
func (c ExportConfig) write(ctx context.Context, r *ExportReport, m *onnx.Model, as *exported) (_ *ExportReport, err error) {
	if !r.DryRun {
		o := onnx.WriteOptions{Force: c.Force, ExternalData: c.ExternalData, Inline: c.Inline}
		if err := m.WriteFile(r.Out, o); err != nil {
			return nil, err
		}
		st, err := os.Stat(r.Out)
		if err != nil {
			return nil, err
		}
		r.Bytes = st.Size()
		if m, err = onnx.ReadFile(r.Out); err != nil {
			return nil, err
		}
	}
	if r.Verify, err = as.compare(ctx, m); err != nil {
		return nil, err
	}
	if !r.Verify.Pass && r.Verify.Note == "" {
		return r, &NoError{"the outputs differ"}
	}
	return r, nil
}

// exportTo is Export by way of a file of its own, so that what goes out was read back and compared first.
func exportTo(ctx context.Context, c ExportConfig) (*ExportReport, error) {
	if c.ExternalData {
		return nil, usagef("--external-data needs a file to put the weights beside: give -o FILE")
	}
	dir, done, err := whole.Temporary("gtk-export")
	if err != nil {
		return nil, err
	}
	defer done()
	c.Out, c.Inline = filepath.Join(dir, "model.onnx"), c.Step == nil
	r, err := Export(ctx, c)
	if r != nil {
		r.Out = ""
	}
	if err != nil || c.DryRun {
		return r, err
	}
	f, err := regular.Open(c.Out)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	_, err = io.Copy(c.W, f)
	return r, err
}

// modelOfRun is the model file of a run folder, or path itself.
func modelOfRun(path string) (string, error) {
	if strings.HasPrefix(path, BuiltinPrefix) {
		return path, nil
	}
	st, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !st.IsDir() {
		return path, nil
	}
	inside := filepath.Join(path, "model.onnx")
	if _, err := os.Stat(inside); errors.Is(err, fs.ErrNotExist) {
		return "", badInput(fmt.Errorf("folder %s has no model.onnx: it is not the folder of a finished gtk finetune", path))
	}
	return inside, nil
}

// exported is what a model gives for made-up inputs, to compare what was written with. It is asked before anything is written, since that
// may take the place of the model.
type exported struct {
	c     ExportConfig
	model *engine.Model
	outs  *engine.Result
	err   error // why the engine cannot run it
	loose bool  // adapters are in the weights of what is compared, and beside them here
}

func outputsForExport(ctx context.Context, c ExportConfig, m *onnx.Model) (*exported, error) {
	x := &exported{c: c}
	x.model, x.outs, x.err = runExported(ctx, c, m)
	return x, ctx.Err()
}

func runExported(ctx context.Context, c ExportConfig, m *onnx.Model) (*engine.Model, *engine.Result, error) {
	em, err := engine.Load(m, engine.WithThreads(c.Threads))
	if err != nil {
		return nil, nil, err
	}
	ins, err := synthetic(em, nil, 1)
	if err != nil {
		return em, nil, err
	}
	feeds, err := fill(ins, c.Seed)
	if err != nil {
		return em, nil, err
	}
	s, err := em.Session(engine.Query{})
	if err != nil {
		return em, nil, err
	}
	runtime.GC() // of what was run before this, which may have been as large as a run may be
	r, err := s.Run(graph.FewTrips(exec.MadeUp(ctx)), feeds)
	return em, r, err
}

// compare runs m on the same inputs.
func (x *exported) compare(ctx context.Context, m *onnx.Model) (*ExportVerify, error) {
	if x.err != nil {
		return &ExportVerify{Note: x.err.Error()}, nil
	}
	_, r, err := runExported(ctx, x.c, m)
	if err != nil {
		return nil, fmt.Errorf("the exported model does not run: %w", err)
	}
	v := &ExportVerify{Pass: true}
	for _, o := range x.model.Outputs() {
		ok, rep := x.close(r.Value(o.Name), x.outs.Value(o.Name))
		v.Pass = v.Pass && ok
		v.MaxAbs = max(v.MaxAbs, Number(rep.MaxAbs))
	}
	return v, nil
}
