package cli

import (
	"strings"

	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
)

// preprocessFlags say what happens between a picture and the model, and how its classes are called.
func preprocessFlags() []ucli.Flag {
	usage := map[string]string{
		"image-size":  "height and width of the picture the model gets: 224 or 240x320",
		"resize":      "length of the short side before the crop",
		"crop":        "center, or none to stretch the picture",
		"channels":    "rgb, bgr or gray",
		"transparent": "what becomes of alpha: drop, or the picture is laid on white or black",
		"layout":      "nchw or nhwc",
		"scale":       "factor on values of 0..255, such as 1/255 or 1",
		"mean":        "subtracted after the scale: one number, or one per channel, as in 0.485,0.456,0.406",
		"std":         "divides after the mean, likewise",
	}
	var fs []ucli.Flag
	for _, n := range job.PreprocessSettings {
		fs = append(fs, &ucli.StringFlag{Name: n, Usage: usage[n], Category: "pictures and labels",
			EnvVars: []string{"GTK_" + strings.ToUpper(strings.ReplaceAll(n, "-", "_"))}})
	}
	return append(fs, &ucli.StringFlag{Name: "labels", Category: "pictures and labels", EnvVars: []string{"GTK_LABELS"},
		Usage: "`FILE` with the names of the classes: one a line, numbered or not; csv; JSON, also config.json of transformers"})
}

// modelOptions are the options of opening a model by the flags of preprocessFlags, where the command has them.
func (e *env) modelOptions(c *ucli.Context) job.ModelOptions {
	o := job.ModelOptions{Context: c.Context, Threads: e.Threads, Labels: c.String("labels"), Preprocess: map[string]string{}}
	for _, n := range job.PreprocessSettings {
		if c.IsSet(n) {
			o.Preprocess[n] = c.String(n)
		}
	}
	return o
}
