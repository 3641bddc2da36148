package cli

import (
	"strings"

	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/task"
	ucli "github.com/urfave/cli/v2"
)

// useFlags say what the inputs and outputs of a model mean, where names and shapes leave it open.
func useFlags() []ucli.Flag {
	return append(meaningFlags(), &ucli.StringSliceFlag{Name: "input", Category: useGroup,
		Usage: "`NAME=ARRAY` of an npz or NAME=COLUMN,COLUMN of a csv that an input gets, where names differ; may be repeated"})
}

const useGroup = "task and inputs"

// meaningFlags are useFlags without --input.
func meaningFlags() []ucli.Flag {
	return []ucli.Flag{
		taskFlag(),
		&ucli.StringFlag{Name: "output", Category: useGroup, Usage: "`NAME` of the output that is meant, when the model has several"},
		&ucli.StringSliceFlag{Name: "set", Category: useGroup, Usage: "`NAME=VALUE`: a constant for an input, a number or a tensor " +
			"file; may be repeated"},
	}
}

// taskFlag is the flag --task.
func taskFlag() ucli.Flag {
	return &ucli.StringFlag{
		Name: "task", Category: useGroup,
		Usage: "what the labels and the model mean, when they leave it open; a model that gtk trained remembers it: " +
			strings.Join(task.KindNames(), ", "),
	}
}

// useOptions reads useFlags.
func useOptions(c *ucli.Context) (o job.UseOptions, err error) {
	o = job.UseOptions{Task: c.String("task"), Output: c.String("output")}
	if o.Inputs, err = assignments(c, "input"); err != nil {
		return o, err
	}
	o.Set, err = assignments(c, "set")
	return o, err
}

// assignments reads the values NAME=VALUE of a flag. What stands behind a comma without a name belongs to the value before it.
func assignments(c *ucli.Context, flag string) (map[string]string, error) {
	var words []string
	for _, w := range c.StringSlice(flag) {
		if !strings.Contains(w, "=") && len(words) > 0 {
			words[len(words)-1] += "," + w
			continue
		}
		words = append(words, w)
	}
	if len(words) == 0 {
		return nil, nil
	}
	m := map[string]string{}
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok || name == "" || value == "" {
			return nil, usagef("--%s %s: want NAME=VALUE", flag, w)
		}
		if _, twice := m[name]; twice {
			return nil, usagef("--%s: %s is given twice", flag, name)
		}
		m[name] = value
	}
	return m, nil
}
