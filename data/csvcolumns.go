package data

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// tableLayout says what each column is; -1 and nil are none.
type tableLayout struct {
	id, file, mask int
	labels         []int
	features       []int // of X
	inputs         []tableInput
	groups         []int
	numbers        []int // numbers or names of rows, no features
}

// tableInput is the columns of one named input.
type tableInput struct {
	name    string
	columns []int
	text    bool // all of them are, and the input gets strings
}

// layout assigns the columns by options, names and the first rows.
func (t *table) layout(o Options) (l tableLayout, err error) {
	if o.Inputs == nil {
		o.Inputs = t.namesakes(o.InputNames)
	}
	one := func(what, asked string, usual ...string) (int, error) {
		if asked != "" {
			return t.columnNamed(what, asked)
		}
		return t.columnOf(usual...), nil
	}
	l.id = t.columnOf("id")
	if l.file = -1; !t.fed() {
		if l.file, err = one("file", o.FileColumn, "file", "filename", "path", "image"); err != nil {
			return l, err
		}
	}
	if l.file < 0 && !t.fed() {
		if l.file = t.pictureColumn(o); l.file >= 0 {
			t.said = append(t.said, fmt.Sprintf("the column %s names picture files", t.columns[l.file]))
		}
	}
	if l.mask = -1; l.file >= 0 || o.MaskColumn != "" {
		if l.mask, err = one("mask", o.MaskColumn, "mask"); err != nil {
			return l, err
		}
	}
	if l.mask >= 0 && l.file < 0 {
		return l, malformed(t.path, "", "name the column of picture files with --file-column", "masks without pictures")
	}
	if l.groups, err = t.columnsNamed("group", o.GroupBy); err != nil {
		return l, err
	}
	taken := map[int]bool{l.file: true, l.mask: true}
	for _, i := range l.groups {
		taken[i] = true
	}
	rest, err := t.assignInputs(&l, o, taken)
	if err != nil {
		return l, err
	}
	if l.labels, err = t.labelColumns(l, o, taken); err != nil {
		return l, err
	}
	for _, i := range l.labels {
		taken[i] = true
		if _, err := t.holds(i); err != nil && !o.classes() {
			return l, err
		}
	}
	if taken[l.id] {
		l.id = -1
	}
	if l.id >= 0 {
		taken[l.id] = true
	}
	for _, i := range t.index {
		if taken[i] {
			continue
		}
		taken[i] = true
		l.numbers = append(l.numbers, i)
		if l.id < 0 && l.file < 0 {
			l.id = i
		}
	}
	var unused, texts, beside []string
	for i, name := range t.columns {
		if taken[i] {
			continue
		}
		numbers, err := t.holds(i)
		switch {
		case err != nil:
			return l, err
		case !numbers || (l.file >= 0 || t.fed()) && o.Inputs == nil:
			switch l.groups = append(l.groups, i); {
			case l.file < 0 && !t.fed():
				texts = append(texts, name)
			case numbers:
				beside = append(beside, name)
			}
		case rest >= 0:
			l.inputs[rest].columns = append(l.inputs[rest].columns, i)
		case o.Inputs == nil:
			l.features = append(l.features, i)
		default:
			unused = append(unused, name)
		}
	}
	if unused != nil {
		t.said = append(t.said, fmt.Sprintf("columns that no input takes: %s", clip(strings.Join(unused, ", "))))
	}
	if beside != nil {
		what := "pictures"
		if t.fed() {
			what = t.typed.fed
		}
		t.said = append(t.said, fmt.Sprintf("beside %s %s: groups, not features; --label-column names targets", what, theColumns(beside)))
	}
	switch len(texts) {
	case 0:
	case 1:
		t.said = append(t.said, fmt.Sprintf("the column %s is text: a group, not a feature; --group-by names groups", clip(texts[0])))
	default:
		t.said = append(t.said, fmt.Sprintf("the columns %s are text: groups, not features; --group-by names groups",
			clip(strings.Join(texts, ", "))))
	}
	for _, in := range l.inputs {
		if len(in.columns) == 0 {
			return l, malformed(t.path, "", "name the columns: --input "+in.name+"=COLUMN,COLUMN", "no columns for the input %q", in.name)
		}
	}
	if l.file < 0 && len(l.features) == 0 && len(l.inputs) == 0 && !t.fed() {
		return l, malformed(t.path, "", "features are numbers, and texts are groups: name the label with "+
			"--label-column, or the column of picture files with --file-column", "no numeric feature columns among %s",
			clip(strings.Join(t.columns, ", ")))
	}
	slices.Sort(l.groups)
	return l, nil
}

