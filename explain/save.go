package explain

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/gtk-onnx/gtk/internal/whole"
	"github.com/gtk-onnx/gtk/tensor"
)

// Writer writes the files of maps to a folder: NAME.METHOD[.LAYER][.CLASS] with .png (over the input), .original.png (over the whole
// picture, where there is one), .npy (raw, float32 [c,h,w]) and .json. Small pictures are enlarged by a whole factor: each pixel is a
// square.
type Writer struct {
	Dir     string
	As      string // folder that Written and errors name, where Dir is one in the making; "" means Dir
	PNG     bool
	NPY     bool
	JSON    bool
	Force   bool // overwrite
	Render  Render
	Model   string         // name of the model, for the JSON files
	Details map[string]any // more for the JSON files: seed, hash of the model

	used map[string]bool
}

// Written is what was written for one map; names of files that were not asked for are empty.
type Written struct {
	Image    string `json:"image"`
	Method   string `json:"method"`
	Layer    string `json:"layer"`
	Target   int    `json:"target"`
	PNG      string `json:"png,omitempty"`
	Original string `json:"original,omitempty"`
	NPY      string `json:"npy,omitempty"`
	JSON     string `json:"json,omitempty"`
}

// mapFile is the form of the JSON file of a map.
type mapFile struct {
	Schema  string         `json:"schema"`
	Model   string         `json:"model,omitempty"`
	Image   string         `json:"image"`
	Method  string         `json:"method"`
	Options Options        `json:"options,omitempty"`
	Layer   string         `json:"layer,omitempty"`
	Target  Prediction     `json:"target"`
	Score   float64        `json:"score"`
	Top     []Prediction   `json:"top"`
	Shape   []int          `json:"shape"`
	Min     float32        `json:"min"`
	Max     float32        `json:"max"`
	Signed  bool           `json:"signed"`
	Weights []float32      `json:"weights,omitempty"`
	Details map[string]any `json:"details,omitempty"`
}

// Write writes the files of one item.
func (w *Writer) Write(it Item) ([]Written, error) {
	stem := w.stem(it.Name)
	several := len(byTarget(it.Result.Maps)) > 1
	var out []Written
	for _, m := range it.Result.Maps {
		parts := []string{stem, m.Method}
		if m.Layer != "" {
			parts = append(parts, m.Layer)
		}
		if several {
			parts = append(parts, fmt.Sprintf("class%d", m.Target.Class))
		}
		base := w.unique(FileName(parts...))
		r := Written{Image: it.Name, Method: m.Method, Layer: m.Layer, Target: m.Target.Class}
		if w.PNG {
			if err := w.pictures(it, m, base, &r); err != nil {
				return nil, err
			}
		}
		if w.NPY {
			var b bytes.Buffer
			if err := tensor.WriteNPY(&b, m.Raw); err != nil {
				return nil, fmt.Errorf("explain: %s: %w", base, err)
			}
			var err error
			if r.NPY, err = w.file(base+".npy", b.Bytes()); err != nil {
				return nil, err
			}
		}
		if w.JSON {
			b, err := json.MarshalIndent(w.describe(it, m), "", "  ")
			if err != nil {
				return nil, fmt.Errorf("explain: %s: %w", base, err)
			}
			if r.JSON, err = w.file(base+".json", append(b, '\n')); err != nil {
				return nil, err
			}
		}
		out = append(out, r)
	}
	return out, nil
}

// minPicture is what the longer side of a picture that is written measures at least, when its pixels can be enlarged to that.
const minPicture = 224

// pictures writes the pictures of m and enters them into r.
func (w *Writer) pictures(it Item, m Map, base string, r *Written) error {
	img, err := w.Render.Picture(it, m)
	if err != nil {
		return err
	}
	if it.picture() {
		img = legible(img)
	}
	if r.PNG, err = w.picture(base+".png", img); err != nil || !it.whole() {
		return err
	}
	if img, err = w.Render.OnOriginal(it.Original, it.Box, m); err != nil {
		return fmt.Errorf("%w (input %s)", err, it.Name)
	}
	r.Original, err = w.picture(w.unique(base+".original")+".png", legible(img))
	return err
}

// legible is img enlarged until it is at least about minPicture long.
func legible(img image.Image) image.Image {
	b := img.Bounds()
	return enlarged(img, max(1, minPicture/max(b.Dx(), b.Dy(), 1)))
}

// describe is the JSON form of m. Numbers that JSON does not have are left out with Min and Max 0.
func (w *Writer) describe(it Item, m Map) mapFile {
	f := mapFile{
		Schema: "gtk.explain.map/1", Model: w.Model, Image: it.Name, Method: m.Base, Options: m.Options, Layer: m.Layer, Target: m.Target,
		Score: m.Score, Top: it.Result.Top[:min(5, len(it.Result.Top))], Shape: m.Raw.Shape(), Signed: m.Signed,
		Weights: m.Weights, Details: w.Details,
	}
	if x := m.Raw.F32(); !m.Constant || finite(x) {
		f.Min, f.Max = slices.Min(x), slices.Max(x)
	}
	if !finite(f.Weights) {
		f.Weights = nil
	}
	return f
}

func finite(x []float32) bool {
	for _, v := range x {
		if v-v != 0 {
			return false
		}
	}
	return true
}

// Panel writes img as NAME.png in the folder and returns its path.
func (w *Writer) Panel(name string, img image.Image) (string, error) {
	return w.picture(w.unique(FileName(name))+".png", img)
}

func (w *Writer) picture(name string, img image.Image) (string, error) {
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return "", fmt.Errorf("explain: %s: %w", name, err)
	}
	return w.file(name, b.Bytes())
}

// file writes a whole file or none, and the folder where it is missing.
func (w *Writer) file(name string, content []byte) (string, error) {
	path, shown := filepath.Join(w.Dir, name), filepath.Join(cmp.Or(w.As, w.Dir), name)
	if _, err := os.Lstat(shown); err == nil && !w.Force {
		return "", fmt.Errorf("explain: %w: %s (choose another folder, or overwrite with force)", fs.ErrExist, shown)
	}
	err := whole.Write(path, func(f io.Writer) error { _, err := f.Write(content); return err })
	if err != nil {
		return "", fmt.Errorf("explain: %w", err)
	}
	return shown, nil
}
