package cli

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/straggler"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register("straggler", func() *ucli.Command {
		simulate := command(&ucli.Command{
			Name: "simulate", Usage: "say how long a run would take with each scheme",
			ArgsUsage: "[--trace FILE | --synthetic OPTIONS] [--scheme S]…",
			Description: "Holds the rounds of each scheme with workers as slow as those of a trace: measured rounds in a file, or made-up " +
				"ones.\n\n  gtk straggler simulate --trace rounds.csv --slope 0.9 --scheme none --scheme gc:s=2\n" +
				"  gtk straggler simulate --synthetic late=0.05:stay=0.2 --workers 64 --rounds 200",
			Flags: slices.Concat([]ucli.Flag{schemeFlag(), jobsFlag("gradients of a run"),
				&ucli.BoolFlag{Name: "nominal", Usage: "charge every worker with the whole load in every round, as the paper's program does; else " +
					"each takes as long as what it is given"},
				&ucli.StringFlag{Name: "save-trace", Usage: "`FILE`.json to write the trace to"},
				&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FILE`.html for a page with the rounds of each scheme"},
				&ucli.BoolFlag{Name: "force", Usage: "replace the files"},
			}, traceFlags(), lateFlags()),
		}, runStragglerSimulate)
		choose := command(&ucli.Command{
			Name: "select", Usage: "pick scheme and parameters by measured rounds", ArgsUsage: "--trace FILE",
			Description: "Simulates every scheme with every parameter on measured rounds, and lists the best of each, the fastest first.\n\n" +
				"  gtk straggler select --trace rounds.csv --load 0.125 --slope 0.9 --max-delay 3",
			Flags: slices.Concat([]ucli.Flag{schemeFlag(), jobsFlag("gradients of a run"),
				&ucli.IntFlag{Name: "max-delay", Value: 3, Usage: "most rounds after its own in which a gradient may be there at last; so many " +
					"models and one more have to be trained at once"},
				&ucli.Float64Flag{Name: "max-load", Usage: "largest `SHARE` of the data that a worker can hold"},
				&ucli.StringFlag{Name: "code", Value: straggler.Repetition, Usage: "repetition or cyclic"},
			}, traceFlags(), lateFlags()),
		}, runStragglerSelect)
		train := command(&ucli.Command{
			Name: "train", Usage: "train on all the data with workers that may be late", ArgsUsage: "MODEL… --data SPEC --jobs N -o OUT",
			Description: "Each step is the gradient of all the data, which workers add up. With every scheme but those with a cyclic code the " +
				"weights are\nthe same to the bit. Several models, or learning rates, are trained in turn: sequential schemes need more trainings " +
				"than rounds\nof delay.\n\n" +
				"  gtk straggler train model.onnx --data csv:train.csv --workers 8 --scheme gc:s=1 --jobs 60 -o run\n" +
				"  gtk straggler train model.onnx --data digits#train --lr 0.3,0.1 --scheme m-sgc:B=1:W=2:lambda=3 --jobs 60 -o run\n" +
				"  gtk straggler train model.onnx --data digits#train --scheme auto --jobs 100 --delay late=0.05:base=0.05 -o run",
			Flags: slices.Concat([]ucli.Flag{
				dataFlag(),
				&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FILE`.onnx of a single training, or a folder for models, report.html, " +
					"trace.json (the measured rounds, for gtk straggler select) and run.yaml"},
				&ucli.BoolFlag{Name: "force", Usage: "overwrite"},
				&ucli.BoolFlag{Name: "dry-run", Usage: "say what would be done, and how long it would take by the given delays"},
				jobsFlag("gradients in all"),
				&ucli.StringFlag{Name: "scheme", Category: stragglerGroup, Value: "none",
					Usage: "`SCHEME` with options behind colons (see gtk straggler --list), or auto: the fastest by the first rounds"},
				&ucli.IntFlag{Name: "workers", Category: stragglerGroup, Value: 8, Usage: "how many there are"},
				&ucli.StringFlag{Name: "fleet", Category: stragglerGroup, Value: job.FleetProcesses, Usage: "processes of this machine, or local: " +
					"goroutines"},
				&ucli.IntFlag{Name: "partitions", Category: stragglerGroup, DefaultText: "12 for each worker",
					Usage: "parts of the data, of which sums are made; with --bn train and --dropout they are part of what is trained"},
				&ucli.StringFlag{Name: "delay", Category: stragglerGroup, Usage: "have workers sleep: a `TRACE` file, or options of a made-up one as " +
					"in late=0.1:base=0.05 (see gtk straggler --list)"},
				&ucli.Float64Flag{Name: "slope", Category: stragglerGroup,
					Usage: "`SECONDS` that all of the data take a worker at least, with --delay"},
				&ucli.BoolFlag{Name: "stale", Category: stragglerGroup,
					Usage: "allow gradients of weights that lack the last steps, where a scheme's " +
						"delay is not less than the trainings are many"},
				&ucli.IntFlag{Name: "probe", Category: stragglerGroup, Value: 8, Usage: "auto: jobs that are done by none before it chooses"},
				&ucli.IntFlag{Name: "reprobe", Category: stragglerGroup, Usage: "auto: jobs after which it probes and chooses again; 0 never does"},
				&ucli.StringFlag{Name: "lr", Category: "optimiser", Usage: "learning `RATE`, or several with commas, a training for each"},
			}, lateFlags(), headFlags(), only(loopFlags("frozen"), "memory-limit", "loss", "class-weights", "label-smoothing", "bn", "freeze",
				"trainable", "last-layer", "dropout", "no-decay-1d"), rateless(optimizerFlags(), "lr"), dataFlags(), useFlags(), preprocessFlags()),
		}, runStragglerTrain)
		worker := command(&ucli.Command{Name: "worker", Usage: "a worker of gtk straggler train, which starts it", Hidden: true,
			HideHelp: true}, func(ctx context.Context, e *env, _ *ucli.Context) error {
			signal.Ignore(os.Interrupt) // of the terminal: the coordinator ends its workers
			return job.StragglerWorker(ctx, e.Stdin, os.Stdout)
		})
		top := command(&ucli.Command{
			Name: "straggler", Usage: "gradients from workers that may be late: simulate, select, train", ArgsUsage: "simulate | select | train",
			Description: "Plain waiting, backup tasks, gradient coding and its sequential forms SR-SGC and M-SGC " +
				"(https://arxiv.org/abs/2211.13802).\n\n" +
				"  gtk straggler simulate   how long a run would take with each\n" +
				"  gtk straggler select     which is best by measured rounds\n" +
				"  gtk straggler train      full-batch training by worker processes",
			Flags: []ucli.Flag{&ucli.BoolFlag{Name: "list", Usage: "list schemes with their options, and those of made-up delays"}},
		}, func(_ context.Context, e *env, c *ucli.Context) error {
			switch {
			case c.Bool("list"):
				return e.list(stragglerList())
			case c.Args().Len() == 0:
				return usagef("gtk straggler: what is to be done is missing: simulate, select or train")
			}
			return noCommand("straggler "+c.Args().First(), "straggler simulate", "straggler select", "straggler train")
		})
		top.OnUsageError = func(_ *ucli.Context, err error, _ bool) error {
			return usagef("gtk straggler: %v: what is to be done comes first, as in gtk straggler simulate --trace FILE", err)
		}
		top.Subcommands = []*ucli.Command{simulate, choose, train, worker}
		return top
	})
}

