package job

import (
	"cmp"
	"fmt"
	"image"
	"image/draw"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/internal/report"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
	"github.com/gtk-onnx/gtk/train"
)

// cases show the worst mistakes on the validation data, and a few examples from all over them.
func (f *finetuning) cases(page *report.Report, v *train.Evaluation) error {
	worst, lead := "The mistakes of which the model is surest.", "true class → said class, and how sure the model is of it."
	switch {
	case f.task.Text() && f.task.Predicts():
		worst, lead = "The pieces that surprise the model most.",
			"The token that follows at each place: the stronger the colour, the less the "+
				"model had expected it."
	case f.task.Text():
		worst, lead = "The pieces with the most mistakes.", "Tokens on colour are taken for another class."
	case f.task.Positions():
		worst, lead = "The examples with the most mistakes.", "The picture, the true classes over it, and those that are predicted."
	case f.task.Kind == task.Regression:
		worst, lead = "The examples that are furthest off.", "True and predicted values."
	case f.task.Kind == task.Multilabel:
		lead = "+ is said and not true, − is true and not said."
	}
	for _, x := range []struct {
		title, lead string
		cases       []train.Case
	}{{"Worst mistakes", worst + " " + capital(lead), v.Mistakes},
		{"Examples", "From all over the validation data. " + capital(lead), v.Cases}} {
		if len(x.cases) == 0 {
			continue
		}
		b, err := f.shown(x.cases)
		if err != nil {
			return err
		}
		if len(b) > 0 {
			page.Section(x.title, x.lead).Add(b...)
		}
	}
	return nil
}

// shown shows cases by what their inputs are.
func (f *finetuning) shown(cases []train.Case) ([]report.Block, error) {
	var examples []picture
	var rows []data.Example
	pictures := true
	for _, c := range cases {
		p := picture{}
		var e data.Example
		err := data.Look(f.val, c.Index, func(x data.Example) error { e = x; return nil })
		if err == nil {
			err = p.picture(f.val, c.Index, f.pre)
		}
		if err != nil {
			return nil, err
		}
		e.ID = f.val.ID(c.Index)
		pictures = pictures && p.base != nil
		examples, rows = append(examples, p), append(rows, e)
	}
	switch {
	case f.task.Text():
		return f.texts(cases, rows), nil
	case f.task.Positions() && pictures:
		return f.masks(cases, rows, examples)
	case f.task.Positions():
		return []report.Block{f.rows(cases, rows)}, nil
	case pictures:
		return []report.Block{f.gallery(cases, rows, examples)}, nil
	case f.task.Kind == task.Regression && f.task.K >= leastForecast:
		return f.forecasts(cases, rows), nil
	}
	return []report.Block{f.rows(cases, rows)}, nil
}

// verdict is what is true and said of a case, in a line and a smaller one.
func (f *finetuning) verdict(c train.Case) (line, detail string) {
	switch {
	case c.Label >= 0 && c.Label == c.Said:
		return f.task.ClassName(c.Label), fmt.Sprintf("right, %s", units.Percent(c.Prob))
	case c.Label >= 0:
		return f.task.ClassName(c.Label) + " → " + f.task.ClassName(c.Said),
			fmt.Sprintf("%s sure; %s for the true class", units.Percent(c.Prob), units.Percent(c.Truth))
	case f.task.Kind == task.Regression:
		return fmt.Sprintf("%s, true %s", firstNumbers(c.Values), firstNumbers(c.Targets)), ""
	}
	var is, wrong []string
	for k, p := range c.Values {
		t := c.Targets[k]
		switch {
		case t <= task.Ignored:
			continue
		case p > 0.5 && t <= 0.5:
			wrong = append(wrong, fmt.Sprintf("+%s %s", f.task.ClassName(k), units.Percent(p)))
		case p <= 0.5 && t > 0.5:
			wrong = append(wrong, fmt.Sprintf("−%s %s", f.task.ClassName(k), units.Percent(p)))
		}
		if t > 0.5 {
			is = append(is, f.task.ClassName(k))
		}
	}
	if len(wrong) == 0 {
		return cmp.Or(strings.Join(is, ", "), "none"), "all right"
	}
	return cmp.Or(strings.Join(is, ", "), "none"), strings.Join(wrong[:min(len(wrong), 6)], ", ")
}

// firstNumbers are the first few of v.
func firstNumbers(v []float64) string {
	var s []string
	for _, x := range v[:min(len(v), 4)] {
		s = append(s, strconv.FormatFloat(x, 'g', 4, 64))
	}
	if len(v) > 4 {
		s = append(s, "…")
	}
	return strings.Join(s, " ")
}

// bad reports whether c is a mistake.
func (f *finetuning) bad(c train.Case) bool { return f.task.Kind != task.Regression && c.Wrong > 0 }

func (f *finetuning) gallery(cases []train.Case, rows []data.Example, examples []picture) report.Gallery {
	g := report.Gallery{Width: 128}
	for i, c := range cases {
		fig := report.Figure{Image: small(examples[i].base), Alt: rows[i].ID}
		fig.Caption, fig.Detail = f.verdict(c)
		fig.Detail = strings.TrimPrefix(fig.Detail+", "+rows[i].ID, ", ")
		if f.bad(c) {
			fig.Tone = report.Bad
		}
		g.Figures = append(g.Figures, fig)
	}
	return g
}

// widest is the size of a picture in a page of a training.
const widest = 256

