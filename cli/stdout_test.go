package cli_test

import (
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/gtk-onnx/gtk/cli"
)

// full takes so many bytes and then fails.
type full struct {
	left int
	err  error
}

func (f *full) Write(b []byte) (int, error) {
	if n := min(f.left, len(b)); n < len(b) {
		f.left = 0
		return n, &fs.PathError{Op: "write", Path: "/dev/stdout", Err: f.err}
	}
	f.left -= len(b)
	return len(b), nil
}

// Standard output that takes no more is exit 4 with one message, whatever the command prints and wherever that ends. A reader that has
// seen enough is no error of that kind.
func TestFullStdout(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if code, _, e := run("models", "new", "mlp", "-o", at("m.onnx")); code != 0 {
		t.Fatal(e)
	}
	m := at("m.onnx")
	for i, args := range [][]string{
		{}, {"--help"}, {"--version"}, {"version"}, {"version", "--json"}, {"help"}, {"help", "exit-codes"},
		{"help", "exit-codes", "--json"},
		{"help", "run"},
		{"finetune", "--help"}, {"finetune", "--list"}, {"finetune", "--list", "--json"},
		{"ops"}, {"ops", "--json"}, {"models"}, {"models", "list", "--json"},
		{"models", "new", "mlp", "-o", at("new.onnx")}, {"models", "new", "mlp", "-o", at("new2.onnx"), "--json"},
		{"export", m, "-o", at("e.onnx")}, {"export", m, "-o", at("e2.onnx"), "--json"},
		{"import", m}, {"import", m, "--json"}, {"inspect", m}, {"inspect", m, "--json"}, {"diff", m, m, "--json"},
		{"verify", m, m}, {"verify", m, m, "--json"}, {"bench", m, "--n", "2"}, {"bench", m, "--n", "2", "--json"},
		{"run", m, "--data", "digits#test"}, {"run", m, "--data", "digits#test", "-o", at("p.csv"), "--json"},
		{"eval", m, "--data", "digits#test"}, {"eval", m, "--data", "digits#test", "--json"},
		{"data", "--list"}, {"data", "info", "digits"}, {"data", "info", "digits", "--json"},
		{"data", "convert", "digits#test", "-o", at("d.npz")}, {"doctor"}, {"doctor", "--json"}, {"completion", "bash"},
		{"finetune", m, "--data", "digits#test", "--epochs", "1", "-o", at("f.onnx")},
		{"finetune", m, "--data", "digits#test", "--epochs", "1", "-o", at("f2.onnx"), "--json"},
		{"finetune", m, "--data", "digits#test", "--dry-run"}, {"lr-find", m, "--data", "digits#test"},
		{"probe", "--list"}, {"probe", "sharpness", m, "--data", "digits#test", "--warm", "1", "--lanczos", "0"},
		{"score-data", m, "--data", "digits#test", "-o", at("s")}, {"prune-data", m, "--data", "digits#test", "-o", at("k"), "--json"},
		{"explain", m, "--data", "digits#test", "--n", "1", "--method", "gradient", "-o", at("x")}, {"explain", m, "--list-layers"},
	} {
		var e strings.Builder
		w := &full{left: i % 2 * 7, err: syscall.ENOSPC}
		code := cli.Main(append([]string{"gtk"}, args...), strings.NewReader(""), w, &e)
		said := 0
		for line := range strings.Lines(e.String()) {
			if strings.HasPrefix(line, "gtk: ") {
				said++
			}
		}
		if code != 4 || said != 1 || !strings.Contains(e.String(), "standard output") {
			t.Errorf("gtk %s: code %d, %s", strings.Join(args, " "), code, e.String())
		}
	}
	for _, err := range []error{syscall.EPIPE, io.ErrClosedPipe} {
		var e strings.Builder
		args := []string{"gtk", "models", "new", "mlp", "-o", at("pipe.onnx"), "--force"}
		if code := cli.Main(args, strings.NewReader(""), &full{left: 1, err: err}, &e); code != 0 {
			t.Errorf("%v: code %d, %s", err, code, e.String())
		}
	}
	if runtime.GOOS != "linux" {
		return
	}
	dev, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	for _, args := range [][]string{{"version"}, {"export", m, "-o", "-"}, {"models", "new", "mlp", "-o", "-"}} {
		var e strings.Builder
		c := exec.Command(gtkProgram(t), args...)
		c.Stdout, c.Stderr = dev, &e
		_ = c.Run() // its code is looked at
		if code := c.ProcessState.ExitCode(); code != 4 || !strings.Contains(e.String(), "no space left") {
			t.Errorf("gtk %s: code %d, %s", strings.Join(args, " "), code, e.String())
		}
	}
}
