package units

import "strconv"

// Plural is for example "1 epoch" and "2 epochs".
func Plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
