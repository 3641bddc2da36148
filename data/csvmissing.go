package data

import (
	"fmt"
	"slices"
	"strings"
)

// absent reports whether s stands for a value that is not there, NaN among them.
func absent(s string) bool { return missing(s) || strings.EqualFold(s, "nan") }

// missingWays is what Options.Missing may be besides "".
var missingWays = []string{"drop", "mean", "zero"}

// unlabelled is what to do about a row without a label.
func (t *table) unlabelled() string {
	s := "fill the label in, or leave such rows out with ?missing=drop behind the file name"
	if t.guessed {
		s = "the last column is taken for the label: --label-column names another one, or none; else " + s
	}
	for _, r := range t.sample {
		if slices.ContainsFunc(r.fields, func(f string) bool { return strings.ContainsAny(f, "|;") }) {
			return s + "; lists of labels such as cat|dog may be empty with --task multilabel"
		}
	}
	return s
}

// gaps does what Options.Missing says of missing values.
type gaps struct {
	way     string
	numeric map[int]bool   // columns of labels that hold numbers, for drop
	rows    int            // that were dropped
	columns []int          // with values that were filled in, in order
	count   map[int]int    // of them
	sum     map[int]moment // of the values that are there
}

// moment is the mean of so many values.
type moment struct{ n, mean float64 }

// newGaps decides before the rows are read which of the columns of labels hold numbers.
func newGaps(t *table, labels []int, way string) (*gaps, error) {
	if way != "" && !slices.Contains(missingWays, way) {
		return nil, malformed(t.path, "", didYouMean(way, missingWays), "no way %q to treat missing values", clip(way))
	}
	g := &gaps{way: way, numeric: map[int]bool{}, count: map[int]int{}, sum: map[int]moment{}}
	for _, c := range labels {
		g.numeric[c], _ = t.holds(c) // what cannot be read is refused elsewhere
	}
	return g, nil
}

// drop reports whether a row is to be left out: a feature or a label is missing. Texts are labels whatever they say, unless empty; an
// empty list of labels is one too.
func (g *gaps) drop(row []string, l tableLayout, o Options) bool {
	if g.way != "drop" {
		return false
	}
	gone := slices.ContainsFunc(l.features, func(c int) bool { return absent(row[c]) })
	for _, in := range l.inputs {
		gone = gone || slices.ContainsFunc(in.columns, func(c int) bool { return absent(row[c]) })
	}
	for _, c := range l.labels {
		gone = gone || g.numeric[c] && absent(row[c]) || row[c] == "" && o.Task != "multilabel"
	}
	if gone {
		g.rows++
	}
	return gone
}

// fill stands in for the value in column c of a row, where it is missing: 0, or NaN until the mean is known.
func (g *gaps) fill(row []string, c int) (v float64, ok bool) {
	if g.way != "mean" && g.way != "zero" || !absent(row[c]) {
		return 0, false
	}
	if g.count[c]++; g.count[c] == 1 {
		g.columns = append(g.columns, c)
	}
	if g.way == "mean" {
		v = nan
	}
	return v, true
}

// seen takes the value in column c, for the mean.
func (g *gaps) seen(c int, v float64) {
	if g.way == "mean" {
		m := g.sum[c]
		m.n++
		m.mean += (v - m.mean) / m.n
		g.sum[c] = m
	}
}

// means puts the means of the columns in the place of NaN in values [rows,columns].
func (g *gaps) means(t *table, values []float32, columns []int) error {
	if g.way != "mean" {
		return nil
	}
	for i, v := range values {
		if v == v {
			continue
		}
		c := columns[i%len(columns)]
		m := g.sum[c]
		if m.n == 0 {
			return malformed(t.path, "column "+clip(t.columns[c]), "remove the column, or use ?missing=zero", "no row has a value")
		}
		values[i] = float32(m.mean)
	}
	return nil
}

// notes says what became of missing values.
func (g *gaps) notes(t *table, kept int) []string {
	if g.rows > 0 {
		return []string{fmt.Sprintf("%d of %d rows have missing values and are left out", g.rows, g.rows+kept)}
	}
	if g.columns == nil {
		return nil
	}
	slices.Sort(g.columns)
	var list []string
	for _, c := range g.columns {
		list = append(list, fmt.Sprintf("%d of %s", g.count[c], t.columns[c]))
	}
	what := "0"
	if g.way == "mean" {
		what = "the mean of the column in this file"
	}
	return []string{fmt.Sprintf("missing values are %s: %s", what, clip(strings.Join(list, ", ")))}
}
