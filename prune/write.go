package prune

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/internal/memory"
)

// WriteCSV writes id, label, mean, std and rank of every example in the order of the data set, rank 1 having the highest score; and where
// the models choose a class, predicted and probability. Ids and classes that a spreadsheet could take for formulas stand behind an
// apostrophe (data.EncodeCell).
func (s *Scores) WriteCSV(w io.Writer, classes []string) error {
	rank := memory.Slice[int](len(s.IDs), ordering)
	for k, i := range s.Order() {
		rank[i] = len(s.IDs) - k
	}
	c := csv.NewWriter(w)
	head := []string{"id", "label", "mean", "std", "rank"}
	if s.Predicted != nil {
		head = append(head, "predicted", "probability")
	}
	c.Write(head)
	name := func(y int) string {
		switch {
		case y < 0:
			return ""
		case y < len(classes):
			return data.EncodeCell(classes[y])
		}
		return strconv.Itoa(y)
	}
	for i, id := range s.IDs {
		row := []string{data.EncodeCell(id), name(s.Labels[i]), format(s.Mean[i]), format(s.Std[i]), strconv.Itoa(rank[i])}
		if s.Predicted != nil {
			row = append(row, name(s.Predicted[i]), format(s.Probability[i]))
		}
		c.Write(row)
	}
	c.Flush()
	return c.Error()
}

func format(v float64) string { return strconv.FormatFloat(v, 'g', 9, 64) }

// WriteKeep writes the ids of the kept examples, one a line: a keep-list for data.Open's keep:LIST@SPEC.
func (s *Scores) WriteKeep(w io.Writer, kept []int) error {
	b := bufio.NewWriter(w)
	for _, i := range kept {
		fmt.Fprintln(b, data.EncodeID(s.IDs[i]))
	}
	return b.Flush()
}

// Manifest records how a subset was made.
type Manifest struct {
	Schema   string            `json:"schema"` // gtk.prune/1
	Score    string            `json:"score"`
	Runs     int               `json:"runs"`
	Data     string            `json:"data"`
	Model    string            `json:"model"`
	Keep     float64           `json:"keep"`
	Offset   *float64          `json:"offset"` // null: the highest scores are kept
	DropTop  float64           `json:"drop_top"`
	Balance  bool              `json:"balance"`
	Seed     uint64            `json:"seed"`
	Total    int               `json:"total"`
	Kept     int               `json:"kept"`
	PerClass map[string][2]int `json:"per_class"` // kept, total
}

// Write writes the manifest as indented JSON.
func (m Manifest) Write(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(m)
}

// PerClass counts the kept and all examples of each class.
func (s *Scores) PerClass(kept []int, classes []string) map[string][2]int {
	name := func(y int) string {
		if y >= 0 && y < len(classes) {
			return classes[y]
		}
		return strconv.Itoa(y)
	}
	out := map[string][2]int{}
	for _, y := range s.Labels {
		c := out[name(y)]
		c[1]++
		out[name(y)] = c
	}
	for _, i := range kept {
		c := out[name(s.Labels[i])]
		c[0]++
		out[name(s.Labels[i])] = c
	}
	return out
}
