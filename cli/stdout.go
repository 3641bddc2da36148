package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"syscall"
)

// stdout is standard output. It remembers the first error of writing it, so that what is printed without looking ends in an exit code.
type stdout struct {
	w io.Writer

	mu  sync.Mutex
	err error
}

// Write writes to the stream until that fails; then it goes on failing.
func (s *stdout) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.w.Write(b)
	if err != nil {
		var at *fs.PathError
		if errors.As(err, &at) {
			err = at.Err
		}
		s.err = &fs.PathError{Op: "write", Path: "standard output", Err: err}
		err = s.err
	}
	return n, err
}

// failed is the first error, nil when there was none, or when the reader has read enough and closed the pipe.
func (s *stdout) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if errors.Is(s.err, syscall.EPIPE) || errors.Is(s.err, io.ErrClosedPipe) {
		return nil
	}
	return s.err
}

// newEnv is the env of a command with these streams.
func newEnv(in io.Reader, out, err io.Writer) *env {
	o := &stdout{w: out}
	return &env{Stdin: in, Stdout: o, Stderr: err, out: o}
}

// closing is the exit code of a command that ended with code, when what it printed may not have arrived. An error that was reported
// already stays the one that counts.
func (e *env) closing(code int) int {
	err := e.out.failed()
	if err == nil || code != ExitOK && code != ExitNo {
		return code
	}
	fmt.Fprintf(e.Stderr, "gtk: %v\n", err)
	return ExitIO
}
