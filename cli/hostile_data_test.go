//go:build unix

package cli_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// npz writes a file of examples x, of the given shape and filled with v, and labels y when there are any.
func npz(t *testing.T, path string, v float32, labels []int64, shape ...int) {
	x := tensor.New(tensor.Float32, shape...)
	for i := range x.F32() {
		x.F32()[i] = v
	}
	named := []tensor.Named{{Name: "x", Tensor: x}}
	if labels != nil {
		named = append(named, tensor.Named{Name: "y", Tensor: tensor.From(labels, len(labels))})
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(tensor.WriteNPZ(f, named), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// bomb is a picture file that claims to be 60000 pixels wide and high.
func bomb(t *testing.T) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	p := b.Bytes()
	binary.BigEndian.PutUint32(p[16:], 60000)
	binary.BigEndian.PutUint32(p[20:], 60000)
	binary.BigEndian.PutUint32(p[29:], crc32.ChecksumIEEE(p[12:29]))
	return p
}

// TestHostileData gives data that lies, lacks or does not fit to the commands that read data.
func TestHostileData(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, b []byte) {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, b, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"mlp", "lenet"} {
		if code, _, e := run("models", "new", name, "-o", filepath.Join(dir, name+".onnx")); code != 0 {
			t.Fatal(e)
		}
	}
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"empty", "noclass/a", "noclass/b"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write("one/a/1.png", picture.Bytes())
	write("one/a/2.png", picture.Bytes())
	write("cut/a/1.png", picture.Bytes()[:40])
	write("cut/b/1.png", picture.Bytes())
	write("bomb/a/1.png", bomb(t))
	write("nan.csv", []byte("a,b,label\n1,2,x\n3,NaN,y\n"))
	write("inf.csv", []byte("a,b,label\n1,2,x\n3,inf,y\n"))
	write("word.csv", []byte("a,b,label\n1,2,x\n3,hello,y\n"))
	write("short.csv", []byte("a,b,label\n1,2,x\n3\n"))
	write("two.csv", []byte("a,b,label\n1,2,x\n3,4,y\n"))
	write("nothing.csv", nil)
	write("head.csv", []byte("a,b,label\n"))
	write("unknown.keep", []byte("nosuch\n"))
	write("escape.keep", []byte("../../etc/passwd\n"))
	write("idx/train-images-idx3-ubyte", []byte("\x00\x00\x08\x03\x7f\xff\xff\xff\x00\x10\x00\x00\x00\x10\x00\x00"))
	write("idx/train-labels-idx1-ubyte", []byte("\x00\x00\x08\x01\x00\x00\x00\x0a0123456789"))
	write("bad.npz", []byte("PK\x03\x04 no archive"))
	write("model-is-data.onnx", picture.Bytes())
	labels := []int64{0, 1, 2, 0, 1, 2}
	npz(t, filepath.Join(dir, "nan.npz"), float32(math.NaN()), labels, 6, 1, 8, 8)
	npz(t, filepath.Join(dir, "inf.npz"), float32(math.Inf(1)), labels, 6, 1, 8, 8)
	npz(t, filepath.Join(dir, "minus.npz"), 1, []int64{0, 1, -1, 0, 1, 2}, 6, 1, 8, 8)
	npz(t, filepath.Join(dir, "many.npz"), 1, []int64{0, 1, 99, 0, 1, 2}, 6, 1, 8, 8)
	npz(t, filepath.Join(dir, "giant.npz"), 1, []int64{0, 1, 1 << 60, 0, 1, 2}, 6, 1, 8, 8)
	npz(t, filepath.Join(dir, "fewer.npz"), 1, labels[:5], 6, 1, 8, 8)
	npz(t, filepath.Join(dir, "oneclass.npz"), 1, make([]int64, 6), 6, 1, 8, 8)
	npz(t, filepath.Join(dir, "shape.npz"), 1, labels, 6, 3, 9, 9)
	npz(t, filepath.Join(dir, "nolabels.npz"), 1, nil, 6, 1, 8, 8)
	npz(t, filepath.Join(dir, "none.npz"), 1, []int64{}, 0, 1, 8, 8)
	const eval, fine, prune = "eval mlp.onnx --data ", "finetune mlp.onnx --max-steps 2 -o new.onnx --data ",
		"prune-data mlp.onnx --score el2n --keep 0.5 -o out --data "
	for _, c := range []struct {
		args, code string
		says       []string
	}{
		{eval + "imagefolder:empty", "3", []string{"empty", "DIR/CLASS/picture"}},
		{eval + "imagefolder:noclass", "3", []string{"noclass"}},
		{fine + "imagefolder:one --channels gray", "3", []string{"one class"}},
		{eval + "imagefolder:cut --channels gray", "3", []string{"cut/a/1.png", "damaged"}},
		{fine + "imagefolder:cut --channels gray", "3", []string{"cut/a/1.png", "damaged"}},
		{prune + "imagefolder:cut --channels gray", "3", []string{"cut/a/1.png", "damaged"}},
		{eval + "imagefolder:bomb", "3", []string{"bomb/a/1.png", "60000", "limit"}},
		{"run mlp.onnx cut/a/1.png", "3", []string{"cut/a/1.png"}},
		{"run mlp.onnx bomb/a/1.png", "3", []string{"bomb/a/1.png", "limit"}},
		{"explain mlp.onnx cut/a/1.png -o out", "3", []string{"cut/a/1.png"}},
		{"explain mlp.onnx bomb/a/1.png -o out", "3", []string{"bomb/a/1.png"}},
		{eval + "imagefolder:nosuch", "4", []string{"nosuch"}},
		{eval + "csv:nan.csv", "3", []string{"nan.csv", "line 3", "column b"}},
		{fine + "csv:inf.csv", "3", []string{"inf.csv", "line 3", "column b"}},
		{eval + "csv:word.csv", "3", []string{"word.csv", "line 3", "hello"}},
		{eval + "csv:short.csv", "3", []string{"short.csv", "line 3"}},
		{eval + "csv:two.csv", "3", []string{"[2,2]", "float32[N,1,8,8]"}},
		{eval + "csv:two.csv --label-column klass", "3", []string{"klass", "label"}},
		{eval + "csv:nothing.csv", "3", []string{"nothing.csv"}},
		{eval + "csv:head.csv", "3", []string{"head.csv"}},
		{eval + "csv:empty", "3", []string{"empty"}},
		{eval + "idx:idx#train", "3", []string{"train-images", "2147483647"}},
		{eval + "npz:bad.npz", "3", []string{"bad.npz"}},
		{eval + "npz:nan.npz", "3", []string{"nan.npz", "finite"}},
		{fine + "npz:nan.npz", "3", []string{"nan.npz", "finite"}},
		{prune + "npz:inf.npz", "3", []string{"inf.npz", "finite"}},
		{eval + "npz:minus.npz", "3", []string{"minus.npz", "-1"}},
		{eval + "npz:many.npz", "2", []string{"100 classes"}},
		{prune + "npz:many.npz", "2", []string{"100 classes", "--"}},
		{fine + "npz:many.npz", "2", []string{"100 classes", "--"}},
		{fine + "npz:giant.npz --num-classes auto", "3", []string{"giant.npz"}},
		{prune + "npz:giant.npz", "3", []string{"giant.npz"}},
		{eval + "npz:fewer.npz", "3", []string{"fewer.npz", "5", "6"}},
		{fine + "npz:oneclass.npz", "3", []string{"one class"}},
		{eval + "npz:shape.npz", "3", []string{"3,9,9]", "float32[N,1,8,8]", "gtk data info"}},
		{fine + "npz:shape.npz", "3", []string{"3,9,9]", "float32[N,1,8,8]"}},
		{prune + "npz:shape.npz", "3", []string{"3,9,9]", "float32[N,1,8,8]"}},
		{eval + "npz:nolabels.npz", "3", []string{"neither labels nor targets"}},
		{fine + "npz:none.npz", "3", []string{"none.npz"}},
		{prune + "npz:none.npz", "3", []string{"none.npz"}},
		{eval + "npz:nosuch.npz", "4", []string{"nosuch.npz"}},
		{eval + "keep:unknown.keep@digits", "3", []string{"unknown.keep", "line 1", "nosuch"}},
		{fine + "keep:escape.keep@digits", "3", []string{"escape.keep", "line 1"}},
		{eval + "keep:nosuch@digits", "4", []string{"nosuch"}},
		{eval + "bogus:x", "4", []string{"bogus", "imagefolder"}},
		{"run nosuch.onnx x.npy", "4", []string{"nosuch.onnx"}},
		{"run empty", "3", []string{"empty"}},
		{"run model-is-data.onnx", "3", []string{"model-is-data.onnx"}},
		{"run mlp.onnx nosuch.png", "4", []string{"nosuch.png"}},
		{"run mlp.onnx empty", "3", []string{"empty"}},
		{"eval mlp.onnx --data digits --labels nosuch", "4", []string{"nosuch"}},
		{"finetune mlp.onnx --data digits --max-steps 2 -o two.csv/new.onnx", "4", []string{"two.csv"}},
		{"run mlp.onnx one/a/1.png -o two.csv/out", "4", []string{"two.csv"}},
		{"finetune mlp.onnx --data digits --max-steps 2 -o mlp.onnx", "2", []string{"mlp.onnx", "--force"}},
		{"prune-data mlp.onnx --data digits --score el2n --keep 0.5 -o one", "2", []string{"one", "--force"}},
		{"models new mlp -o lenet.onnx", "2", []string{"lenet.onnx", "--force"}},
	} {
		t.Run(strings.ReplaceAll(c.args, "/", "_"), func(t *testing.T) {
			stderr, err := child(dir, c.code, strings.Fields(c.args)...)
			if err != nil {
				t.Errorf("%v\n%s", err, cut(stderr, 2000))
				return
			}
			for _, s := range c.says {
				if !strings.Contains(stderr, s) {
					t.Errorf("does not say %q:\n%s", s, stderr)
				}
			}
		})
	}
}
