package data

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/internal/parquet"
	"github.com/gtk-onnx/gtk/tensor"
)

// usualPictures and usualMasks are what columns of pictures and of their masks are called.
var (
	usualPictures = []string{"image", "img", "picture", "photo", "pixel_values", "file", "x"}
	usualMasks    = []string{"mask", "masks", "annotation", "annotations", "segmentation_mask", "seg", "label", "labels", "target"}
	usualLabels   = []string{"label", "class", "target", "y", "labels", "targets"}
)

// assign says what each column is, and reads those that are kept.
func (d *parquetSet) assign(spec Spec, rows int64, o Options) error {
	c, err := classify(d.pages.shards[0], d.firstBytes)
	if err != nil {
		return err
	}
	if c.left != nil {
		d.notes = append(d.notes, "columns that are not read are left out: "+clip(strings.Join(c.left, ", ")))
	}
	mask, err := d.choosePictures(c, &o)
	if err != nil {
		return err
	}
	texts, err := d.chooseLabels(c, &o)
	if err != nil {
		return err
	}
	fed, err := d.chooseLists(c, &o)
	if err != nil {
		return err
	}
	if err := d.table(c, texts, fed, rows, o); err != nil {
		return err
	}
	if mask == nil {
		return nil
	}
	d.masks = &masks{classes: len(d.classes), name: func(i int) string { return d.place(i, mask.name) }}
	d.masks.read = func(t *turn, i int) (*tensor.Tensor, error) {
		b, err := d.bytes(mask, i)
		if err != nil {
			return nil, err
		}
		return maskOf(t, d.masks.name(i), b, o.Limits)
	}
	return d.masks.look(d.n, spec.Query.Get("binary"))
}

// firstBytes is the first value of a column that is there among the first rows.
func (d *parquetSet) firstBytes(n *parquet.Node) ([]byte, error) {
	for row := range min(int64(lookAhead), d.pages.total()) {
		u, v, err := d.pages.flat(n.Column, row)
		if err != nil {
			return nil, err
		}
		if v >= 0 && len(u.Bytes[v]) > 0 {
			return u.Bytes[v], nil
		}
	}
	return nil, nil
}

// total is the number of rows.
func (p *pages) total() int64 {
	last := p.shards[len(p.shards)-1]
	return last.first + last.Rows
}

// choosePictures chooses the column of pictures and that of masks, nil for none.
func (d *parquetSet) choosePictures(c *parquetColumns, o *Options) (mask *parquetPicture, err error) {
	at := func(name string) int {
		return slices.IndexFunc(c.pictures, func(p parquetPicture) bool { return strings.EqualFold(p.name, name) })
	}
	var names []string
	for _, p := range c.pictures {
		names = append(names, p.name)
	}
	choose := func(asked string, usual []string, taken int) int {
		if asked != "" {
			return at(asked)
		}
		for _, u := range usual {
			if i := at(u); i >= 0 && i != taken {
				return i
			}
		}
		return -1
	}
	if len(c.pictures) == 0 {
		return nil, nil
	}
	k := choose(o.FileColumn, usualPictures, -1)
	if o.FileColumn != "" && k < 0 {
		return nil, malformed(d.path, "", didYouMean(o.FileColumn, names), "no column of pictures %q", clip(o.FileColumn))
	}
	m := choose(o.MaskColumn, usualMasks, k)
	if o.MaskColumn != "" && m < 0 {
		return nil, malformed(d.path, "", didYouMean(o.MaskColumn, names), "no column of masks %q", clip(o.MaskColumn))
	}
	if k < 0 {
		if k = slices.IndexFunc(names, func(n string) bool { return m < 0 || n != names[m] }); k < 0 {
			k, m = 0, -1
		}
	}
	d.picture = &c.pictures[k]
	if m >= 0 {
		mask = &c.pictures[m]
	}
	for i, n := range names {
		if i != k && i != m {
			d.notes = append(d.notes, fmt.Sprintf("the pictures of the column %s are used, not those of %s; ?image= behind the path names "+
				"another column", clip(names[k]), clip(n)))
		}
	}
	o.FileColumn, o.MaskColumn = "", ""
	return mask, nil
}

