package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
	ucli "github.com/urfave/cli/v2"
)

// labelsKey is the key of metadata_props under which the names of the classes travel, a JSON array of strings.
const labelsKey = "gtk.labels"

// preprocessNames are the flags of preprocessing; they are the settings of data.Preprocess.Set.
var preprocessNames = []string{"image-size", "resize", "crop", "channels", "layout", "scale", "mean", "std"}

// preprocessFlags say what happens between a picture and the model, and how its classes are called.
func preprocessFlags() []ucli.Flag {
	usage := map[string]string{
		"image-size": "height and width of the picture the model gets: 224 or 240x320",
		"resize":     "length of the short side before the crop",
		"crop":       "center, or none to stretch the picture",
		"channels":   "rgb, bgr or gray",
		"layout":     "nchw or nhwc",
		"scale":      "factor on values of 0..255, such as 1/255 or 1",
		"mean":       "subtracted after the scale: one number, or one per channel, as in 0.485,0.456,0.406",
		"std":        "divides after the mean, likewise",
	}
	var fs []ucli.Flag
	for _, n := range preprocessNames {
		fs = append(fs, &ucli.StringFlag{Name: n, Usage: usage[n], Category: "pictures and labels", EnvVars: []string{"GTK_" + strings.ToUpper(strings.ReplaceAll(n, "-", "_"))}})
	}
	return append(fs, &ucli.StringFlag{Name: "labels", Category: "pictures and labels", EnvVars: []string{"GTK_LABELS"},
		Usage: "file with the names of the classes: one a line (a leading WordNet id is dropped), or JSON"})
}

// loaded is a model with what its file and the flags say about its use.
type loaded struct {
	*engine.Model
	Path          string
	Labels        []string         // names of the classes, nil when not known
	Pre           *data.Preprocess // nil when neither the file nor a flag says anything
	Read, Prepare time.Duration    // how long reading and preparing took
}

// readModel reads the file of a model, or takes a built-in one, and checks it.
func readModel(path string) (*onnx.Model, error) {
	if strings.HasPrefix(path, builtinPrefix) {
		return builtinModel(path)
	}
	m, err := onnx.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if err := m.Check(); err != nil {
		return nil, badInput(err) // names the file
	}
	return m, nil
}

// loadModel reads and prepares a model; labels and preprocessing come from its metadata and the flags of the command.
func (e *env) loadModel(c *ucli.Context, path string) (*loaded, error) {
	start := time.Now()
	file, err := readModel(path)
	if err != nil {
		return nil, err
	}
	l := &loaded{Path: path}
	l.Read = time.Since(start)
	if l.Labels, err = modelLabels(c, file); err != nil {
		return nil, err
	}
	if l.Pre, err = modelPreprocess(c, file); err != nil {
		return nil, err
	}
	start = time.Now()
	if l.Model, err = engine.Load(file, engine.WithThreads(e.Threads)); err != nil {
		return nil, badInput(fmt.Errorf("%s: %w", path, err))
	}
	l.Prepare = time.Since(start)
	for _, w := range file.Warnings() {
		e.warn("%s", w)
	}
	return l, nil
}

// modelLabels are the names of the classes by --labels, or by the metadata of the model.
func modelLabels(c *ucli.Context, m *onnx.Model) ([]string, error) {
	if path := c.String("labels"); path != "" {
		return readLabels(path)
	}
	s, ok := m.Metadata(labelsKey)
	if !ok {
		return nil, nil
	}
	var labels []string
	if err := json.Unmarshal([]byte(s), &labels); err != nil {
		return nil, badInput(fmt.Errorf("metadata %s of the model is not a JSON array of strings: %w", labelsKey, err))
	}
	return labels, nil
}

// modelPreprocess is the preprocessing by the metadata of the model, changed by the flags; nil when there is neither.
func modelPreprocess(c *ucli.Context, m *onnx.Model) (*data.Preprocess, error) {
	var p *data.Preprocess
	if s, ok := m.Metadata(data.MetadataKey); ok {
		q, err := data.ParsePreprocess(s)
		if err != nil {
			return nil, badInput(fmt.Errorf("metadata %s of the model: %w", data.MetadataKey, err))
		}
		p = &q
	}
	for _, n := range preprocessNames {
		if !c.IsSet(n) {
			continue
		}
		if p == nil {
			p = &data.Preprocess{}
		}
		if err := p.Set(n, c.String(n)); err != nil {
			return nil, usagef("--%s: %v", n, err)
		}
	}
	return p, nil
}

