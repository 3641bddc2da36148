package job_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/job"
)

// Damaged files of adapters are errors, or other numbers, and never a crash.
func TestHostileAdapters(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	c := job.FinetuneConfig{Model: "builtin:digits-trained", Data: "digits#train", MaxSteps: 1, Out: at("m.onnx"),
		LoRA: &job.LoRA{Rank: 1, Target: []string{"head"}, Out: []string{at("a.onnx_adapter"), at("p.onnx")}}}
	if _, err := job.Finetune(t.Context(), c, nil); err != nil {
		t.Fatal(err)
	}
	base := at("base.onnx")
	if _, err := job.Import(job.ImportConfig{Model: c.Model, Out: base}); err != nil {
		t.Fatal(err)
	}
	good := job.ExportConfig{From: base, Out: at("good.onnx"), Adapter: &job.AdapterOptions{File: c.LoRA.Out[1]}}
	if _, err := job.Export(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	for _, name := range c.LoRA.Out {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, bad := range append(testkit.Flipped(b, 40, 7), testkit.Truncated(b, 10)...) {
			file := at("bad" + filepath.Ext(name))
			if err := os.WriteFile(file, bad, 0o644); err != nil {
				t.Fatal(err)
			}
			for _, form := range []string{"merged", "inputs"} {
				_, err := job.Export(t.Context(), job.ExportConfig{From: base, Out: at("x.onnx"), Force: true,
					Adapter: &job.AdapterOptions{File: file, Form: form, Anyway: i%2 == 0}})
				if k := job.KindOf(err); err != nil && k != job.KindInput && k != job.KindUsage && k != job.KindNo {
					t.Errorf("%s, damage %d: %s: %v", filepath.Base(name), i, k, err)
				}
			}
		}
	}
}
