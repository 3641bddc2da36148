package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/denoise"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
	"github.com/gtk-onnx/gtk/train"
)

// Restoration asks for the training of a network that restores noisy pictures (train.Restore).
type Restoration struct {
	Objective string // NAME:OPTION=VALUE… of denoise.Objectives; required
	Noise     string // as denoise.ParseNoise reads it; required
	Add       string // of AddNoise: the pictures are clean, and noise is added; "" means that they are noisy
	Target    string // data set of what the pictures are compared with, by the same names; "" for none
	ValTarget string // clean pictures of the validation data, likewise
	Patch     int    // side of the squares that are learned from; 0 means 48
	Patches   int    // of each picture in an epoch; 0 means 20
	Upright   bool   // they are neither turned nor mirrored

	DefaultLevel bool // the level of the noise is an input with a default in what is written, see denoise.Compose
}

// AddNoise are the ways to add noise: once to each picture, as if it were a photo, anew for each patch, or as the objective is used.
var AddNoise = []string{"usual", "once", "redraw"}

// RestoreReport says what a denoiser was trained on.
type RestoreReport struct {
	*denoise.Parameters
	Noise    string  `json:"noise"` // family and level
	Pictures int     `json:"pictures"`
	Patch    int     `json:"patch"`
	Patches  int     `json:"patches"` // of each picture in an epoch
	Added    string  `json:"added"`   // once, redraw, or "" for noise that was there
	AddedMax float64 `json:"sigma_a_max"`
	AddedMin float64 `json:"sigma_a_min"`
}

// String is the report in a sentence.
func (r *RestoreReport) String() string {
	s := fmt.Sprintf("%s of noise %s: patches of %d×%d, %d of each of %s in an epoch", r.Objective, r.Noise, r.Patch, r.Patch, r.Patches,
		units.Plural(r.Pictures, "picture"))
	switch r.Added {
	case "once":
		s += "; noise is added, once to each picture"
	case "redraw":
		s += "; noise is added, anew for each patch"
	}
	if r.Blind && r.Scores() {
		s += fmt.Sprintf("; the level is not known, about %.3g", r.Level)
	}
	if r.AddedMax > 0 {
		s += fmt.Sprintf("; sigma_a %.3g → %.3g", r.AddedMax, r.AddedMin)
	}
	return s
}

func (c *Restoration) patch() int   { return cmp.Or(c.Patch, 48) }
func (c *Restoration) patches() int { return cmp.Or(c.Patches, 20) }

// check looks at what can be checked before anything is read.
func (c *Restoration) check(f FinetuneConfig) error {
	_, o, err := denoise.NewObjective(c.Objective)
	if err != nil {
		return usagef("--objective: %v", strings.TrimPrefix(err.Error(), "denoise: "))
	}
	if c.Noise == "" {
		return usagef("--objective %s needs to know the kind of noise: give --noise gaussian:25, poisson:0.01, gamma:100, or gaussian:blind "+
			"where "+
			"the level is not known", c.Objective)
	}
	if _, err := denoise.ParseNoise(c.Noise); err != nil {
		return usagef("--noise: %v", strings.TrimPrefix(err.Error(), "denoise: "))
	}
	if err := forLabels(f, c.Objective); err != nil {
		return err
	}
	switch {
	case f.MicroBatch > 0 || f.Growth != nil:
		return usagef("--micro-batch and --batch-adapt: batches of patches do not go in parts, nor do they grow")
	case f.Augment != "":
		return usagef("--augment: patches are turned and mirrored (--upright leaves that out), and other changes would change the noise")
	case f.Standardise:
		return usagef("--standardise is for tables, and --objective %s is for pictures", c.Objective)
	case f.ValSplit != 0 && c.ValTarget != "":
		return usagef("--val-split takes the targets from --target: leave out --val-target")
	case c.Add != "" && !slices.Contains(AddNoise, c.Add):
		return usagef("--add-noise %q: want one of %v", c.Add, AddNoise)
	case c.Add != "" && c.Target+c.ValTarget != "":
		return usagef("--add-noise makes the noisy pictures from clean ones: leave out --target and --val-target")
	case c.Add == "" && c.Target == "" && o.Wants() == denoise.WantClean:
		return usagef("--objective %s learns from clean pictures: give those of --data, by the same names, as --target, or --add-noise where "+
			"the pictures of --data are clean", c.Objective)
	case c.Add == "" && c.Target == "" && o.Wants() == denoise.WantSecond:
		return usagef("--objective %s learns from a second noisy version of each picture: give those as --target, by the same names, or "+
			"--add-noise where the pictures of --data are clean", c.Objective)
	case c.Add == "" && c.Target != "" && o.Wants() == denoise.WantNothing && f.ValSplit == 0:
		return usagef("--target: --objective %s learns from the noisy pictures alone; --val-target has clean ones to measure on", c.Objective)
	case c.ValTarget != "" && f.Val == "":
		return usagef("--val-target goes with --val")
	case c.patch() < 8 || c.patch() > 1024:
		return usagef("--patch %d: want a side of 8 to 1024 pixels", c.Patch)
	case c.patches() < 1:
		return usagef("--patches %d: want at least one of each picture", c.Patches)
	}
	return nil
}

