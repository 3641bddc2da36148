package job

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/internal/regular"
	"github.com/gtk-onnx/gtk/internal/tfevents"
	"github.com/gtk-onnx/gtk/internal/whole"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// FinetuneOutput is where a training writes.
type FinetuneOutput struct {
	Model      string
	Best       string // the model of the best epoch; "" when Model is that, or without validation data
	Raw        string // the weights of the last step where an exponential average is kept; "" for none
	Config     string // run.yaml
	Checkpoint string // when interrupted
	Periodic   string // checkpoint after each epoch, "" for none
	Report     string // folder of metrics, report and ids; "" for none
}

// Output is a file with others beside it when Out names an .onnx file, else a folder.
func (c FinetuneConfig) Output() FinetuneOutput {
	var o FinetuneOutput
	stem, file := strings.CutSuffix(c.Out, ".onnx")
	if file {
		o = FinetuneOutput{Model: c.Out, Best: stem + ".best.onnx", Config: stem + ".run.yaml", Checkpoint: stem + ".checkpoint.npz"}
	} else {
		in := func(name string) string { return filepath.Join(c.Out, name) }
		o = FinetuneOutput{Model: in("model.onnx"), Best: in("best.onnx"), Config: in("run.yaml"), Checkpoint: in("checkpoint.npz"),
			Report: c.Out}
	}
	if c.Best || !c.validates() {
		o.Best = ""
	}
	if v := c.Rule["ema"]; !file && v != "" && !isZero(v) {
		o.Raw = filepath.Join(c.Out, "last.onnx")
	}
	o.Report = cmp.Or(c.Report, o.Report)
	switch {
	case c.Checkpoint == "none":
	case c.Checkpoint != "":
		o.Checkpoint, o.Periodic = c.Checkpoint, c.Checkpoint
	case !file, c.CheckpointEvery > 0:
		o.Periodic = o.Checkpoint
	}
	return o
}

// Names of the files in FinetuneOutput.Report.
const (
	metricsCSV  = "metrics.csv"
	metricsJSON = "metrics.jsonl"
	stepsCSV    = "steps.csv"
	reportPage  = "report.html"
	valIDs      = "val-ids.txt"
)

// reports are the paths in Report that this training writes.
func (c FinetuneConfig) reports(o FinetuneOutput) []string {
	if o.Report == "" {
		return nil
	}
	names := []string{metricsCSV, metricsJSON, stepsCSV, tfevents.FileName, runFile, reportPage}
	if c.ValSplit > 0 {
		names = append(names, valIDs)
	}
	for i, n := range names {
		names[i] = filepath.Join(o.Report, n)
	}
	return names
}

// outputs are the files that this training writes.
func (c FinetuneConfig) outputs(o FinetuneOutput) []output {
	_, file := strings.CutSuffix(c.Out, ".onnx")
	outs := []output{{flag: "--out", path: c.Out, folder: !file, model: file}, {flag: "--report", path: c.Report, folder: true},
		{flag: "--checkpoint", path: o.Checkpoint, inner: c.Checkpoint == "" || c.Checkpoint == "none"}}
	if !file {
		outs = append(outs, output{flag: "--out", path: o.Model, model: true, inner: true})
	}
	for _, path := range c.LoRA.files() {
		outs = append(outs, output{flag: "--lora-out", path: path})
	}
	outs = append(outs, output{flag: "--out", path: o.Best, inner: true}, output{flag: "--out", path: o.Raw, inner: true},
		output{flag: "--out", path: o.Config, inner: true})
	flag := "--report"
	if c.Report == "" {
		flag = "--out"
	}
	for _, path := range c.reports(o) {
		outs = append(outs, output{flag: flag, path: path, inner: true})
	}
	return outs
}

// mayBegin checks all outputs before the work, and takes the right to write them. What a run has written already may be replaced when it
// is resumed, but for the model: kept says that it is there, and stays when nothing is left to do.
func (c FinetuneConfig) mayBegin() (kept bool, release func(), err error) {
	o := c.Output()
	outs := c.outputs(o)
	in := reads(c.Model, c.ModelOptions, c.Data, c.Val)
	if c.Distill != nil {
		in = append(in, read{"the teacher", c.Distill.Teacher, false})
	}
	if err := apart(in, outs); err != nil {
		return false, nil, err
	}
	if kept, err = c.mayReplace(o); err != nil {
		return false, nil, err
	}
	release, err = acquire(outs)
	return kept, release, err
}

