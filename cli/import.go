package cli

import (
	"context"

	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register(command(&ucli.Command{
		Name: "import", Usage: "check a model, say what runs and what trains, store how it is used", ArgsUsage: "MODEL.onnx",
		Description: "Reads and checks the model and says what it needs. With -o it writes a copy that also holds the labels and the " +
			"preprocessing of pictures given here\n" +
			"(metadata gtk.labels and gtk.preprocess), so that no later command needs those flags; all else in the file stays as it is.\n\n" +
			"   gtk import squeezenet.onnx -o s.onnx --labels imagenet_labels.txt --resize 256 --image-size 224 --channels bgr --scale " +
			"1 --mean 104,117,123",
		Flags: append([]ucli.Flag{
			&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FILE` to write"},
			&ucli.Int64Flag{Name: "opset", Usage: "upgrade to operator set `N`"},
			&ucli.BoolFlag{Name: "force", Usage: "replace FILE if it is there"},
		}, preprocessFlags()...),
	}, importCommand))
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
		Force: c.Bool("force")})
	if r == nil {
		return err
	}
	if perr := e.printDescription(r.Description); perr != nil {
		return perr
	}
	if err != nil {
		return err
	}
	if r.Written != "" {
		e.printf("\nwritten to %s\n", r.Written)
	}
	return e.emit(r)
}
