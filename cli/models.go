package cli

import (
	"context"

	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register(&ucli.Command{
		Name: "models", Usage: "list the networks that gtk can build, or build one", ArgsUsage: "[list | new NAME -o FILE]",
		HideHelpCommand: true,
		Subcommands: []*ucli.Command{
			command(&ucli.Command{Name: "list", Usage: "list the builders", Flags: []ucli.Flag{&ucli.BoolFlag{Name: "list", Usage: "the same"}}}, modelsList),
			command(&ucli.Command{
				Name: "new", Usage: "build a network with random weights", ArgsUsage: "NAME -o FILE",
				Flags: []ucli.Flag{
					&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FILE` to write"},
					&ucli.IntFlag{Name: "classes", Usage: "number of outputs", DefaultText: "the network's own"},
					&ucli.IntFlag{Name: "channels", Usage: "channels of the picture, or features", DefaultText: "the network's own"},
					&ucli.IntFlag{Name: "image-size", Usage: "height and width of the picture", DefaultText: "the network's own"},
					&ucli.IntFlag{Name: "hidden", Usage: "width of hidden layers", DefaultText: "the network's own"},
					&ucli.IntFlag{Name: "layers", Usage: "number of layers", DefaultText: "the network's own"},
					&ucli.BoolFlag{Name: "force", Usage: "replace FILE if it is there"},
				},
			}, modelsNew),
		},
		Flags:        append([]ucli.Flag{&ucli.BoolFlag{Name: "list", Usage: "list the builders"}}, globalFlags()...),
		OnUsageError: func(x *ucli.Context, err error, _ bool) error { return flagError(x.Command, err) },
		Action: func(x *ucli.Context) error {
			if x.Args().Len() > 0 {
				return usagef("gtk models: there is no %q%s; want list or new", x.Args().First(), suggestion(x.Args().First(), []string{"list", "new"}))
			}
			e := envOf(x)
			if err := e.setup(x); err != nil {
				return err
			}
			return modelsList(x.Context, e, x)
		},
	})
}

type modelsReport struct {
	Schema string     `json:"schema"`
	Models []modelRow `json:"models"`
}

type modelRow struct {
	Name    string   `json:"name"`
	Doc     string   `json:"doc"`
	Source  string   `json:"source"`
	Options []string `json:"options"`
}

func modelsList(_ context.Context, e *env, _ *ucli.Context) error {
	r := modelsReport{Schema: "gtk.models/1", Models: []modelRow{}}
	t := e.newTable()
	for _, b := range models.Builders().Entries() {
		r.Models = append(r.Models, modelRow{b.Name, b.Doc, b.Source, b.Value.Takes})
		t.row(b.Name, b.Doc, b.Source)
	}
	if err := t.flush(); err != nil {
		return err
	}
	e.printf("build one with: gtk models new NAME -o FILE.onnx\n")
	return e.emit(r)
}

type newReport struct {
	Schema     string `json:"schema"`
	Name       string `json:"name"`
	Out        string `json:"out"`
	Parameters int    `json:"parameters"`
}

func modelsNew(_ context.Context, e *env, c *ucli.Context) error {
	name, err := oneArg(c, "NAME")
	if err != nil {
		return err
	}
	out := c.String("out")
	if out == "" {
		return usagef("gtk models new: give the file to write: -o FILE")
	}
	if err := mayWrite(out, c.Bool("force")); err != nil {
		return err
	}
	m, err := models.New(name, models.Options{Classes: c.Int("classes"), Channels: c.Int("channels"), ImageSize: c.Int("image-size"),
		Hidden: c.Int("hidden"), Layers: c.Int("layers"), Seed: e.Seed})
	if err != nil {
		return usagef("%v", err)
	}
	if err := m.WriteFile(out, onnx.WriteOptions{Force: c.Bool("force")}); err != nil {
		return err
	}
	r := newReport{Schema: "gtk.models.new/1", Name: name, Out: out}
	for _, t := range m.Proto.GetGraph().GetInitializer() {
		if t.GetDataType() == 1 {
			n := 1
			for _, d := range t.GetDims() {
				n *= int(d)
			}
			r.Parameters += n
		}
	}
	e.printf("%s written: %s with %s parameters, random from seed %d\n", out, name, count(r.Parameters), e.Seed)
	for _, v := range m.Inputs() {
		e.printf("  input  %s %s\n", v.GetName(), onnx.TypeString(v.GetType()))
	}
	for _, v := range m.Outputs() {
		e.printf("  output %s %s\n", v.GetName(), onnx.TypeString(v.GetType()))
	}
	return e.emit(r)
}
