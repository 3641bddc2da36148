package job

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/gtk-onnx/gtk/internal/tfevents"
	"github.com/gtk-onnx/gtk/train"
)

// trainLog writes the epochs of a training to metrics.csv, metrics.jsonl and an event file, all of them anew after each, so that the files
// are whole and a resume goes on where they end.
type trainLog struct {
	dir      string // "" writes nothing
	rows     []train.EpochReport
	began    float64 // when the first epoch did, in seconds since 1970, as if the run had not been interrupted
	settings map[string]string
}

func (l *trainLog) add(r train.EpochReport) error {
	l.rows = append(l.rows, r)
	if l.dir == "" {
		return nil
	}
	if err := WriteFile(filepath.Join(l.dir, metricsCSV), l.writeCSV); err != nil {
		return err
	}
	if err := WriteFile(filepath.Join(l.dir, metricsJSON), l.writeJSON); err != nil {
		return err
	}
	return WriteFile(filepath.Join(l.dir, tfevents.FileName), l.writeEvents)
}

// logColumn is a column of metrics.csv.
type logColumn struct {
	name string
	of   func(train.EpochReport) (float64, bool) // false: an empty cell
}

// columns are those that any epoch has.
func (l *trainLog) columns() []logColumn {
	always := func(f func(train.EpochReport) float64) func(train.EpochReport) (float64, bool) {
		return func(r train.EpochReport) (float64, bool) { return f(r), true }
	}
	cs := []logColumn{
		{"epoch", always(func(r train.EpochReport) float64 { return float64(r.Epoch) })},
		{"step", always(func(r train.EpochReport) float64 { return float64(r.Step) })},
		{"examples", always(func(r train.EpochReport) float64 { return float64(r.Examples) })},
		{"lr", always(func(r train.EpochReport) float64 { return r.LR })},
		{"train_loss", always(func(r train.EpochReport) float64 { return r.TrainLoss })},
	}
	measures, val, accuracy := map[string]bool{}, []string(nil), false
	for _, r := range l.rows {
		accuracy = accuracy || r.TrainAcc == r.TrainAcc
		for n := range r.Measures {
			measures[n] = true
		}
		if r.Val == nil {
			continue
		}
		if val == nil {
			val = []string{"loss"}
		}
		for _, m := range r.Val.Metrics {
			if !slices.Contains(val, m.Name) {
				val = append(val, m.Name)
			}
		}
	}
	if accuracy {
		cs = append(cs, logColumn{"train_accuracy", always(func(r train.EpochReport) float64 { return r.TrainAcc })})
	}
	for _, n := range val {
		cs = append(cs, logColumn{"val_" + n, func(r train.EpochReport) (float64, bool) { return valOf(r, n) }})
	}
	for _, n := range slices.Sorted(maps.Keys(measures)) {
		cs = append(cs, logColumn{n, func(r train.EpochReport) (float64, bool) {
			v, ok := r.Measures[n]
			return v, ok
		}})
	}
	return append(cs, logColumn{"seconds", always(func(r train.EpochReport) float64 { return r.Seconds })})
}

// valOf is the loss or a metric on the validation data, false where there were none.
func valOf(r train.EpochReport, name string) (float64, bool) {
	switch {
	case r.Val == nil:
		return 0, false
	case name == "loss":
		return r.Val.Loss, true
	}
	return r.Val.Metric(name), true
}

// writeCSV leaves cells empty of what is not a number.
func (l *trainLog) writeCSV(w io.Writer) error {
	c, cs := csv.NewWriter(w), l.columns()
	var row []string
	for _, x := range cs {
		row = append(row, x.name)
	}
	c.Write(row)
	for _, r := range l.rows {
		row = row[:0]
		for _, x := range cs {
			cell := ""
			if v, ok := x.of(r); ok && v-v == 0 {
				cell = strconv.FormatFloat(v, 'g', -1, 64)
			}
			row = append(row, cell)
		}
		c.Write(row)
	}
	c.Flush()
	return c.Error()
}

func (l *trainLog) writeJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	for _, r := range l.rows {
		if err := enc.Encode(epochQuality(r)); err != nil {
			return err
		}
	}
	return nil
}
