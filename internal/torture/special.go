//go:build linux

package torture

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gtk-onnx/gtk/tensor"
)

// places are where a command takes a file; F is that file.
var places = []string{
	"inspect F", "run F x.npy", "run mlp.onnx F -o out", "run mlp.onnx --input x=F -o out", "run mlp.onnx x.npy --labels F",
	"run mlp.onnx x.npy --config F",
	"verify mlp.onnx F", "verify mlp.onnx --golden F", "diff mlp.onnx F", "explain mlp.onnx F -o out",
	"explain mlp.onnx x.npy --vocab F -o out",
	"explain mlp.onnx x.npy --font F -o out", "explain mlp.onnx x.npy --noise F --method smoothgrad -o out",
	"finetune mlp.onnx --data digits --max-steps 1 -o out.onnx --resume F", "finetune --resume F", "eval mlp.onnx --data npz:F",
	"eval mlp.onnx --data csv:F",
	"eval mlp.onnx --data F", "eval mlp.onnx --data idx:F#train", "eval mlp.onnx --data cifar10:F#train", "eval mlp.onnx --data text:F",
	"eval mlp.onnx --data window:F?in=2&out=1", "eval mlp.onnx --data images:F", "eval mlp.onnx --data imagefolder:F",
	"eval mlp.onnx --data keep:F@digits",
	"eval mlp.onnx --data relabel:F@digits", "data info masks:F", "import mlp.onnx -o out.onnx --labels F",
	"eval mlp.onnx --data imagefolder:in --channels gray",
	"data info images:in", "explain mlp.onnx in --channels gray -o out", "run mlp.onnx in --channels gray", "data info csv:list.csv",
	"eval mlp.onnx --data csv:list.csv --channels gray",
	"data convert imagefolder:in -o out", "data info masks:masks", "inspect external.onnx", "bench external.onnx --n 1",
	"run mlp.onnx --set x=F", "export F -o out.onnx",
	// and as outputs
	"export mlp.onnx -o F", "export mlp.onnx -o F --force", "run mlp.onnx x.npy -o F --force", "run mlp.onnx --data digits -o F --force",
	"inspect mlp.onnx --dot F --force",
	"finetune mlp.onnx --data digits --max-steps 1 -o F --force",
	"finetune mlp.onnx --data digits --max-steps 1 -o out.onnx --checkpoint F --force",
	"score-data mlp.onnx --data digits --score el2n -o F --force", "explain mlp.onnx x.npy -o F --force",
	"data convert digits -o F --force", "models new mlp -o F --force",
}

// specials are what a file may be that is none. Each makes it at a path.
var specials = []struct {
	name string
	make func(path string) error
}{
	{"pipe", func(p string) error { return syscall.Mkfifo(p, 0o666) }},
	{"socket", func(p string) error {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: p, Net: "unix"})
		if err != nil {
			return err
		}
		l.SetUnlinkOnClose(false)
		return l.Close()
	}},
	{"zeros", func(p string) error { return os.Symlink("/dev/zero", p) }},
	{"random", func(p string) error { return os.Symlink("/dev/urandom", p) }},
	{"folder", func(p string) error { return os.Mkdir(p, 0o777) }},
	{"dangling", func(p string) error { return os.Symlink("nosuch", p) }},
	{"circle", func(p string) error { return os.Symlink(filepath.Base(p), p) }},
	{"self-memory", func(p string) error { return os.Symlink("/proc/self/mem", p) }},
	{"secret", func(p string) error { return os.Symlink("/etc/hostname", p) }},
	{"unreadable", func(p string) error { return os.WriteFile(p, []byte("x"), 0) }},
}

func init() {
	kinds = append(kinds, kind{
		name: "special", what: "pipes, sockets, devices, folders and links where a file should be, as inputs and outputs", share: 0.1,
		cases: func(*campaign) int { return len(places) * len(specials) },
		run:   special,
	})
}

func special(t *trial) {
	place, s := places[t.index%len(places)], specials[t.index/len(places)]
	t.setUp()
	t.tensorFile("x.npy", tensor.New(tensor.Float32, 1, 1, 8, 8))
	f := filepath.Join(t.dir, "f")
	made := s.make(f)
	inside := "in/a/1.png"
	for _, name := range []string{"in/a/2.png", "in/b/1.png", "masks/images/1.png"} {
		t.write(name, pngOf(8, 8, 8, 0))
	}
	t.write("masks/masks/x", nil)
	t.write("list.csv", []byte("file,label\nin/b/1.png,0\nin/a/1.png,1\n"))
	external(t, "f")
	for _, at := range []string{inside, "masks/masks/1.png"} {
		if err := s.make(filepath.Join(t.dir, at)); err != nil {
			made = err
		}
	}
	if made != nil {
		t.fail("torture", "%s: %v", s.name, made)
		return
	}
	line := strings.ReplaceAll(strings.ReplaceAll(place, " F", " f"), ":F", ":f")
	line = strings.ReplaceAll(line, "=F", "=f")
	t.notes = []string{"f is a " + s.name + ": gtk " + line}
	args := strings.Fields(line)
	l := codes(bombLimits, line)
	l.wall = 20 * time.Second
	o := t.exec(command{args: args, limits: l})
	for _, way := range o.wrong(l) {
		t.fail(s.name+"/"+strings.ReplaceAll(strings.ReplaceAll(place, "/", "_"), " ", "_")+"/"+way, "%s", o)
	}
	if st, err := os.Lstat(f); err != nil || s.name == "pipe" && st.Mode()&os.ModeNamedPipe == 0 {
		t.fail(s.name+"/replaced", "f is not what it was: %v, %v", st, err)
	}
}

// external writes external.onnx, whose weights are said to be in a file.
func external(t *trial, location string) {
	b := newBuild()
	b.g.Initializer = append(b.g.Initializer, externalTensor("w", location, 1, 16))
	b.node("ReduceMax w -> m").node("Add x,m -> y").save(t)
	if err := os.Rename(filepath.Join(t.dir, "model.onnx"), filepath.Join(t.dir, "external.onnx")); err != nil {
		t.fail("torture", "%v", err)
	}
}
