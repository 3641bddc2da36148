// Package cli is the command line of gtk: flags, printing and exit codes. One command is one file, whose flags fill a Config of package
// job, which does the work. This package alone imports urfave/cli.
package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/gtk-onnx/gtk/internal/registry"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
)

// makers make the verbs, by name; each file of a command adds its own in init. Making all of them takes longer than a small command.
var makers = map[string]func() *ucli.Command{}

// order is the order in which help lists the verbs.
var order = []string{
	"import", "inspect", "ops", "run", "verify", "diff", "bench", "eval", "finetune", "denoise", "lr-find", "sweep", "runs", "explain",
	"score-data",
	"prune-data", "probe", "nas", "straggler", "generate", "compress", "export", "models", "data", "science", "demo",
	"doctor", "completion", "version", "help",
}

func register(name string, make func() *ucli.Command) { makers[name] = make }

// makeCommands makes the verbs in the order of the help text.
func makeCommands() []*ucli.Command {
	made := make([]*ucli.Command, len(order))
	for i, name := range order {
		made[i] = makers[name]()
	}
	return made
}

// commandsFor makes the verbs that args, a whole command line, can need: one where it begins with its name, beside the bare names of the
// others; else all.
func commandsFor(args []string) []*ucli.Command {
	if len(args) < 2 || args[1] == "help" || !slices.Contains(order, args[1]) {
		return makeCommands()
	}
	cmds := make([]*ucli.Command, len(order))
	for i, name := range order {
		cmds[i] = &ucli.Command{Name: name, HideHelp: true}
		if name == args[1] {
			cmds[i] = makers[name]()
		}
	}
	return cmds
}

// Main runs the command line args, of which the first is the program's name, and returns the exit code.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) (code int) {
	e := newEnv(stdin, stdout, stderr)
	e.JSON = wantsJSON(args)
	ctx, stop := stopOn(e)
	defer stop.close()
	defer func() {
		if v := recover(); v != nil {
			stop.back()
			code = e.fail(&internalError{value: v, stack: debug.Stack()})
		}
		code = e.closing(code)
	}()
	app := newApp(e, args)
	err := app.RunContext(context.WithValue(ctx, envKey{}, e), rearrange(app, args))
	stop.back()
	if err != nil {
		return e.fail(err)
	}
	return 0
}

// newApp is the application for the command line args.
func newApp(e *env, args []string) *ucli.App {
	// The framework leaves --help out where a command is called help.
	return &ucli.App{
		Name: "gtk", Usage: "train, explain and check ONNX models on a CPU",
		UsageText: "gtk VERB MODEL.onnx [DATA] [flags]\n\nTry it: gtk demo",
		Commands:  commandsFor(args), Flags: append(globalFlags(), &ucli.BoolFlag{Name: "version", Usage: "print the version"}, ucli.HelpFlag),
		Reader: e.Stdin, Writer: people{e.Stdout}, ErrWriter: e.errors(),
		HideVersion: true, Suggest: false, EnableBashCompletion: true,
		CustomAppHelpTemplate: "",
		ExitErrHandler:        func(*ucli.Context, error) {},
		Before:                func(c *ucli.Context) error { return e.setup(c) },
		OnUsageError: func(c *ucli.Context, err error, _ bool) error {
			return flagError(&ucli.Command{HelpName: "gtk", Flags: c.App.Flags}, err)
		},
		Action: func(c *ucli.Context) error {
			switch {
			case c.Bool("version"):
				return printVersion(c.Context, e, c)
			case c.Args().Len() == 0:
				return ucli.ShowAppHelp(c)
			}
			return noCommand(c.Args().First())
		},
	}
}