// readLabels reads names of classes: a JSON array, a JSON object with such an array under labels, classes or target_labels_space,
// or one name a line, where a leading WordNet id such as n01440764 is dropped.
func readLabels(path string) ([]string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--labels: %w", err)
	}
	bad := func(format string, args ...any) error {
		return badInput(fmt.Errorf("--labels %s: "+format, append([]any{path}, args...)...))
	}
	var labels []string
	switch text := strings.TrimSpace(strings.TrimPrefix(string(b), "\ufeff")); {
	case text == "":
		return nil, bad("the file is empty")
	case text[0] == '[':
		if err := json.Unmarshal([]byte(text), &labels); err != nil {
			return nil, bad("want a JSON array of strings: %w", err)
		}
	case text[0] == '{':
		var o map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			return nil, bad("%w", err)
		}
		keys := []string{"labels", "classes", "target_labels_space"}
		for _, k := range keys {
			if err := json.Unmarshal(o[k], &labels); err == nil && len(labels) > 0 {
				break
			}
		}
		if len(labels) == 0 {
			return nil, bad("the JSON object has no array of strings under %s", strings.Join(keys, ", "))
		}
	default:
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			if id, name, ok := strings.Cut(line, " "); ok && isWordNetID(id) {
				line = strings.TrimSpace(name)
			}
			labels = append(labels, line)
		}
	}
	return labels, nil
}

// isWordNetID reports whether s is n and eight digits.
func isWordNetID(s string) bool {
	if len(s) != 9 || s[0] != 'n' {
		return false
	}
	return strings.Trim(s[1:], "0123456789") == ""
}

// label is the name of class i, or its number.
func (l *loaded) label(i int) string {
	if i < len(l.Labels) && l.Labels[i] != "" {
		return l.Labels[i]
	}
	return fmt.Sprint(i)
}

// preprocessFor is the preprocessing of pictures for the input in: what the model or the flags say, completed by the shape of the
// input. assumed is a sentence about what was guessed, "" when nothing was. It fails when in takes no pictures.
func (l *loaded) preprocessFor(in engine.IO) (p data.Preprocess, assumed string, err error) {
	return completePreprocess(l.Pre, in)
}

func completePreprocess(known *data.Preprocess, in engine.IO) (p data.Preprocess, assumed string, err error) {
	if known != nil {
		p = *known
	}
	c, h, w, layout, ok := pictureAxes(in.Dims, p.Layout)
	if !ok {
		return p, "", badInput(fmt.Errorf("input %v takes no pictures; give a tensor file (.npy, .npz, .pb)", in))
	}
	if p.Layout == "" && layout == "nhwc" {
		p.Layout = layout
	}
	if p.ImageSize == [2]int{} && h > 0 && w > 0 {
		p.ImageSize = [2]int{h, w}
	}
	if p.Channels == "" {
		p.Channels = map[int]string{1: "gray", 3: "rgb"}[c]
	}
	if known == nil {
		if in.DType.IsInt() {
			p.Scale = 1
		}
		size := "their own size"
		if p.ImageSize != [2]int{} {
			size = fmt.Sprintf("%d×%d", p.ImageSize[0], p.ImageSize[1])
		}
		values := "0..1"
		if p.Scale == 1 {
			values = "0..255"
		}
		assumed = fmt.Sprintf("the model does not say how pictures are prepared; assuming %s, %s, values %s. If it was trained otherwise, give --resize --channels --scale --mean --std, "+
			"or store them with gtk import", size, strings.ToUpper(p.Channels), values)
	}
	return p, assumed, nil
}

// pictureAxes reads channels, height and width (-1 when free) from the declared shape of an input.
func pictureAxes(dims []graph.Dim, layout string) (c, h, w int, found string, ok bool) {
	if len(dims) != 4 {
		return 0, 0, 0, "", false
	}
	is := func(n int) bool { return n == 1 || n == 3 }
	switch {
	case layout != "nhwc" && (is(dims[1].Size) || dims[1].Size < 0 && (layout == "nchw" || !is(dims[3].Size))):
		return dims[1].Size, dims[2].Size, dims[3].Size, "nchw", true
	case layout != "nchw" && (is(dims[3].Size) || dims[3].Size < 0):
		return dims[3].Size, dims[1].Size, dims[2].Size, "nhwc", true
	}
	return 0, 0, 0, "", false
}

// classesOf is the number of classes when a value of this shape is a classifier's output for a batch: [N,K], or [N,K,1,1]; else 0.
func classesOf(s tensor.Shape) int {
	if len(s) < 2 || s[1] < 2 {
		return 0
	}
	for _, d := range s[2:] {
		if d != 1 {
			return 0
		}
	}
	return s[1]
}