// namesakes gives each of several inputs the column of its name, where all of them have one.
func (t *table) namesakes(inputs []string) map[string][]string {
	if len(inputs) < 2 || !t.header {
		return nil
	}
	own := map[string][]string{}
	for _, name := range inputs {
		if !slices.Contains(t.columns, name) {
			return nil
		}
		own[name] = []string{name}
	}
	t.said = append(t.said, "the inputs of the model get the columns of their names")
	return own
}

// pictureColumn is the first column that holds names of picture files in all rows that are known, -1 for none.
func (t *table) pictureColumn(o Options) int {
	for c, name := range t.columns {
		if slices.Contains(o.GroupBy, name) || strings.EqualFold(name, "mask") || len(t.sample) == 0 {
			continue
		}
		if !slices.ContainsFunc(t.sample, func(r tableRow) bool {
			if c >= len(r.fields) {
				return true
			}
			k := kindByName(r.fields[c])
			return k == nil || !k.read
		}) {
			return c
		}
	}
	return -1
}

// assignInputs assigns the columns of Options.Inputs; rest is the input that takes all features, -1 for none.
func (t *table) assignInputs(l *tableLayout, o Options, taken map[int]bool) (rest int, err error) {
	rest = -1
	for _, name := range slices.Sorted(maps.Keys(o.Inputs)) {
		asked := o.Inputs[name]
		in := tableInput{name: name}
		if len(asked) == 1 && asked[0] == "*" {
			if rest >= 0 {
				return rest, malformed(t.path, "", "give * to one of them", "inputs %q and %q both take all other columns",
					l.inputs[rest].name, name)
			}
			rest = len(l.inputs)
		} else if in.columns, err = t.columnsNamed("input", asked); err != nil {
			return rest, err
		}
		for i, c := range in.columns {
			numbers, err := t.holds(c)
			if err != nil {
				return rest, err
			}
			if text := !numbers && c != l.file && c != l.mask; i == 0 {
				in.text = text
			} else if in.text != text {
				return rest, malformed(t.path, "column "+clip(t.columns[c]), "give an input numbers or text: write one column of 0 and 1 for "+
					"each value, or number the values", "input %q would get text beside numbers, such as %q", name, t.example(c))
			}
			if c == l.file || c == l.mask {
				return rest, malformed(t.path, "column "+clip(t.columns[c]), "leave it out",
					"input %q would get names of files, such as %q", name, t.example(c))
			}
		}
		l.inputs = append(l.inputs, in)
	}
	for _, in := range l.inputs { // a column may go to several inputs
		for _, c := range in.columns {
			taken[c] = true
		}
	}
	return rest, nil
}

// example is a value of column c.
func (t *table) example(c int) string {
	for _, r := range t.sample {
		if c < len(r.fields) && !missing(r.fields[c]) {
			return clip(r.fields[c])
		}
	}
	return ""
}

// labelColumns finds the columns of labels: those asked for, else one with a usual name, else the last one that has no other use.
func (t *table) labelColumns(l tableLayout, o Options, taken map[int]bool) ([]int, error) {
	asked := o.LabelColumns
	if asked == nil && o.LabelColumn != "" {
		asked = []string{o.LabelColumn}
	}
	if len(asked) == 1 && asked[0] == "none" {
		return nil, nil
	}
	if asked != nil {
		return t.columnsNamed("label", asked)
	}
	usual := []string{"label", "class", "target", "y", "labels", "targets"}
	if c := t.columnOf(usual...); c >= 0 && !taken[c] {
		for _, u := range usual {
			if other := t.columnOf(u); other >= 0 && other != c && !taken[other] {
				t.said = append(t.said, fmt.Sprintf("the column %s is the label and %s is not; --label-column names it", t.columns[c],
					t.columns[other]))
			}
		}
		return []int{c}, nil
	}
	last := len(t.columns) - 1
	if o.Task == "language-model" || l.file >= 0 || t.fed() || last < 1 || taken[last] || slices.Contains(t.index, last) {
		return nil, nil
	}
	if t.guessed = t.header; t.guessed {
		if numbers, _ := t.holds(last); numbers && t.flags[last] == nil { // what cannot be read is refused elsewhere
			t.said = append(t.said, fmt.Sprintf("the last column, %s, is taken for the label; --label-column names another one, or none",
				t.columns[last]))
		}
	}
	return []int{last}, nil
}
