//go:build unix

package cli_test

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestHostileKinds gives pipes and devices in the place of every file that a command reads: each is refused by its kind, at once.
func TestHostileKinds(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	if code, _, e := run("models", "new", "mlp", "-o", in("mlp.onnx")); code != 0 {
		t.Fatal(e)
	}
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"set/a/1.png", "set/b/1.png", "seg/images/1.png"} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(in(name)), 0o755), os.WriteFile(in(name), picture.Bytes(), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"pipe", "pipe.npz", "pipe.npy", "pipe.png", "set/a/p.png", "seg/masks/1.png",
		"idx/train-images-idx3-ubyte",
		"cifar/data_batch_1.bin", "gold/input_0.pb", "run/checkpoint.npz", "exported/model.onnx"} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(in(name)), 0o755), syscall.Mkfifo(in(name), 0o644)); err != nil {
			t.Skip(err)
		}
	}
	if err := os.WriteFile(in("list.csv"), []byte("file,label\npipe.png,0\nset/a/1.png,1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	const out = " -o NEW"
	for _, args := range []string{
		"inspect pipe", "inspect /dev/zero", "diff pipe mlp.onnx", "export pipe" + out, "export exported" + out,
		"run mlp.onnx pipe.npy", "run mlp.onnx pipe.npz", "run mlp.onnx pipe.png", "run mlp.onnx pipe",
		"explain mlp.onnx pipe.png" + out, "explain mlp.onnx pipe.npz" + out, "explain mlp.onnx --data digits --vocab pipe" + out,
		"explain mlp.onnx --data digits --font /dev/zero" + out,
		"eval mlp.onnx --data digits --labels pipe", "eval mlp.onnx --data digits --labels /dev/zero",
		"finetune mlp.onnx --data digits --config pipe" + out, "finetune mlp.onnx --data digits --resume run" + out,
		"finetune mlp.onnx --channels gray --max-steps 1 --data imagefolder:set" + out,
		"eval mlp.onnx --channels gray --data imagefolder:set", "eval mlp.onnx --channels gray --data csv:list.csv",
		"data convert masks:seg" + out,
		"data keep:pipe@digits", "data relabel:pipe@digits", "data csv:pipe", "data text:pipe", "data npz:pipe.npz", "data images:pipe",
		"data imagefolder:pipe", "data masks:pipe", "data idx:idx", "data cifar10:cifar", "data window:pipe?in=2&out=1", "data pipe",
		"data csv:/dev/zero", "data npz:/dev/zero",
		"verify mlp.onnx --golden gold", "verify mlp.onnx --golden pipe",
	} {
		words := strings.Fields(args)
		for i, w := range words {
			for _, name := range []string{"mlp.onnx", "pipe", "run", "exported", "list.csv", "seg", "set", "idx", "cifar", "gold", "NEW"} {
				format, path, _ := strings.Cut(w, ":")
				switch {
				case i > 0 && (w == name || strings.HasPrefix(w, "pipe") && name == "pipe"):
					words[i] = in(w)
				case strings.Contains(w, ":") && (path == name || strings.HasPrefix(path, "pipe") && name == "pipe"):
					words[i] = format + ":" + in(path)
				}
			}
		}
		type result struct {
			code int
			err  string
		}
		done := make(chan result, 1)
		go func() {
			code, _, e := run(words...)
			done <- result{code, e}
		}()
		select {
		case r := <-done:
			if r.code != 3 && r.code != 4 || strings.Count(r.err, "\n") > 3 || len(r.err) > 4096 ||
				!strings.Contains(r.err, "not a regular file") && !strings.Contains(r.err, "not a directory") {
				t.Errorf("gtk %s: exit %d: %s", args, r.code, r.err)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("gtk %s: still waiting", args)
		}
		if _, err := os.Stat(in("NEW")); err == nil {
			if err := os.RemoveAll(in("NEW")); err != nil {
				t.Fatal(err)
			}
		}
	}
}
