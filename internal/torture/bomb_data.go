//go:build linux

package torture

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/gtk-onnx/gtk/tensor"
)

// setUp are the models that the commands on data use: mlp.onnx takes [N,1,8,8], table.onnx [N,2].
func (t *trial) setUp() {
	mlp := newBuild().ones("w", 64, 10).node("Flatten x -> f").node("MatMul f,w -> y")
	mlp.g.Input[0] = valueInfo("x", "N", 1, 8, 8)
	mlp.save(t)
	if err := os.Rename(filepath.Join(t.dir, "model.onnx"), filepath.Join(t.dir, "mlp.onnx")); err != nil {
		t.fail("torture", "%v", err)
	}
	table := newBuild().ones("w", 2, 2).node("MatMul x,w -> y")
	table.g.Input[0] = valueInfo("x", "N", 2)
	table.save(t)
	if err := os.Rename(filepath.Join(t.dir, "model.onnx"), filepath.Join(t.dir, "table.onnx")); err != nil {
		t.fail("torture", "%v", err)
	}
}

func addDataBomb(b bomb) {
	inner := b.make
	b.make = func(t *trial, n int) {
		t.setUp()
		inner(t, n)
	}
	bombs["data-bomb"] = append(bombs["data-bomb"], b)
}

// zeros is n zero bytes.
func zeros(n int64) io.Reader { return io.LimitReader(zeroReader{}, n) }

type zeroReader struct{}

func (zeroReader) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// repeated is s again and again, n bytes of it.
func repeated(s string, n int64) io.Reader { return io.LimitReader(&repeatReader{s: s}, n) }

type repeatReader struct {
	s  string
	at int
}

func (r *repeatReader) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = r.s[r.at]
		if r.at++; r.at == len(r.s) {
			r.at = 0
		}
	}
	return len(b), nil
}

// stream writes what rs give, packed where the name ends in .gz.
func (t *trial) stream(name string, rs ...io.Reader) {
	path := filepath.Join(t.dir, name)
	t.write(name, nil)
	f, err := os.Create(path)
	if err == nil {
		var w io.WriteCloser = f
		if strings.HasSuffix(name, ".gz") {
			w, _ = gzip.NewWriterLevel(f, gzip.BestSpeed) // a level that there is
		}
		for _, r := range rs {
			if _, cerr := io.Copy(w, r); err == nil {
				err = cerr
			}
		}
		if w != io.WriteCloser(f) {
			w.Close()
		}
		f.Close()
	}
	if err != nil {
		t.fail("torture", "%v", err)
	}
}

// npyHead is the beginning of a .npy file that claims a type and shape.
func npyHead(descr, shape string) string {
	h := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, shape)
	h += strings.Repeat(" ", 63-(10+len(h))%64) + "\n"
	return "\x93NUMPY\x01\x00" + string(binary.LittleEndian.AppendUint16(nil, uint16(len(h)))) + h
}

// zipped writes a .npz; each entry is a name and what is in it.
func (t *trial) zipped(name string, entries func(add func(name string, rs ...io.Reader))) {
	f, err := os.Create(filepath.Join(t.dir, name))
	if err != nil {
		t.fail("torture", "%v", err)
		return
	}
	defer f.Close()
	z := zip.NewWriter(f)
	entries(func(name string, rs ...io.Reader) {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate})
		for _, r := range rs {
			if err == nil {
				_, err = io.Copy(w, r)
			}
		}
		if err != nil {
			t.fail("torture", "%v", err)
		}
	})
	if err := z.Close(); err != nil {
		t.fail("torture", "%v", err)
	}
}

