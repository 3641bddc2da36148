package explain

import (
	"image/color"
	"math"
	"slices"
	"strings"
	"testing"
)

// vec3 is a colour: linear or stored RGB, OKLab or CIELAB.
type vec3 [3]float64

func (v vec3) to(w vec3, t float64) vec3 {
	for i := range v {
		v[i] += (w[i] - v[i]) * t
	}
	return v
}

func (v vec3) distance(w vec3) float64 {
	return math.Hypot(math.Hypot(v[0]-w[0], v[1]-w[1]), v[2]-w[2])
}

// matrix is a linear map of colours, rows first.
type matrix [3]vec3

func (m matrix) of(v vec3) (out vec3) {
	for i, row := range m {
		out[i] = row[0]*v[0] + row[1]*v[1] + row[2]*v[2]
	}
	return out
}

// linear undoes the transfer function of sRGB (IEC 61966-2-1), store applies it.
func linear(c color.NRGBA) (out vec3) {
	for i, v := range []uint8{c.R, c.G, c.B} {
		x := float64(v) / 255
		if out[i] = x / 12.92; x > 0.04045 {
			out[i] = math.Pow((x+0.055)/1.055, 2.4)
		}
	}
	return out
}

func store(v vec3) (out vec3) {
	for i, x := range v {
		x = min(max(x, 0), 1)
		if out[i] = 255 * 12.92 * x; x > 0.0031308 {
			out[i] = 255 * (1.055*math.Pow(x, 1/2.4) - 0.055)
		}
	}
	return out
}

// cielab is a linear colour of sRGB in CIELAB under D65.
func cielab(v vec3) vec3 {
	x := matrix{{0.4124564, 0.3575761, 0.1804375}, {0.2126729, 0.7151522, 0.0721750}, {0.0193339, 0.1191920, 0.9503041}}.of(v)
	for i, white := range []float64{0.95047, 1, 1.08883} {
		if x[i] /= white; x[i] > 216.0/24389 {
			x[i] = math.Cbrt(x[i])
		} else {
			x[i] = (24389.0/27*x[i] + 16) / 116
		}
	}
	return vec3{116*x[1] - 16, 500 * (x[0] - x[1]), 200 * (x[1] - x[2])}
}

// oklab is the linear colour of sRGB at v in OKLab.
//
// Source: https://bottosson.github.io/posts/oklab/
func oklab(v vec3) vec3 {
	lms := matrix{{1, 0.3963377774, 0.2158037573}, {1, -0.1055613458, -0.0638541728}, {1, -0.0894841775, -1.2914855480}}.of(v)
	for i, x := range lms {
		lms[i] = x * x * x
	}
	return matrix{
		{4.0767416621, -3.3077115913, 0.2309699292}, {-1.2684380046, 2.6097574011, -0.3413193965}, {-0.0041960863, -0.7034186147, 1.7076147010},
	}.of(lms)
}

