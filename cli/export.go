package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register(command(&ucli.Command{
		Name: "export", Usage: "write the ONNX model of a training run, or another form of a model", ArgsUsage: "MODEL.onnx|RUN",
		Description: "RUN is a folder that gtk finetune wrote; its model.onnx is exported. The file that was written is read again and compared with its source on random inputs.",
		Flags: []ucli.Flag{
			&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FILE` to write"},
			&ucli.Int64Flag{Name: "opset", Usage: "operator set `N` of the file"},
			&ucli.BoolFlag{Name: "external-data", Usage: "put the weights into a file beside the model"},
			&ucli.BoolFlag{Name: "inline", Usage: "put weights that are beside the model into it"},
			&ucli.StringFlag{Name: "with-explanation", Usage: "put the heat map of `METHOD` into the graph (not there yet)"},
			&ucli.BoolFlag{Name: "train-step", Usage: "put a whole training step into the graph (not there yet)"},
			&ucli.BoolFlag{Name: "force", Usage: "replace FILE if it is there"},
			&ucli.BoolFlag{Name: "dry-run", Usage: "check everything, write nothing"},
		},
	}, exportCommand))
}

type exportReport struct {
	Schema string        `json:"schema"`
	From   string        `json:"from"`
	Out    string        `json:"out"`
	Opset  int64         `json:"opset"`
	Bytes  int64         `json:"bytes"`
	DryRun bool          `json:"dry_run,omitempty"`
	Verify *exportVerify `json:"verify"` // null when the engine cannot run the model
}

type exportVerify struct {
	Pass   bool   `json:"pass"`
	MaxAbs number `json:"max_abs"`
	Note   string `json:"note,omitempty"`
}

func exportCommand(ctx context.Context, e *env, c *ucli.Context) error {
	from, err := oneArg(c, "MODEL.onnx or RUN")
	if err != nil {
		return err
	}
	switch {
	case c.IsSet("with-explanation"):
		return usagef("--with-explanation is not there yet: gtk explain makes heat maps without an exported graph")
	case c.Bool("train-step"):
		return usagef("--train-step is not there yet: gtk finetune trains without an exported graph")
	case c.String("out") == "":
		return usagef("gtk export: give the file to write: -o FILE")
	case c.Bool("external-data") && c.Bool("inline"):
		return usagef("--external-data and --inline exclude each other")
	}
	r := exportReport{Schema: "gtk.export/1", From: from, Out: c.String("out"), DryRun: c.Bool("dry-run")}
	if err := mayWrite(r.Out, c.Bool("force")); err != nil {
		return err
	}
	path, err := modelOfRun(from)
	if err != nil {
		return err
	}
	m, err := readModel(path)
	if err != nil {
		return err
	}
	source := m
	if c.IsSet("opset") {
		m = source.Clone()
		if err := upgrade(m, c.Int64("opset")); err != nil {
			return err
		}
	}
	r.Opset = m.Opset("")
	if !r.DryRun {
		o := onnx.WriteOptions{Force: c.Bool("force"), ExternalData: c.Bool("external-data"), Inline: c.Bool("inline")}
		if err := m.WriteFile(r.Out, o); err != nil {
			return err
		}
		st, err := os.Stat(r.Out)
		if err != nil {
			return err
		}
		r.Bytes = st.Size()
		if m, err = onnx.ReadFile(r.Out); err != nil {
			return err
		}
	}
	if r.Verify, err = sameOutputs(ctx, e, source, m); err != nil {
		return err
	}
	if r.DryRun {
		e.printf("%s can be written as opset %d; nothing is written (--dry-run)\n", r.Out, r.Opset)
	} else {
		e.printf("%s written: opset %d, %s\n", r.Out, r.Opset, size(r.Bytes))
	}
	switch v := r.Verify; {
	case v.Note != "":
		e.printf("not compared: %s\n", v.Note)
	case v.Pass:
		e.printf("same outputs as %s on random inputs (largest difference %.3g)\n", path, float64(v.MaxAbs))
	default:
		e.printf("the outputs DIFFER from those of %s by up to %.3g\n", path, float64(v.MaxAbs))
	}
	if err := e.emit(r); err != nil {
		return err
	}
	if !r.Verify.Pass && r.Verify.Note == "" {
		return &noError{"the outputs differ"}
	}
	return nil
}

// modelOfRun is the model file of a run folder, or path itself.
func modelOfRun(path string) (string, error) {
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

// sameOutputs runs two models on the same random inputs.
func sameOutputs(ctx context.Context, e *env, a, b *onnx.Model) (*exportVerify, error) {
	run := func(m *onnx.Model) (*engine.Model, *engine.Result, error) {
		em, err := engine.Load(m, engine.WithThreads(e.Threads))
		if err != nil {
			return nil, nil, err
		}
		ins, err := synthetic(em, nil, 1)
		if err != nil {
			return nil, nil, err
		}
		feeds, err := fill(ins, e.Seed)
		if err != nil {
			return nil, nil, err
		}
		s, err := em.Session(engine.Query{})
		if err != nil {
			return nil, nil, err
		}
		r, err := s.Run(ctx, feeds)
		return em, r, err
	}
	ma, ra, err := run(a)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return &exportVerify{Note: err.Error()}, nil
	}
	_, rb, err := run(b)
	if err != nil {
		return nil, fmt.Errorf("the exported model does not run: %w", err)
	}
	v := &exportVerify{Pass: true}
	for _, o := range ma.Outputs() {
		ok, rep := tensor.AllClose(rb.Value(o.Name), ra.Value(o.Name), 1e-5, 1e-6)
		v.Pass = v.Pass && ok
		v.MaxAbs = max(v.MaxAbs, number(rep.MaxAbs))
	}
	return v, nil
}
