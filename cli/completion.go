package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/internal/registry"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register("completion", func() *ucli.Command {
		return command(&ucli.Command{
			Name: "completion", Usage: "print the completion script of a shell", ArgsUsage: "bash|zsh|fish",
			Description: "bash  echo 'source <(gtk completion bash)' >> ~/.bashrc\n" +
				"zsh   echo 'source <(gtk completion zsh)' >> ~/.zshrc, after compinit\n" +
				"fish  gtk completion fish > ~/.config/fish/completions/gtk.fish",
		}, completionCommand)
	})
}

func completionCommand(_ context.Context, e *env, c *ucli.Context) error {
	shell, err := oneArg(c, "bash, zsh or fish")
	if err != nil {
		return err
	}
	shells := map[string]func(io.Writer, []verb){"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}
	write := shells[shell]
	if write == nil {
		return usagef("gtk completion: no shell %q%s; want bash, zsh or fish", shell,
			registry.Hint(shell, []string{"bash", "zsh", "fish"}))
	}
	var b strings.Builder
	write(&b, verbs())
	if e.JSON {
		return e.emit(struct {
			Schema string `json:"schema"`
			Shell  string `json:"shell"`
			Script string `json:"script"`
		}{"gtk.completion/1", shell, b.String()})
	}
	_, err = io.WriteString(people{e.Stdout}, b.String())
	return err
}

// verb is a command as completion sees it.
type verb struct {
	name, usage string
	subs        []string
	flags       []flagWord
}

type flagWord struct{ name, usage string }

func verbs() []verb {
	var out []verb
	for _, c := range makeCommands() {
		v := verb{name: c.Name, usage: c.Usage}
		add := func(fs []ucli.Flag) {
			for _, f := range fs {
				w := flagWord{name: f.Names()[0]}
				if d, ok := f.(ucli.DocGenerationFlag); ok {
					w.usage = strings.ReplaceAll(d.GetUsage(), "`", "")
				}
				if !slices.ContainsFunc(v.flags, func(x flagWord) bool { return x.name == w.name }) {
					v.flags = append(v.flags, w)
				}
			}
		}
		add(append(c.Flags, ucli.HelpFlag))
		for _, s := range c.Subcommands {
			if s.Hidden {
				continue
			}
			v.subs = append(v.subs, s.Name)
			add(s.Flags)
		}
		out = append(out, v)
	}
	return out
}

// words are the flags and subcommands of v.
func (v verb) words() string {
	w := slices.Clone(v.subs)
	for _, f := range v.flags {
		w = append(w, "--"+f.name)
	}
	return strings.Join(w, " ")
}

func bashCompletion(w io.Writer, vs []verb) {
	var names []string
	for _, v := range vs {
		names = append(names, v.name)
	}
	fmt.Fprintf(w, "_gtk() {\n  local cur=${COMP_WORDS[COMP_CWORD]} words\n  if [ \"$COMP_CWORD\" -eq 1 ]; then\n    words=%q\n  else\n "+
		"   case ${COMP_WORDS[1]} in\n", strings.Join(names, " "))
	for _, v := range vs {
		fmt.Fprintf(w, "      %s) words=%q ;;\n", v.name, v.words())
	}
	fmt.Fprint(w, "    esac\n  fi\n  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\ncomplete -o default -o bashdefault -F _gtk gtk\n")
}

func zshCompletion(w io.Writer, vs []verb) {
	fmt.Fprint(w, "#compdef gtk\n_gtk() {\n  if (( CURRENT == 2 )); then\n    local -a verbs=(\n")
	for _, v := range vs {
		fmt.Fprintf(w, "      %s\n", quote(v.name+":"+v.usage))
	}
	fmt.Fprint(w, "    )\n    _describe command verbs\n    return\n  fi\n  case $words[2] in\n")
	for _, v := range vs {
		fmt.Fprintf(w, "    %s) compadd -- %s ;;\n", v.name, v.words())
	}
	fmt.Fprint(w, "  esac\n  _files\n}\ncompdef _gtk gtk\n")
}

func fishCompletion(w io.Writer, vs []verb) {
	for _, v := range vs {
		fmt.Fprintf(w, "complete -c gtk -n __fish_use_subcommand -a %s -d %s\n", v.name, quote(v.usage))
		for _, s := range v.subs {
			fmt.Fprintf(w, "complete -c gtk -n '__fish_seen_subcommand_from %s' -a %s\n", v.name, s)
		}
		for _, f := range v.flags {
			fmt.Fprintf(w, "complete -c gtk -n '__fish_seen_subcommand_from %s' -l %s -d %s\n", v.name, f.name, quote(f.usage))
		}
	}
}

// quote is s as one word of a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