const stragglerGroup = "workers"

func schemeFlag() ucli.Flag {
	return &ucli.StringSliceFlag{Name: "scheme",
		Usage: "`SCHEME` with options behind colons, as in gc:s=2 (see gtk straggler --list); may be repeated"}
}

func jobsFlag(usage string) ucli.Flag { return &ucli.IntFlag{Name: "jobs", Usage: usage} }

// traceFlags are job.StragglerDelays.
func traceFlags() []ucli.Flag {
	return []ucli.Flag{
		&ucli.StringFlag{Name: "trace", Category: stragglerGroup, Usage: "`FILE` of measured seconds: a table with a row for each round and a " +
			"column for each worker, or JSON with a list for each worker"},
		&ucli.Float64Flag{Name: "load", Category: stragglerGroup, Usage: "`SHARE` of the data that each worker had in the measured rounds"},
		&ucli.Float64Flag{Name: "slope", Category: stragglerGroup, Usage: "`SECONDS` that all of the data take one worker"},
		&ucli.StringFlag{Name: "synthetic", Category: stragglerGroup, Usage: "`OPTIONS` of made-up rounds, as in late=0.1:stay=0.2 (see gtk " +
			"straggler --list), or usual"},
		&ucli.IntFlag{Name: "workers", Category: stragglerGroup, DefaultText: "16 of made-up rounds", Usage: "how many there are"},
		&ucli.IntFlag{Name: "rounds", Category: stragglerGroup, DefaultText: "100", Usage: "made-up rounds"},
	}
}

