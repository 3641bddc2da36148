package report

import (
	"fmt"
	"html/template"
	"image/color"
	"math"
	"strconv"
)

// Text is a paragraph.
type Text string

func (t Text) render(*page) (template.HTML, error) { return execute("text", string(t)) }

// Heading is a title within a section.
type Heading string

func (h Heading) render(*page) (template.HTML, error) { return execute("heading", string(h)) }

// Tone says how a note or value is to be taken.
type Tone string

// The tones.
const (
	Plain Tone = ""
	Good  Tone = "good"
	Warn  Tone = "warn"
	Bad   Tone = "bad"
)

// Note is a remark in a box.
type Note struct {
	Tone Tone
	Text string
}

func (n Note) render(*page) (template.HTML, error) { return execute("note", n) }

// Fact is one number worth seeing at a glance.
type Fact struct {
	Label, Value string
	Detail       string // small, under the value
	Tone         Tone
}

// Facts are tiles side by side.
type Facts []Fact

func (f Facts) render(*page) (template.HTML, error) { return execute("facts", f) }

// Scale explains two colours that fade from their ends to nothing in the middle or, when From is zero, one that fades to the left.
type Scale struct {
	Low, High string // what the ends stand for
	From, To  color.NRGBA
}

func (s Scale) render(*page) (template.HTML, error) {
	from := "transparent"
	if s.From != (color.NRGBA{}) {
		from = string(css(s.From)) + ",transparent"
	}
	return execute("scale", map[string]any{"Low": s.Low, "High": s.High, "Style": template.CSS(fmt.Sprintf(
		"background:linear-gradient(90deg,%s,%s)", from, css(s.To)))})
}

// Setting is a name and its value.
type Setting struct{ Name, Value string }

// Settings is a list of names and values, for what a run was given.
type Settings []Setting

func (s Settings) render(*page) (template.HTML, error) { return execute("settings", s) }

// Cell is one cell of a table.
type Cell struct {
	Text string
	Tone Tone
	Code bool     // a name from a file: set in a fixed-width face
	Bar  *float64 // from 0 to 1: a bar behind the text
}

// C is a plain cell.
func C(text string) Cell { return Cell{Text: text} }

// Num is a cell of a number to the given count of significant digits.
func Num(x float64, digits int) Cell { return Cell{Text: strconv.FormatFloat(x, 'g', digits, 64)} }

// Percent is a cell of the share x, 1 meaning all, with a bar.
func Percent(x float64) Cell {
	return Cell{Text: fmt.Sprintf("%.1f %%", 100*x), Bar: &x}
}

// BarWidth is the length of the bar in percent.
func (c Cell) BarWidth() float64 {
	if c.Bar == nil || math.IsNaN(*c.Bar) {
		return 0
	}
	return math.Round(1000*min(max(*c.Bar, 0), 1)) / 10
}

// Table is rows under a head. Columns named in Numeric (by index) are set flush right.
type Table struct {
	Caption string
	Head    []string
	Numeric []int
	Rows    [][]Cell
}

func (t Table) render(*page) (template.HTML, error) {
	numeric := make([]bool, len(t.Head))
	for _, c := range t.Numeric {
		if c >= 0 && c < len(numeric) {
			numeric[c] = true
		}
	}
	for i, r := range t.Rows {
		if len(r) > len(t.Head) {
			return "", fmt.Errorf("report: table %q: row %d has %d cells, the head has %d", t.Caption, i, len(r), len(t.Head))
		}
	}
	return execute("table", map[string]any{"Caption": t.Caption, "Head": t.Head, "Numeric": numeric, "Rows": t.Rows})
}

// Columns sets blocks side by side where the window is wide enough.
type Columns []Block

func (c Columns) render(p *page) (template.HTML, error) {
	parts, err := renderAll(p, c)
	if err != nil {
		return "", err
	}
	return execute("columns", parts)
}

// Beside sets a narrow block and a wide one side by side where the window is wide enough.
type Beside struct{ Narrow, Wide Block }

func (b Beside) render(p *page) (template.HTML, error) {
	parts, err := renderAll(p, []Block{b.Narrow, b.Wide})
	if err != nil {
		return "", err
	}
	return execute("beside", parts)
}

// Details is blocks behind a line that opens them.
type Details struct {
	Summary string
	Blocks  []Block
}

func (d Details) render(p *page) (template.HTML, error) {
	parts, err := renderAll(p, d.Blocks)
	if err != nil {
		return "", err
	}
	return execute("details", map[string]any{"Summary": d.Summary, "Blocks": parts})
}

func renderAll(p *page, blocks []Block) ([]template.HTML, error) {
	var parts []template.HTML
	for _, b := range blocks {
		h, err := b.render(p)
		if err != nil {
			return nil, err
		}
		parts = append(parts, h)
	}
	return parts, nil
}
