package job

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/internal/report"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/prune"
	"github.com/gtk-onnx/gtk/train"
)

// DemoConfig says where the demo writes.
type DemoConfig struct {
	Out     string // folder; "" means gtk-demo
	Force   bool   // write into a folder that is not empty
	Threads int    // 0 means all processors
	Seed    uint64
}

// DemoReport is what the demo did.
type DemoReport struct {
	Schema  string     `json:"schema"`
	Out     string     `json:"out"`
	Steps   []DemoStep `json:"steps"`
	Report  string     `json:"report"`
	Seconds float64    `json:"seconds"`
}

// DemoStep is one chapter of the demo.
type DemoStep struct {
	Name    string         `json:"name"`
	Seconds float64        `json:"seconds"`
	Says    string         `json:"says"`
	Command string         `json:"command"` // that does the same
	Values  map[string]any `json:"values,omitempty"`
}

// demo is a run of the whole story.
type demo struct {
	c      DemoConfig
	rep    Reporter
	dir    string
	page   *report.Report
	shapes *Model
	digits *Model // trained by the demo
	r      DemoReport
}

// Demo tells the whole story on built-in data, offline: it imports, evaluates, fine-tunes, explains, finds planted label errors and
// exports, and writes report.html.
func Demo(ctx context.Context, c DemoConfig, rep Reporter) (*DemoReport, error) {
	c.Out = cmp.Or(c.Out, "gtk-demo")
	d := &demo{c: c, rep: orQuiet(rep), dir: c.Out, page: report.New("What gtk does", ""), r: DemoReport{Schema: "gtk.demo/1", Out: c.Out}}
	release, err := claim(nil, output{flag: "--out", path: d.dir, folder: true, force: c.Force})
	if err != nil {
		return nil, err
	}
	defer release()
	start := time.Now()
	// The page opens with an overview that is known at the end.
	overview := d.page.Section("", "")
	for _, s := range []struct {
		name string
		run  func(ctx context.Context, s *DemoStep) error
	}{
		{"import", d.importStep}, {"eval", d.evalStep}, {"finetune", d.finetuneStep}, {"explain", d.explainStep},
		{"prune-data", d.pruneStep}, {"export", d.exportStep},
	} {
		begin := time.Now()
		step := DemoStep{Name: s.name, Values: map[string]any{}}
		if err := s.run(ctx, &step); err != nil {
			return nil, fmt.Errorf("demo: %s: %w", s.name, err)
		}
		step.Seconds = time.Since(begin).Seconds()
		d.r.Steps = append(d.r.Steps, step)
		d.rep.Say(fmt.Sprintf("%-11s %5.1f s  %s", step.Name, step.Seconds, step.Says))
	}
	d.r.Seconds = time.Since(start).Seconds()
	d.r.Report = filepath.Join(d.dir, "report.html")
	d.overview(overview)
	if err := WriteFile(d.r.Report, d.page.Write); err != nil {
		return nil, err
	}
	return &d.r, nil
}

// overview fills the first section. The page holds no times, so that the same program writes the same page.
func (d *demo) overview(s *report.Section) {
	d.page.Lead = "Any ONNX model, on a CPU: checked, measured, trained, explained, its data cleaned, and given back as ONNX. " +
		"Everything on this page was made by one command, offline, with data and models that are part of the program."
	d.page.Kicker, d.page.Footer = "gtk demo", "Made by gtk demo. The models and maps are in the files beside this page."
	t := report.Table{Head: []string{"Step", "What came out"}}
	byHand := report.Table{Head: []string{"Command"}}
	for _, x := range d.r.Steps {
		t.Rows = append(t.Rows, []report.Cell{report.C(x.Name), report.C(x.Says)})
		byHand.Rows = append(byHand.Rows, []report.Cell{{Text: x.Command, Code: true}})
	}
	s.Add(t, report.Details{Summary: "The same by hand", Blocks: []report.Block{byHand}})
}