// lateFlags are job.StragglerRule.
func lateFlags() []ucli.Flag {
	return []ucli.Flag{
		&ucli.Float64Flag{Name: "mu", Category: stragglerGroup, Value: 1,
			Usage: "who takes more than 1+`MU` times as long as the fastest is late"},
		&ucli.BoolFlag{Name: "early", Category: stragglerGroup,
			Usage: "end a round that waits, because too many were late, as soon as the rest " +
				"may be left out; the paper waits for all"},
	}
}

// only are the flags of those names.
func only(fs []ucli.Flag, names ...string) []ucli.Flag {
	return slices.DeleteFunc(fs, func(f ucli.Flag) bool { return !slices.Contains(names, f.Names()[0]) })
}

func stragglerDelays(e *env, c *ucli.Context) job.StragglerDelays {
	return job.StragglerDelays{Trace: c.String("trace"), Load: c.Float64("load"), Slope: c.Float64("slope"), Synthetic: c.String("synthetic"),
		Workers: c.Int("workers"), Rounds: c.Int("rounds"), Seed: e.Seed}
}

func stragglerRule(c *ucli.Context) (job.StragglerRule, error) {
	if !(c.Float64("mu") > 0) {
		return job.StragglerRule{}, usagef("--mu %v: want a positive number", c.Float64("mu"))
	}
	return job.StragglerRule{Mu: c.Float64("mu"), Early: c.Bool("early")}, nil
}

// schemeSpecs are the values of --scheme. A value with commas is one scheme's options, or several schemes.
func schemeSpecs(c *ucli.Context) []string {
	var out []string
	for _, w := range c.StringSlice("scheme") { // which the framework cuts at commas
		if strings.Contains(w, "=") && !strings.Contains(w, ":") && len(out) > 0 {
			out[len(out)-1] += ":" + w
			continue
		}
		out = append(out, strings.TrimSpace(w))
	}
	return out
}

// stragglerList are schemes and made-up delays with their options.
func stragglerList() []listed {
	var rows []listed
	for _, x := range straggler.Schemes().Entries() {
		rows = append(rows, listed{"scheme " + x.Name, x.Doc, x.Source})
		for _, o := range job.OptionsOf(x.Value()) {
			rows = append(rows, listed{"  " + o.Name + "=" + o.Default, o.Doc, strings.Join(o.Choices, ", ")})
		}
	}
	rows = append(rows, listed{"synthetic", "made-up delays: each worker is a chain of two states, fast and late", ""})
	s := straggler.DefaultSynthetic()
	for _, o := range job.OptionsOf(&s) {
		rows = append(rows, listed{"  " + o.Name + "=" + o.Default, o.Doc, ""})
	}
	return rows
}

