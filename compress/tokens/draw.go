package tokens

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/internal/report"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

// drawn is how many examples are drawn.
const drawn = 8

// examplesOf are batches of n examples.
func examplesOf(ctx context.Context, w *work, n int) (out []*data.Batch, err error) {
	err = w.s.Examples(ctx, n, func(b *data.Batch) error {
		out = append(out, b)
		return nil
	})
	return out, err
}

// grid is how the patches lie in the picture, rows and columns: as in what the first convolution gives, else a square; 0 where neither is.
func (t *ViT) grid() (h, w int) {
	n := t.Tokens - t.Prefix
	for _, node := range t.v.g.GetNode() {
		if s := t.v.shapes[node.GetOutput()[0]]; node.GetOpType() == "Conv" && len(s) == 4 && s[2]*s[3] == n {
			return s[2], s[3]
		}
	}
	if r := int(math.Sqrt(float64(n))); r*r == n {
		return r, r
	}
	return 0, 0
}

// strip is an example: the picture, and after some layers what its patches became. A patch that was left out is pale, patches that were
// merged have one colour, and lines are between what are different tokens.
type strip struct {
	views  []image.Image
	titles []string
	left   int // tokens at the end
}

// draw draws examples.
func (w *work) draw(ctx context.Context, file *onnx.Model, s Schedule, way Way) ([]strip, error) {
	if w.s.Data == nil || w.s.Feed == nil {
		return nil, nil
	}
	gh, gw := w.t.grid()
	if gh == 0 {
		return nil, nil
	}
	var out []strip
	err := w.follow(ctx, file, s, way, drawn, func(x *tensor.Tensor, b int, fates []fate) error {
		img, ok := picture(x, b, w.s.Pre)
		if !ok || len(fates) == 0 {
			return nil
		}
		at := []int{0, len(fates) / 2, len(fates) - 1}
		st := strip{views: []image.Image{enlarged(img, gh, gw)}, titles: []string{"the picture"}}
		for _, k := range slices.Compact(at) {
			f := fates[k]
			st.views = append(st.views, patched(img, f.groups, gh, gw))
			st.titles = append(st.titles, fmt.Sprintf("after layer %d: %s", f.layer+1, units.Plural(len(f.groups), "token")))
			st.left = len(f.groups)
		}
		out = append(out, st)
		return nil
	})
	return out, err
}

// picture is example b of a batch [N,C,H,W] or [N,H,W,C] as people see it; false where it is none.
func picture(x *tensor.Tensor, b int, pre *data.Preprocess) (*image.NRGBA, bool) {
	s := x.Shape()
	if len(s) != 4 {
		return nil, false
	}
	c, h, w, nhwc := s[1], s[2], s[3], false
	if pre != nil && pre.Layout == "nhwc" || c != 1 && c != 3 {
		c, h, w, nhwc = s[3], s[1], s[2], true
	}
	if c != 1 && c != 3 {
		return nil, false
	}
	f, err := x.Convert(tensor.Float32)
	if err != nil {
		return nil, false
	}
	v := f.F32()[b*c*h*w : (b+1)*c*h*w]
	scale, of := 1/255.0, func(v []float64, k int, otherwise float64) float64 {
		if len(v) == 0 {
			return otherwise
		}
		return v[min(k, len(v)-1)]
	}
	var mean, std []float64
	if pre != nil {
		mean, std = pre.Mean, pre.Std
		if pre.Scale != 0 {
			scale = pre.Scale
		}
	}
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for i := range w {
			var p [3]uint8
			for k := range 3 {
				ch := min(k, c-1)
				from := ch
				if pre != nil && pre.Channels == "bgr" {
					from = c - 1 - ch
				}
				at := (from*h+y)*w + i
				if nhwc {
					at = (y*w+i)*c + from
				}
				p[k] = uint8(min(255, max(0, (float64(v[at])*of(std, from, 1)+of(mean, from, 0))/scale+0.5)))
			}
			img.SetNRGBA(i, y, color.NRGBA{p[0], p[1], p[2], 255})
		}
	}
	return img, true
}

// side is how many pixels a patch has at least in drawings.
func side(img *image.NRGBA, gh, gw int) (ph, pw int) {
	b := img.Bounds()
	ph, pw = max(1, b.Dy()/gh), max(1, b.Dx()/gw)
	k := max(1, (20+min(ph, pw)-1)/min(ph, pw))
	return ph * k, pw * k
}

// enlarged is img in the size of the drawings.
func enlarged(img *image.NRGBA, gh, gw int) *image.NRGBA {
	ph, pw := side(img, gh, gw)
	out := image.NewNRGBA(image.Rect(0, 0, gw*pw, gh*ph))
	b := img.Bounds()
	for y := range gh * ph {
		for x := range gw * pw {
			out.SetNRGBA(x, y, img.NRGBAAt(x*b.Dx()/(gw*pw), y*b.Dy()/(gh*ph)))
		}
	}
	return out
}

