package data

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

func augmented(t *testing.T, s string) Augment {
	t.Helper()
	return must(ParseAugment(s))(t)
}

func TestParseAugment(t *testing.T) {
	for s, want := range map[string]string{"": "", "none": "", "flip,crop=4": "flip,crop=4", " flip , none,resized": "flip,resized",
		"resized=0.5:0.9": "resized=0.5:0.9", "randaugment:n=3:magnitude=5,erase=0.3": "randaugment:n=3:magnitude=5,erase=0.3",
		"resized=0.2:1:wide=2": "resized=0.2:1:wide=2"} {
		if a := augmented(t, s); a.String() != want || a.None() != (want == "") || a.Whole() != strings.Contains(s, "resized") {
			t.Errorf("%q: %v", s, a)
		}
	}
	if r := augmented(t, "resized=0.2:0.7:wide=2").steps[0].how.(*resized); *r != (resized{0.2, 0.7, 0.75, 2}) {
		t.Errorf("%+v", r)
	}
	for s, want := range map[string]string{
		"rotate=5:degrees": "no number", "rotate=5:x=1": "no option", "flop": "did you mean", "crop=x": "pixels", "crop=-1": "0 or more",
		"resized=0.9:0.1": "low <= high", "resized=0:1": "0 < low",
		"flip=2": "probability", "flip:q=1": "no option", "resized,resized=0.5": "enough", "jitter:hue=1": "0.5", "posterize=9": "1 to 8",
		"solarize=300":  "0 to 256",
		"blur:kernel=4": "odd", "blur=0": "above 0", "rotate=200": "0 to 180", "rotate:interpolation=cubic": "bilinear",
		"affine:low=0": "0 < low", "perspective=2": "0 to 1", "randaugment=40": "level from 0 to 30",
		"autoaugment=mnist": "imagenet, cifar10 or svhn",
		"mixup=0":           "above 0", "cutmix:p=7": "probability", "noise=-1": "at least 0", "slice=0": "above 0",
		"slice:axis=2":    "first or last",
		"erase:value=red": "no number", "sharpness=-1": "at least 0", "crop:fill=300": "0 to 255",
		"trivialaugment=1": "at least 2", "erase=x": "no number",
	} {
		if _, err := ParseAugment(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", s, err, want)
		}
	}
	for _, x := range Augmentations().Entries() {
		how := x.Value()
		if x.Doc == "" || x.Source == "" || how.check() != nil {
			t.Errorf("%s: no line, no source, or defaults out of range: %v", x.Name, how.check())
		}
		n := 0
		for _, has := range []bool{is[cropper](how), is[scener](how), is[toucher](how), is[mixer](how)} {
			if has {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s comes at %d places", x.Name, n)
		}
	}
}

// Whatever a list says, it is refused or reads back the same, and changes a picture without a panic.
func FuzzParseAugment(f *testing.F) {
	for _, s := range append(strings.Split(everything, ","), "slice", "resized=1e-9:1:wide=1e9", "rotate=180:fill=255", "blur=900:1000",
		"randaugment:n=3:bins=2:magnitude=1", "affine:low=1e-300:high=1e-300", "affine:low=1e300:high=1e300:shear=89.999", "noise=1e300") {
		f.Add(s, uint64(1))
	}
	f.Fuzz(func(t *testing.T, s string, seed uint64) {
		a, err := ParseAugment(s)
		if err != nil {
			return
		}
		if b, err := ParseAugment(a.String()); err != nil || b.String() != a.String() {
			t.Fatalf("%q reads back as %q, %v", a, b, err)
		}
		o := BatchOptions{Augment: a, Seed: seed}
		for _, shape := range [][]int{{3, 5, 7}, {1, 1, 1}, {1, 40, 3}} {
			if len(a.steps) > 4 || strings.Contains(s, "n=") {
				return // only slow
			}
			c := &scene{pic: tensor.New(tensor.Uint8, shape...), mask: tensor.New(tensor.Uint8, shape[1:]...)}
			o.box(1, shape[1], shape[2])
			_ = o.scene(1, c)
			_ = o.touch(1, tensor.New(tensor.Float32, shape...), lie{})
		}
	})
}

func is[T any](x any) bool { _, ok := x.(T); return ok }

// TestAugmentDraws checks how often flips, places and parts come.
func TestAugmentDraws(t *testing.T) {
	x := tensor.From([]uint8{1, 2, 3, 4, 5, 6}, 1, 2, 3)
	flips, places := 0, map[string]int{}
	for e := range 400 {
		o := BatchOptions{Augment: augmented(t, "flip"), Epoch: e}
		s := &scene{pic: x}
		if err := o.scene(7, s); err != nil {
			t.Fatal(err)
		}
		if slices.Equal(s.pic.Bytes(), []uint8{3, 2, 1, 6, 5, 4}) {
			flips++
		} else if !slices.Equal(s.pic.Bytes(), x.Bytes()) {
			t.Fatalf("flip gives %v", s.pic.Bytes())
		}
		s, o.Augment = &scene{pic: x}, augmented(t, "crop=1")
		if err := o.scene(7, s); err != nil {
			t.Fatal(err)
		}
		places[fmt.Sprint(s.pic.Bytes())]++
	}
	if flips < 150 || flips > 250 || len(places) != 9 || places["[0 0 0 0 1 2]"] == 0 || places["[5 6 0 0 0 0]"] == 0 {
		t.Errorf("%d flips, places %v", flips, places)
	}
	if !slices.Equal(x.Bytes(), []uint8{1, 2, 3, 4, 5, 6}) {
		t.Error("the picture of the data set was changed")
	}
	for e := range 200 {
		b := BatchOptions{Augment: augmented(t, "resized=0.2:0.6"), Epoch: e}.box(3, 30, 50)
		area := (b.y1 - b.y0) * (b.x1 - b.x0) / 1500
		if b.y0 < 0 || b.x0 < 0 || b.y1 > 30 || b.x1 > 50 || area < 0.17 || area > 0.65 {
			t.Fatalf("box %+v, area %v", b, area)
		}
	}
	for _, alpha := range []float64{0.05, 0.4, 1, 8} {
		n, sum, square := 4000, 0.0, 0.0
		for i := range n {
			v := newRandom(1, uint64(i)).beta(alpha)
			if !(v >= 0 && v <= 1) {
				t.Fatalf("Beta(%v) gives %v", alpha, v)
			}
			sum, square = sum+v, square+v*v
		}
		mean := sum / float64(n)
		if variance, want := square/float64(n)-mean*mean, 1/(4*(2*alpha+1)); mean < 0.47 || mean > 0.53 || variance < 0.9*want ||
			variance > 1.1*want {
			t.Errorf("Beta(%v): mean %v, variance %v, want 0.5, %v", alpha, mean, variance, want)
		}
	}
}

// TestAutoPolicies checks that each sub-policy names changes that there are, with levels and probabilities that there can be.
func TestAutoPolicies(t *testing.T) {
	for name, pairs := range autoPolicies {
		if len(pairs) != 25 {
			t.Errorf("%s has %d sub-policies", name, len(pairs))
		}
		for _, pair := range pairs {
			for _, c := range pair {
				if !slices.ContainsFunc(randOps, func(o policyOp) bool { return o.name == c.op }) || chance(c.p) != nil || c.level < 0 || c.level > 9 {
					t.Errorf("%s: %+v", name, c)
				}
			}
		}
	}
}

// everything is all that changes pictures, one after another.
const everything = "resized=0.5:1,flip,vflip,crop=2,jitter,grayscale,rotate,affine:shear=5,perspective,blur,sharpness,solarize," +
	"posterize,invert,autocontrast,equalize,randaugment,trivialaugment,autoaugment,erase:value=random,noise,mixup,cutmix"

// Whatever augments, batches are the same for any number of workers and when an epoch is resumed, and others in another epoch.
func TestAugmentDoesNotDependOnWorkers(t *testing.T) {
	ds := must(Open("shapes?size=16&n=30", Options{}))(t)
	said := func(o BatchOptions) []string {
		var out []string
		for b, err := range Batches(context.Background(), ds, Shuffled(30, 5), 4, o) {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, fmt.Sprint(b.IDs, b.Labels, b.Mix, digestOf(b.X.Bytes())))
		}
		return out
	}
	for _, layout := range []string{"nchw", "nhwc"} {
		p := &Preprocess{Channels: "rgb", Layout: layout}
		o := BatchOptions{Preprocess: p, Augment: augmented(t, everything), Seed: 5, Epoch: 3, Workers: 1}
		want := said(o)
		o.Workers, o.Prefetch = 7, 5
		if got := said(o); !slices.Equal(got, want) {
			t.Error("7 workers give other batches")
		}
		o.Skip = 3
		if got := said(o); !slices.Equal(got, want[3:]) {
			t.Error("resumed epoch differs")
		}
		o.Skip, o.Epoch = 0, 4
		if got := said(o); slices.Equal(got[:1], want[:1]) {
			t.Error("epochs are the same")
		}
	}
}

