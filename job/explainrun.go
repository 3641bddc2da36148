package job

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/explain"
	"github.com/gtk-onnx/gtk/internal/report"
)

// mostShown is how many inputs report.html and panel.png show: more would be no page that a browser opens. Maps are written of all.
const mostShown = 100

// explainAll makes and writes the maps, one input after another; inputs of different shape have an explainer each. Of an input only what
// the page shows is kept.
func explainAll(ctx context.Context, c ExplainConfig, l *Model, cfg explain.Config, in *explained, r *ExplainReport, rep Reporter) error {
	render := explain.DefaultRender()
	if c.Render != nil {
		render = *c.Render
	}
	folder, err := newResults(c.Out)
	if err != nil {
		return err
	}
	defer folder.Discard()
	w := &explain.Writer{
		Dir: folder.Path, As: c.Out, PNG: true, NPY: true, JSON: c.MapJSON, Force: c.Force, Render: render, Model: filepath.Base(l.Path),
		Details: map[string]any{"seed": c.Seed},
	}
	var items []explain.Item
	score := ""
	explainers := map[string]*explain.Explainer{}
	bar := rep.Stage("explain", in.n)
	defer bar.End()
	for p, err := range in.each {
		if err != nil {
			return err
		}
		var shapes []string
		for name, t := range p.feeds {
			shapes = append(shapes, fmt.Sprint(name, t.Shape()))
		}
		slices.Sort(shapes)
		key := strings.Join(shapes, " ")
		x := explainers[key]
		if x == nil {
			if x, err = explain.New(l.Model, cfg); err != nil {
				return badInput(err)
			}
			explainers[key] = x
		}
		images, err := x.Explain(ctx, p.feeds)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		it, err := in.item(p, x.Input(), images[0])
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		shown := it.Name
		it.Name = p.name
		written, err := w.Write(it)
		if err != nil {
			return err
		}
		r.Maps = append(r.Maps, written...)
		if it.Name = shown; len(items) < mostShown {
			items = append(items, it.Reduced())
		}
		r.Images = append(r.Images, ExplainedInput{p.name, images[0].Top[:min(5, len(images[0].Top))], p.truth})
		r.Layers, r.Objective = append([]string{}, x.Layers()...), x.Objective()
		switch r.Objective {
		case explain.ExpressionOf:
			r.Score, score = cfg.Objective.Expression, "formula, "+cfg.Objective.Expression
		case explain.OutputValue:
			r.Score, score = "value", fmt.Sprintf("value, tensor %q", x.Head().Logits)
		default:
			r.Score, score = string(cfg.Score), fmt.Sprintf("%s, tensor %q", cfg.Score, x.Head().Logits)
			if a := x.Head().Activation; a != "" {
				score += " before " + a
			}
		}
		bar.Set(len(r.Images), p.name)
	}
	if n := len(r.Images); n > len(items) {
		in.note(fmt.Sprintf("report.html shows the first %d of %d inputs; the pictures and maps of all are beside it", len(items), n))
	}
	if err := folder.replay(c.Replay); err != nil {
		return err
	}
	if err := writePage(c, folder, l, in, r, w, items, score); err != nil {
		return err
	}
	return folder.Commit(filepath.Base(r.Report))
}

// writePage writes report.html and, if wanted, panel.png.
func writePage(c ExplainConfig, to *results, l *Model, in *explained, r *ExplainReport, w *explain.Writer, items []explain.Item,
	score string) error {
	if c.Panel {
		panel, err := w.Render.Panel(items)
		if err != nil {
			return err
		}
		if r.Panel, err = w.Panel("panel", panel); err != nil {
			return err
		}
	}
	settings := []report.Setting{{Name: "model", Value: filepath.Base(l.Path)}, {Name: "seed", Value: fmt.Sprint(c.Seed)}}
	if l.Pre != nil {
		settings = append(settings, report.Setting{Name: "preprocessing", Value: l.Pre.String()})
	}
	page, err := w.Render.Page(items, explain.PageInfo{
		Title: strings.TrimSuffix(filepath.Base(l.Path), ".onnx"), Kicker: "gtk explain",
		Footer: "Made by gtk explain. The raw maps are in the .npy files beside this page.",
		Input:  in.io.String(), Score: score, Settings: settings, Warnings: r.Notes,
	})
	if err != nil {
		return err
	}
	r.Report = filepath.Join(c.Out, "report.html")
	return to.write(r.Report, page.Write)
}