// patched is img with what became of its patches.
func patched(img *image.NRGBA, groups [][]int, gh, gw int) *image.NRGBA {
	out := enlarged(img, gh, gw)
	ph, pw := side(img, gh, gw)
	of := make([]int, gh*gw) // the group of a patch, from one
	colour := make([][3]float64, len(groups)+1)
	for g, patches := range groups {
		for _, p := range patches {
			of[p] = g + 1
			for y := range ph {
				for x := range pw {
					c := out.NRGBAAt(p%gw*pw+x, p/gw*ph+y)
					for k, v := range [3]uint8{c.R, c.G, c.B} {
						colour[g+1][k] += float64(v) / float64(ph*pw*len(patches))
					}
				}
			}
		}
	}
	for y := range gh * ph {
		for x := range gw * pw {
			p := y/ph*gw + x/pw
			c := out.NRGBAAt(x, y)
			mix := func(v uint8, to, share float64) uint8 { return uint8(float64(v)*(1-share) + to*share + 0.5) }
			switch g := of[p]; {
			case g == 0:
				grey := 0.3*float64(c.R) + 0.59*float64(c.G) + 0.11*float64(c.B)
				c = color.NRGBA{mix(uint8(grey), 255, 0.8), mix(uint8(grey), 255, 0.8), mix(uint8(grey), 255, 0.8), 255}
			case len(groups[g-1]) > 1:
				m := colour[g]
				c = color.NRGBA{mix(c.R, m[0], 0.75), mix(c.G, m[1], 0.75), mix(c.B, m[2], 0.75), 255}
			}
			other := func(q int, inside bool) bool { return inside && of[q] != of[p] }
			if other(p-1, x%pw == 0 && x > 0) || other(p-gw, y%ph == 0 && y > 0) {
				c = color.NRGBA{255, 255, 255, 255}
			}
			out.SetNRGBA(x, y, c)
		}
	}
	return out
}

// beside is the views of a strip as one picture.
func (s strip) beside() *image.NRGBA {
	const gap = 6
	w, h := -gap, 0
	for _, v := range s.views {
		w, h = w+v.Bounds().Dx()+gap, max(h, v.Bounds().Dy())
	}
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	x := 0
	for _, v := range s.views {
		b := v.Bounds()
		for y := range b.Dy() {
			for i := range b.Dx() {
				out.Set(x+i, y, v.At(i, y))
			}
		}
		x += b.Dx() + gap
	}
	return out
}

// write writes the page and the pictures.
func (w *work) write(strips []strip) func(put func(string, func(io.Writer) error) error) error {
	r := w.page(strips)
	return func(put func(string, func(io.Writer) error) error) error {
		for i, s := range strips {
			if err := put(fmt.Sprintf("tokens-%d.png", i+1), func(f io.Writer) error { return png.Encode(f, s.beside()) }); err != nil {
				return err
			}
		}
		return put("report.html", r.Write)
	}
}

// page is what there is to look at.
func (w *work) page(strips []strip) *report.Report {
	t, r := w.t, w.r
	p := report.New("Fewer tokens", fmt.Sprintf("%s. %s of the operations are left.", strings.ToUpper(t.String()[:1])+t.String()[1:],
		units.Percent(r.Share)))
	s := p.Section("Tokens after each layer", "How many tokens are left after each attention layer, those in front counted.")
	after, pruned := report.Series{Name: "left"}, report.Series{Name: "before merging"}
	rows, have := [][]report.Cell{}, t.Tokens
	merges := false
	for i, k := range r.Kept {
		x := float64(i + 1)
		after.X, after.Y = append(after.X, x), append(after.Y, float64(k.Merge))
		pruned.X, pruned.Y = append(pruned.X, x), append(pruned.Y, float64(k.Prune))
		merges = merges || k.Merge < k.Prune
		rows = append(rows, []report.Cell{report.Num(x, 0), report.Num(float64(have), 0), report.Num(float64(have-k.Prune), 0),
			report.Num(float64(k.Prune-k.Merge), 0), report.Num(float64(k.Merge), 0)})
		have = k.Merge
	}
	chart := report.LineChart{XLabel: "attention layer", YLabel: "tokens", Series: []report.Series{after}}
	if merges {
		chart.Series = append(chart.Series, pruned)
	}
	s.Add(chart, report.Table{Head: []string{"layer", "tokens in", "left out", "merged", "tokens out"}, Numeric: []int{0, 1, 2, 3, 4},
		Rows: rows})
	if len(r.Curve) > 1 {
		loss, share := report.Series{Name: "loss"}, report.Series{Name: "share of the operations"}
		for _, c := range r.Curve {
			loss.X, loss.Y = append(loss.X, float64(c.Step)), append(loss.Y, c.Loss)
			share.X, share.Y = append(share.X, float64(c.Step)), append(share.Y, c.Share)
		}
		p.Section("The search", "").Add(report.Columns{
			report.LineChart{Title: "loss", XLabel: "step", Series: []report.Series{loss}},
			report.LineChart{Title: "operations that are left", XLabel: "step", Series: []report.Series{share}},
		})
	}
	if len(strips) > 0 {
		g := p.Section("What became of the patches", "Pale patches were left out. Patches that were merged have one colour. Lines are between "+
			"what are different tokens.")
		for i, st := range strips {
			var figures []report.Figure
			for k, v := range st.views {
				figures = append(figures, report.Figure{Image: v, Alt: st.titles[k], Caption: st.titles[k]})
			}
			g.Add(report.Gallery{Caption: fmt.Sprintf("example %d", i+1), Width: 200, Figures: figures})
		}
	}
	return p
}
