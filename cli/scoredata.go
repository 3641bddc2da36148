package cli

import (
	"context"
	"path/filepath"

	"github.com/gtk-onnx/gtk/job"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register("score-data", func() *ucli.Command {
		return command(&ucli.Command{
			Name: "score-data", Usage: "score training examples by how much there is to learn from them",
			ArgsUsage: "MODEL --data SPEC --score NAME,… -o DIR",
			Description: "Writes scores.csv (id,label,mean,std,rank; rank 1 has the highest score) and report.html. With several scores " +
				"there is one more file for each.\n\n" +
				"  gtk score-data model.onnx --data imagefolder:photos --score el2n,grand --runs 5 -o scores",
			Flags: scoringFlags(),
		}, runScoreData)
	})
}

func runScoreData(ctx context.Context, e *env, c *ucli.Context) error {
	if c.Bool("list") {
		return e.list(scorersList())
	}
	o, err := e.scoringOptions(c)
	if err != nil {
		return err
	}
	cfg := job.ScoreConfig{ScoringOptions: o}
	if c.Bool("dry-run") {
		p, err := job.PlanScore(ctx, cfg, e.reporter())
		if err != nil {
			return err
		}
		return e.printScoringPlan(p)
	}
	r, err := job.Score(ctx, cfg, e.reporter())
	if err != nil {
		return err
	}
	if err := e.emit(r); err != nil {
		return err
	}
	if err := e.printScores(r.Scores); err != nil {
		return err
	}
	e.printf("written: %s, %s\n", filepath.Join(r.Out, "scores.csv"), r.Report)
	if p := r.Planted; p != nil {
		e.printf("%d of the %d labels planted wrong are among the 2 %% highest scores of %s\n", p.Among, p.Total, r.Scores[0].Score)
	}
	return nil
}