// traits are what the result depends on, by the names of the flags.
func (c *Restoration) traits(add func(name, value string)) {
	add("objective", c.Objective)
	add("noise", c.Noise)
	add("add-noise", c.Add)
	add("patch", strconv.Itoa(c.patch()))
	add("patches", strconv.Itoa(c.patches()))
	add("upright", strconv.FormatBool(c.Upright))
	add("default-level", strconv.FormatBool(c.DefaultLevel))
}

// restoring is a network that is trained to restore pictures.
type restoring struct {
	report *RestoreReport
	params []string // those of the network
	train  *train.Restore
}

// release gives the memory of the pictures back.
func (r *restoring) release(val data.Dataset) {
	r.train.Patches.Bank.Release()
	if v, ok := val.(*denoise.Patches); ok {
		v.Bank.Release()
	}
}

// openRestoring reads pictures, and makes a denoiser of the model.
func (c FinetuneConfig) openRestoring(ctx context.Context, l *Model, rep Reporter) (*trainee, error) {
	x := c.Restore
	name, objective, err := denoise.NewObjective(x.Objective)
	if err != nil {
		return nil, usagef("--objective: %v", err)
	}
	noise, err := denoise.ParseNoise(x.Noise)
	if err != nil {
		return nil, usagef("--noise: %v", err)
	}
	_, channels, err := denoise.PictureIn(l.Model)
	if err != nil {
		return nil, badInput(fmt.Errorf("%s: %w; gtk models new dncnn makes a network for noise", l.Path, err))
	}
	old, err := denoise.ParametersOf(l.File())
	if err != nil {
		return nil, badInput(fmt.Errorf("%s: %w", l.Path, err))
	}
	sides := networkSides{fixed: 0, multiple: 1}
	if old == nil {
		if sides, err = findSides(l.Model, channels); err != nil {
			return nil, badInput(fmt.Errorf("%s: %w", l.Path, err))
		}
	} else {
		sides.multiple = old.Multiple
	}
	if sides.fixed > 0 && x.patch() != sides.fixed {
		return nil, usagef("--patch %d: the model takes pictures of %d×%[2]d alone: give --patch %[2]d", x.patch(), sides.fixed)
	}
	read := denoise.BankConfig{Channels: channels, Noise: noise, Add: x.Add != "", Want: objective.Wants(), Seed: c.Seed}
	bank, valBank, err := c.readBanks(ctx, read, rep)
	if err != nil {
		return nil, err
	}
	p := denoise.ParametersFor(objective, name, noise, bank.Typical, bank.Mean)
	p.Multiple, p.Channels, p.Optional = sides.multiple, channels, x.DefaultLevel && p.Scores()
	if old == nil && (p.Means == denoise.ScoreOfResidual || p.Means == denoise.Residual) {
		if p.Picture, err = givesPicture(ctx, l.Model, &bank.Pictures[0], x.patch()); err != nil {
			return nil, badInput(fmt.Errorf("%s: %w", l.Path, err))
		}
	}
	params, err := train.Select(l.Model, c.Freeze, false, c.Trainable...)
	if err != nil {
		return nil, usagef("%v", err)
	}
	file := l.File()
	if old != nil {
		if old.Means != p.Means || old.Noise != p.Noise || old.Scores() && old.Level != p.Level {
			return nil, badInput(fmt.Errorf("%s is a denoiser already, for noise %s:%g, trained by %s, and its output would mean something "+
				"else now: "+
				"train the network that it was made of, or with the same --noise and --objective", l.Path, old.Noise, old.Level, old.Objective))
		}
		p = old
		params = slices.DeleteFunc(params, func(n string) bool { return strings.HasPrefix(n, "denoise.") || n == denoise.LevelInput })
	} else {
		file = file.Clone()
		if err := denoise.Compose(file, p); err != nil {
			return nil, badInput(fmt.Errorf("%s: %w", l.Path, err))
		}
	}
	m, err := loadAgain(file, c.Threads, c.trainable()...)
	if err != nil {
		return nil, err
	}
	patches := &denoise.Patches{Bank: bank, Objective: objective, Params: p, Side: x.patch(), Each: x.patches(), Upright: x.Upright,
		Seed:   c.Seed,
		Redraw: x.Add == "redraw" || x.Add == "usual" && objective.Redraws()}
	t := &trainee{train: patches, restores: &restoring{params: params, train: &train.Restore{Patches: patches,
		Tiles: denoise.Tiles{Side: 256, Overlap: 32, Multiple: p.Multiple}}}}
	if sides.fixed > 0 {
		t.restores.train.Tiles = denoise.Tiles{Side: sides.fixed, Overlap: sides.fixed / 4, Fixed: true}
	}
	if err := patches.Check(); err != nil {
		return nil, badInput(err)
	}
	measured := false
	if valBank != nil {
		v := *patches
		v.Bank, v.Redraw, v.Seed = valBank, false, c.Seed+1
		if err := v.Check(); err != nil {
			return nil, badInput(fmt.Errorf("--val: %w", err))
		}
		t.val = &v
		measured = !slices.ContainsFunc(valBank.Pictures, func(p denoise.Picture) bool { return p.Clean == nil })
	}
	loaded := *l
	loaded.Model, loaded.Labels = m, nil
	t.use = &use{Model: &loaded, ds: patches}
	var set feed.Options
	if p.Scores() && !p.Optional {
		set.Set = map[string]*tensor.Tensor{denoise.LevelInput: tensor.Scalar(float32(p.Level))}
	}
	if t.plan, err = feed.For(m, patches, set); err != nil {
		return nil, useError(err)
	}
	t.task = task.ForRestoration(x.Objective, p.Network, p.Output, measured, fmt.Sprintf("output %q means: %s", p.Network, p.Means))
	if p.Picture {
		t.notes = append(t.notes, "the model gives pictures like those it is given, so that what it adds to them is trained")
	}
	t.restores.report = &RestoreReport{Parameters: p, Noise: noise.String(), Pictures: len(bank.Pictures), Patch: x.patch(),
		Patches: x.patches()}
	if x.Add != "" {
		t.restores.report.Added = map[bool]string{true: "redraw", false: "once"}[patches.Redraw]
	}
	a := patches.Schedule(1)
	t.restores.report.AddedMax, t.restores.report.AddedMin = a.Max, a.Min
	if valBank != nil && !measured {
		t.notes = append(t.notes, "no clean version of the validation pictures is known (--val-target, or --add-noise): the objective tells "+
			"epochs apart")
	}
	return t, nil
}

