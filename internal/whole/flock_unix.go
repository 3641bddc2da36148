//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package whole

import (
	"errors"
	"os"
	"syscall"
)

// flock locks f until it is closed, by this process or by its end. Without wait it fails with errHeld when another has it.
// errors.ErrUnsupported is that of a file system without locks.
func flock(f *os.File, wait bool) error {
	how := syscall.LOCK_EX
	if !wait {
		how |= syscall.LOCK_NB
	}
	for {
		switch err := syscall.Flock(int(f.Fd()), how); {
		case err == nil:
			return nil
		case err == syscall.EINTR:
		case err == syscall.EWOULDBLOCK:
			return errHeld
		case err == syscall.ENOLCK, err == syscall.ENOSYS, err == syscall.EINVAL, errors.Is(err, errors.ErrUnsupported):
			return errors.ErrUnsupported
		default:
			return err
		}
	}
}
