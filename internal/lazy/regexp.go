// Package lazy makes what most runs of the program do without, when it is first asked for, so that the program starts quickly.
package lazy

import (
	"regexp"
	"sync"
)

// Regexp is regexp.MustCompile(expr) at the first call.
func Regexp(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