func runStragglerSimulate(_ context.Context, e *env, c *ucli.Context) error {
	if _, err := nArgs(c); err != nil {
		return err
	}
	cfg := job.StragglerSimulateConfig{StragglerDelays: stragglerDelays(e, c), Schemes: schemeSpecs(c), Jobs: c.Int("jobs"),
		Nominal: c.Bool("nominal"), Save: c.String("save-trace"), Out: c.String("out"),
		Force: c.Bool("force")}
	var err error
	if cfg.StragglerRule, err = stragglerRule(c); err != nil {
		return err
	}
	r, err := job.StragglerSimulate(cfg)
	if err != nil {
		return err
	}
	return e.printStragglers(r)
}

func runStragglerSelect(ctx context.Context, e *env, c *ucli.Context) error {
	if _, err := nArgs(c); err != nil {
		return err
	}
	delay := c.Int("max-delay")
	cfg := job.StragglerSelectConfig{StragglerDelays: stragglerDelays(e, c), Schemes: schemeSpecs(c), Jobs: c.Int("jobs"),
		MaxDelay: &delay, MaxLoad: c.Float64("max-load"), Code: c.String("code")}
	var err error
	if cfg.StragglerRule, err = stragglerRule(c); err != nil {
		return err
	}
	r, err := job.StragglerSelect(ctx, cfg, e.reporter())
	if err != nil {
		return err
	}
	return e.printStragglers(r)
}

// printStragglers writes r for people.
func (e *env) printStragglers(r *job.StragglerSimulateReport) error {
	if err := e.emit(r); err != nil {
		return err
	}
	for _, n := range r.Notes {
		e.reporter().Note(n)
	}
	e.printf("%s: %s, %s; %.2g workers of a round take more than %g times as long as the fastest\n\n", r.Trace,
		units.Plural(r.Workers, "worker"),
		units.Plural(r.Rounds, "round"), r.Late, 1+r.Mu)
	t := e.newTable(1, 2, 3, 4, 5, 6)
	t.row("scheme", "load", "delay", "seconds", "of none", "waited", "left out")
	for _, s := range r.Schemes {
		t.row(s.Scheme, fmt.Sprintf("%.4g", s.Load), s.Delay, fmt.Sprintf("%.4g", s.Seconds), units.Percent(s.Share), s.Waits, s.Left)
	}
	if err := t.flush(); err != nil {
		return err
	}
	e.printf("\n%s: the fastest for %s", r.Best, units.Plural(r.Jobs, "job"))
	if r.Tried > 0 {
		e.printf(", of %d schemes with parameters", r.Tried)
	}
	e.printf("\n")
	if r.Report != "" {
		e.printf("report: %s\n", r.Report)
	}
	return nil
}

