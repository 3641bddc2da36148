package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// File is an open file.
type File struct {
	Root    *Node
	Columns []*Node // in the order of the file
	Rows    int64
	Groups  []Group           // of rows
	Meta    map[string]string // what writers say beside the schema, such as "huggingface" and "pandas"
	Writer  string

	r    io.ReaderAt
	size int64
}

// Group is rows that are stored together.
type Group struct {
	Rows   int64
	chunks []meta // by column
}

// meta is where the values of a column of a group are.
type meta struct {
	start, length int64 // bytes in the file
	values        int64
	codec         int64
}

// Open reads the footer of a file.
func Open(r io.ReaderAt, size int64, ask Ask) (*File, error) {
	f := &File{r: r, size: size, Meta: map[string]string{}}
	var head [4]byte
	var tail [8]byte
	if size < 12 {
		return nil, fmt.Errorf("%d bytes: %w", size, errShort)
	}
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return nil, err
	}
	if _, err := r.ReadAt(tail[:], size-8); err != nil {
		return nil, err
	}
	switch {
	case string(head[:]) == "PARE" || string(tail[4:]) == "PARE":
		return nil, form("an encrypted file")
	case string(head[:]) != "PAR1":
		return nil, errors.New("it does not begin as a parquet file does")
	case string(tail[4:]) != "PAR1":
		return nil, fmt.Errorf("it does not end as a parquet file does: %w", errShort)
	}
	n := int64(binary.LittleEndian.Uint32(tail[:]))
	if n > size-12 || n > maxFooter {
		return nil, fmt.Errorf("a footer of %d bytes in a file of %d", n, size)
	}
	if err := ask(20 * n); err != nil { // the footer, and what becomes of it
		return nil, err
	}
	b := make([]byte, n)
	if _, err := r.ReadAt(b, size-8-n); err != nil {
		return nil, err
	}
	t := &thrift{b: b}
	if err := f.footer(t); err != nil {
		return nil, fmt.Errorf("footer: %w", err)
	}
	return f, f.check()
}

func (f *File) footer(t *thrift) error {
	var list []element
	encrypted := false
	t.fields(func(id int, kind byte) bool {
		switch {
		case id == 2 && kind == thriftList:
			t.each(func(int) { list = append(list, t.element()) })
		case id == 3 && kind == 6:
			f.Rows = t.int()
		case id == 4 && kind == thriftList:
			t.each(func(int) { f.Groups = append(f.Groups, t.group()) })
		case id == 5 && kind == thriftList:
			t.each(func(int) {
				var k, v string
				t.fields(func(id int, kind byte) bool {
					switch {
					case id == 1 && kind == thriftBytes:
						k = string(t.bytes())
					case id == 2 && kind == thriftBytes:
						v = string(t.bytes())
					default:
						return false
					}
					return true
				})
				f.Meta[k] = v
			})
		case id == 6 && kind == thriftBytes:
			f.Writer = string(t.bytes())
		case id == 8:
			encrypted = true
			return false
		default:
			return false
		}
		return true
	})
	if t.err != nil {
		return t.err
	}
	if encrypted {
		return form("an encrypted file")
	}
	return f.tree(list)
}

func (t *thrift) group() (g Group) {
	t.fields(func(id int, kind byte) bool {
		switch {
		case id == 1 && kind == thriftList:
			t.each(func(int) { g.chunks = append(g.chunks, t.chunk()) })
		case id == 3 && kind == 6:
			g.Rows = t.int()
		default:
			return false
		}
		return true
	})
	return g
}

func (t *thrift) chunk() (m meta) {
	var dict int64
	elsewhere := false
	t.fields(func(id int, kind byte) bool {
		if id == 1 && kind == thriftBytes {
			elsewhere = len(t.bytes()) > 0
			return true
		}
		if id != 3 || kind != thriftStruct {
			return false
		}
		t.fields(func(id int, kind byte) bool {
			switch {
			case id == 4 && kind == 5:
				m.codec = t.int()
			case id == 5 && kind == 6:
				m.values = t.int()
			case id == 7 && kind == 6:
				m.length = t.int()
			case id == 9 && kind == 6:
				m.start = t.int()
			case id == 11 && kind == 6:
				dict = t.int()
			default:
				return false
			}
			return true
		})
		return true
	})
	if dict > 0 && dict < m.start {
		m.start = dict
	}
	if elsewhere && t.err == nil {
		t.err = form("columns in another file")
	}
	return m
}

// check compares what the footer claims with the size of the file.
func (f *File) check() error {
	rows, cells := int64(0), int64(0)
	for i, g := range f.Groups {
		if len(g.chunks) != len(f.Columns) {
			return fmt.Errorf("row group %d has %d columns, the schema %d", i, len(g.chunks), len(f.Columns))
		}
		if g.Rows < 0 || rows > math.MaxInt64-g.Rows {
			return fmt.Errorf("row group %d has %d rows", i, g.Rows)
		}
		rows += g.Rows
		for c, m := range g.chunks {
			if m.start < 4 || m.length < 0 || m.start > f.size-8 || m.length > f.size-8-m.start {
				return fmt.Errorf("row group %d, column %q: bytes %d to %d of a file of %d: %w", i, f.Columns[c].Name, m.start,
					m.start+m.length, f.size, errShort)
			}
			if f.Columns[c].Rep == 0 && m.values != g.Rows {
				return fmt.Errorf("row group %d, column %q: %d values for %d rows", i, f.Columns[c].Name, m.values, g.Rows)
			}
			if m.values < 0 || cells > math.MaxInt64-m.values {
				return fmt.Errorf("row group %d, column %q: %d values", i, f.Columns[c].Name, m.values)
			}
			cells += m.values
		}
	}
	if rows != f.Rows {
		return fmt.Errorf("%d rows in the groups, and %d in the footer", rows, f.Rows)
	}
	if cells > manyCells && cells/perByte > f.size {
		return fmt.Errorf("%d values in %d bytes: %w", cells, f.size, ErrUnfolds)
	}
	return nil
}