// Colours as seen without one kind of cones, in linear RGB.
//
// Source: Machado, Oliveira, Fernandes: A physiologically-based model for simulation of color vision deficiency, 2009, severity 1
var blindness = map[string]matrix{
	"nothing missing": {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
	"deuteranopia":    {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
	"protanopia":      {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
}

// seen is c in CIELAB as somebody with that blindness sees it.
func seen(c color.NRGBA, by matrix) vec3 {
	v := by.of(linear(c))
	for i := range v {
		v[i] = min(max(v[i], 0), 1)
	}
	return cielab(v)
}

// TestOwnColormaps computes the tables that are ours: in OKLab, ember is lightness that grows evenly with a cubic Bezier curve of a and
// b from violet to amber; BuOr has two straight arms from a light grey.
func TestOwnColormaps(t *testing.T) {
	path := []vec3{{0, 0.060, -0.104}, {0, 0.220, -0.094}, {0, 0.205, 0.110}, {0, -0.004, 0.170}}
	grey, blue, orange := vec3{0.97, 0, 0}, vec3{0.63, -0.045, -0.175}, vec3{0.71, 0.105, 0.138}
	for name, at := range map[string]func(i int) vec3{
		"ember": func(i int) vec3 {
			p, u := slices.Clone(path), float64(i)/255
			for n := len(p) - 1; n > 0; n-- { // de Casteljau
				for k := range n {
					p[k] = p[k].to(p[k+1], u)
				}
			}
			return vec3{0.23 + (0.865-0.23)*u, p[0][1], p[0][2]}
		},
		"BuOr": func(i int) vec3 {
			if u := (float64(i) - 127.5) / 127.5; u < 0 {
				return grey.to(blue, -u)
			} else {
				return grey.to(orange, u)
			}
		},
	} {
		c, err := LookupColormap(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, got := range c.lut {
			lin := oklab(at(i))
			for _, x := range lin {
				if x < 0 || x > 1 {
					t.Fatalf("%s: entry %d is not a colour of the screen: %v", name, i, lin)
				}
			}
			if want := store(lin); want.distance(vec3{float64(got.R), float64(got.G), float64(got.B)}) > 0.9 { // rounding of each channel
				t.Fatalf("%s: entry %d is %v, want %.1f", name, i, got, want)
			}
		}
	}
}

// TestLightness follows L* along the maps that promise to get lighter, also for the colour-blind, and along both arms of BuOr.
func TestLightness(t *testing.T) {
	climbs := func(name string, lut []color.NRGBA, by matrix) {
		t.Helper()
		for i := 1; i < len(lut); i++ {
			// Rounding to 8 bits costs the published tables up to 0.04.
			if a, b := seen(lut[i-1], by)[0], seen(lut[i], by)[0]; b < a-0.05 {
				t.Errorf("%s: L* falls from %.2f to %.2f at %d", name, a, b, i)
				return
			}
		}
	}
	for _, name := range []string{"ember", "inferno", "magma", "plasma", "viridis", "cividis", "gray"} {
		c, _ := LookupColormap(name)
		climbs(name, c.lut[:], blindness["nothing missing"])
	}
	for kind, by := range blindness {
		ember, _ := LookupColormap("ember")
		climbs("ember, "+kind, ember.lut[:], by)
		signed, _ := LookupColormap("BuOr")
		climbs("BuOr below the middle, "+kind, signed.lut[:128], by)
		high := slices.Clone(signed.lut[128:])
		slices.Reverse(high)
		climbs("BuOr above the middle, "+kind, high, by)
	}
	for _, name := range []string{"turbo", "jet"} { // else the test could not fail
		c, _ := LookupColormap(name)
		if slices.IsSortedFunc(c.lut[:], func(a, b color.NRGBA) int {
			return int(10 * (seen(a, blindness["nothing missing"])[0] - seen(b, blindness["nothing missing"])[0]))
		}) {
			t.Errorf("%s gets ever lighter", name)
		}
	}
}

// TestEndsApart measures, in CIELAB, how far the ends of the default maps are from each other, from black and from white, for everybody.
func TestEndsApart(t *testing.T) {
	r := DefaultRender()
	black, white := cielab(vec3{}), cielab(vec3{1, 1, 1})
	for kind, by := range blindness {
		cold, hot := seen(r.Colormap.At(0), by), seen(r.Colormap.At(1), by)
		against, speaksFor := seen(r.Diverging.At(0), by), seen(r.Diverging.At(1), by)
		for name, d := range map[string]float64{
			"cold and hot": cold.distance(hot), "hot and white": hot.distance(white), "hot and black": hot.distance(black),
			"for and against": speaksFor.distance(against), "for and white": speaksFor.distance(white), "for and black": speaksFor.distance(black),
			"against and white": against.distance(white), "against and black": against.distance(black),
		} {
			if d < 55 {
				t.Errorf("%s: %s differ by %.0f, want 55 or more", kind, name, d)
			}
		}
		if hot[0] < 80 {
			t.Errorf("%s: the hot end has L* %.0f, which is not bright on a dark picture", kind, hot[0])
		}
	}
}

func TestColormapsVectors(t *testing.T) {
	var tables map[string][][3]uint8
	readGzipJSON(t, "testdata/colormaps.json.gz", &tables)
	for _, name := range Colormaps() {
		if _, known := tables[name]; !known && name != "ember" && name != "BuOr" {
			t.Errorf("there are no numbers for %s", name)
		}
	}
	for name, want := range tables {
		c, err := LookupColormap(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, rgb := range want {
			v := (float32(i) + 0.5) / 256
			if got := c.At(v); got != (color.NRGBA{rgb[0], rgb[1], rgb[2], 255}) {
				t.Fatalf("%s: entry %d is %v, want %v", name, i, got, rgb)
			}
		}
	}
	if _, err := LookupColormap("turb"); err == nil || !strings.Contains(err.Error(), `"turbo"`) {
		t.Errorf("no suggestion for turb: %v", err)
	}
}

func TestColormapIndex(t *testing.T) {
	c, _ := LookupColormap("gray")
	for v, want := range map[float32]uint8{-1: 0, 0: 0, 0.00390624: 0, 0.00390625: 1, 0.5: 128, 0.999: 255, 1: 255, 7: 255} {
		if got := c.At(v).R; got != want {
			t.Errorf("%g has index %d, want %d", v, got, want)
		}
	}
	nan := float32(math.NaN())
	if got := c.At(nan).R; got != 0 {
		t.Errorf("NaN has index %d, want 0", got)
	}
	if got := c.strength(nan); got != 0 {
		t.Errorf("NaN has strength %g, want 0", got)
	}
}
