// Package interrupt knows whether this process has something that is lost when it ends at once, such as the steps of a training that no
// checkpoint has yet. Who has takes a hold; who is asked to end the process waits for the holds, and for nothing else.
package interrupt

import (
	"sync"
	"sync/atomic"
)

var holds atomic.Int64

// Hold says that there is something to save, until release is called; further calls of release do nothing. It may be called from anywhere.
func Hold() (release func()) {
	holds.Add(1)
	return sync.OnceFunc(func() { holds.Add(-1) })
}

// Held reports whether somebody has something to save.
func Held() bool { return holds.Load() > 0 }