// readBanks reads the pictures to learn from, and those of the validation, nil for none.
func (c FinetuneConfig) readBanks(ctx context.Context, read denoise.BankConfig, rep Reporter) (bank, val *denoise.Bank, err error) {
	x := c.Restore
	open := func(flag, spec string) (data.Dataset, error) {
		if spec == "" {
			return nil, nil
		}
		ds, err := data.Open(spec, c.DataOptions)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", flag, err)
		}
		for _, n := range data.Notes(ds) {
			rep.Note(n)
		}
		return ds, nil
	}
	ds, err := open("--data", c.Data)
	if err != nil {
		return nil, nil, err
	}
	if read.Targets, err = open("--target", x.Target); err != nil {
		return nil, nil, err
	}
	var held data.Dataset
	with := read // of the validation
	switch {
	case c.ValSplit > 0:
		if ds, held, err = data.Split(ds, c.ValSplit, c.Seed); err != nil {
			return nil, nil, err
		}
	case c.Val != "":
		if held, err = open("--val", c.Val); err != nil {
			return nil, nil, err
		}
		if with.Targets, err = open("--val-target", x.ValTarget); err != nil {
			return nil, nil, err
		}
		if x.Add == "" {
			with.Want = denoise.WantClean
		}
	}
	if read.Want == denoise.WantNothing {
		read.Targets = nil
	}
	if bank, err = denoise.ReadBank(ctx, ds, read); err != nil {
		return nil, nil, pictureError("--data", err)
	}
	if held == nil {
		return bank, nil, nil
	}
	with.Seed = read.Seed + 1<<32 // other noise than that of the training
	if val, err = denoise.ReadBank(ctx, held, with); err != nil {
		bank.Release()
		return nil, nil, pictureError("--val", err)
	}
	return bank, val, nil
}

