package data

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/internal/regular"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	register(Format{
		Name: "window",
		Doc: "windows over a series in a csv, to forecast: window:FILE?in=24&out=6 takes 24 rows and the 6 behind them; parts are " +
			"cut in time",
		Source: "the sliding windows of https://www.tensorflow.org/tutorials/structured_data/time_series",
		splits: []string{"train", "test"},
		query:  []string{"in", "out", "stride", "columns", "target", "time", "split", "layout", "fill", "header", "decimal"},
		flags:  func(string) []string { return []string{"label"} },
		open:   openWindow,
	})
}

// windows is a data set of pieces of one series.
type windows struct {
	series
	in, out, stride int
	begin, end      int // rows of this part
	channelsFirst   bool
	notes           []string
}

// series is the rows of a table in the order of time.
type series struct {
	rows     int
	x, y     []float32 // [rows,C] and [rows,K]
	features []string  // C
	targets  []string  // K
	ids      []string  // of rows, or nil
}

// openWindow reads window:FILE?in=T&out=H: X float32 [T,C], the rows s … s+T−1 (layout=ct: [C,T]), and Y float32 [H,K], the rows behind
// them, [H] for one target. The next window begins stride rows later (default 1). columns names the C columns, by default all of numbers;
// target the K ones to forecast, by default Options.LabelColumn, else the same. A column of dates or times is no feature; time names it
// where it is not recognised; an example's id is the time of its first target. #train and #test are the first split of the rows (default
// 0.8) and the rest; no window has rows of both. Rows must be in the order of time, or all against it. Missing values are errors, or with
// fill=previous the value before.
func openWindow(spec Spec, o Options, _ int) (Dataset, error) {
	w := &windows{}
	var split float64
	const remedy = "write window:FILE?in=24&out=6: 24 rows to look at and 6 to forecast"
	for _, err := range []error{
		setting(spec.String(), remedy, spec.Query, "in", &w.in, 0, 1, 1<<24, strconv.Atoi),
		setting(spec.String(), remedy, spec.Query, "out", &w.out, 0, 1, 1<<24, strconv.Atoi),
		setting(spec.String(), remedy, spec.Query, "stride", &w.stride, 1, 1, 1<<24, strconv.Atoi),
		setting(spec.String(), "give the share of the rows for training, such as 0.8", spec.Query, "split", &split, 0.8, 0, 1, parseShare),
	} {
		if err != nil {
			return nil, err
		}
	}
	switch layout := spec.Query.Get("layout"); layout {
	case "", "tc":
	case "ct":
		w.channelsFirst = true
	default:
		return nil, malformed(spec.String(), "", "need tc (rows first) or ct (columns first)", "layout=%s", clip(layout))
	}
	if o.Task != "" && o.Task != "regression" {
		return nil, malformed(spec.String(), "", "leave --task out, or use regression",
			"windows give numbers to forecast, not what the task %q needs", clip(o.Task))
	}
	if o.Inputs != nil {
		return nil, malformed(spec.String(), "", "name the columns with ?columns=A,B", "a window feeds one input")
	}
	f, err := openMaybeGzip(spec.Path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := w.read(spec, f, o); err != nil {
		return nil, err
	}
	border := int(math.Round(split * float64(w.rows)))
	w.begin, w.end = 0, w.rows
	switch spec.Split {
	case "train":
		w.end = border
	case "test":
		w.begin = border
	}
	if w.Len() == 0 {
		part := "the series"
		if spec.Split != "" {
			part = "the part " + spec.Split
		}
		return nil, malformed(spec.String(), "", "take shorter windows or a longer series", "%s has %d rows; a window needs %d and %d",
			part, w.end-w.begin, w.in, w.out)
	}
	return w, nil
}

// read takes the rows of the table in the order of time.
func (w *windows) read(spec Spec, r io.Reader, o Options) error {
	o.Header, o.Decimal = cmp.Or(spec.Query.Get("header"), o.Header), cmp.Or(spec.Query.Get("decimal"), o.Decimal)
	t, err := newTable(spec.Path, r, o)
	if err != nil {
		return err
	}
	l, err := t.windowLayout(spec, o)
	if err != nil {
		return err
	}
	fill := false
	switch s := spec.Query.Get("fill"); s {
	case "":
	case "previous":
		fill = true
	default:
		return malformed(spec.String(), "", "need previous", "fill=%s", clip(s))
	}
	defer tie(t.held, w)
	var lines []int
	columns := slices.Clone(l.features) // that are read, each once
	for _, c := range l.targets {
		if !slices.Contains(columns, c) {
			columns = append(columns, c)
		}
	}
	var values []float32 // [rows,columns]
	for {
		row, err := t.following()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := t.held.add(int64(64 * len(l.time.columns))); err != nil { // a short text twice, with its place in a list
			return t.kept(err)
		}
		l.time.add(row)
		if values, err = regular.Grow(values, len(columns), t.held.grow); err != nil {
			return t.kept(err)
		}
		for _, c := range columns {
			v := nan
			if !fill || !absent(row[c]) {
				if v, err = t.number(row, c, o); err != nil {
					var f *FormatError
					if errors.As(err, &f) && absent(row[c]) {
						f.Remedy = "fill the value in, or use ?fill=previous"
					}
					return err
				}
			}
			values = append(values, float32(v))
		}
		if lines, err = push(t.held, lines, t.line); err != nil {
			return t.kept(err)
		}
	}
	w.rows = len(lines)
	place := func(i int) string { return fmt.Sprintf("line %d", lines[i]) }
	w.notes = t.notes()
	w.ids = l.time.ids(w.rows)
	if at, clock := l.time.moments(); at != nil {
		back, notes, err := inOrder(t.path, at, clock, place)
		if err != nil {
			return err
		}
		if w.notes = append(w.notes, notes...); back {
			reverseRows(values, len(columns))
			slices.Reverse(w.ids)
			slices.Reverse(lines)
		}
	} else if len(l.time.columns) > 0 {
		w.notes = append(w.notes, fmt.Sprintf("not all of the column %s can be read as times: the rows are taken as they come",
			clip(t.columns[l.time.columns[0]])))
	} else {
		w.notes = append(w.notes, "no column tells the time: the rows are taken as they come")
	}
	if fill {
		if err := w.fill(values, len(columns), t, columns, place); err != nil {
			return err
		}
	}
	take := func(of []int) (v []float32, names []string) {
		var at []int
		for _, c := range of {
			at, names = append(at, slices.Index(columns, c)), append(names, t.columns[c])
		}
		v = make([]float32, 0, w.rows*len(of))
		for i := range w.rows {
			for _, c := range at {
				v = append(v, values[i*len(columns)+c])
			}
		}
		return v, names
	}
	w.x, w.features = take(l.features)
	w.y, w.targets = take(l.targets)
	return nil
}

// windowColumns says what the columns of a series are.
type windowColumns struct {
	features, targets []int
	time              timeAxis
}

// windowLayout assigns the columns by the settings, and by names and the first rows.
func (t *table) windowLayout(spec Spec, o Options) (l windowColumns, err error) {
	asked := func(key string) ([]int, error) {
		s := spec.Query.Get(key)
		if s == "" {
			return nil, nil
		}
		return t.columnsNamed(key, []string{s})
	}
	if l.time.columns, err = asked("time"); err != nil {
		return l, err
	}
	if l.features, err = asked("columns"); err != nil {
		return l, err
	}
	if l.targets, err = asked("target"); err != nil {
		return l, err
	}
	if l.targets == nil && o.LabelColumns != nil {
		l.targets, err = t.columnsNamed("label", o.LabelColumns)
	} else if l.targets == nil && o.LabelColumn != "" && o.LabelColumn != "none" {
		l.targets, err = t.columnsNamed("label", []string{o.LabelColumn})
	}
	if err != nil {
		return l, err
	}
	named := slices.Concat(l.time.columns, l.features, l.targets)
	find, id := l.time.columns == nil, t.columnOf("id")
	var numbers []int
	var left []string
	for c, name := range t.columns {
		if slices.Contains(named, c) {
			continue
		}
		is, err := t.holds(c)
		switch {
		case err != nil:
			return l, err
		case find && (!is && t.tells(c) || is && timeName(name) && !slices.Contains(t.index, c)):
			l.time.columns = append(l.time.columns, c)
		case !is || slices.Contains(t.index, c) || c == id:
			left = append(left, strconv.Quote(name))
		default:
			numbers = append(numbers, c)
		}
	}
	if l.features == nil {
		l.features = append(numbers, l.targets...) // what is forecast is known until then
		slices.Sort(l.features)
	}
	if l.targets == nil {
		l.targets = l.features
	}
	for _, c := range slices.Concat(l.features, l.targets) {
		if is, err := t.holds(c); err != nil || !is {
			if err == nil {
				err = malformed(t.path, "column "+clip(t.columns[c]), "windows are of columns of numbers", "text such as %q", t.example(c))
			}
			return l, err
		}
	}
	if len(l.features) == 0 {
		return l, malformed(t.path, "", "need columns of numbers; the table has "+clip(strings.Join(t.columns, ", ")),
			"no columns for the windows")
	}
	if left != nil {
		t.said = append(t.said, fmt.Sprintf("columns that are neither numbers nor times are left out: %s", clip(strings.Join(left, ", "))))
	}
	l.time.values = make([][]string, len(l.time.columns))
	return l, nil
}

// tells reports whether column c holds dates or times in the rows that are known.
func (t *table) tells(c int) bool {
	var values []string
	for _, r := range t.sample {
		if c < len(r.fields) {
			values = append(values, r.fields[c])
		}
	}
	return len(values) > 0 && layoutsOf(values) != nil
}

// fill gives missing values the value of the row before.
func (w *windows) fill(v []float32, columns int, t *table, names []int, place func(int) string) error {
	filled := 0
	for i := range v {
		if v[i] == v[i] {
			continue
		}
		if i < columns {
			return malformed(t.path, fmt.Sprintf("%s, column %s", place(0), clip(t.columns[names[i]])),
				"fill the value in or remove the row", "missing value, and none before it")
		}
		v[i] = v[i-columns]
		filled++
	}
	if filled > 0 {
		w.notes = append(w.notes, units.Of(filled, "1 missing value has", "%d missing values have")+" the value of the row before")
	}
	return nil
}

// reverseRows turns a table of so many columns upside down.
func reverseRows(v []float32, columns int) {
	for a, b := 0, len(v)-columns; a < b; a, b = a+columns, b-columns {
		for k := range columns {
			v[a+k], v[b+k] = v[b+k], v[a+k]
		}
	}
}

func (w *windows) Len() int {
	n := w.end - w.begin - w.in - w.out
	if n < 0 {
		return 0
	}
	return n/w.stride + 1
}

func (w *windows) Span(i int) (first, end int) {
	first = w.begin + i*w.stride
	return first, first + w.in + w.out
}

func (w *windows) ID(i int) string {
	first, _ := w.Span(i)
	if w.ids != nil {
		return w.ids[first+w.in]
	}
	return strconv.Itoa(first + w.in)
}

func (w *windows) Label(int) int          { return -1 }
func (w *windows) Classes() []string      { return nil }
func (w *windows) Notes() []string        { return w.notes }
func (w *windows) FeatureNames() []string { return w.features }
func (w *windows) TargetNames() []string  { return w.targets }
func (w *windows) FeaturesLast() bool     { return !w.channelsFirst }

func (w *windows) Example(i int) (Example, error) {
	first, end := w.Span(i)
	c, k := len(w.features), len(w.targets)
	e := Example{ID: w.ID(i), Label: -1}
	x := w.x[first*c : (first+w.in)*c]
	if w.channelsFirst {
		turned := make([]float32, len(x))
		for t := range w.in {
			for f := range c {
				turned[f*w.in+t] = x[t*c+f]
			}
		}
		e.X = tensor.From(turned, c, w.in)
	} else {
		e.X = tensor.From(x, w.in, c)
	}
	y := w.y[(first+w.in)*k : end*k]
	if e.Y = tensor.From(y, w.out, k); k == 1 {
		e.Y = e.Y.Reshape(w.out)
	}
	return e, nil
}
