package cli

import (
	"strings"

	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
)

// loraFlags ask for low-rank adapters; those behind the third say what is written.
func loraFlags() []ucli.Flag {
	const group = "LoRA"
	return []ucli.Flag{
		&ucli.IntFlag{Name: "lora", Category: group,
			Usage: "train adapters of rank `R` beside Gemm, MatMul and Conv, not their weights (https://arxiv.org/abs/2106.09685)"},
		&ucli.Float64Flag{Name: "lora-alpha", Category: group, DefaultText: "the rank", Usage: "the adapters count alpha/R times"},
		&ucli.StringSliceFlag{Name: "lora-target", Category: group,
			Usage: "`GLOB` of weights or nodes that get an adapter, else all that can; may be repeated. --freeze names some that get none"},
		&ucli.StringFlag{Name: "lora-form", Category: group, Value: job.LoRAForms[0],
			Usage: "the model that is written: " + strings.Join(job.LoRAForms, ", ") + " (quantised weights become real numbers)"},
		&ucli.StringSliceFlag{Name: "lora-out", Category: group, Usage: "`FILE` for the adapters alone: NAME.onnx_adapter for ONNX Runtime, " +
			"with the model that takes it in NAME.base.onnx, or NAME.onnx, a patch for gtk export --adapter; may be repeated"},
	}
}

// adapterFlags put adapters onto a model that is exported.
func adapterFlags() []ucli.Flag {
	const group = "adapters"
	return []ucli.Flag{
		&ucli.StringFlag{Name: "adapter", Category: group,
			Usage: "`FILE` of adapters to put on: one of gtk finetune --lora-out, or an .onnx_adapter with the same names"},
		&ucli.StringFlag{Name: "adapter-form", Category: group, Value: job.AdapterForms[0],
			Usage: strings.Join(job.AdapterForms, ", ") + ": in the weights, as nodes beside them, in quantised ones as real numbers, " +
				"or as optional inputs for ONNX Runtime"},
		&ucli.BoolFlag{Name: "adapter-anyway", Category: group, Usage: "though the patch was made for other weights"},
	}
}

// adapterOptions reads adapterFlags; nil without --adapter.
func adapterOptions(c *ucli.Context) (*job.AdapterOptions, error) {
	if !c.IsSet("adapter") {
		for _, name := range []string{"adapter-form", "adapter-anyway"} {
			if c.IsSet(name) {
				return nil, usagef("--%s goes with --adapter FILE", name)
			}
		}
		return nil, nil
	}
	return &job.AdapterOptions{File: c.String("adapter"), Form: c.String("adapter-form"), Anyway: c.Bool("adapter-anyway")}, nil
}

// printAdapter says what adapters were put on.
func (e *env) printAdapter(a *job.AdapterReport) {
	where := map[string]string{"beside": "beside", "inputs": "as optional inputs beside"}[a.Form]
	if where == "" {
		where = "merged into"
	}
	e.printf("adapters of %s (%s parameters) %s %s\n", a.File, units.Count(a.Parameters), where, units.Plural(len(a.Weights), "weight"))
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
		Form: c.String("lora-form"), Out: c.StringSlice("lora-out")}, nil
}
