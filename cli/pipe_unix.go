//go:build !windows

package cli

import (
	"errors"
	"syscall"
)

// closedPipe reports whether err is that whoever read a stream has closed it.
func closedPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }
