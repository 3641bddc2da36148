package explain

import (
	"fmt"
	"image"
	"image/color"
	"math"
)

// Render says how maps are shown. The zero value is not usable; see DefaultRender.
type Render struct {
	Colormap  *Colormap // of maps from low to high
	Diverging *Colormap // of signed maps, and by its ends of text, rows and series
	Overlay   OverlayOptions
	Clip      float64 // percentile at which maps at the input and signed maps are cut (Clipped); 0 cuts nothing
	Fonts     []*Font // for letters in pictures that the fonts of Go do not have; see ParseFonts

	Most    int  // bars and channels that are shown; 0 means 30 and 12
	InOrder bool // bars in the order of the columns, not the strongest first
}

// DefaultRender is ember, BuOr for signed maps, cut at the 99th percentile, over a picture that stays clear where the map is cold.
func DefaultRender() Render {
	low, _ := LookupColormap(defaultColormap)
	mid, _ := LookupColormap(defaultDiverging)
	return Render{Colormap: low, Diverging: mid, Overlay: OverlayOptions{Alpha: 0.75}, Clip: 99}
}

// colours are those of signed maps or others. A colour map that is chosen for maps of the other kind is used as one of theirs: the low end
// of a map that has no sign is cold, whatever its colour.
func (r Render) colours(signed bool) *Colormap {
	c := r.Colormap
	if signed {
		c = r.Diverging
	}
	if c.Diverging != signed {
		c = new(*c)
		c.Diverging = signed
	}
	return c
}

// shown is m from 0 to 1 as it is displayed, [H,W].
func (r Render) shown(m Map) []float32 {
	if m.Constant || m.Layer != "" && !m.Signed || len(m.Up) != len(m.Heat) {
		return m.Heat
	}
	heat, _ := Clipped(m.Up, m.Signed, r.Clip)
	return heat
}

// Layer is m alone, to be laid over a picture: clear where the overlay leaves the picture clear. Overlay.Alpha is left out.
func (r Render) Layer(m Map) *image.Paletted {
	c := r.colours(m.Signed)
	img := image.NewPaletted(image.Rect(0, 0, m.W, m.H), r.palette(c))
	for i, v := range r.shown(m) {
		img.Pix[i] = c.index(v)
	}
	return img
}

// palette is c with the opacity of the overlay, Alpha left out.
func (r Render) palette(c *Colormap) color.Palette {
	o := r.Overlay
	o.Alpha = 1
	out := make(color.Palette, len(c.lut))
	for i := range out {
		v := float32(i) / float32(len(out)-1)
		q := o.colour(c, v)
		q.A = uint8(math.Round(255 * o.opacity(c.strength(v))))
		out[i] = q
	}
	return out
}

// strip is c from low to high as it lies over a picture, one pixel high.
func (r Render) strip(c *Colormap) *image.Paletted {
	img := image.NewPaletted(image.Rect(0, 0, len(c.lut), 1), r.palette(c))
	for i := range img.Pix {
		img.Pix[i] = uint8(i)
	}
	return img
}

// Overlaid is the picture of m over base.
func (r Render) Overlaid(base image.Image, m Map) (*image.NRGBA, error) {
	return Overlay(base, r.shown(m), m.H, m.W, r.colours(m.Signed), r.Overlay)
}

// ends are the words at both ends of the legend of c.
func (c *Colormap) ends() (low, high string) {
	if c.Diverging {
		return "against", "for"
	}
	return "low", "high"
}

// legend is a strip of colours, one pixel high, with the words at its ends.
type legend struct {
	name      string // of the colour map
	strip     image.Image
	low, high string
}

// legends are those of the maps of items: of text, rows and series without a sign the upper half of the diverging colours.
func (r Render) legends(items ...Item) []legend {
	var low, mid, half bool
	for _, it := range items {
		for _, m := range it.Result.Maps {
			switch {
			case m.Signed:
				mid = true
			case it.picture():
				low = true
			default:
				half = true
			}
		}
	}
	var out []legend
	add := func(signed bool) {
		c := r.colours(signed)
		l := legend{name: c.Name, strip: r.strip(c)}
		l.low, l.high = c.ends()
		out = append(out, l)
	}
	if low {
		add(false)
	}
	if mid {
		add(true)
	}
	if half && !mid {
		c := r.Diverging
		img := image.NewNRGBA(image.Rect(0, 0, 256, 1))
		for i := range 256 {
			q := c.At(1)
			q.A = uint8(i)
			img.SetNRGBA(i, 0, q)
		}
		out = append(out, legend{c.Name, img, "low", "high"})
	}
	return out
}

// Panel is a sheet of all items: a row for each image and target, a column for each method and layer.
func (r Render) Panel(items []Item) (*image.NRGBA, error) {
	p := Panel{Columns: []PanelHead{{Title: "Input"}}, Fonts: r.Fonts}
	column := map[string]int{}
	for _, it := range items {
		for _, m := range it.Result.Maps {
			if key := m.Method + "\n" + m.Layer; column[key] == 0 {
				column[key] = len(p.Columns)
				p.Columns = append(p.Columns, PanelHead{m.Title(), m.at()})
			}
		}
	}
	for _, it := range items {
		for _, maps := range byTarget(it.Result.Maps) {
			t := maps[0].Target
			row := make([]PanelCell, len(p.Columns))
			row[0] = PanelCell{Image: it.Base, Title: it.Name, Caption: t.Name(), Detail: t.Figure()}
			for _, m := range maps {
				img, err := r.Picture(it, m)
				if err != nil {
					return nil, err
				}
				c := PanelCell{Image: img, Exact: !it.picture()}
				if m.Constant {
					c.Detail = nothingToShow
				}
				row[column[m.Method+"\n"+m.Layer]] = c
			}
			p.Rows = append(p.Rows, row)
		}
	}
	for _, l := range r.legends(items...) {
		p.Legends = append(p.Legends, PanelLegend{l.strip, l.low, l.high})
	}
	return p.Draw()
}

// nothingToShow is said of a constant map.
const nothingToShow = "constant: nothing to show"

// at is where the map was made, for people.
func (m Map) at() string {
	if m.Layer == "" {
		return "input"
	}
	return m.Layer
}

// percent is the share x of 1. What is neither all nor nothing is not rounded to that.
func percent(x float64) string {
	s := fmt.Sprintf("%.2f %%", 100*x)
	switch {
	case s == "0.00 %" && x > 0:
		return "< 0.01 %"
	case s == "100.00 %" && x < 1:
		return "> 99.99 %"
	}
	return s
}

// byTarget splits maps, which are ordered by target, at each new one.
func byTarget(maps []Map) [][]Map {
	var out [][]Map
	for i, m := range maps {
		if i == 0 || m.Target.Class != maps[i-1].Target.Class {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], m)
	}
	return out
}