// pictureError marks an error of pictures as one of the input, unless it is one of another kind.
func pictureError(flag string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), "denoise: ") {
		return err
	}
	return badInput(fmt.Errorf("%s: %w", flag, err))
}

// networkSides are the sides of pictures that a network takes.
type networkSides struct {
	fixed    int // the only one, 0 for any multiple of
	multiple int
}

// findSides tries which sides m takes and gives back.
func findSides(m *engine.Model, channels int) (networkSides, error) {
	in, _, err := denoise.PictureIn(m)
	if err != nil {
		return networkSides{}, err
	}
	h, w := in.Dims[2].Size, in.Dims[3].Size
	outs := m.Outputs()
	if len(outs) != 1 {
		return networkSides{}, fmt.Errorf("the network has %d outputs, want one that is like its input", len(outs))
	}
	keeps := func(h, w int) (bool, string) {
		want := tensor.Shape{1, channels, h, w}
		shapes := make([]tensor.Shape, len(m.Inputs()))
		for i, x := range m.Inputs() {
			if shapes[i] = (tensor.Shape{}); x.Name == in.Name {
				shapes[i] = want
			}
		}
		got, err := m.Shapes(shapes, outs[0].Name)
		switch {
		case err != nil:
			return false, err.Error()
		case !got[0].Equal(want):
			return false, fmt.Sprintf("a picture %v becomes %v", want, got[0])
		}
		return true, ""
	}
	if h > 0 || w > 0 {
		if h != w {
			return networkSides{}, fmt.Errorf("input %s is of fixed sides that differ; export it with free ones", in)
		}
		if ok, why := keeps(h, w); !ok {
			return networkSides{}, fmt.Errorf("the network does not give a picture of the size that it was given (%s)", why)
		}
		return networkSides{fixed: h, multiple: 1}, nil
	}
	why := ""
	for k := 1; k <= 128; k *= 2 {
		ok := true
		for _, side := range []int{128 + k, 128 + 3*k} { // k and 3k are the multiples that no larger k has
			var one bool
			if one, why = keeps(side, side); !one {
				ok = false
				break
			}
		}
		if ok {
			return networkSides{multiple: k}, nil
		}
	}
	return networkSides{}, fmt.Errorf("the network does not give a picture of the size that it was given (%s)", why)
}

// givesPicture reports whether m gives a picture like the one that it is given, not what is to be added to it.
func givesPicture(ctx context.Context, m *engine.Model, p *denoise.Picture, side int) (bool, error) {
	r, err := denoise.NewRestorer(m, nil, denoise.Tiles{Side: side, Overlap: side / 4, Fixed: true})
	if err != nil {
		return false, err
	}
	y, err := r.Picture(ctx, p.Noisy, p.C, p.H, p.W, 0)
	if err != nil {
		return false, err
	}
	like, slope, shift := likeness(y, p.Noisy)
	return like > 0.8 && slope > 0.5 && slope < 1.5 && math.Abs(shift) < 0.1, nil
}

// measureRestoring measures the network as it is on the validation data.
func (f *finetuning) measureRestoring(ctx context.Context) (*train.Evaluation, error) {
	c := f.cfg
	c.Val = f.val
	e, err := train.NewRestoreEvaluator(f.Model.Model, c)
	if err != nil {
		return nil, err
	}
	return e.Run(ctx)
}

// finish keeps what the denoiser is in the metadata of what is written.
func (r *restoring) finish(file *onnx.Model) error {
	return r.report.Parameters.Store(file)
}
