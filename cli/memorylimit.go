package cli

import (
	"github.com/gtk-onnx/gtk/internal/units"
	ucli "github.com/urfave/cli/v2"
)

// memoryLimitFlag is --memory-limit of what trains.
func memoryLimitFlag(group string) ucli.Flag {
	return &ucli.StringFlag{Name: "memory-limit", Category: group,
		Usage: "plan at most `SIZE`, such as 500M, for the values of a training step, and compute again " +
			"what does not fit; weights and the state of the optimiser come on top"}
}

// memoryLimit is what --memory-limit says in bytes, 0 where it is not given.
func memoryLimit(c *ucli.Context) (int64, error) {
	size := c.String("memory-limit")
	if size == "" {
		return 0, nil
	}
	n, err := units.ParseSize(size)
	if err != nil {
		return 0, usagef("--memory-limit %s: %v", units.Quote(size), err)
	}
	if n < 1 {
		return 0, usagef("--memory-limit %s: must be at least one byte", units.Quote(size))
	}
	return n, nil
}
