package job_test

import (
	"context"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// A table of what follows each byte writes the text that it knows, also in pieces of one length.
func TestGenerate(t *testing.T) {
	const k = 128
	table := tensor.New(tensor.Float32, k, k)
	next := map[byte]byte{'a': 'b', 'b': 'c', 'c': ' ', ' ': 'a', '\n': 'c'}
	for from, to := range next {
		table.F32()[int(from)*k+int(to)] = 20
	}
	table.F32()[(k-1)*k] = 20 // behind the last token, which is padding once
	embed := onnx.NewNode("Gather", "g", []string{"table", "input_ids"}, []string{"logits"})
	ahead := onnx.NewNode("CumSum", "s", []string{"e", "one"}, []string{"logits"}, onnx.AttrInt("reverse", 1))
	out := infos(info("logits", tensor.Float32, "N", "T", k))
	free := built(t, infos(info("input_ids", tensor.Int64, "N", "T")), out, map[string]*tensor.Tensor{"table": table}, embed)
	four := built(t, infos(info("input_ids", tensor.Int32, 1, 4)), infos(info("logits", tensor.Float32, 1, 4, k)),
		map[string]*tensor.Tensor{"table": table}, embed)
	looking := built(t, infos(info("input_ids", tensor.Int64, "N", "T")), out, map[string]*tensor.Tensor{"table": table,
		"one": tensor.Scalar(int64(1))}, onnx.NewNode("Gather", "g", []string{"table", "input_ids"}, []string{"e"}), ahead)
	for _, c := range []struct {
		c    job.GenerateConfig
		want string // "" where an error is
		err  string
	}{
		{job.GenerateConfig{Model: free, Prompt: "a", Tokens: 6}, "bc abc", ""},
		{job.GenerateConfig{Model: free, Tokens: 4}, "c ab", ""},
		{job.GenerateConfig{Model: free, Prompt: "ab", Tokens: 9, Length: 3, Temperature: 0.5, Seed: 3}, "c abc abc", ""},
		{job.GenerateConfig{Model: four, Prompt: "a b c abc a", Tokens: 5, TopK: 1, Temperature: 9}, "bc ab", ""},
		{job.GenerateConfig{Model: four, Length: 5}, "", "the model takes 4 tokens"},
		{job.GenerateConfig{Model: free, Prompt: "aé"}, "", "byte 195 at 1 is beyond the 128 tokens"},
		{job.GenerateConfig{Model: free, Tokens: -1}, "", "--tokens -1"},
		{job.GenerateConfig{Model: free, Temperature: -1}, "", "--temperature -1"},
		{job.GenerateConfig{Model: free, TopK: -2}, "", "--top-k -2"},
		{job.GenerateConfig{Model: looking, Prompt: "ab"}, "", "causal mask"},
		{job.GenerateConfig{Model: "builtin:lenet"}, "", "takes no token numbers"},
		{job.GenerateConfig{Model: decoder(t, "gpt2", models.Options{Width: 8, Heads: 2, Layers: 1, Context: 16}), Length: 17, Tokens: 1}, "",
			"?length=N"},
		{job.GenerateConfig{Model: decoder(t, "gpt2", models.Options{Width: 8, Heads: 2, Layers: 1, Vocabulary: 300})}, "", "up to 256 tokens"},
	} {
		r, err := job.Generate(context.Background(), c.c, nil)
		switch {
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%+v: %v, want %q", c.c, err, c.err)
		case c.err == "" && err != nil:
			t.Error(err)
		case c.err == "" && (r.Text != c.want || len(r.Tokens) != len(c.want)):
			t.Errorf("%+v: %q, want %q", c.c, r.Text, c.want)
		}
	}
}

// What is drawn follows the probabilities, and the seed.
func TestGenerateDraws(t *testing.T) {
	table := tensor.New(tensor.Float32, 3, 3) // one token in three behind each
	model := built(t, infos(info("input_ids", tensor.Int64, "N", "T")), infos(info("logits", tensor.Float32, "N", "T", 3)),
		map[string]*tensor.Tensor{"table": table}, onnx.NewNode("Gather", "g", []string{"table", "input_ids"}, []string{"logits"}))
	write := func(seed uint64) []int {
		r, err := job.Generate(context.Background(), job.GenerateConfig{Model: model, Prompt: "\x00", Tokens: 600, Length: 2, Temperature: 1,
			Seed: seed}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := float64(r.LogProb); got > -1.098 || got < -1.099 { // -ln 3
			t.Errorf("mean logarithm %v", got)
		}
		return r.Tokens
	}
	var count [3]int
	first, again, other := write(1), write(1), write(2)
	same, differ := true, false
	for i, k := range first {
		count[k]++
		same, differ = same && again[i] == k, differ || other[i] != k
	}
	if !same || !differ || min(count[0], count[1], count[2]) < 150 {
		t.Errorf("drawn %v; the same seed gives the same: %v, another another: %v", count, same, differ)
	}
}
