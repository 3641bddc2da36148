package cli

import (
	"context"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/explain"
	"github.com/gtk-onnx/gtk/internal/report"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/tensor"
	ucli "github.com/urfave/cli/v2"
)

// methodOptions are the flags that set an option of every method that has it; the same can be written after the method's name.
var methodOptions = []struct{ flag, option, usage string }{
	{"phase1", "phase1", "normgrad: bias, scaling, conv1x1, conv3x3, conv3x3_depthwise, or all"},
	{"phase2", "phase2", "normgrad: sum, norm, filter_norm, max, or all"},
	{"samples", "n", "smooth methods: number of noisy copies"},
	{"noise-spread", "noise-spread", "smooth methods: deviation of the noise, as a share of the range of the input"},
	{"sgcpp-variant", "variant", "smooth-gradcam++: gtk or paper"},
	{"layer-channels", "channels", "smooth-gradcam++: channels of the layer, as in 0,2,5-9"},
	{"neurons", "neurons", "smooth-gradcam++: part of the layer, y0:y1,x0:x1"},
	{"reduce", "reduce", "gradient: abs-max, sum, abs-sum, l2, none"},
}

func init() {
	const method, look = "method", "looks"
	flags := []ucli.Flag{
		&ucli.StringSliceFlag{Name: "method", Category: method, Usage: "`METHODS`, separated by commas; options after colons: normgrad:phase1=scaling:phase2=norm",
			Value: ucli.NewStringSlice("gradient", "gradcam")},
		&ucli.StringSliceFlag{Name: "layer", Category: method, Usage: "`LAYERS` to make maps at, separated by commas; auto is the last with spatial extent", Value: ucli.NewStringSlice("auto")},
		&ucli.StringSliceFlag{Name: "target", Category: method, Usage: "classes to explain: argmax, argmin, top3, a number, or a label", Value: ucli.NewStringSlice("argmax")},
		&ucli.StringFlag{Name: "score", Category: method, Value: "logit", Usage: "what is differentiated: logit, prob or logprob"},
		&ucli.StringFlag{Name: "noise", Category: method, Usage: "`FILE`.npy with recorded noise [n,C,H,W] to use instead of random numbers"},
		&ucli.IntFlag{Name: "batch", Category: method, Value: 16, Usage: "inputs in one pass"},
		&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FOLDER` for the pictures, maps and report.html"},
		&ucli.BoolFlag{Name: "force", Usage: "write into a folder that is not empty, overwrite files"},
		&ucli.BoolFlag{Name: "list", Usage: "list the methods and their options"},
		&ucli.BoolFlag{Name: "list-layers", Usage: "list the layers of the model that maps can be made at"},
		dataFlag(),
		&ucli.IntFlag{Name: "n", Category: "data", Value: 4, Usage: "how many examples of --data to explain"},
		&ucli.StringFlag{Name: "cmap", Category: look, Value: "turbo", Usage: "colours: " + strings.Join(explain.Colormaps(), ", ")},
		&ucli.Float64Flag{Name: "alpha", Category: look, Value: 0.5, Usage: "share of the map in the overlay, 0 to 1"},
		&ucli.BoolFlag{Name: "gray-base", Category: look, Usage: "picture without colours beneath"},
		&ucli.BoolFlag{Name: "alpha-from-map", Category: look, Usage: "cold places stay clear"},
		&ucli.BoolFlag{Name: "panel", Category: look, Usage: "also write panel.png, all maps on one sheet"},
		&ucli.BoolFlag{Name: "map-json", Usage: "also write a .json file for each map"},
	}
	for _, o := range methodOptions {
		flags = append(flags, &ucli.StringFlag{Name: o.flag, Category: "options of methods", Usage: o.usage})
	}
	register(command(&ucli.Command{
		Name: "explain", Usage: "show what a decision is based on, as heat maps", ArgsUsage: "MODEL [IMAGE|FILE.npy…] -o DIR",
		Description: "Writes overlays (PNG), raw maps (.npy) and one self-contained report.html.\n\n" +
			"  gtk explain model.onnx cat.jpg --method gradcam,normgrad,smooth-gradcam++ -o out\n" +
			"  gtk explain builtin:shapes -o out      (explains examples of the built-in data)",
		Flags: slices.Concat(flags, dataFlags(), preprocessFlags()),
	}, runExplain))
}

// explainReport is what gtk explain --json prints.
type explainReport struct {
	Schema string            `json:"schema"`
	Model  string            `json:"model"`
	Score  string            `json:"score"`
	Layers []string          `json:"layers"`
	Images []explainedImage  `json:"images"`
	Maps   []explain.Written `json:"maps"`
	Report string            `json:"report"`
	Panel  string            `json:"panel,omitempty"`
	Notes  []string          `json:"notes,omitempty"`
}

type explainedImage struct {
	Image string               `json:"image"`
	Top   []explain.Prediction `json:"top"`
	Truth string               `json:"truth,omitempty"`
}

// picture is one input to explain.
type picture struct {
	name  string
	x     *tensor.Tensor // preprocessed, [1,…]
	base  image.Image    // what the model sees, nil for tensors
	truth string         // label of the data, "" when not known
}

func runExplain(ctx context.Context, e *env, c *ucli.Context) error {
	if c.Bool("list") {
		return e.list(methodList())
	}
	args := c.Args().Slice()
	if len(args) == 0 {
		return usagef("gtk explain: the model is missing; see gtk explain --help")
	}
	l, err := e.loadModel(c, args[0])
	if err != nil {
		return err
	}
	if c.Bool("list-layers") {
		return e.listLayers(l)
	}
	requests, err := explainRequests(c)
	if err != nil {
		return err
	}
	if !c.IsSet("method") && !c.IsSet("layer") && !l.hasAutoLayer() {
		requests = slices.DeleteFunc(requests, func(q explain.Request) bool { return q.Method != "gradient" })
	}
	targets, err := explainTargets(c, l.Labels)
	if err != nil {
		return err
	}
	render, err := explainRender(c)
	if err != nil {
		return err
	}
	r := &explainReport{Schema: "gtk.explain/1", Model: args[0], Layers: []string{}, Maps: []explain.Written{}}
	note := func(s string) {
		if s != "" && !slices.Contains(r.Notes, s) {
			r.Notes = append(r.Notes, s)
			e.warn("%s", s)
		}
	}
	pictures, err := e.explainInputs(c, l, args[1:], note)
	if err != nil {
		return err
	}
	dir := c.String("out")
	if err := outDir(dir, c.Bool("force")); err != nil {
		return err
	}
	cfg := explain.Config{
		Requests: requests, Layers: c.StringSlice("layer"), Targets: targets, Score: explain.Score(c.String("score")), Labels: l.Labels,
		Batch: c.Int("batch"), Seed: e.Seed, Warn: note,
	}
	if path := c.String("noise"); path != "" {
		if cfg.Noise, err = readTensors(path, ""); err != nil {
			return fmt.Errorf("--noise: %w", err)
		}
	}
	items, end, err := e.explainAll(ctx, l, cfg, pictures, r)
	if err != nil {
		return err
	}
	return e.writeExplanation(c, l, r, items, render, end)
}

// digitsFirst is the beginning of a part that belongs to the option value before the comma, as in neurons=1:3,0:2.
var digitsFirst = regexp.MustCompile(`^[0-9]`)

// explainRequests reads --method and the options of methods.
func explainRequests(c *ucli.Context) ([]explain.Request, error) {
	var words []string
	for _, w := range c.StringSlice("method") {
		if len(words) > 0 && digitsFirst.MatchString(w) {
			words[len(words)-1] += "," + w
			continue
		}
		words = append(words, w)
	}
	used := map[string]bool{}
	var out []explain.Request
	for _, w := range words {
		q, err := explain.ParseRequest(w)
		if err != nil {
			return nil, usagef("--method: %v", err)
		}
		m, err := explain.Lookup(q.Method)
		if err != nil {
			return nil, usagef("--method: %v", err)
		}
		for _, o := range methodOptions {
			if !c.IsSet(o.flag) || o.flag == "sgcpp-variant" && q.Method != "smooth-gradcam++" {
				continue
			}
			if !slices.ContainsFunc(m.Params, func(p explain.Param) bool { return p.Name == o.option }) {
				continue
			}
			used[o.flag] = true
			if q.Options == nil {
				q.Options = explain.Options{}
			}
			if _, given := q.Options[o.option]; !given {
				q.Options[o.option] = c.String(o.flag)
			}
		}
		out = append(out, q)
	}
	for _, o := range methodOptions {
		if c.IsSet(o.flag) && !used[o.flag] {
			return nil, usagef("--%s: none of the methods %s has this option", o.flag, strings.Join(words, ", "))
		}
	}
	return out, nil
}

func explainTargets(c *ucli.Context, labels []string) ([]explain.Target, error) {
	var out []explain.Target
	// A label may hold commas, as those of ImageNet do.
	if whole := strings.Join(c.StringSlice("target"), ","); slices.Contains(labels, whole) {
		t, err := explain.ParseTarget(whole, labels)
		return []explain.Target{t}, err
	}
	for _, s := range c.StringSlice("target") {
		t, err := explain.ParseTarget(s, labels)
		if err != nil {
			return nil, usagef("--target: %v", err)
		}
		out = append(out, t)
	}
	return out, nil
}

func explainRender(c *ucli.Context) (explain.Render, error) {
	r := explain.DefaultRender()
	m, err := explain.LookupColormap(c.String("cmap"))
	if err != nil {
		return r, usagef("--cmap: %v", err)
	}
	if m.Diverging {
		r.Diverging = m
	}
	r.Colormap = m
	a := c.Float64("alpha")
	if !(a >= 0 && a <= 1) {
		return r, usagef("--alpha %v: want a number from 0 to 1", a)
	}
	r.Overlay = explain.OverlayOptions{Alpha: a, GrayBase: c.Bool("gray-base"), AlphaFromMap: c.Bool("alpha-from-map")}
	return r, nil
}

// explainInputs reads the files, or the first examples of --data; without either, a built-in model takes its own data.
func (e *env) explainInputs(c *ucli.Context, l *loaded, files []string, note func(string)) ([]picture, error) {
	if len(l.Inputs()) != 1 {
		return nil, badInput(fmt.Errorf("the model has %d inputs; maps can be made for models with one", len(l.Inputs())))
	}
	spec := c.String("data")
	if name, ok := strings.CutPrefix(l.Path, builtinPrefix); ok && spec == "" && len(files) == 0 {
		if _, err := models.Builders().Lookup(strings.TrimSuffix(name, "-trained") + "-trained"); err == nil {
			spec = strings.TrimSuffix(name, "-trained") + "#test"
		}
	}
	if len(files) == 0 && spec == "" {
		return nil, usagef("gtk explain: give pictures or tensor files, or --data SPEC")
	}
	var out []picture
	for _, path := range files {
		ps, err := e.explainFile(c, l, path, note)
		if err != nil {
			return nil, err
		}
		out = append(out, ps...)
	}
	if spec == "" {
		return out, nil
	}
	ds, pre, assumed, err := openData(c, l, spec)
	if err != nil {
		return nil, err
	}
	note(assumed)
	for b, err := range data.Batches(c.Context, ds, data.Sequential(min(ds.Len(), max(1, c.Int("n")))), 1, data.BatchOptions{Preprocess: pre}) {
		if err != nil {
			return nil, err
		}
		p := picture{name: b.IDs[0], x: b.X.Clone()}
		if y := int(b.Labels[0]); y >= 0 && y < len(ds.Classes()) {
			p.truth = ds.Classes()[y]
		}
		if pre != nil {
			if img, err := pre.Denormalise(p.x); err == nil {
				if p.base, err = displayed(data.FromImage(img), pre); err != nil {
					return nil, err
				}
			}
		}
		out = append(out, p)
	}
	return out, nil
}

// explainFile reads one file: a picture, or a tensor with one or more examples along axis 0.
func (e *env) explainFile(c *ucli.Context, l *loaded, path string, note func(string)) ([]picture, error) {
	pre := data.Preprocess{}
	if !isTensorFile(path) {
		var assumed string
		var err error
		if pre, assumed, err = l.preprocessFor(l.Inputs()[0]); err != nil {
			return nil, err
		}
		note(assumed)
	}
	x, shown, err := data.LoadImageOrTensor(path, pre, dataOptions(c, nil))
	if err != nil {
		return nil, err
	}
	if shown != nil {
		return []picture{{name: path, x: x, base: shown}}, nil
	}
	if dims := l.Inputs()[0].Dims; len(dims) == x.Rank()+1 {
		x = x.Reshape(append([]int{1}, x.Shape()...)...)
	}
	if x.Rank() == 0 || x.Len() == 0 {
		return nil, badInput(fmt.Errorf("%s: %v is no input", path, x))
	}
	n := x.Dim(0)
	one := append([]int{1}, x.Shape()[1:]...)
	size := len(x.Bytes()) / n
	var out []picture
	for i := range n {
		xi, err := tensor.FromBytes(x.DType(), one, x.Bytes()[i*size:(i+1)*size])
		if err != nil {
			return nil, err
		}
		name := path
		if n > 1 {
			name = strings.TrimSuffix(path, filepath.Ext(path)) + "-" + strconv.Itoa(i) + filepath.Ext(path)
		}
		out = append(out, picture{name: name, x: xi})
	}
	return out, nil
}

// explainAll makes the maps; inputs of different shape have an explainer each.
func (e *env) explainAll(ctx context.Context, l *loaded, cfg explain.Config, pictures []picture, r *explainReport) (items []explain.Item, score string, err error) {
	explainers := map[string]*explain.Explainer{}
	bar := e.newProgress("explain", len(pictures))
	defer bar.end()
	for i, p := range pictures {
		key := fmt.Sprint(p.x.Shape())
		x := explainers[key]
		if x == nil {
			if x, err = explain.New(l.Model, cfg); err != nil {
				return nil, "", badInput(err)
			}
			explainers[key] = x
		}
		images, err := x.Explain(ctx, map[string]*tensor.Tensor{l.Inputs()[0].Name: p.x})
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", p.name, err)
		}
		base := p.base
		if base == nil {
			if base, err = explain.Picture(images[0].Seen, 0); err != nil {
				return nil, "", fmt.Errorf("%s: %w", p.name, err)
			}
		}
		name := p.name
		if filepath.IsAbs(name) {
			name = filepath.Base(name)
		}
		if p.truth != "" {
			name = fmt.Sprintf("%s (%s)", p.name, p.truth)
		}
		items = append(items, explain.Item{Name: name, Base: base, Result: images[0]})
		r.Images = append(r.Images, explainedImage{p.name, images[0].Top[:min(5, len(images[0].Top))], p.truth})
		r.Layers = x.Layers()
		h := x.Head()
		score = fmt.Sprintf("%s, tensor %q", cfg.Score, h.Logits)
		if h.Activation != "" {
			score += " before " + h.Activation
		}
		bar.set(i+1, p.name)
	}
	r.Score = string(cfg.Score)
	return items, score, nil
}

// writeExplanation writes the files of a run and prints its result.
func (e *env) writeExplanation(c *ucli.Context, l *loaded, r *explainReport, items []explain.Item, render explain.Render, score string) error {
	dir := c.String("out")
	w := &explain.Writer{
		Dir: dir, PNG: true, NPY: true, JSON: c.Bool("map-json"), Force: c.Bool("force"), Render: render, Model: filepath.Base(l.Path),
		Details: map[string]any{"seed": e.Seed},
	}
	for i, it := range items {
		it.Name = r.Images[i].Image
		written, err := w.Write(it)
		if err != nil {
			return err
		}
		r.Maps = append(r.Maps, written...)
	}
	if c.Bool("panel") {
		panel, err := render.Panel(items)
		if err != nil {
			return err
		}
		if r.Panel, err = w.Panel("panel", panel); err != nil {
			return err
		}
	}
	settings := []report.Setting{{Name: "model", Value: filepath.Base(l.Path)}, {Name: "seed", Value: fmt.Sprint(e.Seed)}}
	if l.Pre != nil {
		settings = append(settings, report.Setting{Name: "preprocessing", Value: l.Pre.String()})
	}
	page, err := render.Page(items, explain.PageInfo{
		Title: strings.TrimSuffix(filepath.Base(l.Path), ".onnx"), Kicker: "gtk explain", Footer: "Made by gtk explain. The raw maps are in the .npy files beside this page.",
		Input: l.Inputs()[0].String(), Score: score, Settings: settings, Warnings: r.Notes,
	})
	if err != nil {
		return err
	}
	r.Report = filepath.Join(dir, "report.html")
	if err := writeFile(r.Report, func(f *os.File) error { return page.Write(f) }); err != nil {
		return err
	}
	if err := writeConfig(c, filepath.Join(dir, "run.yaml")); err != nil {
		return err
	}
	if err := e.emit(r); err != nil {
		return err
	}
	for _, im := range r.Images {
		truth := ""
		if im.Truth != "" {
			truth = " (in truth " + im.Truth + ")"
		}
		if len(im.Top) > 0 {
			e.printf("%s: %s %s%s\n", im.Image, im.Top[0].Name(), percent(im.Top[0].Prob), truth)
		}
	}
	e.printf("%d maps and %s\n", len(r.Maps), r.Report)
	return nil
}

// methodList is what gtk explain --list prints.
func methodList() []listed {
	var rows []listed
	for n, m := range explain.Methods() {
		doc := m.Doc
		var ps []string
		for _, p := range m.Params {
			ps = append(ps, p.Name+"="+p.Default)
		}
		if len(ps) > 0 {
			doc += " [" + strings.Join(ps, " ") + "]"
		}
		rows = append(rows, listed{n, doc, m.Source})
	}
	return rows
}

// hasAutoLayer reports whether the model has a layer that maps are made at unless one is named.
func (l *loaded) hasAutoLayer() bool {
	sizes := l.Sizes(1)
	if len(sizes) != 1 {
		return false
	}
	layers, err := explain.ListLayers(l.Model, map[string]tensor.Shape{l.Inputs()[0].Name: sizes[0]}, explain.Config{})
	return err == nil && slices.ContainsFunc(layers, func(x explain.Layer) bool { return x.Auto })
}

// listLayers prints the layers that maps can be made at.
func (e *env) listLayers(l *loaded) error {
	sizes := l.Sizes(1)
	if len(sizes) != 1 {
		return badInput(fmt.Errorf("the model has %d inputs; maps can be made for models with one", len(sizes)))
	}
	layers, err := explain.ListLayers(l.Model, map[string]tensor.Shape{l.Inputs()[0].Name: sizes[0]}, explain.Config{})
	if err != nil {
		return badInput(err)
	}
	if e.JSON {
		type row struct {
			Name  string `json:"name"`
			Node  string `json:"node"`
			Op    string `json:"op"`
			Shape []int  `json:"shape"`
			Auto  bool   `json:"auto"`
		}
		rows := []row{}
		for _, x := range layers {
			rows = append(rows, row{x.Name, x.Node, x.Op, x.Shape, x.Auto})
		}
		return e.emit(map[string]any{"schema": "gtk.layers/1", "layers": rows})
	}
	t := e.newTable()
	t.row("tensor", "node", "operator", "shape", "")
	for _, x := range layers {
		mark := ""
		if x.Auto {
			mark = "auto"
		}
		t.row(x.Name, x.Node, x.Op, fmt.Sprint(x.Shape), mark)
	}
	return t.flush()
}
