package job

import (
	"context"
	"fmt"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/denoise"
	"github.com/gtk-onnx/gtk/internal/memory"
	"github.com/gtk-onnx/gtk/internal/whole"
	"github.com/gtk-onnx/gtk/tensor"
)

// DenoiseConfig asks for clean versions of noisy pictures.
type DenoiseConfig struct {
	Model string // required; a denoiser of Finetune with a Restoration, or any model that gives a picture like its input
	ModelOptions
	In          []string // picture files and folders; required
	DataOptions data.Options
	Noise       string // as denoise.ParseNoise reads it, or auto or penalty, which look for that of each picture; "" is that of the model
	Reference   string // folder, or file, of the clean pictures, by the same names; "" for none
	Add         string // noise that is added first, to clean pictures, which are the reference then; "" for none
	Tile        int    // side of the tiles in which large pictures are restored; 0 means 256
	Overlap     int    // of tiles; 0 means 32, negative none
	Out         string // folder, or FILE.png for one picture; required
	NoPage      bool   // leave out report.html
	Force       bool   // replace what is there
	Seed        uint64 // of noise that is added
}

// DenoiseReport is what was made of pictures.
type DenoiseReport struct {
	Schema    string          `json:"schema"`
	Model     string          `json:"model"`
	Noise     string          `json:"noise,omitempty"`     // family, "" where the model says nothing of it
	Objective string          `json:"objective,omitempty"` // by which the model was trained
	Images    []DenoisedImage `json:"images"`
	PSNR      Number          `json:"psnr"` // means over the pictures with a reference, null without
	SSIM      Number          `json:"ssim"`
	Before    Number          `json:"psnr_before"`
	Out       string          `json:"out"`
	Report    string          `json:"report,omitempty"`
	Seconds   float64         `json:"seconds"`
	Notes     []string        `json:"notes,omitempty"`
}

// DenoisedImage is one picture. What is not known is null.
type DenoisedImage struct {
	In         string `json:"in"`
	Out        string `json:"out"`
	Width      int    `json:"width"`
	Height     int    `json:"height"`
	Channels   int    `json:"channels"`
	Tiles      int    `json:"tiles"`
	NoiseLevel Number `json:"noise_level"`
	LevelFrom  string `json:"noise_level_from,omitempty"` // given, model, picture or penalty
	Estimate   Number `json:"noise_level_estimate"`       // by the picture itself, where the model takes a level
	PSNR       Number `json:"psnr"`
	SSIM       Number `json:"ssim"`
	PSNRBefore Number `json:"psnr_before"`
	SSIMBefore Number `json:"ssim_before"`
}

// cleaning is a run of Denoise.
type cleaning struct {
	c        DenoiseConfig
	restorer *denoise.Restorer
	noise    denoise.Noise // that is asked for; no Family: that of the model
	add      denoise.Noise // likewise
	auto     bool          // the level is looked for, picture by picture
	penalty  bool          // ... by the least penalty
	inputs   []pictureFile
	refs     map[string]pictureFile
	r        *DenoiseReport
	page     *cleanedPage
}

// pictureFile is a picture of a data set.
type pictureFile struct {
	ds   data.Dataset
	i    int
	name string // file, for people
	out  string // where its clean version goes
}

// Denoise writes clean versions of noisy pictures.
func Denoise(ctx context.Context, c DenoiseConfig, rep Reporter) (*DenoiseReport, error) {
	rep = orQuiet(rep)
	begun := time.Now()
	x := &cleaning{c: c, r: &DenoiseReport{Schema: "gtk.denoise/1", Model: c.Model, Images: []DenoisedImage{}, Out: c.Out,
		PSNR: Number(math.NaN()), SSIM: Number(math.NaN()), Before: Number(math.NaN())}}
	if err := x.check(); err != nil {
		return nil, err
	}
	in := and(reads(c.Model, c.ModelOptions), "a picture", c.In...)
	release, err := claim(and(in, "--reference", c.Reference), output{flag: "--out", path: c.Out, folder: !x.single(), force: c.Force})
	if err != nil {
		return nil, err
	}
	defer release()
	for _, path := range append(slices.Clone(c.In), c.Reference) { // before the model is read
		if _, err := os.Stat(path); err != nil && path != "" {
			return nil, err
		}
	}
	note := func(s string) {
		if !slices.Contains(x.r.Notes, s) {
			x.r.Notes = append(x.r.Notes, s)
			rep.Note(s)
		}
	}
	if err := x.open(rep, note); err != nil {
		return nil, err
	}
	if err := x.find(); err != nil {
		return nil, err
	}
	if err := x.write(ctx, rep); err != nil {
		return nil, err
	}
	x.r.Seconds = time.Since(begun).Seconds()
	return x.r, nil
}

