package explain

import (
	"fmt"
	"image"
	"math"
	"slices"
	"strconv"
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

// Page is the report of items.
func (r Render) Page(items []Item, info PageInfo) (*report.Report, error) {
	page := report.New(info.Title, pageLead(items))
	page.Kicker, page.Footer = info.Kicker, info.Footer
	var names, titles, layers []string
	var used []Map
	for _, it := range items {
		for _, m := range it.Result.Maps {
			if !slices.Contains(names, m.Method) {
				names, titles = append(names, m.Method), append(titles, m.Title())
				used = append(used, m)
			}
			if m.Layer != "" && !slices.Contains(layers, m.Layer) {
				layers = append(layers, m.Layer)
			}
		}
	}
	facts := report.Facts{
		{Label: "Inputs", Value: fmt.Sprint(len(items))},
		{Label: "Methods", Value: fmt.Sprint(len(names)), Detail: short(strings.Join(titles, " · "), 120)},
	}
	if len(layers) > 0 {
		facts = append(facts, report.Fact{Label: "Layers", Value: fmt.Sprint(len(layers)), Detail: short(strings.Join(layers, " · "), 120)})
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
	table := report.Table{Head: []string{"Method", "Name", "What it shows", "Options", "Source"}}
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
		table.Rows = append(table.Rows, []report.Cell{
			report.C(spec.Title), {Text: m.Method, Code: true}, report.C(spec.Doc),
			report.C(strings.Join(opts, " ")), report.C(spec.Source),
		})
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

// pageLead tells what is to be seen.
func pageLead(items []Item) string {
	if slices.ContainsFunc(items, Item.picture) {
		return "What in each picture spoke for a class, and where. Move the switch from picture to map, or point at a map to see what is " +
			"beneath it."
	}
	return "What in each input spoke for an answer, and what against it. The colour of a part is as strong as its share of the largest."
}

func firstWord(s string) string {
	w, _, _ := strings.Cut(s, ",")
	return w
}

// maxPageOriginal is how many pixels the longer side of a whole picture has at most in a page.
const maxPageOriginal = 900

// beneath is a picture that maps are laid over, and where.
type beneath struct {
	image  image.Image
	window image.Rectangle // empty when they cover all of it
	note   string          // what there is to know about it
}

// beneath is the picture that the maps of it lie on in a page: the original where there is one.
func (it Item) beneath() (beneath, error) {
	if it.Base == nil {
		return beneath{}, fmt.Errorf("explain: there is no picture beneath the maps (input %s)", it.Name)
	}
	size := it.Base.Bounds().Size()
	if !it.whole() {
		return beneath{image: it.Base}, nil
	}
	img, box, err := shownOriginal(it.Original, it.Box, maxPageOriginal)
	if err != nil {
		return beneath{}, fmt.Errorf("%w (input %s)", err, it.Name)
	}
	full := it.Size
	if full == (image.Point{}) {
		full = it.Original.Bounds().Size()
	}
	if box == img.Bounds() {
		return beneath{image: img, note: fmt.Sprintf("%d × %d pixels; the model sees it at %d × %d", full.X, full.Y, size.X, size.Y)}, nil
	}
	return beneath{img, box, fmt.Sprintf("%d × %d pixels; the model sees what is in the frame, at %d × %d", full.X, full.Y, size.X, size.Y)},
		nil
}

// section adds the input, predictions and maps of one item.
func (r Render) section(page *report.Report, it Item) error {
	top := it.Result.Top
	lead := ""
	if len(top) > 0 {
		lead = fmt.Sprintf("Predicted: %s, %s.", top[0].Name(), top[0].Figure())
	}
	s := page.Section(it.Name, lead)
	targets := byTarget(it.Result.Maps)
	var under beneath
	if table := predictions(top, targets); it.picture() {
		var err error
		if under, err = it.beneath(); err != nil {
			return err
		}
		s.Add(report.Beside{Narrow: report.Figure{Image: under.image, Alt: it.Name, Detail: under.note, Beneath: true}, Wide: table})
	} else if len(table.Rows) > 0 {
		s.Add(table)
	}
	for _, maps := range targets {
		if len(targets) > 1 {
			s.Add(report.Heading(fmt.Sprintf("For %s, %s", maps[0].Target.Name(), maps[0].Target.Figure())))
		}
		blocks, err := r.blocks(it, under, maps)
		if err != nil {
			return fmt.Errorf("%w (input %s)", err, it.Name)
		}
		s.Add(blocks...)
	}
	return nil
}

// predictions is the table of the best classes and those that are explained.
func predictions(top []Prediction, targets [][]Map) report.Table {
	explained := func(k int) bool {
		return slices.ContainsFunc(targets, func(ms []Map) bool { return ms[0].Target.Class == k })
	}
	odds := slices.ContainsFunc(top, func(p Prediction) bool { return !math.IsNaN(p.Prob) })
	table := report.Table{Caption: "● explained below", Head: []string{"", "Number", "Value"}, Numeric: []int{2}}
	if odds {
		table.Head, table.Numeric = []string{"", "Class", "Probability", "Logit"}, []int{3}
		if top[0].Share {
			table.Head[2], table.Head[3] = "Share of the positions", "Mean logit"
		}
	}
	for i, p := range top {
		if i >= 5 && !explained(p.Class) {
			continue
		}
		mark := report.C("")
		if explained(p.Class) {
			mark = report.Cell{Text: "●", Tone: report.Good}
		}
		name := p.Name()
		if p.Label != "" && p.Value == nil && p.Label != strconv.Itoa(p.Class) {
			name = fmt.Sprintf("%s (%d)", p.Label, p.Class)
		}
		row := []report.Cell{mark, report.C(name)}
		if odds {
			share := p.Prob
			row = append(row, report.Cell{Text: percent(share), Bar: &share})
		}
		n := p.Logit
		if p.Value != nil {
			n = *p.Value
		}
		table.Rows = append(table.Rows, append(row, report.Num(float64(n), 4)))
	}
	return table
}

// blocks show the maps of one input and target.
func (r Render) blocks(it Item, under beneath, maps []Map) ([]report.Block, error) {
	if it.picture() {
		return r.grids(under, maps), nil
	}
	var blocks []report.Block
	for _, m := range maps {
		b, err := r.block(it, m)
		if err != nil {
			return nil, err
		}
		title := m.Title()
		if m.Layer != "" {
			title += " at " + m.Layer
		}
		blocks = append(blocks, report.Heading(title), b)
		switch {
		case it.Row != nil: // bars have a sign
		case m.Signed:
			blocks = append(blocks, report.Scale{Low: "against", High: "for", From: r.Diverging.At(0), To: r.Diverging.At(1)})
		default:
			blocks = append(blocks, report.Scale{Low: "low", High: "high", To: r.Diverging.At(1)})
		}
		if m.Constant {
			blocks = append(blocks, report.Note{Tone: report.Warn, Text: nothingToShow})
		}
	}
	return blocks, nil
}

// block shows one map of an input that is no picture.
func (r Render) block(it Item, m Map) (report.Block, error) {
	switch {
	case it.Text != nil:
		v, err := it.flat(m, len(it.Text.Tokens))
		if err != nil {
			return nil, err
		}
		return r.tokenBlock(it.Text.Tokens, v)
	case it.Row != nil:
		v, err := it.flat(m, len(it.Row.Names))
		if err != nil {
			return nil, err
		}
		return r.barBlock(*it.Row, v)
	}
	v, err := it.channels(m)
	if err != nil {
		return nil, err
	}
	return r.seriesBlock(*it.Series, v)
}
