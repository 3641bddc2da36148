package cli

import (
	"context"
	"io"
	"slices"

	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register("generate", func() *ucli.Command {
		return command(&ucli.Command{
			Name: "generate", Usage: "let a language model on bytes go on with a text", ArgsUsage: "MODEL [--prompt TEXT]",
			Description: "For models whose tokens are the bytes of a text, as gtk finetune trains them on text:FILE: [N,T] in, scores\n" +
				"[N,T,K] of the next byte out, K at most 256.\n\n" +
				"  gtk generate lm.onnx --prompt 'Tom said' --tokens 300 --temperature 0.7 --length 128\n\n" +
				"The same seed writes the same text.",
			Flags: slices.Concat([]ucli.Flag{
				&ucli.StringFlag{Name: "prompt", Usage: "`TEXT` to begin with", DefaultText: "a line break"},
				&ucli.IntFlag{Name: "tokens", Value: 200, Usage: "bytes to add"},
				&ucli.IntFlag{Name: "length", Usage: "bytes that the model sees at a time, best as many as in training",
					DefaultText: "as many as the model takes, 64 where any number"},
				&ucli.Float64Flag{Name: "temperature", Value: 0.8, Usage: "scores are divided by it: below 1 is more likely, above 1 more various; " +
					"0 takes the most likely byte each time"},
				&ucli.IntFlag{Name: "top-k", Usage: "draw from so many of the most likely bytes only; 0 means all"},
			}, meaningFlags()),
		}, runGenerate)
	})
}

func runGenerate(ctx context.Context, e *env, c *ucli.Context) error {
	path, err := oneArg(c, "the model")
	if err != nil {
		return err
	}
	use, err := useOptions(c)
	if err != nil {
		return err
	}
	cfg := job.GenerateConfig{Model: path, ModelOptions: e.modelOptions(c), UseOptions: use, Prompt: c.String("prompt"),
		Tokens: c.Int("tokens"),
		Length: c.Int("length"), Temperature: c.Float64("temperature"), TopK: c.Int("top-k"), Seed: e.Seed}
	if cfg.Tokens == 0 {
		return usagef("--tokens 0: want a number of bytes")
	}
	r, err := job.Generate(ctx, cfg, e.reporter())
	if err != nil {
		return err
	}
	if e.JSON {
		return e.emit(r)
	}
	_, err = io.WriteString(e.rows(), r.Prompt+r.Text+"\n")
	return err
}
