package explain

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/internal/report"
)

// maxColumns is how many maps stand side by side, when the picture is not wider than high.
const maxColumns = 6

// columns is how many maps stand side by side over that picture.
func (b beneath) columns() int {
	size := b.image.Bounds().Size()
	return min(max(maxColumns*size.Y/max(size.X, 1), 2), maxColumns)
}

// grids are the maps of one image and target: the families of a method whose variants differ in two options as a table of these, all
// others as a table of layers and methods.
func (r Render) grids(under beneath, maps []Map) []report.Block {
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
		if title, g, ok := r.family(under, families[key]); ok {
			blocks = append(blocks, report.Heading(title), g)
		} else {
			rest = append(rest, families[key]...)
		}
	}
	if len(rest) > 0 {
		blocks = append([]report.Block{r.table(under, rest)}, blocks...)
	}
	return blocks
}

// family is the table of variants that differ in exactly two options, ok false when ms are not such.
func (r Render) family(under beneath, ms []Map) (title string, g report.Maps, ok bool) {
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
	g = r.empty(under, ms)
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
	return fmt.Sprintf("%s: %s × %s at %s", spec.Title, vary[0], vary[1], ms[0].at()), g, true
}

// table has a row for each layer and a column for each method; maps at the input stand in the first row.
func (r Render) table(under beneath, ms []Map) report.Maps {
	g := r.empty(under, ms)
	var methods, titles, places, layers []string
	for _, m := range ms {
		if !slices.Contains(methods, m.Method) {
			methods, titles, places = append(methods, m.Method), append(titles, m.Title()), append(places, m.at())
		}
		if m.Layer != "" && !slices.Contains(layers, m.Layer) {
			layers = append(layers, m.Layer)
		}
	}
	if len(layers) == 0 {
		layers = []string{""}
	}
	columns := under.columns()
	heads := len(methods) <= columns
	if heads {
		g.Columns = titles
	} else {
		g.Columns = make([]string, columns)
	}
	single := len(layers) == 1
	if heads && single {
		g.Details = places
	}
	for i, l := range layers {
		row := make([]report.Map, len(methods))
		for _, m := range ms {
			if m.Layer != l && (m.Layer != "" || i > 0) {
				continue
			}
			k := slices.Index(methods, m.Method)
			caption := ""
			switch {
			case !heads:
				caption = titles[k] + " · " + m.at()
			case !single && m.Layer == "":
				caption = m.at()
			}
			row[k] = r.cell(m, caption)
		}
		label := l
		if single {
			label = ""
		}
		for part := range slices.Chunk(row, len(g.Columns)) {
			g.Rows = append(g.Rows, report.MapRow{Label: label, Maps: part})
		}
	}
	return g
}

func (r Render) cell(m Map, caption string) report.Map {
	c := report.Map{Image: r.Layer(m), Alt: m.Title() + " at " + m.place(), Caption: caption}
	if m.Constant {
		c.Warning = nothingToShow
	}
	return c
}

// empty is a grid with the legends that ms need.
func (r Render) empty(under beneath, ms []Map) report.Maps {
	g := report.Maps{Base: under.image, Window: under.window, Alone: true, Alpha: r.Overlay.Alpha}
	for _, l := range r.legends(Item{Result: Image{Maps: ms}}) {
		g.Legends = append(g.Legends, report.Legend{Image: l.strip, Name: l.name, Low: l.low, High: l.high})
	}
	return g
}