func runStragglerTrain(ctx context.Context, e *env, c *ucli.Context) error {
	cfg := job.StragglerTrainConfig{
		Models: c.Args().Slice(), ModelOptions: e.modelOptions(c), Data: c.String("data"), DataOptions: dataOptions(c),
		NumClasses: c.String("num-classes"), Standardise: c.Bool("standardise"), StandardiseTargets: c.Bool("standardise-targets"),
		Workers: c.Int("workers"), Fleet: c.String("fleet"), Scheme: c.String("scheme"), Jobs: c.Int("jobs"), Partitions: c.Int("partitions"),
		Stale: c.Bool("stale"), Probe: c.Int("probe"), Reprobe: c.Int("reprobe"), Out: c.String("out"), Force: c.Bool("force"), Seed: e.Seed,
		Delays: job.StragglerDelays{Slope: c.Float64("slope")}, Command: workerCommand(c),
	}
	switch d := c.String("delay"); {
	case d == "" && c.IsSet("slope"):
		return usagef("--slope goes with --delay")
	case cfg.Workers == 0:
		return usagef("--workers 0: want at least 1")
	case cfg.Probe == 0:
		return usagef("--probe 0: want at least 2 rounds")
	case cfg.Out == "" && !c.Bool("dry-run"):
		return usagef("gtk straggler train: the output is missing: give -o OUT.onnx, or -o FOLDER")
	case d == "":
	case d == "usual" || strings.Contains(d, "=") && !exists(d):
		cfg.Delays.Synthetic = d
	default:
		cfg.Delays.Trace = d
	}
	var err error
	if cfg.Rule, err = stragglerRule(c); err != nil {
		return err
	}
	if cfg.UseOptions, err = useOptions(c); err != nil {
		return err
	}
	if cfg.TrainOptions, err = trainOptions(c); err != nil {
		return err
	}
	cfg.LR = 0
	for _, s := range strings.Split(c.String("lr"), ",") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		x, err := strconv.ParseFloat(s, 64)
		if err != nil || !(x > 0) || math.IsInf(x, 0) {
			return usagef("--lr %q: want positive numbers, with commas between", c.String("lr"))
		}
		cfg.Rates = append(cfg.Rates, x)
	}
	if cfg.Replay, err = resolvedConfig(c); err != nil {
		return err
	}
	if c.Bool("dry-run") {
		p, err := job.PlanStragglerTrain(ctx, cfg, e.reporter())
		if err != nil {
			return err
		}
		if err := e.emit(p); err != nil {
			return err
		}
		e.printf("%s: %s of %s in %s by %s, each with %.4g of the data in a round; one gradient takes %.3g s without workers\n", p.Scheme,
			units.Plural(p.Jobs, "gradient"), units.Plural(p.Examples, "example"), units.Plural(p.Rounds, "round"),
			units.Plural(p.Workers, "worker"), p.Load, p.Compute)
		if x := float64(p.Predicted); !math.IsNaN(x) {
			e.printf("about %.3g s by the given delays\n", x)
		}
		e.printf("nothing was written\n")
		return nil
	}
	r, err := job.StragglerTrain(ctx, cfg, e.reporter())
	if r == nil {
		return err
	}
	if err := e.emit(r); err != nil {
		return err
	}
	e.printStragglerTrain(r)
	return err
}

// workerCommand begins this program as a worker, by the name by which it was begun itself. What the environment says of the coordinator's
// flags is not for it.
func workerCommand(c *ucli.Context) []string {
	self, err := os.Executable()
	if path, lerr := exec.LookPath(os.Args[0]); lerr == nil {
		if abs, aerr := filepath.Abs(path); aerr == nil && (err != nil || same(abs, self)) {
			self = abs
		}
	}
	command := []string{self, "straggler", "worker", "--config=", "--timeout=0"}
	if c.Bool("exact") {
		command = append(command, "--exact")
	}
	return command
}

// same reports whether two paths are one file.
func same(a, b string) bool {
	x, errA := os.Stat(a)
	y, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(x, y)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// printStragglerTrain says what a training by a fleet did.
func (e *env) printStragglerTrain(r *job.StragglerTrainReport) {
	for _, s := range r.Segments {
		e.printf("%s: %s in %s, %.2f s", s.Scheme, units.Plural(s.Jobs, "job"), units.Plural(s.Rounds, "round"), s.Seconds)
		if p := float64(s.Predicted); !math.IsNaN(p) {
			e.printf(" (predicted %.2f s)", p)
		}
		e.printf("; waited for late workers in %s, left out %s", units.Plural(s.Waits, "round"), units.Plural(s.Left, "answer"))
		if s.Backups > 0 {
			e.printf(", began %s", units.Plural(s.Backups, "backup task"))
		}
		e.printf("\n")
	}
	for _, t := range r.Trainings {
		e.printf("%s: %s at lr %g, %s %.4g → %.4g; weights %s…; written %s\n", t.Name, units.Plural(t.Steps, "step"), t.LR, t.LossName,
			float64(t.Losses[0]), float64(t.Losses[len(t.Losses)-1]), t.Weights[:12], t.Out)
	}
	if r.Report != "" {
		e.printf("report: %s\n", r.Report)
	}
}
