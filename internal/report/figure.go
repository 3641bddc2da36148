package report

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/jpeg"
	"image/png"
	"math"
	"slices"
)

// dataURI is img as a data URI: a PNG, or a JPEG for photographs that would be much larger so.
func dataURI(img image.Image) (template.URL, error) {
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil { // the best compression takes several times as long for next to nothing
		return "", fmt.Errorf("report: picture: %w", err)
	}
	kind, best := "png", b.Bytes()
	_, few := img.(*image.Paletted)
	if o, ok := img.(interface{ Opaque() bool }); !few && b.Len() > photoBytes && ok && o.Opaque() {
		var j bytes.Buffer
		if err := jpeg.Encode(&j, img, &jpeg.Options{Quality: photoQuality}); err != nil {
			return "", fmt.Errorf("report: picture: %w", err)
		}
		if j.Len() < b.Len()/2 {
			kind, best = "jpeg", j.Bytes()
		}
	}
	return template.URL("data:image/" + kind + ";base64," + base64.StdEncoding.EncodeToString(best)), nil
}

// A PNG of more than photoBytes is tried as a JPEG.
const (
	photoBytes   = 40 << 10
	photoQuality = 90
)

// pixelLimit is the size of a picture below which its pixels are shown as squares.
const pixelLimit = 100

func pixelated(img image.Image) bool {
	b := img.Bounds()
	return max(b.Dx(), b.Dy()) <= pixelLimit
}

// Figure is a picture with a caption.
type Figure struct {
	Image   image.Image
	Alt     string // what is seen, for those who do not see it
	Caption string
	Detail  string // small, under the caption
	Tone    Tone   // colours the frame
	Beneath bool   // it is the Base of Maps too, and stored once
}

type figureView struct {
	Figure
	URI       template.URL
	Pixelated bool
	Class     string // of the shared picture, else ""
	W, H      int
}

func (f Figure) view(p *page) (figureView, error) {
	if f.Image == nil {
		return figureView{}, fmt.Errorf("report: figure %q has no picture", f.Caption)
	}
	uri, err := dataURI(f.Image)
	if f.Alt == "" {
		f.Alt = f.Caption
	}
	b := f.Image.Bounds()
	v := figureView{Figure: f, URI: uri, Pixelated: pixelated(f.Image), W: b.Dx(), H: b.Dy()}
	if f.Beneath && err == nil {
		v.Class = p.background(uri)
	}
	return v, err
}

func (f Figure) render(p *page) (template.HTML, error) {
	v, err := f.view(p)
	if err != nil {
		return "", err
	}
	return execute("figure", v)
}

// Gallery is a contact sheet: figures of one width, as many in a row as the window takes.
type Gallery struct {
	Caption string
	Width   int // of a figure in CSS pixels; 0 means 112
	Figures []Figure
}

func (g Gallery) render(p *page) (template.HTML, error) {
	var views []figureView
	for _, f := range g.Figures {
		v, err := f.view(p)
		if err != nil {
			return "", err
		}
		views = append(views, v)
	}
	w := g.Width
	if w <= 0 {
		w = 112
	}
	return execute("gallery", map[string]any{"Caption": g.Caption, "Width": w, "Figures": views})
}

// Maps is a grid of heat maps over one picture. The reader chooses how much of the map covers the picture.
type Maps struct {
	Base    image.Image     // the picture beneath every map
	Window  image.Rectangle // the part of Base that the maps cover, the rest is dimmed; empty means all
	Alone   bool            // without a column of the picture by itself
	Alpha   float64         // how much of the map covers it at first: the nearest of 0, 0.25, 0.5, 0.75, 1
	Columns []string        // column heads, methods for example
	Details []string        // small, under the heads; nil for none
	Rows    []MapRow
	Legends []Legend
}

// MapRow is one row of Maps: a label, for example of a layer (when all are empty there is no column for them), and one map for each
// column.
type MapRow struct {
	Label string
	Maps  []Map
}

