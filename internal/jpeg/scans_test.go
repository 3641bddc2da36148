package jpeg

import (
	"bytes"
	"testing"
)

func TestCheckScans(t *testing.T) {
	scans := func(n int) []byte { return bytes.Repeat([]byte{0xff, 0xda, 0, 8}, n) }
	for _, c := range []struct {
		n, w, h int
		ok      bool
	}{{12, 65500, 65500, true}, {64, 65500, 65500, true}, {600, 8000, 5000, false}, {600, 800, 500, true}, {100, 8000, 5000, true},
		{107, 8000, 5000, true}, {108, 8000, 5000, false}} {
		if err := CheckScans(scans(c.n), c.w, c.h); (err == nil) != c.ok {
			t.Errorf("%d scans of %d×%d: %v", c.n, c.w, c.h, err)
		}
	}
}
