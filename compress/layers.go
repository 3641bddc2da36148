package compress

import (
	"encoding/csv"
	"fmt"
	"io"
)

// layersCSV is a Result.Write that makes layers.csv of rows, the first of which is the head.
func layersCSV(rows [][]any) func(put func(name string, write func(io.Writer) error) error) error {
	return func(put func(name string, write func(io.Writer) error) error) error {
		return put("layers.csv", func(w io.Writer) error {
			c := csv.NewWriter(w)
			for _, row := range rows {
				cells := make([]string, len(row))
				for i, v := range row {
					cells[i] = fmt.Sprint(v)
				}
				if err := c.Write(cells); err != nil {
					return err
				}
			}
			c.Flush()
			return c.Error()
		})
	}
}

// table is the layers of r, those that stay in float32 too.
func (r *Int8Report) table() [][]any {
	rows := [][]any{{"node", "op", "weights", "sqnr_db", "float32_because"}}
	for _, l := range r.Layers {
		db := ""
		if l.SQNR != nil {
			db = fmt.Sprintf("%.2f", *l.SQNR)
		}
		rows = append(rows, []any{l.Node, l.Op, l.Weights, db, ""})
	}
	for _, f := range r.Float {
		rows = append(rows, []any{f.Node, f.Op, "", "", f.Why})
	}
	return rows
}

// table is the layers of r, those that keep all of their channels too.
func (r *ChannelsReport) table() [][]any {
	rows := [][]any{{"node", "op", "before", "after", "group", "whole_because"}}
	for _, l := range r.Layers {
		rows = append(rows, []any{l.Node, l.Op, l.Before, l.After, l.Group, ""})
	}
	for _, w := range r.Whole {
		rows = append(rows, []any{w.Node, w.Op, "", "", "", w.Why})
	}
	return rows
}

// table is the weights of r, those that stay as they are too.
func (r *MagnitudeReport) table() [][]any {
	rows := [][]any{{"weight", "numbers", "zeros", "sparsity"}}
	for _, l := range r.Layers {
		rows = append(rows, []any{l.Weight, l.Numbers, l.Zeros, fmt.Sprintf("%.4f", l.Sparsity)})
	}
	for _, w := range r.Left {
		rows = append(rows, []any{w, "", "", ""})
	}
	return rows
}
