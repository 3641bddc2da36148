package data

import (
	"strconv"

	"github.com/gtk-onnx/gtk/tensor"
)

// lateTable is the features of a large table, which were looked at and are read again when they are asked for.
type lateTable struct {
	t       *table
	gaps    *gaps
	columns []int // of features
	cells   []parquetCell
}

// example is the features of a row, X float32 [F].
func (f *lateTable) example(p *pages, row int64) (*tensor.Tensor, error) {
	x := make([]float32, len(f.columns))
	for k, c := range f.columns {
		u, v, err := p.flat(f.cells[c].node.Column, row)
		if err != nil {
			return nil, err
		}
		s := ""
		if v >= 0 {
			s = f.cells[c].cell(u, v)
		}
		x[k] = float32(f.value(c, s))
	}
	return tensor.From(x, len(x)), nil
}

// value is the number that s in column c stands for, as it was when all rows were looked at: it can be read, or is filled in.
func (f *lateTable) value(c int, s string) float64 {
	if p := f.t.flags[c]; p != nil {
		if v, ok := p.of(s); ok {
			return v
		}
	}
	v, err := strconv.ParseFloat(s, 64)
	switch {
	case !absent(s) && err == nil:
		return v
	case f.gaps.way == "mean":
		return f.gaps.sum[c].mean
	case f.gaps.way == "zero":
		return 0
	case err == nil:
		return v
	}
	return nan
}
