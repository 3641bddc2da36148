package job_test

import (
	"context"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
)

// page is a page of this module as data.
func page(name string) string { return "text:" + filepath.Join(here, "..", name) }

// decoder writes a small causal language model on bytes.
func decoder(t *testing.T, name string, o models.Options) string {
	t.Helper()
	m, err := models.New(name, o)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name+".onnx")
	if err := m.WriteFile(path, onnx.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	return path
}

// What docs/guides/language-models.md does in minutes, in seconds: a model learns the bytes of a text, and then those of another, whole and
// by adapters, and what is written predicts as well as what was trained.
func TestLanguageModels(t *testing.T) {
	text := func(name string) string {
		return "text:" + filepath.Join(here, "testdata", "text", name) + "?length=32&stride=8"
	}
	first, second := text("first.txt"), text("second.txt") // pages of this module as they once were
	for _, name := range []string{"gpt2", "llama"} {
		t.Run(name, func(t *testing.T) {
			base := decoder(t, name, models.Options{Width: 48, Heads: 2, Layers: 1, Context: 32})
			learn := func(model, data string, lora *job.LoRA, lr float64, epochs int) (string, *job.FinetuneReport) {
				out := filepath.Join(t.TempDir(), "out.onnx")
				r, err := job.Finetune(context.Background(), job.FinetuneConfig{Model: model, Data: data + "#train", Val: data + "#test", Out: out,
					Epochs: epochs, LoRA: lora, TrainOptions: job.TrainOptions{Optimizer: "adamw", LR: lr, BatchSize: 16}}, nil)
				if err != nil {
					t.Fatal(err)
				}
				again, err := job.Evaluate(context.Background(), job.EvaluateConfig{Model: out, Data: data + "#test"}, nil)
				if err != nil {
					t.Fatal(err)
				}
				if got, want := float64(again.Loss), float64(r.After.Loss); !r.Verify.Pass || math.Abs(got-want) > 1e-5 {
					t.Errorf("what was written is verified: %v, has the loss %v, in memory %v", r.Verify, got, want)
				}
				if got := math.Exp(float64(again.Loss)); math.Abs(float64(again.Metrics["perplexity"])/got-1) > 1e-6 {
					t.Errorf("perplexity %v, e to the loss %v", again.Metrics["perplexity"], got)
				}
				return out, r
			}
			trained, r := learn(base, first, nil, 0.005, 2)
			if before, after := r.Before.Metrics["perplexity"], r.After.Metrics["perplexity"]; before < 200 || after > 30 {
				t.Errorf("perplexity %v → %v", before, after)
			}
			_, whole := learn(trained, second, nil, 0.003, 1)
			_, adapted := learn(trained, second, &job.LoRA{Rank: 4, Alpha: 8}, 0.02, 1)
			start, end, near := whole.Before.Loss, whole.After.Loss, adapted.After.Loss
			if !(end < start) || !(near < start-(start-end)/2) || adapted.LoRA.Share > 0.3 {
				t.Errorf("loss %v, trained whole %v, by adapters of %v of the parameters %v", start, end, adapted.LoRA.Share, near)
			}
		})
	}
}

// A piece that is longer than the context of a model is refused with the way out.
func TestPiecesBeyondTheContext(t *testing.T) {
	for _, name := range []string{"gpt2", "llama"} {
		model := decoder(t, name, models.Options{Width: 8, Heads: 2, Layers: 1, Context: 32})
		_, err := job.Evaluate(context.Background(), job.EvaluateConfig{Model: model, Data: page("README.md") + "?length=33"}, nil)
		if err == nil || job.KindOf(err) != job.KindInput || !strings.Contains(err.Error(), "?length=N") {
			t.Errorf("%s: %v", name, err)
		}
	}
	model := decoder(t, "gpt2", models.Options{Width: 8, Heads: 2, Layers: 1, Context: 32, Vocabulary: 50})
	_, err := job.Evaluate(context.Background(), job.EvaluateConfig{Model: model, Data: page("README.md") + "?length=32"}, nil)
	if err == nil || job.KindOf(err) != job.KindInput || !strings.Contains(err.Error(), "outside an axis of extent 50") ||
		strings.Contains(err.Error(), "length") {
		t.Errorf("bytes beyond the vocabulary: %v", err)
	}
}

// Without gradients a language model whose weights and activations are int8 learns: the scales of its weights, or adapters beside them. Its
// integers stay as they are.
func TestMeZOOnQuantisedLanguageModels(t *testing.T) {
	text := "text:" + file(t, "text.txt", strings.Repeat("the quick brown fox jumps over the lazy dog. ", 40)) + "?length=12&stride=4"
	gain := map[string]job.Number{"gpt2": 0.02, "llama": 0.1} // 14 numbers do less than 9248
	for name, c := range map[string]job.FinetuneConfig{
		"gpt2":  {TrainOptions: job.TrainOptions{LR: 1e-6, Rule: map[string]string{"mezo-eps": "1e-5"}, Trainable: []string{"*weight*_scale"}}},
		"llama": {TrainOptions: job.TrainOptions{LR: 0.03}, LoRA: &job.LoRA{Rank: 4, Form: "beside"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(here) // from which the shared folder is found
			c.Model = testkit.SharedFile(t, "data", "modern", name, "int8_qdq.onnx")
			c.Data, c.Val, c.Out, c.MaxSteps, c.Optimizer = text+"#train", text+"#test", filepath.Join(t.TempDir(), "out.onnx"), 80, job.MeZO
			r, err := job.Finetune(context.Background(), c, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !(r.After.Loss < r.Before.Loss-gain[name]) || !r.Verify.Pass {
				t.Errorf("loss %v → %v, verified: %v", r.Before.Loss, r.After.Loss, r.Verify)
			}
			old, err := onnx.ReadFile(c.Model)
			if err != nil {
				t.Fatal(err)
			}
			now, err := onnx.ReadFile(c.Out)
			if err != nil {
				t.Fatal(err)
			}
			integers := 0
			for _, p := range old.Proto.GetGraph().GetInitializer() {
				if x, err := old.Tensor(p); err != nil || x.DType().IsFloat() {
					continue
				}
				integers++
				if q := now.Initializer(p.GetName()); q == nil || string(q.GetRawData()) != string(p.GetRawData()) {
					t.Errorf("%s is another one", p.GetName())
				}
			}
			if integers < 20 {
				t.Errorf("%d tensors of integers", integers)
			}
			c.LoRA, c.Trainable, c.Out = nil, nil, filepath.Join(t.TempDir(), "none.onnx")
			if _, err := job.Finetune(context.Background(), c, nil); err == nil || !strings.Contains(err.Error(), "--lora RANK") {
				t.Errorf("nothing to train: %v", err)
			}
		})
	}
}
