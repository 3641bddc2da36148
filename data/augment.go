package data

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/internal/options"
	"github.com/gtk-onnx/gtk/internal/registry"
	"github.com/gtk-onnx/gtk/tensor"
)

// Augmentation is one way to change training examples at random. One file registers one; its options are the tagged fields of its
// struct. It is also one of the interfaces that say when it comes: a cropper, a scener, a toucher or a mixer.
type Augmentation interface {
	// short takes the value of the form NAME=VALUE.
	short(value string) error
	// check fails for options out of range.
	check() error
}

// cropper chooses the part of a picture that is scaled to the size of the model, in place of resize and crop.
type cropper interface{ part(r random, h, w int) *box }

// scener changes a picture before its values are normalised, with its mask where that has to follow.
type scener interface {
	apply(r random, s *scene) error
}

// toucher changes the numbers that the model gets of an example, after preprocessing.
type toucher interface {
	touch(r random, x *tensor.Tensor, at lie) error
}

// mixer changes a batch as a whole.
type mixer interface {
	mix(r random, b *Batch, at lie)
}

var augmentations = registry.Table[func() Augmentation]{Kind: "augmentation"}

func registerAugmentation(name string, made func() Augmentation, doc, source string) {
	augmentations.Register(name, made, doc, source)
}

// Augmentations is the table of augmentations; each entry makes one with its default options.
func Augmentations() *registry.Table[func() Augmentation] { return &augmentations }

// AugmentOptions lists the options of an augmentation with their defaults.
func AugmentOptions(name string) []options.Option {
	made, err := augmentations.Lookup(name)
	if err != nil {
		return nil
	}
	return options.List(made())
}

// Augment changes training examples at random, keyed by (seed, epoch, index): the same for any number of workers and after a resume. The
// zero value changes nothing.
//
// resized takes the place of resize and crop. What changes pictures comes after that, in the order given; then values are normalised;
// then comes what changes numbers (erase, noise, slice), and at last what mixes the examples of a batch, of which one is drawn for each
// batch where there are several.
type Augment struct {
	steps []augmentStep
	text  string
}

type augmentStep struct {
	name string
	how  Augmentation
}

// ParseAugment reads a list such as "flip,crop=4,resized=0.08:1,randaugment:n=2:magnitude=9"; "" and "none" change nothing.
func ParseAugment(s string) (Augment, error) {
	a := Augment{}
	fail := func(format string, args ...any) (Augment, error) {
		return Augment{}, fmt.Errorf("data: augmentation: "+format, args...)
	}
	var text []string
	for item := range strings.SplitSeq(s, ",") {
		item = strings.TrimSpace(item)
		if item == "" || item == "none" {
			continue
		}
		name, rest := item, ""
		if i := strings.IndexAny(item, "=:"); i >= 0 {
			name, rest = item[:i], item[i:]
		}
		made, err := augmentations.Lookup(name)
		if err != nil {
			return fail("%w", err)
		}
		how := made()
		switch {
		case strings.HasPrefix(rest, "="):
			value, more := shortForm(rest[1:])
			if err = how.short(value); err == nil {
				err = applied(how, name+more)
			}
		default:
			err = applied(how, item)
		}
		if err == nil {
			err = how.check()
		}
		if err != nil {
			return fail("%q: %w", item, err)
		}
		if _, crops := how.(cropper); crops && a.cropper() != nil {
			return fail("%q: one of its kind is enough", item)
		}
		a.steps, text = append(a.steps, augmentStep{name, how}), append(text, item)
	}
	a.text = strings.Join(text, ",")
	return a, nil
}

// shortForm divides VALUE:KEY=VALUE:…, in which the value may be a range LOW:HIGH.
func shortForm(s string) (value, more string) {
	parts := strings.Split(s, ":")
	n := 1
	for n < len(parts) && !strings.Contains(parts[n], "=") {
		n++
	}
	value = strings.Join(parts[:n], ":")
	return value, s[len(value):]
}

// applied sets the options of NAME:KEY=VALUE:….
func applied(how Augmentation, item string) error {
	_, pairs, err := options.Split(item)
	if err != nil {
		return err
	}
	return options.Apply(how, pairs)
}

// String is the list that was read.
func (a Augment) String() string { return a.text }

// None reports whether nothing is changed.
func (a Augment) None() bool { return len(a.steps) == 0 }

// Whole reports whether a part is cut from the whole picture, so that it has to be there before resize and crop.
func (a Augment) Whole() bool { return a.cropper() != nil }

// Mixes reports whether examples of a batch are mixed (Batch.Mix), and whether all that mixes leaves every pixel to one of them.
func (a Augment) Mixes() (mixes, whole bool) {
	whole = true
	for _, s := range a.steps {
		if _, ok := s.how.(mixer); ok {
			_, cut := s.how.(*cutMix)
			mixes, whole = true, whole && cut
		}
	}
	return mixes, mixes && whole
}

func (a Augment) cropper() cropper {
	for _, s := range a.steps {
		if c, ok := s.how.(cropper); ok {
			return c
		}
	}
	return nil
}

// Augmentable reports whether the examples of ds may be augmented as pictures: they are pictures, and their labels stay true when a
// picture is moved or mirrored, as classes and numbers do, or move along, as masks do. Targets with places of their own, such as a
// picture to compare with or a class for each position, would not fit any more. It reads the first example.
func Augmentable(ds Dataset) bool {
	if ds.Len() == 0 {
		return false
	}
	e, err := ds.Example(0)
	return err == nil && e.Picture && (e.Y == nil || e.Y.Rank() < 2)
}