func (d *demo) importStep(_ context.Context, s *DemoStep) error {
	var err error
	if d.shapes, err = OpenModel(BuiltinPrefix+"shapes", ModelOptions{Threads: d.c.Threads}); err != nil {
		return err
	}
	path := filepath.Join(d.dir, "shapes.onnx")
	if err := d.shapes.File().WriteFile(path, onnx.WriteOptions{Force: true}); err != nil {
		return err
	}
	ins, err := d.shapes.Inspect(nil)
	if err != nil {
		return err
	}
	s.Command = "gtk import shapes.onnx"
	s.Says = fmt.Sprintf("a residual network: %d nodes, %s parameters, %s multiplications a picture; all of it runs and trains",
		len(ins.Layers), units.Count(ins.Parameters), units.Count(ins.MACs))
	s.Values["parameters"], s.Values["macs"] = ins.Parameters, ins.MACs
	t := report.Table{Head: []string{"Layer", "Operator", "Output", "Parameters", "MACs"}, Numeric: []int{3, 4}}
	for _, x := range ins.Layers {
		t.Rows = append(t.Rows, []report.Cell{{Text: x.Name, Code: true}, report.C(x.Op), report.C(units.Dims(dimsOf(x.Shape))),
			report.C(units.Count(x.Parameters)), report.C(units.Count(x.MACs))})
	}
	d.page.Section("Import", "A model is read, checked, and shown layer by layer. Class names and preprocessing travel inside the file, "+
		"so that later steps need no flags.").Add(
		report.Facts{
			{Label: "Parameters", Value: units.Count(ins.Parameters)}, {Label: "MACs a picture", Value: units.Count(ins.MACs)},
			{Label: "Input", Value: units.Dims(dimsOf(d.shapes.Inputs()[0].Dims))},
			{Label: "Classes", Value: fmt.Sprint(len(d.shapes.Labels))},
		}, report.Details{Summary: fmt.Sprintf("All %d layers", len(ins.Layers)), Blocks: []report.Block{t}})
	return nil
}

func (d *demo) evalStep(ctx context.Context, s *DemoStep) error {
	u, err := openUse(d.shapes, "shapes#test", data.Options{}, UseOptions{})
	if err != nil {
		return err
	}
	if err := u.understand(ctx, UseOptions{}, ""); err != nil {
		return err
	}
	ds := u.ds
	r, err := u.evaluate(ctx, train.EvalConfig{}, d.rep)
	if err != nil {
		return err
	}
	s.Command = "gtk eval shapes.onnx --data shapes#test"
	s.Says = fmt.Sprintf("%s of %d test pictures are classified rightly", units.Percent(float64(r.Accuracy)), r.N)
	s.Values["accuracy"], s.Values["n"] = r.Accuracy, r.N
	t := report.Table{Head: []string{"Class", "Pictures", "Accuracy", "Mostly taken for"}, Numeric: []int{1}}
	for _, p := range r.PerClass {
		t.Rows = append(t.Rows, []report.Cell{report.C(p.Class), report.C(fmt.Sprint(p.N)), report.Percent(float64(p.Accuracy)),
			report.C(r.Mistake(p.Class))})
	}
	blocks := report.Columns{t}
	if sheet, err := data.ContactSheet(ds, 6, 48); err == nil {
		blocks = append(blocks, report.Figure{Image: sheet, Alt: "six pictures of each class",
			Caption: "Test pictures, drawn by the program"})
	}
	d.page.Section("Evaluate", fmt.Sprintf("Accuracy %s on %d pictures that took no part in training.",
		units.Percent(float64(r.Accuracy)), r.N)).Add(blocks)
	return nil
}

// demoEpochs is how long the demo trains on the digits.
const demoEpochs = 40