// Map is one picture of a grid; a nil Image leaves its place empty.
type Map struct {
	Image   image.Image
	Alt     string // what is seen
	Caption string
	Warning string
}

// Legend explains a colour map: Image is the strip of its colours from Low to High.
type Legend struct {
	Image     image.Image
	Name      string
	Low, High string
}

// mixes are the shares of the map over the picture that a reader can choose.
var mixes = []float64{0, 0.25, 0.5, 0.75, 1}

func (m Maps) render(p *page) (template.HTML, error) {
	if m.Base == nil {
		return "", fmt.Errorf("report: maps without a picture beneath")
	}
	base, err := dataURI(m.Base)
	if err != nil {
		return "", err
	}
	type cell struct {
		Map
		URI template.URL
	}
	type row struct {
		Label string
		Cells []cell
	}
	type legend struct {
		Legend
		URI template.URL
	}
	type mix struct {
		Percent int
		Checked bool
	}
	var rows []row
	for _, r := range m.Rows {
		if len(r.Maps) > len(m.Columns) {
			return "", fmt.Errorf("report: maps: row %q has %d maps, there are %d columns", r.Label, len(r.Maps), len(m.Columns))
		}
		out := row{Label: r.Label}
		for _, c := range r.Maps {
			v := cell{Map: c}
			if c.Image != nil {
				if v.URI, err = dataURI(c.Image); err != nil {
					return "", err
				}
			}
			out.Cells = append(out.Cells, v)
		}
		rows = append(rows, out)
	}
	var legends []legend
	for _, l := range m.Legends {
		uri, err := dataURI(l.Image)
		if err != nil {
			return "", err
		}
		legends = append(legends, legend{l, uri})
	}
	var choice []mix
	best := 0
	for i, a := range mixes {
		if abs(a-m.Alpha) < abs(mixes[best]-m.Alpha) {
			best = i
		}
		choice = append(choice, mix{Percent: int(100 * a)})
	}
	choice[best].Checked = true
	b := m.Base.Bounds()
	// Wide pictures are given more room across, tall ones less, so that all have about the same area.
	most := int(math.Round(300 * min(max(math.Sqrt(float64(b.Dx())/float64(max(b.Dy(), 1))), 0.55), 1.9)))
	count := len(m.Columns)
	if !m.Alone {
		count++
	}
	return execute("maps", map[string]any{
		"ID": p.id("mix"), "Base": p.background(base), "Pixelated": pixelated(m.Base), "Heads": m.heads(), "Rows": rows,
		"Window": m.window(),
		"Mixes":  choice, "Legends": legends, "W": b.Dx(), "H": b.Dy(), "Count": count, "Most": most, "Alone": m.Alone,
		"Labelled": slices.ContainsFunc(rows, func(r row) bool { return r.Label != "" }),
	})
}

// mapHead stands over a column.
type mapHead struct{ Title, Detail string }

func (m Maps) heads() (heads []mapHead) {
	for i, c := range m.Columns {
		h := mapHead{Title: c}
		if i < len(m.Details) {
			h.Detail = m.Details[i]
		}
		heads = append(heads, h)
	}
	return heads
}

// window is the place of the maps in the picture, "" when they cover all of it.
func (m Maps) window() template.CSS {
	b := m.Base.Bounds()
	if m.Window.Empty() || m.Window == b {
		return ""
	}
	part := func(v, of int) float64 { return 100 * float64(v) / float64(of) }
	w := m.Window.Sub(b.Min)
	return template.CSS(fmt.Sprintf("left:%.3f%%;top:%.3f%%;width:%.3f%%;height:%.3f%%",
		part(w.Min.X, b.Dx()), part(w.Min.Y, b.Dy()), part(w.Dx(), b.Dx()), part(w.Dy(), b.Dy())))
}

func abs(x float64) float64 { return max(x, -x) }
