package jpeg

import (
	"bytes"
	"fmt"
)

// The most that the scans of a file may look at: few scans of any picture, and many of a small one. What encoders write has a dozen.
const (
	fewScans   = 64
	mostPixels = int64(1 << 32) // of all scans
)

// CheckScans refuses a file of so many scans over w×h pixels that decoding them would take long: a scan of a progressive picture that
// changes nothing is a few bytes, whatever the size of the picture.
func CheckScans(file []byte, w, h int) error {
	n := bytes.Count(file, []byte{0xff, 0xda}) // within coded data 0xff stands before 0 and restarts only
	if n > fewScans && w > 0 && h > 0 && int64(n) > mostPixels/int64(w)/int64(h) {
		return fmt.Errorf("jpeg: %d scans of %d×%d pixels", n, w, h)
	}
	return nil
}
