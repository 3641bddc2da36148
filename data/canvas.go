package data

import (
	"math"

	"github.com/gtk-onnx/gtk/tensor"
)

// rgb is a colour, each channel 0 to 1.
type rgb [3]float64

func (a rgb) mix(b rgb, t float64) rgb {
	for k := range a {
		a[k] += (b[k] - a[k]) * t
	}
	return a
}

// hsv is a colour by hue (in turns), saturation and value.
func hsv(h, s, v float64) rgb {
	h -= math.Floor(h)
	var c rgb
	for k, shift := range []float64{5, 3, 1} {
		p := math.Mod(shift+6*h, 6)
		c[k] = v - v*s*max(0, min(p, 4-p, 1))
	}
	return c
}

// distance is a signed distance to the edge of a figure, negative inside, in units of the side of the picture.
type distance func(x, y float64) float64

// placed is f, defined around 0,0 at size 1 with y downwards, moved, scaled and turned.
func placed(f distance, cx, cy, size, angle float64) distance {
	sin, cos := math.Sincos(angle)
	return func(x, y float64) float64 {
		x, y = (x-cx)/size, (y-cy)/size
		return f(cos*x+sin*y, cos*y-sin*x) * size
	}
}

// shapeDistance is the figures by class, all within the unit circle.
var shapeDistance = map[string]distance{
	"circle":   func(x, y float64) float64 { return math.Hypot(x, y) - 0.9 },
	"square":   func(x, y float64) float64 { return boxDistance(x, y, 0.74, 0.74) },
	"triangle": polygon(corners(3, 1, 1)),
	"star":     polygon(corners(5, 1, 0.42)),
	"cross":    func(x, y float64) float64 { return min(boxDistance(x, y, 0.95, 0.3), boxDistance(x, y, 0.3, 0.95)) },
	"ring":     func(x, y float64) float64 { return math.Abs(math.Hypot(x, y)-0.7) - 0.22 },
	"heart":    heart,
	"moon": func(x, y float64) float64 {
		return max(math.Hypot(x, y)-0.95, 0.8-math.Hypot(x-0.5, y))
	},
}

func boxDistance(x, y, hw, hh float64) float64 {
	dx, dy := math.Abs(x)-hw, math.Abs(y)-hh
	return math.Hypot(max(dx, 0), max(dy, 0)) + min(max(dx, dy), 0)
}

// heart is two circles above a right angle.
func heart(x, y float64) float64 {
	x = math.Abs(x)
	y = 0.62 - 0.85*y // upwards, tip at 0
	x *= 0.85
	if x+y > 1 {
		return (math.Hypot(x-0.25, y-0.75) - math.Sqrt2/4) / 0.85
	}
	m := 0.5 * max(x+y, 0)
	d := math.Min(math.Hypot(x, y-1), math.Hypot(x-m, y-m))
	if x < y {
		d = -d
	}
	return d / 0.85
}

// corners is those of a star of n points with outer and inner radius; a polygon of n corners when they are equal.
func corners(n int, outer, inner float64) [][2]float64 {
	var p [][2]float64
	for i := range n {
		for k, r := range []float64{outer, inner} {
			if k == 1 && inner == outer {
				break
			}
			sin, cos := math.Sincos(2*math.Pi*(float64(i)+float64(k)/2)/float64(n) - math.Pi/2)
			p = append(p, [2]float64{r * cos, r * sin})
		}
	}
	return p
}

// polygon is the exact signed distance to a closed line.
func polygon(p [][2]float64) distance {
	return func(x, y float64) float64 {
		best, inside := math.Inf(1), false
		for i, a := range p {
			b := p[(i+1)%len(p)]
			ex, ey, wx, wy := b[0]-a[0], b[1]-a[1], x-a[0], y-a[1]
			t := min(max((wx*ex+wy*ey)/(ex*ex+ey*ey), 0), 1)
			best = min(best, math.Hypot(wx-ex*t, wy-ey*t))
			if (a[1] > y) != (b[1] > y) && x < ex*(y-a[1])/ey+a[0] {
				inside = !inside
			}
		}
		if inside {
			return -best
		}
		return best
	}
}

// canvas is a square picture in floating point.
type canvas struct {
	size int
	pix  []rgb
}

func newCanvas(size int) *canvas { return &canvas{size, make([]rgb, size*size)} }

// each calls paint for the centre of every pixel, 0 to 1.
func (c *canvas) each(paint func(p *rgb, x, y float64)) {
	for i := range c.pix {
		paint(&c.pix[i], (float64(i%c.size)+0.5)/float64(c.size), (float64(i/c.size)+0.5)/float64(c.size))
	}
}

// coverage is how much of a pixel lies inside, by its signed distance: antialiasing over one pixel.
func (c *canvas) coverage(d float64) float64 { return min(max(0.5-d*float64(c.size), 0), 1) }

