package cli_test

import (
	"encoding/json"
	"errors"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/gtk-onnx/gtk/internal/testkit"
)

// cifarFolder is a folder as CIFAR-10's own, with the pictures of a file of one picture a row: those whose number divides by five are for
// testing, so that both parts have all classes.
func cifarFolder(t *testing.T) string {
	t.Helper()
	f, err := os.Open(testkit.SharedFile(t, "data", "datasets", "cifar10-subset", "test1000.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(testkit.SharedFile(t, "data", "datasets", "cifar10-subset", "test1000.json"))
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Labels []int }
	if err := json.Unmarshal(b, &list); err != nil {
		t.Fatal(err)
	}
	if n := img.Bounds().Dy(); n != 1000 || len(list.Labels) != n {
		t.Fatalf("%d pictures, %d labels", n, len(list.Labels))
	}
	var parts [2][]byte
	for i, y := range list.Labels {
		part := &parts[min(i%5, 1)]
		*part = append(*part, byte(y))
		for c := range 3 {
			for p := range 32 * 32 {
				r, g, b, _ := img.At(p, i).RGBA()
				*part = append(*part, byte([]uint32{r, g, b}[c]>>8))
			}
		}
	}
	dir := t.TempDir()
	for name, b := range map[string][]byte{"test_batch.bin": parts[0], "data_batch_1.bin": parts[1]} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// The short form of docs/guides/cifar10.md, on a thousand pictures: a network with random weights learns, and one that was trained keeps
// what it knows under a fresh last layer.
func TestCIFAR(t *testing.T) {
	if testing.Short() {
		t.Skip("trains for half a minute")
	}
	gtk, dir, at := gtkProgram(t), cifarFolder(t), t.TempDir()
	fresh := filepath.Join(at, "resnet20.onnx")
	if code, _, e := run("models", "new", "resnet20", "-o", fresh); code != 0 {
		t.Fatal(e)
	}
	normal := []string{"--data", "cifar10:" + dir + "#train", "--val", "cifar10:" + dir + "#test", "--augment", "crop=4,flip", "--json", "-q"}
	for _, c := range []struct {
		name  string
		args  []string
		least float64 // of the accuracy on the 200 pictures for testing
	}{
		{"from random weights", []string{fresh, "--bn", "train", "--epochs", "12", "--batch-size", "40", "--optimizer", "sgd", "--momentum",
			"0.9",
			"--nesterov", "--lr", "0.1", "--schedule", "one-cycle", "--weight-decay", "5e-4", "--mean", "0.4914,0.4822,0.4465",
			"--std", "0.2470,0.2435,0.2616"}, 0.35},
		{"a fresh last layer", []string{testkit.SharedFile(t, "data", "models", "cifar10_resnet20.onnx"), "--num-classes", "10",
			"--last-layer", "--epochs", "4", "--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225"}, 0.85},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append(append([]string{"finetune"}, c.args...), append(normal, "-o", filepath.Join(at, "out.onnx"), "--force")...)
			out, err := exec.Command(gtk, args...).Output() // a process of its own, which gives its memory back
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				t.Fatalf("%v\n%s", err, exit.Stderr)
			} else if err != nil {
				t.Fatal(err)
			}
			var r struct {
				ValAfter struct{ Accuracy float64 } `json:"val_after"`
			}
			if err := json.Unmarshal(out, &r); err != nil {
				t.Fatal(err)
			}
			if r.ValAfter.Accuracy < c.least {
				t.Errorf("accuracy %.3f, want at least %.2f", r.ValAfter.Accuracy, c.least)
			}
			t.Logf("accuracy %.3f", r.ValAfter.Accuracy)
		})
	}
}
