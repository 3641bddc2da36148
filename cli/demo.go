package cli

import (
	"context"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"time"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/explain"
	"github.com/gtk-onnx/gtk/internal/report"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/prune"
	"github.com/gtk-onnx/gtk/tensor"
	"github.com/gtk-onnx/gtk/train"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register(command(&ucli.Command{
		Name: "demo", Usage: "the whole story on built-in data, offline, in under a minute", ArgsUsage: "[-o DIR]",
		Description: "Imports, evaluates, fine-tunes, explains, finds planted label errors and exports, with data and models that are part of the program, and writes report.html.",
		Flags: []ucli.Flag{
			&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Value: "gtk-demo", Usage: "`FOLDER` for the results"},
			&ucli.BoolFlag{Name: "force", Usage: "write into a folder that is not empty"},
		},
	}, runDemo))
}

// demoReport is what gtk demo --json prints.
type demoReport struct {
	Schema  string     `json:"schema"`
	Out     string     `json:"out"`
	Steps   []demoStep `json:"steps"`
	Report  string     `json:"report"`
	Seconds float64    `json:"seconds"`
}

type demoStep struct {
	Name    string         `json:"name"`
	Seconds float64        `json:"seconds"`
	Says    string         `json:"says"`
	Command string         `json:"command"` // that does the same
	Values  map[string]any `json:"values,omitempty"`
}

// demo is a run of the whole story.
type demo struct {
	*env
	dir    string
	page   *report.Report
	shapes *loaded
	digits *loaded // trained by the demo
	r      demoReport
}

func runDemo(ctx context.Context, e *env, c *ucli.Context) error {
	if _, err := nArgs(c); err != nil {
		return err
	}
	d := &demo{env: e, dir: c.String("out"), page: report.New("What gtk does", ""), r: demoReport{Schema: "gtk.demo/1", Out: c.String("out")}}
	if err := outDir(d.dir, c.Bool("force")); err != nil {
		return err
	}
	start := time.Now()
	// The page opens with an overview that is known at the end.
	overview := d.page.Section("", "")
	for _, s := range []struct {
		name string
		run  func(ctx context.Context, s *demoStep) error
	}{
		{"import", d.importStep}, {"eval", d.evalStep}, {"finetune", d.finetuneStep}, {"explain", d.explainStep}, {"prune-data", d.pruneStep}, {"export", d.exportStep},
	} {
		begin := time.Now()
		step := demoStep{Name: s.name, Values: map[string]any{}}
		if err := s.run(ctx, &step); err != nil {
			return fmt.Errorf("demo: %s: %w", s.name, err)
		}
		step.Seconds = time.Since(begin).Seconds()
		d.r.Steps = append(d.r.Steps, step)
		e.printf("%-11s %5.1f s  %s\n", step.Name, step.Seconds, step.Says)
	}
	d.r.Seconds = time.Since(start).Seconds()
	d.r.Report = filepath.Join(d.dir, "report.html")
	d.overview(overview)
	if err := writeTo(d.r.Report, d.page.Write); err != nil {
		return err
	}
	if err := writeConfig(c, filepath.Join(d.dir, "run.yaml")); err != nil {
		return err
	}
	e.printf("\n%.0f seconds; open %s\n", d.r.Seconds, d.r.Report)
	return e.emit(d.r)
}

// overview fills the first section. The page holds no times, so that the same program writes the same page.
func (d *demo) overview(s *report.Section) {
	d.page.Lead = "Any ONNX model, on a CPU: checked, measured, trained, explained, its data cleaned, and given back as ONNX. Everything on this page was made by one command, offline, with data and models that are part of the program."
	d.page.Kicker, d.page.Footer = "gtk demo", "Made by gtk demo. The models and maps are in the files beside this page."
	t := report.Table{Head: []string{"Step", "What came out"}}
	byHand := report.Table{Head: []string{"Command"}}
	for _, x := range d.r.Steps {
		t.Rows = append(t.Rows, []report.Cell{report.C(x.Name), report.C(x.Says)})
		byHand.Rows = append(byHand.Rows, []report.Cell{{Text: x.Command, Code: true}})
	}
	s.Add(t, report.Details{Summary: "The same by hand", Blocks: []report.Block{byHand}})
}

// builtin loads a model that is part of the program.
func (d *demo) builtin(name string) (*loaded, error) {
	file, err := builtinModel(name)
	if err != nil {
		return nil, err
	}
	return d.use(builtinPrefix+name, file)
}