// meant are the verbs of other programs, and what does that here.
var meant = map[string]string{
	"train": "finetune", "fit": "finetune", "fine-tune": "finetune", "tune": "finetune", "learn": "finetune", "retrain": "finetune",
	"resume":  "finetune --resume",
	"predict": "run", "infer": "run", "inference": "run", "classify": "run", "forward": "run",
	"test": "eval", "evaluate": "eval", "validate": "eval", "accuracy": "eval", "val": "eval", "valid": "eval",
	"visualize": "explain", "visualise": "explain", "saliency": "explain", "heatmap": "explain", "cam": "explain", "gradcam": "explain",
	"interpret": "explain", "attribute": "explain",
	"prune": "prune-data", "select": "prune-data", "subset": "prune-data", "score": "score-data", "rank": "score-data",
	"check": "import", "load": "import", "convert": "data convert", "upgrade": "import --opset", "save": "export", "write": "export",
	"compare": "verify", "experiments": "runs list", "tensorboard": "runs compare", "search": "sweep", "hpo": "sweep",
	"optimize": "sweep", "optimise": "sweep",
	"info": "inspect", "summary": "inspect", "show": "inspect", "describe": "inspect", "layers": "inspect",
	"benchmark": "bench", "time": "bench", "profile": "bench --profile",
	"new": "models new", "build": "models new", "create": "models new", "list": "models",
	"quantize": "compress --method int8", "quantise": "compress --method int8", "shrink": "compress",
	"sharpness": "probe sharpness", "curvature": "probe sharpness", "hessian": "probe sharpness", "landscape": "probe sharpness",
	"dataset": "data", "datasets": "data", "operators": "ops",
}

// noCommand is the error of a command that there is not: the one that does what its name says elsewhere, or a near one.
func noCommand(name string, others ...string) error {
	hint := registry.Hint(name, append(others, order...))
	if verb, ok := meant[strings.ToLower(name)]; ok {
		hint = fmt.Sprintf(" (did you mean %q?)", verb)
	} else if hint == "" && strings.HasSuffix(strings.ToLower(name), ".onnx") {
		hint = fmt.Sprintf(": the verb comes first, as in gtk inspect %s", units.Quote(name))
	}
	return usagef("there is no command %q%s; see gtk --help", name, hint)
}

// env is what a command runs in: its streams and the global options.
type env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	JSON           bool
	Piped          bool // standard output takes what the command makes: text for people goes to standard error
	Quiet, Verbose bool
	Threads        int
	Seed           uint64
	Progress       string // auto, plain, none, json
	Log            *slog.Logger
	Timeout        time.Duration // after which the command stops; 0: never
	stop           *stopper

	out *stdout // what Stdout is
}

type envKey struct{}

func envOf(c *ucli.Context) *env { return c.Context.Value(envKey{}).(*env) }

// human is where text for people goes: standard output, or standard error when the output is JSON.
func (e *env) human() io.Writer {
	switch {
	case e.Quiet:
		return io.Discard
	case e.JSON || e.Piped:
		return e.errors()
	}
	return people{e.Stdout}
}

// globalFlags are accepted by every command, before or after its name.
func globalFlags() []ucli.Flag {
	const common = "every command"
	return []ucli.Flag{
		&ucli.BoolFlag{Category: common, Name: "json", Usage: "print one JSON object on standard output"},
		&ucli.IntFlag{Category: common, Name: "threads", Usage: "threads to use; 0 means all processors",
			EnvVars: []string{"GTK_THREADS"}},
		&ucli.Uint64Flag{Category: common, Name: "seed", Usage: "seed of everything random", EnvVars: []string{"GTK_SEED"}},
		&ucli.BoolFlag{Category: common, Name: "quiet", Aliases: []string{"q"}, Usage: "print errors only"},
		&ucli.BoolFlag{Category: common, Name: "verbose", Aliases: []string{"v"}, Usage: "print more"},
		&ucli.StringFlag{Category: common, Name: "log-format", Value: "text", Usage: "text or json", EnvVars: []string{"GTK_LOG_FORMAT"}},
		&ucli.StringFlag{Category: common, Name: "progress", Value: "auto", Usage: "auto, plain, none or json",
			EnvVars: []string{"GTK_PROGRESS"}},
		&ucli.StringFlag{Category: common, Name: "timeout", EnvVars: []string{"GTK_TIMEOUT"},
			Usage: "stop after this `DURATION`, as in 90s or 1h30m, with exit code 124; a training saves its checkpoint"},
		&ucli.StringFlag{Category: common, Name: "max-memory",
			Usage:   "most memory that the command may take, as 2GiB or 800M; by default a share of what is free",
			EnvVars: []string{"GTK_MAX_MEMORY"}},
		&ucli.BoolFlag{Category: common, Name: "exact", EnvVars: []string{"GTK_EXACT"},
			Usage: "convolutions as their sums say: slower, and nearer to the true values in the last digit or two"},
		&ucli.StringFlag{Category: common, Name: "config", Usage: "YAML file with values for flags; flags and GTK_* win",
			EnvVars: []string{"GTK_CONFIG"}},
	}
}

