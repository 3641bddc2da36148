package cli

import (
	"context"

	"github.com/gtk-onnx/gtk/internal/registry"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/models"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register("models", func() *ucli.Command {
		return &ucli.Command{
			Name: "models", Usage: "list the networks that gtk can build, or build one", ArgsUsage: "[list | new NAME -o FILE]",
			HideHelpCommand: true,
			Subcommands: []*ucli.Command{
				command(&ucli.Command{Name: "list", Usage: "list the builders",
					Flags: []ucli.Flag{&ucli.BoolFlag{Name: "list", Usage: "the same"}}}, modelsList),
				command(&ucli.Command{
					Name: "new", Usage: "build a network with random weights", ArgsUsage: "NAME -o FILE",
					Flags: []ucli.Flag{
						&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FILE` to write; - is standard output"},
						&ucli.IntFlag{Name: "classes", Usage: "number of outputs", DefaultText: "the network's own"},
						&ucli.IntFlag{Name: "channels", Usage: "channels of the picture", DefaultText: "the network's own"},
						&ucli.IntFlag{Name: "features", Usage: "mlp: columns of a table, in the place of a picture; lstm: columns of a series",
							DefaultText: "the network's own"},
						&ucli.IntFlag{Name: "image-size", Usage: "height and width of the picture", DefaultText: "the network's own"},
						&ucli.IntFlag{Name: "hidden", Usage: "width of hidden layers", DefaultText: "the network's own"},
						&ucli.IntFlag{Name: "layers", Usage: "number of layers", DefaultText: "the network's own"},
						&ucli.IntFlag{Name: "width", Usage: "of what goes from block to block of a language model", DefaultText: "the network's own"},
						&ucli.IntFlag{Name: "heads", Usage: "heads of an attention", DefaultText: "the network's own"},
						&ucli.IntFlag{Name: "context", Usage: "tokens that a language model sees at most", DefaultText: "the network's own"},
						&ucli.IntFlag{Name: "vocabulary", Usage: "different tokens: 256 for bytes", DefaultText: "the network's own"},
						&ucli.BoolFlag{Name: "force", Usage: "replace FILE if it is there"},
					},
				}, modelsNew),
			},
			Flags:        append([]ucli.Flag{&ucli.BoolFlag{Name: "list", Usage: "list the builders"}}, globalFlags()...),
			OnUsageError: func(x *ucli.Context, err error, _ bool) error { return flagError(x.Command, err) },
			Action: func(x *ucli.Context) error {
				if x.Args().Len() > 0 {
					return usagef("gtk models: there is no %q%s; want list or new", x.Args().First(),
						registry.Hint(x.Args().First(), []string{"list", "new"}))
				}
				e := envOf(x)
				if err := e.setup(x); err != nil {
					return err
				}
				return modelsList(x.Context, e, x)
			},
		}
	})
}

func modelsList(_ context.Context, e *env, _ *ucli.Context) error {
	r := job.Models()
	t := e.newTable()
	for _, b := range r.Models {
		t.row(b.Name, b.Doc, b.Source)
	}
	if err := t.flush(); err != nil {
		return err
	}
	e.printf("build one with: gtk models new NAME -o FILE.onnx\n")
	return e.emit(r)
}

func modelsNew(_ context.Context, e *env, c *ucli.Context) error {
	name, err := oneArg(c, "NAME")
	if err != nil {
		return err
	}
	cfg := job.BuildConfig{Name: name, Out: c.String("out"), Force: c.Bool("force"), Options: models.Options{
		Classes: c.Int("classes"), Channels: c.Int("channels"), Features: c.Int("features"), ImageSize: c.Int("image-size"),
		Hidden: c.Int("hidden"), Layers: c.Int("layers"), Width: c.Int("width"), Heads: c.Int("heads"), Context: c.Int("context"),
		Vocabulary: c.Int("vocabulary"), Seed: e.Seed,
	}}
	what := cfg.Out
	if e.Piped {
		cfg.Out, cfg.W, what = "", stream{e.Stdout}, "the model is"
	}
	r, err := job.Build(cfg)
	if err != nil {
		return err
	}
	e.printf("%s written: %s with %s parameters, random from seed %d\n", what, name, units.Count(r.Parameters), e.Seed)
	for _, v := range r.Inputs {
		e.printf("  input  %s %s\n", v.Name, v.Text)
	}
	for _, v := range r.Outputs {
		e.printf("  output %s %s\n", v.Name, v.Text)
	}
	return e.emit(r)
}
