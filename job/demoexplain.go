package job

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"path/filepath"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/explain"
	"github.com/gtk-onnx/gtk/internal/report"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/tensor"
)

// demoPictures is how many pictures the demo explains.
const demoPictures = 6

func (d *demo) explainStep(ctx context.Context, s *DemoStep) error {
	ds, err := data.Open("shapes#test", data.Options{Classes: d.shapes.Labels})
	if err != nil {
		return err
	}
	var requests []explain.Request
	for _, w := range []string{"gradient", "gradcam", "normgrad", "smooth-gradcam++:n=10"} {
		q, err := explain.ParseRequest(w)
		if err != nil {
			return err
		}
		requests = append(requests, q)
	}
	x, err := explain.New(d.shapes.Model, explain.Config{Requests: requests, Labels: d.shapes.Labels, Seed: d.c.Seed})
	if err != nil {
		return err
	}
	pictures, err := data.Subset(ds, onePerClass(ds, demoPictures))
	if err != nil {
		return err
	}
	var images []explain.Image
	var inputs *tensor.Tensor
	for b, err := range data.Batches(ctx, pictures, data.Sequential(pictures.Len()), 0, data.BatchOptions{Preprocess: d.shapes.Pre}) {
		if err != nil {
			return err
		}
		inputs = b.X.Clone()
		if images, err = x.Explain(ctx, map[string]*tensor.Tensor{d.shapes.Inputs()[0].Name: inputs}); err != nil {
			return err
		}
	}
	e := &demoExplanation{d: d, render: explain.DefaultRender(), ds: pictures, inside: map[string]float64{}, area: 0}
	if err := e.write(images); err != nil {
		return err
	}
	s.Command = "gtk explain shapes.onnx --data shapes#test --method gradient,gradcam,normgrad,smooth-gradcam++ -o explain"
	s.Says = fmt.Sprintf("%d maps; the shape covers %s of a picture and holds %s of the heat of %s", len(images)*len(requests),
		units.Percent(e.area), units.Percent(e.inside[e.best()]), e.best())
	s.Values["maps"], s.Values["inside"], s.Values["area"] = len(images)*len(requests), e.inside, e.area
	return nil
}

// onePerClass is the index of the first example of each of the first n classes.
func onePerClass(ds data.Dataset, n int) []int {
	var out []int
	seen := map[int]bool{}
	for i := range ds.Len() {
		if y := ds.Label(i); !seen[y] && len(out) < n {
			seen[y] = true
			out = append(out, i)
		}
	}
	return out
}

// demoExplanation writes the maps of the demo and compares them with the true masks.
type demoExplanation struct {
	d      *demo
	render explain.Render
	ds     data.Dataset
	inside map[string]float64 // by method: mean share of the heat that lies in the shape
	area   float64            // mean share of the picture that the shape covers
}

// best is the method with the largest share of heat inside.
func (e *demoExplanation) best() string {
	best := ""
	for _, m := range []string{"gradient", "gradcam", "normgrad", "smooth-gradcam++"} {
		if best == "" || e.inside[m] > e.inside[best] {
			best = m
		}
	}
	return best
}

func (e *demoExplanation) write(images []explain.Image) error {
	w := &explain.Writer{Dir: filepath.Join(e.d.dir, "explain"), PNG: true, NPY: true, Force: true, Render: e.render, Model: "shapes.onnx"}
	section := e.d.page.Section("Explain",
		"Where the network looks. The second column is the truth: the program drew the picture and knows where the shape is. Move the switch "+
			"from picture to map.")
	facts := len(images)
	for i, img := range images {
		ex, err := e.ds.Example(i)
		if err != nil {
			return err
		}
		base, err := data.ToImage(ex.X)
		if err != nil {
			return err
		}
		if _, err := w.Write(explain.Item{Name: fmt.Sprintf("%02d-%s", i, e.ds.Classes()[ex.Label]), Base: base, Result: img}); err != nil {
			return err
		}
		row := report.MapRow{Label: fmt.Sprintf("%s, %s", img.Top[0].Name(), units.Percent(img.Top[0].Prob))}
		grid := report.Maps{Base: base, Alpha: e.render.Overlay.Alpha, Columns: []string{"truth"}}
		truth, area := maskPicture(ex.Mask)
		e.area += area / float64(facts)
		row.Maps = append(row.Maps, report.Map{Image: truth, Alt: "the true mask", Caption: fmt.Sprintf("%.0f %% of the picture", 100*area)})
		for _, m := range img.Maps {
			share := insideShare(m, ex.Mask)
			e.inside[m.Base] += share / float64(facts)
			grid.Columns = append(grid.Columns, m.Base)
			row.Maps = append(row.Maps, report.Map{Image: e.render.Layer(m), Alt: m.Method, Caption: fmt.Sprintf("%.0f %% inside", 100*share)})
		}
		grid.Rows = []report.MapRow{row}
		section.Add(grid)
	}
	t := report.Table{Caption: "Share of the heat that lies inside the true shape, mean over the pictures", Head: []string{"Method", "Inside"}}
	t.Rows = append(t.Rows, []report.Cell{report.C("a map without a preference"), report.Percent(e.area)})
	for _, m := range []string{"gradient", "gradcam", "normgrad", "smooth-gradcam++"} {
		t.Rows = append(t.Rows, []report.Cell{{Text: m, Code: true}, report.Percent(e.inside[m])})
	}
	section.Add(t)
	return nil
}

// maskPicture is the mask in white on black, and the share of it that is set.
func maskPicture(mask *tensor.Tensor) (image.Image, float64) {
	h, w := mask.Dim(0), mask.Dim(1)
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	n := 0
	for i, v := range mask.Bytes() {
		c := color.NRGBA{20, 20, 24, 255}
		if v != 0 {
			c = color.NRGBA{255, 255, 255, 255}
			n++
		}
		img.SetNRGBA(i%w, i/w, c)
	}
	return img, float64(n) / float64(h*w)
}

// insideShare is the share of the positive part of a map, at the size of the input, that lies where mask is set.
func insideShare(m explain.Map, mask *tensor.Tensor) float64 {
	in, all := 0.0, 0.0
	for i, v := range m.Up {
		if v <= 0 {
			continue
		}
		all += float64(v)
		if mask.Bytes()[i] != 0 {
			in += float64(v)
		}
	}
	if all == 0 {
		return 0
	}
	return in / all
}
