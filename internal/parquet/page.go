package parquet

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Values are those of a page that are there. One of the lists is used: Ints for truth values and whole numbers, Reals for Float and Double,
// Bytes for all others, which share memory.
type Values struct {
	Ints  []int64
	Reals []float64
	Bytes [][]byte
}

// Page is a page of data.
type Page struct {
	Values
	N        int     // values and nulls
	Rep, Def []uint8 // levels of each, nil where the column has none
}

// kind tells which list holds the values of a column.
func (n *Node) whole() bool { return n.Physical <= Int64 }
func (n *Node) real() bool  { return n.Physical == Float || n.Physical == Double }

// room is n values to be filled in.
func room(col *Node, n int, ask Ask) (*Values, error) {
	each := int64(8)
	if !col.whole() && !col.real() {
		each = 24
	}
	if err := ask(each * int64(n)); err != nil {
		return nil, err
	}
	switch {
	case col.whole():
		return &Values{Ints: make([]int64, n)}, nil
	case col.real():
		return &Values{Reals: make([]float64, n)}, nil
	}
	return &Values{Bytes: make([][]byte, n)}, nil
}

func (c *Chunk) page(ref Ref, dict *Values, ask Ask) (*Page, error) {
	levels, b, err := c.content(ref, ask)
	if err != nil {
		return nil, err
	}
	n := int(ref.Values)
	p := &Page{N: n}
	there := n
	for _, l := range []struct {
		most int
		size int64
		dst  *[]uint8
	}{{c.Column.Rep, ref.rep, &p.Rep}, {c.Column.Def, ref.def, &p.Def}} {
		var run []byte
		if ref.v2 {
			run, levels = levels[:l.size], levels[l.size:]
		}
		if l.most == 0 {
			continue
		}
		if !ref.v2 {
			if run, b, err = prefixed(b); err != nil {
				return nil, fmt.Errorf("levels: %w", err)
			}
		}
		if err := ask(int64(n)); err != nil {
			return nil, err
		}
		*l.dst = make([]uint8, n)
		if err := hybrid(*l.dst, run, width(l.most)); err != nil {
			return nil, fmt.Errorf("levels: %w", err)
		}
		for _, v := range *l.dst {
			if int(v) > l.most {
				return nil, fmt.Errorf("a level of %d where %d is the highest", v, l.most)
			}
		}
	}
	if p.Def != nil {
		there = 0
		for _, d := range p.Def {
			if int(d) == c.Column.Def {
				there++
			}
		}
	}
	v, err := decode(c.Column, ref.encoding, b, there, dict, ask)
	if err != nil {
		return nil, err
	}
	p.Values = *v
	return p, nil
}

// prefixed divides b into as many bytes as its first four say, and the rest.
func prefixed(b []byte) (head, rest []byte, err error) {
	if len(b) < 4 {
		return nil, nil, errShort
	}
	n := binary.LittleEndian.Uint32(b)
	if int64(n) > int64(len(b)-4) {
		return nil, nil, errShort
	}
	return b[4 : 4+n], b[4+n:], nil
}

// The encodings, as parquet.thrift numbers them.
const (
	encPlain     = 0
	encPlainDict = 2
	encRLE       = 3
	encDelta     = 5
	encDeltaLen  = 6
	encDeltaText = 7
	encRLEDict   = 8
	encSplit     = 9
)

// decode is n values in an encoding.
func decode(col *Node, encoding int64, b []byte, n int, dict *Values, ask Ask) (*Values, error) {
	if n == 0 {
		return room(col, 0, ask)
	}
	switch encoding {
	case encPlain:
		return plain(col, b, n, ask)
	case encPlainDict, encRLEDict:
		return indexed(col, b, n, dict, ask)
	case encRLE:
		if col.Physical != Boolean {
			return nil, form("run lengths for %v", col.Name)
		}
		run, _, err := prefixed(b)
		if err != nil {
			return nil, err
		}
		v, err := room(col, n, ask)
		if err != nil {
			return nil, err
		}
		return v, hybrid(v.Ints, run, 1)
	case encDelta:
		if col.Physical != Int32 && col.Physical != Int64 {
			return nil, form("differences for %v", col.Name)
		}
		v, err := room(col, n, ask)
		if err != nil {
			return nil, err
		}
		_, err = delta(v.Ints, b, col.Physical == Int32)
		return v, err
	case encDeltaLen, encDeltaText:
		if col.Physical != ByteArray && col.Physical != FixedLenByteArray {
			return nil, form("differences of lengths for %v", col.Name)
		}
		return deltaBytes(col, encoding == encDeltaText, b, n, ask)
	case encSplit:
		return split(col, b, n, ask)
	}
	return nil, form("encoding %d", encoding)
}

