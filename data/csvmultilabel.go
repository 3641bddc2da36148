package data

import (
	"fmt"
	"math"
	"strings"

	"github.com/gtk-onnx/gtk/tensor"
)

// setSeveral makes Y [K] of several columns: labels that are 0 or 1, or fractions, classes of positions, or numbers. With a task of one
// class for each example the columns are one-hot, or probabilities.
func (t *table) setSeveral(m *memory, columns []string, values []*words, o Options) error {
	k := len(columns)
	if err := t.held.add(16 * int64(m.n) * int64(k)); err != nil { // and what becomes of them
		return t.kept(err)
	}
	y := make([]float64, 0, m.n*k)
	flags, known, whole, sums := true, true, true, k > 1
	for i := range m.n {
		sum := 0.0
		for c := range columns {
			s := values[c].at(i)
			v, ok := t.target(s)
			switch place := fmt.Sprintf("row %d, column %s", i, columns[c]); {
			case !ok && missing(s) && o.Task == "multilabel":
				return malformed(t.path, place, "write 0, or -100 where it is not known; ?missing=drop behind the file name leaves such "+
					"rows out",
					"no label")
			case !ok:
				return malformed(t.path, place, "several labels are numbers, for each column; --label-column names one column",
					"label %q", clip(s))
			}
			flags = flags && (v == 0 || v == 1 || v == NoLabel)
			known = known && v != NoLabel
			whole = whole && (v == math.Trunc(v) && v >= 0 && v < 1<<53 || v == NoLabel)
			sums = sums && v >= 0 && v <= 1
			sum += v
			y = append(y, v)
		}
		sums = sums && math.Abs(sum-1) <= 1e-3
	}
	place := "columns " + clip(strings.Join(columns, ", "))
	switch {
	case o.Task == "regression":
		return t.setTargets(m, columns, values, o)
	case o.positions():
		if !whole {
			return malformed(t.path, place, "number the classes from 0; -100 stands for none", "classes of positions are whole numbers")
		}
		whole := make([]int64, len(y))
		for i, v := range y {
			whole[i] = int64(v)
		}
		m.y = tensor.From(whole, m.n, k)
		return nil
	case flags && known:
		bits := make([]uint8, len(y))
		for i, v := range y {
			bits[i] = uint8(v)
		}
		return m.setFlags(place, bits, columns, o)
	case o.Task != "":
		return m.setSoft(place, y, k, tensor.Float32, columns, o)
	case flags: // some are not known
		o.Task = "multilabel"
		return m.setSoft(place, y, k, tensor.Int64, columns, o)
	case sums && m.n > 0:
		o.Task = "multiclass"
		return m.setSoft(place, y, k, tensor.Float32, columns, o)
	}
	return t.setTargets(m, columns, values, o)
}

// labelList is the names in a field such as cat|dog, cat;dog or ['cat', 'dog'], as Python prints lists; commas alone divide too where
// commas says so.
func labelList(s string, commas bool) []string {
	list := []string{}
	if inner, ok := strings.CutPrefix(s, "["); ok && strings.HasSuffix(inner, "]") {
		s, commas = strings.TrimSuffix(inner, "]"), true
	}
	for name := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == '|' || r == ';' || commas && r == ',' }) {
		if name = strings.TrimSpace(name); len(name) > 1 && (name[0] == '\'' || name[0] == '"') && name[len(name)-1] == name[0] {
			name = name[1 : len(name)-1]
		}
		if name != "" {
			list = append(list, name)
		}
	}
	return list
}

// setNames makes Y [K] of 0 and 1 from lists of names, see labelList; an empty field is a list of none.
func (t *table) setNames(m *memory, column string, values *words, o Options) error {
	divided := func(by string) bool {
		return values.any(func(s string) bool { return strings.ContainsAny(s, by) })
	}
	commas := !divided("|;") && divided(",") // fields with commas were quoted, or something else separates the columns
	lists := make(map[string][]string)
	index := map[string]int{}
	for s := range values.some() {
		if _, ok := lists[s]; ok {
			continue
		}
		lists[s] = labelList(s, commas)
		for _, name := range lists[s] {
			index[name] = 0
		}
	}
	if len(index) == 0 {
		return malformed(t.path, "column "+column, "write names with | between them", "no labels")
	}
	index, err := m.classNames("column "+column, t.sorted(index), o.Classes)
	if err != nil {
		return err
	}
	if !commas && !divided("|;[") && divided(" ") {
		t.said = append(t.said, fmt.Sprintf("the column %s is taken for one label a row: | divides lists, blanks do not", column))
	}
	k := len(m.classes)
	if int64(k)*int64(m.n) > o.Limits.bytes() {
		return overLimit(t.path, "column "+column, fmt.Sprintf("%d labels for %d rows", k, m.n), o.Limits)
	}
	if err := t.held.add(int64(m.n) * int64(k)); err != nil {
		return t.kept(err)
	}
	y := make([]uint8, m.n*k)
	for i, s := range values.rows() {
		for _, name := range lists[s] {
			y[i*k+index[name]] = 1
		}
	}
	m.y, m.yType, m.targets = tensor.From(y, m.n, k), tensor.Int64, m.classes
	return nil
}
