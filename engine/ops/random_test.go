package ops

import "testing"

// The generator gives the numbers of its authors.
//
// Source: Salmon et al., Random123 1.14, tests/kat_vectors.
func TestPhilox(t *testing.T) {
	all := uint32(0xffffffff)
	for _, tc := range []struct {
		key  [2]uint32
		ctr  [4]uint32
		want [4]uint32
	}{
		{want: [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{[2]uint32{all, all}, [4]uint32{all, all, all, all}, [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{[2]uint32{0xa4093822, 0x299f31d0}, [4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
			[4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		if got := philox(tc.key, tc.ctr); got != tc.want {
			t.Errorf("key %x, counter %x: %x, want %x", tc.key, tc.ctr, got, tc.want)
		}
	}
}
