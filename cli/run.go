package cli

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/tensor"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register(command(&ucli.Command{
		Name: "run", Usage: "run a model on pictures or tensor files", ArgsUsage: "MODEL.onnx [FILE…]",
		Description: "Inputs are pictures (png, jpeg, webp, bmp, tiff, gif) or tensor files (.npy, .npz, .pb), given as FILE or --input NAME=FILE.\n" +
			"Several files for one input are run one after the other and their outputs stacked. An input of one element also takes a number.\n\n" +
			"   gtk run squeezenet.onnx eagle.jpg --labels imagenet_labels.txt\n" +
			"   gtk run vad.onnx --input input=wav.npy --input state=state.npy --input sr=16000 -o out",
		Flags: append([]ucli.Flag{
			&ucli.StringSliceFlag{Name: "input", Aliases: []string{"i"}, Usage: "`[NAME=]FILE` to feed; repeat it for more"},
			&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FOLDER` for one .npy file per output"},
			&ucli.StringSliceFlag{Name: "fetch", Usage: "inner value or node whose output is wanted too, by `NAME`"},
			&ucli.IntFlag{Name: "top", Value: 5, Usage: "how many classes to show"},
			&ucli.BoolFlag{Name: "force", Usage: "write into a folder that is not empty"},
		}, preprocessFlags()...),
	}, runCommand))
}

// runReport is what gtk run prints with --json.
type runReport struct {
	Schema  string      `json:"schema"`
	Model   string      `json:"model"`
	Outputs []runOutput `json:"outputs"`
	Top     []topRow    `json:"top"`
	Ms      float64     `json:"ms"`
	Notes   []string    `json:"notes"`
}

type runOutput struct {
	Name  string `json:"name"`
	DType string `json:"dtype"`
	Shape []int  `json:"shape"`
	Path  string `json:"path,omitempty"`
}

// topRow is the best classes of one example.
type topRow struct {
	File    string     `json:"file"`
	Output  string     `json:"output"`
	Classes []topClass `json:"classes"`
}

type topClass struct {
	Index       int    `json:"index"`
	Label       string `json:"label"`
	Score       number `json:"score"`       // as the model gives it
	Probability number `json:"probability"` // score, or the softmax of the scores when the model gives logits
}

func runCommand(ctx context.Context, e *env, c *ucli.Context) error {
	if c.Args().Len() == 0 {
		return usagef("gtk run: MODEL.onnx is missing; see gtk run --help")
	}
	l, err := e.loadModel(c, c.Args().First())
	if err != nil {
		return err
	}
	feeds, err := assignFiles(l, append(c.StringSlice("input"), c.Args().Tail()...))
	if err != nil {
		return err
	}
	dir := c.String("out")
	if dir != "" {
		if err := outDir(dir, c.Bool("force")); err != nil {
			return err
		}
	}
	r := &runReport{Schema: "gtk.run/1", Model: l.Path, Outputs: []runOutput{}, Top: []topRow{}, Notes: []string{}}
	outs, err := e.runFiles(ctx, l, feeds, c.StringSlice("fetch"), c.Int("top"), r)
	if err != nil {
		return err
	}
	for _, n := range r.Notes {
		e.warn("%s", n)
	}
	taken := map[string]bool{}
	for _, o := range outs {
		row := runOutput{Name: o.Name, DType: o.Tensor.DType().String(), Shape: append([]int{}, o.Tensor.Shape()...)}
		if dir != "" {
			row.Path = filepath.Join(dir, fileName(o.Name, taken)+".npy")
			if err := writeNPY(row.Path, o.Tensor); err != nil {
				return err
			}
		}
		r.Outputs = append(r.Outputs, row)
	}
	if dir != "" {
		if err := writeConfig(c, filepath.Join(dir, "run.yaml")); err != nil {
			return err
		}
	}
	printRun(e, r, outs, l)
	return e.emit(r)
}

// runFiles runs the model once for each file of a single-input model, else once, and stacks the outputs.
func (e *env) runFiles(ctx context.Context, l *loaded, feeds []feed, fetch []string, top int, r *runReport) ([]tensor.Named, error) {
	runs := 1
	if len(feeds) == 1 {
		runs = len(feeds[0].files)
	}
	var q engine.Query
	for _, o := range l.Outputs() {
		q.Fetch = append(q.Fetch, o.Name)
	}
	q.Fetch = append(q.Fetch, fetch...)
	s, err := l.Session(q)
	if err != nil {
		return nil, usagef("%v", err)
	}
	parts := make([][]*tensor.Tensor, len(q.Fetch))
	bar := e.newProgress("run", runs)
	defer bar.end()
	for k := range runs {
		in, file := map[string]*tensor.Tensor{}, feeds[0].files[0]
		for _, f := range feeds {
			files := f.files
			if runs > 1 {
				files = f.files[k : k+1]
				file = files[0]
			}
			var ts []*tensor.Tensor
			for _, path := range files {
				t, note, err := l.readInput(path, f.input)
				if err != nil {
					return nil, err
				}
				if note != "" && !slices.Contains(r.Notes, note) {
					r.Notes = append(r.Notes, note)
				}
				ts = append(ts, t)
			}
			if in[f.input.Name], err = stack(ts); err != nil {
				return nil, badInput(fmt.Errorf("input %v: %w", f.input, err))
			}
		}
		start := time.Now()
		res, err := s.Run(ctx, in)
		if err != nil {
			return nil, err
		}
		r.Ms += ms(time.Since(start))
		for i, name := range q.Fetch {
			v := res.Value(name).Clone()
			parts[i] = append(parts[i], v)
			if i == 0 {
				rows, err := topClasses(l, name, v, file, top)
				if err != nil {
					return nil, err
				}
				r.Top = append(r.Top, rows...)
			}
		}
		bar.set(k+1, "")
	}
	var outs []tensor.Named
	for i, name := range q.Fetch {
		t, err := stack(parts[i])
		if err != nil {
			return nil, badInput(fmt.Errorf("the outputs %q of the files differ in shape; run them one at a time: %w", name, err))
		}
		outs = append(outs, tensor.Named{Name: name, Tensor: t})
	}
	return outs, nil
}

// topClasses are the best classes of each example of a classifier's output v, none when it is not one.
func topClasses(l *loaded, output string, v *tensor.Tensor, file string, top int) ([]topRow, error) {
	k := classesOf(v.Shape())
	if k == 0 || !v.DType().IsFloat() || v.Dim(0) == 0 || top < 1 || l.Labels == nil && k < 3 {
		return nil, nil
	}
	if l.Labels != nil && len(l.Labels) != k {
		return nil, badInput(fmt.Errorf("there are %d labels, and output %q has %d classes", len(l.Labels), output, k))
	}
	head, err := l.Head(output)
	if err != nil {
		return nil, err
	}
	scores := v.Float64s()
	var rows []topRow
	for i := range v.Dim(0) {
		z := scores[i*k : (i+1)*k]
		p := probabilities(z, head.Activation)
		order := make([]int, k)
		for j := range order {
			order[j] = j
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(z[b], z[a]) })
		row := topRow{File: file, Output: output}
		if v.Dim(0) > 1 {
			row.File = fmt.Sprintf("%s[%d]", file, i)
		}
		for _, j := range order[:min(top, k)] {
			row.Classes = append(row.Classes, topClass{j, l.label(j), number(z[j]), number(p[j])})
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// probabilities are the outputs z of a model that ends in the activation as probabilities of the classes. Scores that are a
// distribution already, by an activation that was not recognised, are kept.
func probabilities(z []float64, activation string) []float64 {
	sum, low := 0.0, 0.0
	for _, v := range z {
		sum += v
		low = min(low, v)
	}
	if activation == "Softmax" || activation == "Sigmoid" || low >= 0 && math.Abs(sum-1) < 1e-3 {
		return z
	}
	p := make([]float64, len(z))
	high, total := slices.Max(z), 0.0
	for i, v := range z {
		p[i] = math.Exp(v - high)
		total += p[i]
	}
	for i := range p {
		p[i] /= total
	}
	return p
}

func printRun(e *env, r *runReport, outs []tensor.Named, l *loaded) {
	if len(r.Top) == 0 {
		for _, o := range outs {
			if o.Tensor.Len() <= 64 || e.Verbose {
				e.printf("%s %s\n", o.Name, tensor.Format(o.Tensor))
			}
		}
	}
	for _, t := range r.Top {
		e.printf("%s\n", t.File)
		tab := e.newTable(0, 1)
		for _, c := range t.Classes {
			label := c.Label
			if l.Labels == nil {
				label = "class " + label
			}
			tab.row(fmt.Sprintf("%.2f %%", 100*float64(c.Probability)), c.Index, label)
		}
		if l.Labels == nil {
			tab.right = map[int]bool{0: true}
			for i := range tab.lines {
				tab.lines[i] = append(tab.lines[i][:1], tab.lines[i][2:]...)
			}
		}
		_ = tab.flush() // to the terminal
	}
	tab := e.newTable()
	for _, o := range r.Outputs {
		tab.row("output "+o.Name, o.DType, fmt.Sprint(tensor.Shape(o.Shape)), o.Path)
	}
	_ = tab.flush()
	e.printf("  %s ms\n", significant(r.Ms))
}

// fileName is name with what file systems do not like replaced, unlike those taken before.
func fileName(name string, taken map[string]bool) string {
	s := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-', r == '.':
			return r
		}
		return '_'
	}, name)
	s = strings.TrimLeft(s, ".")
	if len(s) > 120 {
		s = s[:120]
	}
	if s == "" {
		s = "output"
	}
	for base, k := s, 2; taken[s]; k++ {
		s = fmt.Sprintf("%s_%d", base, k)
	}
	taken[s] = true
	return s
}

// writeNPY writes t; types that NumPy does not have as float32.
func writeNPY(path string, t *tensor.Tensor) error {
	var b bytes.Buffer
	if err := tensor.WriteNPY(&b, t); err != nil {
		w, cerr := t.Convert(tensor.Float32)
		if cerr != nil {
			return err
		}
		b.Reset()
		if err := tensor.WriteNPY(&b, w); err != nil {
			return err
		}
	}
	return writeFile(path, func(f *os.File) error {
		_, err := f.Write(b.Bytes())
		return err
	})
}
