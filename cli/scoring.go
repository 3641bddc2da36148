package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/prune"
	ucli "github.com/urfave/cli/v2"
)

// scoringFlags are shared by score-data and prune-data.
func scoringFlags() []ucli.Flag {
	const group = "scoring"
	return slices.Concat([]ucli.Flag{
		dataFlag(),
		&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FOLDER` for the results"},
		&ucli.BoolFlag{Name: "force", Usage: "write into a folder that is not empty"},
		&ucli.BoolFlag{Name: "dry-run", Usage: "say what would be done"},
		&ucli.BoolFlag{Name: "list", Usage: "list the scores"},
		&ucli.StringSliceFlag{Name: "score", Category: group, Value: ucli.NewStringSlice("el2n"), Usage: "el2n, grand"},
		&ucli.IntFlag{Name: "runs", Category: group, Value: 1, Usage: "models whose scores are averaged; each has its own weights and " +
			"order of data"},
		&ucli.IntFlag{Name: "score-epochs", Category: group, DefaultText: "0 for a model that knows the data, else 1",
			Usage: "epochs of training before scoring; 0 scores the model as it is"},
		&ucli.StringFlag{Name: "reinit", Category: group, Usage: "fresh weights for each run: head (last layer), all, or none; head " +
			"when there are several runs, else none"},
	}, loopFlags("auto"), optimizerFlags(), dataFlags(), useFlags(), preprocessFlags())
}

// scoringOptions reads the flags; it refuses what the options take for the usual.
func (e *env) scoringOptions(c *ucli.Context) (o job.ScoringOptions, err error) {
	path, err := oneArg(c, "the model")
	if err != nil {
		return o, err
	}
	o = job.ScoringOptions{
		Model: path, ModelOptions: e.modelOptions(c), Data: c.String("data"), DataOptions: dataOptions(c), Scores: c.StringSlice("score"),
		Runs:   c.Int("runs"),
		Reinit: c.String("reinit"), Out: c.String("out"), Force: c.Bool("force"), Seed: e.Seed,
	}
	if c.IsSet("score-epochs") {
		o.ScoreEpochs = new(c.Int("score-epochs"))
	}
	switch {
	case o.Data == "":
		return o, usagef("gtk %s: --data is missing; see gtk data --list", c.Command.Name)
	case o.Out == "" && !c.Bool("dry-run"):
		return o, usagef("gtk %s: the output folder is missing: give -o DIR", c.Command.Name)
	case o.Runs < 1:
		return o, usagef("--runs %d: want at least 1", o.Runs)
	}
	if o.UseOptions, err = useOptions(c); err != nil {
		return o, err
	}
	if o.TrainOptions, err = trainOptions(c); err != nil {
		return o, err
	}
	o.Replay, err = resolvedConfig(c)
	return o, err
}

// printScoringPlan says what a scoring would do.
func (e *env) printScoringPlan(p *job.ScoringPlan) error {
	if err := e.emit(p); err != nil {
		return err
	}
	more := ""
	if p.Kept > 0 {
		more = fmt.Sprintf("; about %d kept", p.Kept)
	}
	e.printf("%s, %s; scores %s; models %d, epochs of each %d, fresh weights %s%s\nnothing was written\n",
		units.Plural(p.Examples, "example"), units.Plural(p.Classes, "class"), strings.Join(p.Scores, ", "), p.Runs, p.Epochs, p.Reinit,
		more)
	return nil
}

// printScores writes the summaries for people.
func (e *env) printScores(sums []job.ScoreSummary) error {
	t := e.newTable(1, 2, 3, 4, 5)
	t.row("score", "n", "min", "median", "max", "std. of runs")
	for _, x := range sums {
		t.row(x.Score, x.N, fmt.Sprintf("%.4g", x.Min), fmt.Sprintf("%.4g", x.Median), fmt.Sprintf("%.4g", x.Max),
			fmt.Sprintf("%.3g", x.Spread))
	}
	if err := t.flush(); err != nil {
		return err
	}
	for i, x := range sums {
		for _, y := range sums[:i] {
			e.printf("rank correlation of %s and %s: %.3f\n", y.Score, x.Score, float64(x.Spearman[y.Score]))
		}
	}
	return nil
}

// scorersList is what --list prints.
func scorersList() []listed { return listOf(prune.Scorers().Entries()) }
