package job

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/nas"
	"github.com/gtk-onnx/gtk/task"
)

// NASRankConfig says which networks of a supernet are ranked.
type NASRankConfig struct {
	Model string // supernet, or the folder of its training; required
	ModelOptions
	Data        string       // data from which statistics are taken; required
	Val         string       // data to measure on; required
	DataOptions data.Options // of reading
	Archs       []string     // networks, as in NASExtractConfig; nil means Sample of them
	Sample      int          // so many drawn alike from all; 0 means 100
	Alone       int          // train each by itself too, for so many epochs; 0 means not
	LR          float64      // of these trainings; 0 means 0.05
	BatchSize   int          // 0 means 64
	Estimate    int          // examples of Data that statistics are taken from; 0 means all
	Out         string       // folder for ranks.csv and report.html; "" for none
	Replay      []byte       // content of the run.yaml that is written into the folder; nil for none
	Force       bool         // write over what is there
	Seed        uint64       // of what is drawn
}

// NASRankReport is the networks, the best first.
type NASRankReport struct {
	Schema   string   `json:"schema"`
	Model    string   `json:"model"`
	Data     string   `json:"data"`
	Val      string   `json:"val"`
	Space    string   `json:"space"`
	Archs    float64  `json:"architectures"` // in the space
	N        int      `json:"n"`             // that were ranked
	Networks []NASRow `json:"networks"`
	// Kendall's τ-b of the accuracies with what networks have by themselves, null without these; and with their multiplications.
	Tau     Number   `json:"kendall_tau"`
	TauMACs Number   `json:"kendall_tau_macs"`
	Alone   int      `json:"alone_epochs,omitempty"`
	Out     string   `json:"out,omitempty"`
	Report  string   `json:"report,omitempty"`
	Notes   []string `json:"notes,omitempty"`
}

// NASRow is a network with what it is worth.
type NASRow struct {
	Rank       int    `json:"rank"`
	Arch       []int  `json:"arch"`
	Operators  string `json:"operators"`
	Accuracy   Number `json:"accuracy"` // with the weights of the supernet
	Loss       Number `json:"loss"`
	Parameters int    `json:"parameters"`
	MACs       int64  `json:"macs"`
	Alone      Number `json:"alone_accuracy"` // trained by itself; null where it was not
}

// check looks at what can be checked before anything is read.
func (c *NASRankConfig) check() error {
	switch {
	case c.Data == "":
		return usagef("gtk nas rank: --data is missing: the statistics of batch normalisation are taken from the training data for each " +
			"network")
	case c.Val == "":
		return usagef("gtk nas rank: --val is missing: networks are ranked by data that the supernet has not seen")
	case c.Sample < 0:
		return usagef("--sample %d: want a number of networks", c.Sample)
	case c.Archs != nil && c.Sample != 0:
		return usagef("--arch names the networks that --sample would draw: leave one out")
	case c.Alone < 0:
		return usagef("--stand-alone %d: want a number of epochs", c.Alone)
	case c.LR < 0 || math.IsNaN(c.LR) || math.IsInf(c.LR, 0):
		return usagef("--lr %v: want a positive number", c.LR)
	case c.Estimate < 0 || c.Estimate == 1:
		return usagef("--bn-examples %d: want 2 examples at least", c.Estimate)
	case c.BatchSize < 0 || c.BatchSize == 1:
		return usagef("--batch-size %d: want 2 examples at least", c.BatchSize)
	}
	if c.Sample == 0 {
		c.Sample = 100
	}
	if c.LR == 0 {
		c.LR = 0.05
	}
	return nil
}