func init() {
	idxHead := func(kind byte, dims ...uint32) string {
		b := []byte{0, 0, kind, byte(len(dims))}
		for _, d := range dims {
			b = binary.BigEndian.AppendUint32(b, d)
		}
		return string(b)
	}
	idxUses := []string{"data idx:.#train", "eval mlp.onnx --data idx:.#train"}
	addDataBomb(bomb{name: "idx-claims", sizes: []int{1000, 1 << 20, 1<<31 - 1}, commands: idxUses, make: func(t *trial, n int) {
		t.write("train-images-idx3-ubyte", []byte(idxHead(8, uint32(n), 1<<16, 1<<16)+"1234"))
		t.write("train-labels-idx1-ubyte", []byte(idxHead(8, uint32(n))+"1234"))
	}})
	for _, gz := range []string{"", ".gz"} {
		addDataBomb(bomb{name: "idx-large" + gz, sizes: []int{1 << 16, 1 << 20, 1 << 26, 1<<31 - 1}, commands: idxUses,
			make: func(t *trial,
				n int) {
				long, short := strings.NewReader(idxHead(8, uint32(n), 8, 8)), strings.NewReader(idxHead(8, uint32(n)))
				if gz == "" {
					t.hole("train-images-idx3-ubyte", int64(n)*64+16)
					t.hole("train-labels-idx1-ubyte", int64(n)+8)
					t.over("train-images-idx3-ubyte", long)
					t.over("train-labels-idx1-ubyte", short)
					return
				}
				t.stream("train-images-idx3-ubyte.gz", long, zeros(min(int64(n)*64, 1<<32)))
				t.stream("train-labels-idx1-ubyte.gz", short, zeros(int64(n)))
			}})
	}
	addDataBomb(bomb{name: "cifar10-large", sizes: counts(1<<28, 1<<33), commands: []string{"data cifar10:.#train",
		"eval mlp.onnx --data cifar10:.#train"},
		make: func(t *trial, n int) { t.hole("data_batch_1.bin", int64(n)/3073*3073) }})
	csvUses := []string{"data info csv:d.csv", "eval table.onnx --data csv:d.csv",
		"finetune table.onnx --data csv:d.csv --max-steps 1 -o out.onnx --force", "data info window:d.csv?in=2&out=1"}
	addDataBomb(bomb{name: "csv-line", sizes: counts(1<<20, 1<<27, 1<<31), commands: csvUses, make: func(t *trial, n int) {
		t.hole("d.csv", int64(n))
		t.over("d.csv", strings.NewReader("a,b,label\n1,2,"))
	}})
	addDataBomb(bomb{name: "csv-columns", sizes: []int{1000, 1 << 17, 1 << 21, 1 << 25}, commands: csvUses, make: func(t *trial, n int) {
		t.stream("d.csv", repeated("a,", int64(2*n)), strings.NewReader("label\n"), repeated("1,", int64(2*n)), strings.NewReader("0\n"))
	}})
	addDataBomb(bomb{name: "csv-quote", sizes: []int{1 << 20, 1 << 27, 1 << 29}, commands: csvUses, make: func(t *trial, n int) {
		t.stream("d.csv", strings.NewReader("a,b,label\n1,2,\""), repeated("x\n", int64(n)))
	}})
	addDataBomb(bomb{name: "csv-rows", sizes: []int{1 << 16, 1 << 22}, commands: csvUses, make: func(t *trial, n int) {
		t.stream("d.csv", strings.NewReader("a,b,label\n"), repeated("1,2,0\n1,3,1\n", int64(6*n)))
	}})
	addDataBomb(bomb{name: "csv-gz", sizes: counts(1<<22, 1<<30, 1<<32), commands: []string{"data info csv:d.csv.gz",
		"eval table.onnx --data csv:d.csv.gz"}, make: func(t *trial, n int) {
		t.stream("d.csv.gz", strings.NewReader("a,b,label\n"), repeated("1,2,0\n1,3,1\n", int64(n)))
	}})
	addDataBomb(bomb{name: "csv-labels", sizes: []int{1000, 1 << 17, 1 << 20}, commands: csvUses, make: func(t *trial,
		n int) { // each its own class
		var b bytes.Buffer
		b.WriteString("a,b,label\n")
		for i := range n {
			fmt.Fprintf(&b, "1,2,class%d\n", i)
		}
		t.write("d.csv", b.Bytes())
	}})
	npzUses := []string{"data info npz:d.npz", "eval mlp.onnx --data npz:d.npz", "run mlp.onnx --input x=d.npz -o out"}
	addDataBomb(bomb{name: "npz-zeros", sizes: counts(1<<20, 1<<28, 1<<31), commands: npzUses, make: func(t *trial, n int) {
		t.zipped("d.npz", func(add func(string, ...io.Reader)) {
			add("x.npy", strings.NewReader(npyHead("<f4", fmt.Sprintf("%d,1,8,8", n/256))), zeros(int64(n)))
			add("y.npy", strings.NewReader(npyHead("<i8", fmt.Sprintf("%d,", n/256))), zeros(int64(n)/32))
		})
	}})
	addDataBomb(bomb{name: "npz-claims", sizes: counts(1<<20, 1<<31, 1<<40, 1<<63-1), commands: npzUses,
		make: func(t *trial, n int) {
			t.zipped("d.npz", func(add func(string, ...io.Reader)) {
				add("x.npy", strings.NewReader(npyHead("<f4", fmt.Sprintf("%d,1,8,8", n))), zeros(1000))
				add("y.npy", strings.NewReader(npyHead("<i8", fmt.Sprintf("%d,", n))), zeros(1000))
			})
		}})
	addDataBomb(bomb{name: "npz-entries", sizes: []int{1000, 60000}, commands: npzUses, make: func(t *trial, n int) {
		t.zipped("d.npz", func(add func(string, ...io.Reader)) {
			for i := range n {
				add(fmt.Sprintf("a%d.npy", i), strings.NewReader(npyHead("<f4", "1,")+"1234"))
			}
		})
	}})
	// each under the limit
	addDataBomb(bomb{name: "npz-many-zeros", sizes: []int{10, 100}, commands: npzUses, make: func(t *trial, n int) {
		t.zipped("d.npz", func(add func(string, ...io.Reader)) {
			for i := range n {
				add(fmt.Sprintf("a%d.npy", i), strings.NewReader(npyHead("<f4", "4,16777216")), zeros(1<<28))
			}
		})
	}})
	addDataBomb(bomb{name: "npy-claims", sizes: counts(1<<20, 1<<31, 1<<40, 1<<63-1),
		commands: []string{"run mlp.onnx d.npy -o out", "explain mlp.onnx d.npy -o out"}, make: func(t *trial, n int) {
			t.write("d.npy", []byte(npyHead("<f4", fmt.Sprintf("%d,1,8,8", n))+"1234"))
		}})
	addDataBomb(bomb{name: "npy-hole", sizes: counts(1<<22, 1<<27, 1<<37), commands: []string{"run mlp.onnx d.npy -o out",
		"explain mlp.onnx d.npy -o out --method gradient"}, make: func(t *trial, n int) {
		h := npyHead("<f4", fmt.Sprintf("%d,1,8,8", n/256))
		t.hole("d.npy", int64(n/256*256+len(h)))
		t.over("d.npy", strings.NewReader(h))
	}})
	addDataBomb(bomb{name: "text-hole", sizes: counts(1<<22, 1<<28, 1<<37), commands: []string{"data info text:d.txt",
		"eval mlp.onnx --data text:d.txt"},
		make: func(t *trial, n int) { t.hole("d.txt", int64(n)) }})
	addDataBomb(bomb{name: "text-gz", sizes: counts(1<<22, 1<<32), commands: []string{"data info text:d.txt.gz",
		"eval mlp.onnx --data text:d.txt.gz"},
		make: func(t *trial, n int) { t.stream("d.txt.gz", zeros(int64(n))) }})
	for _, s := range []string{"digits?n=%d", "shapes?n=%d&size=16#train", "shapes?n=10&size=%d#train", "window:d.csv?in=%d&out=1",
		"window:d.csv?in=2&out=2&stride=%d", "text:d.csv?length=%d", "text:d.csv?stride=%d"} {
		spec := func(n int) string { return fmt.Sprintf(s, n) }
		for _, n := range counts(1, 1<<20, 1<<40, 1<<63-1, -1, 0) {
			name := "spec-" + strings.Trim(strings.Map(func(r rune) rune {
				if r == '%' || r == '?' || r == '#' || r == ':' || r == '&' || r == '=' || r == '.' {
					return '-'
				}
				return r
			}, s), "-")
			addDataBomb(bomb{name: name, sizes: []int{n}, commands: []string{"data info " + spec(n), "eval mlp.onnx --data " + spec(n)},
				endless: true,
				make:    func(t *trial, _ int) { t.write("d.csv", []byte("a,b,label\n1,2,0\n2,3,1\n3,4,0\n4,5,1\n")) }})
		}
	}
	textBombs()
}