func (d *demo) finetuneStep(ctx context.Context, s *DemoStep) error {
	file, err := models.New("mlp", models.Options{Seed: d.c.Seed})
	if err != nil {
		return err
	}
	m, err := engine.Load(file, engine.WithThreads(d.c.Threads))
	if err != nil {
		return err
	}
	tr, err := data.Open("digits#train", data.Options{})
	if err != nil {
		return err
	}
	val, err := data.Open("digits#test", data.Options{})
	if err != nil {
		return err
	}
	info, err := optim.Lookup("diffgrad")
	if err != nil {
		return err
	}
	o, err := optim.New(info.Name, optim.Config{})
	if err != nil {
		return err
	}
	pre := data.Suggested(tr)
	pre.ImageSize, pre.Channels = [2]int{8, 8}, "gray"
	plan, err := feed.For(m, tr, feed.Options{})
	if err != nil {
		return err
	}
	digits := &Model{Model: m, Path: "digits.onnx", Labels: tr.Classes()}
	t := &trainee{use: &use{Model: digits, ds: tr, pre: &pre, plan: plan}, train: tr, stored: &pre}
	if err := t.understand(ctx, UseOptions{}, ""); err != nil {
		return err
	}
	res, err := fitStage(ctx, m, tr, train.Config{
		Task: t.task, Feed: plan, Epochs: demoEpochs, Optimizer: o, Schedule: optim.Cosine{Max: info.LR}, Preprocess: &pre, Shuffle: true,
		Seed: d.c.Seed, Val: val,
	}, "finetune", d.rep)
	if err != nil {
		return err
	}
	path := filepath.Join(d.dir, "digits.onnx")
	if err := t.write(path, true); err != nil {
		return err
	}
	v, err := t.verifyWritten(ctx, path, d.c.Threads)
	if err != nil {
		return err
	}
	digits.Pre, d.digits = &pre, digits
	s.Command = fmt.Sprintf("gtk finetune mlp.onnx --data digits#train --val digits#test --optimizer diffgrad --epochs %d -o digits.onnx",
		demoEpochs)
	s.Says = fmt.Sprintf("handwritten digits by diffGrad: %s → %s after %d steps; the written file gives the same outputs (largest "+
		"difference %.2g)",
		units.Percent(res.Before.Accuracy), units.Percent(res.After.Accuracy), res.Steps, v.MaxAbs)
	s.Values["before"], s.Values["after"], s.Values["steps"], s.Values["verify"] = Number(res.Before.Accuracy),
		Number(res.After.Accuracy), res.Steps, v
	acc := report.LineChart{Title: "Accuracy", XLabel: "epoch", YLabel: "share",
		Series: []report.Series{{Name: "training"}, {Name: "test"}}}
	loss := report.LineChart{Title: "Loss", XLabel: "epoch", YLabel: "cross-entropy",
		Series: []report.Series{{Name: "training"}, {Name: "test"}}, LogY: true}
	for _, h := range res.History {
		for i, y := range []float64{h.TrainAcc, h.Val.Accuracy} {
			acc.Series[i].X, acc.Series[i].Y = append(acc.Series[i].X, float64(h.Epoch)), append(acc.Series[i].Y, y)
		}
		for i, y := range []float64{h.TrainLoss, h.Val.Loss} {
			loss.Series[i].X, loss.Series[i].Y = append(loss.Series[i].X, float64(h.Epoch)), append(loss.Series[i].Y, y)
		}
	}
	d.page.Section("Fine-tune", "A small network learns handwritten digits with diffGrad, an Adam that brakes where the gradient stays "+
		"the same. The trained file is read back and gives the same outputs bit for bit.").Add(
		report.Facts{
			{Label: "Test accuracy before", Value: units.Percent(res.Before.Accuracy)},
			{Label: "after", Value: units.Percent(res.After.Accuracy),
				Detail: units.Plural(res.Epochs, "epoch") + ", " + units.Plural(res.Steps, "step"), Tone: report.Good},
			{Label: "File read back", Value: fmt.Sprintf("± %.2g", v.MaxAbs), Detail: "largest difference of an output"},
		}, report.Columns{acc, loss})
	return nil
}

