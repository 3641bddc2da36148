package explain

import (
	"fmt"
	"image"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/internal/report"
)

// PageInfo is what a report says besides the maps.
type PageInfo struct {
	Title    string // the model's name
	Kicker   string // small line above it
	Footer   string
	Input    string           // the model's input, for example "input float32[N,3,224,224]"
	Score    string           // what was differentiated, for example `logit, tensor "fc" before Softmax`
	Settings []report.Setting // of the run
	Warnings []string
}

// maxColumns is how many maps stand side by side under heads of their own.
const maxColumns = 6

// Page is the report of items.
func (r Render) Page(items []Item, info PageInfo) (*report.Report, error) {
	page := report.New(info.Title, "What in each picture spoke for a class, and where. Move the switch from picture to map, or point at a map to see what is beneath it.")
	page.Kicker, page.Footer = info.Kicker, info.Footer
	var names, layers []string
	var used []Map
	for _, it := range items {
		for _, m := range it.Result.Maps {
			if !slices.Contains(names, m.Method) {
				names = append(names, m.Method)
				used = append(used, m)
			}
			if m.Layer != "" && !slices.Contains(layers, m.Layer) {
				layers = append(layers, m.Layer)
			}
		}
	}
	facts := report.Facts{
		{Label: "Images", Value: fmt.Sprint(len(items))},
		{Label: "Methods", Value: fmt.Sprint(len(names)), Detail: short(strings.Join(names, ", "), 90)},
	}
	if len(layers) > 0 {
		facts = append(facts, report.Fact{Label: "Layers", Value: fmt.Sprint(len(layers)), Detail: short(strings.Join(layers, ", "), 90)})
	}
	if info.Score != "" {
		facts = append(facts, report.Fact{Label: "Score", Value: firstWord(info.Score), Detail: info.Score})
	}
	top := page.Section("", "").Add(facts)
	for _, w := range info.Warnings {
		top.Add(report.Note{Tone: report.Warn, Text: w})
	}
	for _, it := range items {
		if err := r.section(page, it); err != nil {
			return nil, err
		}
	}
	how := page.Section("Methods and settings", "")
	table := report.Table{Head: []string{"Method", "What it shows", "Options", "Source"}}
	for _, m := range used {
		spec, err := Lookup(m.Base)
		if err != nil {
			return nil, err
		}
		var opts []string
		for _, p := range spec.Params {
			if v := m.Options[p.Name]; v != "" {
				opts = append(opts, p.Name+"="+v)
			}
		}
		table.Rows = append(table.Rows, []report.Cell{{Text: m.Method, Code: true}, report.C(spec.Doc), report.C(strings.Join(opts, " ")), report.C(spec.Source)})
	}
	how.Add(table)
	settings := info.Settings
	if info.Input != "" {
		settings = append([]report.Setting{{Name: "input", Value: info.Input}}, settings...)
	}
	if len(settings) > 0 {
		how.Add(report.Settings(settings))
	}
	return page, nil
}

func firstWord(s string) string {
	w, _, _ := strings.Cut(s, ",")
	return w
}