// setup reads the global options of the app or of a command.
func (e *env) setup(c *ucli.Context) error {
	exact := false
	for _, k := range c.Lineage() {
		if k.App == nil {
			continue
		}
		if k.IsSet("json") {
			e.JSON = k.Bool("json")
		}
		if k.IsSet("quiet") {
			e.Quiet = k.Bool("quiet")
		}
		if k.IsSet("verbose") {
			e.Verbose = k.Bool("verbose")
		}
		exact = exact || k.Bool("exact")
	}
	job.SetExact(exact)
	e.Threads, e.Seed, e.Progress = c.Int("threads"), c.Uint64("seed"), c.String("progress")
	if e.Threads < 0 {
		return usagef("--threads %d: must not be negative", e.Threads)
	}
	switch e.Progress {
	case "auto", "plain", "none", "json":
	default:
		return usagef("--progress %q: want auto, plain, none or json", e.Progress)
	}
	var err error
	if e.Timeout, err = duration(c.String("timeout")); err != nil {
		return err
	}
	e.stop.heed(e)
	if err := e.limitMemory(c.String("max-memory")); err != nil {
		return err
	}
	level := slog.LevelWarn
	if e.Verbose {
		level = slog.LevelDebug
	}
	o := &slog.HandlerOptions{Level: level}
	switch c.String("log-format") {
	case "json":
		e.Log = slog.New(slog.NewJSONHandler(e.errors(), o))
	case "text", "":
		e.Log = slog.New(slog.NewTextHandler(e.errors(), o))
	default:
		return usagef("--log-format %q: want text or json", c.String("log-format"))
	}
	return nil
}

// command makes a verb: its flags are joined by the global ones, and its usage errors suggest near names.
func command(c *ucli.Command, run func(ctx context.Context, e *env, c *ucli.Context) error) *ucli.Command {
	c.Flags = keepNames(append(c.Flags, globalFlags()...))
	c.HideHelpCommand = true
	c.OnUsageError = func(x *ucli.Context, err error, _ bool) error { return flagError(c, err) }
	c.Action = func(x *ucli.Context) error {
		e := envOf(x)
		asked := dataOptions(x) // before the values of a file, which may be for several kinds of data
		if err := applyConfig(x); err != nil {
			return err
		}
		if err := e.setup(x); err != nil {
			return err
		}
		if err := unreadFlags(x, asked); err != nil {
			return err
		}
		if err := e.piped(x); err != nil {
			return err
		}
		return run(e.stop.after(x.Context, e.Timeout), e, x)
	}
	return c
}

// flagError adds the names that were probably meant to the framework's message about an unknown flag.
func flagError(c *ucli.Command, err error) error {
	msg := err.Error()
	const undefined = "flag provided but not defined: "
	if name, ok := strings.CutPrefix(msg, undefined); ok {
		name = strings.TrimLeft(name, "-")
		var known []string
		for _, f := range c.Flags {
			known = append(known, f.Names()...)
		}
		hint := ""
		if near := registry.Suggest(name, known); len(near) > 0 {
			hint = fmt.Sprintf(" (did you mean --%s?)", near[0])
		}
		return usagef("%s has no flag --%s%s; see %[1]s --help", c.HelpName, name, hint)
	}
	return usagef("%s: %s", c.HelpName, msg)
}

func wantsJSON(args []string) bool {
	for _, a := range args {
		if a == "--" {
			return false
		}
		if a == "--json" || a == "-json" || a == "--json=true" {
			return true
		}
	}
	return false
}
