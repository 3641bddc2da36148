package explain

import (
	"bytes"
	_ "embed"
	"fmt"
	"image/color"
	"image/png"
	"math"
	"sync"

	"github.com/gtk-onnx/gtk/internal/registry"
)

// The colour tables, a row of 256 colours for each of colormapRows. ember and BuOr are curves in OKLab, given in colormap_test.go; the
// numbers of the others are those of matplotlib 3.6.3:
//
//   - viridis by Nathaniel J. Smith, Stefan van der Walt and Eric Firing, inferno, magma and plasma by the first two: CC0,
//     https://bids.github.io/colormap/
//   - cividis by Jamie R. Nuñez, Christopher R. Anderton and Ryan S. Renslow, CC BY 4.0, https://doi.org/10.1371/journal.pone.0199239
//   - turbo by Anton Mikhailov, copyright 2019 Google LLC, Apache License 2.0,
//     https://gist.github.com/mikhailov-work/ee72ba4191942acecc03fe6da94fc73f
//   - RdBu_r from ColorBrewer, copyright 2002 Cynthia Brewer, Mark Harrower and The Pennsylvania State University, Apache License 2.0: this
//     product includes color specifications and designs developed by Cynthia Brewer (https://colorbrewer.org/).
//   - gray, jet and seismic are piecewise linear functions.
//
//go:embed colormaps.png
var colormapsPNG []byte

const (
	oklabURL      = "https://bottosson.github.io/posts/oklab/"
	matplotlibURL = "https://matplotlib.org/stable/users/explain/colors/colormaps.html"
	onlyLow       = "from low to high"
	onlySigned    = "neutral in the middle, for signed maps"
)

// colormapRows are the rows of colormaps.png.
var colormapRows = []struct {
	name, doc, source string
	diverging         bool
}{
	{"gray", onlyLow + ", without colour", matplotlibURL, false},
	{"jet", onlyLow + "; its lightness goes up and down", matplotlibURL, false},
	{"viridis", onlyLow + ", green and yellow", matplotlibURL, false},
	{"turbo", onlyLow + "; its lightness goes up and down", matplotlibURL, false},
	{"inferno", onlyLow + ", black to pale yellow", matplotlibURL, false},
	{"seismic", onlySigned + ", with dark ends", matplotlibURL, true},
	{"RdBu_r", onlySigned + ", with dark ends", matplotlibURL, true},
	{"plasma", onlyLow + ", blue to yellow", matplotlibURL, false},
	{"magma", onlyLow + ", black to pale rose", matplotlibURL, false},
	{"cividis", onlyLow + ", blue to yellow, nearly the same to the colour-blind", matplotlibURL, false},
	{"ember", onlyLow + ", ever lighter, to an amber that is seen on black and on white", oklabURL, false},
	{"BuOr", onlySigned + ", blue to orange, with ends that are seen on black and on white", oklabURL, true},
}

// Colour maps of a Render that says nothing else.
const (
	defaultColormap  = "ember"
	defaultDiverging = "BuOr"
)

// Colormap gives numbers from 0 to 1 colours.
type Colormap struct {
	Name      string
	Diverging bool // neutral in the middle: for signed maps
	lut       [256]color.NRGBA
}

var colormaps = registry.Table[*Colormap]{Kind: "colour map"}

func init() {
	for _, row := range colormapRows {
		colormaps.Register(row.name, &Colormap{Name: row.name, Diverging: row.diverging}, row.doc, row.source)
	}
}

// readColormaps gives the colour maps their colours, the first time that one is looked up.
var readColormaps = sync.OnceFunc(func() {
	img, err := png.Decode(bytes.NewReader(colormapsPNG))
	if err != nil || img.Bounds().Dx() != 256 || img.Bounds().Dy() != len(colormapRows) {
		panic(fmt.Sprintf("explain: colormaps.png: %v", err))
	}
	for y, row := range colormapRows {
		c, err := colormaps.Lookup(row.name)
		if err != nil {
			panic(err)
		}
		for x := range c.lut {
			c.lut[x] = color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
		}
	}
})

// Colormaps lists the names of the colour maps.
func Colormaps() []string { return colormaps.Names() }

// LookupColormap is the colour map called name.
func LookupColormap(name string) (*Colormap, error) {
	c, err := colormaps.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	readColormaps()
	return c, nil
}

// strength is how far v, from 0 to 1, is from neutral: from the low end, or from the middle of a diverging map.
func (c *Colormap) strength(v float32) float64 {
	if c.Diverging {
		return min(math.Abs(2*float64(v)-1), 1)
	}
	if v > 0 { // not NaN
		return min(float64(v), 1)
	}
	return 0
}

// At is the colour of v: entry floor(256 v), clamped to the table; that of 0 for NaN. It is the rule of matplotlib; OpenCV takes
// floor(255 v).
func (c *Colormap) At(v float32) color.NRGBA { return c.lut[c.index(v)] }

func (c *Colormap) index(v float32) uint8 {
	if v > 0 {
		return uint8(min(v*256, 255))
	}
	return 0
}
