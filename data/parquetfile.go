package data

import (
	"errors"
	"fmt"
	"io/fs"

	account "github.com/gtk-onnx/gtk/internal/memory"
	"github.com/gtk-onnx/gtk/internal/parquet"
)

// shard is one parquet file of a set.
type shard struct {
	*parquet.File
	disk  *onDisk
	first int64 // row of the set
}

// openShard reads the footer of a file.
func openShard(path string, held *ledger, l Limits) (*shard, error) {
	disk, err := newOnDisk(path)
	if err != nil {
		return nil, err
	}
	s := &shard{disk: disk}
	if s.File, err = parquet.Open(disk, disk.size, held.add); err != nil {
		return nil, s.wrong(err, l)
	}
	return s, nil
}

// wrong is an error of reading the file as one of the format.
func (s *shard) wrong(err error, l Limits) error {
	var known *FormatError
	var short *account.Error
	var file *fs.PathError
	if errors.As(err, &known) || errors.As(err, &file) && !errors.As(err, &short) {
		return err
	}
	if no := refused(s.disk.path, "", l, err); no != nil {
		return no
	}
	e := &FormatError{Path: s.disk.path, Problem: "cannot read the parquet file", Err: err,
		Remedy: "the file is damaged or cut short; fetch it again"}
	switch {
	case errors.Is(err, parquet.ErrForm):
		e.Remedy = "write it with snappy, gzip, zstd or lz4, without encryption, or convert it to csv:FILE or npz:FILE"
	case errors.Is(err, parquet.ErrUnfolds):
		e.Remedy = "no data unfold so far; fetch it again"
	}
	return e
}

// pageKey names what is kept of files: a page, a dictionary (dictionaryOf) or the pages of a column in a group (pagesOf).
type pageKey struct{ shard, group, column, page int }

const (
	dictionaryOf = -1
	pagesOf      = -2
)

// pages is the pages of the files of a set, as far as they are kept.
type pages struct {
	shards []*shard
	kept   *blocks[pageKey]
	limits Limits
}

// paged is the pages of a column in a group, and the first row of each.
type paged struct {
	*parquet.Chunk
	first []int64 // of a column that is repeated; nil: parquet.Ref.First
}

func (p *paged) row(i int) int64 {
	if p.first != nil {
		return p.first[i]
	}
	return p.Pages[i].First
}

// unpackedPage is a page, and where the value of each entry stands in it.
type unpackedPage struct {
	*parquet.Page
	at []int32 // -1 for nulls; nil where all are there
}

// chunk is the pages of a column in a group.
func (p *pages) chunk(shard, group, column int) (*paged, error) {
	s := p.shards[shard]
	v, err := p.kept.get(pageKey{shard, group, column, pagesOf}, "the index of "+s.disk.path, func(ask func(int64) error) (any, error) {
		c, err := s.Chunk(group, column, ask)
		if err != nil {
			return nil, err
		}
		out := &paged{Chunk: c}
		if c.Column.Rep == 0 {
			return out, nil
		}
		rows := int64(0)
		for i := range c.Pages {
			page, err := p.page(shard, group, column, i, out)
			if err != nil {
				return nil, err
			}
			out.first = append(out.first, rows)
			for _, r := range page.Rep {
				if r == 0 {
					rows++
				}
			}
		}
		if rows != s.Groups[group].Rows {
			return nil, fmt.Errorf("column %q: %d rows in group %d of %d", c.Column.Name, rows, group, s.Groups[group].Rows)
		}
		return out, nil
	})
	if err != nil {
		return nil, s.wrong(err, p.limits)
	}
	return v.(*paged), nil
}

// page is page i of a chunk.
func (p *pages) page(shard, group, column, i int, c *paged) (*unpackedPage, error) {
	s := p.shards[shard]
	what := "a page of " + s.disk.path
	if n := max(c.Pages[i].Size(), c.DictionarySize()); n > p.limits.bytes() {
		return nil, overLimit(s.disk.path, fmt.Sprintf("row group %d, column %s", group, clip(c.Column.Name)),
			fmt.Sprintf("a page of %d bytes", n), p.limits)
	}
	dict, err := p.kept.get(pageKey{shard, group, column, dictionaryOf}, what, func(ask func(int64) error) (any, error) {
		return c.Dictionary(ask)
	})
	if err != nil {
		return nil, s.wrong(err, p.limits)
	}
	v, err := p.kept.get(pageKey{shard, group, column, i}, what, func(ask func(int64) error) (any, error) {
		page, err := c.Page(i, dict.(*parquet.Values), ask)
		if err != nil {
			return nil, err
		}
		out := &unpackedPage{Page: page}
		if there := len(page.Ints) + len(page.Reals) + len(page.Bytes); there < page.N {
			if err := ask(4 * int64(page.N)); err != nil {
				return nil, err
			}
			out.at = make([]int32, page.N)
			n := int32(0)
			for k, d := range page.Def {
				if out.at[k] = -1; int(d) == c.Column.Def {
					out.at[k] = n
					n++
				}
			}
		}
		return out, nil
	})
	if err != nil {
		return nil, s.wrong(err, p.limits)
	}
	return v.(*unpackedPage), nil
}

// value is where the value of entry k stands, -1 for none.
func (u *unpackedPage) value(k int) int {
	if u.at == nil {
		return k
	}
	return int(u.at[k])
}

// place finds a row of the set.
func (p *pages) place(row int64) (shard, group int, at int64) {
	shard = findLast(len(p.shards), func(i int) bool { return p.shards[i].first <= row })
	s := p.shards[shard]
	at = row - s.first
	for group = 0; group < len(s.Groups)-1 && at >= s.Groups[group].Rows; group++ {
		at -= s.Groups[group].Rows
	}
	return shard, group, at
}

// findLast is the last of n in order for which is holds; the first ones do.
func findLast(n int, is func(int) bool) int {
	low, high := 0, n-1
	for low < high {
		if mid := (low + high + 1) / 2; is(mid) {
			low = mid
		} else {
			high = mid - 1
		}
	}
	return low
}

// flat is the page with a row of a column that is not repeated, and the value there, -1 for none.
func (p *pages) flat(column int, row int64) (u *unpackedPage, value int, err error) {
	shard, group, at := p.place(row)
	c, err := p.chunk(shard, group, column)
	if err != nil {
		return nil, 0, err
	}
	i := findLast(len(c.Pages), func(i int) bool { return c.row(i) <= at })
	if u, err = p.page(shard, group, column, i, c); err != nil {
		return nil, 0, err
	}
	return u, u.value(int(at - c.row(i))), nil
}

// entries calls see with each entry of a row of a column that is repeated: its levels and its value, -1 for none.
func (p *pages) entries(column int, row int64, see func(u *unpackedPage, rep, def uint8, value int) error) error {
	shard, group, at := p.place(row)
	c, err := p.chunk(shard, group, column)
	if err != nil {
		return err
	}
	i := findLast(len(c.Pages), func(i int) bool { return c.row(i) <= at })
	rows := c.row(i) - 1 // of the entry before
	for ; i < len(c.Pages); i++ {
		u, err := p.page(shard, group, column, i, c)
		if err != nil {
			return err
		}
		for k, r := range u.Rep {
			if r == 0 {
				if rows++; rows > at {
					return nil
				}
			}
			if rows != at {
				continue
			}
			if err := see(u, r, u.Def[k], u.value(k)); err != nil {
				return err
			}
		}
	}
	return nil
}