func (x *cleaning) single() bool { return strings.EqualFold(filepath.Ext(x.c.Out), ".png") }

// check looks at what can be checked before anything is read.
func (x *cleaning) check() (err error) {
	c := x.c
	switch {
	case len(c.In) == 0:
		return usagef("gtk denoise: the pictures are missing: give files or folders")
	case c.Out == "":
		return usagef("gtk denoise: the output is missing: give -o FOLDER, or -o FILE.png for one picture")
	case c.Tile != 0 && c.Tile < 16 || c.Tile > 1<<14:
		return usagef("--tile %d: want a side of 16 to 16384 pixels", c.Tile)
	case c.Add != "" && c.Reference != "":
		return usagef("--add-noise takes the pictures themselves for the clean ones: leave out --reference")
	}
	x.penalty = c.Noise == "penalty"
	if x.auto = c.Noise == "auto" || x.penalty; c.Noise != "" && !x.auto {
		if x.noise, err = denoise.ParseNoise(c.Noise); err != nil {
			return usagef("--noise: %s", strings.TrimPrefix(err.Error(), "denoise: "))
		}
		x.auto = !x.noise.Known()
	}
	if c.Add != "" {
		if x.add, err = denoise.ParseNoise(c.Add); err != nil {
			return usagef("--add-noise: %s", strings.TrimPrefix(err.Error(), "denoise: "))
		}
		if !x.add.Known() {
			return usagef("--add-noise %s: want a level, as in gaussian:25", c.Add)
		}
	}
	return nil
}

// open opens the model.
func (x *cleaning) open(rep Reporter, note func(string)) error {
	l, err := openModel(x.c.Model, x.c.ModelOptions, rep)
	if err != nil {
		return err
	}
	p, err := denoise.ParametersOf(l.File())
	if err != nil {
		return badInput(fmt.Errorf("%s: %w", l.Path, err))
	}
	t := denoise.Tiles{Side: 256, Overlap: 32, Multiple: 1}
	picture, channels, err := denoise.PictureIn(l.Model)
	if err != nil {
		return badInput(fmt.Errorf("%s: %w", l.Path, err))
	}
	sides := networkSides{multiple: 1}
	if p == nil || picture.Dims[2].Size > 0 {
		if sides, err = findSides(l.Model, channels); err != nil {
			return badInput(fmt.Errorf("%s: %w", l.Path, err))
		}
	} else {
		sides.multiple = p.Multiple
	}
	if x.c.Tile > 0 {
		t.Side = x.c.Tile
	}
	if x.c.Overlap != 0 {
		t.Overlap = max(0, x.c.Overlap)
	} else {
		t.Overlap = min(t.Overlap, t.Side/4)
	}
	if t.Multiple = sides.multiple; sides.fixed > 0 {
		if x.c.Tile > 0 && x.c.Tile != sides.fixed {
			return usagef("--tile %d: the model takes pictures of %dx%[2]d alone: leave it out", x.c.Tile, sides.fixed)
		}
		t.Side, t.Fixed, t.Overlap = sides.fixed, true, min(t.Overlap, sides.fixed/4)
	}
	if err := t.Check(); err != nil {
		return usagef("--tile, --overlap: %s", strings.TrimPrefix(err.Error(), "denoise: "))
	}
	if x.restorer, err = denoise.NewRestorer(l.Model, p, t); err != nil {
		return badInput(fmt.Errorf("%s: %w", l.Path, err))
	}
	scores := p != nil && p.Scores()
	if p != nil {
		x.r.Noise, x.r.Objective = p.Noise, p.Objective
	}
	switch {
	case x.auto && !scores:
		return usagef("--noise %s: only a network that gives scores (gtk finetune --objective noise2score) is told the level of the noise, and "+
			"%s is none", x.c.Noise, l.Path)
	case x.noise.Family != nil && scores && x.noise.Name != p.Noise:
		return usagef("--noise %s: %s is for %s noise", x.c.Noise, l.Path, p.Noise)
	case x.noise.Known() && !scores:
		note("the level of the noise plays no role: the model gives clean pictures by itself")
	case scores && p.Blind && x.c.Noise == "":
		x.auto = true
	}
	return nil
}