// chooseLabels takes a list that is the label: numbers are Y, and texts or numbers of classes that have names are labels that apply, which
// the table reads.
func (d *parquetSet) chooseLabels(c *parquetColumns, o *Options) (texts *parquetList, err error) {
	asked := o.LabelColumns
	if asked == nil && o.LabelColumn != "" {
		asked = []string{o.LabelColumn}
	}
	scalar := slices.ContainsFunc(c.cells, func(x parquetCell) bool { return slices.Contains(usualLabels, strings.ToLower(x.name)) })
	i := slices.IndexFunc(c.lists, func(l parquetList) bool {
		if asked != nil {
			return len(asked) == 1 && asked[0] == l.column
		}
		return !scalar && slices.Contains(usualLabels, strings.ToLower(l.column))
	})
	if i < 0 {
		return nil, nil
	}
	l := c.lists[i]
	c.lists = slices.Delete(c.lists, i, i+1)
	if l.dtype == 0 || l.depth == 1 && (l.names != nil || o.Task == "multilabel" && l.dtype == tensor.Int64 && !d.even(&l)) {
		if o.Task == "" {
			o.Task = "multilabel"
			d.notes = append(d.notes, fmt.Sprintf("the column %s holds lists: any number of labels for each example", clip(l.column)))
		}
		if o.Classes == nil {
			o.Classes = l.names
		}
		o.LabelColumn, o.LabelColumns = l.column, nil
		return &l, nil
	}
	if o.classes() {
		return nil, malformed(d.path, "column "+clip(l.column), "use --task multilabel, dense or regression, or name another column with "+
			"--label-column", "lists where the task %s needs one class", o.Task)
	}
	if err := d.shape(&l); err != nil {
		return nil, err
	}
	o.LabelColumn, o.LabelColumns = "none", nil
	d.target = &l
	return nil, nil
}

// even reports whether the lists of the first rows hold nothing but 0 and 1, as many in each.
func (d *parquetSet) even(l *parquetList) bool {
	size := -1
	for row := range min(int64(lookAhead), d.pages.total()) {
		ints, _, _, _, err := l.row(d.pages, row)
		if err != nil || size >= 0 && len(ints) != size || slices.ContainsFunc(ints, func(v int64) bool { return v != 0 && v != 1 }) {
			return false
		}
		size = len(ints)
	}
	return size > 0
}

// shape takes the shape of the list in the first row.
func (d *parquetSet) shape(l *parquetList) (err error) {
	_, _, _, l.shape, err = l.row(d.pages, 0)
	if err == nil && l.shape.Len() == 0 {
		err = malformed(d.path, "row 0, column "+clip(l.column), "all rows need lists of the same lengths", "an empty list")
	}
	return err
}

// chooseLists says which lists feed the model; fed is what does so beside the columns of the table.
func (d *parquetSet) chooseLists(c *parquetColumns, o *Options) (fed string, err error) {
	if d.picture != nil {
		fed = "pictures"
	}
	var used []parquetList
	var left []string
	take := func(column, input string) error {
		i := slices.IndexFunc(c.lists, func(l parquetList) bool { return l.column == column && l.dtype != 0 })
		l := c.lists[i]
		l.name = input
		used = append(used, l)
		return d.shape(&used[len(used)-1])
	}
	numeric := func(column string) bool {
		return slices.ContainsFunc(c.lists, func(l parquetList) bool { return l.column == column && l.dtype != 0 })
	}
	if o.Inputs != nil {
		rest := maps.Clone(o.Inputs)
		for _, input := range slices.Sorted(maps.Keys(o.Inputs)) {
			if columns := o.Inputs[input]; len(columns) == 1 && numeric(columns[0]) {
				if err := take(columns[0], input); err != nil {
					return "", err
				}
				delete(rest, input)
			}
		}
		o.Inputs = rest
	} else if fed == "" {
		var columns []string
		for _, l := range c.lists {
			if l.dtype != 0 && !slices.Contains(o.GroupBy, l.column) {
				columns = append(columns, l.column)
			}
		}
		for _, column := range columns {
			input := column
			if len(columns) == 1 && !(len(o.InputNames) > 1 && slices.Contains(o.InputNames, column)) {
				input = ""
			}
			if err := take(column, input); err != nil {
				return "", err
			}
		}
	}
	for _, l := range c.lists {
		if !slices.ContainsFunc(used, func(u parquetList) bool { return u.column == l.column }) {
			left = append(left, l.column)
		}
	}
	if left != nil {
		d.notes = append(d.notes, "lists that nothing takes are left out: "+clip(strings.Join(left, ", ")))
	}
	if d.lists = used; len(used) > 0 && fed == "" {
		fed = "lists"
	}
	return fed, nil
}

