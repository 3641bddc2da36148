package tensor

import (
	"fmt"
	"slices"
	"strings"
)

// mostColumns is how many keys maps are shown side by side with.
const mostColumns = 20

// formatMaps is Format of a sequence of maps with the same few keys, as classifiers give for each example: a table of the values under the
// keys, of more than 20 rows the first and last 3. It is empty for other sequences.
func formatMaps(t *Tensor) string {
	if t.dtype.Kind() != Sequence || t.dtype.Inner().Kind() != Map || len(t.Items()) == 0 {
		return ""
	}
	keys := t.Item(0).Item(0)
	if keys.Len() == 0 || keys.Len() > mostColumns {
		return ""
	}
	cells := func(t *Tensor) (row []string) {
		f := formatter{t: t}
		for i := range t.Len() {
			row = append(row, f.cell(i))
		}
		return row
	}
	head := cells(keys)
	rows, names := [][]string{head}, []string{""}
	for i, m := range t.Items() {
		if i > 0 && !slices.Equal(head, cells(m.Item(0))) {
			return ""
		}
		if n := t.n; n > 20 && i >= 3 && i < n-3 {
			if i == 3 {
				rows, names = append(rows, nil), append(names, "...")
			}
			continue
		}
		rows, names = append(rows, cells(m.Item(1))), append(names, fmt.Sprintf("%d:", i))
	}
	widths := make([]int, 1+len(head))
	for r, row := range rows {
		widths[0] = max(widths[0], len(names[r]))
		for k, c := range row {
			widths[1+k] = max(widths[1+k], len(c))
		}
	}
	out := t.String()
	for r, row := range rows {
		line := fmt.Sprintf("\n  %-*s", widths[0], names[r])
		for k, c := range row {
			line += fmt.Sprintf("  %*s", widths[1+k], c)
		}
		out += strings.TrimRight(line, " ")
	}
	return out
}