// NASRank ranks networks by the accuracy that they have with the weights of the supernet, each with the statistics of batch normalisation
// that the data give with these weights.
func NASRank(ctx context.Context, c NASRankConfig, rep Reporter) (*NASRankReport, error) {
	rep = orQuiet(rep)
	if err := c.check(); err != nil {
		return nil, err
	}
	release, err := claim(reads(c.Model, c.ModelOptions, c.Data, c.Val), output{flag: "--out", path: c.Out, folder: true, force: c.Force})
	if err != nil {
		return nil, err
	}
	defer release()
	s, err := openSupernet(ctx, c.Model, c.ModelOptions, c.Data, c.Val, c.DataOptions, rep)
	if err != nil {
		return nil, err
	}
	if s.val.Len() == 0 {
		return nil, badInput(fmt.Errorf("data set %s has no examples with a class", c.Val))
	}
	archs := s.n.Sample(c.Sample, c.Seed)
	if c.Archs != nil {
		if archs, err = s.archsOf(c.Archs); err != nil {
			return nil, err
		}
	}
	s.cache("")
	r := &NASRankReport{Schema: "gtk.nas-rank/1", Model: s.path, Data: c.Data, Val: c.Val, Space: s.n.Name, Archs: s.n.Size(),
		N:     len(archs),
		Alone: c.Alone, Out: c.Out, Notes: s.notes}
	stage := rep.Stage("ranking", len(archs))
	list, err := s.n.Rank(ctx, archs, s.measure(c.BatchSize, c.Estimate, c.Seed), func(done int) { stage.Set(done, "") })
	stage.End()
	if err != nil {
		return nil, err
	}
	alone := map[string]float64{}
	if c.Alone > 0 {
		if alone, err = c.trainAlone(ctx, s, archs, rep); err != nil {
			return nil, err
		}
	}
	nas.Best(list)
	r.fill(s, list, alone)
	return r, c.write(r, s.task)
}

// trainAlone trains each network by itself.
func (c NASRankConfig) trainAlone(ctx context.Context, s *supernet, archs [][]int, rep Reporter) (map[string]float64, error) {
	stage := rep.Stage("training by themselves", len(archs))
	defer stage.End()
	alone := map[string]float64{}
	for k, a := range archs {
		x, err := s.n.TrainAlone(ctx, a, nas.Alone{Epochs: c.Alone, BatchSize: c.BatchSize, LR: c.LR, Clip: 5, Seed: c.Seed},
			s.measure(c.BatchSize, c.Estimate, c.Seed))
		if err != nil {
			return nil, fmt.Errorf("architecture %s by itself: %w", nas.Format(a), err)
		}
		alone[nas.Format(a)] = x.Accuracy
		stage.Set(k+1, nas.Format(a))
	}
	return alone, nil
}

// fill makes the rows.
func (r *NASRankReport) fill(s *supernet, list []nas.Ranked, alone map[string]float64) {
	var with, by, macs []float64
	for k, x := range list {
		row := NASRow{Rank: k + 1, Arch: x.Arch, Operators: s.n.Describe(x.Arch), Accuracy: Number(x.Accuracy), Loss: Number(x.Loss),
			Parameters: x.Params, MACs: x.MACs, Alone: Number(math.NaN())}
		with, macs = append(with, x.Accuracy), append(macs, float64(x.MACs))
		if v, ok := alone[nas.Format(x.Arch)]; ok {
			row.Alone = Number(v)
			by = append(by, v)
		}
		r.Networks = append(r.Networks, row)
	}
	r.Tau, r.TauMACs = Number(math.NaN()), Number(nas.Kendall(with, macs))
	if len(by) == len(with) {
		r.Tau = Number(nas.Kendall(with, by))
	}
}

// write writes the table and the page.
func (c NASRankConfig) write(r *NASRankReport, t *task.Task) error {
	if c.Out == "" {
		return nil
	}
	folder, err := newResults(c.Out)
	if err != nil {
		return err
	}
	defer folder.Discard()
	r.Report = filepath.Join(c.Out, reportPage)
	if err := folder.write(r.Report, r.page(t).Write); err != nil {
		return err
	}
	if err := folder.replay(c.Replay); err != nil {
		return err
	}
	if err := folder.write(filepath.Join(c.Out, "ranks.csv"), r.table); err != nil {
		return err
	}
	return folder.Commit(reportPage)
}

// table writes the networks as csv.
func (r *NASRankReport) table(w io.Writer) error {
	t := csv.NewWriter(w)
	head := []string{"rank", "arch", "operators", "accuracy", "loss", "parameters", "macs"}
	if r.Alone > 0 {
		head = append(head, "alone_accuracy")
	}
	t.Write(head)
	num := func(v Number) string { return strconv.FormatFloat(float64(v), 'g', -1, 64) }
	for _, x := range r.Networks {
		row := []string{strconv.Itoa(x.Rank), nas.Format(x.Arch), x.Operators, num(x.Accuracy), num(x.Loss), strconv.Itoa(x.Parameters),
			strconv.FormatInt(x.MACs, 10)}
		if r.Alone > 0 {
			row = append(row, num(x.Alone))
		}
		t.Write(slices.Clip(row))
	}
	t.Flush()
	return t.Error()
}
