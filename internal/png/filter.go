package png

import (
	"encoding/binary"
	"image/png"
	"math/bits"
)

// unfilter undoes the filter of a row: cur as it is stored, above the row before it, of pixels of so many bytes.
//
// Source: PNG third edition, section 9 (Filtering).
func unfilter(filter byte, cur, above []byte, pixel int) error {
	switch filter {
	case 0:
	case 1:
		for i := pixel; i < len(cur); i++ {
			cur[i] += cur[i-pixel]
		}
	case 2:
		add(cur, above)
	case 3:
		for i := range pixel {
			cur[i] += above[i] / 2
		}
		for i := pixel; i < len(cur); i++ {
			cur[i] += byte((int(cur[i-pixel]) + int(above[i])) / 2)
		}
	case 4:
		paeth(cur, above, pixel)
	default:
		return png.FormatError("bad filter type")
	}
	return nil
}

// add adds y to x, byte by byte, eight at a time: the lower seven bits of each by one addition, the highest without its carry.
func add(x, y []byte) {
	const low = 0x7f7f7f7f7f7f7f7f
	for len(x) >= 8 && len(y) >= 8 {
		a, b := binary.LittleEndian.Uint64(x), binary.LittleEndian.Uint64(y)
		binary.LittleEndian.PutUint64(x, (a&low+b&low)^(a^b)&^low)
		x, y = x[8:], y[8:]
	}
	for i := range x {
		x[i] += y[i]
	}
}

// paeth adds to each byte that of its neighbours left, above and above left which is nearest to left + above - above left.
func paeth(cur, above []byte, pixel int) {
	above = above[:len(cur)]
	for k := range pixel {
		var a, c int // left and above left
		for i := k; i < len(cur); i += pixel {
			b := int(above[i])
			pa, pb := b-c, a-c
			pc := magnitude(pa + pb)
			pa, pb = magnitude(pa), magnitude(pb)
			if pa > pb || pa > pc {
				if a = c; pb <= pc {
					a = b
				}
			}
			a = (a + int(cur[i])) & 255
			cur[i], c = byte(a), b
		}
	}
}

func magnitude(x int) int {
	m := x >> (bits.UintSize - 1)
	return (x ^ m) - m
}
