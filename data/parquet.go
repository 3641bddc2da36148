package data

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	register(Format{
		Name: "parquet",
		Doc: "tables, pictures and lists in a file or a folder of files, as pandas and Hugging Face's datasets write them; read group by " +
			"group, larger than memory or not",
		Source: "https://parquet.apache.org/docs/file-format/",
		splits: hfSplits,
		query:  []string{"label", "image", "mask", "groups", "task", "missing", "alpha", "binary"},
		is: func(path string, info fs.FileInfo) bool {
			return hasExt(path, ".parquet") && !info.IsDir() || info.IsDir() && holdsParquet(path)
		},
		open: openParquet,
	})
}

// maxShards is how many files a set may have.
const maxShards = 1 << 16

// keptTable is up to how many bytes the features of a table are kept in memory; those of a larger one are read when they are asked for.
var keptTable = int64(256 << 20)

// holdsParquet reports whether dir, or a folder data in it, has a parquet file.
func holdsParquet(dir string) bool {
	for _, d := range []string{dir, filepath.Join(dir, "data")} {
		entries, _ := os.ReadDir(d)
		if slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return !e.IsDir() && hasExt(e.Name(), ".parquet") && !hidden(e.Name()) }) {
			return true
		}
	}
	return false
}

// parquetSet is the rows of parquet files. Labels, groups and ids are in memory, and so are features of tables that are not large; all else
// is read when it is asked for.
type parquetSet struct {
	*memory
	*pictures
	pages   *pages
	rows    []int64 // of examples; nil: all
	picture *parquetPicture
	masks   *masks
	lists   []parquetList // with the names under which they are fed; "" is X
	target  *parquetList  // Y; nil: none
	late    *lateTable    // features; nil: in memory
	finite  bool          // NaN and infinity are errors
}

// openParquet reads FILE, or FOLDER with files in or below it, of which #train, #validation or #test picks those that say so in
// their names. What reads columns of a csv reads those of numbers and texts, see openCSV. Bytes of pictures, and structures of bytes and
// path, are pictures: the column named by Options.FileColumn, else the first, and the one called mask or the like the class of each pixel.
// Lists of numbers, or of lists, of the same lengths in all rows are X, or, where there are several, arrays by their names; one that is
// called as labels are is Y. Lists of texts or class names as labels are those that apply. Names of classes are those of the key
// huggingface. Settings: ?label= &image= &mask= &groups=A,B &task= &missing=drop|mean|zero &alpha=drop|white|black &binary=true|false.
func openParquet(spec Spec, o Options, _ int) (Dataset, error) {
	o = o.with(spec)
	if err := o.checkTask(spec.Path); err != nil {
		return nil, err
	}
	files, err := parquetFiles(spec)
	if err != nil {
		return nil, err
	}
	d := &parquetSet{memory: &memory{path: spec.Path}, finite: !o.AllowNonFinite}
	if d.pictures, err = newPictures(spec, o); err != nil {
		return nil, err
	}
	held := &ledger{what: "the index of " + spec.Path}
	defer tie(held, d)
	d.pages = &pages{limits: o.Limits, kept: newBlocks[pageKey]("pages of "+spec.Path, d)}
	rows := int64(0)
	for _, f := range files {
		s, err := openShard(f, held, o.Limits)
		if err != nil {
			return nil, err
		}
		if s.first = rows; len(d.pages.shards) > 0 {
			if err := sameSchema(d.pages.shards[0], s); err != nil {
				return nil, err
			}
		}
		rows += s.Rows
		d.pages.shards = append(d.pages.shards, s)
	}
	if rows == 0 {
		return nil, malformed(spec.Path, "", "need at least one row", "no rows")
	}
	if rows > o.Limits.bytes()/4 {
		return nil, overLimit(spec.Path, "", fmt.Sprintf("%d rows", rows), o.Limits)
	}
	return d, d.assign(spec, rows, o)
}

// parquetFiles is the files that spec means.
func parquetFiles(spec Spec) ([]string, error) {
	if !isFolder(spec.Path) {
		if spec.Split != "" {
			return nil, malformed(spec.Path, "", "leave #"+spec.Split+" out, or name the folder of the files", "one file has no parts")
		}
		return []string{spec.Path}, nil
	}
	list, err := filesBelow(spec.Path, maxShards, ".parquet")
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, malformed(spec.Path, "", "give the folder with the .parquet files", "no parquet files in the folder")
	}
	if list, err = ofSplitAsked(spec, list); err != nil {
		return nil, err
	}
	for i, f := range list {
		list[i] = filepath.Join(spec.Path, filepath.FromSlash(f))
	}
	return list, nil
}

