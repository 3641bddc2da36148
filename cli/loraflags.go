package cli

import (
	"strings"

	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
)

// loraFlags ask for low-rank adapters.
func loraFlags() []ucli.Flag {
	const group = "LoRA"
	return []ucli.Flag{
		&ucli.IntFlag{Name: "lora", Category: group,
			Usage: "train adapters of rank `R` beside Gemm, MatMul and Conv, not their weights (https://arxiv.org/abs/2106.09685)"},
		&ucli.Float64Flag{Name: "lora-alpha", Category: group, DefaultText: "the rank", Usage: "the adapters count alpha/R times"},
		&ucli.StringSliceFlag{Name: "lora-target", Category: group,
			Usage: "`GLOB` of weights or nodes that get an adapter, else all that can; may be repeated. --freeze names some that get none"},
		&ucli.StringFlag{Name: "lora-form", Category: group, Value: job.LoRAForms[0],
			Usage: "the model that is written: " + strings.Join(job.LoRAForms, " or ") + " the weights, which stay as they are then"},
	}
}

// loraOptions reads loraFlags; nil without --lora.
func loraOptions(c *ucli.Context) (*job.LoRA, error) {
	if !c.IsSet("lora") {
		for _, f := range loraFlags() {
			if name := f.Names()[0]; c.IsSet(name) {
				return nil, usagef("--%s goes with --lora RANK", name)
			}
		}
		return nil, nil
	}
	if v := c.Float64("lora-alpha"); c.IsSet("lora-alpha") && !(v > 0) {
		return nil, usagef("--lora-alpha %v: want a positive number", v)
	}
	return &job.LoRA{Rank: c.Int("lora"), Alpha: c.Float64("lora-alpha"), Target: c.StringSlice("lora-target"),
		Form: c.String("lora-form")}, nil
}
