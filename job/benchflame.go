package job

import (
	"fmt"
	"hash/fnv"
	"html"
	"io"
	"strings"

	"github.com/gtk-onnx/gtk/internal/units"
)

// Sizes of a flame chart in pixels: its width, the height of a row, the width of a character, and the least width of a box.
const (
	flameWidth = 1200.0
	flameRow   = 18
	flameChar  = 6.6
	flameLeast = 0.25
)

// flame is a box of a flame chart: as wide as its time, over the boxes that the time goes to.
type flame struct {
	name, more string
	ms         float64
	parts      []*flame
	at         map[string]*flame
}

// part is the box of that name over f, made where there is none.
func (f *flame) part(name string) *flame {
	if c := f.at[name]; c != nil {
		return c
	}
	c := &flame{name: name}
	if f.at == nil {
		f.at = map[string]*flame{}
	}
	f.at[name] = c
	f.parts = append(f.parts, c)
	return c
}

// flameOf is the tree of a profile: the pass, the parts of each node's name, its operator.
func flameOf(r *BenchReport) *flame {
	root := &flame{name: r.Mode}
	add := func(c Cost, more string, path ...string) {
		root.ms += c.Ms
		f := root
		for _, name := range path {
			f = f.part(name)
			f.ms += c.Ms
		}
		f.more = more
	}
	for _, n := range r.Nodes {
		pass := "forward"
		if n.Gradient {
			pass = "backward"
		}
		path := append([]string{pass}, strings.FieldsFunc(n.Name, func(c rune) bool { return c == '/' })...)
		if last := path[len(path)-1]; last != n.Op {
			path = append(path, n.Op)
		}
		more := fmt.Sprintf("shape %v, %s MiB", n.Shape, units.Significant(float64(n.MiB)))
		if n.GFLOPS > 0 {
			more += fmt.Sprintf(", %s GFLOP/s", units.Significant(float64(n.GFLOPS)))
		}
		if n.OfLimit > 0 {
			more += fmt.Sprintf(", %s %% of the limit", units.Significant(float64(n.OfLimit)))
		}
		add(n.Cost, more, path...)
	}
	for _, p := range r.Profile {
		if p.Op == optimizerRow {
			add(p.Cost, "", "optimizer")
		}
	}
	return root
}

// depth is the number of rows of f.
func (f *flame) depth() int {
	most := 0
	for _, p := range f.parts {
		most = max(most, p.depth())
	}
	return 1 + most
}

// writeFlame writes where the time of a profile goes as an SVG flame chart: what belongs together stands together, widths are times, the
// whole is above.
func writeFlame(w io.Writer, r *BenchReport) error {
	root := flameOf(r)
	var b strings.Builder
	height := (root.depth() + 1) * flameRow
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %d" width="%[1]g" height="%[2]d" `+
		`font-family="monospace" font-size="11">`+"\n", flameWidth, height)
	fmt.Fprintf(&b, "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n<text x=\"4\" y=\"13\">%s</text>\n",
		html.EscapeString(fmt.Sprintf(
			"%s: %s, batch %d, threads %d, %s: %s ms", r.Model, r.Mode, r.Batch, r.Threads, r.ISA, units.Significant(root.ms))))
	scale := flameWidth / max(root.ms, 1e-9)
	var draw func(f *flame, x float64, row int)
	draw = func(f *flame, x float64, row int) {
		width := f.ms * scale
		if width < flameLeast {
			return
		}
		h := fnv.New32a()
		h.Write([]byte(f.name))
		tip := fmt.Sprintf("%s: %.3f ms, %.1f %%", f.name, f.ms, 100*f.ms/max(root.ms, 1e-9))
		if f.more != "" {
			tip += ", " + f.more
		}
		label := ""
		if n := int((width - 6) / flameChar); n >= 3 {
			label = f.name
			if c := []rune(label); len(c) > n {
				label = string(c[:n-1]) + "…"
			}
		}
		fmt.Fprintf(&b, "<g><title>%s</title><rect x=\"%.2f\" y=\"%d\" width=\"%.2f\" height=\"%d\" fill=\"hsl(%d,70%%,72%%)\" stroke=\"#fff\"/>"+
			"<text x=\"%.2f\" y=\"%d\">%s</text></g>\n", html.EscapeString(tip), x, row*flameRow, width, flameRow, h.Sum32()%360, x+3,
			row*flameRow+13, html.EscapeString(label))
		for _, p := range f.parts {
			draw(p, x, row+1)
			x += p.ms * scale
		}
	}
	draw(root, 0, 1)
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}
