//go:build !linux

package whole

import "errors"

// swap is not there: a folder is moved away before another takes its place.
func swap(_, _ string) error { return errors.ErrUnsupported }
