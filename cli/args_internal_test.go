package cli

import (
	"io"
	"slices"
	"strings"
	"testing"
)

// FuzzRearrange moves flags before arguments: no word may be lost or made up.
func FuzzRearrange(f *testing.F) {
	f.Add("run\nm.onnx\n--json\nx.npy")
	f.Add("--threads\n2\nfinetune\nm.onnx\n--lr\n0.1\n--data\ndigits")
	f.Add("explain\n--\n-x.onnx\n--json")
	f.Add("data\ninfo\ndigits\n-q")
	f.Fuzz(func(t *testing.T, s string) {
		args := append([]string{"gtk"}, strings.Split(s, "\n")...)
		if strings.Contains(s, "config") || strings.Contains(s, "help") || strings.Contains(s, "-h") {
			return // adds words of a file, drops arguments
		}
		app := newApp(&env{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard}, nil)
		before := slices.Clone(args)
		got := rearrange(app, args)
		if !slices.Equal(args, before) {
			t.Fatal("the arguments were changed in place")
		}
		rest := slices.Clone(got)
		for _, a := range args {
			i := slices.Index(rest, a)
			if i < 0 && a == "--" {
				continue
			}
			if i < 0 {
				t.Fatalf("%q lost %q: %q", args, a, got)
			}
			rest = slices.Delete(rest, i, i+1)
		}
		for _, a := range rest {
			if a != "--" {
				t.Fatalf("%q gained %q: %q", args, a, got)
			}
		}
	})
}