// Fits fails for what says nothing about the examples of ds, by name. It reads the first example.
func (a Augment) Fits(ds Dataset) error {
	if a.None() || ds.Len() == 0 {
		return nil
	}
	e, err := ds.Example(0)
	if err != nil {
		return err
	}
	for _, s := range a.steps {
		if why := s.fits(e); why != nil {
			return fmt.Errorf("data: augmentation: %s: %w", s.name, why)
		}
	}
	return nil
}

func (s augmentStep) fits(e Example) error {
	alone := e.X != nil && e.Fields == nil
	if forSeries, ok := s.how.(interface{ fits(Example) error }); ok {
		return forSeries.fits(e)
	}
	_, mixes := s.how.(mixer)
	switch {
	case mixes && !alone:
		return errors.New("the examples have several arrays, of which a mixture is not defined")
	case mixes && !e.Picture && !e.X.DType().IsFloat():
		return fmt.Errorf("the examples are %v, and whole numbers such as tokens cannot be mixed", e.X)
	case mixes:
		return nil
	case e.Picture && e.X.DType() == tensor.Uint16 && s.recolours():
		return errors.New("the pictures have 16 bits, and what changes colours is for pictures of 8 bits")
	case !e.Picture:
		return errors.New("the examples are no pictures; noise and slice are for series and tables, mixup for all real numbers")
	case e.Y != nil && e.Y.Rank() > 1:
		return errors.New("what the examples are compared with has places of its own, which would have to be changed alike")
	}
	return nil
}

// recolours reports whether a picture gets values that were not in it, but for those between two pixels.
func (s augmentStep) recolours() bool {
	switch s.how.(type) {
	case *flip, *vflip, *crop, *turnedBy, *affine, *perspective:
		return false
	}
	_, changes := s.how.(scener)
	return changes
}

// lie is how the numbers of an example lie.
type lie struct {
	last bool // channels are the last axis
}

// chw is channels, height and width of x [C,H,W], or [H,W,C], and the steps from one to the next along each.
func (p lie) chw(x *tensor.Tensor) (c, h, w, dc, dh, dw int) {
	s := x.Shape()[x.Rank()-3:]
	if p.last {
		return s[2], s[0], s[1], 1, s[1] * s[2], s[2]
	}
	return s[0], s[1], s[2], s[1] * s[2], s[2], 1
}

// random is the generator of step k for example i, or for the batch that begins at lie i of the epoch.
func (o BatchOptions) random(i, k int) random {
	return newRandom(o.Seed, keyAugment, uint64(o.Epoch), uint64(i), uint64(k))
}

// box is the part of a picture of h×w that takes the place of resize and crop, nil for none.
func (o BatchOptions) box(i, h, w int) *box {
	for k, s := range o.Augment.steps {
		if c, ok := s.how.(cropper); ok {
			return c.part(o.random(i, k), h, w)
		}
	}
	return nil
}

// scene changes the picture of example i.
func (o BatchOptions) scene(i int, s *scene) error {
	for k, step := range o.Augment.steps {
		if x, ok := step.how.(scener); ok {
			if err := x.apply(o.random(i, k), s); err != nil {
				return fmt.Errorf("augmentation %s: %w", step.name, err)
			}
		}
	}
	return nil
}

// touches reports whether numbers are changed after preprocessing.
func (o BatchOptions) touches() bool {
	return slices.ContainsFunc(o.Augment.steps, func(s augmentStep) bool { _, ok := s.how.(toucher); return ok })
}

// touch changes the numbers of example i, which are float32 and not those of the data set.
func (o BatchOptions) touch(i int, x *tensor.Tensor, at lie) error {
	for k, step := range o.Augment.steps {
		if t, ok := step.how.(toucher); ok {
			if err := t.touch(o.random(i, k), x, at); err != nil {
				return fmt.Errorf("augmentation %s: %w", step.name, err)
			}
		}
	}
	return nil
}

// mix mixes b, which begins at a place of the epoch.
func (o BatchOptions) mix(start int, b *Batch, at lie) {
	b.Mix = nil
	var all []int
	for k, s := range o.Augment.steps {
		if _, ok := s.how.(mixer); ok {
			all = append(all, k)
		}
	}
	if len(all) == 0 || b.Len() < 2 {
		return
	}
	k := all[0]
	if len(all) > 1 {
		k = all[o.random(start, len(o.Augment.steps)).intn(len(all))]
	}
	o.Augment.steps[k].how.(mixer).mix(o.random(start, k), b, at)
}

// chance checks a probability.
func chance(p float64) error {
	if !(p >= 0 && p <= 1) {
		return fmt.Errorf("p=%v: want a probability from 0 to 1", p)
	}
	return nil
}

// shortP is the form NAME=P of what has no other number.
func shortP(p *float64, value string) (err error) {
	*p, err = shortNumber(value)
	return err
}

func shortNumber(value string) (float64, error) {
	v, err := strconv.ParseFloat(value, 64)
	if err != nil || v-v != 0 {
		return 0, fmt.Errorf("%q is no number", value)
	}
	return v, nil
}

// shortRange is the form NAME=LOW:HIGH, or NAME=LOW.
func shortRange(lo, hi *float64, value string) (err error) {
	a, b, two := strings.Cut(value, ":")
	if *lo, err = shortNumber(a); err == nil && two {
		*hi, err = shortNumber(b)
	}
	return err
}
