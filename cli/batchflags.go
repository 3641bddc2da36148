package cli

import (
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/train"
	ucli "github.com/urfave/cli/v2"
)

// batchFlags say how batches grow.
func batchFlags() []ucli.Flag {
	const group = "growing batches"
	return []ucli.Flag{
		&ucli.StringFlag{Name: "batch-adapt", Category: group, Usage: "grow batches from --batch-size where the gradients of their examples " +
			"differ, by the test `NAME`: norm, ip (inner product) or ip+orth (https://arxiv.org/abs/2402.11215)"},
		&ucli.Float64Flag{Name: "batch-eta", Category: group, Value: 0.5, Usage: "norm: less asks for more examples"},
		&ucli.Float64Flag{Name: "batch-theta", Category: group, Value: 0.5, Usage: "ip: likewise"},
		&ucli.Float64Flag{Name: "batch-nu", Category: group, Value: 1, Usage: "orth: likewise"},
		&ucli.IntFlag{Name: "batch-max", Category: group, DefaultText: "all", Usage: "the most examples in a batch"},
		&ucli.Float64Flag{Name: "batch-growth-max", Category: group, DefaultText: "any",
			Usage: "how many times larger than the one before a batch may be at most (not in the paper)"},
		&ucli.IntFlag{Name: "batch-every", Category: group, Value: 1, Usage: "test after so many `STEPS`"},
		&ucli.StringFlag{Name: "batch-form", Category: group, Value: "exact",
			Usage: "exact; layers: each tensor for itself, as in the paper's code; parts: estimated from the parts of --micro-batch"},
	}
}

// batchGrowth reads batchFlags; nil without --batch-adapt.
func batchGrowth(c *ucli.Context) (*job.BatchGrowth, error) {
	if c.String("batch-adapt") == "" {
		for _, f := range batchFlags()[1:] {
			if name := f.Names()[0]; c.IsSet(name) {
				return nil, usagef("--%s goes with --batch-adapt", name)
			}
		}
		return nil, nil
	}
	for _, name := range []string{"batch-eta", "batch-theta", "batch-nu"} {
		if !(c.Float64(name) > 0) {
			return nil, usagef("--%s %v: want a positive number", name, c.Float64(name))
		}
	}
	for name, tests := range map[string][]string{"batch-eta": {train.NormTest}, "batch-theta": {train.InnerTest, train.BothTests},
		"batch-nu": {train.BothTests}} {
		if c.IsSet(name) && !slices.Contains(tests, c.String("batch-adapt")) {
			return nil, usagef("--%s is not read by the test %s: it goes with --batch-adapt %s", name, c.String("batch-adapt"),
				strings.Join(tests, " or "))
		}
	}
	for _, name := range []string{"batch-max", "batch-every"} {
		if c.IsSet(name) && c.Int(name) < 1 {
			return nil, usagef("--%s %d: want a positive number", name, c.Int(name))
		}
	}
	if v := c.Float64("batch-growth-max"); c.IsSet("batch-growth-max") && !(v > 1) {
		return nil, usagef("--batch-growth-max %v: want a number above 1", v)
	}
	return &job.BatchGrowth{
		Test: c.String("batch-adapt"), Form: c.String("batch-form"), Eta: c.Float64("batch-eta"), Theta: c.Float64("batch-theta"),
		Nu: c.Float64("batch-nu"), Max: c.Int("batch-max"), GrowthMax: c.Float64("batch-growth-max"), Every: c.Int("batch-every"),
	}, nil
}
