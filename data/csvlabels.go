package data

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/tensor"
)

// maxClasses is how many classes a table can have.
const maxClasses = 1 << 20

// NoLabel is the class number that stands for no label, as in PyTorch's cross-entropy.
const NoLabel = -100

// setLabels decides what the label columns are, values by column and row.
func (t *table) setLabels(m *memory, columns []int, values []*words, o Options) error {
	if len(columns) == 1 && t.typed != nil && t.typed.classes[columns[0]] != nil && (o.Task == "" || o.classes()) {
		return t.setNamed(m, columns[0], values[0], o)
	}
	names := make([]string, len(columns))
	for k, c := range columns {
		names[k] = t.columns[c]
	}
	if len(columns) > 1 || o.Task != "" && !o.classes() {
		for k := range values {
			values[k] = digitsOfFlags(values[k])
		}
	}
	switch {
	case len(columns) > 1, o.positions(), o.Task == "multilabel" && t.fractions(values[0]):
		return t.setSeveral(m, names, values, o)
	case o.Task == "multilabel":
		return t.setNames(m, names[0], values[0], o)
	}
	return t.setClasses(m, names[0], values[0], t.whole(values[0]), o)
}

// fractions reports whether all labels are of 0 to 1 or NoLabel, but for those that are missing.
func (t *table) fractions(labels *words) bool {
	some := false
	for s := range labels.some() {
		if missing(s) {
			continue
		}
		v, ok := t.target(s)
		if !ok || !(v >= 0 && v <= 1) && v != NoLabel {
			return false
		}
		some = true
	}
	return some
}

// wholeNumbers is what a column of labels holds.
type wholeNumbers struct {
	t         *table
	all, real bool           // whole numbers; numbers
	value     map[string]int // of the first different texts, mostShared of them at most: 1 and 1.0 are the same number
	more      bool           // there are more
	numbers   []int          // the different ones without NoLabel, in order
	none      bool           // NoLabel is among them
	odd       string         // a number that cannot be read for sure, or what is none among fractions
}

// whole reads labels as whole numbers.
func (t *table) whole(labels *words) wholeNumbers {
	l := wholeNumbers{t: t, all: true, real: true, value: map[string]int{}}
	sure, fractions, texts, text, gone := false, 0, 0, "", ""
	for s := range labels.some() {
		if _, ok := l.value[s]; ok {
			continue
		}
		number := isNumber(s)
		if !number && t.mark != ',' && thousands().MatchString(s) || (number || decimalComma(s)) && !t.isNumber(s) {
			l.odd = s
		}
		sure = sure || number
		v, err := strconv.Atoi(s)
		if err != nil {
			f, ok := t.target(s)
			switch {
			case ok && f != math.Trunc(f):
				fractions++
			case !ok && absent(s):
				gone = s
			case !ok:
				text = s
				texts++
			}
			if v = int(f); !ok || f != math.Trunc(f) || math.Abs(f) >= 1<<31 {
				l.all, l.real, v = false, l.real && ok, 0
			}
		}
		if len(l.value) < mostShared {
			l.value[s] = v
		} else {
			l.more = true
		}
		if l.all {
			l.numbers = append(l.numbers, v)
		}
		if len(l.numbers) >= 2*mostShared && len(l.numbers) == cap(l.numbers) {
			slices.Sort(l.numbers)
			l.numbers = slices.Compact(l.numbers)
		}
	}
	switch {
	case !sure:
		l.odd = "" // texts
	case l.odd == "" && texts == 0:
		l.odd = gone
	case l.odd == "" && fractions > texts:
		l.odd = text
	}
	slices.Sort(l.numbers)
	l.numbers = slices.Compact(l.numbers)
	if l.all && len(l.numbers) > 0 && l.numbers[0] == NoLabel && (len(l.numbers) == 1 || l.numbers[1] >= 0) {
		l.none, l.numbers = true, l.numbers[1:]
	}
	return l
}

