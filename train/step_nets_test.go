package train_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// torchNets are architectures of engine/testdata/nets, as PyTorch exports them, that TestStepModel trains too, and with GTK_NETS, a
// folder, those in it.
func torchNets(t *testing.T) []stepCase {
	var cases []stepCase
	add := func(stem, rule string, lr float64) { cases = append(cases, netCase(t, stem, rule, lr)) }
	for _, c := range []struct {
		name, rule string
		lr         float64
	}{{"mobilenet_v3", "sgd", 1e-3}, {"densenet121", "sgd", 1e-3}, {"convnext_tiny", "adamw", 1e-4}, {"swin_t", "adamw", 1e-4},
		{"unet", "sgd", 1e-3}, {"gru", "adam", 1e-3}, {"llama", "adamw", 1e-4}, {"mamba", "sgd", 1e-3}} {
		add(filepath.Join("..", "engine", "testdata", "nets", c.name), c.rule, c.lr)
	}
	if dir := os.Getenv("GTK_NETS"); dir != "" {
		more, err := filepath.Glob(filepath.Join(dir, "*.npz"))
		if err != nil || len(more) == 0 {
			t.Fatal("no nets in ", dir, err)
		}
		for _, path := range more {
			add(strings.TrimSuffix(path, ".npz"), "sgd", 1e-4)
			cases[len(cases)-1].full = true
		}
	}
	return cases
}

// netCase trains the net in two files as a classifier, of positions where its output has them.
func netCase(t *testing.T, stem, rule string, lr float64) stepCase {
	t.Helper()
	raw, err := os.ReadFile(stem + ".npz")
	if err != nil {
		t.Fatal(err)
	}
	arrays, err := tensor.ReadNPZ(bytes.NewReader(raw), int64(len(raw)), tensor.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	c := stepCase{name: filepath.Base(stem), rule: rule, lr: lr, c: optim.Config{}, bn: engine.BNFrozen, feeds: map[string]*tensor.Tensor{},
		model: func(t *testing.T) *onnx.Model { return readGzip(t, stem+".onnx.gz") }}
	if rule == "sgd" {
		c.c.Options = optim.Values{"momentum": 0.9}
	}
	for _, a := range arrays {
		if in, ok := strings.CutPrefix(a.Name, "in:"); ok {
			c.feeds[in] = a.Tensor
			continue
		}
		if a.Name != "out" {
			continue
		}
		n, shape := a.Tensor.Dim(0), a.Tensor.Shape()
		positions := func(p int) {
			c.feeds["gtk.weight"] = tensor.From([]float32{1 / float32(n*p), 1 / float32(n*p)}, n)
		}
		switch len(shape) {
		case 2:
			x := make([]int64, n)
			for i := range x {
				x[i] = int64(i*2) % int64(shape[1])
			}
			c.feeds["gtk.labels"] = tensor.From(x, n)
		case 3:
			c.feeds["gtk.labels"] = ids(n*shape[1], 0, n, shape[1])
			for i, x := range c.feeds["gtk.labels"].I64() {
				c.feeds["gtk.labels"].I64()[i] = x % int64(shape[2])
			}
			positions(shape[1])
		case 4:
			c.task = task.Options{Kind: "dense"}
			c.feeds["gtk.labels"] = classes(shape[1], n, shape[2]*shape[3])
			positions(shape[2] * shape[3])
		}
	}
	return c
}

func readGzip(t *testing.T, path string) *onnx.Model {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Read(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return m
}
