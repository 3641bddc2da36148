package cli

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/tensor"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register("run", func() *ucli.Command {
		return command(&ucli.Command{
			Name: "run", Usage: "run a model on pictures or tensor files", ArgsUsage: "MODEL.onnx [FILE…|FOLDER]",
			Description: "Inputs are pictures (png, jpeg, webp, bmp, tiff, gif) or tensor files (.npy, .npz, .pb), given as FILE or --input " +
				"NAME=FILE.\n" +
				"Several files for one input are run one after the other and their outputs stacked. An input of one element also takes a " +
				"number.\n\n" +
				"   gtk run squeezenet.onnx eagle.jpg --labels imagenet_labels.txt\n" +
				"   gtk run vad.onnx --input input=wav.npy --input state=state.npy --input sr=16000 -o out\n\n" +
				"With --data, or a FOLDER of pictures, it writes predictions: id, prediction, and the probability of each class or the " +
				"values of a regression,\n" +
				"as .csv, .jsonl or .npz. --input NAME=COLUMN,COLUMN then says which columns or array an input gets.\n\n" +
				"   gtk run mine.onnx photos                     (as csv on standard output)\n" +
				"   gtk run mine.onnx photos -o predictions.csv\n" +
				"   gtk run mine.onnx --data csv:new.csv --label-column none -o predictions.csv",
			Flags: slices.Concat([]ucli.Flag{
				dataFlag(),
				&ucli.StringSliceFlag{Name: "input", Aliases: []string{"i"}, Usage: "`[NAME=]FILE` to feed; repeat it for more"},
				&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FOLDER` for one .npy file per output; with --data FILE.csv, " +
					"FILE.jsonl or FILE.npz"},
				&ucli.StringSliceFlag{Name: "fetch", Usage: "inner value or node whose output is wanted too, by `NAME`"},
				&ucli.IntFlag{Name: "top", Value: 5, Usage: "how many classes to show"},
				&ucli.BoolFlag{Name: "pb", Usage: "write input_0.pb, output_0.pb, … instead, a case for gtk verify --golden"},
				&ucli.BoolFlag{Name: "force", Usage: "write into a folder that is not empty, replace a file"},
				&ucli.IntFlag{Name: "batch-size", Usage: "with --data: examples in one run", Value: 32},
			}, dataFlags(), meaningFlags(), preprocessFlags()),
		}, runCommand)
	})
}

func runCommand(ctx context.Context, e *env, c *ucli.Context) error {
	if c.Args().Len() == 0 {
		return usagef("gtk run: MODEL.onnx is missing; see gtk run --help")
	}
	if spec, ok := predictedData(c); ok {
		return e.predict(ctx, c, spec)
	}
	dir, top := c.String("out"), c.Int("top")
	if dir == "-" {
		return usagef("gtk run: -o is a folder for the outputs as .npy files; only the csv of --data goes to standard output")
	}
	if top < 1 {
		top = -1
	}
	if c.IsSet("set") {
		return usagef("gtk run: --set is for --data; with files, --input NAME=FILE feeds an input, and NAME=NUMBER one of a single number")
	}
	replay, err := resolvedConfig(c)
	if err != nil {
		return err
	}
	rows := mostRows
	if e.JSON || e.Verbose {
		rows = 0
	}
	r, err := job.Run(ctx, job.RunConfig{
		Model: c.Args().First(), ModelOptions: e.modelOptions(c), Files: append(c.StringSlice("input"), c.Args().Tail()...),
		Fetch: c.StringSlice("fetch"),
		Task:  c.String("task"), Of: c.String("output"), Top: top, Rows: rows, Out: dir, PB: c.Bool("pb"), Force: c.Bool("force"), Replay: replay,
	}, e.reporter())
	if err != nil {
		return err
	}
	e.printRun(r)
	return e.emit(r)
}

// mostRows is for how many examples of a file classes are printed; --verbose prints all.
const mostRows = 100

// predictedData is the data set of --data, or of the folder that is the only argument behind the model.
func predictedData(c *ucli.Context) (spec string, ok bool) {
	if spec := c.String("data"); spec != "" {
		return spec, true
	}
	if c.Args().Len() != 2 {
		return "", false
	}
	dir := c.Args().Get(1)
	info, err := os.Stat(dir)
	return "pictures:" + dir, err == nil && info.IsDir()
}

// predict writes the predictions of a data set.
func (e *env) predict(ctx context.Context, c *ucli.Context, spec string) error {
	if c.Args().Len() > 1 && c.String("data") != "" {
		return usagef("gtk run: give --data or files, not both")
	}
	if c.Bool("pb") {
		return usagef("gtk run: --pb records one run on files; predictions of a data set are .csv, .jsonl or .npz")
	}
	cfg := job.PredictConfig{
		Model: c.Args().First(), ModelOptions: e.modelOptions(c), Data: spec, DataOptions: dataOptions(c), BatchSize: c.Int("batch-size"),
		Out:   c.String("out"),
		Force: c.Bool("force"),
	}
	var err error
	if cfg.UseOptions, err = useOptions(c); err != nil {
		return err
	}
	if cfg.Out == "" || cfg.Out == "-" {
		if e.JSON {
			return usagef("gtk run --data: --json needs a file for the predictions: give -o FILE.csv, FILE.jsonl or FILE.npz")
		}
		cfg.Out, cfg.W = "", e.rows()
	}
	r, err := job.Predict(ctx, cfg, e.reporter())
	if err != nil || cfg.Out == "" {
		return err
	}
	if r.Says != "" {
		e.printf("%s\n", r.Says)
	}
	e.printf("%s in %.2f s, written to %s\n", units.Plural(r.N, "prediction"), r.Seconds, r.Out)
	return e.emit(r)
}

func (e *env) printRun(r *job.RunReport) {
	if len(r.Top) == 0 {
		for _, o := range r.Values {
			if o.Tensor.Len() <= 64 || e.Verbose {
				e.printf("%s %s\n", o.Name, paragraphs(shown.Cut(tensor.Format(o.Tensor), 1<<20)))
			}
		}
	}
	for _, t := range r.Top {
		e.printf("%s\n", t.File)
		tab := e.newTable(0, 1)
		for _, c := range t.Classes {
			label := c.Label
			if !r.Labelled {
				label = "class " + label
			}
			tab.row(fmt.Sprintf("%.2f %%", 100*float64(c.Probability)), c.Index, label)
		}
		if !r.Labelled {
			tab.right = map[int]bool{0: true}
			for i := range tab.lines {
				tab.lines[i] = append(tab.lines[i][:1], tab.lines[i][2:]...)
			}
		}
		_ = tab.flush() // to the terminal
	}
	if r.Untold > 0 {
		e.printf("the classes of %s more are not shown: --verbose shows them, -o FOLDER writes the outputs\n", units.Plural(r.Untold, "example"))
	}
	tab := e.newTable()
	for _, o := range r.Outputs {
		shape := fmt.Sprint(tensor.Shape(o.Shape))
		if o.Items != nil {
			shape = units.Plural(len(o.Items), "tensor")
		}
		tab.row("output "+o.Name, o.DType, shape, o.Path)
	}
	_ = tab.flush()
	e.printf("  %s ms\n", units.Significant(r.Ms))
}
