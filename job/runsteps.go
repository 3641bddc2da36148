package job

import (
	"bytes"
	"encoding/csv"
	"io"
	"path/filepath"
	"strconv"

	"github.com/gtk-onnx/gtk/internal/regular"
	"github.com/gtk-onnx/gtk/train"
)

// stepLosses are the losses of the batches by step, in as many points as can be drawn: when there are more, neighbours are averaged.
type stepLosses struct {
	at, loss []float64
	width    int // steps in a point
	sum      float64
	n        int
}

const mostStepLosses = 2000

func (s *stepLosses) add(p train.Progress) {
	s.width = max(1, s.width)
	s.sum, s.n = s.sum+p.BatchLoss, s.n+1
	if s.n < s.width {
		return
	}
	s.at, s.loss = append(s.at, float64(p.Step)), append(s.loss, s.sum/float64(s.n))
	s.sum, s.n = 0, 0
	if len(s.at) < mostStepLosses {
		return
	}
	half := len(s.at) / 2
	for i := range half {
		s.at[i], s.loss[i] = s.at[2*i+1], (s.loss[2*i]+s.loss[2*i+1])/2
	}
	s.at, s.loss, s.width = s.at[:half], s.loss[:half], 2*s.width
}

// write writes the points as a csv: the mean loss of the steps after the point before, up to step.
func (s *stepLosses) write(w io.Writer) error {
	c := csv.NewWriter(w)
	c.Write([]string{"step", "loss"})
	for i := range s.at {
		c.Write([]string{strconv.FormatFloat(s.at[i], 'f', -1, 64), strconv.FormatFloat(s.loss[i], 'g', -1, 64)})
	}
	c.Flush()
	return c.Error()
}

// writeSteps writes the losses by step, if there is a folder for them.
func (f *finetuning) writeSteps() error {
	if f.out.Report == "" {
		return nil
	}
	return WriteFile(filepath.Join(f.out.Report, stepsCSV), f.losses.write)
}

// maxSteps bounds a file of stepLosses in bytes.
const maxSteps = 1 << 20

// readSteps reads the points of the run in dir up to step last, where they are there; a picture is not worth a failure.
func readSteps(dir string, last int) stepLosses {
	var s stepLosses
	b, err := regular.Read(filepath.Join(dir, stepsCSV), maxSteps)
	if err != nil {
		return s
	}
	c := csv.NewReader(bytes.NewReader(b))
	c.FieldsPerRecord = 2
	if head, err := c.Read(); err != nil || head[0] != "step" || head[1] != "loss" {
		return s
	}
	for len(s.at) < mostStepLosses-1 {
		row, err := c.Read()
		if err != nil {
			break
		}
		at, errAt := strconv.Atoi(row[0])
		loss, errLoss := strconv.ParseFloat(row[1], 64)
		if errAt != nil || errLoss != nil || at > last || at < 1 || len(s.at) > 0 && float64(at) <= s.at[len(s.at)-1] {
			break
		}
		s.at, s.loss = append(s.at, float64(at)), append(s.loss, loss)
	}
	if n := len(s.at); n > 1 {
		s.width = int(s.at[n-1] - s.at[n-2])
	}
	return s
}
