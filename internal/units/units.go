// Package units writes numbers for people: counts, bytes, shares and shapes.
package units

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Count is a large number: 61.1 M.
func Count[T ~int | ~int64](n T) string {
	v := float64(n)
	for _, u := range []struct {
		at   float64
		unit string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e4, "k"}} {
		if v >= u.at {
			if u.unit == "k" {
				u.at = 1e3
			}
			return Significant(v/u.at) + " " + u.unit
		}
	}
	return strconv.FormatInt(int64(n), 10)
}

// Size is a number of bytes: 4.7 MiB.
func Size[T ~int | ~int64](n T) string {
	v, unit := float64(n), 0
	for v >= 1024 && unit < 4 {
		v, unit = v/1024, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", int64(n))
	}
	return Significant(v) + " " + []string{"B", "KiB", "MiB", "GiB", "TiB"}[unit]
}

// Significant is v with about three digits.
func Significant(v float64) string {
	switch {
	case math.Abs(v) >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case math.Abs(v) >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// Percent is a share: 12.34 %; "-" for NaN.
func Percent(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return fmt.Sprintf("%.2f %%", 100*v)
}

// Ms is a duration in milliseconds.
func Ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Dims is a shape whose axes are extents, symbols, or "?" where nothing is known: N×64×8×8; "?" when dims is nil, "scalar" without axes.
func Dims(dims []any) string {
	if dims == nil {
		return "?"
	}
	if len(dims) == 0 {
		return "scalar"
	}
	s := make([]string, len(dims))
	for i, d := range dims {
		s[i] = fmt.Sprint(d)
	}
	return strings.Join(s, "×")
}

// Time is how long something took: to a tenth of a second, from a minute on to a second, from an hour on to a minute.
func Time(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d >= time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	case d >= time.Minute:
		return d.Round(time.Second).String()
	}
	return d.Round(100 * time.Millisecond).String()
}
