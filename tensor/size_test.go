package tensor

import (
	"math"
	"testing"
)

// TestSizeDoesNotOverflow asks for the storage of the longest tensors that CheckedLen lets pass.
func TestSizeDoesNotOverflow(t *testing.T) {
	for d := Undefined + 1; d < numDTypes; d++ {
		n := math.MaxInt / 16
		if _, err := (Shape{n}).CheckedLen(d); err != nil {
			t.Fatal(err)
		}
		want := float64(n) * float64(d.Bits()) / 8
		if got := float64(d.Size(n)); math.Abs(got-want) > want*1e-9 {
			t.Errorf("%v: %d elements take %v bytes, want %v", d, n, got, want)
		}
		for n := range 40 {
			if got, want := d.Size(n), (n*d.Bits()+7)/8; got != want {
				t.Errorf("%v: %d elements take %d bytes, want %d", d, n, got, want)
			}
		}
	}
}
