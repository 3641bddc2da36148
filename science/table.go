package science

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// Table is a table of a Page. Rows have as many cells as there are columns.
type Table struct {
	Title   string   `json:"title"`
	Columns []string `json:"columns"`
	Rows    [][]Cell `json:"rows"`
}

// Row adds a row.
func (t *Table) Row(cells ...Cell) { t.Rows = append(t.Rows, cells) }

// Cell is a word, or a mean with its interval.
type Cell struct {
	Text string // what is shown
	// Values are what the mean is of, one for each seed; nil for a word.
	Values []float64
}

// MarshalJSON writes a cell as its text, or as its values with mean and half the width of the interval.
func (c Cell) MarshalJSON() ([]byte, error) {
	if c.Values == nil {
		return json.Marshal(c.Text)
	}
	mean, half := Interval(c.Values)
	return json.Marshal(map[string]any{"text": c.Text, "values": numbers(c.Values), "mean": number(mean), "half": number(half)})
}

// number is x for JSON, which has no NaN.
func number(x float64) any {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return x
}

func numbers(xs []float64) []any {
	out := make([]any, len(xs))
	for i, x := range xs {
		out[i] = number(x)
	}
	return out
}

// Word is a cell with words.
func Word(s string) Cell { return Cell{Text: s} }

// Mean is a cell with the mean of xs, one for each seed, and its 95 % interval, with digits behind the point.
func Mean(digits int, xs []float64) Cell {
	m, half := Interval(xs)
	s := strconv.FormatFloat(m, 'f', digits, 64)
	if !math.IsNaN(half) {
		s += " ± " + strconv.FormatFloat(half, 'f', digits, 64)
	}
	return Cell{Text: s, Values: xs}
}

// Percent is Mean of shares, shown as percentages.
func Percent(digits int, shares []float64) Cell {
	xs := make([]float64, len(shares))
	for i, x := range shares {
		xs[i] = 100 * x
	}
	return Mean(digits, xs)
}

// Interval is the mean of xs and half the width of its 95 % interval by Student's t; half is NaN for fewer than two.
func Interval(xs []float64) (mean, half float64) {
	n := float64(len(xs))
	for _, x := range xs {
		mean += x / n
	}
	if len(xs) < 2 {
		return mean, math.NaN()
	}
	var ss float64
	for _, x := range xs {
		ss += (x - mean) * (x - mean)
	}
	return mean, t975(len(xs)-1) * math.Sqrt(ss/(n-1)/n)
}

// Differs says whether the means of paired runs differ: whether the 95 % interval of the differences a[i]-b[i] leaves 0 out. sign is that
// of their mean, or 0 where they do not differ.
func Differs(a, b []float64) (sign int) {
	d := make([]float64, len(a))
	for i := range a {
		d[i] = a[i] - b[i]
	}
	switch m, half := Interval(d); {
	case m-half > 0:
		return 1
	case m+half < 0:
		return -1
	}
	return 0
}

// t975 is the 0.975 quantile of Student's t with n degrees of freedom: by table up to 10, then by the expansion of Abramowitz and Stegun,
// 26.7.5, which is right to 1e-3 there.
func t975(n int) float64 {
	table := [...]float64{math.NaN(), 12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281}
	if n < len(table) {
		return table[n]
	}
	const z = 1.959963985
	z2, v := z*z, float64(n)
	return z + z*(z2+1)/(4*v) + z*(5*z2*z2+16*z2+3)/(96*v*v) + z*(3*z2*z2*z2+19*z2*z2+17*z2-15)/(384*v*v*v)
}

// list joins names with commas and an "and".
func list(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}