// demoNoisy is the data of the pruning step: small shapes, some with a wrong label.
const demoNoisy = "shapes?n=1600&noise=0.03&size=32#train"

func (d *demo) pruneStep(ctx context.Context, s *DemoStep) error {
	file, err := models.New("resnet8", models.Options{Classes: 8, ImageSize: 32, Seed: d.c.Seed})
	if err != nil {
		return err
	}
	m, err := engine.Load(file, engine.WithThreads(d.c.Threads))
	if err != nil {
		return err
	}
	ds, err := data.Open(demoNoisy, data.Options{})
	if err != nil {
		return err
	}
	info, err := optim.Lookup("diffgrad")
	if err != nil {
		return err
	}
	o, err := optim.New(info.Name, optim.Config{})
	if err != nil {
		return err
	}
	pre := data.Suggested(ds)
	const epochs = 6
	if _, err := fitStage(ctx, m, ds, train.Config{
		Epochs: epochs, Optimizer: o, Schedule: optim.Cosine{Max: 0.006}, Preprocess: &pre, Shuffle: true, Seed: d.c.Seed,
		BN: engine.BNTrain,
	}, "prune-data", d.rep); err != nil {
		return err
	}
	x, err := prune.Run(ctx, "el2n", ds, prune.RunConfig{ScoreConfig: prune.ScoreConfig{Preprocess: &pre},
		Model: func(context.Context, int) (*engine.Model, error) { return m, nil }})
	if err != nil {
		return err
	}
	choice := prune.Choice{Keep: 0.5, DropTop: 0.04}
	kept, err := x.Select(choice)
	if err != nil {
		return err
	}
	top := suspects(x)
	hit, planted, _ := plantedAmong(ds, top)
	in, _, _ := plantedAmong(ds, kept)
	if err := WriteFile(filepath.Join(d.dir, "scores.csv"), func(w io.Writer) error { return x.WriteCSV(w, ds.Classes()) }); err != nil {
		return err
	}
	if err := WriteFile(filepath.Join(d.dir, "keep.txt"), func(w io.Writer) error { return x.WriteKeep(w, kept) }); err != nil {
		return err
	}
	s.Command = fmt.Sprintf("gtk prune-data resnet8.onnx --data %s --score el2n --score-epochs %d --keep 0.5 --drop-top 0.04 -o pruned",
		units.Quote(demoNoisy), epochs)
	s.Says = fmt.Sprintf("%d of the %d most suspicious labels (2 %%) are among the %d that were planted wrong; chance would find %.1f",
		hit, len(top), planted, float64(len(top)*planted)/float64(ds.Len()))
	s.Values["planted"], s.Values["suspects"], s.Values["found"], s.Values["kept"] = planted, len(top), hit, len(kept)
	d.page.Section("Clean the data", fmt.Sprintf("%d of %d training pictures were given a wrong label on purpose. A network is trained "+
		"on all of them for %d epochs, and each picture is scored by EL2N, the length of the error of its prediction.",
		planted, ds.Len(), epochs)).Add(report.Facts{
		{Label: "Suspects", Value: fmt.Sprint(len(top)), Detail: "the highest 2 % of scores"},
		{Label: "of them planted", Value: fmt.Sprint(hit),
			Detail: fmt.Sprintf("%d planted in all; chance would find %.1f", planted, float64(len(top)*planted)/float64(ds.Len())),
			Tone:   report.Good},
		{Label: "Kept", Value: fmt.Sprint(len(kept)), Detail: fmt.Sprintf("half of the data, without the 4 %% with the highest scores; "+
			"%d planted errors left of %d", in, planted)},
	})
	sc := &scoring{trainee: &trainee{use: &use{Model: &Model{Model: m}}, train: ds}, scores: map[string]*prune.Scores{"el2n": x}}
	sc.section(d.page, "el2n", kept)
	return nil
}