// of is the whole number that s, one of the labels, stands for.
func (l wholeNumbers) of(s string) int {
	v, ok := l.value[s]
	if ok || !l.more {
		return v
	}
	if v, err := strconv.Atoi(s); err == nil {
		return v
	}
	f, _ := l.t.target(s)
	return int(f)
}

// target is the number that s is, with the decimal mark of the table, which it tells where it was not known.
func (t *table) target(s string) (v float64, ok bool) {
	if !t.isNumber(s) {
		return 0, false
	}
	if i := strings.IndexAny(s, ".,"); i >= 0 {
		t.mark = s[i]
	}
	v, _ = strconv.ParseFloat(strings.Replace(s, ",", ".", 1), 64) // infinite when out of range
	return v, true
}

// setClasses decides between classes and targets for one column.
func (t *table) setClasses(m *memory, column string, labels *words, l wholeNumbers, o Options) error {
	n := len(l.numbers)
	if l.odd != "" && !o.classes() {
		remedy := "write numbers without thousands separators and with a decimal point, or use --task classification"
		if absent(l.odd) {
			remedy = "fill the label in, or leave such rows out with ?missing=drop behind the file name; --task classification takes it " +
				"for a class"
		}
		return malformed(t.path, fmt.Sprintf("row %d, column %s", labels.index(func(s string) bool { return s == l.odd }), column),
			remedy, "%q among numbers",
			clip(l.odd))
	}
	counting := n > 0 && l.numbers[0] == 0 && l.numbers[n-1] == n-1
	classes := !l.real || l.all && n <= 100 && (counting || n <= max(2, labels.len()/2))
	switch {
	case o.Task != "":
		classes = o.classes()
	case o.Classes != nil && l.all:
		classes = true
	}
	if !classes {
		return t.setTargets(m, []string{column}, []*words{labels}, o)
	}
	m.labels = make([]int32, labels.len())
	given := o.Classes
	if given == nil {
		given = t.classes
	}
	switch {
	case labels.len() == 0 || l.all && n == 0:
		for i := range m.labels {
			m.labels[i] = -1
		}
		m.classes = o.Classes
		return nil
	case l.all:
		return t.setNumbered(m, column, labels, l, given, o)
	case l.real && (l.more || len(l.value) > max(100, labels.len()/2)):
		count := strconv.Itoa(len(l.value))
		if l.more {
			count = "more than " + count
		}
		return malformed(t.path, "column "+column, "use --task regression, or name another column with --label-column",
			"%s different fractions for %d rows are no classes", count, labels.len())
	}
	set := map[string]int{}
	for s := range labels.some() {
		if set[s] = 0; len(set) > maxClasses {
			return malformed(t.path, "column "+column, "name another column with --label-column", "more than %d different labels",
				maxClasses)
		}
	}
	index, err := m.classNames("column "+column, t.sorted(set), given)
	if err != nil {
		return err
	}
	if list := labels.index(func(s string) bool { return strings.ContainsAny(s, "|;") }); list >= 0 && o.Task == "" {
		t.said = append(t.said, fmt.Sprintf("the labels of the column %s, such as %q, are one class each; --task multilabel takes them "+
			"for lists",
			column, clip(labels.at(list))))
	}
	for i, s := range labels.rows() {
		m.labels[i] = int32(index[s])
	}
	if len(index) == labels.len() && labels.len() > 10 {
		t.said = append(t.said,
			fmt.Sprintf("every row has another label in the column %s: is another column meant? --label-column names it", column))
	}
	return m.checkBinary("column "+column, o)
}

