package report

import (
	"bytes"
	"image"
	"image/color"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
)

func picture(w, h int, f func(x, y int) color.NRGBA) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetNRGBA(x, y, f(x, y))
		}
	}
	return img
}

// sample is a page with every block.
func sample() *Report {
	base := picture(16, 12, func(x, y int) color.NRGBA { return color.NRGBA{uint8(x * 16), uint8(y * 20), 120, 255} })
	heat := picture(16, 12, func(x, y int) color.NRGBA {
		d := math.Hypot(float64(x-5), float64(y-6))
		return color.NRGBA{uint8(255 * math.Exp(-d/4)), 40, uint8(255 * (1 - math.Exp(-d/4))), 255}
	})
	strip := picture(256, 1, func(x, _ int) color.NRGBA { return color.NRGBA{uint8(x), 40, uint8(255 - x), 255} })
	r := New("resnet20.onnx", "A page with every block there is.")
	r.Kicker, r.Footer = "gtk test", "Made by a test."
	r.Section("", "").Add(
		Facts{{Label: "Images", Value: "12"}, {Label: "Accuracy", Value: "91.3 %", Detail: "+2.1 since the start", Tone: Good},
			{Label: "Loss", Value: "0.31"}},
		Note{Tone: Warn, Text: `layer "conv1" was chosen & most of the model comes after it`},
	)
	r.Section("Predictions", "For one image.").Add(
		Columns{
			Figure{Image: base, Caption: "cat.png", Detail: "16 x 12"},
			Table{Head: []string{"Class", "Probability", "Logit"}, Numeric: []int{2}, Caption: "best classes", Rows: [][]Cell{
				{C("tabby <cat>"), Percent(0.913), Num(5.25, 3)},
				{C("dog"), Percent(0.05), Num(1.5, 3)},
				{{Text: "conv1/weight", Code: true}, Percent(math.NaN()), {Text: "bad", Tone: Bad}},
			}},
		},
		Maps{Base: base, Alpha: 0.6, Columns: []string{"gradcam", "normgrad-scaling-filter_norm", "gradient"}, Rows: []MapRow{
			{Label: "layer1.2", Maps: []Map{{Image: heat, Caption: "sum"}, {Image: heat, Warning: "constant: nothing to show"}, {}}},
			{Label: "layer2.2", Maps: []Map{{Image: heat}, {Image: heat}, {Image: heat}}},
		}, Legends: []Legend{{Image: strip, Name: "turbo", Low: "low", High: "high"}}},
	)
	var loss, lr, values []float64
	for i := range 3000 {
		loss = append(loss, math.Exp(-float64(i)/800)+0.1*math.Sin(float64(i)/3)*math.Exp(-float64(i)/1500))
		lr = append(lr, 0.5+0.5*math.Cos(float64(i)/3000*math.Pi))
		values = append(values, math.Sin(float64(i)*12.9898)+math.Sin(float64(i)*78.233))
	}
	loss[100] = math.NaN()
	r.Section("Training", "").Add(Columns{
		LineChart{Title: "Loss by step", XLabel: "step", YLabel: "loss",
			Series: []Series{{Name: "train", Y: loss}, {Name: "learning rate", Y: lr}}},
		LineChart{Title: "Learning-rate range test", XLabel: "learning rate", YLabel: "loss", LogX: true, Series: []Series{
			{X: []float64{1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1}, Y: []float64{2.3, 2.29, 2.1, 1.2, 0.9, 4}}},
			Marks: []Mark{{0.03, "suggested"}}},
	})
	r.Section("Scores", "").Add(Columns{
		Histogram{Title: "EL2N scores", XLabel: "score", Values: values, Marks: []Mark{{0.8, "kept above"}}},
		Settings{{"optimizer", "sgd"}, {"lr", "0.1"}, {"seed", "0"}},
	}, Gallery{Caption: "Hardest examples", Figures: []Figure{
		{Image: base, Caption: "id 17", Detail: "0.93"}, {Image: heat, Caption: "id 4", Detail: "0.91", Tone: Bad},
		{Image: base, Caption: "id 8", Detail: "0.90"},
	}}, Details{Summary: "More", Blocks: []Block{Text("Behind the line.")}})
	orange, blue := color.NRGBA{242, 125, 26, 255}, color.NRGBA{47, 136, 243, 255}
	var words []Token
	for i, w := range strings.Fields("the film is not without its charm but the second half drags on and on") {
		c := orange
		if i%3 == 0 {
			c = blue
		}
		c.A = uint8(i * 37)
		words = append(words, Token{Text: w, Color: c, Title: "+0.1"})
	}
	wave := Signal{Name: "load"}
	for i := range 400 {
		wave.Values = append(wave.Values, math.Sin(float64(i)/20))
		wave.Bands = append(wave.Bands, math.Sin(float64(i)/60))
	}
	r.Section("Other inputs", "").Add(
		Tokens{Tokens: words, Apart: true},
		Bars{For: orange, Against: blue, Bars: []Bar{{"age", "54", "+0.31", 1}, {"income", "31,000", "−0.2", -0.64},
			{"region", "north", "+0.02", 0.06}}},
		Signals{Signals: []Signal{wave, wave}, For: orange, Against: blue, XLabel: "minute"},
		Timeline{Title: "Rounds", XLabel: "seconds", Lanes: []string{"worker 0", "worker 1"}, Kinds: []string{"in time", "late"},
			Spans: []Span{{0, 0, 0, 1.5, "round 0"}, {1, 1, 0, 2, "round 0"}}, Cuts: []float64{2}},
		Beside{Narrow: Figure{Image: base, Beneath: true},
			Wide: Maps{Base: base, Window: image.Rect(4, 0, 12, 8), Alone: true, Columns: []string{"Grad-CAM"},
				Details: []string{"relu3"}, Rows: []MapRow{{Maps: []Map{{Image: heat}}}}}},
	)
	return r
}

