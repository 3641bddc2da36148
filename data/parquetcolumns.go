package data

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/internal/parquet"
	"github.com/gtk-onnx/gtk/tensor"
)

// parquetColumns is what the fields of a parquet schema are.
type parquetColumns struct {
	features map[string]hfFeature
	cells    []parquetCell
	pictures []parquetPicture
	lists    []parquetList
	left     []string // fields that nothing takes, and what they are
}

// parquetCell is a column of a table.
type parquetCell struct {
	name string
	node *parquet.Node
	text bool
	cell func(u *unpackedPage, i int) string
}

// parquetPicture is a column of files of pictures: bytes, or a structure of bytes and path as datasets write it.
type parquetPicture struct {
	name string
	node *parquet.Node // of the bytes
}

// parquetList is a column of lists of numbers, or of texts.
type parquetList struct {
	name   string // under which it is fed; "" for X
	column string // in the file
	node   *parquet.Node
	dtype  tensor.DType // 0: texts
	depth  int
	shape  tensor.Shape // that of the first row
	names  []string     // of classes
}

// classify says what each field of the schema is. first reads the bytes of the first value of a column that is there.
func classify(s *shard, first func(n *parquet.Node) ([]byte, error)) (c *parquetColumns, err error) {
	c = &parquetColumns{features: hfFeatures(s.Meta["huggingface"])}
	for _, n := range s.Root.Children {
		feature := c.features[n.Name]
		switch {
		case n.Leaf() && !n.Repeated:
			if n.Physical == parquet.ByteArray && n.Logical == parquet.None {
				b, err := first(n)
				if err != nil {
					return nil, err
				}
				if sniff(b) != nil {
					c.pictures = append(c.pictures, parquetPicture{n.Name, n})
					continue
				}
				if strings.ContainsRune(string(b[:min(len(b), 512)]), 0) {
					c.leave(n.Name, "bytes")
					continue
				}
			}
			cell, text := cellText(n)
			if cell == nil {
				c.leave(n.Name, "neither numbers nor texts")
				continue
			}
			c.cells = append(c.cells, parquetCell{n.Name, n, text, cell})
		case feature.Type == "Audio":
			c.leave(n.Name, "sound")
		case bytesAndPath(n) != nil:
			bytes := bytesAndPath(n)
			b, err := first(bytes)
			if err != nil {
				return nil, err
			}
			switch {
			case feature.Type != "Image" && sniff(b) == nil:
				c.leave(n.Name, "files that are no pictures")
			case len(b) == 0:
				return nil, malformed(s.disk.path, "column "+clip(n.Name), "write the pictures into the file, as Dataset.push_to_hub does, "+
					"or read their folder as imagefolder:DIR", "no bytes of pictures, only their paths")
			default:
				c.pictures = append(c.pictures, parquetPicture{n.Name, bytes})
			}
		default:
			c.list(n, feature)
		}
	}
	return c, nil
}

func (c *parquetColumns) leave(name, what string) {
	c.left = append(c.left, fmt.Sprintf("%s (%s)", clip(name), what))
}

// bytesAndPath is the column of bytes in a structure of bytes and path; nil for other fields.
func bytesAndPath(n *parquet.Node) *parquet.Node {
	if n.Leaf() || n.Repeated || n.Logical == parquet.List || len(n.Children) > 2 {
		return nil
	}
	i := slices.IndexFunc(n.Children, func(f *parquet.Node) bool {
		return f.Name == "bytes" && f.Leaf() && !f.Repeated && f.Physical == parquet.ByteArray
	})
	if i < 0 || len(n.Children) == 2 && n.Children[1-i].Name != "path" {
		return nil
	}
	return n.Children[i]
}

// list takes a list, or lists in lists, of numbers or texts: all groups have one field.
func (c *parquetColumns) list(n *parquet.Node, feature hfFeature) {
	l := parquetList{name: n.Name, column: n.Name}
	for l.node = n; !l.node.Leaf(); l.node = l.node.Children[0] {
		if len(l.node.Children) != 1 {
			c.leave(n.Name, "a structure")
			return
		}
	}
	l.depth = l.node.Rep
	l.dtype = listType(l.node)
	if feature.Of != nil {
		l.names = feature.Of.classNames()
	}
	if l.depth == 0 || l.dtype == 0 && (l.node.Physical != parquet.ByteArray || l.depth > 1) {
		c.leave(n.Name, "lists of neither numbers nor texts")
		return
	}
	c.lists = append(c.lists, l)
}

// row is the numbers of a list, and its shape. Lists in lists are as long as one another.
func (l *parquetList) row(p *pages, at int64) (ints []int64, reals []float64, texts []string, shape tensor.Shape, err error) {
	place := func() string { return fmt.Sprintf("row %d, column %s", at, clip(l.column)) }
	shard, _, _ := p.place(at)
	path := p.shards[shard].disk.path
	counts := make([]int, l.depth) // of entries that begin an item at each depth, or one above
	var levels []uint8
	err = p.entries(l.node.Column, at, func(u *unpackedPage, rep, def uint8, v int) error {
		if v < 0 {
			if def >= lowest(l.node) {
				return malformed(path, place(), "fill it in", "a missing value in a list")
			}
			if l.depth > 1 || len(levels) > 0 {
				return malformed(path, place(), "all rows need lists of the same lengths", "an empty list in a list")
			}
			return nil
		}
		for d := range counts {
			if int(rep) <= d+1 {
				counts[d]++
			}
		}
		levels = append(levels, rep)
		switch {
		case l.dtype == 0:
			texts = append(texts, string(u.Bytes[v]))
		case l.node.Logical == parquet.Float16:
			f, err := tensor.FromBytes(tensor.Float16, nil, u.Bytes[v])
			if err != nil {
				return err
			}
			reals = append(reals, f.Float64s()[0])
		case l.dtype == tensor.Int64:
			ints = append(ints, u.Ints[v])
		default:
			reals = append(reals, u.Reals[v])
		}
		return nil
	})
	if err != nil {
		return nil, nil, nil, nil, err
	}
	shape, even := tensor.Shape{}, true
	above := 1
	for _, n := range counts {
		even = even && n%above == 0
		shape = append(shape, n/above)
		above = max(1, n)
	}
	for i, r := range levels { // item i begins at the depth that divides it
		want, size := 0, len(levels)
		for want < l.depth && i%size != 0 {
			size /= max(1, shape[want])
			want++
		}
		even = even && int(r) == want
	}
	if !even {
		return nil, nil, nil, nil, malformed(path, place(), "lists in lists need the same length", "lists of different lengths in one row")
	}
	return ints, reals, texts, shape, nil
}

// lowest is the level from which on an entry of a list is an item, be it one that is missing.
func lowest(n *parquet.Node) uint8 {
	if n.Optional {
		return uint8(n.Def - 1)
	}
	return uint8(n.Def)
}
