package explain

import (
	"fmt"
	"strconv"
	"strings"
)

// maxChannel bounds channel numbers in a selection, so that a typing error cannot ask for a huge list.
const maxChannel = 1 << 20

// parseChannels reads a list such as "0,2,5-9"; nil for the empty string.
func parseChannels(s string) ([]int, error) {
	if s == "" {
		return nil, nil
	}
	var out []int
	for part := range strings.SplitSeq(s, ",") {
		lo, hi, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			hi = lo
		}
		a, err1 := strconv.Atoi(lo)
		b, err2 := strconv.Atoi(hi)
		if err1 != nil || err2 != nil || a < 0 || b < a || b >= maxChannel {
			return nil, fmt.Errorf("channels %q: want numbers and ranges such as 0,2,5-9", s)
		}
		for k := a; k <= b; k++ {
			out = append(out, k)
		}
	}
	return out, nil
}

// region is a half-open rectangle of positions of a layer.
type region struct{ y0, y1, x0, x1 int }

// parseRegion reads "y0:y1,x0:x1"; nil for the empty string.
func parseRegion(s string) (*region, error) {
	if s == "" {
		return nil, nil
	}
	var v []int
	for axis := range strings.SplitSeq(s, ",") {
		for n := range strings.SplitSeq(axis, ":") {
			x, err := strconv.Atoi(strings.TrimSpace(n))
			if err != nil || x < 0 {
				return nil, fmt.Errorf("neurons %q: want y0:y1,x0:x1 in positions of the layer, for example 1:3,0:2", s)
			}
			v = append(v, x)
		}
	}
	if len(v) != 4 || strings.Count(s, ",") != 1 || v[0] >= v[1] || v[2] >= v[3] {
		return nil, fmt.Errorf("neurons %q: want y0:y1,x0:x1 with y0 < y1 and x0 < x1, for example 1:3,0:2", s)
	}
	return &region{v[0], v[1], v[2], v[3]}, nil
}

func (r region) check(h, w int) error {
	if r.y1 > h || r.x1 > w {
		return fmt.Errorf("neurons %d:%d,%d:%d: the layer is %d high and %d wide", r.y0, r.y1, r.x0, r.x1, h, w)
	}
	return nil
}

// has reports whether position u of a plane w wide is inside.
func (r region) has(u, w int) bool {
	y, x := u/w, u%w
	return y >= r.y0 && y < r.y1 && x >= r.x0 && x < r.x1
}