// cursor is the page of a column in which the last row was.
type cursor struct {
	from, to int64 // rows of the set
	u        *unpackedPage
}

// at is the page with a row, and the value there, -1 for none.
func (k *cursor) at(p *pages, column int, row int64) (*unpackedPage, int, error) {
	if k.u == nil || row < k.from || row >= k.to {
		u, _, err := p.flat(column, row)
		if err != nil {
			return nil, 0, err
		}
		shard, group, at := p.place(row)
		c, err := p.chunk(shard, group, column)
		if err != nil {
			return nil, 0, err
		}
		i := findLast(len(c.Pages), func(i int) bool { return c.row(i) <= at })
		k.u, k.from = u, row-at+c.row(i)
		k.to = k.from + int64(u.N)
	}
	return k.u, k.u.value(int(row - k.from)), nil
}

// table reads the columns of numbers and texts.
func (d *parquetSet) table(c *parquetColumns, labels *parquetList, fed string, rows int64, o Options) error {
	m := d.memory
	var names []string
	in := &typed{fed: fed, classes: map[int][]string{}}
	for i, x := range c.cells {
		if names, in.texts = append(names, x.name), append(in.texts, x.text); c.features[x.name].classNames() != nil {
			in.classes[i] = c.features[x.name].classNames()
		}
	}
	if labels != nil {
		names, in.texts = append(names, labels.column), append(in.texts, true)
	}
	if len(names) == 0 {
		if fed == "" {
			return malformed(d.path, "", "need columns of numbers, pictures or lists", "no column that can be read")
		}
		m.n = int(rows)
		return nil
	}
	row, cursors, at := make([]string, len(names)), make([]cursor, len(c.cells)), int64(0)
	in.read = func() ([]string, error) {
		if at == rows {
			return nil, io.EOF
		}
		for i := range c.cells {
			u, v, err := cursors[i].at(d.pages, c.cells[i].node.Column, at)
			if err != nil {
				return nil, err
			}
			if row[i] = ""; v >= 0 {
				row[i] = c.cells[i].cell(u, v)
			}
		}
		if labels != nil {
			ints, _, texts, _, err := labels.row(d.pages, at)
			if err != nil {
				return nil, err
			}
			for _, v := range ints {
				text := fmt.Sprint(v)
				if v >= 0 && v < int64(len(labels.names)) {
					text = labels.names[v]
				}
				texts = append(texts, text)
			}
			row[len(row)-1] = joined(texts)
		}
		at++
		return row, nil
	}
	t, err := newTyped(d.path, names, in, o)
	if err != nil {
		return err
	}
	for i, n := range names {
		if strings.HasPrefix(n, "__index_level_") && !slices.Contains(t.index, i) { // of pandas
			t.index = append(t.index, i)
		}
	}
	l, err := t.layout(o)
	if err != nil {
		return err
	}
	r := newTableRows(t, l, o)
	r.about = int(rows)
	r.looks = 4*rows*int64(len(l.features)) > keptTable
	if err := r.all(m); err != nil {
		return err
	}
	d.rows = r.kept
	if r.looks {
		d.late = &lateTable{t: t, gaps: r.gaps, columns: l.features, cells: c.cells}
		t.sample = nil
	}
	return nil
}
