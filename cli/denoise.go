package cli

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/denoise"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register("denoise", func() *ucli.Command {
		return command(&ucli.Command{
			Name: "denoise", Usage: "make clean pictures of noisy ones", ArgsUsage: "MODEL PICTURE… -o FOLDER",
			Description: "Restores pictures of any size by a denoiser that gtk finetune --objective noise2score (or a control) wrote, or by " +
				"any model\n" +
				"that gives a picture like its input. Large pictures go through in tiles that fade into each other; a model for grey pictures\n" +
				"restores colours channel by channel. Writes PNG files by the names of the pictures, and report.html with both sides.\n\n" +
				"  gtk denoise denoiser.onnx noisy/ -o clean\n" +
				"  gtk denoise denoiser.onnx photo.jpg --noise auto -o photo.png\n" +
				"  gtk denoise denoiser.onnx set12/ --add-noise gaussian:25 -o test",
			Flags: slices.Concat([]ucli.Flag{
				&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FOLDER` for the clean pictures, or FILE.png for one"},
				&ucli.BoolFlag{Name: "force", Usage: "write into a folder that is not empty, or replace the file"},
				&ucli.BoolFlag{Name: "list", Usage: "list kinds of noise"},
				&ucli.StringFlag{Name: "noise", Category: "denoising", DefaultText: "that of the model, auto where it does not know",
					Usage: noiseUsage + "; auto takes the level of each picture from its flattest parts, penalty from the paper's grid search"},
				&ucli.StringFlag{Name: "reference", Category: "denoising",
					Usage: "`FOLDER` of the clean pictures, by the same names, to measure PSNR and SSIM by"},
				&ucli.StringFlag{Name: "add-noise", Category: "denoising",
					Usage: "`NOISE` that is added to the pictures first, which are clean: a test"},
				&ucli.IntFlag{Name: "tile", Category: "denoising", Value: 256, Usage: "`SIDE` of the tiles of large pictures"},
				&ucli.IntFlag{Name: "overlap", Category: "denoising", Value: 32, Usage: "pixels that neighbouring tiles have in common"},
				&ucli.BoolFlag{Name: "no-page", Category: "denoising", Usage: "leave out report.html"},
			}, slices.DeleteFunc(dataFlags(), func(f ucli.Flag) bool { return f.Names()[0] != "on-bad-sample" && f.Names()[0] != "follow-links" })),
		}, runDenoise)
	})
}

func runDenoise(ctx context.Context, e *env, c *ucli.Context) error {
	if c.Bool("list") {
		return e.list(listOf(denoise.Families().Entries()))
	}
	args := c.Args().Slice()
	if len(args) == 0 {
		return usagef("gtk denoise: the model is missing")
	}
	cfg := job.DenoiseConfig{Model: args[0], ModelOptions: e.modelOptions(c), In: args[1:], DataOptions: dataOptions(c),
		Noise:     c.String("noise"),
		Reference: c.String("reference"), Add: c.String("add-noise"), Overlap: c.Int("overlap"), Out: c.String("out"), NoPage: c.Bool("no-page"),
		Force: c.Bool("force"), Seed: e.Seed}
	if c.IsSet("tile") {
		if cfg.Tile = c.Int("tile"); cfg.Tile < 16 {
			return usagef("--tile %d: want a side of 16 to 16384 pixels", cfg.Tile)
		}
	}
	switch {
	case !c.IsSet("overlap"):
		cfg.Overlap = 0
	case cfg.Overlap < 0:
		return usagef("--overlap %d: want a number of pixels, or 0", cfg.Overlap)
	case cfg.Overlap == 0:
		cfg.Overlap = -1
	}
	r, err := job.Denoise(ctx, cfg, e.reporter())
	if err != nil {
		return err
	}
	if err := e.emit(r); err != nil {
		return err
	}
	return e.printDenoise(r)
}

// printDenoise writes r for people.
func (e *env) printDenoise(r *job.DenoiseReport) error {
	measured := !math.IsNaN(float64(r.PSNR))
	t := e.newTable(1, 2, 3, 4, 5)
	head := []any{"picture", "size", "noise level"}
	if measured {
		head = append(head, "PSNR before", "PSNR", "SSIM")
	}
	t.row(head...)
	for _, i := range r.Images {
		row := []any{i.In, fmt.Sprintf("%d×%d", i.Width, i.Height), short(float64(i.NoiseLevel))}
		if measured {
			row = append(row, fmt.Sprintf("%.2f", float64(i.PSNRBefore)), fmt.Sprintf("%.2f", float64(i.PSNR)), fmt.Sprintf("%.4f",
				float64(i.SSIM)))
		}
		t.row(row...)
	}
	if err := t.flush(); err != nil {
		return err
	}
	if measured {
		e.printf("PSNR %.2f dB → %.2f dB, SSIM %.4f: means over the pictures\n", float64(r.Before), float64(r.PSNR), float64(r.SSIM))
	}
	e.printf("%s in %.1f s, written to %s\n", units.Plural(len(r.Images), "picture"), r.Seconds, r.Out)
	if r.Report != "" {
		e.printf("report: %s\n", r.Report)
	}
	return nil
}
