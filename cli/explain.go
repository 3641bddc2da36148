package cli

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/explain"
	"github.com/gtk-onnx/gtk/internal/lazy"
	"github.com/gtk-onnx/gtk/internal/regular"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/job"
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
	{"reduce", "reduce", "gradient: auto, abs-max, sum, abs-sum, l2, none"},
}

func init() {
	register("explain", func() *ucli.Command {
		const method, look = "method", "looks"
		usual := explain.DefaultRender()
		flags := []ucli.Flag{
			&ucli.StringSliceFlag{Name: "method", Category: method, Usage: "`METHODS`, separated by commas; options after colons: " +
				"normgrad:phase1=scaling:phase2=norm",
				Value: ucli.NewStringSlice("gradient", "gradcam")},
			&ucli.StringSliceFlag{Name: "layer", Category: method, Usage: "`LAYERS` to make maps at, separated by commas; LAYER@nhwc, " +
				"@tokens:1 and so on say how one is read", Value: ucli.NewStringSlice("auto")},
			&ucli.StringSliceFlag{Name: "target", Category: method, Usage: "classes to explain: argmax, argmin, top3, a number, or a label; " +
				"positive or negative for one output", Value: ucli.NewStringSlice("argmax")},
			&ucli.StringFlag{Name: "score", Category: method, Value: "logit", Usage: "what is differentiated: logit, prob or logprob"},
			&ucli.StringFlag{Name: "objective", Category: method, Usage: "`FORMULA` over the outputs to explain instead of a class, such as " +
				"scores[0,17,1] or mean(out[:,2,4:8])"},
			&ucli.StringFlag{Name: "region", Category: method, Usage: "`Y0:Y1,X0:X1`, positions of an output that has classes at positions; " +
				"those where the class is the highest when empty"},
			&ucli.IntFlag{Name: "position", Category: method, Usage: "`TOKEN` whose score is explained, from the end when negative; the " +
				"last that is not masked when not given"},
			&ucli.StringFlag{Name: "explain-input", Category: method, Usage: "`NAME` of the input to explain, when the model has several; " +
				"the largest when empty"},
			&ucli.StringFlag{Name: "vocab", Category: look, Usage: "`FILE` with the tokens of a text by number: one a line, vocab.json or " +
				"tokenizer.json; or bytes"},
			&ucli.StringFlag{Name: "noise", Category: method,
				Usage: "`FILE`.npy with recorded noise [n,C,H,W] to use instead of random numbers"},
			&ucli.IntFlag{Name: "batch", Category: method, Value: 16, Usage: "inputs in one pass"},
			&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FOLDER` for the pictures, maps and report.html"},
			&ucli.BoolFlag{Name: "force", Usage: "write into a folder that is not empty, overwrite files"},
			&ucli.BoolFlag{Name: "list", Usage: "list the methods and their options"},
			&ucli.BoolFlag{Name: "list-layers", Usage: "list the layers of the model that maps can be made at"},
			dataFlag(),
			&ucli.IntFlag{Name: "n", Category: "data", Value: 4, Usage: "how many examples of --data to explain"},
			&ucli.StringFlag{Name: "cmap", Category: look, Value: usual.Colormap.Name,
				Usage: "colours: " + strings.Join(explain.Colormaps(), ", ")},
			&ucli.Float64Flag{Name: "alpha", Category: look, Value: usual.Overlay.Alpha,
				Usage: "share of the map in the overlay where it is hottest, 0 to 1"},
			&ucli.BoolFlag{Name: "full-blend", Category: look, Usage: "the same share everywhere, also where the map is cold"},
			&ucli.Float64Flag{Name: "clip", Category: look, Value: usual.Clip,
				Usage: "maps at the input, series and texts: `PERCENTILE` from which on all is as hot; 100 clips nothing"},
			&ucli.StringFlag{Name: "font", Category: look, Usage: "`FILE` (.ttf, .otf, .ttc) with letters that the built-in font lacks"},
			&ucli.IntFlag{Name: "most", Category: look, Usage: "bars of a table of features: at most so many"},
			&ucli.BoolFlag{Name: "in-order", Category: look, Usage: "bars in the order of the features, not of their weight"},
			&ucli.BoolFlag{Name: "gray-base", Category: look, Usage: "picture without colours beneath"},
			&ucli.BoolFlag{Name: "alpha-from-map", Category: look, Usage: "cold places stay clear"},
			&ucli.BoolFlag{Name: "panel", Category: look, Usage: "also write panel.png, all maps on one sheet"},
			&ucli.BoolFlag{Name: "map-json", Usage: "also write a .json file for each map"},
		}
		for _, o := range methodOptions {
			flags = append(flags, &ucli.StringFlag{Name: o.flag, Category: "options of methods", Usage: o.usage})
		}
		return command(&ucli.Command{
			Name: "explain", Usage: "show what a decision is based on, as heat maps",
			ArgsUsage: "MODEL [IMAGE|FILE.npy|FILE.npz…|FOLDER] -o DIR",
			Description: "Writes overlays (PNG), raw maps (.npy) and one self-contained report.html.\n\n" +
				"  gtk explain model.onnx cat.jpg --method gradcam,normgrad,smooth-gradcam++ -o out\n" +
				"  gtk explain builtin:shapes -o out      (explains examples of the built-in data)",
			Flags: slices.Concat(flags, dataFlags(), useFlags(), preprocessFlags()),
		}, runExplain)
	})
}

func runExplain(ctx context.Context, e *env, c *ucli.Context) error {
	if c.Bool("list") {
		return e.list(methodList())
	}
	args := c.Args().Slice()
	if len(args) == 0 {
		return usagef("gtk explain: the model is missing; see gtk explain --help")
	}
	if c.Bool("list-layers") {
		u, err := useOptions(c)
		if err != nil {
			return err
		}
		r, err := job.Layers(args[0], e.modelOptions(c), u, explainAim(c), e.reporter())
		if err != nil {
			return err
		}
		return e.printLayerRows(r)
	}
	cfg := job.ExplainConfig{
		Model: args[0], ModelOptions: e.modelOptions(c), Files: args[1:], Data: c.String("data"), DataOptions: dataOptions(c),
		N:   max(1, c.Int("n")),
		Aim: explainAim(c), Optional: !c.IsSet("method") && !c.IsSet("layer"), Layers: c.StringSlice("layer"),
		Targets: c.StringSlice("target"), Score: c.String("score"),
		Noise: c.String("noise"), Batch: c.Int("batch"), Seed: e.Seed, Panel: c.Bool("panel"), MapJSON: c.Bool("map-json"),
		Out: c.String("out"), Force: c.Bool("force"),
	}
	if spec, ok := predictedData(c); ok && cfg.Data == "" { // all pictures of a folder
		if cfg.Data, cfg.Files = spec, nil; !c.IsSet("n") {
			cfg.N = math.MaxInt
		}
	}
	var err error
	if cfg.UseOptions, err = useOptions(c); err != nil {
		return err
	}
	if cfg.Requests, err = explainRequests(c); err != nil {
		return err
	}
	render, err := explainRender(c)
	if err != nil {
		return err
	}
	cfg.Render = &render
	if cfg.Replay, err = resolvedConfig(c); err != nil {
		return err
	}
	r, err := job.Explain(ctx, cfg, e.reporter())
	if err != nil {
		return err
	}
	if err := e.emit(r); err != nil {
		return err
	}
	e.printExplain(r)
	return nil
}

// explainAim reads the flags that say which number of which input is explained.
func explainAim(c *ucli.Context) job.Aim {
	a := job.Aim{Objective: c.String("objective"), Region: c.String("region"), Explained: c.String("explain-input"),
		Vocab: c.String("vocab")}
	if c.IsSet("position") {
		a.Position = new(c.Int("position"))
	}
	return a
}

// printExplain names the decision on each input.
func (e *env) printExplain(r *job.ExplainReport) {
	for _, im := range r.Images {
		truth := ""
		if im.Truth != "" {
			truth = " (in truth " + im.Truth + ")"
		}
		if len(im.Top) > 0 {
			e.printf("%s: %s %s%s\n", im.Image, im.Top[0].Name(), im.Top[0].Figure(), truth)
		}
	}
	e.printf("%s and %s\n", units.Plural(len(r.Maps), "map"), r.Report)
}

// digitsFirst is the beginning of a part that belongs to the option value before the comma, as in neurons=1:3,0:2.
var digitsFirst = lazy.Regexp(`^[0-9]`)

// explainRequests reads --method and the options of methods.
func explainRequests(c *ucli.Context) ([]explain.Request, error) {
	var words []string
	for _, w := range c.StringSlice("method") {
		if len(words) > 0 && digitsFirst().MatchString(w) {
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

// maxFont is how large a font file may be, in bytes: collections for Chinese, Japanese and Korean have 120 MB.
const maxFont = 256 << 20

// explainRender reads the flags of the looks.
func explainRender(c *ucli.Context) (explain.Render, error) {
	r := explain.DefaultRender()
	m, err := explain.LookupColormap(c.String("cmap"))
	if err != nil {
		return r, usagef("--cmap: %v", err)
	}
	if m.Diverging {
		r.Diverging = m
	} else {
		r.Colormap = m
	}
	a := c.Float64("alpha")
	if !(a >= 0 && a <= 1) {
		return r, usagef("--alpha %v: want a number from 0 to 1", a)
	}
	r.Overlay = explain.OverlayOptions{Alpha: a, GrayBase: c.Bool("gray-base"), AlphaFromMap: c.Bool("alpha-from-map"),
		FullBlend: c.Bool("full-blend")}
	if r.Clip = c.Float64("clip"); !(r.Clip > 50 && r.Clip <= 100) {
		return r, usagef("--clip %v: want a percentile above 50 and up to 100", r.Clip)
	}
	if r.Most = c.Int("most"); r.Most < 0 {
		return r, usagef("--most %d: must not be negative", r.Most)
	}
	r.InOrder = c.Bool("in-order")
	path := c.String("font")
	if path == "" {
		return r, nil
	}
	b, err := regular.Read(path, maxFont)
	if err != nil {
		return r, fmt.Errorf("--font: %w", err)
	}
	if r.Fonts, err = explain.ParseFonts(b); err != nil {
		return r, usagef("--font %s: %v", path, err)
	}
	return r, nil
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

// printLayerRows prints the layers that maps can be made at.
func (e *env) printLayerRows(r *job.LayersReport) error {
	if e.JSON {
		return e.emit(r)
	}
	t := e.newTable()
	t.row("tensor", "node", "operator", "shape", "view", "")
	for _, x := range r.Layers {
		mark := ""
		if x.Auto {
			mark = "auto"
		}
		t.row(x.Name, x.Node, x.Op, tensor.Shape(x.Shape), x.View, mark)
	}
	return t.flush()
}