// small is img with at most widest pixels along each side, every so many of its own.
func small(img image.Image) image.Image {
	b := img.Bounds()
	if max(b.Dx(), b.Dy()) <= widest {
		return img
	}
	every := float64(max(b.Dx(), b.Dy())) / widest
	return nearest(img, max(1, int(float64(b.Dx())/every)), max(1, int(float64(b.Dy())/every)))
}

// nearest is img in another size.
func nearest(img image.Image, w, h int) image.Image {
	b := img.Bounds()
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			out.Set(x, y, img.At(b.Min.X+(2*x+1)*b.Dx()/(2*w), b.Min.Y+(2*y+1)*b.Dy()/(2*h)))
		}
	}
	return out
}

// beside sets pictures of one size next to each other.
func beside(imgs ...image.Image) image.Image {
	b := imgs[0].Bounds()
	gap := max(1, b.Dx()/32)
	out := image.NewNRGBA(image.Rect(0, 0, len(imgs)*b.Dx()+(len(imgs)-1)*gap, b.Dy()))
	for i, img := range imgs {
		at := i * (b.Dx() + gap)
		draw.Draw(out, image.Rect(at, 0, at+b.Dx(), b.Dy()), img, img.Bounds().Min, draw.Src)
	}
	return out
}

// masks show pictures with the classes of their pixels.
func (f *finetuning) masks(cases []train.Case, rows []data.Example, examples []picture) ([]report.Block, error) {
	var figures []report.Figure
	for i, c := range cases {
		if len(c.Shape) != 2 {
			return []report.Block{f.rows(cases, rows)}, nil
		}
		h, w := c.Shape[0], c.Shape[1]
		base := nearest(examples[i].base, w, h)
		three := beside(small(base), small(data.Tinted(base, classMask(c.Labels, h, w))), small(data.Tinted(base, classMask(c.Map, h, w))))
		figures = append(figures, report.Figure{Image: three, Alt: rows[i].ID + ", its true classes, and those that are predicted",
			Caption: rows[i].ID, Detail: units.Percent(1-c.Wrong) + " of the positions right"})
	}
	return []report.Block{report.Gallery{Width: 420, Figures: figures}}, nil
}

// classMask is classes as a mask of data: those without a truth are void.
func classMask(classes []int32, h, w int) *tensor.Tensor {
	m := tensor.New(tensor.Uint8, h, w)
	for i, v := range classes {
		switch {
		case v == task.Ignored:
			m.Bytes()[i] = data.Void
		default:
			m.Bytes()[i] = byte(min(max(v, 0), data.Void-1))
		}
	}
	return m
}

// mostFeatures is shown of an example of a table.
const mostFeatures = 10

// rows are cases as a table: what is true, what is said, and the numbers that it is said of.
func (f *finetuning) rows(cases []train.Case, rows []data.Example) report.Table {
	t := report.Table{Head: []string{"Example", "True and said", "How sure"}}
	names := data.FeatureNames(f.ds)
	wide := 0
	for _, e := range rows {
		if e.X != nil && e.X.Rank() <= 1 && e.X.DType() != tensor.String {
			wide = max(wide, min(e.X.Len(), mostFeatures))
		}
	}
	for k := range wide {
		name := fmt.Sprintf("x%d", k)
		if k < len(names) {
			name = names[k]
		}
		t.Numeric = append(t.Numeric, len(t.Head))
		t.Head = append(t.Head, name)
	}
	for i, c := range cases {
		line, detail := f.verdict(c)
		if c.Map != nil {
			line, detail = units.Percent(1-c.Wrong)+" of the positions right", ""
		}
		cell := report.C(line)
		if f.bad(c) {
			cell.Tone = report.Bad
		}
		row := []report.Cell{{Text: rows[i].ID, Code: true}, cell, report.C(detail)}
		if x := rows[i].X; wide > 0 && x != nil && x.Rank() <= 1 && x.DType() != tensor.String {
			for _, v := range x.Float64s()[:min(x.Len(), wide)] {
				row = append(row, report.Num(v, 4))
			}
		}
		t.Rows = append(t.Rows, row)
	}
	if !slices.ContainsFunc(t.Rows, func(r []report.Cell) bool { return r[2].Text != "" }) {
		t.Head[2] = ""
	}
	return t
}

// leastForecast is how many values of an example are drawn as a line.
const leastForecast = 4

// forecasts are the values of examples as lines, behind the series that they go on, where there is one of one column.
func (f *finetuning) forecasts(cases []train.Case, rows []data.Example) []report.Block {
	var cs report.Columns
	for i, c := range cases {
		if i == mostForecasts {
			break
		}
		chart := report.LineChart{Title: rows[i].ID}
		is, says := report.Series{Name: "true", X: []float64{}}, report.Series{Name: "predicted", X: []float64{}}
		for k, v := range c.Values {
			x := float64(k + 1)
			is.X, is.Y, says.X, says.Y = append(is.X, x), append(is.Y, c.Targets[k]), append(says.X, x), append(says.Y, v)
		}
		chart.Series = []report.Series{is, says}
		if x := rows[i].X; strings.HasPrefix(f.c.Data, "window:") && x != nil && x.DType() != tensor.String && x.Rank() > 0 &&
			x.Len() == max(x.Dim(0), x.Dim(x.Rank()-1)) {
			s := report.Series{Name: "before", X: []float64{}}
			for k, v := range x.Float64s() {
				s.X, s.Y = append(s.X, float64(k+1-x.Len())), append(s.Y, v)
			}
			chart.Series, chart.XLabel = append(chart.Series, s), "steps after the last one that is known"
		}
		cs = append(cs, chart)
	}
	return []report.Block{cs}
}

const mostForecasts = 6
