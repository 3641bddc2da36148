package cli

import (
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
)

// methodFlags say which way a model is trained, with the options of each.
func methodFlags() []ucli.Flag {
	return slices.Concat([]ucli.Flag{
		&ucli.StringFlag{Name: "method", Category: "training", Value: job.Backprop,
			Usage: "how it is trained: " + strings.Join(job.Methods(), ", ") + " (see --list)"},
	}, gbnnFlags())
}

// methodSetters are what reads the flags of each method, by its name.
var methodSetters = map[string]func(*ucli.Context, *job.FinetuneConfig) error{job.GBNNMethod: setGBNN}

// setMethod reads methodFlags.
func setMethod(c *ucli.Context, cfg *job.FinetuneConfig) error {
	cfg.Method = c.String("method")
	for _, f := range methodFlags() {
		name := f.Names()[0]
		if owner, _, _ := strings.Cut(name, "-"); c.IsSet(name) && owner != name && owner != cfg.Method {
			return usagef("--%s goes with --method %s", name, owner)
		}
	}
	if set := methodSetters[cfg.Method]; set != nil {
		return set(c, cfg)
	}
	return nil
}

// modelArg is the model that is trained, "" where the method makes one of the data and none is given.
func modelArg(c *ucli.Context) (string, error) {
	if c.String("method") == job.GBNNMethod && c.Args().Len() == 0 {
		return "", nil
	}
	return oneArg(c, "the model")
}

// trainMethodList is the part of --list about methods.
func trainMethodList() []listed {
	var rows []listed
	for _, n := range job.Methods() {
		doc, source := job.MethodDoc(n)
		rows = append(rows, listed{"method " + n, doc, source})
	}
	return rows
}
