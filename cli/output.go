package cli

import (
	"encoding/json"
	"fmt"

	ucli "github.com/urfave/cli/v2"
)

// piped refuses - as the name of an output, but for the commands that make one file: there it is standard output.
func (e *env) piped(c *ucli.Context) error {
	name := c.Command.HelpName // with "gtk"
	for _, f := range c.Command.Flags {
		switch n := f.Names()[0]; {
		case n != "out" && n != "dot" && n != "checkpoint" && n != "predictions" || c.String(n) != "-":
		case name == "gtk run" && n == "out": // its csv
		case name != "gtk models new" && name != "gtk export" || n != "out":
			return usagef("%s: --%s - would be standard output, which is for gtk models new, gtk export and the csv of gtk run --data; "+
				"give a name (./- for a file called -)", name, n)
		case e.JSON:
			return usagef("%s: -o - and --json both want standard output; give a file", name)
		case isTerminal(e.Stdout):
			return usagef("%s: -o - writes a model to standard output, and that is a terminal; send it to a file or a program", name)
		default:
			e.Piped = true
		}
	}
	return nil
}

// emit prints v, whose schema field names its form, as one JSON object when --json is given.
func (e *env) emit(v any) error {
	if !e.JSON {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.Stdout, "%s\n", b)
	return err
}
