package job_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/gtk-onnx/gtk/job"
)

// What cannot be written is said before the work, with its path; what is missing on the way is made.
func TestUnwritable(t *testing.T) {
	ctx := context.Background()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	under := filepath.Join(file, "deep")
	const digits = "digits#train"
	forever := 1 << 20
	finetune := func(change func(*job.FinetuneConfig)) func(string) error {
		return func(path string) error {
			c := job.FinetuneConfig{Model: "builtin:digits", Data: digits, Out: filepath.Join(t.TempDir(), "x.onnx"), Epochs: forever}
			change(&c)
			_, err := job.Finetune(ctx, c, nil)
			return err
		}
	}
	scoring := job.ScoringOptions{Model: "builtin:digits", Data: digits, Out: under, ScoreEpochs: &forever}
	for name, err := range map[string]error{
		"finetune":             finetune(func(c *job.FinetuneConfig) { c.Out = under + "/x.onnx" })(""),
		"finetune, folder":     finetune(func(c *job.FinetuneConfig) { c.Out = under })(""),
		"finetune, checkpoint": finetune(func(c *job.FinetuneConfig) { c.Checkpoint = under + "/c.npz" })(""),
		"score-data":           second(job.Score(ctx, job.ScoreConfig{ScoringOptions: scoring}, nil)),
		"prune-data":           second(job.Prune(ctx, job.PruneConfig{ScoringOptions: scoring, Keep: 0.5}, nil)),
		"explain":              second(job.Explain(ctx, job.ExplainConfig{Model: "builtin:digits", Data: digits, Out: under}, nil)),
		"export":               second(job.Export(ctx, job.ExportConfig{From: "builtin:digits", Out: under + "/x.onnx"})),
		"import":               second(job.Import(job.ImportConfig{Model: "builtin:digits", Out: under + "/x.onnx"})),
		"models new":           second(job.Build(job.BuildConfig{Name: "mlp", Out: under + "/x.onnx"})),
		"data convert":         second(job.Convert(job.ConvertConfig{Data: digits, Out: under + "/x.npz"})),
		"data convert, folder": second(job.Convert(job.ConvertConfig{Data: digits, Out: under})),
		"data info":            second(job.Data(job.DataConfig{Data: digits, Sheet: under + "/x.png"})),
		"inspect":              second(job.Inspect(job.InspectConfig{Model: "builtin:digits", Dot: under + "/x.dot"})),
		"demo":                 second(job.Demo(ctx, job.DemoConfig{Out: under}, nil)),
	} {
		var at *fs.PathError
		if !errors.As(err, &at) || job.KindOf(err) != job.KindIO || len(at.Path) < len(under) {
			t.Errorf("%s: %v (%s)", name, err, job.KindOf(err))
		}
	}
	fresh := filepath.Join(t.TempDir(), "not", "yet")
	if _, err := job.Build(job.BuildConfig{Name: "mlp", Out: filepath.Join(fresh, "x.onnx")}); err != nil {
		t.Error(err)
	}
	if _, err := job.Convert(job.ConvertConfig{Data: digits, Out: filepath.Join(fresh, "there", "x.npz")}); err != nil {
		t.Error(err)
	}
	// Nothing is left of a command that is refused for another reason.
	gone := filepath.Join(t.TempDir(), "gone")
	if _, err := job.Import(job.ImportConfig{Model: file, Out: filepath.Join(gone, "x.onnx")}); err == nil {
		t.Error("a file that is no model was imported")
	}
	if _, err := os.Stat(gone); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder was left behind: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }
