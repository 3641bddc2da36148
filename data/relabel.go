package data

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

func init() {
	register(Format{
		Name: "relabel", Doc: "another set with decisions on its labels, a table of id and label: relabel:LIST@SPEC",
		Source: "the list of an audit, with the right class in the column label",
		listed: true, open: openRelabel,
	})
}

// relabelled is a data set in which some examples have another class.
type relabelled struct {
	Dataset
	labels map[int]int
	notes  []string
}

func (r *relabelled) unwrap() Dataset { return r.Dataset }
func (r *relabelled) at(i int) int    { return i }
func (r *relabelled) Notes() []string { return r.notes }

func (r *relabelled) Label(i int) int {
	if l, ok := r.labels[i]; ok {
		return l
	}
	return r.Dataset.Label(i)
}

func (r *relabelled) Example(i int) (Example, error) { return inTurn(r, i) }

func (r *relabelled) exampleIn(t *turn, i int) (Example, error) {
	e, err := exampleIn(t, r.Dataset, i)
	e.Label = r.Label(i)
	return e, err
}

// openRelabel reads LIST@SPEC. LIST is a table with the columns id and label, or of two columns without a header; other columns do not
// count. A label is the name of a class or its number, −100 for none. Ids that SPEC does not have or that come twice are errors, and so
// is a list that changes nothing but has a column suggested: the decision belongs into label.
func openRelabel(spec Spec, o Options, depth int) (Dataset, error) {
	list, ds, err := openListed(spec, o, depth)
	if err != nil {
		return nil, err
	}
	f, err := openMaybeGzip(list)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return relabel(list, f, ds, o)
}

// relabel applies the decisions of a list to ds.
func relabel(path string, list io.Reader, ds Dataset, o Options) (Dataset, error) {
	classes := ds.Classes()
	if len(classes) == 0 {
		return nil, malformed(path, "", "name data with one class for each example", "new classes for data without classes")
	}
	t, err := newTable(path, list, Options{Limits: o.Limits})
	if err != nil {
		return nil, err
	}
	id, label := 0, 1
	if t.header {
		id, label = t.columnOf("id", "file", "filename", "path", "image"), t.columnOf("label", "class")
	}
	if id < 0 || label < 0 || label >= len(t.columns) {
		return nil, malformed(path, "line 1", "need the columns id and label", "columns %q", t.columns)
	}
	at := indexIDs(ds)
	var lost idIndex
	r := &relabelled{Dataset: ds, labels: map[int]int{}}
	line := map[int]int{}
	changed := 0
	for {
		row, err := t.following()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		place := fmt.Sprintf("line %d", t.line)
		i, ok := at[DecodeCell(row[id])]
		if !ok {
			i, ok = at.find(row[id])
		}
		if !ok {
			if lost == nil {
				lost = tableIDs(ds)
			}
			i, ok = lost[row[id]]
		}
		if !ok {
			return nil, unknown(path, place, row[id], ds)
		}
		if first, twice := line[i]; twice {
			return nil, malformed(path, place, "remove one of the lines", "id %q is already on line %d", clip(row[id]), first)
		}
		line[i] = t.line
		c, err := decided(path, t.place(label), row[label], classes)
		if err != nil {
			return nil, err
		}
		if r.labels[i] = c; c != ds.Label(i) {
			changed++
		}
	}
	if changed == 0 && slices.Contains(t.columns, "suggested") {
		return nil, malformed(path, "", "write the right class into the column label; suggested is not applied by itself",
			"no row changes a label")
	}
	r.notes = []string{fmt.Sprintf("%d of %d decisions change a label", changed, len(r.labels))}
	return r, nil
}

// tableIDs finds the examples whose ids a table does not bring back as they are: it has lost the blanks around them and the returns before
// line breaks. Those of which two would look the same are left out.
func tableIDs(ds Dataset) idIndex {
	at, twice := idIndex{}, map[string]bool{}
	for i := range ds.Len() {
		id := ds.ID(i)
		s := strings.TrimSpace(strings.ReplaceAll(EncodeCell(id), "\r\n", "\n"))
		if s == id {
			continue
		}
		twice[s] = twice[s] || at.has(s)
		at[s] = i
	}
	for s := range twice {
		if twice[s] {
			delete(at, s)
		}
	}
	return at
}

// decided is the class that a decision names: by its name, else by its number.
func decided(path, place, s string, classes []string) (int, error) {
	if c := slices.Index(classes, DecodeCell(s)); c >= 0 {
		return c, nil
	}
	c, err := classIndex(path, place, s, classes)
	if err == nil {
		return c, nil
	}
	n, notNumber := strconv.Atoi(s)
	switch {
	case notNumber != nil:
		return 0, err
	case n == NoLabel:
		return -1, nil
	case n < 0 || n >= len(classes):
		return 0, malformed(path, place, fmt.Sprintf("classes are 0 to %d", len(classes)-1), "class %d is out of range", n)
	}
	return n, nil
}
