package cli

import (
	"strings"

	"github.com/gtk-onnx/gtk/denoise"
	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
)

// noiseUsage says what --noise takes.
const noiseUsage = "kind of noise with its level: gaussian:SIGMA (of 255), poisson:ZETA (the value of a photon), gamma:K (its shape)"

// restoreFlags ask for an objective over noisy pictures in the place of labels.
func restoreFlags() []ucli.Flag {
	const group = "denoising"
	return []ucli.Flag{
		&ucli.StringFlag{Name: "noise", Category: group, Usage: noiseUsage + "; gaussian:blind and the like where the level is not known"},
		&ucli.StringFlag{Name: "add-noise", Category: group,
			Usage: "the pictures are clean, and noise is added: once (to each picture, as in a photo), redraw (anew for each patch), or usual " +
				"(redraw for supervised, once for others)"},
		&ucli.StringFlag{Name: "target", Category: group,
			Usage: "`SPEC` of what the noisy pictures are compared with, by the same names: clean ones, or for noise2noise other noisy ones"},
		&ucli.StringFlag{Name: "val-target", Category: group, Usage: "`SPEC` of the clean pictures of --val, to measure PSNR and SSIM by"},
		&ucli.IntFlag{Name: "patch", Category: group, Value: 48, Usage: "`SIDE` of the squares that are learned from"},
		&ucli.IntFlag{Name: "patches", Category: group, Value: 20, Usage: "so many of each picture make an epoch"},
		&ucli.BoolFlag{Name: "upright", Category: group, Usage: "neither turn nor mirror them"},
		&ucli.BoolFlag{Name: "default-level", Category: group,
			Usage: "write the level of the noise as an input with a default; gtk run and some other runtimes cannot override it then"},
	}
}

// restoring reports whether --objective names one for noisy pictures.
func restoring(c *ucli.Context) bool {
	name, _, _ := strings.Cut(c.String("objective"), ":")
	_, err := denoise.Objectives().Lookup(name)
	return err == nil || name == "n2s" || name == "n2n" || name == "n2v"
}

// restoreOptions reads restoreFlags; nil for other objectives.
func restoreOptions(c *ucli.Context) (*job.Restoration, error) {
	if !restoring(c) {
		for _, f := range restoreFlags() {
			if name := f.Names()[0]; c.IsSet(name) {
				return nil, usagef("--%s goes with --objective %s", name, strings.Join(denoise.Objectives().Names(), " or "))
			}
		}
		return nil, nil
	}
	for _, f := range contrastFlags()[1:] {
		if name := f.Names()[0]; c.IsSet(name) {
			return nil, usagef("--%s is for objectives that compare views of examples, and --objective %s is for noisy pictures", name,
				c.String("objective"))
		}
	}
	for _, n := range []string{"patch", "patches"} {
		if c.Int(n) < 1 { // which a Config takes for the usual
			return nil, usagef("--%s %d: want at least 1", n, c.Int(n))
		}
	}
	return &job.Restoration{Objective: c.String("objective"), Noise: c.String("noise"), Add: c.String("add-noise"),
		Target:    c.String("target"),
		ValTarget: c.String("val-target"), Patch: c.Int("patch"), Patches: c.Int("patches"), Upright: c.Bool("upright"),
		DefaultLevel: c.Bool("default-level")}, nil
}