// setNumbered makes classes of whole numbers: the numbers themselves where they count from 0 or the classes are given by other names,
// else by their order.
func (t *table) setNumbered(m *memory, column string, labels *words, l wholeNumbers, given []string, o Options) (err error) {
	n := len(l.numbers)
	high := l.numbers[n-1]
	named := given != nil && !slices.ContainsFunc(l.numbers, func(v int) bool { return !slices.Contains(given, strconv.Itoa(v)) })
	direct := l.numbers[0] >= 0 && (given != nil && !named || given == nil && l.numbers[0] == 0 && high < n+(n+1)/2)
	index := make(map[int]int, n)
	switch {
	case direct:
		if given != nil && high >= len(given) {
			i := labels.index(func(s string) bool { return l.of(s) == high })
			return malformed(t.path, fmt.Sprintf("row %d, column %s", i, column), "give the class list of this data",
				"label %d is out of range: %d classes are given", high, len(given))
		}
		for _, v := range l.numbers {
			index[v] = v
		}
		m.classes, err = numberedClasses(t.path, high, given)
	case given != nil:
		for _, v := range l.numbers {
			if index[v], err = classIndex(t.path, "column "+column, strconv.Itoa(v), given); err != nil {
				return err
			}
		}
		m.classes = given
	default:
		for k, v := range l.numbers {
			index[v] = k
			m.classes = append(m.classes, strconv.Itoa(v))
		}
		t.said = append(t.said, fmt.Sprintf("the numbers %s of the column %s are classes 0 to %d in this order",
			clip(strings.Join(m.classes, ", ")), column, n-1))
	}
	if err != nil {
		return err
	}
	if o.Task == "" && o.Classes == nil && !(l.numbers[0] == 0 && high == n-1) {
		t.said = append(t.said, fmt.Sprintf("the column %s is taken for %d classes; --task regression takes it for numbers", column, n))
	}
	for i, s := range labels.rows() {
		if m.labels[i] = -1; !l.none || l.of(s) != NoLabel {
			m.labels[i] = int32(index[l.of(s)])
		}
	}
	return m.checkBinary("column "+column, o)
}

// checkBinary refuses more than two classes for a binary task.
func (m *memory) checkBinary(place string, o Options) error {
	if o.Task == "binary" && len(m.classes) > 2 {
		return malformed(m.path, place, "use --task multiclass", "%d classes for a binary task", len(m.classes))
	}
	return nil
}

// classNames finds the class of each of the names, which are in order and differ, and makes the list of classes from them where none is
// given.
func (m *memory) classNames(place string, names, given []string) (map[string]int, error) {
	if m.classes = given; given == nil {
		m.classes = names
	}
	index := make(map[string]int, len(names))
	for i, n := range names {
		index[n] = i
		if given != nil {
			c, err := classIndex(m.path, place, n, given)
			if err != nil {
				return nil, err
			}
			index[n] = c
		}
	}
	return index, nil
}

// sorted is the texts of a set, by value where all are numbers.
func (t *table) sorted(set map[string]int) []string {
	names := make([]string, 0, len(set))
	numbers := true
	for n := range set {
		names = append(names, n)
		numbers = numbers && t.isNumber(n)
	}
	slices.SortFunc(names, func(a, b string) int {
		if numbers {
			x, _ := t.target(a)
			y, _ := t.target(b)
			if c := cmp.Compare(x, y); c != 0 {
				return c
			}
		}
		return strings.Compare(a, b)
	})
	return names
}

// setTargets makes Y float32 [K] of numbers.
func (t *table) setTargets(m *memory, columns []string, values []*words, o Options) error {
	if err := t.held.add(4 * int64(m.n) * int64(len(columns))); err != nil {
		return t.kept(err)
	}
	y := make([]float32, 0, m.n*len(columns))
	for i := range m.n {
		for k := range columns {
			v, ok := t.target(values[k].at(i))
			if f := float64(float32(v)); !ok || f-f != 0 && !o.AllowNonFinite {
				remedy := "targets are finite numbers"
				if absent(values[k].at(i)) {
					remedy += "; ?missing=drop behind the file name leaves rows without them out"
				}
				return malformed(t.path, fmt.Sprintf("row %d, column %s", i, columns[k]), remedy, "target %q", clip(values[k].at(i)))
			}
			y = append(y, float32(v))
		}
	}
	m.y, m.targets = tensor.From(y, m.n, len(columns)), columns
	return nil
}
