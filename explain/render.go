package explain

import (
	"fmt"
	"image"
)

// Render says how maps are shown. The zero value is not usable; see DefaultRender.
type Render struct {
	Colormap  *Colormap // of maps from low to high
	Diverging *Colormap // of signed maps
	Overlay   OverlayOptions
	Clip      float64 // percentile at which maps at the input and signed maps are cut (Clipped); 0 cuts nothing
}

// DefaultRender is ember, BuOr for signed maps, cut at the 99th percentile, over a picture that stays clear where the map is cold.
func DefaultRender() Render {
	low, _ := LookupColormap(defaultColormap)
	mid, _ := LookupColormap(defaultDiverging)
	return Render{Colormap: low, Diverging: mid, Overlay: OverlayOptions{Alpha: 0.75}, Clip: 99}
}

// colours are those for m.
func (r Render) colours(m Map) *Colormap {
	if m.Signed {
		return r.Diverging
	}
	return r.Colormap
}

// shown is m from 0 to 1 as it is displayed, [H,W].
func (r Render) shown(m Map) []float32 {
	if m.Constant || m.Layer != "" && !m.Signed {
		return m.Heat
	}
	heat, _ := Clipped(m.Up, m.Signed, r.Clip)
	return heat
}

// Heat is the picture of m alone.
func (r Render) Heat(m Map) *image.NRGBA { return Heat(r.shown(m), m.H, m.W, r.colours(m)) }

// Overlaid is the picture of m over base.
func (r Render) Overlaid(base image.Image, m Map) (*image.NRGBA, error) {
	return Overlay(base, r.shown(m), m.H, m.W, r.colours(m), r.Overlay)
}

// legends are the colour maps that maps use.
func (r Render) legends(maps []Map) []*Colormap {
	var low, mid bool
	for _, m := range maps {
		low, mid = low || !m.Signed, mid || m.Signed
	}
	var out []*Colormap
	if low {
		out = append(out, r.Colormap)
	}
	if mid {
		out = append(out, r.Diverging)
	}
	return out
}

// Item is an image with its explanation.
type Item struct {
	Name   string      // as shown: a file name, for example
	Base   image.Image // the picture after resizing and cropping, before normalisation; of the size of the model's input
	Result Image
}

// Panel is a sheet of all items: a row for each image and target, a column for each method and layer.
func (r Render) Panel(items []Item) (*image.NRGBA, error) {
	p := Panel{Columns: []string{"image"}}
	var all []Map
	column := map[string]int{}
	for _, it := range items {
		for _, m := range it.Result.Maps {
			key := m.Method + "\n" + m.Layer
			if _, ok := column[key]; !ok {
				column[key] = len(p.Columns)
				p.Columns = append(p.Columns, m.Method)
			}
		}
		all = append(all, it.Result.Maps...)
	}
	for _, it := range items {
		for _, maps := range byTarget(it.Result.Maps) {
			t := maps[0].Target
			row := make([]PanelCell, len(p.Columns))
			row[0] = PanelCell{it.Base, fmt.Sprintf("%s %.1f%%", t.Name(), 100*t.Prob)}
			for _, m := range maps {
				img, err := r.Overlaid(it.Base, m)
				if err != nil {
					return nil, fmt.Errorf("%w (image %s)", err, it.Name)
				}
				caption := m.Layer
				if caption == "" {
					caption = "input"
				}
				row[column[m.Method+"\n"+m.Layer]] = PanelCell{img, caption}
			}
			p.Rows = append(p.Rows, row)
		}
	}
	p.Legends = r.legends(all)
	return p.Draw()
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
