package data

import (
	"context"
	"errors"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/tensor"
)

// hours is a series of n hours with the columns a = i, b = 10·i and c = 100·i.
func hours(n int) string {
	var b strings.Builder
	b.WriteString("when,a,b,c\n")
	for i := range n {
		fmt.Fprintf(&b, "2024-01-%02d %02d:00,%d,%d,%d\n", 1+i/24, i%24, i, 10*i, 100*i)
	}
	return b.String()
}

// openSeries opens a series as windows.
func openSeries(t *testing.T, text, tail string, o Options) (Dataset, error) {
	t.Helper()
	return Open("window:"+write1(t, filepath.Join(t.TempDir(), "s.csv"), []byte(text))+tail, o)
}

func TestWindows(t *testing.T) {
	for _, c := range []struct {
		tail  string
		n     int
		at    int // example
		id    string
		x, y  string
		names string // of features, targets
	}{
		{"?in=3&out=2", 26, 1, "2024-01-01 04:00", "float32[3,3] [1 10 100 2 20 200 3 30 300]", "float32[2,3] [4 40 400 5 50 500]",
			"[a b c] [a b c]"},
		{"?in=3&out=2&target=c", 26, 25, "2024-01-02 04:00", "float32[3,3] [25 250 2500 26 260 2600 27 270 2700]",
			"float32[2] [2800 2900]", "[a b c] [c]"},
		{"?in=3&out=2&target=c&columns=b,a&layout=ct", 26, 0, "2024-01-01 03:00", "float32[2,3] [0 10 20 0 1 2]", "float32[2] [300 400]",
			"[b a] [c]"},
		{"?in=2&out=1&stride=5&columns=a&target=c,b", 6, 5, "2024-01-02 03:00", "float32[2,1] [25 26]", "float32[1,2] [2700 270]",
			"[a] [c b]"},
		{"?in=3&out=2&target=a&columns=a#train", 20, 19, "2024-01-01 22:00", "float32[3,1] [19 20 21]", "float32[2] [22 23]", "[a] [a]"},
		{"?in=3&out=2&target=a&columns=a#test", 2, 0, "2024-01-02 03:00", "float32[3,1] [24 25 26]", "float32[2] [27 28]", "[a] [a]"},
		{"?in=3&out=2&target=a&columns=a&split=0.5#test", 11, 0, "2024-01-01 18:00", "float32[3,1] [15 16 17]", "float32[2] [18 19]",
			"[a] [a]"},
	} {
		ds, err := openSeries(t, hours(30), c.tail, Options{})
		if err != nil {
			t.Errorf("%s: %v", c.tail, err)
			continue
		}
		e := must(ds.Example(c.at))(t)
		got := fmt.Sprint(ds.Len(), e.ID, e.X, e.X.F32(), e.Y, e.Y.F32(), FeatureNames(ds), TargetNames(ds))
		if want := fmt.Sprint(c.n, c.id, c.x, c.y, c.names); !strings.EqualFold(strings.ReplaceAll(got, " ", ""),
			strings.ReplaceAll(want, " ", "")) {
			t.Errorf("%s: %s, want %s", c.tail, got, want)
		}
		if e.Label != -1 || e.Picture || len(Notes(ds)) > 0 {
			t.Errorf("%s: label %d, notes %q", c.tail, e.Label, Notes(ds))
		}
	}
	ds := must(openSeries(t, hours(30), "?in=3&out=2", Options{LabelColumn: "c", Task: "regression"}))(t)
	if !slices.Equal(TargetNames(ds), []string{"c"}) {
		t.Errorf("targets %v", TargetNames(ds))
	}
}

// TestWindowsLeakNothing looks at every row of every window of both parts.
func TestWindowsLeakNothing(t *testing.T) {
	for _, n := range []int{20, 33, 100} {
		for _, in := range []int{1, 4} {
			for _, stride := range []int{1, 3} {
				last, first := -1., math.Inf(1)
				for _, part := range []string{"train", "test"} {
					ds, err := openSeries(t, hours(n),
						fmt.Sprintf("?in=%d&out=3&columns=a&target=a&stride=%d&split=0.6#%s", in, stride, part), Options{})
					if err != nil {
						t.Fatal(err)
					}
					for b, err := range Batches(context.Background(), ds, Sequential(ds.Len()), 0, BatchOptions{}) {
						if err != nil {
							t.Fatal(err)
						}
						v := append(b.X.Float64s(), b.Y.Float64s()...)
						if part == "train" {
							last = max(last, slices.Max(v))
						} else {
							first = min(first, slices.Min(v))
						}
					}
				}
				if last >= first || last >= 0.6*float64(n) {
					t.Errorf("%d rows: training sees row %v, the test begins at row %v", n, last, first)
				}
			}
		}
	}
}

