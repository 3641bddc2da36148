package cli

import (
	"errors"
	"syscall"
)

// closedPipe reports whether err is that whoever read a stream has closed it.
func closedPipe(err error) bool {
	const noData = syscall.Errno(232) // ERROR_NO_DATA: the pipe is being closed
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ERROR_BROKEN_PIPE) || errors.Is(err, noData)
}
