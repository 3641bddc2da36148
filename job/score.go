package job

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/gtk-onnx/gtk/internal/report"
	"github.com/gtk-onnx/gtk/internal/units"
)

// ScoreConfig says how training examples are scored.
type ScoreConfig struct{ ScoringOptions }

// ScoreReport summarises the scores.
type ScoreReport struct {
	Schema string         `json:"schema"`
	Model  string         `json:"model"`
	Data   string         `json:"data"`
	N      int            `json:"n"`
	Runs   int            `json:"runs"`
	Epochs int            `json:"score_epochs"`
	Reinit string         `json:"reinit"`
	Scores []ScoreSummary `json:"scores"`
	Out    string         `json:"out"`
	Report string         `json:"report"`
	Notes  []string       `json:"notes,omitempty"`

	Planted *Planted `json:"-"` // nil when no labels were changed on purpose
}

// Score scores training examples by how much there is to learn from them, and writes scores.csv (id, label, mean, std, rank; rank 1 has
// the highest score) and report.html into Out.
func Score(ctx context.Context, c ScoreConfig, rep Reporter) (*ScoreReport, error) {
	rep = orQuiet(rep)
	release, err := c.claim("")
	if err != nil {
		return nil, err
	}
	defer release()
	s, err := c.open(ctx, "score-data", rep)
	if err != nil {
		return nil, err
	}
	if err := s.run(ctx, rep); err != nil {
		return nil, err
	}
	folder, err := newResults(c.Out)
	if err != nil {
		return nil, err
	}
	defer folder.Discard()
	sums, err := s.write(folder)
	if err != nil {
		return nil, err
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
	r := &ScoreReport{
		Schema: "gtk.score-data/1", Model: s.Path, Data: c.Data, N: s.train.Len(), Runs: s.runs, Epochs: s.epochs, Reinit: s.reinit,
		Scores: sums, Out: c.Out,
		Report: filepath.Join(c.Out, "report.html"), Notes: s.notes,
	}
	if hit, total, ok := plantedAmong(s.train, suspects(s.scores[s.names[0]])); ok {
		r.Planted = &Planted{Total: total, Among: hit}
	}
	if err := folder.replay(c.Replay); err != nil {
		return nil, err
	}
	if err := folder.write(r.Report, page.Write); err != nil {
		return nil, err
	}
	return r, folder.Commit(filepath.Base(r.Report))
}

// PlanScore says what Score would do; Out may be "".
func PlanScore(ctx context.Context, c ScoreConfig, rep Reporter) (*ScoringPlan, error) {
	rep = orQuiet(rep)
	s, err := c.open(ctx, "score-data", rep)
	if err != nil {
		return nil, err
	}
	return s.planned(rep), nil
}

// facts are the tiles at the top of the report.
func (s *scoring) facts() report.Facts {
	return report.Facts{
		{Label: "Examples", Value: fmt.Sprint(s.train.Len()), Detail: units.Plural(len(s.train.Classes()), "class")},
		{Label: "Models", Value: fmt.Sprint(s.runs),
			Detail: fmt.Sprintf("%s of training each, fresh weights: %s", units.Plural(s.epochs, "epoch"), s.reinit)},
	}
}
