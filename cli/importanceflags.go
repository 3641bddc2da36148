package cli

import (
	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
)

// importanceFlags are those of --sampler importance.
func importanceFlags() []ucli.Flag {
	const group = "sampler importance"
	return []ucli.Flag{
		&ucli.Float64Flag{Name: "importance-floor", Category: group, Value: 0.1,
			Usage: "`SHARE` of all examples alike among what is drawn, 0 to 1"},
		&ucli.BoolFlag{Name: "unbiased", Category: group, Usage: "weight the losses by 1/(N·p), so that the mean gradient stays that of " +
			"all examples alike; else hard examples count more, those with wrong labels among them"},
		&ucli.Float64Flag{Name: "max-weight", Category: group, Value: 10, Usage: "most of these weights"},
	}
}

// importanceOptions reads importanceFlags, nil without --sampler importance.
func importanceOptions(c *ucli.Context) (*job.Importance, error) {
	if samplerOf(c) != "importance" {
		for _, name := range []string{"importance-floor", "unbiased", "max-weight"} {
			if c.IsSet(name) {
				return nil, usagef("--%s goes with --sampler importance", name)
			}
		}
		return nil, nil
	}
	x := &job.Importance{Floor: c.Float64("importance-floor"), Unbiased: c.Bool("unbiased"), MaxWeight: c.Float64("max-weight")}
	switch {
	case !(x.Floor >= 0 && x.Floor <= 1):
		return nil, usagef("--importance-floor %v: want a share of 0 to 1", x.Floor)
	case !(x.MaxWeight > 0):
		return nil, usagef("--max-weight %v: want a positive number", x.MaxWeight)
	case c.IsSet("max-weight") && !x.Unbiased:
		return nil, usagef("--max-weight goes with --unbiased")
	case x.Floor == 0:
		x.Floor = -1
	}
	return x, nil
}
