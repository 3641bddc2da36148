package engine_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// magikaInput is what the file-type classifier reads of a file: the first 1024 bytes of the first 4096 without white space in front, and
// the last 1024 of the last 4096 without white space behind, right-aligned, padded with 256.
//
// Source: https://github.com/google/magika, the model's config.json (beg_size, end_size, block_size, padding_token).
func magikaInput(content []byte) []int32 {
	const part, block, pad = 1024, 4096, 256
	x := make([]int32, 2*part)
	for i := range x {
		x[i] = pad
	}
	const space = " \t\n\r\v\f"
	head := bytes.TrimLeft(content[:min(block, len(content))], space)
	head = head[:min(part, len(head))]
	for i, b := range head {
		x[i] = int32(b)
	}
	tail := bytes.TrimRight(content[max(0, len(content)-block):], space)
	tail = tail[max(0, len(tail)-part):]
	for i, b := range tail {
		x[2*part-len(tail)+i] = int32(b)
	}
	return x
}

// TestMagikaReference compares the model's predictions with those that it ships for real files.
func TestMagikaReference(t *testing.T) {
	f, err := os.Open(testkit.SharedFile(t, "data", "models", "magika_v3_3_reference_examples.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var examples []struct {
		Content    []byte `json:"content_base64"`
		Prediction struct {
			DL    string  `json:"dl"`
			Score float64 `json:"score"`
		} `json:"prediction"`
	}
	if err := json.NewDecoder(z).Decode(&examples); err != nil {
		t.Fatal(err)
	}
	var config struct {
		Labels []string `json:"target_labels_space"`
	}
	b, err := os.ReadFile(testkit.SharedFile(t, "data", "models", "magika_standard_v3_3.config.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &config); err != nil {
		t.Fatal(err)
	}
	om, err := onnx.ReadFile(testkit.SharedFile(t, "data", "models", "magika_standard_v3_3.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := load(t, om).Session(engine.Query{})
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for i, e := range examples {
		if e.Prediction.DL == "undefined" {
			continue // too small or empty: decided without the model
		}
		if testing.Short() && i%8 != 0 {
			continue
		}
		seen++
		r, err := s.Run(t.Context(), map[string]*tensor.Tensor{"bytes": tensor.From(magikaInput(e.Content), 1, 2048)})
		if err != nil {
			t.Fatal(err)
		}
		p := r.Value("target_label").F32()
		best := 0
		for k, v := range p {
			if v > p[best] {
				best = k
			}
		}
		if config.Labels[best] != e.Prediction.DL || math.Abs(float64(p[best])-e.Prediction.Score) > 1e-5 {
			t.Errorf("example %d: %s %.7f, want %s %.7f", i, config.Labels[best], p[best], e.Prediction.DL, e.Prediction.Score)
		}
	}
	t.Logf("%d examples", seen)
}
