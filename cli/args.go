package cli

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/internal/regular"
	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
	"go.yaml.in/yaml/v3"
)

// rearrange puts all flags between a command and its arguments, from behind the arguments, where the framework stops reading, and
// from before the command, where those of a command would hide them. Arguments that are missing come from the file of --config.
func rearrange(app *ucli.App, args []string) []string {
	if len(args) < 2 {
		return args
	}
	at := slices.IndexFunc(args[1:], func(a string) bool { return !strings.HasPrefix(a, "-") })
	if at < 0 {
		return args
	}
	at++
	// The value of a global flag is no command.
	for at < len(args) && at > 1 && takesValue(app.Flags, args[at-1]) {
		next := slices.IndexFunc(args[at+1:], func(a string) bool { return !strings.HasPrefix(a, "-") })
		if next < 0 {
			return args
		}
		at += 1 + next
	}
	if at >= len(args) {
		return args
	}
	cmd := app.Command(args[at])
	if cmd == nil {
		return args
	}
	head, flags, rest := []string{args[0], args[at]}, slices.Clone(args[1:at]), args[at+1:]
	for len(cmd.Subcommands) > 0 && len(rest) > 0 {
		i := slices.IndexFunc(cmd.Subcommands, func(s *ucli.Command) bool { return s.HasName(rest[0]) })
		if i < 0 {
			break
		}
		cmd, head, rest = cmd.Subcommands[i], append(head, rest[0]), rest[1:]
	}
	var words []string
	for i := 0; i < len(rest); i++ {
		a := rest[i]
		if a == "--" {
			words = append(words, rest[i+1:]...)
			break
		}
		if len(a) < 2 || a[0] != '-' {
			words = append(words, a)
			continue
		}
		flags = append(flags, a)
		if takesValue(cmd.Flags, a) && i+1 < len(rest) {
			i++
			flags = append(flags, rest[i])
		}
	}
	out := append(head, flags...)
	if slices.ContainsFunc(flags, func(f string) bool { return f == "--help" || f == "-help" || f == "-h" }) {
		return out // the framework takes an argument for a topic
	}
	if len(words) == 0 {
		more := replayOf(cmd, flags)
		out, flags = append(out, more...), append(flags, more...)
		words = configArgs(cmd, flags)
	}
	if len(words) > 0 {
		out = append(append(out, "--"), words...)
	}
	return out
}

// replayOf are the flags of the run that --resume names, where nothing else says what is to be done.
func replayOf(cmd *ucli.Command, flags []string) []string {
	if cmd.Name == "sweep" && os.Getenv("GTK_CONFIG") == "" && flagValue(flags, "config") == "" && flagValue(flags, "resume") != "" {
		return sweepResume(flagValue(flags, "resume"))
	}
	if cmd.Name != "finetune" && cmd.Name != "train" || os.Getenv("GTK_CONFIG") != "" || flagValue(flags, "config") != "" ||
		flagValue(flags, "resume") == "" {
		return nil
	}
	yaml, out := job.ReplayOf(flagValue(flags, "resume"))
	if yaml == "" {
		return nil
	}
	more := []string{"--config", yaml}
	if flagValue(flags, "out") == "" && flagValue(flags, "o") == "" {
		more = append(more, "--out", out) // as it is called from here
	}
	return more
}

// flagValue is the value of a flag among words, the last one; "" when it is not there.
func flagValue(words []string, name string) (value string) {
	for i, f := range words {
		n, v, joined := strings.Cut(strings.TrimLeft(f, "-"), "=")
		switch {
		case !strings.HasPrefix(f, "-") || n != name:
		case joined:
			value = v
		case i+1 < len(words):
			value = words[i+1]
		}
	}
	return value
}

// maxConfig is how large a file of flags may be, in bytes.
const maxConfig = 1 << 20

