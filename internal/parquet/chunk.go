package parquet

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// Chunk is the values of one column in one group of rows, in pages.
type Chunk struct {
	Column *Node
	Pages  []Ref // of data

	f    *File
	m    meta
	dict *Ref // nil: none
}

// Ref is where a page is.
type Ref struct {
	First  int64 // value, nulls among them: the row, where the column is not repeated
	Values int64

	at               int64 // of its content in the file
	packed, unpacked int64
	kind, encoding   int64
	v2               bool
	raw              bool // of version 2: not packed
	rep, def         int64
	crc              uint32
	checked          bool // it has a crc
}

// Size is the bytes of a page in memory while it is unpacked, about.
func (r Ref) Size() int64 { return r.packed + r.unpacked + 26*r.Values }

// The kinds of pages.
const (
	dataPage = 0
	dictPage = 2
	dataV2   = 3
)

// Chunk finds the pages of a column in a group.
func (f *File) Chunk(group, column int, ask Ask) (*Chunk, error) {
	c := &Chunk{Column: f.Columns[column], f: f, m: f.Groups[group].chunks[column]}
	if err := c.index(ask); err != nil {
		return nil, fmt.Errorf("row group %d, column %q: %w", group, c.Column.Name, err)
	}
	return c, nil
}

func (c *Chunk) index(ask Ask) error {
	first := int64(0)
	for at, end := c.m.start, c.m.start+c.m.length; at < end && first < c.m.values; {
		ref, size, err := c.header(at, end)
		if err != nil {
			return fmt.Errorf("page at offset %d: %w", at, err)
		}
		ref.at = at + size
		if ref.packed < 0 || ref.packed > end-ref.at {
			return fmt.Errorf("page at offset %d: %d bytes where %d are left: %w", at, ref.packed, end-ref.at, errShort)
		}
		if ref.unpacked < 0 || ref.unpacked > unfolds && ref.unpacked/ratio > ref.packed {
			return fmt.Errorf("page at offset %d: %d bytes of %d: %w", at, ref.unpacked, ref.packed, ErrUnfolds)
		}
		at = ref.at + ref.packed
		switch ref.kind {
		case dictPage:
			if c.dict != nil || len(c.Pages) > 0 {
				return errors.New("a second dictionary")
			}
			if ref.Values < 0 || ref.Values > 8*(ref.unpacked+1) {
				return fmt.Errorf("a dictionary of %d values in %d bytes", ref.Values, ref.unpacked)
			}
			c.dict = &ref
		case dataPage, dataV2:
			if ref.Values < 0 || ref.Values > c.m.values-first {
				return fmt.Errorf("page at offset %d: %d values where %d are left", at, ref.Values, c.m.values-first)
			}
			ref.First = first
			first += ref.Values
			if len(c.Pages) == cap(c.Pages) {
				if err := ask(2 * int64(max(8, cap(c.Pages))) * 112); err != nil {
					return err
				}
			}
			c.Pages = append(c.Pages, ref)
		}
	}
	if first != c.m.values {
		return fmt.Errorf("%d values, where the footer has %d: %w", first, c.m.values, errShort)
	}
	return nil
}

// header reads the header of the page at an offset.
func (c *Chunk) header(at, end int64) (ref Ref, size int64, err error) {
	for most := int64(256); ; most *= 8 {
		b := make([]byte, min(most, end-at))
		if _, err := c.f.r.ReadAt(b, at); err != nil && err != io.EOF {
			return ref, 0, err
		}
		t := &thrift{b: b}
		ref = t.page()
		if t.err == nil {
			return ref, int64(t.at), nil
		}
		if !errors.Is(t.err, errShort) || most >= end-at || most >= maxHeader {
			return ref, 0, fmt.Errorf("header: %w", t.err)
		}
	}
}

// page reads a PageHeader.
func (t *thrift) page() (ref Ref) {
	t.fields(func(id int, kind byte) bool {
		switch {
		case id == 1 && kind == 5:
			ref.kind = t.int()
		case id == 2 && kind == 5:
			ref.unpacked = t.int()
		case id == 3 && kind == 5:
			ref.packed = t.int()
		case id == 4 && kind == 5:
			ref.crc, ref.checked = uint32(t.int()), true
		case (id == 5 || id == 7 || id == 8) && kind == thriftStruct:
			ref.v2 = id == 8
			t.fields(func(id int, kind byte) bool {
				switch {
				case id == 1 && kind == 5:
					ref.Values = t.int()
				case !ref.v2 && id == 2 && kind == 5, ref.v2 && id == 4 && kind == 5:
					ref.encoding = t.int()
				case ref.v2 && id == 5 && kind == 5:
					ref.def = t.int()
				case ref.v2 && id == 6 && kind == 5:
					ref.rep = t.int()
				case ref.v2 && id == 7:
					ref.raw = kind == thriftFalse
					return false
				default:
					return false
				}
				return true
			})
		default:
			return false
		}
		return true
	})
	return ref
}

// content reads and unpacks a page: the levels of a page of version 2, which are not packed, and the rest.
func (c *Chunk) content(ref Ref, ask Ask) (levels, rest []byte, err error) {
	if err := ask(ref.packed); err != nil {
		return nil, nil, err
	}
	b := make([]byte, ref.packed)
	if _, err := c.f.r.ReadAt(b, ref.at); err != nil {
		return nil, nil, err
	}
	if ref.checked && crc32.ChecksumIEEE(b) != ref.crc {
		return nil, nil, errors.New("its checksum is another one")
	}
	codec, unpacked := c.m.codec, ref.unpacked
	if ref.v2 {
		n := ref.rep + ref.def
		if ref.rep < 0 || ref.def < 0 || n > int64(len(b)) || n > unpacked {
			return nil, nil, fmt.Errorf("levels of %d and %d bytes in a page of %d", ref.rep, ref.def, len(b))
		}
		levels, b, unpacked = b[:n], b[n:], unpacked-n
		if ref.raw {
			codec = plainCodec
		}
	}
	rest, err = unpack(codec, b, unpacked, ask)
	return levels, rest, err
}

// Dictionary is the values that pages refer to; nil where they do not.
func (c *Chunk) Dictionary(ask Ask) (*Values, error) {
	if c.dict == nil {
		return nil, nil
	}
	_, b, err := c.content(*c.dict, ask)
	if err != nil {
		return nil, fmt.Errorf("dictionary of column %q: %w", c.Column.Name, err)
	}
	v, err := plain(c.Column, b, int(c.dict.Values), ask)
	if err != nil {
		return nil, fmt.Errorf("dictionary of column %q: %w", c.Column.Name, err)
	}
	return v, nil
}

// DictionarySize is the bytes of the dictionary in memory while it is unpacked, about.
func (c *Chunk) DictionarySize() int64 {
	if c.dict == nil {
		return 0
	}
	return c.dict.Size()
}

// Page is the values of page i, with the dictionary of the chunk.
func (c *Chunk) Page(i int, dict *Values, ask Ask) (*Page, error) {
	ref := c.Pages[i]
	p, err := c.page(ref, dict, ask)
	if err != nil {
		return nil, fmt.Errorf("column %q, page at offset %d: %w", c.Column.Name, ref.at, err)
	}
	return p, nil
}