// find lists the pictures, and where each goes.
func (x *cleaning) find() error {
	taken := map[string]string{}
	for _, path := range x.c.In {
		list, err := x.list(path)
		if err != nil {
			return err
		}
		for _, p := range list {
			id := p.ds.ID(p.i)
			p.out = filepath.Join(x.c.Out, filepath.FromSlash(strings.TrimSuffix(id, filepath.Ext(id))+".png"))
			if x.single() {
				p.out = x.c.Out
			}
			if other, ok := taken[p.out]; ok && !x.single() {
				return usagef("%s and %s would both be written as %s: denoise them one by one", other, p.name, p.out)
			}
			taken[p.out] = p.name
			x.inputs = append(x.inputs, p)
		}
	}
	if x.single() && len(x.inputs) != 1 {
		return usagef("-o %s is one picture, and %d are given: give -o FOLDER", x.c.Out, len(x.inputs))
	}
	if x.c.Reference == "" {
		return nil
	}
	list, err := x.list(x.c.Reference)
	if err != nil {
		return fmt.Errorf("--reference: %w", err)
	}
	x.refs = map[string]pictureFile{}
	for _, p := range list {
		x.refs[stemOf(p)] = p
	}
	for _, p := range x.inputs {
		if _, ok := x.reference(p); !ok {
			return badInput(fmt.Errorf("--reference %s: no picture there is called %s, as %s is", x.c.Reference, stemOf(p), p.name))
		}
	}
	return nil
}

// stemOf is the name of a picture below its folder, without extension.
func stemOf(p pictureFile) string {
	id := p.ds.ID(p.i)
	return strings.TrimSuffix(id, filepath.Ext(id))
}

// reference is the clean version of p. One file is that of one picture, whatever it is called.
func (x *cleaning) reference(p pictureFile) (pictureFile, bool) {
	if st, err := os.Stat(x.c.Reference); err == nil && !st.IsDir() && len(x.inputs) == 1 {
		for _, r := range x.refs {
			return r, true
		}
	}
	r, ok := x.refs[stemOf(p)]
	return r, ok
}

// list are the pictures of a file or folder.
func (x *cleaning) list(path string) ([]pictureFile, error) {
	ds, err := data.Open("images:"+path, x.c.DataOptions)
	if err != nil {
		return nil, err
	}
	var out []pictureFile
	for i := range ds.Len() {
		out = append(out, pictureFile{ds: ds, i: i, name: data.FileOf(ds, i)})
	}
	return out, nil
}

// write restores the pictures and writes them.
func (x *cleaning) write(ctx context.Context, rep Reporter) error {
	var folder *results
	if !x.single() {
		var err error
		if folder, err = newResults(x.c.Out); err != nil {
			return err
		}
		defer folder.Discard()
		if !x.c.NoPage {
			x.page = &cleanedPage{}
		}
	}
	stage := rep.Stage("denoise", len(x.inputs))
	defer stage.End()
	var sums [3]float64
	compared := 0
	for k, p := range x.inputs {
		img, err := x.one(ctx, p, func(path string, write func(io.Writer) error) error {
			if folder == nil {
				return whole.Write(path, write)
			}
			return folder.write(path, write)
		})
		if err != nil {
			return err
		}
		x.r.Images = append(x.r.Images, *img)
		if v := float64(img.PSNR); !math.IsNaN(v) {
			sums[0], sums[1], sums[2] = sums[0]+v, sums[1]+float64(img.SSIM), sums[2]+float64(img.PSNRBefore)
			compared++
		}
		stage.Set(k+1, filepath.Base(p.name))
	}
	if compared > 0 {
		n := float64(compared)
		x.r.PSNR, x.r.SSIM, x.r.Before = Number(sums[0]/n), Number(sums[1]/n), Number(sums[2]/n)
	}
	if folder == nil {
		return nil
	}
	names := []string{}
	if x.page != nil {
		x.r.Report = filepath.Join(x.c.Out, reportPage)
		if err := folder.write(x.r.Report, x.page.report(x.r).Write); err != nil {
			return err
		}
		names = append(names, reportPage)
	}
	return folder.Commit(names...)
}

