package cli_test

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/gtk-onnx/gtk/internal/testkit"
)

// Models with outputs that ONNX Runtime recorded.
func TestVerifyRecordedModels(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a dozen networks")
	}
	golden := testkit.SharedFile(t, "data", "models", "golden")
	dirs, err := filepath.Glob(filepath.Join(golden, "*"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no recorded models: %v", err)
	}
	for _, dir := range dirs {
		name := filepath.Base(dir)
		t.Run(name, func(t *testing.T) {
			code, out, e := run("verify", filepath.Join(golden, "..", name+".onnx"), "--golden", dir, "--json", "-q")
			if code != 0 {
				t.Errorf("code %d\n%s\n%s", code, out, e)
			}
		})
	}
}

// What ONNX Runtime says of two pictures, prepared by Pillow: 22 bald eagle 0.949, 281 tabby 0.900.
func TestRunPictures(t *testing.T) {
	model := testkit.SharedFile(t, "data", "models", "squeezenet1.1_fp32_opset7.onnx")
	labels := testkit.SharedFile(t, "data", "models", "imagenet_labels.txt")
	eagle, kitten := testkit.SharedFile(t, "data", "images", "bald_eagle.jpeg"), testkit.SharedFile(t, "data", "images", "kitten_224.png")
	prepared := filepath.Join(t.TempDir(), "s.onnx")
	code, _, e := run("import", model, "-o", prepared, "--labels", labels, "--resize", "256", "--image-size", "224", "--channels", "bgr",
		"--scale", "1", "--mean", "104,117,123")
	if code != 0 {
		t.Fatalf("import: code %d: %s", code, e)
	}
	code, out, e := run("run", prepared, eagle, kitten, "--json", "-q")
	if code != 0 {
		t.Fatalf("run: code %d: %s", code, e)
	}
	var r struct {
		Top []struct {
			Classes []struct {
				Index       int
				Label       string
				Probability float64
			}
		}
		Notes []string
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	want := []struct {
		index int
		label string
		p     float64
	}{{22, "bald eagle, American eagle, Haliaeetus leucocephalus", 0.949}, {281, "tabby, tabby cat", 0.900}}
	if len(r.Top) != len(want) || len(r.Notes) != 0 {
		t.Fatalf("%d rows, notes %q", len(r.Top), r.Notes)
	}
	for i, w := range want {
		c := r.Top[i].Classes[0]
		if c.Index != w.index || c.Label != w.label || c.Probability < w.p-0.01 || c.Probability > w.p+0.01 {
			t.Errorf("picture %d: %+v, want %+v", i, c, w)
		}
	}
}