// use loads file with its labels and preprocessing.
func (d *demo) use(path string, file *onnx.Model) (*loaded, error) {
	l := &loaded{Path: path}
	none := ucli.NewContext(nil, nil, nil)
	var err error
	if l.Labels, err = modelLabels(none, file); err != nil {
		return nil, err
	}
	if l.Pre, err = modelPreprocess(none, file); err != nil {
		return nil, err
	}
	l.Model, err = engine.Load(file, engine.WithThreads(d.Threads))
	return l, badInput(err)
}

func (d *demo) importStep(_ context.Context, s *demoStep) error {
	var err error
	if d.shapes, err = d.builtin("shapes"); err != nil {
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
	s.Says = fmt.Sprintf("a residual network: %d nodes, %s parameters, %s multiplications a picture; all of it runs and trains", len(ins.Layers), count(ins.Parameters), count(ins.MACs))
	s.Values["parameters"], s.Values["macs"] = ins.Parameters, ins.MACs
	t := report.Table{Head: []string{"Layer", "Operator", "Output", "Parameters", "MACs"}, Numeric: []int{3, 4}}
	for _, x := range ins.Layers {
		t.Rows = append(t.Rows, []report.Cell{{Text: x.Name, Code: true}, report.C(x.Op), report.C(dimsText(x.Shape)), report.C(count(x.Parameters)), report.C(count(x.MACs))})
	}
	d.page.Section("Import", "A model is read, checked, and shown layer by layer. Class names and preprocessing travel inside the file, so that later steps need no flags.").Add(
		report.Facts{
			{Label: "Parameters", Value: count(ins.Parameters)}, {Label: "MACs a picture", Value: count(ins.MACs)},
			{Label: "Input", Value: dimsText(d.shapes.Inputs()[0].Dims)}, {Label: "Classes", Value: fmt.Sprint(len(d.shapes.Labels))},
		}, report.Details{Summary: fmt.Sprintf("All %d layers", len(ins.Layers)), Blocks: []report.Block{t}})
	return nil
}

func (d *demo) evalStep(ctx context.Context, s *demoStep) error {
	ds, err := data.Open("shapes#test", data.Options{Classes: d.shapes.Labels})
	if err != nil {
		return err
	}
	r, err := d.evaluate(ctx, d.shapes, ds, train.EvalConfig{Preprocess: d.shapes.Pre})
	if err != nil {
		return err
	}
	s.Command = "gtk eval shapes.onnx --data shapes#test"
	s.Says = fmt.Sprintf("%s of %d test pictures are classified rightly", percent(float64(r.Accuracy)), r.N)
	s.Values["accuracy"], s.Values["n"] = r.Accuracy, r.N
	t := report.Table{Head: []string{"Class", "Pictures", "Accuracy", "Mostly taken for"}, Numeric: []int{1}}
	for _, p := range r.PerClass {
		t.Rows = append(t.Rows, []report.Cell{report.C(p.Class), report.C(fmt.Sprint(p.N)), report.Percent(float64(p.Accuracy)), report.C(mistake(r, p.Class))})
	}
	blocks := report.Columns{t}
	if sheet, err := data.ContactSheet(ds, 6, 48); err == nil {
		blocks = append(blocks, report.Figure{Image: sheet, Alt: "six pictures of each class", Caption: "Test pictures, drawn by the program"})
	}
	d.page.Section("Evaluate", fmt.Sprintf("Accuracy %s on %d pictures that took no part in training.", percent(float64(r.Accuracy)), r.N)).Add(blocks)
	return nil
}

// demoEpochs is how long the demo trains on the digits.
const demoEpochs = 40

func (d *demo) finetuneStep(ctx context.Context, s *demoStep) error {
	file, err := models.New("mlp", models.Options{Seed: d.Seed})
	if err != nil {
		return err
	}
	m, err := engine.Load(file, engine.WithThreads(d.Threads))
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
	res, err := d.quietFit(ctx, m, tr, train.Config{
		Epochs: demoEpochs, Optimizer: o, Schedule: optim.Cosine{Max: info.LR}, Preprocess: &pre, Shuffle: true, Seed: d.Seed, Val: val,
	}, "finetune")
	if err != nil {
		return err
	}
	t := &trainee{loaded: &loaded{Model: m, Path: "digits.onnx", Labels: tr.Classes()}, train: tr, pre: &pre, stored: &pre}
	path := filepath.Join(d.dir, "digits.onnx")
	if err := t.write(path, true); err != nil {
		return err
	}
	v, err := d.verifyWritten(ctx, t, path)
	if err != nil {
		return err
	}
	t.Pre, d.digits = &pre, t.loaded
	s.Command = fmt.Sprintf("gtk finetune mlp.onnx --data digits#train --val digits#test --optimizer diffgrad --epochs %d -o digits.onnx", demoEpochs)
	s.Says = fmt.Sprintf("handwritten digits by diffGrad: %s → %s after %d steps; the written file gives the same outputs (largest difference %.2g)",
		percent(res.Before.Accuracy), percent(res.After.Accuracy), res.Steps, v.MaxAbs)
	s.Values["before"], s.Values["after"], s.Values["steps"], s.Values["verify"] = number(res.Before.Accuracy), number(res.After.Accuracy), res.Steps, v
	acc := report.LineChart{Title: "Accuracy", XLabel: "epoch", YLabel: "share", Series: []report.Series{{Name: "training"}, {Name: "test"}}}
	loss := report.LineChart{Title: "Loss", XLabel: "epoch", YLabel: "cross-entropy", Series: []report.Series{{Name: "training"}, {Name: "test"}}, LogY: true}
	for _, h := range res.History {
		for i, y := range []float64{h.TrainAcc, h.Val.Accuracy} {
			acc.Series[i].X, acc.Series[i].Y = append(acc.Series[i].X, float64(h.Epoch)), append(acc.Series[i].Y, y)
		}
		for i, y := range []float64{h.TrainLoss, h.Val.Loss} {
			loss.Series[i].X, loss.Series[i].Y = append(loss.Series[i].X, float64(h.Epoch)), append(loss.Series[i].Y, y)
		}
	}
	d.page.Section("Fine-tune", "A small network learns handwritten digits with diffGrad, an Adam that brakes where the gradient stays the same. The trained file is read back and gives the same outputs bit for bit.").Add(
		report.Facts{
			{Label: "Test accuracy before", Value: percent(res.Before.Accuracy)},
			{Label: "after", Value: percent(res.After.Accuracy), Detail: fmt.Sprintf("%d epochs, %d steps", res.Epochs, res.Steps), Tone: report.Good},
			{Label: "File read back", Value: fmt.Sprintf("± %.2g", v.MaxAbs), Detail: "largest difference of an output"},
		}, report.Columns{acc, loss})
	return nil
}

// demoPictures is how many pictures the demo explains.
const demoPictures = 6

func (d *demo) explainStep(ctx context.Context, s *demoStep) error {
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
	x, err := explain.New(d.shapes.Model, explain.Config{Requests: requests, Labels: d.shapes.Labels, Seed: d.Seed})
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
	s.Says = fmt.Sprintf("%d maps; the shape covers %s of a picture and holds %s of the heat of %s", len(images)*len(requests), percent(e.area), percent(e.inside[e.best()]), e.best())
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

// demoNoisy is the data of the pruning step: small shapes, some with a wrong label.
const demoNoisy = "shapes?n=1600&noise=0.03&size=32#train"

func (d *demo) pruneStep(ctx context.Context, s *demoStep) error {
	file, err := models.New("resnet8", models.Options{Classes: 8, ImageSize: 32, Seed: d.Seed})
	if err != nil {
		return err
	}
	m, err := engine.Load(file, engine.WithThreads(d.Threads))
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
	if _, err := d.quietFit(ctx, m, ds, train.Config{
		Epochs: epochs, Optimizer: o, Schedule: optim.Cosine{Max: 0.006}, Preprocess: &pre, Shuffle: true, Seed: d.Seed, BN: engine.BNTrain,
	}, "prune-data"); err != nil {
		return err
	}
	x, err := prune.Run(ctx, "el2n", ds, prune.RunConfig{ScoreConfig: prune.ScoreConfig{Preprocess: &pre}, Model: func(context.Context, int) (*engine.Model, error) { return m, nil }})
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
	if err := writeTo(filepath.Join(d.dir, "scores.csv"), func(w io.Writer) error { return x.WriteCSV(w, ds.Classes()) }); err != nil {
		return err
	}
	if err := writeTo(filepath.Join(d.dir, "keep.txt"), func(w io.Writer) error { return x.WriteKeep(w, kept) }); err != nil {
		return err
	}
	s.Command = fmt.Sprintf("gtk prune-data resnet8.onnx --data '%s' --score el2n --score-epochs %d --keep 0.5 --drop-top 0.04 -o pruned", demoNoisy, epochs)
	s.Says = fmt.Sprintf("%d of the %d most suspicious labels (2 %%) are among the %d that were planted wrong; chance would find %.1f", hit, len(top), planted, float64(len(top)*planted)/float64(ds.Len()))
	s.Values["planted"], s.Values["suspects"], s.Values["found"], s.Values["kept"] = planted, len(top), hit, len(kept)
	d.page.Section("Clean the data", fmt.Sprintf("%d of %d training pictures were given a wrong label on purpose. A network is trained on all of them for %d epochs, and each picture is scored by EL2N, the length of the error of its prediction.",
		planted, ds.Len(), epochs)).Add(report.Facts{
		{Label: "Suspects", Value: fmt.Sprint(len(top)), Detail: "the highest 2 % of scores"},
		{Label: "of them planted", Value: fmt.Sprint(hit), Detail: fmt.Sprintf("%d planted in all; chance would find %.1f", planted, float64(len(top)*planted)/float64(ds.Len())), Tone: report.Good},
		{Label: "Kept", Value: fmt.Sprint(len(kept)), Detail: fmt.Sprintf("half of the data, without the 4 %% with the highest scores; %d planted errors left of %d", in, planted)},
	})
	sc := &scoring{trainee: &trainee{loaded: &loaded{Model: m}, train: ds}, scores: map[string]*prune.Scores{"el2n": x}}
	sc.section(d.page, "el2n", kept)
	return nil
}

func (d *demo) exportStep(ctx context.Context, s *demoStep) error {
	h, err := d.digits.Head("")
	if err != nil {
		return err
	}
	names, err := train.Select(d.digits.Model, nil, false)
	if err != nil {
		return err
	}
	loss := train.CrossEntropy(h, train.Mean)
	file, err := d.digits.Export(engine.Query{Loss: loss, Grad: names})
	if err != nil {
		return err
	}
	path := filepath.Join(d.dir, "digits-gradients.onnx")
	if err := file.WriteFile(path, onnx.WriteOptions{Force: true}); err != nil {
		return err
	}
	off, err := d.compareExport(ctx, path, engine.Query{Loss: loss, Grad: names}, names)
	if err != nil {
		return err
	}
	nodes := len(file.Proto.GetGraph().GetNode())
	s.Command = "gtk export digits.onnx -o out.onnx"
	s.Says = fmt.Sprintf("digits.onnx, and its loss with all gradients as one ONNX graph of %d nodes that any runtime can run (checked: largest difference %.2g)", nodes, off)
	s.Values["nodes"], s.Values["max_abs"] = nodes, off
	d.page.Section("Export", "What was trained is an ordinary ONNX file, digits.onnx. Its training step is one too: the graph of the loss and of the gradients by every weight, in ONNX's own operators.").Add(
		report.Facts{{Label: "Nodes", Value: fmt.Sprint(nodes), Detail: "digits-gradients.onnx"}, {Label: "Largest difference", Value: fmt.Sprintf("%.2g", off), Detail: "of a gradient, read back and run as a plain model", Tone: report.Good}})
	return nil
}

// compareExport runs the exported graph of q as a plain model and returns how far its loss and gradients are from those of q.
func (d *demo) compareExport(ctx context.Context, path string, q engine.Query, names []string) (float64, error) {
	file, err := readModel(path)
	if err != nil {
		return 0, err
	}
	plain, err := engine.Load(file, engine.WithThreads(d.Threads))
	if err != nil {
		return 0, err
	}
	ds, err := data.Open("digits#test", data.Options{})
	if err != nil {
		return 0, err
	}
	a, err := d.digits.Session(q)
	if err != nil {
		return 0, err
	}
	b, err := plain.Session(engine.Query{})
	if err != nil {
		return 0, err
	}
	most := 0.0
	for batch, err := range data.Batches(ctx, ds, data.Sequential(16), 16, data.BatchOptions{Preprocess: d.digits.Pre}) {
		if err != nil {
			return 0, err
		}
		feeds := map[string]*tensor.Tensor{d.digits.Inputs()[0].Name: batch.X, train.LabelInput: tensor.From(batch.Labels, len(batch.Labels))}
		ra, err := a.Run(ctx, feeds)
		if err != nil {
			return 0, err
		}
		rb, err := b.Run(ctx, feeds)
		if err != nil {
			return 0, err
		}
		most = max(most, math.Abs(ra.Loss().Float64s()[0]-rb.Value("loss").Float64s()[0]))
		for _, n := range names {
			u, v := ra.Grad(n).Float64s(), rb.Value("grad:"+n).Float64s()
			for i := range u {
				most = max(most, math.Abs(u[i]-v[i]))
			}
		}
	}
	return most, nil
}