// Masks go where pictures go: a picture that is its mask stays so, but for what comes from beyond the border, which is no class.
func TestMasksFollow(t *testing.T) {
	ds := fieldset{6}
	for _, how := range []string{"flip", "vflip", "crop=1", "rotate=90", "affine:shear=10", "perspective", "randaugment:n=1", "cutmix"} {
		for epoch := range 12 {
			o := BatchOptions{Masks: true, Epoch: epoch, Augment: augmented(t, how), Preprocess: &Preprocess{Scale: 1, Channels: "gray"}}
			if how == "perspective" {
				o.Augment = augmented(t, "perspective:interpolation=nearest")
			}
			for b, err := range Batches(context.Background(), ds, Sequential(6), 3, o) {
				if err != nil {
					t.Fatal(err)
				}
				if how == "randaugment:n=1" { // may change colours
					continue
				}
				if b.Mix != nil {
					t.Fatal("masks are mixed by shares")
				}
				for k, v := range b.X.F32() {
					if m := b.Mask.Bytes()[k]; (m != Void || v != 0) && v != 100*float32(m) {
						t.Fatalf("%s, epoch %d: pixel %d is %v, its mask %d", how, epoch, k, v, m)
					}
				}
			}
		}
	}
}

// TestSeriesAugment checks noise and slices of series, and that those of the data set stay.
func TestSeriesAugment(t *testing.T) {
	line := make([]float32, 40)
	for i := range line {
		line[i] = float32(i / 2 * (1 + i%2)) // [20,2]: two straight lines
	}
	x := tensor.From(slices.Clone(line), 20, 2)
	o := BatchOptions{Augment: augmented(t, "slice=0.5")}
	y := x.Clone()
	if err := o.touch(3, y, lie{}); err != nil {
		t.Fatal(err)
	}
	d := y.F32()
	start := d[0]
	for i := range 20 { // straight still, half as steep
		want := start + float32(i)*9/19
		if diff := d[2*i] - want; diff > 1e-4 || diff < -1e-4 || d[2*i+1]-2*d[2*i] > 1e-4 {
			t.Fatalf("slice gives %v", d)
		}
	}
	o.Augment = augmented(t, "slice:share=0.5:axis=last")
	z := tensor.New(tensor.Float64, 2, 20)
	for i := range 40 {
		tensor.Data[float64](z)[i] = float64(line[i%20*2+i/20])
	}
	if err := o.touch(3, z, lie{}); err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		if diff := float32(tensor.Data[float64](z)[i]) - d[i%20*2+i/20]; diff > 1e-4 || diff < -1e-4 {
			t.Fatalf("columns first: %v, rows first %v", z.Float64s(), d)
		}
	}
	set := must(openArrays(t, "", Options{}, named("x", tensor.From(line[:30], 3, 5, 2)), named("y", tensor.From([]int64{0, 1, 0}, 3))))(t)
	for b, err := range Batches(t.Context(), set, Sequential(3), 3, BatchOptions{Augment: augmented(t, "noise=0.1,mixup")}) {
		if err != nil {
			t.Fatal(err)
		}
		if b.Mix == nil || slices.Equal(b.X.F32(), line[:30]) {
			t.Errorf("nothing was changed: %+v", b)
		}
	}
	if e := must(set.Example(1))(t); !slices.Equal(e.X.F32(), line[10:20]) {
		t.Error("the series of the data set was changed")
	}
}

