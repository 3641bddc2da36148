package parquet

import (
	"fmt"
	"math/bits"
)

// Physical is how the values of a column are stored.
type Physical int

// The physical types, as parquet.thrift numbers them.
const (
	Boolean Physical = iota
	Int32
	Int64
	Int96
	Float
	Double
	ByteArray
	FixedLenByteArray
)

// Logical is what the values of a column mean.
type Logical int

// The logical types; None where the physical one says all.
const (
	None Logical = iota
	Text
	List
	Map
	Enum
	Decimal
	Date
	Time
	Timestamp
	Integer
	JSON
	BSON
	UUID
	Float16
	Interval
	Unknown
)

// Node is a field of the schema: a column, or a group of fields.
type Node struct {
	Name     string
	Optional bool
	Repeated bool
	Physical Physical
	Logical  Logical
	Unsigned bool  // of Integer
	Scale    int   // of Decimal: digits behind the point
	Unit     int64 // of Time and Timestamp: so many in a second
	Length   int   // bytes of FixedLenByteArray
	Children []*Node
	Column   int // among the columns of the file; -1 for a group
	Rep, Def int // the highest levels
}

// Leaf reports whether n is a column.
func (n *Node) Leaf() bool { return n.Column >= 0 }

// Leaves is the columns below n, or n.
func (n *Node) Leaves() (list []*Node) {
	if n.Leaf() {
		return []*Node{n}
	}
	for _, c := range n.Children {
		list = append(list, c.Leaves()...)
	}
	return list
}

// element is a node as the file lists it.
type element struct {
	Node
	children int64
	leaf     bool // it has a type
}

func (t *thrift) element() (e element) {
	converted, scale := int64(-1), int64(0)
	t.fields(func(id int, kind byte) bool {
		switch {
		case id == 1 && kind == 5:
			e.Physical, e.leaf = Physical(t.int()), true
		case id == 2 && kind == 5:
			e.Length = int(t.int())
		case id == 3 && kind == 5:
			switch t.int() {
			case 1:
				e.Optional = true
			case 2:
				e.Repeated = true
			}
		case id == 4 && kind == thriftBytes:
			e.Name = string(t.bytes())
		case id == 5 && kind == 5:
			e.children = t.int()
		case id == 6 && kind == 5:
			converted = t.int()
		case id == 7 && kind == 5:
			scale = t.int()
		case id == 10 && kind == thriftStruct:
			t.logical(&e.Node)
		default:
			return false
		}
		return true
	})
	if e.Logical == None {
		e.convert(converted, scale)
	}
	return e
}

// logical reads a LogicalType.
func (t *thrift) logical(n *Node) {
	of := map[int]Logical{1: Text, 2: Map, 3: List, 4: Enum, 5: Decimal, 6: Date, 7: Time, 8: Timestamp, 10: Integer, 11: Unknown, 12: JSON,
		13: BSON, 14: UUID, 15: Float16}
	t.fields(func(id int, kind byte) bool {
		if kind != thriftStruct {
			return false
		}
		n.Logical = of[id]
		t.fields(func(id int, kind byte) bool {
			switch {
			case n.Logical == Decimal && id == 1 && kind == 5:
				n.Scale = int(t.int())
			case (n.Logical == Timestamp || n.Logical == Time) && id == 2 && kind == thriftStruct:
				t.fields(func(id int, _ byte) bool {
					n.Unit = map[int]int64{1: 1e3, 2: 1e6, 3: 1e9}[id]
					return false
				})
			case n.Logical == Integer && id == 2:
				n.Unsigned = kind == thriftFalse
				return false
			default:
				return false
			}
			return true
		})
		return true
	})
}

// convert takes the older ConvertedType.
func (n *Node) convert(c, scale int64) {
	switch c {
	case 0:
		n.Logical = Text
	case 1, 2:
		n.Logical = Map
	case 3:
		n.Logical = List
	case 4:
		n.Logical = Enum
	case 5:
		n.Logical, n.Scale = Decimal, int(scale)
	case 6:
		n.Logical = Date
	case 7, 8:
		n.Logical, n.Unit = Time, map[int64]int64{7: 1e3, 8: 1e6}[c]
	case 9, 10:
		n.Logical, n.Unit = Timestamp, map[int64]int64{9: 1e3, 10: 1e6}[c]
	case 11, 12, 13, 14:
		n.Logical, n.Unsigned = Integer, true
	case 15, 16, 17, 18:
		n.Logical = Integer
	case 19:
		n.Logical = JSON
	case 20:
		n.Logical = BSON
	case 21:
		n.Logical = Interval
	}
}

// tree makes the schema of its list, depth first.
func (f *File) tree(list []element) error {
	at := 0
	var grow func(rep, def, depth int) (*Node, error)
	grow = func(rep, def, depth int) (*Node, error) {
		if at >= len(list) {
			return nil, fmt.Errorf("schema: %w", errShort)
		}
		e := list[at]
		at++
		n := &e.Node
		if at > 1 && n.Optional {
			def++
		}
		if at > 1 && n.Repeated {
			rep, def = rep+1, def+1
		}
		n.Rep, n.Def, n.Column = rep, def, -1
		switch {
		case depth > maxDepth:
			return nil, fmt.Errorf("a schema more than %d deep", maxDepth)
		case e.leaf && e.children == 0:
			if n.Physical < Boolean || n.Physical > FixedLenByteArray {
				return nil, fmt.Errorf("column %q: type %d", n.Name, n.Physical)
			}
			if n.Physical == FixedLenByteArray && (n.Length <= 0 || n.Length > 1<<20) {
				return nil, fmt.Errorf("column %q: values of %d bytes", n.Name, n.Length)
			}
			n.Column = len(f.Columns)
			f.Columns = append(f.Columns, n)
		case e.children < 0 || e.children > int64(len(list)):
			return nil, fmt.Errorf("%q has %d fields", n.Name, e.children)
		}
		for range e.children {
			c, err := grow(rep, def, depth+1)
			if err != nil {
				return nil, err
			}
			n.Children = append(n.Children, c)
		}
		return n, nil
	}
	root, err := grow(0, 0, 0)
	if err != nil {
		return err
	}
	if root.Leaf() || at != len(list) {
		return fmt.Errorf("a schema of %d fields of which %d are used", len(list), at)
	}
	f.Root = root
	return nil
}

// width is the bits of a level of at most most.
func width(most int) int { return bits.Len(uint(most)) }
