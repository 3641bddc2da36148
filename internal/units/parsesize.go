package units

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ParseSize reads a number of bytes such as 2GiB, 800M, 1.5g or 1073741824: K, M, G and T are powers of 1024, with or without iB or B
// behind them.
func ParseSize(s string) (int64, error) {
	t := strings.ToLower(strings.TrimSpace(s))
	t = strings.TrimSuffix(strings.TrimSuffix(t, "b"), "i")
	by := 1.0
	for i, unit := range []string{"k", "m", "g", "t"} {
		if rest, ok := strings.CutSuffix(t, unit); ok {
			t, by = rest, math.Pow(1024, float64(i+1))
			break
		}
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(t), 64)
	if err != nil || !(n*by >= 1 && n*by < math.MaxInt64/2) {
		return 0, fmt.Errorf("is no size; want one such as 2GiB, 800M or a number of bytes")
	}
	return int64(n * by), nil
}
