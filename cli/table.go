package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/gtk-onnx/gtk/internal/shown"
	"golang.org/x/term"
)

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

// rows adds a row for each of n things, by one; of very many the first, and how many there are more, unless all are asked for.
func (t *table) rows(e *env, n int, one func(i int)) {
	const most = 100
	for i := range n {
		if i == most && n > most+1 && !e.Verbose {
			t.row(fmt.Sprintf("… and %d more; --verbose lists all", n-most))
			return
		}
		one(i)
	}
}

// mostInCell is how many characters of a cell are printed.
const mostInCell = 400

func (t *table) row(cells ...any) {
	line := make([]string, len(cells))
	for i, c := range cells {
		line[i] = shown.Line(fmt.Sprint(c), mostInCell)
	}
	t.lines = append(t.lines, line)
}

// columns is the width of the terminal that text for people goes to, 0 where there is none.
func (e *env) columns() int {
	p, _ := e.human().(people)
	w := p.w
	if s, ok := w.(*stdout); ok {
		w = s.w
	}
	if f, ok := w.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil {
			return w
		}
	}
	return 0
}

// wrapped prints a paragraph, its lines cut between words for the terminal and indented.
func (e *env) wrapped(indent, text string) {
	width := e.columns()
	text = shown.Line(text, mostInLine)
	var line []string
	used := 0 // characters of line
	for _, word := range strings.Fields(text) {
		n := len([]rune(word))
		if width > 0 && len(line) > 0 && len([]rune(indent))+used+n > width {
			e.printf("%s%s\n", indent, strings.Join(line, " "))
			line, used = line[:0], 0
		}
		line, used = append(line, word), used+n+1
	}
	e.printf("%s%s\n", indent, strings.Join(line, " "))
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
