package cli

import (
	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
)

// distillFlags ask for a teacher.
func distillFlags() []ucli.Flag {
	const group = "distillation"
	return []ucli.Flag{
		&ucli.StringFlag{Name: "distill", Category: group,
			Usage: "learn from the classes of `TEACHER` (a model) beside the labels (https://arxiv.org/abs/1503.02531)"},
		&ucli.Float64Flag{Name: "distill-temperature", Category: group, Value: 2, Usage: "softens what teacher and model give"},
		&ucli.Float64Flag{Name: "distill-weight", Category: group, Value: 0.5,
			Usage: "share of the loss that is the divergence from the teacher; the loss of the labels has the rest"},
	}
}

// distillOptions reads distillFlags; nil without --distill.
func distillOptions(c *ucli.Context) (*job.Distill, error) {
	d := &job.Distill{Teacher: c.String("distill"), Temperature: c.Float64("distill-temperature"), Weight: c.Float64("distill-weight")}
	switch {
	case d.Teacher == "":
		for _, name := range []string{"distill-temperature", "distill-weight"} {
			if c.IsSet(name) {
				return nil, usagef("--%s goes with --distill TEACHER", name)
			}
		}
		return nil, nil
	case d.Temperature == 0 || d.Weight == 0: // which a Config takes for the usual
		return nil, usagef("--distill-temperature %v --distill-weight %v: want numbers above 0", d.Temperature, d.Weight)
	}
	return d, nil
}
