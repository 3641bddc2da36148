package cli

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// count is a large number for people: 61.1 M.
func count[T ~int | ~int64](n T) string {
	v := float64(n)
	for _, u := range []struct {
		at   float64
		unit string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e4, "k"}} {
		if v >= u.at {
			if u.unit == "k" {
				u.at = 1e3
			}
			return significant(v/u.at) + " " + u.unit
		}
	}
	return strconv.FormatInt(int64(n), 10)
}

// size is a number of bytes for people: 4.7 MiB.
func size[T ~int | ~int64](n T) string {
	v, unit := float64(n), 0
	for v >= 1024 && unit < 4 {
		v, unit = v/1024, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", int64(n))
	}
	return significant(v) + " " + []string{"B", "KiB", "MiB", "GiB", "TiB"}[unit]
}

// significant is v with about three digits.
func significant(v float64) string {
	switch {
	case math.Abs(v) >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case math.Abs(v) >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// ms is a duration in milliseconds.
func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// dimsJSON is a shape for JSON: extents, symbols, and "?" for what is not known; nil when the rank is not.
func dimsJSON(dims []graph.Dim) []any {
	if dims == nil {
		return nil
	}
	out := make([]any, len(dims))
	for i, d := range dims {
		switch {
		case d.Size >= 0:
			out[i] = d.Size
		case d.Symbol != "":
			out[i] = d.Symbol
		default:
			out[i] = "?"
		}
	}
	return out
}

// dimsText is a shape for people: N×64×8×8, "?" when the rank is not known, "scalar" without axes.
func dimsText(dims []graph.Dim) string {
	if dims == nil {
		return "?"
	}
	if len(dims) == 0 {
		return "scalar"
	}
	s := make([]string, len(dims))
	for i, d := range dimsJSON(dims) {
		s[i] = fmt.Sprint(d)
	}
	return strings.Join(s, "×")
}

// table prints rows in columns; the columns of right are aligned to the right.
type table struct {
	w     *tabwriter.Writer
	lines [][]string
	right map[int]bool
}

func (e *env) newTable(right ...int) *table { return newTable(e.human(), right...) }

func newTable(w io.Writer, right ...int) *table {
	t := &table{w: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0), right: map[int]bool{}}
	for _, c := range right {
		t.right[c] = true
	}
	return t
}

func (t *table) row(cells ...any) {
	line := make([]string, len(cells))
	for i, c := range cells {
		line[i] = fmt.Sprint(c)
	}
	t.lines = append(t.lines, line)
}

// clip is s without its middle when it is longer than most characters: the ends of long names tell them apart.
func clip(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most/4]) + "…" + string(r[len(r)-(most-most/4-1):])
}

// flush prints the table, each line indented by two spaces.
func (t *table) flush() error {
	width := map[int]int{}
	for _, l := range t.lines {
		for i, c := range l {
			width[i] = max(width[i], len([]rune(c)))
		}
	}
	for _, l := range t.lines {
		for i, c := range l {
			if t.right[i] {
				l[i] = strings.Repeat(" ", width[i]-len([]rune(c))) + c
			}
		}
		for len(l) > 0 && strings.TrimSpace(l[len(l)-1]) == "" {
			l = l[:len(l)-1]
		}
		if _, err := fmt.Fprintln(t.w, "  "+strings.Join(l, "\t")); err != nil {
			return err
		}
	}
	return t.w.Flush()
}
