package job

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"image/png"
	"io"
	"path/filepath"
	"strings"

	"github.com/gtk-onnx/gtk/data"
)

// AugmentConfig says what augmentation of which data is shown.
type AugmentConfig struct {
	Data    string       // FORMAT:PATH[#SPLIT]; required
	Options data.Options // of reading
	Model   string       // the model whose preprocessing is taken, with Labels and Preprocess; "" takes that of the data
	ModelOptions
	Augment string // as for a training
	Rows    int    // examples, spread over the classes; 0 means 6
	Draws   int    // epochs; 0 means 8
	Cell    int    // width of a picture on the sheet; 0 means 96
	Masks   bool   // masks are laid over the pictures
	Out     string // PNG file of the sheet, or a folder for it and each picture at the size of the model; required
	Replay  []byte // content of the run.yaml that is written into a folder; nil for none
	Force   bool   // replace what is there
	Seed    uint64 // that of the training
}

// AugmentReport says what is on the sheet.
type AugmentReport struct {
	Schema        string         `json:"schema"`
	Spec          string         `json:"spec"`
	Augment       string         `json:"augment"`
	Preprocessing string         `json:"preprocessing,omitempty"`
	Seed          uint64         `json:"seed"`
	Rows          []AugmentedRow `json:"rows"`
	Out           string         `json:"out"`   // file, or folder
	Sheet         string         `json:"sheet"` // the picture of all
	Notes         []string       `json:"notes,omitempty"`
}

// AugmentedRow is one example in each epoch.
type AugmentedRow struct {
	ID     string           `json:"id"`
	Label  string           `json:"label,omitempty"`
	Epochs []AugmentedEpoch `json:"epochs"`
}

// AugmentedEpoch is what an epoch makes of an example; of a mixture its parts.
type AugmentedEpoch struct {
	Epoch int     `json:"epoch"` // from 1; 0: as it is
	File  string  `json:"file,omitempty"`
	Label string  `json:"label,omitempty"`
	Share float64 `json:"share"`
	Other string  `json:"other,omitempty"`
}

// Augment shows what a training with an augmentation sees of some examples.
func Augment(ctx context.Context, c AugmentConfig, rep Reporter) (*AugmentReport, error) {
	rep = orQuiet(rep)
	a, err := data.ParseAugment(c.Augment)
	switch {
	case err != nil:
		return nil, usagef("--augment: %v", err)
	case c.Data == "":
		return nil, usagef("gtk data augment: the data set is missing; see gtk data --list")
	case c.Out == "":
		return nil, usagef("gtk data augment: give what to write: -o SHEET.png or -o FOLDER")
	}
	for flag, v := range map[string][3]int{"rows": {c.Rows, 1, 64}, "draws": {c.Draws, 1, 64}, "cell": {c.Cell, 32, 512}} {
		if v[0] != 0 && (v[0] < v[1] || v[0] > v[2]) {
			return nil, usagef("--%s %d: want %d to %d", flag, v[0], v[1], v[2])
		}
	}
	folder := !strings.HasSuffix(strings.ToLower(c.Out), ".png")
	release, err := claim(and(reads(c.Model, c.ModelOptions, c.Data), "--root", c.Options.Root),
		output{flag: "--out", path: c.Out, folder: folder, force: c.Force})
	if err != nil {
		return nil, err
	}
	defer release()
	r := &AugmentReport{Schema: "gtk.data.augment/1", Spec: c.Data, Augment: a.String(), Seed: c.Seed, Out: c.Out, Sheet: c.Out}
	ds, pre, err := c.open(r, rep)
	if err != nil {
		return nil, err
	}
	for _, n := range r.Notes {
		rep.Note(n)
	}
	if err := a.Fits(ds); err != nil {
		return nil, usagef("--augment %s: %v", c.Augment, err)
	}
	text := cmp.Or(a.String(), "nothing")
	sheet, rows, err := data.AugmentSheet(ctx, ds, data.SheetConfig{Augment: a, Preprocess: pre, Index: byTurns(ds, cmp.Or(c.Rows, 6)),
		Draws: cmp.Or(c.Draws, 8), Cell: cmp.Or(c.Cell, 96), Seed: c.Seed, Masks: c.Masks, Title: fmt.Sprintf("%s, seed %d", text, c.Seed)})
	if err != nil {
		return nil, badInput(err)
	}
	for _, row := range rows {
		out := AugmentedRow{ID: row[0].ID, Label: labelOf(ds, row[0].Label)}
		for _, s := range row {
			e := AugmentedEpoch{Epoch: s.Epoch, Label: labelOf(ds, s.Label), Share: s.Share}
			if s.Share < 1 {
				e.Other = labelOf(ds, s.Other)
			}
			out.Epochs = append(out.Epochs, e)
		}
		r.Rows = append(r.Rows, out)
	}
	if !folder {
		return r, WriteFile(c.Out, func(w io.Writer) error { return png.Encode(w, sheet) })
	}
	return r, c.fill(r, sheet, rows)
}