// configArgs are the arguments in the file of --config, if it was written by the same command. A file that cannot be read is
// reported by applyConfig.
func configArgs(cmd *ucli.Command, flags []string) []string {
	path := cmp.Or(flagValue(flags, "config"), os.Getenv("GTK_CONFIG"))
	b, err := regular.Read(path, maxConfig)
	if err != nil {
		return nil
	}
	var c struct {
		Command string
		Args    []string
	}
	if yaml.Unmarshal(b, &c) != nil || c.Command != cmd.Name {
		return nil
	}
	return c.Args
}

// takesValue reports whether the word after the flag a is its value.
func takesValue(fs []ucli.Flag, a string) bool {
	if !strings.HasPrefix(a, "-") || strings.Contains(a, "=") {
		return false
	}
	name := strings.TrimLeft(a, "-")
	for _, f := range fs {
		if slices.Contains(f.Names(), name) {
			return !isSwitch(f)
		}
	}
	return false
}

// isSwitch reports whether f stands without a value.
func isSwitch(f ucli.Flag) bool {
	d, ok := f.(ucli.DocGenerationFlag)
	return ok && !d.TakesValue()
}

// oneArg is the only argument of a command, called what in the message when it is missing.
func oneArg(c *ucli.Context, what string) (string, error) {
	args, err := nArgs(c, what)
	if err != nil {
		return "", err
	}
	return args[0], nil
}

// nArgs are the arguments of a command, one for each name of what.
func nArgs(c *ucli.Context, what ...string) ([]string, error) {
	args := c.Args().Slice()
	if len(args) < len(what) {
		return nil, usagef("%s: %s is missing; see %[1]s --help", c.Command.HelpName, what[len(args)])
	}
	if len(args) > len(what) {
		return nil, usagef("%s: unexpected argument %q; see %[1]s --help", c.Command.HelpName, args[len(what)])
	}
	return args, nil
}

// applyConfig sets the flags that neither the command line nor the environment sets from the file of --config.
func applyConfig(c *ucli.Context) error {
	path := c.String("config")
	if path == "" {
		return nil
	}
	b, err := regular.Read(path, maxConfig)
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	values := map[string]any{}
	if err := yaml.Unmarshal(b, &values); err != nil {
		return usagef("--config %s: %v", path, err)
	}
	for name, v := range values {
		if name == "command" || name == "args" {
			continue
		}
		if !slices.ContainsFunc(c.Command.Flags, func(f ucli.Flag) bool { return slices.Contains(f.Names(), name) }) {
			return usagef("--config %s: %s has no flag %q", path, c.Command.HelpName, name)
		}
		if c.IsSet(name) {
			continue
		}
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		for _, x := range list {
			if err := c.Set(name, fmt.Sprint(x)); err != nil {
				return usagef("--config %s: %s: %v", path, name, err)
			}
		}
	}
	return nil
}

// resolvedConfig is the YAML that replays the command.
func resolvedConfig(c *ucli.Context) ([]byte, error) { return yaml.Marshal(resolvedValues(c)) }

// resolvedValues are the name of the command, its arguments, the flags that are set, and the seed.
func resolvedValues(c *ucli.Context) map[string]any {
	values := map[string]any{"command": c.Command.Name, "args": c.Args().Slice()}
	for _, f := range c.Command.Flags {
		name := f.Names()[0]
		if name == "config" || name == "force" || name == "json" || name == "help" || name == "timeout" || !c.IsSet(name) {
			continue
		}
		if name == "resume" && !c.Bool("resume-anyway") {
			continue // the whole run gives the same
		}
		values[name] = c.Value(name)
		if s, ok := c.Value(name).(ucli.StringSlice); ok {
			values[name] = s.Value()
		}
	}
	values["seed"] = c.Uint64("seed")
	return values
}

// writeConfig writes the run.yaml that replays the command to path.
func writeConfig(c *ucli.Context, path string) error {
	b, err := resolvedConfig(c)
	if err != nil {
		return err
	}
	return job.WriteFile(path, func(w io.Writer) error { _, err := w.Write(b); return err })
}
