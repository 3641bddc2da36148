package explain

import (
	"bytes"
	"image"
	"image/color"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// voices are the full colours of what speaks for a class and against it.
func voices(r Render) (speaksFor, against color.NRGBA) { return r.Diverging.At(1), r.Diverging.At(0) }

func TestRenderTokens(t *testing.T) {
	r := DefaultRender()
	speaksFor, against := voices(r)
	words := strings.Fields("the second half drags on")
	img, err := RenderTokens(words, []float32{0, 0, -2, 2, 0}, r)
	if err != nil {
		t.Fatal(err)
	}
	if img.Bounds().Dx() != chartWidth {
		t.Errorf("the strip is %d wide", img.Bounds().Dx())
	}
	if a, b := count(img, speaksFor), count(img, against); a < 200 || b < 200 {
		t.Errorf("%d pixels for and %d against", a, b)
	}
	// Half of the largest is half of the colour; nothing is no colour.
	half, err := RenderTokens(words, []float32{0, 0, 1, 2, 0}, r)
	if err != nil {
		t.Fatal(err)
	}
	if n := count(half, onPaper(speaksFor, 0.5)); n < 200 || count(half, against) != 0 {
		t.Errorf("%d pixels of half the colour", n)
	}
	none, err := RenderTokens(words, make([]float32, 5), r)
	if err != nil {
		t.Fatal(err)
	}
	for x := range none.Bounds().Dx() { // text is grey
		for y := range none.Bounds().Dy() {
			if c := none.NRGBAAt(x, y); int(c.B)-int(c.R) > 16 || c.R > c.B {
				t.Fatalf("pixel %d,%d is %v without any relevance", x, y, c)
			}
		}
	}
	// It wraps, also where a word is longer than a line.
	long := append(slices.Repeat(words, 80), strings.Repeat("w", 500))
	tall, err := RenderTokens(long, make([]float32, len(long)), r)
	if err != nil || tall.Bounds().Dx() != chartWidth || tall.Bounds().Dy() < 10*none.Bounds().Dy() {
		t.Errorf("401 words take %v: %v", tall.Bounds(), err)
	}
	for y := range tall.Bounds().Dy() {
		for x := chartWidth - chartMargin; x < chartWidth; x++ {
			if tall.NRGBAAt(x, y) != panelPaper {
				t.Fatalf("there is ink in the margin at %d,%d", x, y)
			}
		}
	}
	for name, rel := range map[string][]float32{"too few": {1}, "not a number": {0, 0, float32(math.NaN()), 0, 0},
		"infinite": {0, 0, 0, 0, float32(math.Inf(1))}} {
		if _, err := RenderTokens(words, rel, r); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := RenderTokens(slices.Repeat([]string{"\n"}, 2000), make([]float32, 2000), r); err == nil {
		t.Error("a strip over the limit was drawn")
	}
	if img, err := RenderTokens(nil, nil, r); err != nil || img.Bounds().Empty() {
		t.Errorf("no tokens: %v", err)
	}
}

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{"cat": "cat", "": "·", "a\n": "a¶", "\t": "→", "\x00\x1f\x7f": "␀␟␡", "\xff": "\uFFFD", " ": " "} {
		if got := visible(in); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
	for _, tc := range []struct {
		tokens []string
		want   bool
	}{{[]string{"the", "cat"}, true}, {[]string{"the", " cat"}, false}, {[]string{"a", "b"}, false}, {nil, false}} {
		if got := apart(tc.tokens); got != tc.want {
			t.Errorf("%q apart: %v", tc.tokens, got)
		}
	}
}

func TestBarOrder(t *testing.T) {
	r := DefaultRender()
	names, rel := []string{"a", "b", "c", "d"}, []float32{1, -4, 0, 2}
	order := func() (s string) {
		rows, err := r.bars(names, []string{"1", "2", "3", "4"}, rel)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range rows {
			s += b.name + b.value + b.amount + " "
		}
		return strings.TrimSpace(s)
	}
	if got := order(); got != "b2−4 d4+2 a1+1 c30" {
		t.Errorf("the strongest first: %s", got)
	}
	r.InOrder = true
	if got := order(); got != "a1+1 b2−4 c30 d4+2" {
		t.Errorf("in order: %s", got)
	}
	r.Most = 2
	if got := order(); got != "b2−4 d4+2 2 more+1" {
		t.Errorf("the strongest two, in order: %s", got)
	}
	if _, err := r.bars(names, nil, rel[:3]); err == nil {
		t.Error("four names with three values were taken")
	}
	if _, err := r.bars(names, []string{"1"}, rel); err == nil {
		t.Error("four names with one value were taken")
	}
}

func TestRenderBars(t *testing.T) {
	r := DefaultRender()
	speaksFor, against := voices(r)
	img, err := RenderBars([]string{"age", strings.Repeat("a long name ", 20), "猫"}, []string{"54", strings.Repeat("long value ", 20), ""},
		[]float32{2, -1, 0}, r)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := count(img, speaksFor), count(img, against); a < 100 || math.Abs(float64(a)/float64(b)-2) > 0.05 {
		t.Errorf("bars of 2 and -1 have %d and %d pixels", a, b)
	}
	only, err := RenderBars([]string{"a", "b"}, nil, []float32{1, 1}, r)
	if err != nil || count(only, speaksFor) <= count(img, speaksFor) || count(only, against) != 0 {
		t.Errorf("bars to one side alone are not longer: %v", err)
	}
	for _, rel := range [][]float32{{0, 0}, {-3, -1}, {math.MaxFloat32, -math.MaxFloat32}} {
		if _, err := RenderBars([]string{"a", "b"}, nil, rel, r); err != nil {
			t.Errorf("%v: %v", rel, err)
		}
	}
	if _, err := RenderBars(nil, nil, nil, r); err != nil {
		t.Errorf("no bars: %v", err)
	}
}

func TestRenderSeries(t *testing.T) {
	r := DefaultRender()
	speaksFor, against := voices(r)
	nan := float32(math.NaN())
	values := [][]float32{{0, 1, 0, -1}, {5, 5, nan, 5}}
	rel := [][]float32{{0, 2, 0, 0}, {-2, 0, 0, 0}}
	img, err := RenderSeries(values, rel, []string{"load", "temperature"}, r)
	if err != nil {
		t.Fatal(err)
	}
	a, b := count(img, speaksFor), count(img, against)
	if a < 5000 || b < 5000 || count(img, panelInk) < 300 {
		t.Errorf("%d pixels for, %d against, %d of lines", a, b, count(img, panelInk))
	}
	// Bands are where their moments are: the second quarter of the first channel, the first of the second.
	find := func(c color.NRGBA) (box image.Rectangle) {
		for y := range img.Bounds().Dy() {
			for x := range img.Bounds().Dx() {
				if img.NRGBAAt(x, y) == c {
					box = box.Union(image.Rect(x, y, x+1, y+1))
				}
			}
		}
		return box
	}
	up, down := find(speaksFor), find(against)
	if d := up.Min.X - down.Max.X; d < -1 || d > 1 || up.Max.Y > down.Min.Y || up.Dx() < 100 {
		t.Errorf("for is at %v, against at %v", up, down)
	}
	many := slices.Repeat([][]float32{{1, 2}}, 40)
	share := slices.Repeat([][]float32{{0, 0}}, 40)
	share[33] = []float32{0, -9}
	channels, left, err := r.channels(many, share, nil)
	if err != nil || left != 40-mostChannels || !slices.ContainsFunc(channels, func(c channel) bool { return c.name == "channel 33" }) {
		t.Errorf("%d more than %d channels, the strongest is not among them: %v", left, len(channels), err)
	}
	for name, bad := range map[string][3][][]float32{
		"empty": {nil, nil}, "no moments": {{{}}, {{}}}, "channels differ": {{{1, 2}, {1}}, {{1, 2}, {1}}}, "too little relevance": {{{1, 2}},
			{{1}}},
		"no number": {{{1, 2}}, {{1, nan}}},
	} {
		if _, err := RenderSeries(bad[0], bad[1], nil, r); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for _, v := range [][]float32{{nan}, {nan, nan}, {1}, {float32(math.Inf(1)), 2}} {
		if _, err := RenderSeries([][]float32{v}, [][]float32{make([]float32, len(v))}, nil, r); err != nil {
			t.Errorf("%v: %v", v, err)
		}
	}
}

// others are items that are no pictures.
func others() []Item {
	top := []Prediction{{Class: 1, Label: "negative, or so", Prob: 0.93, Logit: 2}}
	result := func(v []float32, shape ...int) Image {
		m := Map{Method: "gradient-sum", Base: "gradient", Options: Options{"reduce": "sum"}, Raw: tensor.From(v, shape...), H: 1, W: len(v),
			Up: v, Signed: true, Target: top[0]}
		m.Heat, _ = Symmetric(v)
		return Image{Top: top, Maps: []Map{m}}
	}
	number := []Prediction{{Label: "price", Prob: math.NaN(), Logit: 31.25}}
	row := Item{Name: "row 12", Row: &Row{[]string{"age", "<region>"}, []string{"54", "north"}}, Result: result([]float32{0.5, -0.25}, 1, 1,
		2)}
	row.Result.Top, row.Result.Maps[0].Target = number, number[0]
	return []Item{
		{Name: "review", Text: &Text{[]string{"not", "<without>", "charm"}}, Result: result([]float32{1, 0, -1}, 1, 1, 3)},
		row,
		{Name: "load", Series: &Series{[]string{"a", "b"}, [][]float32{{1, 2, 3}, {3, 2, 1}}}, Result: result([]float32{0, 0, 1, -1, 0, 0}, 2, 1,
			3)},
		{Name: "one map for all", Series: &Series{nil, [][]float32{{1, 2, 3}, {3, 2, 1}}}, Result: result([]float32{0, 0, 1}, 1, 1, 3)},
	}
}

func TestOtherInputs(t *testing.T) {
	r := DefaultRender()
	page, err := r.Page(others(), PageInfo{Title: "m"})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := page.Write(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"&lt;without&gt;", "&lt;region&gt;", "Predicted: price, 31.25.", "<th class=\"num\" scope=\"col\">Value</th>", "negative, or so (1)",
		"Gradient, sum",
		"+0.5", "−0.25", "channel 1", "against",
	} {
		if !strings.Contains(b.String(), want) && !strings.Contains(b.String(), strings.ReplaceAll(want, "+", "&#43;")) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, bad := range []string{"NaN", "data:image", "ZgotmplZ"} { // the legend is a gradient
		if strings.Contains(b.String(), bad) {
			t.Errorf("the page contains %q", bad)
		}
	}
	dir := t.TempDir()
	w := Writer{Dir: dir, PNG: true, Render: r}
	for _, it := range others() {
		files, err := w.Write(it)
		if err != nil {
			t.Fatal(err)
		}
		if files[0].Original != "" || !strings.HasPrefix(filepath.Base(files[0].PNG), it.Name+".gradient-sum") {
			t.Errorf("wrote %+v", files[0])
		}
	}
	if _, err := r.Panel(others()); err != nil {
		t.Error(err)
	}
	for i, it := range others() {
		it.Result.Maps[0].Raw = tensor.New(tensor.Float32, 1, 1, 7)
		it.Result.Maps[0].Up = make([]float32, 7)
		if _, err := r.Page([]Item{it}, PageInfo{}); err == nil || !strings.Contains(err.Error(), it.Name) {
			t.Errorf("item %d with a map of 7 values: %v", i, err)
		}
		if _, err := r.Picture(it, it.Result.Maps[0]); err == nil || !strings.Contains(err.Error(), it.Name) {
			t.Errorf("item %d with a map of 7 values: %v", i, err)
		}
	}
	if _, err := r.Page([]Item{{Name: "nothing"}}, PageInfo{}); err == nil {
		t.Error("an item without a picture has a page")
	}
}

// TestOriginalItem: the page lays maps over the whole picture, the writer writes both pictures.
func TestOriginalItem(t *testing.T) {
	base, original := plain(image.Rect(0, 0, 8, 8), color.NRGBA{9, 9, 9, 255}), plain(image.Rect(0, 0, 30, 10), color.NRGBA{9, 9, 9, 255})
	m := heated(8, 8, ramp(64))
	m.Raw = tensor.From(ramp(64), 1, 8, 8)
	it := Item{Name: "wide.png", Base: base, Original: original, Box: image.Rect(10, 0, 20, 10), Result: Image{Maps: []Map{m},
		Top: []Prediction{{Prob: 1}}}}
	r := DefaultRender()
	write := func(it Item) (Written, string) {
		t.Helper()
		w := Writer{Dir: t.TempDir(), PNG: true, Render: r}
		files, err := w.Write(it)
		if err != nil {
			t.Fatal(err)
		}
		page, err := r.Page([]Item{it}, PageInfo{Title: "m"})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := page.Write(&b); err != nil {
			t.Fatal(err)
		}
		return files[0], b.String()
	}
	files, page := write(it)
	if filepath.Base(files.PNG) != "wide.gradcam.relu3.png" || filepath.Base(files.Original) != "wide.gradcam.relu3.original.png" {
		t.Errorf("wrote %+v", files)
	}
	for _, want := range []string{`class="window" style="left:33.333%;top:0.000%;width:33.333%;height:100.000%"`,
		"30 × 10 pixels; the model sees what is in the frame, at 8 × 8"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	it.Box = original.Bounds() // stretched
	if files, page = write(it); files.Original == "" || strings.Contains(page, `class="window"`) ||
		!strings.Contains(page, "the model sees it at 8 × 8") {
		t.Errorf("a stretched picture: %+v", files)
	}
	it.Original, it.Box = base, base.Bounds() // all that there is
	if files, page = write(it); files.Original != "" || strings.Contains(page, "the model sees") {
		t.Errorf("a picture of the size of the input: %+v", files)
	}
	it.Box = image.Rect(50, 50, 60, 60)
	if _, err := r.Page([]Item{it}, PageInfo{}); err == nil || !strings.Contains(err.Error(), "wide.png") {
		t.Errorf("a box outside: %v", err)
	}
}

// One hot moment of many does not leave the others invisible; of a few values none is cut.
func TestManyShares(t *testing.T) {
	r := DefaultRender()
	for n, want := range map[int]float64{50: 0.01, 400: 1} {
		v := slices.Repeat([]float32{1, -1}, n/2)
		v[7] = 100
		got, err := r.shares("moment", v[:n/2], v[n/2:])
		if err != nil || math.Abs(got[0][0]-want) > 1e-6 || math.Abs(math.Abs(got[1][1])-want) > 1e-6 || got[0][7] != 1 {
			t.Errorf("of %d: %v, %v", n, got[0][:8], err)
		}
	}
	r.Clip = 100
	if got, err := r.shares("moment", append(slices.Repeat([]float32{1}, 300), 4)); err != nil || got[0][0] != 0.25 {
		t.Errorf("not cut: %v, %v", got, err)
	}
}
