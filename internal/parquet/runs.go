package parquet

import (
	"encoding/binary"
	"fmt"
)

// hybrid fills dst from runs of one value and of packed values of so many bits.
//
// Source: Encodings.md, run length encoding and bit-packing hybrid.
func hybrid[T uint8 | uint32 | int64](dst []T, b []byte, width int) error {
	if width == 0 {
		clear(dst)
		return nil
	}
	size := (width + 7) / 8
	for len(dst) > 0 {
		head, n := binary.Uvarint(b)
		if n <= 0 {
			return errShort
		}
		b = b[n:]
		if head&1 == 0 {
			if len(b) < size {
				return errShort
			}
			v := uint64(0)
			for k := range size {
				v |= uint64(b[k]) << (8 * k)
			}
			b = b[size:]
			count := min(head>>1, uint64(len(dst)))
			for i := range dst[:count] {
				dst[i] = T(v)
			}
			dst = dst[count:]
			continue
		}
		groups := head >> 1
		if groups == 0 {
			continue
		}
		count := min(groups, uint64(len(dst)+7)/8) * 8
		bytes := count / 8 * uint64(width)
		count = min(count, uint64(len(dst)))
		if bytes > uint64(len(b)) {
			if bytes = (count*uint64(width) + 7) / 8; bytes > uint64(len(b)) {
				return errShort
			}
		}
		for i := range dst[:count] {
			dst[i] = T(packed(b, i*width, width))
		}
		b, dst = b[bytes:], dst[count:]
	}
	return nil
}

// packed is the value of width bits, at most 64, at bit at of b, low bits first.
func packed(b []byte, at, width int) uint64 {
	v, got := uint64(0), 0
	for got < width {
		byteAt, bit := at>>3, at&7
		take := min(8-bit, width-got)
		v |= uint64(b[byteAt]>>bit&(1<<take-1)) << got
		got, at = got+take, at+take
	}
	return v
}

// delta fills dst from packed differences; rest is what is behind them. Numbers of 32 bits wrap around as such.
//
// Source: Encodings.md, delta encoding.
func delta(dst []int64, b []byte, short bool) (rest []byte, err error) {
	t := &thrift{b: b}
	block, minis, total, value := t.uvarint(), t.uvarint(), t.uvarint(), t.int()
	if t.err != nil {
		return nil, t.err
	}
	if total != uint64(len(dst)) {
		return nil, fmt.Errorf("%d values where %d belong", total, len(dst))
	}
	if block == 0 || minis == 0 || block > 1<<24 || minis > block || block%minis != 0 || block/minis%8 != 0 {
		return nil, fmt.Errorf("blocks of %d values in %d parts", block, minis)
	}
	per := int(block / minis)
	for i := 0; i < len(dst); {
		if i == 0 {
			dst[0] = value
			i = 1
		}
		if i == len(dst) {
			break
		}
		least := t.int()
		if t.err != nil || uint64(len(t.b)-t.at) < minis {
			return nil, errShort
		}
		widths := t.b[t.at : t.at+int(minis)]
		t.at += int(minis)
		for _, w := range widths {
			if i == len(dst) {
				break
			}
			if w > 64 {
				return nil, fmt.Errorf("differences of %d bits", w)
			}
			n := min(per, len(dst)-i)
			size := per * int(w) / 8
			if size > len(t.b)-t.at {
				if size = (n*int(w) + 7) / 8; size > len(t.b)-t.at { // the last part need not be whole
					return nil, errShort
				}
			}
			part := t.b[t.at : t.at+size]
			t.at += size
			for k := range n {
				value += least + int64(packed(part, k*int(w), int(w)))
				if short {
					value = int64(int32(value))
				}
				dst[i] = value
				i++
			}
		}
	}
	return t.b[t.at:], nil
}

// deltaBytes reads n texts whose lengths come first; shared: what each has in common with the one before is left out.
func deltaBytes(col *Node, shared bool, b []byte, n int, ask Ask) (*Values, error) {
	if err := ask(16 * int64(n)); err != nil {
		return nil, err
	}
	var common []int64
	var err error
	if shared {
		common = make([]int64, n)
		if b, err = delta(common, b, true); err != nil {
			return nil, err
		}
	}
	lengths := make([]int64, n)
	if b, err = delta(lengths, b, true); err != nil {
		return nil, err
	}
	v, err := room(col, n, ask)
	if err != nil {
		return nil, err
	}
	var last []byte
	total := int64(0)
	for i, l := range lengths {
		if l < 0 || l > int64(len(b)) {
			return nil, fmt.Errorf("value %d: %d bytes: %w", i, l, errShort)
		}
		v.Bytes[i], b = b[:l:l], b[l:]
		if shared {
			if common[i] < 0 || common[i] > int64(len(last)) {
				return nil, fmt.Errorf("value %d has %d bytes of one of %d", i, common[i], len(last))
			}
			if k := common[i]; k > 0 {
				if total += k + l; total > unfolds && total/ratio > int64(len(b))+int64(n) {
					return nil, ErrUnfolds
				}
				if err := ask(k + l); err != nil {
					return nil, err
				}
				v.Bytes[i] = append(append(make([]byte, 0, k+l), last[:k]...), v.Bytes[i]...)
			}
			last = v.Bytes[i]
		}
		if col.Physical == FixedLenByteArray && len(v.Bytes[i]) != col.Length {
			return nil, fmt.Errorf("value %d has %d bytes, not %d", i, len(v.Bytes[i]), col.Length)
		}
	}
	return v, nil
}
