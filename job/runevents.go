package job

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gtk-onnx/gtk/internal/tfevents"
	"github.com/gtk-onnx/gtk/train"
)

// begin sets when the run began: what its epochs took before now.
func (l *trainLog) begin(now time.Time, settings map[string]string) {
	l.began, l.settings = float64(now.UnixMicro())/1e6, settings
	for _, r := range l.rows {
		l.began -= r.Seconds
	}
}

// writeEvents writes the epochs as an event file of TensorBoard: loss and metrics of training and validation by step, and the settings as
// a text. What was written after an earlier epoch is written again, byte for byte in one process, so that a reader can follow.
func (l *trainLog) writeEvents(w io.Writer) error {
	t := tfevents.NewWriter(w, l.began)
	if len(l.settings) > 0 {
		var b strings.Builder
		b.WriteString("| setting | value |\n|---|---|\n")
		for _, n := range slices.Sorted(maps.Keys(l.settings)) {
			fmt.Fprintf(&b, "| %s | %s |\n", markdown(n), markdown(l.settings[n]))
		}
		t.Text(l.began, 0, "settings", b.String())
	}
	at := l.began
	for _, r := range l.rows {
		at += r.Seconds
		t.Scalars(at, int64(r.Step), scalars(r)...)
	}
	return t.Err()
}

// markdown is s in a cell of a table.
func markdown(s string) string {
	return strings.NewReplacer("\\", "\\\\", "|", "\\|", "\n", " ", "<", "&lt;", "`", "\\`", "*", "\\*", "_", "\\_", "[", "\\[").Replace(s)
}

// scalars are the numbers of an epoch, those of training and validation in one chart.
func scalars(r train.EpochReport) []tfevents.Scalar {
	s := []tfevents.Scalar{{Tag: "loss/train", Value: r.TrainLoss}, {Tag: "accuracy/train", Value: r.TrainAcc}, {Tag: "lr", Value: r.LR},
		{Tag: "epoch", Value: float64(r.Epoch)}}
	if r.Val != nil {
		s = append(s, tfevents.Scalar{Tag: "loss/val", Value: r.Val.Loss})
		for _, m := range r.Val.Metrics {
			s = append(s, tfevents.Scalar{Tag: m.Name + "/val", Value: m.Value})
		}
	}
	for _, n := range slices.Sorted(maps.Keys(r.Measures)) {
		s = append(s, tfevents.Scalar{Tag: "optimizer/" + n, Value: r.Measures[n]})
	}
	return s
}