func TestWindowTimes(t *testing.T) {
	rows := func(times ...string) string {
		text := "t;v\n"
		for i, s := range times {
			text += fmt.Sprintf("%s;%d\n", s, i)
		}
		return text
	}
	for name, c := range map[string]struct {
		text, ids, note string
	}{
		"days, German":     {rows("29.1.2024", "30.1.2024", "31.1.2024", "1.2.2024"), "30.1.2024 31.1.2024 1.2.2024", ""},
		"days, American":   {rows("1/29/2024", "1/30/2024", "1/31/2024", "2/1/2024"), "1/30/2024 1/31/2024 2/1/2024", ""},
		"days, either way": {rows("1/2/2024", "1/3/2024", "1/4/2024", "1/5/2024"), "1/3/2024 1/4/2024 1/5/2024", ""},
		"clock of a day":   {rows("9:00", "9:30", "10:00", "10:30"), "9:30 10:00 10:30", ""},
		"ISO with zone": {rows("2024-01-01T00:00:00Z", "2024-01-01T00:00:01Z", "2024-01-01T00:00:02Z", "2024-01-01T00:00:03Z"),
			"2024-01-01T00:00:01Z 2024-01-01T00:00:02Z 2024-01-01T00:00:03Z", ""},
		"newest first": {rows("2024-01-04", "2024-01-03", "2024-01-02", "2024-01-01"), "2024-01-02 2024-01-03 2024-01-04",
			"from the last to the first"},
		"hole": {rows("2024-01-01", "2024-01-02", "2024-01-05", "2024-01-06"), "2024-01-02 2024-01-05 2024-01-06",
			"1 of 3 steps between rows differ from the usual 24h0m0s"},
		"clocks set back": {rows("2024-10-27 01:00", "2024-10-27 02:00", "2024-10-27 02:00", "2024-10-27 03:00"), "1 2 3",
			"as when clocks are set"},
		"months":            {rows("2024-01", "2024-02", "2024-03", "2024-04"), "2024-02 2024-03 2024-04", ""},
		"numbers":           {strings.Replace(rows("10", "20", "30", "40"), "t;", "timestamp;", 1), "20 30 40", ""},
		"numbers of pandas": {strings.Replace(rows("0", "1", "2", "3"), "t;", ";", 1), "1 2 3", "no column tells the time"},
		"no time":           {"v;w\n0;1\n1;1\n2;1\n3;1\n", "1 2 3", "no column tells the time"},
	} {
		ds, err := openSeries(t, c.text, "?in=1&out=1&target=v", Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var ids []string
		for i := range ds.Len() {
			ids = append(ids, ds.ID(i))
		}
		if got := strings.Join(ids, " "); got != c.ids || !strings.Contains(say(ds), c.note) || c.note == "" && say(ds) != "" {
			t.Errorf("%s: ids %q, notes %q", name, got, Notes(ds))
		}
		if e := must(ds.Example(0))(t); name == "newest first" && (e.X.F32()[0] != 3 || e.Y.F32()[0] != 2) {
			t.Errorf("%s: %v then %v", name, e.X.F32(), e.Y.F32())
		}
	}
	ds := must(openSeries(t, "Date,Hour,v,wind\n2024-01-01,23:00:00,1,SW\n2024-01-02,00:00:00,2,S\n2024-01-02,01:00:00,3,S\n",
		"?in=1&out=1", Options{}))(t)
	if ds.ID(0) != "2024-01-02 00:00:00" || !strings.Contains(say(ds), `left out: "wind"`) || must(ds.Example(0))(t).X.Len() != 1 {
		t.Errorf("two columns of time: %q, %q", ds.ID(0), Notes(ds))
	}
}

func TestWindowRefusals(t *testing.T) {
	panel := "when,shop,v\n"
	for _, shop := range []string{"1", "2"} {
		for d := 1; d < 20; d++ {
			panel += fmt.Sprintf("2024-01-%02d,%s,%d\n", d, shop, d)
		}
	}
	byDay := "when,shop,v\n"
	for d := 1; d < 20; d++ {
		byDay += fmt.Sprintf("2024-01-%02d,1,5\n2024-01-%02d,2,6\n", d, d)
	}
	hole := strings.Replace(hours(30), "20,200,2000", "20,,2000", 1)
	for name, c := range map[string]struct {
		text, tail string
		o          Options
		want       []string
	}{
		"no length":        {hours(30), "", Options{}, []string{"in=: need a whole number from 1", "write window:FILE?in=24&out=6"}},
		"no out":           {hours(30), "?in=3", Options{}, []string{"out="}},
		"zero":             {hours(30), "?in=3&out=0", Options{}, []string{"out=0"}},
		"stride":           {hours(30), "?in=3&out=1&stride=-1", Options{}, []string{"stride=-1"}},
		"split":            {hours(30), "?in=3&out=1&split=80", Options{}, []string{"such as 0.8"}},
		"layout":           {hours(30), "?in=3&out=1&layout=nct", Options{}, []string{"tc"}},
		"setting":          {hours(30), "?in=3&out=1&targets=a", Options{}, []string{`did you mean "target"`}},
		"column":           {hours(30), "?in=3&out=1&target=d", Options{}, []string{`no target column "d"`}},
		"text":             {hours(30), "?in=3&out=1&target=when", Options{}, []string{"column when", "numbers"}},
		"part":             {hours(30), "?in=3&out=1#val", Options{}, []string{"train, test"}},
		"too short":        {hours(30), "?in=30&out=1", Options{}, []string{"30 rows", "30 and 1"}},
		"too short a part": {hours(30), "?in=6&out=1#test", Options{}, []string{"the part test has 6 rows"}},
		"task":             {hours(30), "?in=3&out=1", Options{Task: "multiclass"}, []string{"numbers to forecast"}},
		"inputs":           {hours(30), "?in=3&out=1", Options{Inputs: map[string][]string{"x": {"a"}}}, []string{"?columns="}},
		"missing":          {hole, "?in=3&out=1", Options{}, []string{"line 22, column b", "?fill=previous"}},
		"missing at first": {strings.Replace(hours(30), "00:00,0,0,0", "00:00,0,NA,0", 1), "?in=3&out=1&fill=previous", Options{},
			[]string{"line 2, column b", "none before"}},
		"fill":         {hole, "?in=3&out=1&fill=mean", Options{}, []string{"need previous"}},
		"shop by shop": {panel, "?in=3&out=1", Options{}, []string{"line 21", "time goes back", "file of its own"}},
		"day by day":   {byDay, "?in=3&out=1", Options{}, []string{"of the same time"}},
		"no numbers":   {"when,what\n2024-01-01,x\n2024-01-02,y\n", "?in=1&out=1", Options{}, []string{"no columns"}},
	} {
		_, err := openSeries(t, c.text, c.tail, c.o)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		wantFormatError(t, err, c.want...)
	}
	ds := must(openSeries(t, hole, "?in=3&out=1&fill=previous&columns=b&target=b", Options{}))(t)
	if e := must(ds.Example(18))(t); !slices.Equal(e.X.F32(), []float32{180, 190, 190}) || !strings.Contains(say(ds), "1 missing value") {
		t.Errorf("filled: %v, %q", e.X.F32(), Notes(ds))
	}
	_, err := Open("window:"+filepath.Join(t.TempDir(), "none.csv")+"?in=1&out=1", Options{})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// TestSplitInTime cuts windows into parts that share no row, also through keep lists and subsets.
func TestSplitInTime(t *testing.T) {
	ds := must(openSeries(t, hours(60), "?in=4&out=2&columns=a&target=a", Options{}))(t)
	shuffled := must(Subset(ds, Shuffled(ds.Len(), 3).Order(0)))(t)
	for name, d := range map[string]Dataset{"whole": ds, "shuffled": shuffled,
		"standardised": ScaleTargets(ds, []float64{0}, []float64{1})} {
		train, val, err := Split(d, 0.25, 7)
		if err != nil {
			t.Fatal(err)
		}
		if val.Len() != 14 || train.Len() != 36 { // of 55 windows; five share rows with the first one of validation
			t.Errorf("%s: %d and %d examples", name, train.Len(), val.Len())
		}
		last, first := float32(-1), float32(1e9)
		for i := range train.Len() {
			last = max(last, slices.Max(must(train.Example(i))(t).Y.F32()))
		}
		for i := range val.Len() {
			first = min(first, slices.Min(must(val.Example(i))(t).X.F32()))
		}
		if last >= first {
			t.Errorf("%s: training sees %v, validation begins at %v", name, last, first)
		}
	}
	if _, _, err := Split(must(Subset(ds, []int{0, 1, 2}))(t), 0.3, 0); err == nil || !strings.Contains(err.Error(), "share steps") {
		t.Errorf("overlapping windows: %v", err)
	}
	a, b, err := SplitIndex(must(readTable(t, "1,0.5\n2,0.25\n3,1\n4,7.5\n", Options{}))(t), 0.5, 1)
	if err != nil || len(a) != 2 || len(b) != 2 {
		t.Errorf("targets: %v %v %v", a, b, err)
	}
}

func TestLabelled(t *testing.T) {
	ds := must(readTable(t, labelTable(",", "1", "-100", "0", "1"), Options{}))(t)
	if Check(ds) == nil {
		t.Error("examples without a class pass the check")
	}
	if err := Check(ds).Error(); !strings.Contains(err, "1 of 4 examples have no class") || !strings.Contains(err, "keep:LIST@SPEC") {
		t.Errorf("the check says %s", err)
	}
	if some := Labelled(ds); some.Len() != 3 || some.ID(1) != "2" || Check(some) != nil ||
		say(some) != "1 of 4 examples have no class and are left out" {
		t.Errorf("%d labelled, notes %q", some.Len(), Notes(some))
	}
	ds = Labelled(must(readTable(t, "id,town,a,label\np,Rome,1,0\nq,Bonn,2,-100\nr,Oslo,3,1\n", Options{}))(t))
	if ds.ID(1) != "r" || GroupOf(ds, 1, "town") != "Oslo" || FeatureNames(ds)[0] != "a" ||
		!strings.Contains(say(ds), "the column town is text") {
		t.Errorf("through the wrapper: %q %q %v %q", ds.ID(1), GroupOf(ds, 1, "town"), FeatureNames(ds), Notes(ds))
	}
	dir := t.TempDir()
	for _, f := range []string{"a", "b", "c"} {
		write1(t, filepath.Join(dir, f+".png"), pngOf(flat(3, 3, color.NRGBA{7, 7, 7, 255})))
		write1(t, filepath.Join(dir, "m"+f+".png"), pngOf(flat(3, 3, color.NRGBA{1, 1, 1, 255})))
	}
	list := write1(t, filepath.Join(dir, "l.csv"), []byte("file,mask,label\na.png,ma.png,-100\nb.png,mb.png,0\nc.png,mc.png,1\n"))
	ds = Labelled(must(Open("csv:"+list, Options{}))(t))
	if e := must(ds.Example(0))(t); ds.Len() != 2 || FileOf(ds, 0) != filepath.Join(dir, "b.png") || e.Mask == nil || !Augmentable(ds) {
		t.Errorf("files through the wrapper: %d, %s, %+v", ds.Len(), FileOf(ds, 0), e)
	}
	if all := must(Open("digits", Options{}))(t); Labelled(all) != all {
		t.Error("a set where all have a class is wrapped")
	}
}

func TestOverlapping(t *testing.T) {
	for tail, want := range map[string]bool{"?in=4&out=2": true, "?in=4&out=2&stride=5": true, "?in=4&out=2&stride=6": false,
		"?in=1&out=1&stride=9": false} {
		ds := must(openSeries(t, hours(40), tail, Options{}))(t)
		if Overlapping(ds) != want || Augmentable(ds) {
			t.Errorf("%s: overlapping %v", tail, !want)
		}
	}
	ds := must(openSeries(t, hours(40), "?in=4&out=2", Options{}))(t)
	for want, index := range map[bool][]int{true: {20, 0, 15}, false: {20, 0, 14}} {
		if Overlapping(must(Subset(ds, index))(t)) != want {
			t.Errorf("members %v: overlapping %v", index, !want)
		}
	}
	if ds := must(Open("digits", Options{}))(t); Overlapping(ds) || !Augmentable(ds) {
		t.Error("digits overlap, or are not pictures")
	}
	pair := must(openArrays(t, "", Options{}, named("x", tensor.New(tensor.Uint8, 3, 4, 4)),
		named("y", tensor.New(tensor.Float32, 3, 4, 4))))(t)
	if Augmentable(pair) {
		t.Error("pairs of pictures can be augmented")
	}
}

func TestStandardiseSeries(t *testing.T) {
	for _, layout := range []string{"tc", "ct"} {
		set := must(openSeries(t, hours(40), "?in=4&out=2&target=c&layout="+layout, Options{}))(t)
		p, constant, err := StandardiseFeatures(set)
		if err != nil || len(p.Mean) != 3 || constant != nil || math.Abs(p.Mean[1]-10*p.Mean[0]) > 1e-9 ||
			math.Abs(p.Std[2]-100*p.Std[0]) > 1e-9 {
			t.Fatalf("%s: %v %v %v", layout, p, constant, err)
		}
		var n, sum, square [3]float64
		for i := range set.Len() {
			x := must(p.ApplyTensor(must(set.Example(i))(t).X))(t)
			for k, v := range x.Float64s() {
				f := k % 3
				if layout == "ct" {
					f = k / 4
				}
				n[f]++
				sum[f] += v
				square[f] += v * v
			}
		}
		for f := range n {
			if math.Abs(sum[f]/n[f]) > 1e-6 || math.Abs(square[f]/n[f]-1) > 1e-5 {
				t.Errorf("%s: feature %d has mean %v and square %v", layout, f, sum[f]/n[f], square[f]/n[f])
			}
		}
		mean, std, out, err := StandardiseTargets(set)
		if err != nil || len(mean) != 1 || len(std) != 1 {
			t.Fatalf("%v %v %v", mean, std, err)
		}
		y := must(out.Example(5))(t).Y
		back := y.Float64s()[1]*std[0] + mean[0]
		if want := must(set.Example(5))(t).Y.Float64s()[1]; math.Abs(back-want) > 1e-3 || y.DType() != tensor.Float32 {
			t.Errorf("%s: target %v comes back as %v", layout, want, back)
		}
	}
}

func TestStandardiseTargets(t *testing.T) {
	ds := must(readTable(t, "f,u,v,w\n7,1,100,5\n7,3,300,5\n7,2,200.5,5\n", Options{LabelColumn: "u,v,w"}))(t)
	mean, std, out, err := StandardiseTargets(ds)
	if err != nil || len(mean) != 3 || mean[0] != 2 || mean[2] != 5 || std[2] != 1 || math.Abs(std[0]-math.Sqrt(2./3)) > 1e-12 {
		t.Fatalf("%v %v %v", mean, std, err)
	}
	if y := must(out.Example(1))(t).Y.Float64s(); math.Abs(y[0]-1/math.Sqrt(2./3)) > 1e-6 || y[2] != 0 {
		t.Errorf("%v", y)
	}
	if !strings.Contains(say(out), "the target w is the same everywhere") || must(ds.Example(1))(t).Y.F32()[0] != 3 {
		t.Errorf("notes %q", Notes(out))
	}
	_, constant, err := StandardiseFeatures(ds)
	if err != nil || !slices.Equal(constant, []string{"f"}) {
		t.Errorf("constant features %v, %v", constant, err)
	}
	for _, bad := range []Dataset{
		must(readTable(t, "f,a,b\n1,0,1\n2,1,0\n", Options{LabelColumn: "a,b"}))(t),
		must(Open("digits", Options{}))(t),
	} {
		if _, _, _, err := StandardiseTargets(bad); err == nil || !strings.Contains(err.Error(), "fractions") {
			t.Errorf("%v", err)
		}
	}
}

// TestSharedSeries reads public series where they are.
func TestSharedSeries(t *testing.T) {
	dir := filepath.Join(testkit.Shared(t), "data", "datasets")
	ett := must(Open("window:"+filepath.Join(dir, "ett", "ETTh1.csv")+"?in=96&out=24&target=OT#test", Options{}))(t)
	e := must(ett.Example(0))(t)
	// Row 13936 is the first of the test part (0.8 · 17420); the values are those of lines 13938 and 14034.
	if ett.Len() != 3484-120+1 || e.X.String() != "float32[96,7]" || e.Y.String() != "float32[24]" || len(Notes(ett)) > 0 {
		t.Errorf("%d windows, %v, %v, %q", ett.Len(), e.X, e.Y, Notes(ett))
	}
	if e.ID != "2018-02-05 16:00:00" || e.X.F32()[0] != 3.6840000152587886 || e.X.F32()[6] != 3.799000024795532 ||
		e.Y.F32()[0] != 4.079999923706056 {
		t.Errorf("%s: %v, %v", e.ID, e.X.F32()[:7], e.Y.F32()[0])
	}
	mobility := must(Open("window:"+filepath.Join(dir, "mobility", "ML_final_df_real.csv")+"?in=48&out=6&target=Total", Options{}))(t)
	if got := mobility.ID(0); got != "2020-08-25 00:00:00" || mobility.Len() != 3456-54+1 || len(FeatureNames(mobility)) != 7 {
		t.Errorf("%s, %d windows of %v", got, mobility.Len(), FeatureNames(mobility))
	}
}