func render(t *testing.T, r *Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPage(t *testing.T) {
	s := render(t, sample())
	if path := os.Getenv("GTK_REPORT_SAMPLE"); path != "" { // to look at it in a browser
		if err := os.WriteFile(path, []byte(s), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range regexp.MustCompile(`(?:points|x|y|x1|x2|y1|y2|width|height)="([^"]*)"`).FindAllStringSubmatch(s, -1) {
		if strings.ContainsAny(m[1], "NI") {
			t.Errorf("a coordinate is not a number: %s", m[0])
		}
	}
	if s != render(t, sample()) {
		t.Error("the same content gave different bytes")
	}
	for _, bad := range []string{"ZgotmplZ", "<script", "http://", "<cat>", "%!"} {
		if strings.Contains(s, bad) {
			t.Errorf("the page contains %q", bad)
		}
	}
	for _, want := range []string{"tabby &lt;cat&gt;", "data:image/png;base64,", "--w:91.3%", "prefers-color-scheme:dark",
		`id="mix1-50" class="m50" checked`, "<polyline", "<rect", "kept above", "constant: nothing to show"} {
		if !strings.Contains(s, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if n := strings.Count(s, "background-image:url("); n != 1 {
		t.Errorf("the picture beneath the maps is stored %d times, want 1", n)
	}
}

func TestSelfContained(t *testing.T) {
	s := render(t, sample())
	for _, attr := range []string{`src="`, `href="`, "url("} {
		for rest := s; ; {
			i := strings.Index(rest, attr)
			if i < 0 {
				break
			}
			rest = rest[i+len(attr):]
			if !strings.HasPrefix(rest, "data:image/png;base64,") && !strings.HasPrefix(rest, "data:image/jpeg;base64,") &&
				!strings.HasPrefix(rest, "#") {
				t.Errorf("%s%.40s… leaves the file", attr, rest)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	img := picture(2, 2, func(int, int) color.NRGBA { return color.NRGBA{} })
	for name, b := range map[string]Block{
		"beside":                 Beside{Text("a"), Figure{}},
		"figure without picture": Figure{},
		"maps without picture":   Maps{},
		"too many maps":          Maps{Base: img, Columns: []string{"a"}, Rows: []MapRow{{Maps: make([]Map, 2)}}},
		"too many cells":         Table{Head: []string{"a"}, Rows: [][]Cell{{C("1"), C("2")}}},
		"x and y differ":         LineChart{Series: []Series{{X: []float64{1}, Y: []float64{1, 2}}}},
		"nested":                 Columns{Details{Blocks: []Block{Figure{}}}},
	} {
		r := New("t", "")
		r.Section("s", "").Add(b)
		if err := r.Write(&bytes.Buffer{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestDegenerate draws charts of nothing, of one number and of numbers that cannot be drawn.
func TestDegenerate(t *testing.T) {
	inf := math.Inf(1)
	for _, v := range [][]float64{nil, {1}, {2, 2, 2}, {math.NaN(), inf, -inf}, {0}, {-1e300, 1e300}, {1e-310}} {
		for _, log := range []bool{false, true} {
			r := New("t", "")
			r.Section("s", "").Add(Histogram{Values: v}, LineChart{LogX: log, LogY: log, Series: []Series{{Y: v}}})
			s := render(t, r)
			if strings.Contains(s, "NaN") || strings.Contains(s, "Inf") {
				t.Errorf("%v: a coordinate is not a number", v)
			}
		}
	}
}

func TestTicks(t *testing.T) {
	a := newAxis([]float64{0, 0.37, 9.2}, 0, 100, false)
	var got []string
	for _, x := range a.widen(5).ticks(5) {
		got = append(got, number(x))
	}
	if s := strings.Join(got, " "); s != "0 2 4 6 8 10" {
		t.Errorf("ticks of 0 to 9.2: %s", s)
	}
	log := newAxis([]float64{1e-5, 10}, 0, 100, true)
	if got := log.ticks(7); len(got) != 7 || got[0] != 1e-5 || math.Abs(got[6]-10) > 1e-9 {
		t.Errorf("ticks of 1e-5 to 10, logarithmic: %v", got)
	}
	if p := log.at(1e-2); math.Abs(p-50) > 1e-9 {
		t.Errorf("1e-2 is drawn at %g, want the middle", p)
	}
}

func TestHistogramCounts(t *testing.T) {
	r := New("t", "")
	r.Section("s", "").Add(Histogram{Values: []float64{0, 0.1, 0.9, 1, math.NaN()}, Bins: 2})
	s := render(t, r)
	for _, want := range []string{"0 to 0.5: 2", "0.5 to 1: 2"} {
		if !strings.Contains(s, want) {
			t.Errorf("no bin %q", want)
		}
	}
}