// sameSchema fails where two files of a set have other columns.
func sameSchema(a, b *shard) error {
	same := len(a.Columns) == len(b.Columns)
	for i := range min(len(a.Columns), len(b.Columns)) {
		x, y := a.Columns[i], b.Columns[i]
		if x.Name != y.Name || x.Physical != y.Physical || x.Logical != y.Logical || x.Rep != y.Rep || x.Rep > 0 && x.Def != y.Def ||
			x.Scale != y.Scale || x.Unit != y.Unit || x.Unsigned != y.Unsigned || x.Length != y.Length {
			return malformed(b.disk.path, "column "+clip(y.Name), "give files of one data set", "other columns than in %s", clip(a.disk.path))
		}
	}
	// whether values may be missing, which levels tell, is up to each file
	if !same {
		return malformed(b.disk.path, "", "give files of one data set", "%d columns, and %d in %s", len(b.Columns), len(a.Columns),
			clip(a.disk.path))
	}
	return nil
}

func (d *parquetSet) Suggest() Preprocess { return Preprocess{Alpha: d.alpha} }

// Masked reports whether the masks are what is to be learned: there are no other labels.
func (d *parquetSet) Masked() bool { return d.masks != nil && d.labels == nil && d.y == nil }

// Notes is what the columns had to say, and what was seen in the pictures.
func (d *parquetSet) Notes() []string {
	return slices.Concat(d.memory.notes, d.remarks.notes(d.alpha, d.ID))
}

// row is that of example i in the files.
func (d *parquetSet) row(i int) int64 {
	if d.rows != nil {
		return d.rows[i]
	}
	return int64(i)
}

// place names a column of example i.
func (d *parquetSet) place(i int, column string) string {
	shard, _, _ := d.pages.place(d.row(i))
	s := d.pages.shards[shard]
	return fmt.Sprintf("%s: row %d, column %s", s.disk.path, d.row(i)-s.first, clip(column))
}

func (d *parquetSet) Example(i int) (Example, error) { return inTurn(d, i) }

func (d *parquetSet) exampleIn(t *turn, i int) (Example, error) {
	e, err := d.memory.Example(i)
	if err != nil {
		return e, err
	}
	if d.late != nil {
		if e.X, err = d.late.example(d.pages, d.row(i)); err != nil {
			return e, err
		}
	}
	for k := range d.lists {
		l := &d.lists[k]
		x, err := d.list(l, i)
		if err != nil {
			return e, err
		}
		if l.name == "" {
			e.X = x
			continue
		}
		if e.Fields == nil {
			e.Fields = map[string]*tensor.Tensor{}
		}
		e.Fields[l.name] = x
	}
	if d.target != nil {
		if e.Y, err = d.list(d.target, i); err != nil {
			return e, err
		}
	}
	if d.picture == nil {
		return e, nil
	}
	e.Picture = true
	b, err := d.bytes(d.picture, i)
	if err != nil {
		return e, err
	}
	r, seen, err := decodeRaster(t, d.place(i, d.picture.name), b, d.limits)
	if err != nil {
		return e, err
	}
	d.remarks.add(i, r.x, seen)
	if e.X = r.flat(d.alpha); d.masks == nil {
		return e, nil
	}
	if e.Mask, err = d.masks.load(t, i); err != nil {
		return e, err
	}
	if !e.Mask.Shape().Equal(e.X.Shape()[1:]) {
		return e, malformed(d.masks.name(i), "", "a mask has the size of its picture", "the mask is %v, the picture %v", e.Mask, e.X)
	}
	return e, nil
}

// bytes is the file of a picture of example i.
func (d *parquetSet) bytes(p *parquetPicture, i int) ([]byte, error) {
	u, v, err := d.pages.flat(p.node.Column, d.row(i))
	if err != nil {
		return nil, err
	}
	if v < 0 {
		return nil, malformed(d.path, fmt.Sprintf("row %d, column %s", d.row(i), clip(p.name)), "remove the row, or use --on-bad-sample skip",
			"no picture")
	}
	return u.Bytes[v], nil
}

// list is a list of example i as a tensor of the shape that all have.
func (d *parquetSet) list(l *parquetList, i int) (*tensor.Tensor, error) {
	ints, reals, _, shape, err := l.row(d.pages, d.row(i))
	if err != nil {
		return nil, err
	}
	if !shape.Equal(l.shape) {
		return nil, malformed(d.path, fmt.Sprintf("row %d, column %s", d.row(i), clip(l.column)),
			"all rows need lists of the same lengths: pad or cut them", "a list %v where the first row has %v", shape, l.shape)
	}
	if at := notFinite(reals); at >= 0 && d.finite {
		return nil, malformed(d.path, fmt.Sprintf("row %d, column %s", d.row(i), clip(l.column)), "remove or replace the value",
			"value %d of the list is NaN or infinite", at)
	}
	return listValues(l.dtype, ints, reals, shape), nil
}

// joined is lists of texts as one field.
func joined(list []string) string { return strings.Join(list, "|") }
