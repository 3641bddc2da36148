package units

import (
	"strconv"
	"strings"
)

// Plural is for example "1 epoch" and "2 epochs", "3 classes", "4 entries".
func Plural(n int, what string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(what, "s") || strings.HasSuffix(what, "x") || strings.HasSuffix(what, "tch") || strings.HasSuffix(what, "sh"):
		what += "es"
	case strings.HasSuffix(what, "y") && !strings.HasSuffix(what, "ay") && !strings.HasSuffix(what, "ey"):
		what = strings.TrimSuffix(what, "y") + "ies"
	default:
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}

// Of is one for a single thing, else several with the number n in the place of %d: Of(2, "1 box is", "%d boxes are").
func Of(n int, one, several string) string {
	if n == 1 {
		return one
	}
	return strings.Replace(several, "%d", strconv.Itoa(n), 1)
}
