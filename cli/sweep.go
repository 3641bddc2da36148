package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
	"go.yaml.in/yaml/v3"
)

// notVaried are the flags of gtk finetune that a trial does not take from the sweep: a sweep says itself where trials write.
var notVaried = []string{"out", "report", "force", "dry-run", "list", "checkpoint", "resume", "resume-anyway", "config", "json", "help",
	"timeout", "sweep", "quiet", "verbose", "progress", "log-format", "max-memory", "threads", "lora-out"}

// ofOne are those that have a place of their own in one training, and none in many.
var ofOne = []string{"report", "checkpoint", "resume-anyway", "lora-out"}

// measuring are the flags that say what trials are measured on, which is the same for all.
var measuring = []string{"val", "val-split", "task", "output", "labels"}

func init() {
	register("sweep", func() *ucli.Command {
		left := slices.Clone(notVaried)
		for _, f := range globalFlags() {
			left = append(left, f.Names()[0])
		}
		flags := slices.DeleteFunc(makers["finetune"]().Flags, func(f ucli.Flag) bool { return slices.Contains(left, f.Names()[0]) })
		return command(&ucli.Command{
			Name: "sweep", Usage: "train again and again with other values of flags, and say which are best",
			ArgsUsage: "MODEL --data SPEC --val SPEC --over NAME=VALUES… -o FOLDER",
			Description: "Every flag of gtk finetune can be given, and varied with --over: values with commas between (or |, where they have " +
				"commas\nthemselves), or LOW..HIGH for the numbers between, with :log for evenly by ratio and :steps=N for a grid. model=A|B varies\n" +
				"the model. Each trial is a run in a folder of its own, with its page. Ctrl-C or a crash loses nothing: --resume FOLDER goes\n" +
				"on where the sweep was, and trains no trial again.\n\n" +
				"  gtk sweep model.onnx --data photos --val-split 0.2 --over lr=1e-4,1e-3,1e-2 --over optimizer=adam,sgd -o sweep\n" +
				"  gtk sweep model.onnx --data photos --val-split 0.2 --over lr=1e-4..1e-1:log --over batch-size=8..64 --search random -o sweep\n" +
				"  gtk sweep model.onnx --data photos --val-split 0.2 --over lr=1e-4..1e-1:log --search halving --trials 27 --epochs 9 -o sweep",
			Flags: append([]ucli.Flag{
				&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FOLDER` for the trials, sweep.json and report.html"},
				&overFlag{&ucli.StringSliceFlag{Name: "over", Category: "sweep", Usage: "what is varied, `NAME=VALUES`; may be repeated"}},
				&ucli.StringFlag{Name: "search", Category: "sweep", Value: job.SearchGrid,
					Usage: "grid: every combination; random: --trials of them; halving: the better ones of them trained for longer"},
				&ucli.IntFlag{Name: "trials", Category: "sweep", Value: 20, Usage: "of random and halving"},
				&ucli.StringFlag{Name: "metric", Category: "sweep", Usage: "`NAME` of the metric of the validation data to choose by, or loss",
					DefaultText: "the task's own"},
				&ucli.IntFlag{Name: "min-epochs", Category: "sweep", Value: 1, Usage: "halving: epochs of the first trials"},
				&ucli.IntFlag{Name: "eta", Category: "sweep", Value: 3, Usage: "halving: one of so many goes on, for so many times the epochs"},
				&ucli.BoolFlag{Name: "force", Usage: "begin anew where a sweep is there already"},
				&ucli.BoolFlag{Name: "dry-run", Usage: "list the trials"},
				&ucli.StringFlag{Name: "resume", Category: "checkpoints",
					Usage: "`FOLDER` of a sweep to go on with; alone it takes the flags of that sweep; --trials may be more"},
			}, flags...),
		}, runSweep)
	})
}

// sweeping is a sweep over the flags of gtk finetune.
type sweeping struct {
	e        *env
	finetune *ucli.Command
	app      *ucli.App
	model    string
	base     [][2]string // flags that all trials have
}

func runSweep(ctx context.Context, e *env, c *ucli.Context) error {
	model, err := sweptModel(c)
	if err != nil {
		return err
	}
	return e.sweep(ctx, c, model, job.SweepConfig{
		Over: overs(c, "over"), Search: c.String("search"), Trials: c.Int("trials"), MinEpochs: c.Int("min-epochs"), Eta: c.Int("eta"),
		Metric: c.String("metric"),
	})
}

// sweptModel is the model that is trained, "" where none is given and what is varied may say it, or need none: each trial is looked at.
func sweptModel(c *ucli.Context) (string, error) {
	if c.Args().Len() == 0 {
		for _, o := range overs(c, "over") {
			if a, err := job.ParseSweepAxis(o); err == nil && (a.Name == "model" || a.Name == "method") {
				return "", nil
			}
		}
	}
	return modelArg(c)
}

// sweep runs the sweep cfg with the other flags of c.
func (e *env) sweep(ctx context.Context, c *ucli.Context, model string, cfg job.SweepConfig) error {
	s := &sweeping{e: e, app: c.App, finetune: makers["finetune"](), model: model}
	cfg.Out, cfg.Force, cfg.Seed, cfg.Epochs, cfg.Base = c.String("out"), c.Bool("force"), e.Seed, c.Int("epochs"),
		map[string]string{"model": model}
	if r := c.String("resume"); r != "" {
		if c.IsSet("out") && filepath.Clean(c.String("out")) != filepath.Clean(r) {
			return usagef("gtk sweep: --resume %s goes on in that folder: leave -o out", r)
		}
		cfg.Out, cfg.Resume = r, true
	}
	switch {
	case c.String("data") == "":
		return usagef("gtk sweep: --data is missing; see gtk data --list")
	case c.String("val") == "" && !c.IsSet("val-split"):
		return usagef("gtk sweep: trials are compared by the validation data: give --val or --val-split")
	}
	for _, name := range ofOne {
		if c.IsSet(name) {
			return usagef("--%s is of one training, and the trials of a sweep write into folders of their own: leave it out, and give it when the "+
				"best is trained again", name)
		}
	}
	s.base = s.flagsOf(c)
	for _, f := range s.base {
		cfg.Base[f[0]] = strings.TrimPrefix(cfg.Base[f[0]]+" "+f[1], " ")
	}
	for _, o := range cfg.Over {
		a, err := job.ParseSweepAxis(o)
		if err != nil {
			return err
		}
		if err := s.mayVary(a.Name); err != nil {
			return err
		}
		if a.Name == "model" {
			delete(cfg.Base, "model")
		}
	}
	cfg.Check, cfg.Run, cfg.Line = s.check, s.run, s.line
	if c.Bool("dry-run") {
		return e.printSweepPlan(cfg)
	}
	values := resolvedValues(c)
	delete(values, "sweep")
	values["command"], values["over"] = "sweep", cfg.Over
	var err error
	if cfg.Replay, err = yaml.Marshal(values); err != nil {
		return err
	}
	r, err := job.Sweep(ctx, cfg, e.reporter())
	if ctx.Err() != nil && cfg.Out != "" && job.IsSweep(cfg.Out) {
		fmt.Fprintf(e.Stderr, "gtk: gtk sweep --resume %s goes on\n", units.Quote(cfg.Out))
	}
	if err != nil {
		return err
	}
	if err := e.emit(r); err != nil {
		return err
	}
	return e.printSweep(r)
}

// flagsOf are the flags of gtk finetune that c sets, with their values.
func (s *sweeping) flagsOf(c *ucli.Context) [][2]string {
	var out [][2]string
	if s.e.Seed != 0 {
		out = append(out, [2]string{"seed", fmt.Sprint(s.e.Seed)})
	}
	for _, f := range s.finetune.Flags {
		name := f.Names()[0]
		if slices.Contains(notVaried, name) || name == "seed" || !c.IsSet(name) {
			continue
		}
		if l, ok := c.Value(name).(ucli.StringSlice); ok {
			for _, v := range l.Value() {
				out = append(out, [2]string{name, v})
			}
			continue
		}
		out = append(out, [2]string{name, fmt.Sprint(c.Value(name))})
	}
	return out
}

// mayVary refuses what is no flag of a training, or would make trials incomparable.
func (s *sweeping) mayVary(name string) error {
	known := []string{"model"}
	for _, f := range s.finetune.Flags {
		if n := f.Names()[0]; !slices.Contains(notVaried, n) {
			known = append(known, n)
		}
	}
	split := slices.ContainsFunc(s.base, func(f [2]string) bool { return f[0] == "val-split" })
	switch {
	case slices.Contains(measuring, name):
		return usagef("--over %s: trials are compared on the same validation data, understood in the same way: give --%[1]s once", name)
	case split && (name == "data" || name == "seed"):
		return usagef("--over %s: with --val-split each trial would be measured on other examples: give --val", name)
	case slices.Contains(known, name):
		return nil
	case slices.Contains(notVaried, name):
		return usagef("--over %s: nothing that a trial learns depends on it", name)
	}
	return flagError(&ucli.Command{HelpName: "gtk sweep --over: gtk finetune", Flags: s.finetune.Flags},
		errors.New("flag provided but not defined: -"+name))
}

// words are the flags of a trial and its model.
func (s *sweeping) words(t job.Trial) (flags [][2]string, model string) {
	model = s.model
	varied := map[string]bool{"epochs": t.Epochs > 0}
	for _, v := range t.Values {
		varied[v.Name] = true
	}
	for _, f := range s.base {
		if !varied[f[0]] {
			flags = append(flags, f)
		}
	}
	if t.Epochs > 0 {
		flags = append(flags, [2]string{"epochs", fmt.Sprint(t.Epochs)})
	}
	for _, v := range t.Values {
		switch {
		case v.Name == "model":
			model = v.Value
		case v.Value != "": // of an empty one the flag is left out
			flags = append(flags, [2]string{v.Name, v.Value})
		}
	}
	return flags, model
}

// line is the command that trains t into out.
func (s *sweeping) line(t job.Trial, out string) string {
	flags, model := s.words(t)
	var b strings.Builder
	b.WriteString("gtk finetune")
	if model != "" {
		b.WriteString(" " + units.Quote(model))
	}
	for _, f := range flags {
		if s.isBool(f[0]) {
			fmt.Fprintf(&b, " --%s", f[0])
			if f[1] != "true" {
				b.WriteString("=" + units.Quote(f[1]))
			}
			continue
		}
		fmt.Fprintf(&b, " --%s %s", f[0], units.Quote(f[1]))
	}
	return b.String() + " -o " + units.Quote(out)
}

func (s *sweeping) isBool(name string) bool {
	return slices.ContainsFunc(s.finetune.Flags, func(f ucli.Flag) bool {
		return isSwitch(f) && f.Names()[0] == name
	})
}

// context is that of gtk finetune for t, as if it had been called.
func (s *sweeping) context(t job.Trial) (*ucli.Context, string, error) {
	flags, model := s.words(t)
	if t.Resume {
		flags = append(flags, [2]string{"resume", t.Dir})
	}
	flags = append(flags, [2]string{"out", t.Dir})
	set := flag.NewFlagSet("gtk finetune", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	for _, f := range s.finetune.Flags {
		if err := f.Apply(set); err != nil {
			return nil, "", err
		}
	}
	var args []string
	for _, f := range flags {
		args = append(args, "--"+f[0]+"="+f[1])
	}
	if model != "" {
		args = append(args, "--", model)
	}
	if err := set.Parse(args); err != nil {
		return nil, "", usagef("gtk finetune: %v", err)
	}
	x := ucli.NewContext(s.app, set, nil)
	x.Command = s.finetune
	return x, model, nil
}

// silent is the environment of trials: what they say is in their folders.
func (s *sweeping) silent(x *ucli.Context) *env {
	e := *s.e
	e.Seed, e.JSON, e.Quiet, e.Progress, e.Stderr = x.Uint64("seed"), false, true, "none", io.Discard
	return &e
}

// check looks at the flags of t.
func (s *sweeping) check(t job.Trial) error {
	x, model, err := s.context(t)
	if err != nil {
		return err
	}
	if m := x.String("method"); model == "" && !modelFree(m) {
		return usagef("--method %s trains a model, and none is given: gtk sweep MODEL …, or vary methods that make one of the data: "+
			"%s, %s", m, job.GBNNMethod, job.NoPropMethod)
	}
	_, err = s.silent(x).finetuneConfig(x, model)
	return err
}

// run trains t.
func (s *sweeping) run(ctx context.Context, t job.Trial) error {
	x, _, err := s.context(t)
	if err != nil {
		return err
	}
	x.Context = ctx
	return runFinetune(ctx, s.silent(x), x)
}

// printSweepPlan lists the trials that there would be.
func (e *env) printSweepPlan(cfg job.SweepConfig) error {
	p, err := job.PlanSweep(cfg)
	if err != nil {
		return err
	}
	if err := e.emit(p); err != nil {
		return err
	}
	e.printf("%s\n", units.Plural(p.Total, "trial"))
	t := e.newTable()
	t.rows(e, len(p.Lines), func(i int) { t.row(p.Lines[i]) })
	if err := t.flush(); err != nil {
		return err
	}
	for _, r := range p.Rungs {
		e.printf("%s of %s\n", units.Plural(r.Trials, "trial"), units.Plural(r.Epochs, "epoch"))
	}
	e.printf("nothing was written\n")
	return nil
}

// printSweep says what a sweep found.
func (e *env) printSweep(r *job.SweepReport) error {
	e.printf("\n")
	ts := r.Sorted()
	var right []int
	head := []any{"trial"}
	for _, v := range ts[0].Values {
		head = append(head, v.Name)
	}
	for i := range 5 {
		right = append(right, len(head)+i)
	}
	t := e.newTable(right...)
	t.row(append(head, metricName(r.Metric), "at epoch", "val loss", "train loss", "time", "")...)
	t.rows(e, len(ts), func(i int) {
		x := ts[i]
		row := []any{x.Name}
		for _, v := range x.Values {
			row = append(row, orDash(clip(v.Value, 40)))
		}
		took := units.Time(x.Seconds)
		if x.Status == job.RunDone {
			row = append(row, metricValue(r.Metric, float64(x.Value)), x.Epoch, short(float64(x.Loss)), short(float64(x.Training)), took)
		} else {
			row = append(row, "–", "–", "–", "–", took, strings.TrimSuffix(x.Status+": "+x.Error, ": "))
		}
		t.row(row...)
	})
	if err := t.flush(); err != nil {
		return err
	}
	e.printf("best: %s\n", filepath.Join(r.Out, r.Best.Name))
	if r.Command != "" {
		e.printf("%s\n", paragraphs(r.Command))
	}
	e.printf("report: %s\n", r.Report)
	return nil
}

// sweepResume are the flags of the sweep in the folder that --resume names.
func sweepResume(folder string) []string {
	yaml := filepath.Join(folder, "run.yaml")
	if st, err := os.Stat(yaml); err != nil || !st.Mode().IsRegular() {
		return nil
	}
	return []string{"--config", yaml}
}