// background paints one of five textures in two muted tones of a hue.
func (c *canvas) background(r random, hue float64) {
	a := hsv(hue+r.between(-0.05, 0.05), r.between(0.1, 0.35), r.between(0.25, 0.85))
	b := hsv(hue+r.between(-0.12, 0.12), r.between(0.1, 0.4), min(1, max(0.15, a[0]+r.between(-0.25, 0.25))))
	sin, cos := math.Sincos(r.between(0, 2*math.Pi))
	period, phase := r.between(0.08, 0.25), r.float()
	noise := newValueNoise(r)
	kind := r.intn(5)
	edge := func(v float64) float64 { // 0..1 across a border of one pixel, v in periods
		return min(max(0.5+v*period*float64(c.size), 0), 1)
	}
	triangle := func(v float64) float64 { return 0.25 - math.Abs(v-math.Floor(v)-0.5) } // zero crossings at quarter periods
	c.each(func(p *rgb, x, y float64) {
		u, v := (cos*x+sin*y)/period+phase, (cos*y-sin*x)/period+phase
		var t float64
		switch kind {
		case 0: // gradient
			t = 0.5 + 0.6*(cos*(x-0.5)+sin*(y-0.5))
		case 1: // clouds
			t = noise.at(3*x, 3*y)*0.6 + noise.at(7*x+9, 7*y+5)*0.4
		case 2: // stripes
			t = edge(triangle(u))
		case 3: // checks
			s := edge(triangle(u / 1.5))
			q := edge(triangle(v / 1.5))
			t = s + q - 2*s*q
		default: // dots
			du, dv := u-math.Floor(u)-0.5, v-math.Floor(v)-0.5
			t = edge(0.28 - math.Hypot(du, dv))
		}
		t = 0.85*t + 0.15*noise.at(5*x+3, 5*y+1)
		*p = a.mix(b, min(max(t, 0), 1))
	})
}

// valueNoise is smooth noise from random values on a grid of 16×16 that repeats.
type valueNoise [256]float64

func newValueNoise(r random) *valueNoise {
	var n valueNoise
	for i := range n {
		n[i] = r.float()
	}
	return &n
}

func (n *valueNoise) at(x, y float64) float64 {
	fx, fy := math.Floor(x), math.Floor(y)
	i, j := int(fx), int(fy)
	x, y = x-fx, y-fy
	x, y = x*x*(3-2*x), y*y*(3-2*y)
	v := func(i, j int) float64 { return n[(j&15)<<4|i&15] }
	top := v(i, j) + (v(i+1, j)-v(i, j))*x
	bottom := v(i, j+1) + (v(i+1, j+1)-v(i, j+1))*x
	return top + (bottom-top)*y
}

// distractor paints a line, an arc or a small blob, which belong to no class.
func (c *canvas) distractor(r random) {
	colour := hsv(r.float(), r.between(0.2, 0.8), r.between(0.3, 1))
	opacity := r.between(0.45, 0.9)
	x0, y0 := r.float(), r.float()
	var f distance
	switch r.intn(3) {
	case 0:
		sin, cos := math.Sincos(r.between(0, 2*math.Pi))
		l, w := r.between(0.15, 0.4), r.between(0.006, 0.014)
		f = func(x, y float64) float64 {
			x, y = x-x0, y-y0
			t := min(max(x*cos+y*sin, 0), l)
			return math.Hypot(x-t*cos, y-t*sin) - w
		}
	case 1:
		radius, from, w := r.between(0.08, 0.25), r.between(0, 2*math.Pi), r.between(0.006, 0.012)
		sin, cos := math.Sincos(from)
		f = func(x, y float64) float64 {
			x, y = x-x0, y-y0
			d := math.Abs(math.Hypot(x, y)-radius) - w
			return max(d, -(x*cos + y*sin)) // half of the circle
		}
	default:
		rx, ry := r.between(0.015, 0.035), r.between(0.015, 0.035)
		f = func(x, y float64) float64 {
			return (math.Hypot((x-x0)/rx, (y-y0)/ry) - 1) * min(rx, ry)
		}
	}
	c.each(func(p *rgb, x, y float64) { *p = p.mix(colour, opacity*c.coverage(f(x, y))) })
}

// shadow darkens softly below and to the right of f.
func (c *canvas) shadow(f distance, strength float64) {
	const blur = 0.05
	c.each(func(p *rgb, x, y float64) {
		t := min(max(0.5-f(x-0.02, y-0.03)/blur, 0), 1)
		*p = p.mix(rgb{0, 0, 0}, strength*t*t*(3-2*t))
	})
}

// solid paints f with a fill that is lit from one side and a thin border; its mask, uint8 [H,W], is 1 where at least half of
// the pixel is covered.
func (c *canvas) solid(f distance, fill, border rgb, light float64) *tensor.Tensor {
	mask := tensor.New(tensor.Uint8, c.size, c.size)
	line := max(1/float64(c.size), 0.014)
	i := 0
	c.each(func(p *rgb, x, y float64) {
		d := f(x, y)
		cover := c.coverage(d)
		if cover >= 0.5 {
			mask.Bytes()[i] = 1
		}
		i++
		if cover == 0 {
			return
		}
		t := 0.35 * (light*(x-0.5) + 0.5 - y)
		lit := fill.mix(rgb{1, 1, 1}, max(t, 0)).mix(rgb{0, 0, 0}, max(-t, 0))
		lit = border.mix(lit, c.coverage(d+line))
		*p = p.mix(lit, cover)
	})
	return mask
}

// grain adds a little noise.
func (c *canvas) grain(r random, amount float64) {
	for i := range c.pix {
		g := amount * (r.float() + r.float() - 1)
		for k := range c.pix[i] {
			c.pix[i][k] += g
		}
	}
}

// picture is the canvas as uint8 [3,H,W].
func (c *canvas) picture() *tensor.Tensor {
	t := tensor.New(tensor.Uint8, 3, c.size, c.size)
	n := len(c.pix)
	for i, p := range c.pix {
		for k, v := range p {
			t.Bytes()[k*n+i] = uint8(min(max(v, 0), 1)*255 + 0.5)
		}
	}
	return t
}
