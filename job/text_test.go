package job_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// A table of what follows each byte, the smallest language model that there is, learns from a text, and is refused one whose bytes it has
// no rows for.
func TestLanguageModelOnText(t *testing.T) {
	bigrams := func(k int) string {
		return built(t, infos(info("input_ids", tensor.Int64, "N", "T"), info("scale", tensor.Float32, "N", "T", 1)),
			infos(info("logits", tensor.Float32, "N", "T", k)),
			map[string]*tensor.Tensor{"table": tensor.New(tensor.Float32, k, k)},
			onnx.NewNode("Gather", "g", []string{"table", "input_ids"}, []string{"rows"}),
			onnx.NewNode("Mul", "m", []string{"rows", "scale"}, []string{"logits"}))
	}
	text := file(t, "text.txt", strings.Repeat("the quick brown fox jumps over the lazy dog. ", 60))
	c := job.FinetuneConfig{Model: bigrams(256), Data: "text:" + text + "?length=16#train", Val: "text:" + text + "?length=16#test",
		Out: filepath.Join(t.TempDir(), "lm.onnx"), Epochs: 4,
		TrainOptions: job.TrainOptions{LR: 0.3}, UseOptions: job.UseOptions{Set: map[string]string{"scale": "1"}}}
	r, err := job.Finetune(context.Background(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Before.Loss < 5.5 || r.After.Loss > 1 { // ln 256 = 5.545
		t.Errorf("loss %v → %v", r.Before.Loss, r.After.Loss)
	}
	c.Model, c.Out = bigrams(100), filepath.Join(t.TempDir(), "no.onnx")
	if _, err := job.Finetune(context.Background(), c, nil); err == nil || !strings.Contains(err.Error(), "100") {
		t.Errorf("bytes beyond the vocabulary: %v", err)
	}
}