func (c FinetuneConfig) mayReplace(o FinetuneOutput) (kept bool, err error) {
	own := c.Force || c.Resume != "" || o.dead()
	if _, err := os.Lstat(o.Model); err == nil && c.Resume != "" && !c.Force {
		kept = true
	}
	if err := MayWrite(o.Model, c.Force || kept); err != nil {
		return false, err
	}
	if _, err := os.Lstat(o.Checkpoint); err == nil && !own {
		return false, usagef("%s is there, of a run before: --resume %[1]s goes on with that, --force replaces it", o.Checkpoint)
	}
	for _, path := range append(append(c.reports(o), o.Best, o.Raw, o.Config, o.Checkpoint), c.LoRA.files()...) {
		if path == "" || path == o.Config && c.Replay == nil {
			continue
		}
		if err := MayWrite(path, own); err != nil {
			return false, err
		}
	}
	return kept, nil
}

// dead reports whether a run died here before it had anything worth keeping.
func (o FinetuneOutput) dead() bool {
	for _, path := range []string{o.Model, o.Best, o.Checkpoint} {
		if _, err := os.Lstat(path); err == nil {
			return false
		}
	}
	b, err := regular.Read(o.Config, 1<<20)
	return err == nil && bytes.Contains(b, []byte("\ncommand: finetune\n"))
}

// mayWriteData asks the same for the weights that lie beside the model, as they will again.
func (f *finetuning) mayWriteData() error {
	for t := range f.File().Tensors() {
		if t.Proto.GetDataLocation() != onnxpb.TensorProto_EXTERNAL {
			continue
		}
		if err := MayWrite(f.out.Model+".data", f.c.Force || f.kept); err != nil {
			return err
		}
		for _, path := range []string{f.out.Best, f.out.Raw} {
			if path == "" {
				continue
			}
			if err := MayWrite(path+".data", f.c.Force || f.start != nil); err != nil {
				return err
			}
		}
		return nil
	}
	return nil
}

// begin writes what is known before training: how it can be replayed, and which examples it is measured on. undo takes away what was not
// there before.
func (f *finetuning) begin() (undo func(), err error) {
	var made []string
	put := func(path string, write func(w io.Writer) error) error {
		if _, err := os.Lstat(path); err != nil {
			made = append(made, path)
		}
		return WriteFile(path, write)
	}
	undo = func() {
		for _, path := range made {
			_ = whole.Remove(path) // what cannot be removed is overwritten by another try
		}
	}
	if f.c.Replay != nil && !f.replaces() {
		if err := put(f.out.Config, f.replay); err != nil {
			return undo, err
		}
	}
	if f.out.Report == "" {
		return undo, nil
	}
	if err := put(filepath.Join(f.out.Report, runFile), f.describe().write); err != nil || f.c.ValSplit == 0 {
		return undo, err
	}
	comment := fmt.Sprintf("validation split %g of %s, seed %d: --val keep:%s@%s", f.c.ValSplit, f.c.Data, f.c.Seed, valIDs, f.c.Data)
	return undo, put(filepath.Join(f.out.Report, valIDs), func(w io.Writer) error { return writeIDs(w, f.val, comment) })
}

// replaces reports whether nothing of this training is seen before its model takes the place of another: then run.yaml does not say what
// the old model is made by until there is a checkpoint, or the new model.
func (f *finetuning) replaces() bool {
	if f.out.Periodic != "" {
		return false
	}
	_, err := os.Lstat(f.out.Model)
	return err == nil
}

// begun writes the run.yaml that begin has not.
func (f *finetuning) begun() error {
	if f.c.Replay == nil || !f.replaces() {
		return nil
	}
	return WriteFile(f.out.Config, f.replay)
}

// withReplay writes the model by write, and the run.yaml that begin has not: the old one goes before the model and the new one comes after
// it, so that none stands beside a model of another run. Where write fails the old one comes back.
func (f *finetuning) withReplay(write func() error) error {
	if f.c.Replay == nil || !f.replaces() {
		return write()
	}
	fresh, err := whole.Create(f.out.Config)
	if err == nil {
		if err = f.replay(fresh); err != nil {
			fresh.Discard()
		}
	}
	if err != nil {
		return err
	}
	old, oldErr := regular.Read(f.out.Config, 1<<20)
	if oldErr == nil {
		if err := whole.Remove(f.out.Config); err != nil {
			fresh.Discard()
			return err
		}
	}
	if err := write(); err != nil {
		fresh.Discard()
		if oldErr == nil {
			err = errors.Join(err, WriteFile(f.out.Config, func(w io.Writer) error { _, err := w.Write(old); return err }))
		}
		return err
	}
	return fresh.Commit()
}

func (f *finetuning) replay(w io.Writer) error {
	_, err := w.Write(f.c.Replay)
	return err
}

// writeIDs writes a keep-list of all examples of ds.
func writeIDs(w io.Writer, ds data.Dataset, comment string) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "# %s\n", strings.ReplaceAll(comment, "\n", " "))
	for i := range ds.Len() {
		fmt.Fprintln(b, data.EncodeID(ds.ID(i)))
	}
	return b.Flush()
}