// fill writes the folder.
func (c AugmentConfig) fill(r *AugmentReport, sheet image.Image, rows [][]data.Seen) error {
	to, err := newResults(c.Out)
	if err != nil {
		return err
	}
	defer to.Discard()
	r.Sheet = filepath.Join(c.Out, "sheet.png")
	for i, row := range rows {
		for k, s := range row {
			path := filepath.Join(c.Out, fmt.Sprintf("%02d-%02d.png", i+1, s.Epoch))
			if err := to.write(path, func(w io.Writer) error { return png.Encode(w, s.Picture) }); err != nil {
				return err
			}
			r.Rows[i].Epochs[k].File = path
		}
	}
	if err := to.replay(c.Replay); err != nil {
		return err
	}
	if err := to.write(r.Sheet, func(w io.Writer) error { return png.Encode(w, sheet) }); err != nil {
		return err
	}
	return to.Commit("sheet.png")
}

// open is the data set and how a training would prepare it.
func (c AugmentConfig) open(r *AugmentReport, rep Reporter) (data.Dataset, *data.Preprocess, error) {
	if c.Model != "" {
		l, err := openModel(c.Model, c.ModelOptions, rep)
		if err != nil {
			return nil, nil, err
		}
		u, err := openUse(l, c.Data, c.Options, UseOptions{})
		if err != nil {
			return nil, nil, err
		}
		r.Notes = u.notes
		if u.pre != nil {
			r.Preprocessing = u.pre.String()
		}
		return u.ds, u.pre, nil
	}
	ds, err := openSpec(c.Data, c.Labels, c.Options)
	if err != nil {
		return nil, nil, err
	}
	if ds.Len() == 0 {
		return nil, nil, badInput(fmt.Errorf("data set %s is empty", c.Data))
	}
	r.Notes = data.Notes(ds)
	e, err := ds.Example(0)
	if err != nil || !e.Picture {
		return ds, nil, err
	}
	pre := data.Suggested(ds)
	for _, n := range PreprocessSettings {
		if v, ok := c.Preprocess[n]; ok {
			if err := pre.Set(n, v); err != nil {
				return nil, nil, usagef("--%s: %v", n, err)
			}
		}
	}
	r.Preprocessing = pre.String()
	return ds, &pre, nil
}

// byTurns are n examples, of one class after the other where there are classes.
func byTurns(ds data.Dataset, n int) []int {
	byClass, classes := map[int][]int{}, []int{}
	for i := range ds.Len() {
		l := ds.Label(i)
		if byClass[l] == nil {
			classes = append(classes, l)
		}
		byClass[l] = append(byClass[l], i)
	}
	var out []int
	for k := 0; len(out) < min(n, ds.Len()); k++ {
		for _, l := range classes {
			if k < len(byClass[l]) && len(out) < n {
				out = append(out, byClass[l][k])
			}
		}
	}
	return out
}

// labelOf is the name of a class, or its number.
func labelOf(ds data.Dataset, label int) string {
	switch {
	case label < 0:
		return ""
	case label < len(ds.Classes()):
		return ds.Classes()[label]
	}
	return fmt.Sprint(label)
}
