package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/gtk-onnx/gtk/internal/shown"
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

// emit prints v, whose schema field names its form, as one JSON object when --json is given. What is not to be printed is escaped there
// too, which changes nothing for who reads the JSON. Where nobody does, that is no error.
func (e *env) emit(v any) error {
	if !e.JSON {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if _, err = fmt.Fprintf(stream{e.Stdout}, "%s\n", ascii(b)); errors.Is(err, errGone) {
		return nil
	}
	return err
}

// ascii is JSON with what is not to be printed as escapes of JSON.
func ascii(b []byte) []byte {
	safe := func(r rune) bool { return shown.Safe(r) || r == '\n' }
	if bytes.IndexFunc(b, func(r rune) bool { return !safe(r) }) < 0 {
		return b
	}
	var out []byte
	for _, r := range string(b) {
		switch {
		case safe(r):
			out = utf8.AppendRune(out, r)
		default:
			for _, u := range utf16.AppendRune(nil, r) {
				out = fmt.Appendf(out, `\u%04x`, u)
			}
		}
	}
	return out
}
