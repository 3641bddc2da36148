package whole

import (
	"errors"

	"github.com/gtk-onnx/gtk/internal/failpoint"
	"golang.org/x/sys/unix"
)

// swap gives a the name of b and b that of a, at once; errors.ErrUnsupported where the file system cannot.
func swap(a, b string) error {
	if err := failpoint.At(failpoint.Rename, b); err != nil {
		return err
	}
	err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return errors.ErrUnsupported
	}
	return err
}