// stored is the bytes of a value of fixed size, 0 for others.
func (n *Node) stored() int {
	switch n.Physical {
	case Int32, Float:
		return 4
	case Int64, Double:
		return 8
	case Int96:
		return 12
	case FixedLenByteArray:
		return n.Length
	}
	return 0
}

// plain reads n values one after another.
func plain(col *Node, b []byte, n int, ask Ask) (*Values, error) {
	size := col.stored()
	switch {
	case col.Physical == Boolean:
		if (n+7)/8 > len(b) {
			return nil, errShort
		}
	case size > 0 && n > len(b)/size, size == 0 && n > len(b)/4:
		return nil, fmt.Errorf("%d values in %d bytes: %w", n, len(b), errShort)
	}
	v, err := room(col, n, ask)
	if err != nil {
		return nil, err
	}
	for i := range n {
		switch col.Physical {
		case Boolean:
			v.Ints[i] = int64(b[i/8] >> (i % 8) & 1)
		case ByteArray:
			if v.Bytes[i], b, err = prefixed(b); err != nil {
				return nil, fmt.Errorf("value %d: %w", i, err)
			}
		default:
			v.set(col, i, b[i*size:(i+1)*size])
		}
	}
	return v, nil
}

// set takes a value of fixed size.
func (v *Values) set(col *Node, i int, b []byte) {
	switch col.Physical {
	case Int32:
		v.Ints[i] = int64(int32(binary.LittleEndian.Uint32(b)))
	case Int64:
		v.Ints[i] = int64(binary.LittleEndian.Uint64(b))
	case Float:
		v.Reals[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	case Double:
		v.Reals[i] = math.Float64frombits(binary.LittleEndian.Uint64(b))
	default:
		v.Bytes[i] = b
	}
}

// indexed reads n numbers of values of a dictionary.
func indexed(col *Node, b []byte, n int, dict *Values, ask Ask) (*Values, error) {
	if dict == nil {
		return nil, fmt.Errorf("no dictionary")
	}
	if len(b) == 0 {
		return nil, errShort
	}
	if b[0] > 32 {
		return nil, fmt.Errorf("numbers of %d bits", b[0])
	}
	if err := ask(4 * int64(n)); err != nil {
		return nil, err
	}
	at := make([]uint32, n)
	if err := hybrid(at, b[1:], int(b[0])); err != nil {
		return nil, err
	}
	most := max(len(dict.Ints), len(dict.Reals), len(dict.Bytes))
	v, err := room(col, n, ask)
	if err != nil {
		return nil, err
	}
	for i, k := range at {
		if int64(k) >= int64(most) {
			return nil, fmt.Errorf("value %d of a dictionary of %d", k, most)
		}
		switch {
		case v.Ints != nil:
			v.Ints[i] = dict.Ints[k]
		case v.Reals != nil:
			v.Reals[i] = dict.Reals[k]
		default:
			v.Bytes[i] = dict.Bytes[k]
		}
	}
	return v, nil
}

// split reads n values of which all first bytes come first, then all second ones.
func split(col *Node, b []byte, n int, ask Ask) (*Values, error) {
	size := col.stored()
	if size == 0 || col.Physical == Int96 {
		return nil, form("split bytes for %v", col.Name)
	}
	if n > len(b)/size {
		return nil, errShort
	}
	v, err := room(col, n, ask)
	if err != nil {
		return nil, err
	}
	if err := ask(int64(n) * int64(size)); err != nil {
		return nil, err
	}
	whole := make([]byte, n*size)
	for k := range size {
		for i := range n {
			whole[i*size+k] = b[k*n+i]
		}
	}
	for i := range n {
		v.set(col, i, whole[i*size:(i+1)*size])
	}
	return v, nil
}
