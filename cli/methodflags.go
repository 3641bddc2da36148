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
	}, gbnnFlags(), nopropFlags())
}

// wayOptions are the flags of each method, by its name, and what reads them.
var wayOptions = map[string]struct {
	flags func() []ucli.Flag
	set   func(*ucli.Context, *job.FinetuneConfig) error
}{job.GBNNMethod: {gbnnFlags, setGBNN}, job.NoPropMethod: {nopropFlags, setNoProp}}

// setMethod reads methodFlags.
func setMethod(c *ucli.Context, cfg *job.FinetuneConfig) error {
	cfg.Method = c.String("method")
	for owner, o := range wayOptions {
		for _, f := range o.flags() {
			if name := f.Names()[0]; owner != cfg.Method && c.IsSet(name) {
				return usagef("--%s goes with --method %s", name, owner)
			}
		}
	}
	if o, ok := wayOptions[cfg.Method]; ok {
		return o.set(c, cfg)
	}
	return nil
}

// modelArg is the model that is trained, "" where the method makes one of the data and none is given.
func modelArg(c *ucli.Context) (string, error) {
	if modelFree(c.String("method")) && c.Args().Len() == 0 {
		return "", nil
	}
	return oneArg(c, "the model")
}

// modelFree reports whether a method makes a model of the data where none is given.
func modelFree(method string) bool { return method == job.GBNNMethod || method == job.NoPropMethod }

// trainMethodList is the part of --list about methods.
func trainMethodList() []listed {
	var rows []listed
	for _, n := range job.Methods() {
		doc, source := job.MethodDoc(n)
		rows = append(rows, listed{"method " + n, doc, source})
	}
	return rows
}
