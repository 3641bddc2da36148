package cli

import (
	"context"

	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register("prune-data", func() *ucli.Command {
		return command(&ucli.Command{
			Name: "prune-data", Usage: "choose the training examples worth keeping", ArgsUsage: "MODEL --data SPEC --keep F -o DIR",
			Description: "Scores the data as score-data does and keeps the examples with the highest scores; with --drop-top without the " +
				"very highest of all, where wrong\n" +
				"labels gather; with --offset, as in the paper's code, those that follow the share with the lowest scores.\n" +
				"Writes scores.csv, keep.txt, manifest.json and report.html; --data keep:DIR/keep.txt is the subset.\n" +
				"--prove trains on all examples, on the kept ones and on as many random ones, for the same number of steps, and compares; " +
				"on the\n" +
				"last two --prove-runs times, from other seeds. Without --val it holds out a fifth of the data for that first.\n\n" +
				"  gtk prune-data model.onnx --data imagefolder:photos --keep 0.5 --drop-top 0.05 --runs 3 --prove -o pruned",
			Flags: append(scoringFlags(),
				&ucli.Float64Flag{Name: "keep", Category: "choice", Value: 0.5, Usage: "share of the examples to keep, in (0,1]"},
				&ucli.Float64Flag{Name: "offset", Category: "choice", Usage: "share with the lowest scores to leave out: the kept ones are " +
					"those that follow it, not the highest"},
				&ucli.Float64Flag{Name: "drop-top", Category: "choice", Usage: "share with the highest scores to leave out first, in [0,1)"},
				&ucli.BoolFlag{Name: "balance", Category: "choice", Usage: "keep that share of every class"},
				&ucli.BoolFlag{Name: "export", Category: "choice", Usage: "also write the kept examples: DIR/subset (pictures by class) or " +
					"DIR/subset.npz"},
				&ucli.BoolFlag{Name: "prove", Category: "proof", Usage: "train on all, kept and random examples and compare"},
				&ucli.IntFlag{Name: "prove-epochs", Category: "proof", Value: 5,
					Usage: "epochs on all examples; the others get as many steps"},
				&ucli.IntFlag{Name: "prove-runs", Category: "proof", Value: 3,
					Usage: "trainings on kept examples, and on random ones, each from another seed with other random examples"},
				&ucli.StringFlag{Name: "val", Category: "proof", Usage: "data set for the proof; without it a fifth of --data is held out"},
			),
		}, runPruneData)
	})
}

func runPruneData(ctx context.Context, e *env, c *ucli.Context) error {
	if c.Bool("list") {
		return e.list(scorersList())
	}
	cfg := job.PruneConfig{
		Keep: c.Float64("keep"), DropTop: c.Float64("drop-top"), Balance: c.Bool("balance"), Export: c.Bool("export"),
		Prove:       c.Bool("prove"),
		ProveEpochs: c.Int("prove-epochs"), ProveRuns: c.Int("prove-runs"), Val: c.String("val"),
	}
	if c.IsSet("offset") {
		cfg.Offset = new(c.Float64("offset"))
	}
	switch {
	case cfg.Keep == 0:
		return usagef("--keep %v: want a number above 0 and up to 1", cfg.Keep)
	case cfg.ProveEpochs == 0:
		return usagef("--prove-epochs %d: want at least 1", cfg.ProveEpochs)
	case cfg.ProveRuns == 0:
		return usagef("--prove-runs %d: want at least 1", cfg.ProveRuns)
	}
	var err error
	if cfg.ScoringOptions, err = e.scoringOptions(c); err != nil {
		return err
	}
	if c.Bool("dry-run") {
		p, err := job.PlanPrune(ctx, cfg, e.reporter())
		if err != nil {
			return err
		}
		return e.printScoringPlan(p)
	}
	r, err := job.Prune(ctx, cfg, e.reporter())
	if err != nil {
		return err
	}
	if err := e.emit(r); err != nil {
		return err
	}
	return e.printPruned(r)
}

// printPruned says what is kept.
func (e *env) printPruned(r *job.PruneReport) error {
	if err := e.printScores([]job.ScoreSummary{r.Summary}); err != nil {
		return err
	}
	e.printf("kept %d, dropped %d\n", r.Kept, r.Dropped)
	if p := r.Planted; p != nil {
		e.printf("labels planted wrong: %d; %d of them among the %d suspects, %d dropped\n", p.Total, p.Among, len(r.Suspects), p.Dropped)
	}
	if p := r.Proof; p != nil {
		v := func(x job.Number) string { return metricValue(p.Metric, float64(x)) }
		e.printf("%s after %d steps on all %s, kept %s, random %s\n%s\n", metricName(p.Metric), p.Steps, v(p.Full), v(p.Pruned),
			v(p.Random), p.Says)
	}
	e.printf("written: %s, %s\ntrain on the subset: --data %s\n", r.KeepList, r.Report, units.Quote("keep:"+r.KeepList))
	return nil
}
