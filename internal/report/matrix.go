package report

import (
	"fmt"
	"html/template"
)

// Matrix is a table of counts of what is true (rows) and what is said (columns) of the same classes, each cell coloured by its share of
// its row: the diagonal is right, the rest is wrong.
type Matrix struct {
	Caption string
	Classes []string
	Counts  [][]int // [true][said]
}

// mostNumbered bounds the classes of a matrix whose cells hold their numbers; those of larger ones are told by pointing at them.
const mostNumbered = 16

type matrixCell struct {
	Text, Title string
	Percent     int
	Right, Dark bool
}

func (m Matrix) render(*page) (template.HTML, error) {
	type row struct {
		Name  string
		N     int
		Cells []matrixCell
	}
	var rows []row
	k := len(m.Classes)
	if len(m.Counts) != k {
		return "", fmt.Errorf("report: matrix %q: %d rows for %d classes", m.Caption, len(m.Counts), k)
	}
	for i, counts := range m.Counts {
		if len(counts) != k {
			return "", fmt.Errorf("report: matrix %q: row %d has %d cells for %d classes", m.Caption, i, len(counts), k)
		}
		r := row{Name: m.Classes[i]}
		for _, n := range counts {
			r.N += n
		}
		for j, n := range counts {
			c := matrixCell{Right: i == j, Title: fmt.Sprintf("%s taken for %s: %d of %d", m.Classes[i], m.Classes[j], n, r.N)}
			if i == j {
				c.Title = fmt.Sprintf("%s: %d of %d right", m.Classes[i], n, r.N)
			}
			if n > 0 {
				c.Percent = max(8, 100*n/r.N) // one mistake in many is seen
				c.Dark = c.Percent > 55
				if k <= mostNumbered {
					c.Text = fmt.Sprint(n)
				}
			}
			r.Cells = append(r.Cells, c)
		}
		rows = append(rows, r)
	}
	return execute("matrix", map[string]any{"Caption": m.Caption, "Classes": m.Classes, "Rows": rows, "Small": k > mostNumbered})
}