// textBombs are labels, lists and configs.
func textBombs() {
	x := func(t *trial) { t.tensorFile("x.npy", tensor.New(tensor.Float32, 1, 1, 8, 8)) }
	for _, f := range []struct{ name, file, use string }{
		{"labels", "l.txt", "run mlp.onnx x.npy --labels l.txt"}, {"labels-json", "l.json", "run mlp.onnx x.npy --labels l.json"},
		{"labels-import", "l.txt", "import mlp.onnx --labels l.txt -o out.onnx"},
		{"config", "c.yaml", "run mlp.onnx x.npy --config c.yaml"}, {"keep", "k.txt", "eval mlp.onnx --data keep:k.txt@digits"},
		{"relabel", "r.csv", "eval mlp.onnx --data relabel:r.csv@digits"},
		{"vocab", "v.json", "explain mlp.onnx x.npy --vocab v.json -o out"},
		{"vocab-text", "v.txt", "explain mlp.onnx x.npy --vocab v.txt -o out"},
		{"font", "f.ttf", "explain mlp.onnx x.npy --font f.ttf -o out"},
		{"resume", "r.npz", "finetune mlp.onnx --data digits --max-steps 1 -o out.onnx --resume r.npz"}, {"noise", "n.npy",
			"explain mlp.onnx x.npy --noise n.npy --method smoothgrad -o out"},
		{"model", "m.onnx", "inspect m.onnx"}, {"tensor-pb", "t.pb", "run mlp.onnx --input x=t.pb"},
	} {
		for _, c := range []struct {
			name  string
			sizes []int
			make  func(t *trial, n int)
		}{
			{"hole", counts(1<<22, 1<<31, 1<<36), func(t *trial, n int) { t.hole(f.file, int64(n)) }},
			{"lines", []int{1 << 22, 1 << 28}, func(t *trial, n int) { t.stream(f.file, repeated("abcdefg\n", int64(n))) }},
			{"line", []int{1 << 22, 1 << 28}, func(t *trial, n int) { t.stream(f.file, repeated("abcdefg", int64(n))) }},
			{"nested", []int{1000, 1 << 20, 1 << 26}, func(t *trial, n int) {
				t.stream(f.file, repeated("[", int64(n)), repeated("]",
					int64(n)))
			}},
			{"objects", []int{1000, 1 << 20}, func(t *trial, n int) {
				t.stream(f.file, repeated(`{"a":`, 5*int64(n)), repeated("}", int64(n)))
			}},
			{"aliases", []int{9, 30}, func(t *trial, n int) {
				s := "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
				for i := range n {
					s += fmt.Sprintf("a%d: &a%d [%s*a%d]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d,", i), 8), i)
				}
				t.write(f.file, []byte(s))
			}},
		} {
			if c.name == "aliases" && f.name != "config" {
				continue
			}
			addDataBomb(bomb{name: f.name + "-" + c.name, sizes: c.sizes, commands: []string{f.use}, make: func(t *trial, n int) {
				x(t)
				c.make(t, n)
			}})
		}
	}
}

// over writes at the beginning of a file.
func (t *trial) over(name string, r io.Reader) {
	f, err := os.OpenFile(filepath.Join(t.dir, name), os.O_WRONLY, 0)
	if err == nil {
		_, err = io.Copy(f, r)
		f.Close()
	}
	if err != nil {
		t.fail("torture", "%v", err)
	}
}
