package cli

import (
	"context"

	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register("import", func() *ucli.Command {
		return command(&ucli.Command{
			Name: "import", Usage: "check a model, say what runs and what trains, store how it is used", ArgsUsage: "MODEL.onnx",
			Description: "Reads and checks the model and says what it needs. With -o it writes a copy that also holds the labels and the " +
				"preprocessing of pictures given here\n" +
				"(metadata gtk.labels and gtk.preprocess), so that no later command needs those flags; all else in the file stays as it is.\n\n" +
				"   gtk import squeezenet.onnx -o s.onnx --labels imagenet_labels.txt --resize 256 --image-size 224 --channels bgr --scale " +
				"1 --mean 104,117,123",
			Flags: append([]ucli.Flag{
				&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FILE` to write"},
				&ucli.Int64Flag{Name: "opset", Usage: "convert to operator set `N`, up or down"},
				&ucli.BoolFlag{Name: "infer-shapes", Usage: "store the types and shapes of all values, with symbols (value_info)"},
				&ucli.BoolFlag{Name: "force", Usage: "replace FILE if it is there"},
			}, preprocessFlags()...),
		}, importCommand)
	})
}

func importCommand(_ context.Context, e *env, c *ucli.Context) error {
	path, err := oneArg(c, "MODEL.onnx")
	if err != nil {
		return err
	}
	opset, err := opsetFlag(c)
	if err != nil {
		return err
	}
	r, err := job.Import(job.ImportConfig{Model: path, ModelOptions: e.modelOptions(c), Out: c.String("out"), Opset: opset,
		InferShapes: c.Bool("infer-shapes"), Force: c.Bool("force"), Seed: e.Seed})
	if r == nil {
		return err
	}
	if perr := e.printDescription(r.Description); perr != nil {
		return perr
	}
	if n := len(r.Problems); n > 0 {
		e.printf("\nnot valid by the letter of ONNX, and read all the same\n")
		for _, p := range r.Problems[:min(n, 10)] {
			e.printf("  %s\n", p)
		}
		if n > 10 {
			e.printf("  and %d more: gtk inspect --check lists all\n", n-10)
		}
	}
	e.printConversion(r)
	if err != nil {
		return err
	}
	if r.Written != "" {
		e.printf("\nwritten to %s\n", r.Written)
	}
	return e.emit(r)
}

// printConversion says what became of the operators and what is known of the values.
func (e *env) printConversion(r *job.ImportReport) {
	if v := r.Conversion; v != nil {
		e.printf("\nconverted from operator set %d to %d", v.From, v.To)
		for i, ch := range v.Changed {
			e.printf("%s%s (%d, as of version %d)", []string{", ", ": written otherwise are "}[min(1, max(0, 1-i))], ch.Op, ch.Count, ch.Since)
		}
		switch {
		case v.Verify == nil:
		case v.Verify.Note != "":
			e.printf("\nnot compared: %s", v.Verify.Note)
		case v.Verify.Pass:
			e.printf("\nthe outputs for random inputs are the same, within %.2g", float64(v.Verify.MaxAbs))
		default:
			e.printf("\nthe outputs for random inputs differ by up to %.2g", float64(v.Verify.MaxAbs))
		}
		e.printf("\n")
	}
	if v := r.Inferred; v != nil {
		e.printf("\n%d values: %d types, %d shapes stored\n", v.Values, v.Types, v.Shapes)
		if v.Why != "" {
			e.printf("shapes of the others are not known: %s\n", v.Why)
		}
	}
}
