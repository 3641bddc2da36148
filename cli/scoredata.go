package cli

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/gtk-onnx/gtk/internal/report"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register(command(&ucli.Command{
		Name: "score-data", Usage: "score training examples by how much there is to learn from them", ArgsUsage: "MODEL --data SPEC --score NAME,… -o DIR",
		Description: "Writes scores.csv (id,label,mean,std,rank; rank 1 has the highest score) and report.html. With several scores there is one more file for each.\n\n" +
			"  gtk score-data model.onnx --data imagefolder:photos --score el2n,grand --runs 5 -o scores",
		Flags: scoringFlags(),
	}, runScoreData))
}

// scoreReport is what gtk score-data --json prints.
type scoreReport struct {
	Schema string         `json:"schema"`
	Model  string         `json:"model"`
	Data   string         `json:"data"`
	N      int            `json:"n"`
	Runs   int            `json:"runs"`
	Epochs int            `json:"score_epochs"`
	Reinit string         `json:"reinit"`
	Scores []scoreSummary `json:"scores"`
	Out    string         `json:"out"`
	Report string         `json:"report"`
	Notes  []string       `json:"notes,omitempty"`
}

func runScoreData(ctx context.Context, e *env, c *ucli.Context) error {
	if c.Bool("list") {
		return e.list(scorersList())
	}
	s, err := e.openScoring(c)
	if err != nil {
		return err
	}
	if c.Bool("dry-run") {
		return s.plan(e, "")
	}
	dir := c.String("out")
	if err := outDir(dir, c.Bool("force")); err != nil {
		return err
	}
	if err := s.run(ctx, e, c); err != nil {
		return err
	}
	sums, err := s.write(dir)
	if err != nil {
		return err
	}
	page := report.New(strings.TrimSuffix(filepath.Base(s.Path), ".onnx"), "How much each training example still has to teach the model.")
	page.Kicker, page.Footer = "gtk score-data", "Made by gtk score-data. All scores are in scores.csv beside this page."
	top := page.Section("", "").Add(s.facts())
	for _, n := range s.notes {
		top.Add(report.Note{Tone: report.Warn, Text: n})
	}
	for _, n := range s.names {
		s.section(page, n, nil)
	}
	path := filepath.Join(dir, "report.html")
	if err := writeTo(path, func(w io.Writer) error { return page.Write(w) }); err != nil {
		return err
	}
	if err := writeConfig(c, filepath.Join(dir, "run.yaml")); err != nil {
		return err
	}
	if err := e.emit(scoreReport{
		"gtk.score-data/1", s.Path, c.String("data"), s.train.Len(), s.runs, s.epochs, s.reinit, sums, dir, path, s.notes,
	}); err != nil {
		return err
	}
	if err := e.printScores(sums); err != nil {
		return err
	}
	e.printf("written: %s, %s\n", filepath.Join(dir, "scores.csv"), path)
	if hit, total, ok := plantedAmong(s.train, suspects(s.scores[s.names[0]])); ok {
		e.printf("%d of the %d labels planted wrong are among the 2 %% highest scores of %s\n", hit, total, s.names[0])
	}
	return nil
}

// facts are the tiles at the top of the report.
func (s *scoring) facts() report.Facts {
	return report.Facts{
		{Label: "Examples", Value: fmt.Sprint(s.train.Len()), Detail: fmt.Sprintf("%d classes", len(s.train.Classes()))},
		{Label: "Models", Value: fmt.Sprint(s.runs), Detail: fmt.Sprintf("%d epochs of training each, fresh weights: %s", s.epochs, s.reinit)},
	}
}
