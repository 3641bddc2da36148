package explain

import (
	"bytes"
	_ "embed"
	"fmt"
	"image/color"
	"image/png"

	"github.com/gtk-onnx/gtk/internal/registry"
)

// The colour tables, one row of 256 colours for each name of colormapNames. The numbers are those of matplotlib 3.6.3:
//
//   - viridis by Nathaniel J. Smith, Stefan van der Walt and Eric Firing, inferno by the first two: CC0,
//     https://bids.github.io/colormap/
//   - turbo by Anton Mikhailov, copyright 2019 Google LLC, Apache License 2.0,
//     https://gist.github.com/mikhailov-work/ee72ba4191942acecc03fe6da94fc73f
//   - RdBu_r from ColorBrewer, copyright 2002 Cynthia Brewer, Mark Harrower and The Pennsylvania State University, Apache License 2.0: this
//     product includes color specifications and designs developed by Cynthia Brewer (https://colorbrewer.org/).
//   - gray, jet and seismic are piecewise linear functions.
//
//go:embed colormaps.png
var colormapsPNG []byte

var colormapNames = []string{"gray", "jet", "viridis", "turbo", "inferno", "seismic", "RdBu_r"}

// Colormap gives numbers from 0 to 1 colours.
type Colormap struct {
	Name      string
	Diverging bool // neutral in the middle: for signed maps
	lut       [256]color.NRGBA
}

var colormaps = loadColormaps()

func loadColormaps() *registry.Table[*Colormap] {
	t := &registry.Table[*Colormap]{Kind: "colour map"}
	img, err := png.Decode(bytes.NewReader(colormapsPNG))
	if err != nil || img.Bounds().Dx() != 256 || img.Bounds().Dy() != len(colormapNames) {
		panic(fmt.Sprintf("explain: colormaps.png: %v", err))
	}
	for y, name := range colormapNames {
		c := &Colormap{Name: name, Diverging: name == "seismic" || name == "RdBu_r"}
		for x := range c.lut {
			c.lut[x] = color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
		}
		doc := "from low to high"
		if c.Diverging {
			doc = "neutral in the middle, for signed maps"
		}
		t.Register(name, c, doc, "https://matplotlib.org/stable/users/explain/colors/colormaps.html")
	}
	return t
}

// Colormaps lists the names of the colour maps.
func Colormaps() []string { return colormaps.Names() }

// LookupColormap is the colour map called name.
func LookupColormap(name string) (*Colormap, error) {
	c, err := colormaps.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	return c, nil
}

// At is the colour of v: entry floor(256 v), clamped to the table; that of 0 for NaN. It is the rule of matplotlib; OpenCV takes
// floor(255 v).
func (c *Colormap) At(v float32) color.NRGBA {
	i := 0
	if v > 0 {
		i = int(min(v*256, 255))
	}
	return c.lut[i]
}
