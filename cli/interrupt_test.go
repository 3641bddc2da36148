//go:build unix

package cli_test

import (
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/gtk-onnx/gtk/cli"
)

// interrupter sends this process SIGINT when it is first written to.
type interrupter struct {
	strings.Builder
	once sync.Once
	err  error
}

func (w *interrupter) Write(b []byte) (int, error) {
	w.once.Do(func() { w.err = syscall.Kill(syscall.Getpid(), syscall.SIGINT) })
	return w.Builder.Write(b)
}

func TestInterrupt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.onnx")
	if code, _, e := run("models", "new", "mlp", "-o", path); code != 0 {
		t.Fatal(e)
	}
	var out strings.Builder
	var e interrupter
	code := cli.Main([]string{"gtk", "bench", path, "--n", "5000000", "--progress", "plain"}, strings.NewReader(""), &out, &e)
	if e.err != nil {
		t.Fatal(e.err)
	}
	if code != cli.ExitInterrupted || !strings.Contains(e.String(), "interrupted") {
		t.Errorf("code %d, want %d; %s", code, cli.ExitInterrupted, e.String())
	}
}
