package cli

import (
	"context"
	"slices"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register("data", func() *ucli.Command {
		sheet := []ucli.Flag{
			&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FILE.png` for a contact sheet"},
			&ucli.IntFlag{Name: "per-class", Value: 10, Usage: "pictures of each class on the sheet"},
			&ucli.IntFlag{Name: "cell", Value: 64, Usage: "width of a picture on the sheet"},
			&ucli.IntFlag{Name: "check", Value: 1000, Usage: "examples to read, spread over the set; 0 means all"},
			&ucli.BoolFlag{Name: "list", Usage: "list the formats"},
			&ucli.BoolFlag{Name: "force", Usage: "replace FILE.png if it is there"},
			&ucli.StringFlag{Name: "labels", Usage: "`FILE` with the names of the classes"},
		}
		flags := append(append(sheet, dataFlags()...), taskFlag())
		info := command(&ucli.Command{Name: "info", Usage: "say what is in a data set", ArgsUsage: "SPEC", Flags: slices.Clone(flags)},
			dataInfo)
		top := command(&ucli.Command{
			Name: "data", Usage: "look at a data set, convert it, or see its augmentation", ArgsUsage: "[info | convert | augment] SPEC",
			Description: "SPEC is FORMAT:PATH[#SPLIT], or a path whose format is recognised; gtk data --list names the formats.\n\n" +
				"   gtk data digits -o digits.png\n   gtk data convert idx:mnist#test -o mnist.npz",
			Flags: flags,
		}, dataInfo)
		top.Subcommands = []*ucli.Command{info, command(&ucli.Command{
			Name: "convert", Usage: "write a data set as a .npz file, or as a folder of pictures", ArgsUsage: "SPEC -o FILE.npz|FOLDER",
			Flags: append([]ucli.Flag{
				&ucli.StringFlag{Name: "out", Aliases: []string{"o"},
					Usage: "`FILE.npz`, or a folder for one sub-folder of pictures per class"},
				&ucli.BoolFlag{Name: "link", Usage: "link picture files instead of copying them"},
				&ucli.BoolFlag{Name: "force", Usage: "replace FILE.npz if it is there"},
				&ucli.StringFlag{Name: "labels", Usage: "`FILE` with the names of the classes"},
			}, append(dataFlags(), taskFlag())...),
		}, dataConvert), dataAugmentCommand()}
		return top
	})
}

func dataInfo(_ context.Context, e *env, c *ucli.Context) error {
	if c.Bool("list") {
		var rows []listed
		for _, f := range data.Formats() {
			rows = append(rows, listed{f.Name, f.Doc, f.Source})
		}
		return e.list(rows)
	}
	spec, err := oneArg(c, "SPEC")
	if err != nil {
		return err
	}
	r, err := job.Data(job.DataConfig{
		Data: spec, Options: dataOptions(c), Labels: c.String("labels"), Check: c.Int("check"), Sheet: c.String("out"),
		PerClass: c.Int("per-class"),
		Cell:     c.Int("cell"), Force: c.Bool("force"),
	})
	if err != nil {
		return err
	}
	if err := e.printData(r); err != nil {
		return err
	}
	return e.emit(r)
}

func dataConvert(_ context.Context, e *env, c *ucli.Context) error {
	spec, err := oneArg(c, "SPEC")
	if err != nil {
		return err
	}
	r, err := job.Convert(job.ConvertConfig{
		Data: spec, Options: dataOptions(c), Labels: c.String("labels"), Out: c.String("out"), Link: c.Bool("link"),
		Force: c.Bool("force"),
	})
	if err != nil {
		return err
	}
	e.printf("%s of %s written to %s (%s)\n", units.Plural(r.N, "example"), spec, r.Out, r.Format)
	return e.emit(r)
}