func short(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// section adds the picture, predictions and maps of one image.
func (r Render) section(page *report.Report, it Item) error {
	top := it.Result.Top
	lead := ""
	if len(top) > 0 {
		lead = fmt.Sprintf("Predicted: %s, %.1f %%.", top[0].Name(), 100*top[0].Prob)
	}
	s := page.Section(it.Name, lead)
	targets := byTarget(it.Result.Maps)
	explained := func(k int) bool {
		return slices.ContainsFunc(targets, func(ms []Map) bool { return ms[0].Target.Class == k })
	}
	table := report.Table{Head: []string{"", "Class", "Probability", "Logit"}, Numeric: []int{3}}
	for i, p := range top {
		if i >= 5 && !explained(p.Class) {
			continue
		}
		mark := report.C("")
		if explained(p.Class) {
			mark = report.Cell{Text: "●", Tone: report.Good}
		}
		name := p.Name()
		if p.Label != "" {
			name = fmt.Sprintf("%s (%d)", p.Label, p.Class)
		}
		table.Rows = append(table.Rows, []report.Cell{mark, report.C(name), report.Percent(p.Prob), report.Num(float64(p.Logit), 4)})
	}
	table.Caption = "● explained below"
	s.Add(report.Columns{report.Figure{Image: it.Base, Alt: it.Name}, table})
	for _, maps := range targets {
		if len(targets) > 1 {
			s.Add(report.Heading(fmt.Sprintf("For %s, %.1f %%", maps[0].Target.Name(), 100*maps[0].Target.Prob)))
		}
		grids, err := r.grids(it.Base, maps)
		if err != nil {
			return fmt.Errorf("%w (image %s)", err, it.Name)
		}
		s.Add(grids...)
	}
	return nil
}

// grids are the maps of one image and target: the families of a method whose variants differ in two options as a table of these, all
// others as a table of layers and methods.
func (r Render) grids(base image.Image, maps []Map) ([]report.Block, error) {
	var rest []Map
	var blocks []report.Block
	families := map[string][]Map{}
	var order []string
	for _, m := range maps {
		key := m.Base + "\n" + m.Layer
		if families[key] == nil {
			order = append(order, key)
		}
		families[key] = append(families[key], m)
	}
	for _, key := range order {
		if title, g, ok := r.family(base, families[key]); ok {
			blocks = append(blocks, report.Heading(title), g)
		} else {
			rest = append(rest, families[key]...)
		}
	}
	if len(rest) > 0 {
		blocks = append([]report.Block{r.table(base, rest)}, blocks...)
	}
	return blocks, nil
}

// family is the table of variants that differ in exactly two options, ok false when ms are not such.
func (r Render) family(base image.Image, ms []Map) (title string, g report.Maps, ok bool) {
	if len(ms) < 4 {
		return "", g, false
	}
	spec, err := Lookup(ms[0].Base)
	if err != nil {
		return "", g, false
	}
	var vary []string
	values := map[string][]string{}
	for _, p := range spec.Params {
		for _, m := range ms {
			if v := m.Options[p.Name]; !slices.Contains(values[p.Name], v) {
				values[p.Name] = append(values[p.Name], v)
			}
		}
		if len(values[p.Name]) > 1 {
			vary = append(vary, p.Name)
		}
	}
	if len(vary) != 2 || len(ms) != len(values[vary[0]])*len(values[vary[1]]) {
		return "", g, false
	}
	g = r.empty(base, ms)
	g.Columns = values[vary[1]]
	for _, v := range values[vary[0]] {
		row := report.MapRow{Label: v, Maps: make([]report.Map, len(g.Columns))}
		for _, m := range ms {
			if m.Options[vary[0]] == v {
				row.Maps[slices.Index(g.Columns, m.Options[vary[1]])] = r.cell(m, "")
			}
		}
		g.Rows = append(g.Rows, row)
	}
	place := ms[0].Layer
	if place == "" {
		place = "input"
	}
	return fmt.Sprintf("%s: %s × %s at %s", ms[0].Base, vary[0], vary[1], place), g, true
}

// table has a row for each layer and a column for each method; maps at the input stand in the first row.
func (r Render) table(base image.Image, ms []Map) report.Maps {
	g := r.empty(base, ms)
	var methods, layers []string
	for _, m := range ms {
		if !slices.Contains(methods, m.Method) {
			methods = append(methods, m.Method)
		}
		if m.Layer != "" && !slices.Contains(layers, m.Layer) {
			layers = append(layers, m.Layer)
		}
	}
	if len(layers) == 0 {
		layers = []string{""}
	}
	heads := len(methods) <= maxColumns
	if heads {
		g.Columns = methods
	} else {
		g.Columns = make([]string, maxColumns)
	}
	for i, l := range layers {
		label := l
		if len(layers) == 1 {
			label = ""
		}
		row := make([]report.Map, len(methods))
		for _, m := range ms {
			if m.Layer != l && (m.Layer != "" || i > 0) {
				continue
			}
			place := m.Layer
			if place == "" {
				place = "input"
			}
			if !heads {
				place = m.Method + " · " + place
			}
			row[slices.Index(methods, m.Method)] = r.cell(m, place)
		}
		for part := range slices.Chunk(row, len(g.Columns)) {
			g.Rows = append(g.Rows, report.MapRow{Label: label, Maps: part})
		}
	}
	return g
}

func (r Render) cell(m Map, caption string) report.Map {
	c := report.Map{Image: r.Heat(m), Alt: m.Method + " at " + m.place(), Caption: caption}
	if m.Constant {
		c.Warning = "constant: nothing to show"
	}
	return c
}

// empty is a grid with the legends that ms need.
func (r Render) empty(base image.Image, ms []Map) report.Maps {
	g := report.Maps{Base: base, Alpha: r.Overlay.Alpha}
	for _, c := range r.legends(ms) {
		strip := make([]float32, 256)
		for i := range strip {
			strip[i] = float32(i) / 255
		}
		l := report.Legend{Image: Heat(strip, 1, 256, c), Name: c.Name, Low: "low", High: "high"}
		if c.Diverging {
			l.Low, l.High = "against", "for"
		}
		g.Legends = append(g.Legends, l)
	}
	return g
}