// TestAugmentFits checks that what says nothing about a data set is refused by name.
func TestAugmentFits(t *testing.T) {
	pictures := must(Open("digits", Options{}))(t)
	table := must(openArrays(t, "", Options{}, named("x", tensor.New(tensor.Float32, 3, 4)), named("y", tensor.New(tensor.Int64, 3))))(t)
	series := must(openSeries(t, hours(40), "?in=4&out=2", Options{}))(t)
	tokens := must(openArrays(t, "", Options{}, named("x", tensor.New(tensor.Int64, 3, 4)), named("y", tensor.New(tensor.Int64, 3))))(t)
	pairs := must(openArrays(t, "", Options{}, named("x", tensor.New(tensor.Uint8, 3, 4, 4)),
		named("y", tensor.New(tensor.Float32, 3, 4, 4))))(t)
	for _, c := range []struct {
		how  string
		ds   Dataset
		want string
	}{
		{everything, pictures, ""}, {"slice", pictures, "slice: the examples are pictures"}, {"noise,mixup", table, ""},
		{"flip", table, "flip: the examples are no pictures"}, {"cutmix", table, "cutmix: the examples are no pictures"},
		{"noise", series, ""}, {"slice", series, "would have to be stretched"}, {"noise", tokens, "no noise"},
		{"mixup", tokens, "cannot be mixed"},
		{"flip", pairs, "places of its own"}, {"cutmix", pairs, "places of its own"}, {"slice", table, ""}, {"jitter", series, "no pictures"},
	} {
		err := augmented(t, c.how).Fits(c.ds)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.how, err, c.want)
		}
	}
	for _, step := range augmented(t, everything).steps { // what changes colours is refused of 16 bits, and nothing else is
		why := step.fits(Example{X: tensor.New(tensor.Uint16, 1, 4, 4), Picture: true})
		if (why != nil) != step.recolours() || why != nil && !strings.Contains(why.Error(), "16 bits") {
			t.Errorf("%s of 16 bits: %v", step.name, why)
		}
	}
	deep := &scene{pic: tensor.New(tensor.Uint16, 1, 4, 4)}
	for _, how := range []string{"jitter", "randaugment:n=20"} {
		if err := (BatchOptions{Augment: augmented(t, how)}).scene(0, deep); err == nil || !strings.Contains(err.Error(), "16 bits") {
			t.Errorf("%s of 16 bits: %v", how, err)
		}
	}
}
