package parquet

import (
	"encoding/binary"
	"fmt"
	"math"
)

// thrift reads Thrift's compact protocol. After the first error all values are zero.
//
// Source: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md.
type thrift struct {
	b     []byte
	at    int
	err   error
	depth int
}

// The types of the protocol.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftDouble = 7
	thriftBytes  = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
	thriftUUID   = 13
)

func (t *thrift) fail(err error) {
	if t.err == nil {
		t.err = err
	}
	t.at = len(t.b)
}

func (t *thrift) byte() byte {
	if t.at >= len(t.b) {
		t.fail(errShort)
		return 0
	}
	t.at++
	return t.b[t.at-1]
}

func (t *thrift) uvarint() uint64 {
	v, n := binary.Uvarint(t.b[t.at:])
	if n <= 0 {
		t.fail(errShort)
		return 0
	}
	t.at += n
	return v
}

// int is a whole number of 16 to 64 bits.
func (t *thrift) int() int64 {
	u := t.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

func (t *thrift) bytes() []byte {
	n := t.uvarint()
	if n > uint64(len(t.b)-t.at) {
		t.fail(errShort)
		return nil
	}
	t.at += int(n)
	return t.b[t.at-int(n) : t.at]
}

// fields calls take with each field of a structure; what it does not take is passed over. The type of true and false is their value.
func (t *thrift) fields(take func(id int, kind byte) bool) {
	if t.depth++; t.depth > maxDepth {
		t.fail(fmt.Errorf("structures more than %d deep", maxDepth))
	}
	defer func() { t.depth-- }()
	id := 0
	for t.err == nil {
		head := t.byte()
		if head == 0 {
			return
		}
		if delta := int(head >> 4); delta > 0 {
			id += delta
		} else {
			id = int(t.int())
		}
		if kind := head & 15; !take(id, kind) {
			t.skip(kind, false)
		}
	}
}

// list is the number of elements of a list, and their type. Each takes a byte at least.
func (t *thrift) list() (n int, kind byte) {
	head := t.byte()
	size := uint64(head >> 4)
	if size == 15 {
		size = t.uvarint()
	}
	if size > uint64(len(t.b)-t.at) {
		t.fail(errShort)
		return 0, 0
	}
	return int(size), head & 15
}

// each calls take for each structure of a list.
func (t *thrift) each(take func(i int)) {
	n, kind := t.list()
	if n > 0 && kind != thriftStruct {
		t.fail(fmt.Errorf("a list of type %d where structures belong", kind))
	}
	for i := 0; i < n && t.err == nil; i++ {
		take(i)
	}
}

// skip passes over a value.
func (t *thrift) skip(kind byte, inList bool) {
	switch kind {
	case thriftTrue, thriftFalse:
		if inList {
			t.byte()
		}
	case thriftByte:
		t.byte()
	case 4, 5, 6:
		t.uvarint()
	case thriftDouble:
		t.pass(8)
	case thriftBytes:
		t.bytes()
	case thriftUUID:
		t.pass(16)
	case thriftStruct:
		t.fields(func(int, byte) bool { return false })
	case thriftList, thriftSet:
		if t.depth++; t.depth > maxDepth {
			t.fail(fmt.Errorf("lists more than %d deep", maxDepth))
		}
		n, of := t.list()
		for i := 0; i < n && t.err == nil; i++ {
			t.skip(of, true)
		}
		t.depth--
	case thriftMap:
		n := t.uvarint()
		if n == 0 {
			return
		}
		kinds := t.byte()
		if n > math.MaxInt32 {
			t.fail(errShort)
		}
		if t.depth++; t.depth > maxDepth {
			t.fail(fmt.Errorf("maps more than %d deep", maxDepth))
		}
		for i := uint64(0); i < n && t.err == nil; i++ {
			before := t.at
			t.skip(kinds>>4, true)
			t.skip(kinds&15, true)
			if t.at == before {
				t.fail(errShort)
			}
		}
		t.depth--
	default:
		t.fail(fmt.Errorf("a value of type %d", kind))
	}
}

func (t *thrift) pass(n int) {
	if n > len(t.b)-t.at {
		t.fail(errShort)
		return
	}
	t.at += n
}
