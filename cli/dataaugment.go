package cli

import (
	"context"
	"slices"

	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
)

// dataAugmentCommand is the command gtk data augment.
func dataAugmentCommand() *ucli.Command {
	return command(&ucli.Command{
		Name: "augment", Usage: "show what an augmentation makes of a data set", ArgsUsage: "SPEC --augment LIST -o SHEET.png|FOLDER",
		Description: "Draws some examples as the epochs of a training would have them, after preprocessing: what the network sees.\n\n" +
			"   gtk data augment shapes --augment flip,crop=4,randaugment,cutmix -o sheet.png\n" +
			"   gtk data augment photos --model model.onnx --augment resized=0.3:1,flip,jitter -o look",
		Flags: slices.Concat([]ucli.Flag{
			dataFlag(),
			&ucli.StringFlag{Name: "augment", Usage: "`LIST` as for gtk finetune"},
			&ucli.StringFlag{Name: "model", Usage: "`MODEL` whose preprocessing is taken"},
			&ucli.StringFlag{Name: "out", Aliases: []string{"o"},
				Usage: "`FILE.png` for the sheet, or a folder for it and each picture at the size of the model"},
			&ucli.IntFlag{Name: "rows", Value: 6, Usage: "examples, of one class after the other"},
			&ucli.IntFlag{Name: "draws", Value: 8, Usage: "epochs of each"},
			&ucli.IntFlag{Name: "cell", Value: 96, Usage: "width of a picture on the sheet"},
			&ucli.BoolFlag{Name: "masks", Usage: "lay the masks over the pictures"},
			&ucli.BoolFlag{Name: "list", Usage: "list the augmentations"},
			&ucli.BoolFlag{Name: "force", Usage: "replace what is there"},
		}, dataFlags(), []ucli.Flag{taskFlag()}, preprocessFlags()),
	}, dataAugment)
}

func dataAugment(ctx context.Context, e *env, c *ucli.Context) error {
	if c.Bool("list") {
		return e.list(augmentList())
	}
	spec := c.String("data")
	if spec == "" || c.Args().Len() > 0 {
		var err error
		if spec, err = oneArg(c, "SPEC"); err != nil {
			return err
		}
	}
	for _, n := range []string{"rows", "draws", "cell"} {
		if c.Int(n) < 1 {
			return usagef("--%s %d: want a number of at least 1", n, c.Int(n))
		}
	}
	cfg := job.AugmentConfig{
		Data: spec, Options: dataOptions(c), Model: c.String("model"), ModelOptions: e.modelOptions(c), Augment: c.String("augment"),
		Rows: c.Int("rows"), Draws: c.Int("draws"), Cell: c.Int("cell"), Masks: c.Bool("masks"), Out: c.String("out"),
		Force: c.Bool("force"), Seed: e.Seed,
	}
	var err error
	if cfg.Replay, err = resolvedConfig(c); err != nil {
		return err
	}
	r, err := job.Augment(ctx, cfg, e.reporter())
	if err != nil {
		return err
	}
	e.printf("%s in %s written to %s\n", units.Plural(len(r.Rows), "example"), units.Plural(cfg.Draws, "draw"), r.Sheet)
	return e.emit(r)
}
