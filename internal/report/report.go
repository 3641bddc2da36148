// Package report writes self-contained HTML pages: one file, pictures as data URIs, charts as inline SVG, styles
// within, no scripts, light and dark. Pages hold no time and no random numbers: the same content gives the same bytes.
//
// A Report has sections, a Section has blocks: Heading, Text, Note, Facts, Scale, Settings, Table, Matrix, Figure, Gallery, Maps, Tokens,
// Bars, Signals, LineChart, Scatter, Histogram, Timeline, Columns, Beside, Details. Whatever text they are given is escaped.
package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"sync"

	"github.com/gtk-onnx/gtk/internal/shown"
)

// Report is a page.
type Report struct {
	Title  string // what the page is about: a model, a data set
	Kicker string // small line over the title: what made the page
	Lead   string // a sentence or two under it
	Footer string // last line

	sections []*Section
}

// New is an empty page.
func New(title, lead string) *Report { return &Report{Title: title, Lead: lead} }

// Section is a titled part of a page.
type Section struct {
	Title, Lead string
	blocks      []Block
}

// Section appends a section. An empty title gives one without heading or entry in the table of contents.
func (r *Report) Section(title, lead string) *Section {
	s := &Section{Title: title, Lead: lead}
	r.sections = append(r.sections, s)
	return s
}

// Add appends blocks and returns s.
func (s *Section) Add(blocks ...Block) *Section {
	s.blocks = append(s.blocks, blocks...)
	return s
}

// Block is a piece of a section. The types of this package that have a render method are the blocks there are.
type Block interface {
	render(p *page) (template.HTML, error)
}

// page is the state of rendering: the pictures that several blocks show, each stored once.
type page struct {
	shared map[string]string // data URI to CSS class
	styles strings.Builder   // rules of the shared pictures
	ids    int
}

// id is a name that no other element of the page has.
func (p *page) id(prefix string) string {
	p.ids++
	return fmt.Sprintf("%s%d", prefix, p.ids)
}

// background is the CSS class of an element whose background is the picture uri.
func (p *page) background(uri template.URL) string {
	if c, ok := p.shared[string(uri)]; ok {
		return c
	}
	c := fmt.Sprintf("bg%d", len(p.shared)+1)
	p.shared[string(uri)] = c
	fmt.Fprintf(&p.styles, ".%s{background-image:url(%s)}\n", c, uri)
	return c
}

//go:embed report.css
var styleSheet string

//go:embed report.tmpl
var templateText string

var templates = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("report").Funcs(template.FuncMap{"middle": middle}).Parse(templateText))
})

// middle is s in at most 36 letters, with an ellipsis for its middle.
func middle(s string) string {
	const most = 36
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most/2]) + "…" + string(r[len(r)-(most-1)/2:])
}

// execute renders one of the embedded templates.
func execute(name string, data any) (template.HTML, error) {
	var b bytes.Buffer
	if err := templates().ExecuteTemplate(&b, name, data); err != nil {
		return "", fmt.Errorf("report: %w", err)
	}
	return template.HTML(shown.Text(b.String())), nil // overrides of the direction of writing would reach beyond the names that have them
}

// Write renders the page.
func (r *Report) Write(w io.Writer) error {
	p := &page{shared: map[string]string{}}
	type section struct {
		ID, Title, Lead string
		Blocks          []template.HTML
	}
	var sections []section
	titled := 0
	for i, s := range r.sections {
		out := section{ID: fmt.Sprintf("s%d", i+1), Title: s.Title, Lead: s.Lead}
		if s.Title != "" {
			titled++
		}
		for _, b := range s.blocks {
			h, err := b.render(p)
			if err != nil {
				return err
			}
			out.Blocks = append(out.Blocks, h)
		}
		sections = append(sections, out)
	}
	html, err := execute("page", map[string]any{
		"Title": r.Title, "Kicker": r.Kicker, "Lead": r.Lead, "Footer": r.Footer, "Sections": sections, "Contents": titled > 2,
		// Both are ours: the sheet is embedded, the rules hold base64 alone.
		"Style": template.CSS(styleSheet + p.styles.String()),
	})
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, string(html)); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