// one restores one picture.
func (x *cleaning) one(ctx context.Context, p pictureFile, put func(string, func(io.Writer) error) error) (*DenoisedImage, error) {
	e, err := p.ds.Example(p.i)
	if err != nil {
		return nil, err
	}
	channels := 0
	if x.restorer.Channels() == 3 {
		channels = 3
	}
	pic, err := denoise.PictureOf(e, channels)
	if err != nil {
		return nil, badInput(err)
	}
	g, err := memory.Take(24*int64(len(pic.Noisy)), "the picture "+p.name)
	if err != nil {
		return nil, err
	}
	defer g.Release()
	var clean []float32
	switch {
	case x.add.Family != nil:
		clean = pic.Noisy
		pic.Noisy = denoise.AddNoise(clean, x.add, x.c.Seed, uint64(p.i))
	case x.refs != nil:
		r, _ := x.reference(p)
		if clean, err = x.clean(r, pic); err != nil {
			return nil, err
		}
	}
	nan := Number(math.NaN())
	img := &DenoisedImage{In: p.name, Out: p.out, Width: pic.W, Height: pic.H, Channels: pic.C, Tiles: x.restorer.Tiles.Count(pic.H, pic.W),
		NoiseLevel: nan, Estimate: nan, PSNR: nan, SSIM: nan, PSNRBefore: nan, SSIMBefore: nan}
	level, err := x.level(ctx, &pic, img)
	if err != nil {
		return nil, err
	}
	y, err := x.restorer.Picture(ctx, pic.Noisy, pic.C, pic.H, pic.W, level)
	if err != nil {
		return nil, err
	}
	if x.restorer.Params == nil {
		if r, slope, shift := likeness(y, pic.Noisy); !(r > 0.5 && slope > 0.5 && slope < 2 && math.Abs(shift) < 0.25) {
			return nil, badInput(fmt.Errorf("%s: what the model makes of %s is not like it (correlation %.2f, slope %.2f, mean %+.2f), so that "+
				"it is no "+
				"clean picture: the model may not be trained, give the noise, or want other numbers than 0 to 1. gtk finetune --objective "+
				"noise2score, "+
				"or supervised, writes models that say what they give", x.c.Model, p.name, r, slope, shift))
		}
	}
	for i, v := range y {
		if v != v {
			return nil, badInput(fmt.Errorf("%s: the model makes NaN of %s", x.c.Model, p.name))
		}
		y[i] = min(max(v, 0), 1)
	}
	if clean != nil {
		if err := x.measure(img, y, clean, &pic); err != nil {
			return nil, err
		}
	}
	if x.page != nil {
		x.page.add(img, &pic, y, clean)
	}
	deep := e.X.DType() == tensor.Uint16
	return img, put(p.out, func(w io.Writer) error { return png.Encode(w, imageOf(y, pic.C, pic.H, pic.W, deep)) })
}

// level is that of the noise of a picture, 0 where it plays no role.
func (x *cleaning) level(ctx context.Context, pic *denoise.Picture, img *DenoisedImage) (float64, error) {
	p := x.restorer.Params
	if p == nil || !p.Scores() {
		return 0, nil
	}
	estimate := pic.Estimate(p.Family())
	img.Estimate = Number(estimate)
	level := p.Level
	switch {
	case x.penalty:
		var err error
		if level, err = x.restorer.LeastPenalty(ctx, pic.Noisy, pic.C, pic.H, pic.W, p.Family().Grid()); err != nil {
			return 0, err
		}
		img.LevelFrom = "penalty"
	case x.auto:
		level, img.LevelFrom = estimate, "picture"
	case x.noise.Known():
		level, img.LevelFrom = x.noise.Level, "given"
	default:
		img.LevelFrom = "model"
	}
	img.NoiseLevel = Number(level)
	return level, nil
}

// clean is the reference r of a picture.
func (x *cleaning) clean(r pictureFile, pic denoise.Picture) ([]float32, error) {
	e, err := r.ds.Example(r.i)
	if err != nil {
		return nil, err
	}
	ref, err := denoise.PictureOf(e, pic.C)
	if err != nil {
		return nil, badInput(err)
	}
	if ref.H != pic.H || ref.W != pic.W {
		return nil, badInput(fmt.Errorf("--reference: %s is %dx%d, and %s is %dx%d", r.name, ref.W, ref.H, pic.ID, pic.W, pic.H))
	}
	return ref.Noisy, nil
}

// measure compares with the clean picture.
func (x *cleaning) measure(img *DenoisedImage, y, clean []float32, pic *denoise.Picture) error {
	after, err := denoise.Compare(y, clean, pic.C, pic.H, pic.W)
	if err != nil {
		return err
	}
	before, err := denoise.Compare(pic.Noisy, clean, pic.C, pic.H, pic.W)
	if err != nil {
		return err
	}
	img.PSNR, img.SSIM, img.PSNRBefore, img.SSIMBefore = Number(after.PSNR), Number(after.SSIM), Number(before.PSNR), Number(before.SSIM)
	return nil
}

// likeness compares y with x: their correlation, the slope of y over x and the difference of the means.
func likeness(y, x []float32) (r, slope, shift float64) {
	var sx, sy, xx, yy, xy float64
	for i, v := range x {
		a, b := float64(v), float64(y[i])
		sx, sy, xx, yy, xy = sx+a, sy+b, xx+a*a, yy+b*b, xy+a*b
	}
	n := float64(len(x))
	cov, vx, vy := xy-sx*sy/n, xx-sx*sx/n, yy-sy*sy/n
	if vx == 0 { // a flat picture is like any other
		return 1, 1, (sy - sx) / n
	}
	if vy == 0 {
		return 0, 0, (sy - sx) / n
	}
	return cov / math.Sqrt(vx*vy), cov / vx, (sy - sx) / n
}
