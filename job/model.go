package job

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
)

// ModelOptions say how a model is opened.
type ModelOptions struct {
	Threads int    // 0 means all processors
	Labels  string // file with the names of the classes; "" takes those that travel in the model
	// Preprocess changes the preprocessing that travels in the model: settings of data.Preprocess.Set by name, such as
	// "image-size": "224".
	Preprocess map[string]string
	Fed        []string // inputs that are fed though they have a default value
	// Context ends the reading of the model, and of its external data and their checksums, when it is done; nil does not.
	Context context.Context
}

// PreprocessSettings are the names of ModelOptions.Preprocess.
var PreprocessSettings = []string{"image-size", "resize", "crop", "channels", "transparent", "layout", "scale", "mean", "std"}

// LatestOpset is the newest version of the default operator set.
const LatestOpset = onnx.LatestOpset

// Model is a model with what its file and the options say about its use.
type Model struct {
	*engine.Model
	Path          string
	Labels        []string         // names of the classes, nil when not known
	Pre           *data.Preprocess // nil when neither the file nor the options say anything
	Warnings      []string         // what is odd about the file
	Read, Prepare time.Duration    // how long reading and preparing took
}

// BuiltinPrefix marks the name of a model that is part of the program, where the path of a model is expected.
const BuiltinPrefix = "builtin:"

// OpenModel reads and prepares the model in the file path, or the one that builtin:NAME names. Labels and preprocessing come from its
// metadata and the options. more are further options of engine.Load.
func OpenModel(path string, o ModelOptions, more ...engine.Option) (*Model, error) {
	start := time.Now()
	file, err := readModel(o.Context, path)
	if err != nil {
		return nil, err
	}
	for _, name := range o.Fed {
		file.DropDefault(name)
	}
	l := &Model{Path: path}
	l.Read = time.Since(start)
	if l.Labels, err = modelLabels(o.Labels, file); err != nil {
		return nil, err
	}
	if l.Pre, err = modelPreprocess(o.Preprocess, file); err != nil {
		return nil, err
	}
	start = time.Now()
	if l.Model, err = engine.Load(file, append([]engine.Option{engine.WithThreads(o.Threads)}, more...)...); err != nil {
		return nil, badInput(fmt.Errorf("%s: %w", path, err))
	}
	l.Prepare = time.Since(start)
	l.Warnings = file.Warnings()
	return l, nil
}

// openModel is OpenModel with the warnings told to rep.
func openModel(path string, o ModelOptions, rep Reporter, more ...engine.Option) (*Model, error) {
	l, err := OpenModel(path, o, more...)
	if err != nil {
		return nil, err
	}
	for _, w := range l.Warnings {
		rep.Note(w)
	}
	return l, nil
}

// ReadModel reads the file of a model, or takes the one that builtin:NAME names, and checks it.
func ReadModel(path string) (*onnx.Model, error) { return readModel(context.Background(), path) }

func readModel(ctx context.Context, path string) (*onnx.Model, error) {
	switch {
	case path == "":
		return nil, usagef("the model is missing: give a file, or builtin:NAME")
	case strings.HasPrefix(path, BuiltinPrefix):
		return builtinModel(path)
	}
	m, err := onnx.ReadFile(path, onnx.Context(ctx))
	if err != nil {
		return nil, err
	}
	if err := m.Check(); err != nil {
		return nil, badInput(err) // names the file
	}
	return m, nil
}

// builtinModel is the model that builtin:NAME names: one that gtk trained, or else a fresh one of that builder.
func builtinModel(name string) (*onnx.Model, error) {
	name = strings.TrimPrefix(name, BuiltinPrefix)
	if _, err := models.Builders().Entry(name + "-trained"); err == nil {
		name += "-trained"
	}
	m, err := models.New(name, models.Options{})
	if err != nil {
		return nil, usagef("%v", err)
	}
	return m, nil
}

// modelPreprocess is the preprocessing by the metadata of the model, changed by settings; nil when there is neither.
func modelPreprocess(settings map[string]string, m *onnx.Model) (*data.Preprocess, error) {
	var p *data.Preprocess
	if s, ok := m.Metadata(data.MetadataKey); ok {
		q, err := data.ParsePreprocess(s)
		if err != nil {
			return nil, badInput(fmt.Errorf("metadata %s of the model: %w", data.MetadataKey, err))
		}
		p = &q
	}
	for n := range settings {
		if !slices.Contains(PreprocessSettings, n) {
			return nil, usagef("there is no setting %q of preprocessing; there are %s", n, strings.Join(PreprocessSettings, ", "))
		}
	}
	for _, n := range PreprocessSettings {
		v, given := settings[n]
		if !given {
			continue
		}
		if p == nil {
			p = &data.Preprocess{}
		}
		if err := p.Set(n, v); err != nil {
			return nil, usagef("--%s: %v", n, err)
		}
	}
	return p, nil
}

// Label is the name of class i, or its number.
func (l *Model) Label(i int) string {
	if i < len(l.Labels) && l.Labels[i] != "" {
		return l.Labels[i]
	}
	return fmt.Sprint(i)
}

// PreprocessFor is the preprocessing of pictures for the input in: what the model or the options say, completed by the shape of the
// input. assumed is a sentence about what was guessed, "" when nothing was. It fails when in takes no pictures.
func (l *Model) PreprocessFor(in engine.IO) (p data.Preprocess, assumed string, err error) {
	return completePreprocess(l.Pre, in)
}

func completePreprocess(known *data.Preprocess, in engine.IO) (p data.Preprocess, assumed string, err error) {
	if known != nil {
		p = *known
	}
	c, h, w, layout, ok := pictureAxes(in.Dims, p.Layout)
	if !ok {
		return p, "", badInput(fmt.Errorf("input %v takes no pictures; give a tensor file (.npy, .npz, .pb), or ?as=tensor behind the "+
			"name of an npz whose bytes are numbers", in))
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
		assumed = fmt.Sprintf("the model does not say how pictures are prepared; assuming %s, %s, values %s. If it was trained "+
			"otherwise, give --resize --channels --scale --mean --std, "+
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
