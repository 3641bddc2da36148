package main

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/cli"
)

// gtk runs a command line in this process and returns what it prints on standard output.
func gtk(args ...string) (string, error) {
	var out, err bytes.Buffer
	if code := cli.Main(append([]string{"gtk"}, args...), strings.NewReader(""), &out, &err); code != 0 {
		return "", fmt.Errorf("gtk %s: exit code %d: %s", strings.Join(args, " "), code, err.String())
	}
	return out.String(), nil
}

// flagLine is a flag of a help text.
type flagLine struct {
	names, usage, category string
}

var (
	gap      = regexp.MustCompile(`\s{2,}`)
	repeated = regexp.MustCompile(` \[ .* \]$`)
	fallback = regexp.MustCompile(`\s*\(default: (.*?)\)`)
	variable = regexp.MustCompile(`\s*\[\$(\w+)\]`)
)

// parseHelp reads the commands or the flags of a help text.
func parseHelp(help, heading string) []flagLine {
	_, text, _ := strings.Cut(help, "\n"+heading+":\n")
	var lines []flagLine
	category := ""
	for _, line := range strings.Split(text, "\n") {
		if line != "" && !strings.HasPrefix(line, " ") {
			break // the next heading
		}
		body := strings.TrimPrefix(line, "   ")
		name, usage, ok := body, "", false
		if at := gap.FindStringIndex(body); at != nil && at[0] > 0 {
			name, usage, ok = body[:at[0]], body[at[1]:], true
		}
		switch {
		case strings.TrimSpace(line) == "":
		case !ok && !strings.HasPrefix(body, "-"):
			category = strings.TrimSpace(body)
		default:
			lines = append(lines, flagLine{name, usage, category})
		}
	}
	return lines
}

// verbs are the commands of gtk --help, in its order.
func verbs() ([]flagLine, error) {
	help, err := gtk("--help")
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(parseHelp(help, "COMMANDS"), func(l flagLine) bool { return l.names == "help, h" }), nil
}

func commandTable(c context) (string, error) {
	list, err := verbs()
	if err != nil {
		return "", err
	}
	t := newTable("command", "does")
	for _, v := range list {
		t.row(c.link(code("gtk "+v.names), "docs/commands/"+v.names+".md"), v.usage)
	}
	return t.String(), nil
}

// flagTable is the table of the flags of the command c.arg but for those that every command has.
func flagTable(c context) (string, error) {
	everywhere, err := globals()
	if err != nil {
		return "", err
	}
	help, err := gtk(append(strings.Fields(c.arg), "--help")...)
	if err != nil {
		return "", err
	}
	lines := slices.DeleteFunc(parseHelp(help, "OPTIONS"), func(l flagLine) bool {
		return slices.ContainsFunc(everywhere, func(g flagLine) bool { return g.names == l.names })
	})
	slices.SortStableFunc(lines, func(a, b flagLine) int { return strings.Compare(a.category, b.category) })
	if len(lines) == 0 {
		return "No flags of its own; see " + c.link("flags of every command", "docs/commands/index.md#flags-of-every-command") + ".", nil
	}
	return flagRows(lines) + "\nAnd the " + c.link("flags of every command", "docs/commands/index.md#flags-of-every-command") + ".", nil
}

// globals are the flags of every command.
func globals() ([]flagLine, error) {
	help, err := gtk("--help")
	return parseHelp(help, "GLOBAL OPTIONS"), err
}

func globalFlagTable(context) (string, error) {
	lines, err := globals()
	for i := range lines {
		lines[i].category = ""
	}
	return flagRows(lines), err
}

// flagRows is a table of flags, with a row for each category.
func flagRows(lines []flagLine) string {
	t := newTable("flag", "what", "default", "environment")
	category := ""
	for _, l := range lines {
		if l.category != category {
			category = l.category
			t.row("**"+category+"**", "", "", "")
		}
		usage, def, env := l.usage, "", ""
		if m := variable.FindStringSubmatch(usage); m != nil {
			env = code(m[1])
			usage = strings.Replace(usage, m[0], "", 1)
		}
		if m := fallback.FindStringSubmatch(usage); m != nil {
			if m[1] != "false" && m[1] != `""` {
				def = code(strings.Trim(m[1], `"`))
			}
			usage = strings.Replace(usage, m[0], "", 1)
		}
		if repeated.MatchString(l.names) {
			l.names = repeated.ReplaceAllString(l.names, "")
			usage += " (repeatable)"
		}
		t.row(code(l.names), usage, def, env)
	}
	return t.String()
}

// helpText is the output of gtk help c.arg as it is printed.
func helpText(c context) (string, error) {
	out, err := gtk(append([]string{"help"}, strings.Fields(c.arg)...)...)
	return "```text\n" + strings.TrimSpace(out) + "\n```", err
}
